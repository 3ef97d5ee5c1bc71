//! Bytes on the standard streams, and files that grow.
//! It must not judge what is passed on; `lifecycle` does.

use crate::case::{Case, Expected, OUTPUT, code, failed, ours, signal};
use crate::inside::{exit, fork, ignore, must, put, sleep, wait};
use std::fs::File;
use std::os::fd::AsRawFd;

const LIMITED: &[&str] = &["--output", "100000"];
const SMALL: &[&str] = &["--file-size", "64KiB"];

pub fn cases() -> Vec<Case> {
    let limited = |name: &str, run: fn(usize), expected| ours(name, run, expected).with(LIMITED);
    let by_size = failed(signal(libc::SIGXFSZ), "file-size", &["file-size"]);
    vec![
        limited("floods standard output", |_| while put(1, 4096) {}, OUTPUT),
        limited("floods standard error", |_| while put(2, 4096) {}, OUTPUT),
        limited(
            "floods both",
            |_| while put(1, 4096) && put(2, 4096) {},
            OUTPUT,
        ),
        limited(
            "a child floods standard output",
            |_| {
                fork(|| while put(1, 4096) {});
                wait();
            },
            OUTPUT,
        ),
        limited(
            "writes as much as it may, exits with 0",
            |_| must(put(1, 100_000)),
            code(0),
        ),
        limited(
            "writes as much as it may to both, exits with 3",
            |_| {
                must(put(1, 60_000) && put(2, 40_000));
                exit(3);
            },
            code(3),
        ),
        limited(
            "writes one byte more than it may, and waits",
            |_| {
                must(put(1, 60_000) && put(2, 40_001));
                sleep(60_000);
            },
            OUTPUT,
        ),
        limited(
            "writes one byte more than it may, and exits with 0 at once",
            |_| {
                put(1, 100_001);
            },
            Expected {
                exit: None,
                killed_by: None,
                ..OUTPUT
            },
        ),
        ours(
            "floods standard error, which alone has a limit",
            |_| while put(2, 4096) {},
            OUTPUT,
        )
        .with(&["--stderr-limit", "10000"]),
        ours(
            "writes more than is kept of standard output, exits with 0",
            |_| must(put(1, 1_000_000)),
            code(0),
        )
        .with(&["--stdout-limit", "10000:drain"]),
        ours(
            "floods standard output, which is closed then",
            |_| while put(1, 4096) {},
            signal(libc::SIGPIPE),
        )
        .with(&["--stdout-limit", "10000:truncate"]),
        ours(
            "writes 10 MB where there is no limit, exits with 0",
            |_| must(put(1, 10_000_000)),
            code(0),
        )
        .with(&["--output", "none"]),
        ours(
            "a file grows past its limit",
            |_| {
                put(file(), 1 << 20);
            },
            by_size.clone(),
        )
        .with(SMALL),
        ours(
            "a file is to be extended past its limit",
            |_| {
                // SAFETY: the call takes numbers.
                unsafe { libc::ftruncate(file(), 1 << 20) };
            },
            by_size,
        )
        .with(SMALL),
        ours(
            "ignores SIGXFSZ, gets EFBIG, exits with 27",
            |_| {
                ignore(libc::SIGXFSZ);
                put(file(), 1 << 20);
                exit(std::io::Error::last_os_error().raw_os_error().unwrap_or(0));
            },
            code(libc::EFBIG as u8),
        )
        .with(SMALL),
        ours(
            "a file of a child grows past its limit, exits with 0",
            |_| {
                fork(|| {
                    put(file(), 1 << 20);
                });
                wait();
            },
            code(0),
        )
        .with(SMALL),
        ours(
            "a file is as long as it may be, exits with 0",
            |_| must(put(file(), 64 << 10)),
            code(0),
        )
        .with(SMALL),
        ours(
            "fills /tmp, gets ENOSPC, exits with 28",
            |_| {
                let file = file();
                while put(file, 4096) {}
                exit(std::io::Error::last_os_error().raw_os_error().unwrap_or(0));
            },
            code(libc::ENOSPC as u8),
        )
        .with(&["--tmpfs", "/tmp:1MiB"]),
        ours(
            "opens all the files it may, gets EMFILE, exits with 24",
            |_| {
                let mut held = Vec::new();
                while let Ok(file) = File::open("/dev/null") {
                    held.push(file);
                }
                exit(std::io::Error::last_os_error().raw_os_error().unwrap_or(0));
            },
            code(libc::EMFILE as u8),
        )
        .with(&["--open-files", "32"]),
    ]
}

/// A new file, never closed.
fn file() -> i32 {
    let file = File::create("/tmp/file").unwrap();
    let fd = file.as_raw_fd();
    std::mem::forget(file);
    fd
}
