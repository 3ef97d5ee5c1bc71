//! Bytes that the program is given to read, from this process's memory.
//!
//! It must not wait for a program that does not read them, nor mind one that never does.

use super::flow::Wanted;
use crate::sys::{Errno, fd};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// One pipe into the sandbox.
pub(super) struct Feed {
    /// Gone when all was written, or nobody reads any more: the program's end of file.
    to: Option<OwnedFd>,
    bytes: Arc<[u8]>,
    written: usize,
}

impl Feed {
    /// `to` is a pipe that nobody but us writes into.
    pub(super) fn new(to: OwnedFd, bytes: Arc<[u8]>) -> Result<Feed, Errno> {
        fd::set_nonblocking(to.as_raw_fd())?;
        Ok(Feed {
            to: (!bytes.is_empty()).then_some(to),
            bytes,
            written: 0,
        })
    }

    /// What to poll for; `None` when there is nothing left to do.
    pub(super) fn wants(&self) -> Option<Wanted> {
        let to = self.to.as_ref()?;
        Some((to.as_raw_fd(), libc::POLLOUT))
    }

    /// Writes what fits.
    pub(super) fn step(&mut self) -> Result<(), Errno> {
        let Some(to) = &self.to else { return Ok(()) };
        let rest = self.bytes.get(self.written..).unwrap_or(&[]);
        match fd::write(to.as_raw_fd(), rest) {
            Ok(bytes) => self.written += bytes,
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // The program reads no more, which is its own affair.
            Err(Errno::EPIPE) => self.stop(),
            Err(errno) => return Err(errno),
        }
        if self.written >= self.bytes.len() {
            self.stop();
        }
        Ok(())
    }

    /// Writes no more.
    pub(super) fn stop(&mut self) {
        self.to = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn everything_comes_and_then_the_end_and_nobody_waits() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let bytes: Arc<[u8]> = vec![7; 200_000].into();
        let mut feed = Feed::new(writer.into(), bytes).unwrap();
        // Nobody reads yet: it comes back all the same.
        for _ in 0..100 {
            feed.step().unwrap();
        }
        assert!(feed.wants().is_some());
        let reading = std::thread::spawn(move || {
            let mut seen = Vec::new();
            reader.read_to_end(&mut seen).map(|_| seen)
        });
        while feed.wants().is_some() {
            feed.step().unwrap();
        }
        assert!(reading.join().unwrap().unwrap() == [7; 200_000]);
    }

    #[test]
    fn a_program_that_does_not_read_is_no_error() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut feed = Feed::new(writer.into(), vec![7; 200_000].into()).unwrap();
        drop(reader);
        feed.step().unwrap();
        assert_eq!(feed.wants(), None);
        let (_reader, writer) = std::io::pipe().unwrap();
        let nothing = Feed::new(writer.into(), Vec::new().into()).unwrap();
        assert_eq!(nothing.wants(), None);
    }
}
