//! One name beneath a directory that is held by a descriptor, and what a directory holds.
//! Parent only. They must not leave the directory, whatever the name has become meanwhile.
//!
//! Every opening is an `openat2(2)` (Linux 5.6) that follows no link of either kind, crosses
//! no mount and does not climb.

use super::{Errno, Result, check, dirent, fd, uninterrupted};
use nix::fcntl::{OFlag, ResolveFlag};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

fn open(dir: BorrowedFd<'_>, name: &CStr, flags: OFlag, mode: u32) -> Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS
        | ResolveFlag::RESOLVE_NO_XDEV;
    let flags = flags | OFlag::O_NOFOLLOW;
    fd::resolved(dir.as_raw_fd(), name, flags, mode, resolve).map(fd::own)
}

/// What has the name, without opening it (`O_PATH`): a link is the link itself, a FIFO
/// or device notices nothing.
pub(crate) fn look(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    open(dir, name, OFlag::O_PATH, 0)
}

/// For reading, without waiting for a writer (FIFO) or a holder (lease), and without a
/// terminal becoming this process's own.
pub(crate) fn open_file(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    open(dir, name, flags, 0)
}

/// The directory that a descriptor is the place of, for reading its entries.
pub(crate) fn open_directory(dir: BorrowedFd<'_>) -> Result<OwnedFd> {
    open(dir, c".", OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)
}

/// A regular file that did not exist, for writing.
pub(crate) fn create(dir: BorrowedFd<'_>, name: &CStr, mode: u32) -> Result<OwnedFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOCTTY;
    open(dir, name, flags, mode)
}

/// A regular file without a name, for writing (`O_TMPFILE`). It is gone with its
/// descriptor unless [`link`] gives it a name.
pub(crate) fn create_unnamed(dir: BorrowedFd<'_>, mode: u32) -> Result<OwnedFd> {
    open(dir, c".", OFlag::O_WRONLY | OFlag::O_TMPFILE, mode)
}

/// A new name for an open file; one that exists is an error. By `/proc`, where the kernel
/// (before Linux 6.10) wants CAP_DAC_READ_SEARCH for less: whoever doubts that it is the
/// procfs looks at what has the name now.
pub(crate) fn link(file: BorrowedFd<'_>, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let (fd, dir) = (file.as_raw_fd(), dir.as_raw_fd());
    let empty = libc::AT_EMPTY_PATH;
    // SAFETY: both paths are NUL-terminated.
    let linked = check(unsafe { libc::linkat(fd, c"".as_ptr(), dir, name.as_ptr(), empty) }.into());
    if linked != Err(Errno::ENOENT) {
        return linked.map(drop);
    }
    let path = CString::new(format!("/proc/self/fd/{fd}")).map_err(|_| Errno::EINVAL)?;
    let follow = libc::AT_SYMLINK_FOLLOW;
    // SAFETY: both paths are NUL-terminated.
    check(unsafe { libc::linkat(libc::AT_FDCWD, path.as_ptr(), dir, name.as_ptr(), follow) }.into())
        .map(drop)
}

/// `renameat(2)` within one directory. A link that has one of the names is itself renamed
/// or replaced.
pub(crate) fn rename(dir: BorrowedFd<'_>, from: &CStr, to: &CStr) -> Result<()> {
    let dir = dir.as_raw_fd();
    // SAFETY: both names are NUL-terminated.
    check(unsafe { libc::renameat(dir, from.as_ptr(), dir, to.as_ptr()) }.into()).map(drop)
}

/// A number that nobody can foresee (getrandom(2)). Not by the standard library, which
/// panics where there is none.
pub(crate) fn random() -> Result<u64> {
    let mut number = [0; 8];
    let filled = uninterrupted(|| {
        // SAFETY: pointer and length describe `number`.
        check(
            unsafe { libc::getrandom(number.as_mut_ptr().cast(), number.len(), 0) } as libc::c_long,
        )
    })?;
    match filled {
        8 => Ok(u64::from_ne_bytes(number)),
        _ => Err(Errno::EIO),
    }
}

/// `fchmod(2)`.
pub(crate) fn set_mode(fd: BorrowedFd<'_>, mode: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fchmod(fd.as_raw_fd(), mode) }.into()).map(drop)
}

/// What `getdents64(2)` fills; the kernel writes aligned fields.
#[repr(align(8))]
struct Filled([u8; 8192]);

/// The names in a directory, a buffer at a time.
pub(crate) struct Entries {
    directory: OwnedFd,
    filled: Box<Filled>,
    at: usize,
    end: usize,
}

impl Entries {
    /// Of a directory that was opened for reading.
    pub(crate) fn of(directory: OwnedFd) -> Entries {
        Entries {
            directory,
            filled: Box::new(Filled([0; 8192])),
            at: 0,
            end: 0,
        }
    }

    /// The directory itself.
    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// The next name but `.` and `..`; `None` at the end, which a directory that was
    /// removed has reached.
    pub(crate) fn next(&mut self) -> Result<Option<CString>> {
        loop {
            if self.at == self.end && !self.fill()? {
                return Ok(None);
            }
            let name = self.take().ok_or(Errno::EIO)?;
            if ![c".", c".."].contains(&name.as_c_str()) {
                return Ok(Some(name));
            }
        }
    }

    fn fill(&mut self) -> Result<bool> {
        let fd = self.directory.as_raw_fd();
        let filled = dirent::fill(fd, &mut self.filled.0);
        self.at = 0;
        self.end = match filled {
            Ok(bytes) => bytes,
            Err(Errno::ENOENT) => 0,
            Err(errno) => return Err(errno),
        };
        Ok(self.end > 0)
    }

    fn take(&mut self) -> Option<CString> {
        let (name, length) = dirent::first(self.filled.0.get(self.at..self.end)?)?;
        self.at += length;
        Some(name.to_owned())
    }
}
