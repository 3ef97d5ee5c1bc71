//! How a run ends: by itself, by a limit, by a signal, by SIGKILL of `sandbox`; and that nothing outlives it.
//! It must not look at what holds inside, and must not count on timing but for generous bounds.

#![cfg(feature = "cli")]

#[path = "lifecycle/caps.rs"]
mod caps;
#[path = "lifecycle/ends.rs"]
mod ends;
#[path = "lifecycle/killed.rs"]
mod killed;
#[path = "lifecycle/limits.rs"]
mod limits;
#[path = "lifecycle/relay.rs"]
mod relay;
#[path = "lifecycle/renamed.rs"]
mod renamed;
#[path = "lifecycle/signals.rs"]
mod signals;
#[path = "lifecycle/streams.rs"]
mod streams;
mod support;
#[path = "lifecycle/traces.rs"]
mod traces;

use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use support::Scratch;

/// What is true at once on an idle machine is given this long on a busy one. Less than
/// the wall time of `strict`, which would end what should have ended by itself.
const SOON: Duration = Duration::from_secs(20);

/// A word that stands in the arguments of no other process of the machine. A
/// fork keeps it, pid 1 of the sandbox among them.
fn marker() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("mark-{}-{number}-", std::process::id())
}

/// Processes with the word in their arguments. A zombie has none left.
fn marked(marker: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(marker) {
            found.push(name);
        }
    }
    found
}

/// Waits until no process has the word; how long that took.
fn gone(marker: &str) -> Duration {
    let start = Instant::now();
    loop {
        let left = marked(marker);
        let waited = start.elapsed();
        if left.is_empty() {
            return waited;
        }
        assert!(waited < SOON, "still alive after {waited:?}: {left:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits for something to become true.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < SOON, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Reads until the text was printed; everything printed so far.
fn expect(stream: &mut impl Read, text: &str) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&seen).contains(text) {
        match stream.read(&mut byte) {
            Ok(1) => seen.push(byte[0]),
            end => panic!(
                "{end:?} before `{text}`: {}",
                String::from_utf8_lossy(&seen)
            ),
        }
    }
    String::from_utf8(seen).unwrap()
}

/// Waits for a child within [`SOON`]; its exit code as a shell sees it.
fn wait(mut child: Child) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let by_signal = || status.signal().map(|signal| 128 + signal);
            return status.code().or_else(by_signal).unwrap();
        }
        if start.elapsed() > SOON {
            let _ = child.kill();
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A place for the record, and `sandbox` told to write it there.
struct Recorded {
    scratch: Scratch,
}

impl Recorded {
    fn new() -> Recorded {
        Recorded {
            scratch: Scratch::new(),
        }
    }

    fn place(&self) -> PathBuf {
        self.scratch.join("report.json")
    }

    fn command(&self) -> Command {
        let mut command = support::sandbox();
        command.arg("--report").arg(self.place());
        command
    }

    /// The record, which must be complete.
    fn report(&self) -> Value {
        let text = fs::read_to_string(self.place()).unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["complete"], true, "{text}");
        assert_eq!(report["version"], 2);
        report
    }
}

/// Runs a shell script in the sandbox with more options; output and record.
fn recorded(options: &[&str], script: &str) -> (Output, Value) {
    let place = Recorded::new();
    let output = support::run(
        place
            .command()
            .args(options)
            .args(["--", "/bin/sh", "-c", script]),
    );
    assert!(
        place.place().exists(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (output, place.report())
}

/// `exit` of a record for a program that ended by itself.
fn exited(code: u8) -> Value {
    serde_json::json!({"code": code, "signal": null, "core": false})
}

/// `exit` of a record for a program that a signal ended.
fn signalled(signal: i32) -> Value {
    serde_json::json!({"code": null, "signal": signal, "core": false})
}
