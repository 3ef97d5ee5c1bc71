//! SIGKILL of `sandbox` at any moment ends everything inside.
//! It must not depend on where in the launch the signal arrives.

use super::{expect, gone, marked, marker, until};
use crate::support::{self, Scratch};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

/// Moments spread over the launch and a little beyond it.
const MOMENTS: u32 = 150;

/// A tree that tries to stay: double forks, sessions of their own, stopped
/// processes, ignored signals, threads, a busy loop.
const TREE: &str = r"
import os, signal, sys, time, threading
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
for kind in range(4):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if kind == 0: os.kill(os.getpid(), signal.SIGSTOP)
            if kind == 1: threading.Thread(target=time.sleep, args=(600,)).start()
            if kind == 2:
                while True: pass
            time.sleep(600)
        os._exit(0)
    os.wait()
child = os.fork()
if child == 0:
    time.sleep(600)
os.kill(child, signal.SIGSTOP)
os.waitpid(child, os.WUNTRACED)
print('ready', flush=True)
time.sleep(600)
";

/// Makes a program and keeps it from being opened: who opens a file with a write
/// lease waits for the holder (F_SETLEASE in fcntl(2)), who is told by SIGIO.
const HOLDER: &str = r"
import fcntl, os, shutil, signal, sys
shutil.copy('/bin/true', sys.argv[1])
signal.signal(signal.SIGIO, lambda *_: print('asked', flush=True))
file = os.open(sys.argv[1], os.O_WRONLY)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('ready', flush=True)
signal.alarm(30)
while True: signal.pause()
";

#[test]
fn sigkill_at_any_moment_leaves_nothing() {
    let scratch = Scratch::new();
    let work = scratch.directory("work");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = scratch.listing();
    let mut longest = Duration::ZERO;
    for moment in 0..MOMENTS {
        let marker = marker();
        let mut child = support::sandbox()
            .arg("--write")
            .arg(&work)
            // `sh` waits in the shell itself: its arguments keep the word.
            .args(["--", "/bin/sh", "-c", "sleep 600; :", &marker])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // 0 to 10 ms; a stride that shares no factor mixes early and late ones.
        let micros = u64::from(moment * 67 % MOMENTS) * 10_000 / u64::from(MOMENTS);
        std::thread::sleep(Duration::from_micros(micros));
        child.kill().unwrap();
        child.wait().unwrap();
        longest = longest.max(gone(&marker));
    }
    println!("the last process was gone after {longest:?} at most");
    assert_eq!(scratch.listing(), before);
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}

#[test]
fn sigkill_ends_a_tree_that_wants_to_stay() {
    for _ in 0..5 {
        let marker = marker();
        let mut child = support::sandbox()
            .args(["--", "/usr/bin/python3", "-c", TREE, &marker])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        expect(child.stdout.as_mut().unwrap(), "ready");
        // `sandbox`, pid 1, the program, four grandchildren and a child.
        assert!(marked(&marker).len() >= 8, "{:?}", marked(&marker));
        child.kill().unwrap();
        child.wait().unwrap();
        gone(&marker);
    }
}

/// The program's process waits in exec for a file that does not open (as on a
/// network file system that does not answer), and pid 1 for it to share its memory
/// no more: neither can look after the parent.
#[test]
fn sigkill_while_exec_waits_for_a_file_leaves_nothing() {
    let scratch = Scratch::new();
    let program = scratch.directory("work").join("program");
    let mut holder = support::ordinary("/usr/bin/python3")
        .args(["-c", HOLDER])
        .arg(&program)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let told = holder.stdout.as_mut().unwrap();
    expect(told, "ready");
    let marker = marker();
    let mut child = support::sandbox()
        .arg("--exec")
        .arg(&program)
        .arg("--")
        .arg(&program)
        .arg(&marker)
        .spawn()
        .unwrap();
    expect(told, "asked");
    assert_eq!(marked(&marker).len(), 3, "`sandbox`, pid 1, the program's");
    child.kill().unwrap();
    child.wait().unwrap();
    gone(&marker);
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn a_tree_that_wants_to_stay_ends_with_the_program() {
    let marker = marker();
    let script = TREE.replacen(
        "print('ready', flush=True)\ntime.sleep(600)",
        "os._exit(7)",
        1,
    );
    let output =
        support::run(support::sandbox().args(["--", "/usr/bin/python3", "-c", &script, &marker]));
    assert_eq!(support::code(&output), 7, "{}", support::complaint(&output));
    // No bound: when `sandbox` has ended, everything has.
    assert_eq!(marked(&marker), [""; 0]);
}

#[test]
fn sigkill_of_pid_1_is_no_verdict_on_the_program() {
    let place = super::Recorded::new();
    let marker = marker();
    let mut child = place
        .command()
        .args(["--", "/bin/sh", "-c", "echo ready; sleep 600", &marker])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    expect(child.stdout.as_mut().unwrap(), "ready");
    let init = children(child.id()).pop().expect("pid 1 is a child");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(init),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    assert_eq!(super::wait(child), 125);
    let record = place.report();
    assert_eq!(record["verdict"], "internal");
    let error = record["error"].as_str().unwrap();
    assert!(error.starts_with("pid 1 was killed"), "{error}");
    // Whoever keeps no record is told as well.
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
    assert_eq!(said, format!("sandbox: {error}\n"));
    gone(&marker);
}

fn children(pid: u32) -> Vec<i32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let mut found = Vec::new();
    until("pid 1 is listed", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        found = text
            .split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .collect();
        !found.is_empty()
    });
    found
}
