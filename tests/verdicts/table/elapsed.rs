//! Programs that wait, and are ended by the wall-time limit.
//! It must not hold one that could use up its processor time first.

use crate::case::{Case, IDLE, WALL, code, ours};
use crate::inside::{burn, forever, fork, ignore, raise, sleep, thread, try_fork, wait};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::Mutex;

/// So long that a start, even on a machine that has no time for it, is less than a tenth.
const LONG: &[&str] = &["--wall-time", "2s"];

pub fn cases() -> Vec<Case> {
    vec![
        ours("sleeps", |_| sleep(60_000), IDLE).with(LONG),
        ours(
            "sleeps less than it may, exits with 0",
            |_| sleep(100),
            code(0),
        )
        .with(&["--wall-time", "20s"]),
        ours(
            "reads a pipe that nobody writes to",
            |_| {
                let (mut read, write) = std::io::pipe().unwrap();
                let _ = read.read(&mut [0]);
                drop(write);
            },
            IDLE,
        )
        .with(LONG),
        ours(
            "waits for a lock that it holds",
            |_| {
                static LOCK: Mutex<()> = Mutex::new(());
                std::mem::forget(LOCK.lock());
                drop(LOCK.lock());
            },
            IDLE,
        )
        .with(LONG),
        ours(
            "fills a pipe that nobody reads",
            |_| {
                let (read, write) = std::io::pipe().unwrap();
                crate::inside::put(write.as_raw_fd(), 1 << 20);
                drop(read);
            },
            IDLE,
        )
        .with(LONG),
        ours("stops itself", |_| raise(libc::SIGSTOP), IDLE).with(LONG),
        ours(
            "stops its group",
            |_| {
                fork(|| forever());
                // SAFETY: the call takes numbers.
                unsafe { libc::kill(0, libc::SIGTSTP) };
                forever();
            },
            IDLE,
        )
        .with(LONG),
        ours(
            "waits for a child that sleeps",
            |_| {
                fork(|| forever());
                wait();
            },
            IDLE,
        )
        .with(LONG),
        ours(
            "waits for a thread that sleeps",
            |_| {
                thread(|| forever());
                forever();
            },
            IDLE,
        )
        .with(LONG),
        ours(
            "ignores every signal and sleeps",
            |_| {
                for number in 1..=64 {
                    ignore(number);
                }
                forever();
            },
            IDLE,
        )
        .with(LONG),
        ours(
            "sleeps in a session of its own",
            |_| {
                try_fork(|| {
                    // SAFETY: the call takes nothing.
                    unsafe { libc::setsid() };
                    forever();
                });
                wait();
            },
            IDLE,
        )
        .with(LONG),
        ours(
            "wakes up all the time",
            |_| loop {
                sleep(5);
            },
            WALL,
        )
        .with(LONG),
        ours("is busy, with processor time to spare", |_| burn(), WALL).with(&[
            "--wall-time",
            "500ms",
            "--cpu-time",
            "60s",
        ]),
        ours("is busy, with no limit of processor time", |_| burn(), WALL).with(&[
            "--wall-time",
            "500ms",
            "--cpu-time",
            "none",
        ]),
    ]
}
