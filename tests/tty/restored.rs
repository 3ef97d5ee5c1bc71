//! The caller's terminal has its own settings again, however the run ended.
//! It must not take "raw" on faith: each test sees it change first.

use super::{CTRL_C, Outer, tty};
use nix::sys::signal::{Signal, kill};
use std::process::Command;

/// Starts a script that says `ready`, and sees that the terminal is raw by then.
fn ready(mut command: Command, script: &str) -> Outer {
    command.args(["--", "/bin/sh", "-c", &format!("echo rea''dy; {script}")]);
    let mut outer = Outer::start(command);
    outer.expect("ready");
    assert_ne!(outer.settings(), outer.before, "raw while it runs");
    outer
}

fn restored(mut outer: Outer, code: i32) {
    assert_eq!(outer.wait(), code);
    assert_eq!(outer.settings(), outer.before);
}

#[test]
fn after_a_normal_end() {
    let mut outer = ready(tty(), "read line; exit 3");
    outer.type_in("\n");
    restored(outer, 3);
}

#[test]
fn after_sigterm() {
    let outer = ready(tty(), "sleep 600");
    kill(outer.pid(), Signal::SIGTERM).unwrap();
    restored(outer, 143);
}

#[test]
fn after_the_program_is_killed() {
    let outer = ready(tty(), "sleep 0.2; kill -9 $$");
    restored(outer, 137);
}

#[test]
fn after_ctrl_c() {
    let mut outer = ready(tty(), "sleep 600");
    // A shell that is about to start a command may take the signal for the command's.
    outer.runs(&["sleep", "600"]);
    outer.type_in(CTRL_C);
    restored(outer, 130);
}

#[test]
fn after_a_limit() {
    let mut command = tty();
    command.args(["--wall-time", "300ms"]);
    restored(ready(command, "sleep 600"), 124);
    let mut command = tty();
    command.args(["--output", "1000"]);
    restored(ready(command, "sleep 0.2; yes"), 137);
}

#[test]
fn after_a_program_that_left_its_own_terminal_in_disorder() {
    let mut outer = ready(tty(), "stty raw -echo; read line");
    outer.type_in("\n");
    restored(outer, 0);
}

#[test]
fn after_a_refusal() {
    let mut command = tty();
    command.args(["--", "/no/such/program"]);
    let mut outer = Outer::start(command);
    outer.expect("`/no/such/program`");
    restored(outer, 127);
}

#[test]
fn while_it_is_stopped() {
    let mut outer = ready(tty(), "read line; echo got it");
    kill(outer.pid(), Signal::SIGTSTP).unwrap();
    let stopped = |outer: &Outer| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", outer.pid())).unwrap();
        stat.contains(") T ")
    };
    outer.poll_until("it is stopped", stopped);
    assert_eq!(outer.settings(), outer.before);
    kill(outer.pid(), Signal::SIGCONT).unwrap();
    outer.poll_until("raw again", |outer| outer.settings() != outer.before);
    outer.type_in("\n");
    outer.expect("got it");
    restored(outer, 0);
}
