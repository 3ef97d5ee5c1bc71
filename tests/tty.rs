//! `--tty` as a person at a terminal meets it: a real pty outside, real programs inside.
//! It must not depend on how fast anything is shown: it waits for text, with a bound.

#![cfg(feature = "cli")]

mod support;

#[path = "tty/outer.rs"]
mod outer;
#[path = "tty/programs.rs"]
mod programs;
#[path = "tty/restored.rs"]
mod restored;

use outer::Outer;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_Z: &str = "\x1a";

/// `sandbox --tty` under a plain environment.
fn tty() -> Command {
    let mut command = support::sandbox();
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "dumb")
        .args(["--tty", "--env", "TERM"]);
    command
}

/// An interactive shell whose prompt is `PROMPT`.
fn bash() -> Outer {
    let mut command = tty();
    command.args(["--env", "PS1=PROMPT ", "--"]);
    command.args(["/bin/bash", "--norc", "--noprofile", "-i"]);
    let mut outer = Outer::start(command);
    outer.expect("PROMPT ");
    outer
}

#[test]
fn the_terminal_is_its_own() {
    let mut command = tty();
    command.args([
        "--",
        "/bin/sh",
        "-c",
        "tty; tty <&1; tty <&2; stty size; ls -l /proc/self/fd | wc -l",
    ]);
    let mut outer = Outer::start(command);
    outer.resize(31, 97);
    for _ in 0..3 {
        outer.expect("/dev/pts/0\r\n");
    }
    assert_eq!(outer.wait(), 0);
}

#[test]
fn the_size_is_the_callers() {
    let mut command = tty();
    command.args(["--", "/bin/sh", "-c", "stty size; read line"]);
    let mut outer = Outer::start_sized(command, 31, 97);
    outer.expect("31 97\r\n");
    outer.type_in("\n");
    assert_eq!(outer.wait(), 0);
}

#[test]
fn the_window_can_be_resized() {
    let mut command = tty();
    // Not a shell's trap: bash loses a signal that arrives while it runs one.
    let script = "import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
print('rea' + 'dy', flush=True)
while True:
    signal.sigwait({signal.SIGWINCH})
    columns, rows = os.get_terminal_size()
    print(rows, columns, flush=True)";
    command.args(["--", "/usr/bin/python3", "-c", script]);
    let mut outer = Outer::start(command);
    outer.expect("ready");
    for (rows, columns) in [(40, 100), (10, 20)] {
        outer.resize(rows, columns);
        outer.expect(&format!("{rows} {columns}\r\n"));
    }
    outer.type_in(CTRL_C);
    assert_eq!(outer.wait(), 130);
}

#[test]
fn job_control_works() {
    let mut outer = bash();
    outer.type_in("sleep 600\n");
    // Typed too early it would reach the shell.
    outer.runs(&["sleep", "600"]);
    outer.type_in(CTRL_Z);
    outer.expect("Stopped");
    outer.expect("PROMPT ");
    outer.type_in("jobs\n");
    outer.expect("Stopped");
    outer.expect("PROMPT ");
    outer.type_in("bg\n");
    outer.expect("sleep 600 &");
    outer.expect("PROMPT ");
    outer.type_in("jobs\n");
    outer.expect("Running");
    outer.expect("PROMPT ");
    outer.type_in("fg\n");
    outer.expect("sleep 600");
    outer.settle();
    outer.type_in(CTRL_C);
    outer.expect("PROMPT ");
    outer.type_in("echo status=$?\n");
    outer.expect("status=130");
    outer.expect("PROMPT ");
    outer.type_in(CTRL_D);
    outer.wait();
}

#[test]
fn ctrl_c_ends_what_is_in_the_foreground_only() {
    let mut outer = bash();
    outer.type_in("sleep 601 & sleep 600\n");
    outer.runs(&["sleep", "600"]);
    outer.type_in(CTRL_C);
    outer.expect("PROMPT ");
    outer.type_in("jobs -r\n");
    outer.expect("sleep 601 &");
    outer.expect("PROMPT ");
    outer.type_in("exit 7\n");
    assert_eq!(outer.wait(), 7);
}

#[test]
fn a_program_may_close_the_terminal_and_open_it_again() {
    let mut command = tty();
    let script = "exec </dev/null >/dev/null 2>&1; sleep 0.2; echo a''gain >/dev/tty; exit 3";
    command.args(["--", "/bin/sh", "-c", script]);
    let mut outer = Outer::start(command);
    outer.expect("again\r\n");
    assert_eq!(outer.wait(), 3);
}

#[test]
fn a_lot_of_output_arrives_whole() {
    let mut command = tty();
    command.args([
        "--",
        "/bin/sh",
        "-c",
        "stty -opost; head -c 500000 /dev/zero; echo the'' end",
    ]);
    let mut outer = Outer::start(command);
    let text = outer.expect("the end");
    assert_eq!(text.bytes().filter(|byte| *byte == 0).count(), 500_000);
    assert_eq!(outer.wait(), 0);
}

#[test]
fn without_a_terminal_outside() {
    // Ends with the input, which ends in the middle of a line.
    let mut child = tty()
        .args([
            "--",
            "/bin/sh",
            "-c",
            "stty -echo; echo r; tty; cat; echo over",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut start = [0; 3];
    output.read_exact(&mut start).unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"one\ntwo").unwrap();
    drop(input);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "/dev/pts/0\r\none\r\ntwoover\r\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_hangs_up() {
    let mut child = tty()
        .args(["--", "/usr/bin/yes"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut some = [0; 3];
    output.read_exact(&mut some).unwrap();
    drop(output);
    // SIGHUP, as when a terminal window is closed, or the failed write after it.
    let code = outer::bounded(&mut child);
    assert!(code == 129 || code == 1, "{code}");
}

#[test]
fn a_program_that_reads_nothing_does_not_make_it_deaf() {
    let mut child = tty()
        .args([
            "--",
            "/bin/sh",
            "-c",
            "stty raw -echo; echo ready; sleep 600",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut ready = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    // More than a pty and a pipe hold together.
    let typist = std::thread::spawn(move || input.write_all(&vec![b'x'; 8 << 20]).is_err());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(outer::bounded(&mut child), 143);
    assert!(typist.join().unwrap(), "the pipe broke");
}
