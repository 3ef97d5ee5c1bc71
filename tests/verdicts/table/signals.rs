//! Every signal that ends a program, from itself and from the caller.
//! It must not hold a signal that a limit sends.

use crate::case::{
    CANCELLED, Caller, Case, Expected, IDLE, SIGSYS, What, code, failed, ours, signal,
};
use crate::inside::{burn_for, forever, fork, ignore, put, raise, sleep, thread, use_memory, wait};

/// Signals whose default is to end the process (signal(7)), but for the two that a
/// limit or the filter sends as well.
const FATAL: [(&str, i32); 23] = [
    ("SIGHUP", libc::SIGHUP),
    ("SIGINT", libc::SIGINT),
    ("SIGQUIT", libc::SIGQUIT),
    ("SIGILL", libc::SIGILL),
    ("SIGTRAP", libc::SIGTRAP),
    ("SIGABRT", libc::SIGABRT),
    ("SIGBUS", libc::SIGBUS),
    ("SIGFPE", libc::SIGFPE),
    ("SIGKILL", libc::SIGKILL),
    ("SIGUSR1", libc::SIGUSR1),
    ("SIGSEGV", libc::SIGSEGV),
    ("SIGUSR2", libc::SIGUSR2),
    ("SIGPIPE", libc::SIGPIPE),
    ("SIGALRM", libc::SIGALRM),
    ("SIGTERM", libc::SIGTERM),
    ("SIGSTKFLT", libc::SIGSTKFLT),
    ("SIGXCPU", libc::SIGXCPU),
    ("SIGVTALRM", libc::SIGVTALRM),
    ("SIGPROF", libc::SIGPROF),
    ("SIGIO", libc::SIGIO),
    ("SIGPWR", libc::SIGPWR),
    ("the first real-time signal", 34),
    ("the last real-time signal", 64),
];

/// Signals whose default is to do nothing.
const HARMLESS: [(&str, i32); 4] = [
    ("SIGCHLD", libc::SIGCHLD),
    ("SIGCONT", libc::SIGCONT),
    ("SIGURG", libc::SIGURG),
    ("SIGWINCH", libc::SIGWINCH),
];

pub fn cases() -> Vec<Case> {
    let raises = |name: &str, number: i32, expected| {
        let run: fn(usize) = |number| raise(number as i32);
        let what = What::Ours((run, number as usize));
        Case::new(format!("sends itself {name}"), what, expected)
    };
    let mut cases: Vec<Case> = Vec::new();
    cases.extend(FATAL.map(|(name, number)| raises(name, number, signal(number))));
    cases.extend(HARMLESS.map(|(name, number)| raises(name, number, code(0))));
    cases.extend([
        raises("SIGSYS", libc::SIGSYS, SIGSYS),
        raises(
            "SIGXFSZ",
            libc::SIGXFSZ,
            failed(signal(libc::SIGXFSZ), "file-size", &["file-size"]),
        ),
        Case::new(
            "sends itself SIGXFSZ where there is no limit",
            What::Ours((|_| raise(libc::SIGXFSZ), 0)),
            signal(libc::SIGXFSZ),
        )
        .with(&["--file-size", "none"]),
        ours(
            "a thread sends SIGKILL to the program",
            |_| {
                thread(|| raise(libc::SIGKILL));
                forever();
            },
            signal(libc::SIGKILL),
        ),
        ours(
            "a child sends SIGKILL to the program",
            |_| {
                fork(|| kill(parent(), libc::SIGKILL));
                forever();
            },
            signal(libc::SIGKILL),
        ),
        ours(
            "sends SIGTERM to its group",
            |_| {
                fork(|| forever());
                kill(0, libc::SIGTERM);
            },
            signal(libc::SIGTERM),
        ),
        ours(
            "sends SIGKILL to everybody, exits with 0",
            |_| {
                fork(|| forever());
                kill(-1, libc::SIGKILL);
                wait();
            },
            code(0),
        ),
        ours(
            "sends SIGKILL to pid 1, exits with 0",
            |_| kill(1, libc::SIGKILL),
            code(0),
        ),
        ours(
            "alarm(2) ends it",
            |_| {
                // SAFETY: the call takes a number.
                unsafe { libc::alarm(1) };
                forever();
            },
            signal(libc::SIGALRM),
        ),
        ours(
            "sends itself SIGKILL with 80 % of the memory in use",
            |_| {
                use_memory(51);
                sleep(200);
                raise(libc::SIGKILL);
            },
            signal(libc::SIGKILL),
        )
        .with(&["--memory", "64MiB"]),
        ours(
            "sends itself SIGKILL with 90 % of the processor time used",
            |_| {
                burn_for(1800);
                raise(libc::SIGKILL);
            },
            signal(libc::SIGKILL),
        )
        .with(&["--cpu-time", "2s"]),
        ours(
            "sends itself SIGKILL with processes at their limit",
            |_| {
                while crate::inside::try_fork(|| forever()) > 0 {}
                sleep(50);
                raise(libc::SIGKILL);
            },
            failed(signal(libc::SIGKILL), "processes", &["processes"]),
        )
        .with(&["--processes", "6"]),
    ]);
    let sent = |name: &str, run: fn(usize), number, expected: Expected| {
        Case::new(name, What::Signalled((run, 0), number), expected)
    };
    let called = |name: &str, run: fn(usize), caller, expected: Expected| {
        Case::new(name, What::Called((run, 0), caller), expected)
    };
    cases.extend([
        sent(
            "`sandbox` gets SIGTERM and passes it on",
            ready,
            libc::SIGTERM,
            signal(libc::SIGTERM),
        ),
        sent(
            "`sandbox` gets SIGINT and passes it on",
            ready,
            libc::SIGINT,
            signal(libc::SIGINT),
        ),
        sent(
            "`sandbox` gets SIGHUP and passes it on",
            ready,
            libc::SIGHUP,
            signal(libc::SIGHUP),
        ),
        sent(
            "`sandbox` gets SIGTERM, which the program ignores",
            deaf,
            libc::SIGTERM,
            IDLE,
        )
        .with(&["--wall-time", "700ms"]),
        called(
            "the library's caller kills it (`Child::kill`)",
            ready,
            Caller::Kill,
            CANCELLED,
        ),
        called(
            "the library's caller kills it, which ignores every signal",
            deaf,
            Caller::Kill,
            CANCELLED,
        ),
        called(
            "the library's caller sends it SIGUSR1 (`Child::signal`)",
            ready,
            Caller::Signal(libc::SIGUSR1),
            signal(libc::SIGUSR1),
        ),
        called(
            "the library's caller sends it SIGKILL (`Child::signal`)",
            ready,
            Caller::Signal(libc::SIGKILL),
            signal(libc::SIGKILL),
        ),
    ]);
    cases
}

fn kill(pid: i32, number: i32) {
    // SAFETY: the call takes numbers.
    unsafe { libc::kill(pid, number) };
}

fn parent() -> i32 {
    nix::unistd::getppid().as_raw()
}

fn ready(_: usize) {
    put(1, 1);
    put_line();
    forever();
}

fn deaf(_: usize) {
    for number in 1..=64 {
        ignore(number);
    }
    put_line();
    forever();
}

fn put_line() {
    // SAFETY: one byte is read.
    unsafe { libc::write(1, b"\n".as_ptr().cast(), 1) };
}
