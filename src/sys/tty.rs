//! Terminals: making a pty, taking it, sizing it.

use super::{Result, check};
use std::os::fd::RawFd;

/// `TIOCGPTPEER` (Linux 4.13): the other end, without a path.
const TIOCGPTPEER: libc::c_ulong = 0x5441;

/// Unlocks the other end of a pty master and opens it. Child-safe.
pub(crate) fn open_peer(master: RawFd) -> Result<RawFd> {
    let unlock: libc::c_int = 0;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCSPTLCK reads one int; TIOCGPTPEER takes flags by value.
    unsafe {
        check(libc::ioctl(master, libc::TIOCSPTLCK as _, &raw const unlock).into())?;
        check(libc::ioctl(master, TIOCGPTPEER as _, flags).into()).map(|fd| fd as RawFd)
    }
}

/// Makes the terminal the session's controlling one. Child-safe.
pub(crate) fn take(terminal: RawFd) -> Result<()> {
    // SAFETY: TIOCSCTTY takes its argument by value.
    check(unsafe { libc::ioctl(terminal, libc::TIOCSCTTY as _, 0) }.into()).map(drop)
}

/// Size of the terminal at `fd`; `None` when it is none.
pub(crate) fn size(fd: RawFd) -> Option<libc::winsize> {
    let mut size = std::mem::MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: TIOCGWINSZ writes one winsize.
    check(unsafe { libc::ioctl(fd, libc::TIOCGWINSZ as _, size.as_mut_ptr()) }.into()).ok()?;
    // SAFETY: zeroed is valid, and the kernel filled it.
    Some(unsafe { size.assume_init() })
}

/// Sets the size of a terminal. Child-safe.
pub(crate) fn set_size(fd: RawFd, size: &libc::winsize) -> Result<()> {
    // SAFETY: TIOCSWINSZ reads one winsize.
    check(unsafe { libc::ioctl(fd, libc::TIOCSWINSZ as _, size as *const libc::winsize) }.into())
        .map(drop)
}

/// Is `fd` the master of a pty?
pub(crate) fn is_master(fd: RawFd) -> bool {
    let mut number: libc::c_uint = 0;
    // SAFETY: TIOCGPTN writes one unsigned int.
    check(unsafe { libc::ioctl(fd, libc::TIOCGPTN as _, &raw mut number) }.into()).is_ok()
}
