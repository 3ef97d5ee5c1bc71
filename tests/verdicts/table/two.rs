//! Two limits at once, and a limit passed by who ends by itself: which of them wins.
//! It must not hold two that are passed at nearly the same time.

use crate::case::{CPU, Case, Expected, IDLE, MEMORY, OUTPUT, code, failed, ours, signal};
use crate::inside::{burn, burn_for, exit, forever, put, sleep, try_fork, use_memory};
use std::os::fd::AsRawFd;

pub fn cases() -> Vec<Case> {
    vec![
        ours(
            "is busy, with twenty seconds of elapsed time to spare",
            |_| burn(),
            CPU,
        )
        .with(&["--cpu-time", "200ms", "--wall-time", "20s"]),
        ours(
            "sleeps, with all its processor time to spare",
            |_| sleep(60_000),
            IDLE,
        )
        .with(&["--cpu-time", "200ms", "--wall-time", "400ms"]),
        ours(
            "uses too much memory, then is busy",
            |_| {
                use_memory(128);
                burn();
            },
            MEMORY,
        )
        .with(&["--memory", "64MiB", "--cpu-time", "5s"]),
        ours(
            "is busy, and would use too much memory then",
            |_| {
                burn_for(5000);
                use_memory(128);
                forever();
            },
            CPU,
        )
        .with(&[
            "--memory",
            "64MiB",
            "--cpu-time",
            "300ms",
            "--wall-time",
            "60s",
        ]),
        ours(
            "floods its output, and would be late then",
            |_| {
                while put(1, 4096) {}
                forever();
            },
            OUTPUT,
        )
        .with(&["--output", "10000", "--wall-time", "20s"]),
        ours(
            "fills its small /tmp before its memory, exits with 28",
            |_| {
                let file = std::fs::File::create("/tmp/file").unwrap();
                while put(file.as_raw_fd(), 1 << 20) {}
                exit(std::io::Error::last_os_error().raw_os_error().unwrap_or(0));
            },
            code(libc::ENOSPC as u8),
        )
        .with(&["--tmpfs", "/tmp:8MiB", "--memory", "64MiB"]),
        ours(
            "a file reaches its limit before the memory does",
            |_| {
                let file = std::fs::File::create("/tmp/file").unwrap();
                put(file.as_raw_fd(), 128 << 20);
            },
            failed(signal(libc::SIGXFSZ), "file-size", &["file-size"]),
        )
        .with(&["--file-size", "8MiB", "--memory", "32MiB"]),
        ours(
            "forks until it is refused, then sleeps",
            |_| {
                while try_fork(|| forever()) > 0 {}
                forever();
            },
            Expected {
                hit: &["wall", "processes"],
                ..IDLE
            },
        )
        .with(&["--processes", "8", "--wall-time", "1500ms"]),
        ours(
            "forks until it is refused, then uses too much memory",
            |_| {
                while try_fork(|| forever()) > 0 {}
                sleep(1000);
                use_memory(128);
                forever();
            },
            Expected {
                hit: &["memory", "processes"],
                ..MEMORY
            },
        )
        .with(&["--processes", "8", "--memory", "64MiB"]),
    ]
}
