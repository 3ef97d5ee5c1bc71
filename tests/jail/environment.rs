//! What a program is born with: variables, session, umask, signals; nothing of the caller's.
//! It must not ask about descriptors and limits, which have files of their own.

use crate::harness::{inside, outcome, prints};
use crate::support;
use std::os::unix::process::CommandExt;

checks! {
    session_is_its_own: _ => "leads", || {
        let own = nix::unistd::getpid();
        let leads = nix::unistd::getsid(None) == Ok(own) && nix::unistd::getpgrp() == own;
        if leads { "leads".into() } else { "follows".into() }
    };
    mask, || {
        let old = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        format!("{:03o}", old.bits())
    };
    auxiliary_secure_mode: "0" => "0", || {
        // SAFETY: reads the auxiliary vector.
        unsafe { libc::getauxval(libc::AT_SECURE) }.to_string()
    };
    dumpable: "1" => "1", || {
        // SAFETY: only reads, and takes no pointer.
        unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }.to_string()
    };
    parent_death_signal: "0" => "0", || {
        let mut signal = 99;
        // SAFETY: `signal` is valid for the time of the call.
        unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal, 0, 0, 0) };
        signal.to_string()
    };
    nice: "0" => "0", || {
        // SAFETY: only reads.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }.to_string()
    };
}

#[test]
fn the_environment_is_the_policys() {
    let mut command = support::sandbox();
    command
        .env("SECRET", "x")
        .env("LD_PRELOAD", "/x.so")
        .env("PATH", "/secret");
    command.args(["--", "/usr/bin/env"]);
    let output = support::run(&mut command);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "HOME=/tmp",
            "LANG=C.UTF-8",
            "PATH=/usr/local/bin:/usr/bin:/bin"
        ]
    );
}

#[test]
fn a_variable_is_passed_by_name_only() {
    let mut command = support::sandbox();
    command
        .env("ONE", "1")
        .env("TWO", "2")
        .args(["--env", "ONE", "--", "/usr/bin/env"]);
    let text = String::from_utf8(support::run(&mut command).stdout).unwrap();
    assert!(text.contains("ONE=1\n") && !text.contains("TWO"), "{text}");
}

#[test]
fn the_umask_is_not_the_callers() {
    let mut command = inside("mask", "", &[]);
    // SAFETY: umask(2) is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::umask(0);
            Ok(())
        });
    }
    assert_eq!(outcome(&support::run(&mut command)).as_deref(), Ok("022"));
}

/// `cat` sets up no signals of its own, so its status shows what it was born with.
fn signals(prepare: fn()) -> String {
    let mut command = support::sandbox();
    command.args(["--", "/bin/cat", "/proc/self/status"]);
    // SAFETY: `prepare` makes async-signal-safe calls only.
    unsafe {
        command.pre_exec(move || {
            prepare();
            Ok(())
        });
    }
    let output = support::run(&mut command);
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let fields = text
        .lines()
        .filter(|line| line.starts_with("Sig") && !line.starts_with("SigQ"));
    let fields: Vec<String> = fields.map(|line| line.replace('\t', "")).collect();
    fields.join(" ")
}

const NO_SIGNALS: &str = "SigPnd:0000000000000000 SigBlk:0000000000000000 \
                          SigIgn:0000000000000000 SigCgt:0000000000000000";

#[test]
fn signals_are_as_after_login() {
    assert_eq!(signals(|| ()), NO_SIGNALS);
}

#[test]
fn signals_that_the_caller_ignores_are_not_ignored() {
    let answer = signals(|| {
        for signal in [
            libc::SIGPIPE,
            libc::SIGINT,
            libc::SIGHUP,
            libc::SIGUSR1,
            libc::SIGCHLD,
            40,
        ] {
            // SAFETY: ignoring a signal runs no handler.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    });
    assert_eq!(answer, NO_SIGNALS);
}

#[test]
fn signals_that_the_caller_blocks_are_not_blocked() {
    let answer = signals(|| {
        // SAFETY: the set is initialised before it is used.
        unsafe {
            let mut all = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
        }
    });
    assert_eq!(answer, NO_SIGNALS);
}

#[test]
fn words_of_the_command_line_arrive_as_they_are() {
    let text = prints(&[], &["/usr/bin/printf", "%s|", "a b", "", "--policy", "é"]);
    assert_eq!(text, "a b||--policy|é|");
}
