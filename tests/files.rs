//! Files into a run and out of it, from outside: what arrives, what is refused, what the record says.
//! It must not try again what `tests/transfer/` tries without a sandbox.

#![cfg(feature = "cli")]

#[path = "files/as_root.rs"]
mod as_root;
#[path = "files/hostile.rs"]
mod hostile;
#[path = "files/killed.rs"]
mod killed;
#[path = "files/library.rs"]
mod library;
#[path = "files/limits.rs"]
mod limits;
#[path = "files/many.rs"]
mod many;
#[path = "files/plain.rs"]
mod plain;
#[path = "files/refused.rs"]
mod refused;
mod support;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{Scratch, code, complaint};

/// A caller's directory with a file in it, and one that the program may write.
struct World {
    scratch: Scratch,
}

/// How a run went.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
    record: Value,
}

impl World {
    fn new() -> World {
        let scratch = Scratch::new();
        scratch.file("in.txt", "1 2\n", 0o644);
        scratch.directory("work");
        World { scratch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    fn work(&self) -> String {
        self.path("work").display().to_string()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn exists(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    /// Names in the caller's directory, but for the record.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.scratch.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "r.json")
            .collect();
        names.sort();
        names
    }

    /// `sandbox` in the caller's directory; `WORK` in an option is the writable one.
    fn command(&self, options: &[&str], script: &str) -> Command {
        let mut command = support::sandbox();
        self.add(&mut command, options, script);
        command
    }

    fn add(&self, command: &mut Command, options: &[&str], script: &str) {
        command
            .current_dir(self.scratch.path())
            .arg("--report=r.json");
        let options = options
            .iter()
            .map(|word| word.replace("WORK", &self.work()));
        command.args(options).args(["--", "/bin/sh", "-c", script]);
    }

    fn run(&self, options: &[&str], script: &str) -> Ran {
        self.ran(&support::run(&mut self.command(options, script)))
    }

    fn ran(&self, output: &Output) -> Ran {
        Ran {
            code: code(output),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: complaint(output),
            record: serde_json::from_str(&self.read("r.json")).unwrap(),
        }
    }

    /// The sentence and the hint of a run that was refused, and printed nothing.
    fn refused(&self, options: &[&str]) -> String {
        let ran = self.run(options, "echo executed");
        assert_eq!((ran.code, ran.stdout.as_str()), (125, ""), "{}", ran.stderr);
        assert_eq!(ran.record["complete"], false);
        let message = ran.stderr.strip_prefix("sandbox: ").unwrap();
        message.trim_end().to_owned()
    }
}

impl Ran {
    /// Ended with this code and nothing on standard error.
    fn quietly(self, code: i32) -> Ran {
        assert_eq!((self.code, self.stderr.as_str()), (code, ""));
        self
    }

    /// Kind and number of bytes of each copy, as the record has it.
    fn copies(&self) -> Vec<(&str, &str, u64)> {
        let files = self.record["files"].as_array().unwrap();
        files
            .iter()
            .map(|file| {
                let word = |name: &str| file[name].as_str().unwrap();
                (
                    word("direction"),
                    word("kind"),
                    file["bytes"].as_u64().unwrap(),
                )
            })
            .collect()
    }
}

/// A copy option for a host path.
fn pair(from: impl AsRef<Path>, to: impl AsRef<Path>) -> String {
    format!("{}:{}", from.as_ref().display(), to.as_ref().display())
}
