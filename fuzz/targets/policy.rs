//! The policy parser on arbitrary text, alone and through `extends` between files.
//!
//! An answer comes and can be shown; what is accepted is valid. Whether it is what
//! the text says is for the tests of the policy.

use super::bytes::printable;
use super::valid;
use sandbox::policy::{Context, Error, Policy};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const NAMES: [&str; 4] = ["a.toml", "b.toml", "c.toml", "d.toml"];

/// The input is up to four files, separated by form feeds: a.toml b.toml c.toml
/// d.toml. One that begins with `->` is a symbolic link to what follows. The first
/// is also parsed as a text.
pub fn check(data: &[u8]) {
    let parts: Vec<&[u8]> = data.splitn(4, |byte| *byte == b'\x0c').collect();
    let mut context = Context {
        cwd: PathBuf::from("/cwd"),
        home: Some(PathBuf::from("/home/u")),
        env: [(String::from("SET"), String::from("/set"))].into(),
    };
    let mut text = None;
    if let Ok(first) = std::str::from_utf8(parts[0]) {
        let answer = judge(Policy::parse(first, "a.toml", &context));
        assert_eq!(answer, Policy::parse(first, "a.toml", &context));
        text = Some(answer);
    }
    // Files are slow, and of no use to a text that stands alone.
    if parts.len() == 1 && !parts[0].windows(7).any(|word| word == b"extends") {
        return;
    }
    let scratch = Scratch::new();
    context.cwd = scratch.0.clone();
    for (name, part) in NAMES.iter().zip(&parts) {
        scratch.put(name, part);
    }
    let loaded = judge(Policy::load("a.toml".as_ref(), &context));
    // What needs no other file means the same in a file.
    if let (Some(Ok(text)), Ok(loaded)) = (text, loaded)
        && !data.contains(&b'.')
    {
        assert_eq!(text.files.len(), loaded.files.len());
        assert_eq!(text.syscalls, loaded.syscalls);
        assert_eq!(text.limits, loaded.limits);
    }
}

fn judge(answer: Result<Policy, Error>) -> Result<Policy, Error> {
    match &answer {
        Ok(policy) => {
            policy.validate().expect("a policy that was read is valid");
            valid::hold(policy);
            valid::calls(policy);
        }
        Err(error) => {
            printable(&error.to_string());
            printable(&error.message);
        }
    }
    answer
}

/// A directory for one input. On `/dev/shm` where there is one: it is made
/// thousands of times a second.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let memory = Path::new("/dev/shm");
        let parent = match memory.is_dir() {
            true => memory.to_path_buf(),
            false => std::env::temp_dir(),
        };
        let path = parent.join(format!("sandbox-fuzz-policy-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a scratch directory");
        Scratch(path)
    }

    fn put(&self, name: &str, part: &[u8]) {
        let path = self.0.join(name);
        match part.strip_prefix(b"->") {
            // A link out of the scratch directory could lead to a terminal.
            Some(target) if NAMES.iter().any(|name| name.as_bytes() == target) => {
                let target = std::ffi::OsStr::from_bytes(target);
                std::os::unix::fs::symlink(target, path).expect("a link");
            }
            _ => std::fs::write(path, part).expect("a scratch file"),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
