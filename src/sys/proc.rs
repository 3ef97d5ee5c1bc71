//! Reading a procfs by descriptor: who is there, and what a file says line by line.
//! Child-safe: buffers are on the stack, nothing is allocated.

use super::{Errno, Result, check, dirent, fd};
use std::ffi::CStr;
use std::os::fd::RawFd;

/// Calls `each` with every process that the procfs shows.
pub(crate) fn each_process(procfs: RawFd, mut each: impl FnMut(u32) -> Result<()>) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::lseek(procfs, 0, libc::SEEK_SET) })?;
    let mut buffer = Entries([0; 4096]);
    loop {
        let bytes = dirent::fill(procfs, &mut buffer.0)?;
        if bytes == 0 {
            return Ok(());
        }
        let mut rest = buffer.0.get(..bytes).unwrap_or_default();
        while !rest.is_empty() {
            let (name, length) = dirent::first(rest).ok_or(Errno::EIO)?;
            if let Some(pid) = digits(name.to_bytes()) {
                each(pid)?;
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

#[repr(align(8))]
struct Entries([u8; 4096]);

/// The number that a name is.
fn digits(name: &[u8]) -> Option<u32> {
    if name.is_empty() {
        return None;
    }
    name.iter().try_fold(0u32, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

/// A file of a process, open for reading; the caller closes it.
///
/// # Errors
/// ENOENT or ESRCH when the process is gone, EACCES when it may not be looked at.
pub(crate) fn open(procfs: RawFd, pid: u32, name: &CStr) -> Result<RawFd> {
    let mut path = [0u8; 48];
    let mut at = path.len();
    let mut put = |byte: u8| -> Result<()> {
        at = at.checked_sub(1).ok_or(Errno::ENAMETOOLONG)?;
        *path.get_mut(at).ok_or(Errno::ENAMETOOLONG)? = byte;
        Ok(())
    };
    for byte in name.to_bytes_with_nul().iter().rev() {
        put(*byte)?;
    }
    put(b'/')?;
    let mut number = pid;
    loop {
        put(b'0' + (number % 10) as u8)?;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let path = path.get(at..).unwrap_or_default();
    let path = CStr::from_bytes_with_nul(path).map_err(|_| Errno::EINVAL)?;
    fd::open_beneath(procfs, path)
}

/// Calls `each` with every line of an open file; of a long one with its beginning.
pub(crate) fn each_line(file: RawFd, mut each: impl FnMut(&[u8])) -> Result<()> {
    let mut chunk = [0u8; 2048];
    let mut line = [0u8; 256];
    let mut filled = 0;
    loop {
        let bytes = fd::read(&file, &mut chunk)?;
        let Some(read) = chunk.get(..bytes).filter(|read| !read.is_empty()) else {
            each(line.get(..filled).unwrap_or_default());
            return Ok(());
        };
        for byte in read {
            if *byte == b'\n' {
                each(line.get(..filled).unwrap_or_default());
                filled = 0;
            } else if let Some(place) = line.get_mut(filled) {
                *place = *byte;
                filled += 1;
            }
        }
    }
}

/// The first number after the name of a line: `RssAnon:     128 kB` is 128.
pub(crate) fn field(line: &[u8], name: &[u8]) -> Option<u64> {
    number(line.strip_prefix(name)?)
}

/// The first number of a text that begins with it, after blanks.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    text.get(..length)?.iter().try_fold(0u64, |number, digit| {
        let digit = u64::from(digit - b'0');
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn this_process_is_listed_and_can_be_looked_at() {
        let procfs = std::fs::File::open("/proc").unwrap();
        let own = std::process::id();
        let mut found = 0;
        each_process(procfs.as_raw_fd(), |pid| {
            found += usize::from(pid == own);
            Ok(())
        })
        .unwrap();
        assert_eq!(found, 1);
        let status = open(procfs.as_raw_fd(), own, c"status").unwrap();
        let mut pid = None;
        each_line(status, |line| pid = pid.or(field(line, b"Pid:"))).unwrap();
        fd::close(status);
        assert_eq!(pid, Some(u64::from(own)));
        let gone = open(procfs.as_raw_fd(), u32::MAX, c"status");
        assert_eq!(gone, Err(Errno::ENOENT));
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(digits(b"42"), Some(42));
        for name in [&b"self"[..], b"", b"4x", b"99999999999"] {
            assert_eq!(digits(name), None, "{name:?}");
        }
        assert_eq!(field(b"RssAnon:\t  128 kB", b"RssAnon:"), Some(128));
        assert_eq!(field(b"RssFile:\t  128 kB", b"RssAnon:"), None);
        assert_eq!(number(b"  18446744073709551616"), None);
        assert_eq!(number(b" x"), None);
    }
}
