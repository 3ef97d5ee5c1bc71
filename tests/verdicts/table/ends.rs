//! Programs that end by themselves: every kind of exit, and whom they leave behind.
//! It must not hold a program that a limit ends.

use crate::case::{Case, What, code, ours};
use crate::inside::{
    burn, execute_again, exit, forever, fork, link, put, raise, sleep, thread, wait,
};

pub fn cases() -> Vec<Case> {
    // Among them codes that mean something else elsewhere: of timeout(1), of env(1),
    // of a shell after a signal, and the largest.
    let codes = [0u8, 1, 2, 77, 124, 125, 126, 127, 128, 137, 139, 255];
    let exits = codes.map(|number| {
        let run: fn(usize) = |number| exit(number as i32);
        let name = format!("exits with {number}");
        Case::new(name, What::Ours((run, usize::from(number))), code(number))
    });
    let mut cases = Vec::from(exits);
    cases.extend([
        ours("exits with 256, which is 0", |_| exit(256), code(0)),
        ours("exits with -1, which is 255", |_| exit(-1), code(255)),
        ours("exits from a thread with 4", from_a_thread, code(4)),
        ours(
            "its first thread ends, another one exits with 9",
            first_thread_ends,
            code(9),
        ),
        ours(
            "closes every descriptor, exits with 5",
            close_everything,
            code(5),
        ),
        ours(
            "executes itself twenty times, exits with 7",
            exec_chain,
            code(7),
        ),
        ours(
            "executes itself from a thread, exits with 8",
            exec_from_a_thread,
            code(8),
        ),
        ours("its child exits with 3, it with 0", child_fails, code(0)),
        ours(
            "its child sends itself SIGKILL, it exits with 0",
            child_killed,
            code(0),
        ),
        ours("its child aborts, it exits with 1", child_aborts, code(1)),
        ours(
            "leaves sleeping children, exits with 3",
            leaves_sleepers,
            code(3),
        ),
        ours("leaves a busy child, exits with 0", leaves_busy, code(0)),
        ours(
            "leaves a stopped child, exits with 0",
            leaves_stopped,
            code(0),
        ),
        ours(
            "leaves a daemon in a session of its own, exits with 0",
            leaves_daemon,
            code(0),
        ),
        ours(
            "leaves a child that holds its output open, exits with 0",
            leaves_writer,
            code(0),
        ),
        ours(
            "leaves children that it did not wait for, exits with 6",
            leaves_zombies,
            code(6),
        ),
    ]);
    cases
}

fn from_a_thread(_: usize) {
    thread(|| exit(4));
    forever();
}

fn first_thread_ends(_: usize) {
    thread(|| {
        sleep(50);
        exit(9)
    });
    // SAFETY: this ends the calling thread only (exit(2)).
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

fn close_everything(_: usize) {
    // SAFETY: the call takes numbers.
    unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
    exit(5);
}

fn exec_chain(_: usize) {
    match link() {
        20 => exit(7),
        link => execute_again(link + 1),
    }
}

fn exec_from_a_thread(_: usize) {
    if link() == 1 {
        exit(8);
    }
    thread(|| execute_again(1));
    forever();
}

fn child_fails(_: usize) {
    fork(|| exit(3));
    wait();
}

fn child_killed(_: usize) {
    fork(|| raise(libc::SIGKILL));
    wait();
}

fn child_aborts(_: usize) {
    fork(|| raise(libc::SIGABRT));
    wait();
    exit(1);
}

fn leaves_sleepers(_: usize) {
    for _ in 0..5 {
        fork(|| forever());
    }
    exit(3);
}

fn leaves_busy(_: usize) {
    fork(|| burn());
    sleep(20);
}

fn leaves_stopped(_: usize) {
    fork(|| raise(libc::SIGSTOP));
    sleep(20);
}

fn leaves_daemon(_: usize) {
    fork(|| {
        // SAFETY: the call takes nothing.
        unsafe { libc::setsid() };
        fork(|| forever());
    });
    wait();
}

fn leaves_writer(_: usize) {
    fork(|| {
        while put(1, 1) {
            sleep(10);
        }
    });
    sleep(20);
}

fn leaves_zombies(_: usize) {
    for _ in 0..5 {
        fork(|| ());
    }
    sleep(20);
    exit(6);
}
