//! Takes over a descriptor that the caller of this process left open.
//! It must not leave the original open across an exec, and closes nothing.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// A duplicate of descriptor `number`, which may be written to; both are
/// close-on-exec from here on. Parent only.
///
/// # Errors
/// EBADF when `number` is closed, names no file that can be written, or is one
/// of the standard streams (they belong to the program).
pub fn inherited_writable_fd(number: RawFd) -> io::Result<OwnedFd> {
    let bad = || io::Error::from_raw_os_error(libc::EBADF);
    if number <= libc::STDERR_FILENO {
        return Err(bad());
    }
    // SAFETY: F_GETFL takes no pointer; a closed number is an error of the kernel's.
    let flags = result(unsafe { libc::fcntl(number, libc::F_GETFL) })?;
    if flags & libc::O_PATH != 0 || flags & libc::O_ACCMODE == libc::O_RDONLY {
        return Err(bad());
    }
    // SAFETY: F_SETFD takes an int; it touches only the flag of an open descriptor.
    result(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: F_DUPFD_CLOEXEC takes an int and makes a new descriptor.
    let copy =
        result(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, libc::STDERR_FILENO + 1) })?;
    // SAFETY: the kernel has just made `copy`; nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Is descriptor `number` open? To be asked before this process opens files of
/// its own, which could take the number.
pub fn is_inherited_fd(number: RawFd) -> bool {
    super::fd::is_open(number)
}

fn result(value: libc::c_int) -> io::Result<libc::c_int> {
    match value {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;

    #[test]
    fn the_copy_writes_where_the_original_does() {
        let (mut reader, writer) = io::pipe().unwrap();
        let copy = inherited_writable_fd(writer.as_raw_fd()).unwrap();
        assert!(copy.as_raw_fd() > libc::STDERR_FILENO);
        drop(writer);
        File::from(copy).write_all(b"x").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let (reader, _writer) = io::pipe().unwrap();
        for number in [-1, 0, 1, 2, 1_000_000, reader.as_raw_fd()] {
            let error = inherited_writable_fd(number).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{number}");
        }
    }
}
