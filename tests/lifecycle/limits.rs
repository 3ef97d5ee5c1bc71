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
    assert_eq!(report["exit"], signalled(24));
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
    let (output, report) = recorded(&["--output", "100000"], "yes; sleep 60");
    assert_eq!(
        output.stdout.len(),
        100_000,
        "exactly the limit is passed on"
    );
    assert_eq!(support::code(&output), 137);
    assert_eq!(report["verdict"], "output");
    assert_eq!(report["killed_by"], "output");
    assert_eq!(report["limits_hit"], json!(["output"]));
    assert_eq!(report["output"]["bytes_kept"], 100_000);
    assert_eq!(report["output"]["truncated"], true);
    assert!(report["output"]["bytes_seen"].as_u64().unwrap() > 100_000);
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
    assert_eq!(
        report["output"],
        json!({"bytes_seen": 100_000, "bytes_kept": 100_000, "truncated": false})
    );
}

#[test]
fn a_short_program_that_writes_too_much_does_not_slip_out() {
    // It has ended before anybody looked at its output.
    let (output, report) = recorded(&["--output", "10"], "head -c 11 /dev/zero");
    assert_eq!(output.stdout.len(), 10);
    assert_eq!(report["output"]["bytes_seen"], 11);
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
    assert_eq!(report["verdict"], "exit", "{report}");
    assert_eq!(report["limits_hit"], json!([]));
}
