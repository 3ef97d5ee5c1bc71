//! Signals sent to `sandbox` go on to the program, and stop and continue with it.
//! It must not signal anything but processes it started.

use super::{Recorded, expect, gone, marked, marker, signalled, support, until, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::process::{Child, Stdio};

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// Waits until `sandbox` takes its signals, which is a moment after the program
/// runs: before, they are its own.
fn takes_signals(child: &Child) {
    until("signals are taken", || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        let blocked = u64::from_str_radix(blocked.unwrap().trim(), 16).unwrap();
        blocked & 1 << (Signal::SIGTERM as u32 - 1) != 0
    });
}

/// State of a process: `R`, `S`, `T` and so on (proc_pid_stat(5)).
fn state(pid: u32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.chars().next().unwrap_or('?')
}

#[test]
fn a_trap_inside_sees_the_signal() {
    for (signal, name) in [
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGINT, "INT"),
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGQUIT, "QUIT"),
        (Signal::SIGUSR1, "USR1"),
        (Signal::SIGUSR2, "USR2"),
    ] {
        // Without children: a SIGINT just as bash 5.2 begins to wait for one sends it into
        // a loop of signals to itself (`wait_sigint_handler`), in a sandbox or not.
        let script =
            format!("trap 'echo got {name}; exit 42' {name}; echo ready; while :; do :; done");
        let mut child = support::sandbox()
            .args(["--", "/bin/bash", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stdout.as_mut().unwrap();
        expect(output, "ready\n");
        takes_signals(&child);
        send(&child, signal);
        let mut output = child.stdout.take().unwrap();
        expect(&mut output, &format!("got {name}\n"));
        assert_eq!(wait(child), 42);
    }
}

#[test]
fn a_signal_the_program_does_not_catch_ends_it() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let place = Recorded::new();
        let marker = marker();
        let mut child = place
            .command()
            .args(["--", "/bin/sh", "-c", "echo ready; exec sleep 600", &marker])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        expect(child.stdout.as_mut().unwrap(), "ready");
        takes_signals(&child);
        send(&child, signal);
        assert_eq!(wait(child), code);
        let report = place.report();
        assert_eq!(report["exit"], signalled(signal as i32));
        assert_eq!(report["verdict"], "signal");
        assert_eq!(report["killed_by"], serde_json::Value::Null);
        gone(&marker);
    }
}

#[test]
fn ctrl_z_stops_both_and_continue_continues_both() {
    let marker = marker();
    let script = "echo ready; while :; do read -r line || exit 0; echo \"<$line>\"; done";
    let mut child = support::sandbox()
        .args(["--", "/bin/sh", "-c", script, &marker])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut input = child.stdin.take().unwrap();
    expect(&mut output, "ready");
    takes_signals(&child);
    for round in 0..2 {
        send(&child, Signal::SIGTSTP);
        let stopped = || {
            let states = marked(&marker)
                .into_iter()
                .map(|pid| state(pid.parse().unwrap()));
            states.filter(|state| *state == 'T').count()
        };
        // `sandbox` itself and the program; pid 1 stays awake.
        until("both are stopped", || stopped() == 2);
        send(&child, Signal::SIGCONT);
        until("none is stopped", || stopped() == 0);
        use std::io::Write;
        writeln!(input, "line {round}").unwrap();
        expect(&mut output, &format!("<line {round}>"));
    }
    drop(input);
    assert_eq!(wait(child), 0);
}

#[test]
fn a_reader_that_sleeps_does_not_make_sandbox_deaf() {
    // The counted output is stuck; SIGTERM must still arrive.
    let marker = marker();
    let mut child = support::sandbox()
        .args(["--output", "1GiB", "--", "/bin/sh", "-c", "yes; :", &marker])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut unread = child.stdout.take().unwrap();
    expect(&mut unread, "y\n");
    takes_signals(&child);
    send(&child, Signal::SIGTERM);
    // Everything inside ends; `sandbox` waits with the rest of the output.
    until("the program is gone", || marked(&marker).len() <= 1);
    drop(unread);
    assert_eq!(wait(child), 143);
}
