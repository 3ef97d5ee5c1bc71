//! The bytes of one file: from an open source to memory, to a new file, or to a descriptor.
//! It must never move more than it was told, whatever the file becomes meanwhile, nor keep
//! more than a buffer (and what is wanted in memory) at a time.

use super::error::Problem;
use crate::sys::{self, Errno, copy, fd, process};
use std::os::fd::{AsRawFd, BorrowedFd};

/// What the slow way moves at a time.
const BUFFER: usize = 64 * 1024;

/// What the kernel is asked to move in one call: a call that a signal can end soon.
const CHUNK: u64 = 8 * 1024 * 1024;

/// Where the bytes go.
pub(super) enum Sink<'a> {
    Memory(&'a mut Vec<u8>),
    /// A new, empty, regular file: holes stay holes.
    New(BorrowedFd<'a>),
    /// Whatever the caller gave, at its position.
    Given(BorrowedFd<'a>),
}

/// On which end it failed.
#[derive(Debug, PartialEq)]
pub(super) enum Broken {
    Reading(Problem),
    Writing(Problem),
}

fn reading(errno: Errno) -> Broken {
    Broken::Reading(errno.into())
}

fn writing(errno: Errno) -> Broken {
    Broken::Writing(errno.into())
}

/// Copies from the position of `from` to its end, at most `most` bytes; the number.
pub(super) fn pour(
    from: BorrowedFd<'_>,
    regular: bool,
    sink: Sink<'_>,
    most: u64,
) -> Result<u64, Broken> {
    match sink {
        Sink::Memory(bytes) => into_memory(from, bytes, most),
        Sink::New(to) if regular => keeping_holes(from, to, most),
        Sink::New(to) | Sink::Given(to) => in_order(from, to, most),
    }
}

/// Is there another byte? Takes it.
pub(super) fn more(from: BorrowedFd<'_>) -> Result<bool, Broken> {
    read(from, &mut [0]).map(|bytes| bytes > 0)
}

fn into_memory(from: BorrowedFd<'_>, bytes: &mut Vec<u8>, most: u64) -> Result<u64, Broken> {
    let mut buffer = vec![0; BUFFER];
    let mut copied = 0;
    loop {
        let read = read(from, within(&mut buffer, most - copied))?;
        if read == 0 {
            return Ok(copied);
        }
        bytes
            .try_reserve(read)
            .map_err(|_| writing(Errno::ENOMEM))?;
        bytes.extend(buffer.iter().take(read));
        copied += read as u64;
    }
}

/// Data is copied, holes are skipped: a terabyte of nothing costs nothing.
fn keeping_holes(from: BorrowedFd<'_>, to: BorrowedFd<'_>, most: u64) -> Result<u64, Broken> {
    let mut at = 0;
    while at < most {
        let data = match copy::next_data(from, at) {
            Ok(data) => data.min(most),
            // A hole up to the end, or a file that has shrunk to less than `at`.
            Err(Errno::ENXIO) => {
                let size = fd::stat(from.as_raw_fd()).map_err(reading)?.st_size;
                at = at.max(u64::try_from(size).unwrap_or(0)).min(most);
                break;
            }
            // Without holes all is data.
            Err(_) => return in_order(from, to, most),
        };
        let hole = match copy::next_hole(from, data) {
            Ok(hole) => hole.min(most),
            Err(Errno::ENXIO) => data,
            Err(_) => return in_order(from, to, most),
        };
        copy::seek_to(from, data).map_err(reading)?;
        copy::seek_to(to, data).map_err(writing)?;
        let copied = in_order(from, to, hole - data)?;
        at = data + copied;
        if copied < hole - data || copied == 0 {
            break;
        }
    }
    // The file ends where the last hole does.
    copy::set_length(to, at).map_err(writing)?;
    copy::seek_to(from, at).map_err(reading)?;
    Ok(at)
}

/// How the kernel is asked, best first. What it does not offer for these two files,
/// the next one does; the last one always can, and gives the true error.
#[derive(Clone, Copy)]
enum Way {
    CopyRange,
    Send,
    Buffer,
}

/// Byte after byte, holes as zeros.
fn in_order(from: BorrowedFd<'_>, to: BorrowedFd<'_>, most: u64) -> Result<u64, Broken> {
    let mut way = Way::CopyRange;
    let mut buffer = Vec::new();
    let mut copied = 0;
    while copied < most {
        let chunk = (most - copied).min(CHUNK) as usize;
        let moved = match way {
            Way::CopyRange => fast(copy::copy_range(from, to, chunk), &mut way, Way::Send),
            Way::Send => fast(copy::send(from, to, chunk), &mut way, Way::Buffer),
            Way::Buffer => {
                buffer.resize(BUFFER, 0);
                let part = within(&mut buffer, most - copied);
                let read = read(from, part)?;
                if read == 0 {
                    return Ok(copied);
                }
                fd::write_all(to.as_raw_fd(), &part[..read]).map_err(writing)?;
                read
            }
        };
        copied += moved as u64;
    }
    Ok(copied)
}

/// What a fast call moved. Nothing may be the end, or a file that only read(2) can read
/// (`/proc` has such): the next way knows.
fn fast(moved: sys::Result<usize>, way: &mut Way, next: Way) -> usize {
    match moved {
        Ok(moved) if moved > 0 => return moved,
        Ok(_) => *way = Way::Buffer,
        Err(Errno::EINTR) => {}
        Err(_) => *way = next,
    }
    0
}

/// Reads once; waits where a non-blocking descriptor has nothing yet.
fn read(from: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Broken> {
    loop {
        match fd::read(&from, buffer) {
            Ok(bytes) => return Ok(bytes),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut polled = [process::polled(from.as_raw_fd(), libc::POLLIN)];
                process::poll(&mut polled, None).map_err(reading)?;
            }
            Err(errno) => return Err(reading(errno)),
        }
    }
}

/// The beginning of the buffer, no longer than that.
fn within(buffer: &mut [u8], most: u64) -> &mut [u8] {
    let length = usize::try_from(most)
        .unwrap_or(usize::MAX)
        .min(buffer.len());
    &mut buffer[..length]
}
