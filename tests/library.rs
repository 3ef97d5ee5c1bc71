//! The library from a caller's side: the manners of `std::process::Command`, and no trace in the caller.
//! It must not run as root: each test runs in a process of its own, as the ordinary user.
//!
//! Dispositions, masks, descriptors and ids belong to a whole process, so every
//! test here starts this test program again, for that one test alone.

mod support;

#[path = "library/caller.rs"]
mod caller;
#[path = "library/helper.rs"]
mod helper;
#[path = "library/manners.rs"]
mod manners;
#[path = "library/pair.rs"]
mod pair;
#[path = "library/pool.rs"]
mod pool;
#[path = "library/prepared.rs"]
mod prepared;
#[path = "library/streams.rs"]
mod streams;
#[path = "library/threads.rs"]
mod threads;

use sandbox::policy::{Context, Policy};
use sandbox::{Child, Command, Pool, Sandbox, Stdio};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;

/// Set in the process that runs one test for good.
const ALONE: &str = "SANDBOX_TEST_ALONE";

/// Runs `body` in a process of its own, as the ordinary user.
fn alone(test: &str, body: impl FnOnce()) {
    alone_after(test, "", body);
}

/// As [`alone`]; the shell runs `prepare` before.
fn alone_after(test: &str, prepare: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let script = format!("{prepare}\nexec \"$0\" --exact --nocapture --test-threads=1 \"$1\"");
    let mut command = support::ordinary("/bin/sh");
    command
        .args(["-c", &script])
        .arg(support::myself())
        .arg(test)
        .env(support::REACHABLE, support::binary())
        .env(ALONE, "1");
    let output = support::run(&mut command);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        support::complaint(&output)
    );
}

/// A sandbox under a built-in policy with a change.
fn strict(change: impl FnOnce(&mut Policy)) -> Sandbox {
    let context = Context::current();
    let mut policy = Policy::load(OsStr::new("strict"), &context).unwrap();
    change(&mut policy);
    Sandbox::new(policy).unwrap()
}

/// A shell script in a sandbox under `strict`.
fn shell(script: &str) -> Command {
    let mut command = strict(|_| {}).command("/bin/sh");
    command.arg("-c").arg(script);
    command
}

/// A run that has said a line and waits, with that line.
fn waiting(command: &mut Command) -> (Child, String) {
    let pipes = command.stdin(Stdio::Piped).stdout(Stdio::Piped);
    let mut child = pipes.spawn().unwrap();
    let mut line = Vec::new();
    let stdout = child.stdout.as_mut().unwrap();
    let mut byte = [0];
    while stdout.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    (child, String::from_utf8(line).unwrap())
}

/// Workers of this process.
fn workers() -> Vec<u32> {
    let mut found = children_of(std::process::id());
    found.retain(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0)
            .any(|word| word == Pool::WORKER.as_bytes())
    });
    found
}

fn children_of(pid: u32) -> Vec<u32> {
    support::children_of(pid).unwrap()
}
