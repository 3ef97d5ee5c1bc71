//! System calls as the checks make them: one call in a process of its own, the answer as a word.
//! It must not interpret an answer; `open` means only that the kernel carried the call out.

use nix::errno::Errno;
use std::ffi::CString;
use std::os::unix::process::ExitStatusExt;

pub const OPEN: &str = "open";

/// The word for what a C function returned; `errno` is read now.
pub fn word(result: i64) -> String {
    match result {
        -1 => format!("{:?}", Errno::last()),
        _ => OPEN.to_owned(),
    }
}

/// The word for a result of the standard library.
pub fn told<T>(result: std::io::Result<T>) -> String {
    match result {
        Ok(_) => OPEN.to_owned(),
        Err(error) => match error.raw_os_error() {
            Some(number) => format!("{:?}", Errno::from_raw(number)),
            None => error.to_string(),
        },
    }
}

/// Makes the calls in a child with one thread, for some calls want that, and
/// some change the process. `call` must not allocate: the parent has threads.
pub fn alone(call: impl FnOnce() -> i64) -> String {
    // SAFETY: the child only makes the calls of `call` and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let code = match call() {
            -1 => Errno::last_raw(),
            _ => 0,
        };
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(code) }
    }
    assert!(child > 0, "fork: {:?}", Errno::last());
    let mut status = 0;
    // SAFETY: `status` is valid for the time of the call.
    let waited = unsafe { libc::waitpid(child, &raw mut status, libc::__WALL) };
    assert_eq!(waited, child);
    let status = std::process::ExitStatus::from_raw(status);
    match (status.code(), status.signal()) {
        (Some(0), _) => OPEN.to_owned(),
        (Some(number), _) => format!("{:?}", Errno::from_raw(number)),
        (None, number) => crate::harness::signal(number.unwrap()),
    }
}

/// A system call by number, in a process of its own.
pub fn raw(number: i64, arguments: [usize; 6]) -> String {
    alone(|| here(number, arguments))
}

/// A system call by number, in this process.
pub fn here(number: i64, arguments: [usize; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: every check passes null, numbers, or pointers to what outlives the
    // call; the child of `alone` shares no memory that a call could spoil.
    unsafe { libc::syscall(number, a, b, c, d, e, f) }
}

/// As [`raw`], with nothing but zeros after the given arguments.
pub fn ask<const N: usize>(number: i64, given: [usize; N]) -> String {
    let mut arguments = [0; 6];
    arguments[..N].copy_from_slice(&given);
    raw(number, arguments)
}

/// A path for the kernel.
pub fn path(path: &str) -> CString {
    CString::new(path).unwrap()
}

/// Does the path exist, links followed?
pub fn exists(path: &str) -> String {
    told(std::fs::metadata(path))
}

/// Can it be opened for reading?
pub fn readable(path: &str) -> String {
    told(std::fs::File::open(path))
}

/// Can it be opened for writing?
pub fn writable(path: &str) -> String {
    told(std::fs::OpenOptions::new().write(true).open(path))
}

/// Can a file be made there?
pub fn creatable(path: &str) -> String {
    told(
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path),
    )
}

/// The sorted names in a directory, with spaces between.
pub fn names(path: &str) -> String {
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.join(" ")
}

/// A socket of this kind.
pub fn socket(family: i32, kind: i32, protocol: i32) -> String {
    ask(
        libc::SYS_socket,
        [family as usize, kind as usize, protocol as usize],
    )
}
