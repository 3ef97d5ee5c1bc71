//! Signals to `sandbox pair`, and its sudden end: both sides end, and nothing is left.
//! It must not depend on where in the launch the signal arrives.

use super::{pair, verdicts};
use crate::support::{self, Scratch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine, shorter than the wall time of
/// `strict`.
const SOON: Duration = Duration::from_secs(20);

/// Moments spread over the launch of both and a little beyond it.
const MOMENTS: u32 = 60;

fn marked(marker: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if name.bytes().all(|byte| byte.is_ascii_digit())
            && String::from_utf8_lossy(&line).contains(marker)
        {
            found.push(name);
        }
    }
    found
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < SOON, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// Waits for both sides to say that they are there.
fn both_ready(child: &mut Child) {
    let stream = child.stderr.as_mut().unwrap();
    let mut seen = Vec::new();
    let mut byte = [0];
    while seen.iter().filter(|byte| **byte == b'\n').count() < 2 {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{seen:?}");
        seen.push(byte[0]);
    }
}

/// Signals are taken once both run; before that they are for `sandbox` alone.
fn takes_signals(child: &Child) {
    until("signals are taken", || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        let blocked = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
        blocked & (1 << (libc::SIGTSTP - 1)) != 0
    });
}

#[test]
fn sigkill_at_any_moment_leaves_nothing() {
    for moment in 0..MOMENTS {
        let marker = format!("pair-mark-{}-{moment}-", std::process::id());
        // The word stands in the arguments of every process of the run.
        let script = format!("sleep 600; : {marker}");
        let mut child = pair(&[], &script, &script)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let micros = u64::from(moment * 37 % MOMENTS) * 20_000 / u64::from(MOMENTS);
        std::thread::sleep(Duration::from_micros(micros));
        child.kill().unwrap();
        child.wait().unwrap();
        until("nothing is left", || marked(&marker).is_empty());
    }
}

#[test]
fn signals_go_to_both() {
    for (signal, name, code) in [(Signal::SIGINT, "INT", 21), (Signal::SIGTERM, "TERM", 22)] {
        let scratch = Scratch::new();
        let place = scratch.join("pair.json");
        let side = |code| format!("trap 'exit {code}' {name}; echo ready >&2; while :; do :; done");
        let mut child = pair(
            &["--report", place.to_str().unwrap()],
            &side(11),
            &side(code),
        )
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        both_ready(&mut child);
        takes_signals(&child);
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(support::code(&output), code);
        let record: Value = serde_json::from_str(&fs::read_to_string(&place).unwrap()).unwrap();
        assert_eq!(record["solution"]["exit"]["code"], 11);
        assert_eq!(record["interactor"]["exit"]["code"], code);
    }
}

/// Stopped and continued as one, as the shell's Ctrl-Z does it.
#[test]
fn a_stop_stops_both_and_sandbox_and_all_go_on() {
    let marker = format!("pair-stop-{}-", std::process::id());
    let side = format!("echo ready >&2; while :; do sleep 0.05; done; : {marker}");
    let mut child = pair(&[], &side, &side)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    both_ready(&mut child);
    let stopped = || {
        let state = |pid: &String| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let rest = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
            rest.unwrap_or_default().starts_with('T')
        };
        marked(&marker).iter().filter(|pid| state(pid)).count()
    };
    takes_signals(&child);
    send(&child, Signal::SIGTSTP);
    until("both programs and sandbox are stopped", || stopped() == 3);
    send(&child, Signal::SIGCONT);
    until("none is stopped", || stopped() == 0);
    send(&child, Signal::SIGTERM);
    child.wait().unwrap();
    until("nothing is left", || marked(&marker).is_empty());
}

#[test]
fn sigkill_of_one_sides_pid_1_is_no_verdict_on_the_other() {
    let scratch = Scratch::new();
    let place = scratch.join("pair.json");
    let mut child = pair(
        &["--report", place.to_str().unwrap()],
        "echo ready >&2; sleep 600",
        "echo ready >&2; cat; exit 0",
    )
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    both_ready(&mut child);
    let path = format!("/proc/{0}/task/{0}/children", child.id());
    let mut inits = Vec::new();
    until("both are listed", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        inits = text.split_whitespace().map(str::to_owned).collect();
        inits.len() == 2
    });
    // The interactor is started first.
    let init: i32 = inits[1].parse().unwrap();
    kill(Pid::from_raw(init), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(support::code(&output), 125);
    let record: Value = serde_json::from_str(&fs::read_to_string(&place).unwrap()).unwrap();
    assert_eq!(verdicts(&record), ["internal", "ok"]);
    let said = support::complaint(&output);
    assert!(
        said.contains("sandbox: solution: pid 1 was killed"),
        "{said}"
    );
}
