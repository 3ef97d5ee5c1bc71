//! Reads a file of `/proc` whole. The standard library asks for its size, which is 0, and
//! then reads 32 bytes, and 32 more, and 64. Parent only.

use super::{Result, fd};
use std::ffi::CStr;

/// More than most such files have.
const CHUNK: usize = 8192;

/// Everything in the file. The path is followed: `/proc/self` is a link.
pub(crate) fn read(path: &CStr) -> Result<Vec<u8>> {
    // No openat2(2): an audit reads inside too, where the filter has none.
    let file = fd::own(fd::open_read(path)?);
    let mut text = Vec::new();
    let mut end = 0;
    loop {
        // The kernel gives whole lines, and so less than there is room for: only 0 is the end.
        if text.len() - end < CHUNK / 2 {
            text.resize(end + CHUNK, 0);
        }
        let room = text.get_mut(end..).unwrap_or_default();
        match fd::read(&file, room)? {
            0 => break,
            bytes => end += bytes,
        }
    }
    text.truncate(end);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_standard_library_reads() {
        let path = std::env::temp_dir().join(format!("whole-{}", std::process::id()));
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK] {
            let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            assert!(read(&name).unwrap() == bytes, "{length}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(&name), Err(crate::sys::Errno::ENOENT));
        let status = read(c"/proc/self/status").unwrap();
        assert!(status.starts_with(b"Name:") && status.ends_with(b"\n"));
    }
}
