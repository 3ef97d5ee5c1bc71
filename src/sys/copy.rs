//! Bytes from one open file to another, and where a file has any. Parent only.
//! They must not decide how much; each call moves at most what it is told, once.

use super::{Result, check};
use std::os::fd::{AsRawFd, BorrowedFd};

/// `copy_file_range(2)` at the position of both files.
pub(crate) fn copy_range(from: BorrowedFd<'_>, to: BorrowedFd<'_>, most: usize) -> Result<usize> {
    let nowhere = std::ptr::null_mut::<libc::loff_t>();
    // SAFETY: without offsets no memory is passed. Raw, because glibc before 2.30 had a
    // form of its own that copied by hand.
    check(unsafe {
        libc::syscall(
            libc::SYS_copy_file_range,
            from.as_raw_fd(),
            nowhere,
            to.as_raw_fd(),
            nowhere,
            most,
            0,
        )
    })
    .map(|bytes| bytes as usize)
}

/// `sendfile(2)` at the position of both files.
pub(crate) fn send(from: BorrowedFd<'_>, to: BorrowedFd<'_>, most: usize) -> Result<usize> {
    // SAFETY: without an offset no memory is passed.
    check(
        unsafe { libc::sendfile(to.as_raw_fd(), from.as_raw_fd(), std::ptr::null_mut(), most) }
            as libc::c_long,
    )
    .map(|bytes| bytes as usize)
}

/// Where the next data begins (`SEEK_DATA`); ENXIO where there is none before the end.
pub(crate) fn next_data(fd: BorrowedFd<'_>, from: u64) -> Result<u64> {
    seek(fd, from, libc::SEEK_DATA)
}

/// Where the next hole begins (`SEEK_HOLE`); the end of the file is one.
pub(crate) fn next_hole(fd: BorrowedFd<'_>, from: u64) -> Result<u64> {
    seek(fd, from, libc::SEEK_HOLE)
}

/// Sets the position from the beginning.
pub(crate) fn seek_to(fd: BorrowedFd<'_>, position: u64) -> Result<()> {
    seek(fd, position, libc::SEEK_SET).map(drop)
}

fn seek(fd: BorrowedFd<'_>, position: u64, whence: libc::c_int) -> Result<u64> {
    let position = i64::try_from(position).map_err(|_| super::Errno::EOVERFLOW)?;
    // SAFETY: no memory is passed.
    let found = unsafe { libc::lseek64(fd.as_raw_fd(), position, whence) };
    u64::try_from(found).map_err(|_| super::Errno::last())
}

/// `ftruncate(2)`: the length of the file.
pub(crate) fn set_length(fd: BorrowedFd<'_>, length: u64) -> Result<()> {
    let length = i64::try_from(length).map_err(|_| super::Errno::EFBIG)?;
    // SAFETY: no memory is passed.
    check(unsafe { libc::ftruncate64(fd.as_raw_fd(), length) }.into()).map(drop)
}
