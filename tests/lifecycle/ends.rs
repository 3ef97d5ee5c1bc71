//! The program's own end: codes, signals, and what the record says about them.
//! It must not confuse a signal the program earned itself with a limit.

use super::{exited, marked, marker, recorded, signalled, support};
use std::process::Stdio;

#[test]
fn every_exit_code_comes_through() {
    // Each is a run of its own; at most 16 at once.
    for first in (0..=255).step_by(16) {
        let children: Vec<_> = (first..first + 16)
            .map(|code: i32| {
                let child = support::sandbox()
                    .args(["--", "/bin/sh", "-c", &format!("exit {code}")])
                    .spawn()
                    .unwrap();
                (code, child)
            })
            .collect();
        for (expected, mut child) in children {
            assert_eq!(child.wait().unwrap().code(), Some(expected));
        }
    }
}

#[test]
fn the_record_of_an_exit() {
    for (number, verdict) in [(0, "ok"), (1, "exit"), (125, "exit"), (255, "exit")] {
        let (output, report) = recorded(&[], &format!("exit {number}"));
        assert_eq!(support::code(&output), i32::from(number));
        assert_eq!(report["exit"], exited(number));
        assert_eq!(report["verdict"], verdict);
        assert_eq!(report["killed_by"], serde_json::Value::Null);
        assert_eq!(report["limits_hit"], serde_json::json!([]));
        assert!(support::given_up(&report).is_empty(), "{report}");
        assert_eq!(report["stdout"], serde_json::Value::Null);
        assert_eq!(report["stderr"], serde_json::Value::Null);
        // `strict` limits both, so the best there is here counts them.
        let source = |name: &str| report[name].as_str().unwrap().to_owned();
        assert!(["cgroup", "perf", "rusage"].contains(&&*source("cpu_source")));
        assert!(["memory.peak", "polled", "maxrss"].contains(&&*source("memory_source")));
        let number = |name: &str| report[name].as_u64().unwrap();
        assert!(number("cpu_ns") > 0);
        assert!(number("wall_ns") > 0);
        assert!(number("memory_peak_bytes") > 0);
        let layers: Vec<&str> = report["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| layer["step"].as_str().unwrap())
            .collect();
        let steps = sandbox::step::Step::ALL.map(sandbox::step::Step::name);
        assert_eq!(layers, steps, "every layer, confirmed, in order");
    }
}

/// The record cannot tell the filter's SIGSYS from one the program sent itself, and
/// takes the word of neither: it is a violation.
#[test]
fn a_call_the_policy_kills_for_is_a_violation() {
    let scratch = support::Scratch::new();
    let policy = "version = 1\nextends = [\"strict\"]\n[syscalls]\nkill = [\"sched_yield\"]\n";
    scratch.file("kill.toml", policy, 0o644);
    let policy = scratch.join("kill.toml").display().to_string();
    let script = "exec /usr/bin/python3 -c 'import os; os.sched_yield()'";
    let (output, report) = recorded(&["--policy", &policy], script);
    assert_eq!(support::code(&output), 128 + 31);
    assert_eq!(report["killed_by"], "syscall");
    assert_eq!(report["verdict"], "violation");
    assert_eq!(report["violation"]["syscall"], "sched_yield");
}

#[test]
fn a_call_that_kills_ends_everything_at_once_whoever_made_it() {
    let scratch = support::Scratch::new();
    let policy = "version = 1\nextends = [\"strict\"]\n[syscalls]\nkill = [\"sched_yield\"]\n";
    scratch.file("kill.toml", policy, 0o644);
    let policy = scratch.join("kill.toml").display().to_string();
    for caller in [
        "os.fork() or (os.sched_yield(), print(1, flush=True))",
        "threading.Thread(target=lambda: (os.sched_yield(), print(1, flush=True))).start()",
    ] {
        let script = format!(
            "exec /usr/bin/python3 -c 'import os, threading, time; {caller}; time.sleep(60)'"
        );
        let (output, report) = recorded(&["--policy", &policy], &script);
        assert_eq!(support::code(&output), 128 + 31);
        assert_eq!(report["violation"]["syscall"], "sched_yield");
        assert_eq!(output.stdout, b"", "it went on after the call");
    }
}

#[test]
fn sigxfsz_is_the_file_size_where_that_has_a_limit() {
    for (limit, verdict) in [("1MiB", "file-size"), ("none", "signal")] {
        let (output, report) = recorded(&["--file-size", limit], "kill -XFSZ $$; sleep 60");
        assert_eq!(report["exit"], signalled(25));
        assert_eq!(report["verdict"], verdict, "{limit}");
        assert_eq!(support::code(&output), 128 + 25);
    }
}

#[test]
fn a_signal_the_program_sends_itself_is_a_signal() {
    use nix::sys::signal::Signal;
    // SIGKILL is no limit, SIGXCPU with hardly any time used is no limit either.
    for signal in [
        Signal::SIGKILL,
        Signal::SIGTERM,
        Signal::SIGSEGV,
        Signal::SIGABRT,
        Signal::SIGXCPU,
        Signal::SIGUSR1,
    ] {
        let number = signal as i32;
        let (output, report) = recorded(
            &[
                "--cpu-time",
                "100s",
                "--wall-time",
                "100s",
                "--output",
                "1MiB",
            ],
            &format!("kill -{number} $$; sleep 60"),
        );
        assert_eq!(report["exit"], signalled(number), "{signal}");
        assert_eq!(report["verdict"], "signal", "{signal}");
        assert_eq!(report["killed_by"], serde_json::Value::Null, "{signal}");
        assert_eq!(report["limits_hit"], serde_json::json!([]), "{signal}");
        assert_eq!(support::code(&output), 128 + number);
    }
}

#[test]
fn what_stays_in_the_background_ends_with_the_program() {
    // It holds standard output open: a reader would wait for it for ever.
    let marker = marker();
    let output = support::run(support::sandbox().args([
        "--",
        "/bin/sh",
        "-c",
        "(trap '' TERM HUP INT; while :; do sleep 60; done) & echo started; exit 5",
        &marker,
    ]));
    assert_eq!(support::code(&output), 5);
    assert_eq!(output.stdout, b"started\n");
    assert_eq!(marked(&marker), [""; 0]);
}

#[test]
fn the_record_can_go_to_a_descriptor() {
    let script =
        r#"exec 3>&1; "$SANDBOX" --report fd:3 -- /bin/sh -c 'echo no >&3' 2>/dev/null >/dev/null"#;
    let output = support::run(&mut support::shell(script));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {:?}", output.stdout));
    // Inside, descriptor 3 does not exist: the shell could not write to it.
    assert_eq!(report["exit"], exited(2));
    assert_eq!(report["verdict"], "exit");
    assert_eq!(report["complete"], true);
}

#[test]
fn a_caller_that_ignores_sigchld_changes_nothing() {
    let script =
        r#"trap '' CHLD HUP INT; exec "$SANDBOX" -- /bin/sh -c 'sleep 0.1; kill -INT $$; exit 9'"#;
    let output = support::run(support::shell(script).stdout(Stdio::null()));
    // Reset inside: SIGINT, ignored by the caller, ends the program.
    assert_eq!(support::code(&output), 130, "{output:?}");
}
