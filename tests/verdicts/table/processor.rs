//! Processor time, whoever uses it and whoever waits for whom.
//! It must not hold a program that comes near its limit and may stop before it.

use crate::case::{CPU, Case, code, ours};
use crate::inside::{
    burn, burn_for, execute_again, forever, fork, ignore, link, must, sleep, thread, wait,
};
use std::os::fd::AsRawFd;

const LIMITED: &[&str] = &["--cpu-time", "300ms", "--wall-time", "60s"];

pub fn cases() -> Vec<Case> {
    let busy = |name: &str, run: fn(usize)| ours(name, run, CPU).with(LIMITED);
    vec![
        busy("is busy", |_| burn()),
        busy("ignores SIGXCPU and is busy", |_| {
            ignore(libc::SIGXCPU);
            burn();
        }),
        busy("is busy in a thread", |_| {
            thread(|| burn());
            forever();
        }),
        busy("is busy in four threads", |_| {
            for _ in 0..4 {
                thread(|| burn());
            }
            forever();
        }),
        busy("is busy in a child that it waits for", |_| {
            fork(|| burn());
            wait();
        }),
        busy("is busy in a child that nobody waits for", |_| {
            ignore(libc::SIGCHLD);
            fork(|| burn());
            forever();
        }),
        busy("is busy in a grandchild whose parent has ended", |_| {
            fork(|| {
                fork(|| burn());
            });
            wait();
            forever();
        }),
        busy("is busy in a session of its own", |_| {
            fork(|| {
                // SAFETY: the call takes nothing.
                unsafe { libc::setsid() };
                burn();
            });
            forever();
        }),
        busy(
            "is busy in many short children, one after the other",
            |_| loop {
                fork(|| burn_for(20));
                wait();
            },
        ),
        busy(
            "is busy in many short children that nobody waits for",
            |_| {
                ignore(libc::SIGCHLD);
                loop {
                    fork(|| burn_for(20));
                    sleep(25);
                }
            },
        ),
        busy("is busy in many short threads", |_| {
            loop {
                thread(|| burn_for(20));
                sleep(25);
            }
        }),
        busy("is busy and executes itself again and again", |_| {
            burn_for(20);
            execute_again(link() + 1);
        }),
        busy(
            "its children are stopped when they have used a part",
            |_| loop {
                fork(|| {
                    burn_for(50);
                    crate::inside::raise(libc::SIGSTOP);
                });
                sleep(60);
            },
        ),
        busy("is busy at the lowest priority", |_| {
            // SAFETY: the call takes numbers.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
            burn();
        }),
        busy("is busy in the kernel, with short calls", |_| {
            loop {
                // SAFETY: the call takes nothing.
                unsafe { libc::syscall(libc::SYS_getppid) };
            }
        }),
        busy("is busy in the kernel, with long calls", |_| {
            let zero = std::fs::File::open("/dev/zero").unwrap();
            let mut block = vec![0u8; 4 << 20];
            loop {
                // SAFETY: as many bytes as `block` has are written to it.
                let read =
                    unsafe { libc::read(zero.as_raw_fd(), block.as_mut_ptr().cast(), block.len()) };
                must(read > 0);
            }
        }),
        busy("is busy with page faults", |_| {
            loop {
                let memory = crate::inside::use_memory(8);
                // SAFETY: the mapping is ours, and used no more.
                unsafe { libc::munmap(memory.as_mut_ptr().cast(), memory.len()) };
            }
        }),
        ours(
            "uses half of its processor time, exits with 0",
            |_| burn_for(1000),
            code(0),
        )
        .with(&["--cpu-time", "2s"]),
        ours(
            "four children use a tenth each, exits with 0",
            |_| {
                for _ in 0..4 {
                    fork(|| burn_for(200));
                }
                for _ in 0..4 {
                    wait();
                }
            },
            code(0),
        )
        .with(&["--cpu-time", "2s"]),
    ]
}
