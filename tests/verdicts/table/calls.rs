//! System calls that are refused, and those that end the run.
//! It must not try what the filter refuses one by one; `jail` does.

use crate::case::{Case, Expected, SIGSYS, VIOLATION, code, ours};
use crate::inside::{exit, forever, fork, must, thread, wait};
use std::io::Error;

const KILL: &str = "[syscalls]\nkill = [\"sched_yield\"]\n";
const DENY: &str = "[syscalls]\ndeny = [\"sched_yield\"]\n";

pub fn cases() -> Vec<Case> {
    let yielded = Expected {
        syscall: Some("sched_yield"),
        ..VIOLATION
    };
    let mut cases = vec![
        ours(
            "makes a call that the policy kills for",
            |_| {
                yields();
            },
            yielded.clone(),
        )
        .under(KILL),
        ours(
            "makes it in a thread",
            |_| {
                thread(|| {
                    yields();
                });
                forever();
            },
            yielded.clone(),
        )
        .under(KILL),
        ours(
            "makes it in a child",
            |_| {
                fork(|| {
                    yields();
                });
                wait();
            },
            yielded,
        )
        .under(KILL),
        ours(
            "makes a call that the policy denies, gets EPERM, exits with 1",
            |_| {
                must(yields() == -1);
                exit(Error::last_os_error().raw_os_error().unwrap_or(0));
            },
            code(libc::EPERM as u8),
        )
        .under(DENY),
        ours(
            "makes a call that no kernel knows, gets ENOSYS, exits with 38",
            |_| {
                // SAFETY: no kernel knows it.
                must(unsafe { libc::syscall(4000) } == -1);
                exit(Error::last_os_error().raw_os_error().unwrap_or(0));
            },
            code(libc::ENOSYS as u8),
        ),
        ours(
            "ptrace(2) is refused with EPERM, exits with 1",
            |_| {
                // SAFETY: the call takes numbers.
                must(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) } == -1);
                exit(Error::last_os_error().raw_os_error().unwrap_or(0));
            },
            code(libc::EPERM as u8),
        ),
    ];
    if cfg!(target_arch = "x86_64") {
        cases.extend([
            ours(
                "makes a call by the convention of i386",
                |_| by_i386(),
                SIGSYS,
            ),
            ours(
                "makes it in a thread, by the convention of i386",
                |_| {
                    thread(by_i386);
                    forever();
                },
                SIGSYS,
            ),
        ]);
    }
    cases
}

fn yields() -> i64 {
    // SAFETY: the call takes nothing.
    unsafe { libc::syscall(libc::SYS_sched_yield) }
}

fn by_i386() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: getpid(2) of i386, if it is made at all.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") 20u64 => _, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
}
