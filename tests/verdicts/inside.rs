//! The programs of the table, from inside: this test executable, before its `main`.
//! It must not use the harness: what it did (threads, handlers, output) would be in the facts.

use crate::table;
use std::time::Duration;

/// Names the program in the environment of the process that is one.
pub const NAME: &str = "VERDICT_PROGRAM";
/// Counts the programs of an exec chain.
pub const LINK: &str = "VERDICT_LINK";
/// How much slower this machine is than the table takes it to be.
pub const SLOWER: &str = "SANDBOX_VERDICT_SLOWER";
/// Where this executable is inside.
pub const HERE: &str = "/program";

/// Called by the run-time linker (gABI, DT_INIT_ARRAY), before Rust's own start
/// ignores SIGPIPE and takes SIGSEGV.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    let Some(name) = std::env::var_os(NAME) else {
        return;
    };
    let cases = table::all();
    let Some((run, argument)) = cases.iter().find_map(|case| case.program(&name)) else {
        exit(99);
    };
    run(argument);
    exit(0);
}

/// Ends everything that shares this memory.
pub fn exit(code: i32) -> ! {
    // SAFETY: it does not return, and nothing is left to be done.
    unsafe { libc::_exit(code) }
}

/// What a program makes of an answer that it did not expect: no row has this code.
pub fn must(right: bool) {
    if !right {
        exit(98);
    }
}

/// Starts a child that does this and exits 0; -1 where it was refused.
pub fn try_fork(child: impl FnOnce()) -> i32 {
    // SAFETY: before `main` there is one thread, so the child may do anything; a
    // program that has started threads forks no more.
    match unsafe { libc::fork() } {
        0 => {
            child();
            exit(0)
        }
        pid => pid,
    }
}

/// As [`try_fork`], which must not be refused.
pub fn fork(child: impl FnOnce()) -> i32 {
    let pid = try_fork(child);
    must(pid > 0);
    pid
}

/// A thread that does this; `false` where it was refused.
pub fn try_thread(body: impl FnOnce() + Send + 'static) -> bool {
    std::thread::Builder::new()
        .stack_size(64 << 10)
        .spawn(body)
        .is_ok()
}

/// As [`try_thread`], which must not be refused.
pub fn thread(body: impl FnOnce() + Send + 'static) {
    must(try_thread(body));
}

/// Waits for one child; its status.
pub fn wait() -> i32 {
    let mut status = 0;
    // SAFETY: `status` is written.
    must(unsafe { libc::wait(&raw mut status) } > 0);
    status
}

/// Sends a signal to this process.
pub fn raise(number: i32) {
    // SAFETY: the calls take numbers.
    unsafe { libc::kill(libc::getpid(), number) };
}

/// Ignores a signal.
pub fn ignore(number: i32) {
    // SAFETY: ignoring a signal runs no handler.
    unsafe { libc::signal(number, libc::SIG_IGN) };
}

/// Uses no processor, for ever.
pub fn forever() -> ! {
    loop {
        // SAFETY: the call takes nothing.
        unsafe { libc::pause() };
    }
}

/// Sleeps.
pub fn sleep(milliseconds: u64) {
    std::thread::sleep(scaled(milliseconds));
}

fn scaled(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds * slower())
}

/// 1, unless the machine is said to be slow: an emulated processor, for example.
pub fn slower() -> u64 {
    let said = std::env::var(SLOWER).ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(1)
}

/// Uses a processor, for ever.
pub fn burn() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Uses this much of a processor in this thread.
pub fn burn_for(milliseconds: u64) {
    let until = thread_time() + scaled(milliseconds);
    while thread_time() < until {
        std::hint::spin_loop();
    }
}

fn thread_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is written.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Anonymous memory, reserved and not touched.
pub fn reserve(mebibytes: usize, flags: i32) -> &'static mut [u8] {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = flags | libc::MAP_ANONYMOUS;
    let bytes = mebibytes << 20;
    // SAFETY: a new mapping, of nobody else and never unmapped; zeroes are bytes.
    unsafe {
        let place = libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0);
        must(place != libc::MAP_FAILED);
        std::slice::from_raw_parts_mut(place.cast(), bytes)
    }
}

/// Writes to every page.
pub fn touch(memory: &mut [u8]) {
    for byte in memory.iter_mut().step_by(4096) {
        // The write must reach the memory.
        // SAFETY: `byte` is a valid reference.
        unsafe { std::ptr::write_volatile(byte, 1) };
    }
}

/// Anonymous memory in use.
pub fn use_memory(mebibytes: usize) -> &'static mut [u8] {
    let memory = reserve(mebibytes, libc::MAP_PRIVATE);
    touch(memory);
    memory
}

/// Writes this many bytes; `false` where that failed.
pub fn put(fd: i32, mut bytes: usize) -> bool {
    let block = [b'x'; 4096];
    while bytes > 0 {
        let part = bytes.min(block.len());
        // SAFETY: `part` bytes of `block` are read.
        let written = unsafe { libc::write(fd, block.as_ptr().cast(), part) };
        match usize::try_from(written) {
            Ok(written) => bytes -= written,
            Err(_) => return false,
        }
    }
    true
}

/// Executes this executable again, as the same program.
pub fn execute_again(link: usize) -> ! {
    use std::os::unix::process::CommandExt;
    let mut command = std::process::Command::new(HERE);
    let _ = command.env(LINK, link.to_string()).exec();
    exit(97)
}

/// Which program of a chain this is.
pub fn link() -> usize {
    let link = std::env::var(LINK).ok();
    link.and_then(|link| link.parse().ok()).unwrap_or(0)
}
