//! What a test wants done by another process: each is this test program, started again
//! for that one function, with what it needs in its environment.

use sandbox::cgroup::{Controllers, Home, Moving, Search, Wanted};
use std::path::Path;
use std::process::Command;

/// The words to start a helper with, for `"$HELPER" …` in a shell.
pub fn words(name: &str) -> String {
    format!("--ignored --exact helper::{name} --nocapture --test-threads=1")
}

fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Looks for a home and says what it found; then, if asked to, waits to be killed with
/// a leaf in its hands, in which a process lives.
#[test]
#[ignore = "asks for a home; the other tests start it where they want it asked"]
fn find() {
    let Some(controllers) = asked("FIND_CONTROLLERS") else {
        return;
    };
    let wanted = |one: &Controllers| one.names().all(|name| controllers.contains(name));
    let controllers = Controllers::ALL.iter().filter(wanted);
    let found = Home::find(&Search {
        wanted: match asked("FIND_BELOW") {
            Some(path) => Wanted::Directory(path.into()),
            None => Wanted::Auto,
        },
        controllers: controllers.fold(Controllers::NONE, |all, one| all | one),
        moving: match asked("FIND_MOVING") {
            Some(_) => Moving::Allowed,
            None => Moving::Forbidden,
        },
    });
    let home = match found {
        Ok(home) => home,
        Err(failure) => return println!("\nunavailable {failure}"),
    };
    println!("\norigin {}", home.origin().name());
    println!("controllers {}", home.controllers());
    println!("path {}", home.path().display());
    for attempt in home.attempts() {
        println!("attempt {}: {}", attempt.origin.name(), attempt.failure);
    }
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::"));
    println!("own {}", own.unwrap());
    let leaf = home.leaf().unwrap();
    assert_eq!(leaf.controllers(), home.controllers());
    if asked("FIND_AND_HOLD").is_some() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        leaf.adopt(child.id() as i32).unwrap();
        println!("holding {}", leaf.path().display());
        child.wait().unwrap();
    }
    leaf.end().unwrap();
    println!("done");
}

/// Uses a processor for so many milliseconds.
#[test]
#[ignore = "burns time; the other tests start it in a leaf"]
fn burn() {
    let Some(wanted) = asked("BURN_MS") else {
        return;
    };
    let wanted: i64 = wanted.parse().unwrap();
    while used_us() < wanted * 1000 {
        std::hint::black_box((0..10_000u64).fold(0, |sum, number| sum ^ number));
    }
}

fn used_us() -> i64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    (usage.user_time() + usage.system_time()).num_microseconds()
}

/// Touches so many bytes of memory, all at once.
#[test]
#[ignore = "takes memory; the other tests start it in a leaf"]
fn touch() {
    let Some(bytes) = asked("TOUCH_BYTES") else {
        return;
    };
    let memory = vec![1u8; bytes.parse().unwrap()];
    std::hint::black_box(&memory);
}

/// What [`find`] said, by key.
pub struct Answer(pub String);

impl Answer {
    /// Runs [`find`] in a group.
    pub fn from(group: &Path, settings: &[(&str, &str)]) -> Answer {
        Answer::after(group, "", settings)
    }

    /// As [`Answer::from`], and a shell does something before.
    pub fn after(group: &Path, before: &str, settings: &[(&str, &str)]) -> Answer {
        let words = words("find");
        let mut command =
            super::tree::shell_in(group, &format!("{before}\nexec \"$HELPER\" {words}"));
        command.env("HELPER", std::env::current_exe().unwrap());
        // Where a manager listens is for a test to say.
        command.env_remove("DBUS_SESSION_BUS_ADDRESS");
        command.env("XDG_RUNTIME_DIR", "/nonexistent");
        let output = crate::support::run(command.envs(settings.iter().copied()));
        let said = String::from_utf8(output.stdout).unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}{complaint}");
        Answer(said)
    }

    /// The rest of the first line that begins with the word.
    pub fn get(&self, key: &str) -> &str {
        let line = |line: &'_ str| line.strip_prefix(key).map(str::trim_start).map(str::len);
        let length = self.0.lines().find_map(line);
        let found = self.0.lines().find(|line| line.starts_with(key));
        match (found, length) {
            (Some(found), Some(length)) => &found[found.len() - length..],
            _ => panic!("no `{key}` in:\n{}", self.0),
        }
    }
}
