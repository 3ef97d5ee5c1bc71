//! The kernel's calls, one thin wrapper each: the only `unsafe` of the project.
//!
//! Wrappers set the safe flags themselves (CLOEXEC, NOFOLLOW, NOSUID, NODEV) and
//! say *child-safe* (no allocation, no lock, no panic: may be called between
//! clone and exec) or *parent only*. They decide nothing.

pub(crate) mod ask;
pub(crate) mod beneath;
pub(crate) mod clone;
pub(crate) mod copy;
mod dirent;
pub(crate) mod exec;
pub(crate) mod fd;
pub(crate) mod inherited;
pub(crate) mod landlock;
pub(crate) mod mount;
pub(crate) mod mount_table;
pub(crate) mod perf;
pub(crate) mod proc;
pub(crate) mod process;
pub(crate) mod seccomp;
pub(crate) mod sigpipe;
pub(crate) mod socket;
pub(crate) mod splice;
pub(crate) mod start;
pub(crate) mod tty;
pub(crate) mod whole;

pub(crate) use nix::errno::Errno;

/// Result of a call.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// Makes the call again for as long as a signal interrupts it: the caller may have
/// handlers without SA_RESTART, and a process that is stopped and goes on again is
/// interrupted as well (signal(7)). Child-safe.
fn uninterrupted<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Turns a raw return value into a result; reads `errno` on −1.
fn check(value: libc::c_long) -> Result<libc::c_long> {
    if value < 0 {
        Err(Errno::last())
    } else {
        Ok(value)
    }
}
