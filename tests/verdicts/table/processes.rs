//! Processes and threads at their limit, and what the program makes of it.
//! It must not hold a program that is at its limit for a moment only: without a
//! controller nobody may have looked then.

use crate::case::{CPU, Case, Expected, IDLE, code, failed, ours, signal};
use crate::inside::{exit, forever, fork, must, raise, sleep, try_fork, try_thread, wait};

const EIGHT: &[&str] = &["--processes", "8"];
const HIT: &[&str] = &["processes"];

/// Time for whoever looks.
const SEEN: u64 = 1000;

pub fn cases() -> Vec<Case> {
    let lived_with_it = failed(code(0), "ok", HIT);
    let eight = |name: &str, run: fn(usize), expected| ours(name, run, expected).with(EIGHT);
    vec![
        eight(
            "forks until it is refused, exits with 1",
            |_| {
                forks_until_refused();
                exit(1);
            },
            failed(code(1), "processes", HIT),
        ),
        eight(
            "forks until it is refused, exits with 0",
            |_| forks_until_refused(),
            lived_with_it.clone(),
        ),
        eight(
            "forks until it is refused, aborts",
            |_| {
                forks_until_refused();
                raise(libc::SIGABRT);
            },
            failed(signal(libc::SIGABRT), "processes", HIT),
        ),
        eight(
            "starts threads until it is refused, exits with 1",
            |_| {
                threads_until_refused();
                exit(1);
            },
            failed(code(1), "processes", HIT),
        ),
        eight(
            "starts threads until it is refused, exits with 0",
            |_| threads_until_refused(),
            lived_with_it,
        ),
        eight(
            "does not wait for its children until it is refused, exits with 1",
            |_| {
                while try_fork(|| ()) > 0 {}
                sleep(SEEN);
                exit(1);
            },
            failed(code(1), "processes", HIT),
        ),
        eight(
            "has seven processes, exits with 1",
            |_| {
                for _ in 0..6 {
                    fork(|| sleep(SEEN));
                }
                sleep(SEEN / 2);
                exit(1);
            },
            code(1),
        ),
        eight(
            "starts a hundred processes one after the other, exits with 0",
            |_| {
                for _ in 0..100 {
                    fork(|| ());
                    wait();
                }
            },
            code(0),
        ),
        ours(
            "a fork bomb that is busy",
            |_| loop {
                try_fork(|| ());
                try_fork(bomb);
            },
            Expected {
                hit: &["cpu", "processes"],
                ..CPU
            },
        )
        .with(&[
            "--processes",
            "16",
            "--cpu-time",
            "1s",
            "--wall-time",
            "60s",
        ]),
        ours(
            "a fork bomb that waits",
            |_| sleeping_bomb(),
            Expected {
                hit: &["wall", "processes"],
                ..IDLE
            },
        )
        .with(&["--processes", "16", "--wall-time", "2s"]),
        ours(
            "a fork bomb whose first process exits with 0",
            |_| {
                fork(bomb);
                sleep(SEEN);
            },
            failed(code(0), "ok", HIT),
        )
        .with(&["--processes", "16", "--cpu-time", "60s"]),
    ]
}

fn forks_until_refused() {
    let mut forked = 0;
    while try_fork(|| forever()) > 0 {
        forked += 1;
    }
    // The program is the eighth.
    must(forked == 7);
    sleep(SEEN);
}

fn threads_until_refused() {
    let mut started = 0;
    while try_thread(|| forever()) {
        started += 1;
    }
    must(started == 7);
    sleep(SEEN);
}

pub fn bomb() {
    loop {
        try_fork(|| ());
    }
}

fn sleeping_bomb() {
    while try_fork(|| ()) > 0 {}
    forever();
}
