//! Memory in use: by whom, of what kind, and how much is still allowed.
//! It must not hold a program that is less than a fifth away from its limit.

use crate::case::{Case, Expected, MEMORY, code, ours};
use crate::inside::{
    execute_again, fork, link, must, put, reserve, sleep, thread, touch, use_memory, wait,
};
use std::os::fd::AsRawFd;

const LIMITED: &[&str] = &["--memory", "64MiB"];
const WITH_FILES: &[&str] = &[
    "--memory",
    "64MiB",
    "--tmpfs",
    "/tmp:256MiB",
    "--file-size",
    "none",
];

/// Long, for whoever is to be ended; a verdict that comes late is still right.
const LONG: u64 = 60_000;

pub fn cases() -> Vec<Case> {
    let within = |name: &str, run: fn(usize)| ours(name, run, code(0)).with(LIMITED);
    let beyond = |name: &str, run: fn(usize)| ours(name, run, MEMORY).with(LIMITED);
    let mut cases = vec![
        beyond("uses twice its memory", |_| {
            use_memory(128);
            sleep(LONG);
        }),
        beyond("uses twice its memory in a child", |_| {
            fork(|| {
                use_memory(128);
                sleep(LONG);
            });
            wait();
        }),
        beyond("uses twice its memory in a thread", |_| {
            thread(|| {
                use_memory(128);
                sleep(LONG);
            });
            sleep(LONG);
        }),
        beyond(
            "uses twice its memory in a grandchild whose parent has ended",
            |_| {
                fork(|| {
                    fork(|| {
                        use_memory(128);
                        sleep(LONG);
                    });
                });
                wait();
                sleep(LONG);
            },
        ),
        beyond("four children use half of the memory each", |_| {
            for _ in 0..4 {
                fork(|| {
                    use_memory(32);
                    sleep(LONG);
                });
            }
            sleep(LONG);
        }),
        beyond("uses twice its memory, shared with nobody", |_| {
            touch(reserve(128, libc::MAP_SHARED));
            sleep(LONG);
        }),
        beyond(
            "writes, in a child, to what it shares after fork(2)",
            |_| {
                let memory = use_memory(45);
                fork(|| {
                    touch(memory);
                    sleep(LONG);
                });
                sleep(LONG);
            },
        ),
        beyond("grows by small steps", |_| {
            loop {
                use_memory(1);
                sleep(1);
            }
        }),
        ours(
            "writes twice its memory to a file in memory",
            |_| {
                write("/tmp/file", 128);
                sleep(LONG);
            },
            MEMORY,
        )
        .with(WITH_FILES),
        ours(
            "writes half of it to a file in memory and uses as much again",
            |_| {
                write("/tmp/file", 45);
                use_memory(45);
                sleep(LONG);
            },
            MEMORY,
        )
        .with(WITH_FILES),
        ours(
            "removes the file in memory that it holds open",
            |_| {
                let file = write("/tmp/file", 128);
                let _ = std::fs::remove_file("/tmp/file");
                sleep(LONG);
                drop(file);
            },
            MEMORY,
        )
        .with(WITH_FILES),
        ours(
            "writes more than its memory to /dev/shm",
            |_| {
                write("/dev/shm/file", 60);
                sleep(LONG);
            },
            MEMORY,
        )
        .with(&["--memory", "32MiB"]),
        within("uses 80 % of its memory, exits with 0", |_| held(51)),
        within("uses 80 % of its memory in a child, exits with 0", |_| {
            fork(|| held(51));
            wait();
        }),
        within(
            "uses half of its memory again and again, exits with 0",
            |_| {
                for _ in 0..8 {
                    let memory = use_memory(32);
                    // SAFETY: the mapping is ours, and used no more.
                    unsafe { libc::munmap(memory.as_mut_ptr().cast(), memory.len()) };
                }
            },
        ),
        within(
            "children use half of its memory one after the other, exits with 0",
            |_| {
                for _ in 0..4 {
                    fork(|| held(32));
                    wait();
                }
            },
        ),
        within(
            "reserves twice its memory and uses none, exits with 0",
            |_| {
                reserve(128, libc::MAP_PRIVATE);
                sleep(200);
            },
        ),
        within(
            "shares 60 % of its memory with four children, exits with 0",
            |_| {
                use_memory(38);
                for _ in 0..4 {
                    fork(|| sleep(300));
                }
                for _ in 0..4 {
                    wait();
                }
            },
        ),
        within(
            "uses half of its memory before and after exec, exits with 0",
            |_| {
                held(32);
                if link() == 0 {
                    execute_again(1);
                }
            },
        ),
    ];
    cases.push(
        ours(
            "cannot reserve without reason, exits with 12",
            |_| {
                // SAFETY: a mapping of its own, which is refused.
                let place = unsafe {
                    libc::mmap(
                        std::ptr::null_mut(),
                        1 << 46,
                        libc::PROT_READ | libc::PROT_WRITE,
                        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                        -1,
                        0,
                    )
                };
                must(place == libc::MAP_FAILED);
                crate::inside::exit(std::io::Error::last_os_error().raw_os_error().unwrap_or(0));
            },
            code(libc::ENOMEM as u8),
        )
        .with(LIMITED),
    );
    // It has ended before anybody looked, and its size is known all the same.
    let slips = Expected {
        exit: None,
        killed_by: None,
        ..MEMORY
    };
    cases.push(
        ours(
            "uses twice its memory and exits with 0 at once",
            |_| {
                use_memory(128);
            },
            slips,
        )
        .with(LIMITED),
    );
    cases
}

/// Uses this many mebibytes for long enough to be seen.
fn held(mebibytes: usize) {
    use_memory(mebibytes);
    sleep(200);
}

fn write(path: &str, mebibytes: usize) -> std::fs::File {
    let file = std::fs::File::create(path).unwrap();
    must(put(file.as_raw_fd(), mebibytes << 20));
    file
}
