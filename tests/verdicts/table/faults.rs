//! Faults: what the processor or the kernel answers with a signal.
//! It must not send a signal by a call; `signals` does.

use crate::case::{Case, ours, signal};
use crate::inside::{HERE, forever, fork, must, put, reserve, thread, touch};
use std::os::fd::AsRawFd;

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        ours("writes to address 0", |_| null(), signal(libc::SIGSEGV)),
        ours(
            "a thread writes to address 0",
            |_| {
                thread(null);
                forever();
            },
            signal(libc::SIGSEGV),
        ),
        ours(
            "writes to read-only memory",
            |_| {
                let memory = reserve(1, libc::MAP_PRIVATE);
                // SAFETY: the mapping is ours.
                unsafe {
                    libc::mprotect(memory.as_mut_ptr().cast(), memory.len(), libc::PROT_READ)
                };
                touch(memory);
            },
            signal(libc::SIGSEGV),
        ),
        ours(
            "its stack grows past its limit",
            |_| {
                descend(1);
            },
            signal(libc::SIGSEGV),
        ),
        ours(
            "reads past the end of a mapped file",
            past_the_end,
            signal(libc::SIGBUS),
        ),
        ours(
            "writes to a pipe that nobody reads",
            |_| {
                let (_, write) = std::io::pipe()
                    .map(|(read, write)| (drop(read), write))
                    .unwrap();
                put(write.as_raw_fd(), 1);
            },
            signal(libc::SIGPIPE),
        ),
        ours(
            "calls abort(3)",
            |_| std::process::abort(),
            signal(libc::SIGABRT),
        ),
        ours(
            "a child writes to address 0, the program exits with 0",
            |_| {
                fork(null);
                crate::inside::wait();
            },
            crate::case::code(0),
        ),
    ];
    if cfg!(target_arch = "x86_64") {
        cases.extend([
            ours("divides by 0", |_| divide(), signal(libc::SIGFPE)),
            ours(
                "executes an undefined instruction",
                |_| undefined(),
                signal(libc::SIGILL),
            ),
            ours(
                "executes a privileged instruction",
                |_| privileged(),
                signal(libc::SIGSEGV),
            ),
            ours(
                "executes a breakpoint",
                |_| breakpoint(),
                signal(libc::SIGTRAP),
            ),
        ]);
    }
    cases
}

fn null() {
    // SAFETY: none: that it ends the process is what the row is about.
    unsafe { std::ptr::without_provenance_mut::<u8>(0x10).write_volatile(1) };
}

#[allow(unconditional_recursion)]
fn descend(depth: usize) -> usize {
    let block = std::hint::black_box([depth; 512]);
    descend(depth + 1) + block[depth % 512]
}

fn past_the_end(_: usize) {
    let file = std::fs::File::open(HERE).unwrap();
    let length = file.metadata().unwrap().len() as usize;
    let (whole, shared) = (length.next_multiple_of(4096) + 4096, libc::MAP_SHARED);
    // SAFETY: a new mapping, of which nothing else knows; the read is what the row is about.
    unsafe {
        let place = libc::mmap(
            std::ptr::null_mut(),
            whole,
            libc::PROT_READ,
            shared,
            file.as_raw_fd(),
            0,
        );
        must(place != libc::MAP_FAILED);
        std::hint::black_box(place.cast::<u8>().add(whole - 1).read_volatile());
    }
}

macro_rules! instruction {
    ($name:ident, $($text:literal),+) => {
        fn $name() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: none is needed after it: it ends the process.
            unsafe {
                std::arch::asm!($($text),+, out("rax") _, out("rdx") _, out("rcx") _);
            }
        }
    };
}

instruction!(
    divide,
    "xor ecx, ecx",
    "xor edx, edx",
    "mov eax, 1",
    "div ecx"
);
instruction!(undefined, "ud2");
instruction!(privileged, "hlt");
instruction!(breakpoint, "int3");
