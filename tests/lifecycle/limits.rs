//! Limits that end a run: what is killed, what the exit code is, what the record says.
//! It must not assert how fast, only that it ends and why.

use super::{gone, marker, recorded, signalled, support};
use serde_json::json;

#[test]
fn the_wall_time_limit_ends_everything() {
    let marker = marker();
    let script = format!(
        "trap '' TERM INT HUP; setsid sh -c 'kill -STOP $$' {marker} & while :; do sleep 60; done"
    );
    let (output, report) = recorded(&["--wall-time", "300ms"], &script);
    assert_eq!(support::code(&output), 124);
    assert_eq!(report["verdict"], "wall-time");
    assert_eq!(report["killed_by"], "wall");
    assert_eq!(report["limits_hit"], json!(["wall"]));
    assert_eq!(report["exit"], signalled(9));
    assert!(report["wall_ns"].as_u64().unwrap() >= 300_000_000);
    gone(&marker);
}

#[test]
fn the_wall_time_limit_holds_while_nobody_reads_the_output() {
    use std::process::Stdio;
    // Counted output goes through `sandbox`; a reader that is asleep must not
    // keep the limit from ending the run, nor `sandbox` from hearing a signal.
    let place = super::Recorded::new();
    let mut child = place
        .command()
        .args([
            "--wall-time",
            "500ms",
            "--output",
            "1GiB",
            "--",
            "/usr/bin/yes",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let unread = child.stdout.take().unwrap();
    let name = place.place().display().to_string();
    // `sandbox` and pid 1; the program's arguments do not have the name.
    super::until("it runs", || super::marked(&name).len() >= 2);
    super::until("the run is over", || super::marked(&name).len() <= 1);
    drop(unread);
    assert_eq!(super::wait(child), 124);
    assert_eq!(place.report()["verdict"], "wall-time");
}

#[test]
fn the_cpu_time_limit_is_a_verdict_of_its_own() {
    let (output, report) = recorded(&["--cpu-time", "1s"], "while :; do :; done");
    assert_eq!(support::code(&output), 124);
    assert_eq!(report["verdict"], "cpu-time");
    assert_eq!(report["killed_by"], "cpu");
    assert_eq!(report["limits_hit"], json!(["cpu"]));
    assert_eq!(report["exit"], signalled(9));
}

#[test]
fn a_program_that_ignores_sigxcpu_is_killed_for_cpu_time_all_the_same() {
    let (output, report) = recorded(&["--cpu-time", "1s"], "trap '' XCPU; while :; do :; done");
    assert_eq!(support::code(&output), 124);
    assert_eq!(report["verdict"], "cpu-time");
    assert_eq!(report["killed_by"], "cpu");
    assert_eq!(report["exit"], signalled(9));
}

#[test]
fn more_output_than_allowed_ends_the_run() {
    let (output, report) = recorded(
        &["--output", "100000"],
        "head -c 10000000 /dev/zero; sleep 60",
    );
    assert_eq!(
        output.stdout.len(),
        100_000,
        "exactly the limit is passed on"
    );
    assert_eq!(support::code(&output), 137);
    assert_eq!(report["verdict"], "output");
    assert_eq!(report["killed_by"], "output");
    assert_eq!(report["limits_hit"], json!(["output"]));
    assert_eq!(report["stdout"]["bytes_kept"], 100_000);
    assert_eq!(report["stdout"]["truncated"], true);
    assert!(report["stdout"]["bytes_seen"].as_u64().unwrap() > 100_000);
}

#[test]
fn exactly_the_output_limit_is_allowed() {
    let (output, report) = recorded(
        &["--output", "100000"],
        "head -c 60000 /dev/zero; head -c 40000 /dev/zero >&2; exit 4",
    );
    assert_eq!(support::code(&output), 4);
    assert_eq!((output.stdout.len(), output.stderr.len()), (60_000, 40_000));
    assert_eq!(report["verdict"], "exit");
    assert_eq!(report["limits_hit"], json!([]));
    for (stream, bytes) in [("stdout", 60_000), ("stderr", 40_000)] {
        let all = json!({"bytes_seen": bytes, "bytes_kept": bytes, "truncated": false});
        assert_eq!(report[stream], all);
    }
}

#[test]
fn a_short_program_that_writes_too_much_does_not_slip_out() {
    // It has ended before anybody looked at its output.
    let (output, report) = recorded(&["--output", "10"], "head -c 11 /dev/zero");
    assert_eq!(output.stdout.len(), 10);
    assert_eq!(report["stdout"]["bytes_seen"], 11);
    assert_eq!(report["limits_hit"], json!(["output"]));
    assert_eq!(report["verdict"], "output");
    assert_ne!(support::code(&output), 0);
}

#[test]
fn a_program_may_not_start_more_processes_than_allowed() {
    let (_, report) = recorded(
        &["--processes", "5"],
        "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done",
    );
    assert_eq!(report["verdict"], "processes", "{report}");
    assert_eq!(report["limits_hit"], json!(["processes"]));
}

/// Touches this many MiB in each of this many processes, then waits.
const GROW: &str = "import os, sys, time
for _ in range(int(sys.argv[2]) - 1):
    if os.fork() == 0:
        break
held = bytearray(int(sys.argv[1]) << 20)
for at in range(0, len(held), 4096):
    held[at] = 1
time.sleep(float(sys.argv[3]))
";

#[test]
fn processes_together_may_not_use_more_memory_than_allowed() {
    let (output, report) = recorded(
        &["--memory", "128MiB", "--cpu-time", "none"],
        &format!("exec /usr/bin/python3 -c '{GROW}' 60 4 30"),
    );
    assert_eq!(report["verdict"], "memory", "{report}");
    assert_eq!(report["limits_hit"], json!(["memory"]));
    assert_eq!(support::code(&output), 137);
}

#[test]
fn memory_that_is_shared_after_a_fork_counts_once() {
    let script = "import os, time
held = bytearray(60 << 20)
for _ in range(3):
    if os.fork() == 0:
        time.sleep(30)
time.sleep(0.5)
";
    let (_, report) = recorded(
        &["--memory", "128MiB"],
        &format!("exec /usr/bin/python3 -c '{script}'"),
    );
    assert_eq!(report["verdict"], "ok", "{report}");
}

#[test]
fn one_process_below_the_memory_limit_is_left_alone_and_one_above_it_is_not() {
    for (mib, verdict) in [(100, "ok"), (150, "memory")] {
        let (_, report) = recorded(
            &["--memory", "128MiB"],
            &format!("exec /usr/bin/python3 -c '{GROW}' {mib} 1 0"),
        );
        assert_eq!(report["verdict"], verdict, "{report}");
    }
}

#[test]
fn files_in_memory_are_memory() {
    // 64 MiB hold less than this, and /dev/shm as much again.
    let script = "head -c 50M /dev/zero >/tmp/a; head -c 50M /dev/zero >/dev/shm/b; sleep 30";
    let (_, report) = recorded(&["--memory", "90MiB"], script);
    assert_eq!(report["verdict"], "memory", "{report}");
}

#[test]
fn processor_time_that_nobody_waits_for_counts() {
    // The kernel reaps these, and getrusage(2) never hears of them.
    let script = "import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass
        os._exit(0)
    time.sleep(0.02)
";
    let (_, report) = recorded(
        &["--cpu-time", "300ms", "--wall-time", "20s"],
        &format!("exec /usr/bin/python3 -c '{script}'"),
    );
    assert_eq!(report["verdict"], "cpu-time", "{report}");
}
