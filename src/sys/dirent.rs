//! Reading a directory by descriptor (getdents64(2)). Child-safe: it fills the caller's
//! buffer and allocates nothing.

use super::{Result, check, uninterrupted};
use std::ffi::CStr;
use std::os::fd::RawFd;

/// Fills the buffer, which is aligned for the records, with the next entries; how many
/// bytes, 0 at the end.
pub(super) fn fill(directory: RawFd, buffer: &mut [u8]) -> Result<usize> {
    let (place, room) = (buffer.as_mut_ptr(), buffer.len());
    uninterrupted(|| {
        // SAFETY: pointer and length describe the buffer.
        check(unsafe { libc::syscall(libc::SYS_getdents64, directory, place, room) })
    })
    .map(|bytes| bytes as usize)
}

/// The name of the first entry, and where the next begins. One `struct linux_dirent64`:
/// inode and offset (8 bytes each), length (2), type (1), and the name up to its NUL.
pub(super) fn first(entries: &[u8]) -> Option<(&CStr, usize)> {
    let length = u16::from_ne_bytes(entries.get(16..18)?.try_into().ok()?);
    let name = CStr::from_bytes_until_nul(entries.get(19..length.into())?).ok()?;
    Some((name, length.into()))
}
