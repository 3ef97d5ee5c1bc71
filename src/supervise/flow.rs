//! Bytes on their way from one descriptor to another, in steps that do not block:
//! a reader that sleeps must not make `sandbox` deaf to signals and limits.
//!
//! It does not decide how many bytes may pass; whoever steps it does.

use crate::sys::{Errno, fd};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

const BUFFER_BYTES: usize = 64 * 1024;

/// A write of this much to a pipe that poll calls writable does not block
/// (PIPE_BUF, pipe(7)). Where the reader's descriptors are is not ours to know,
/// so they cannot be made non-blocking: that would change them for their owner.
const CHUNK_BYTES: usize = 4096;

/// A descriptor and what is wanted of it, as in `poll(2)`.
pub(crate) type Wanted = (RawFd, libc::c_short);

/// One direction.
pub(super) struct Flow {
    /// Gone at its end, or when nobody reads any more.
    from: Option<Arc<OwnedFd>>,
    to: Option<Arc<OwnedFd>>,
    /// Read and not yet written: `buffer[start..end]`.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What a step met.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// Nothing of note.
    Bytes,
    /// The source's end.
    End,
    /// Nobody reads what we write.
    Broken,
    /// Bytes may be lost, and nobody but us can say so.
    Failed(Errno),
}

impl Flow {
    pub(super) fn new(from: Arc<OwnedFd>, to: Arc<OwnedFd>) -> Flow {
        Flow {
            from: Some(from),
            to: Some(to),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// What to poll for; `None` when there is nothing left to do.
    pub(super) fn wants(&self) -> Option<Wanted> {
        if self.is_pending() {
            return self.to.as_ref().map(|to| (to.as_raw_fd(), libc::POLLOUT));
        }
        self.from
            .as_ref()
            .map(|from| (from.as_raw_fd(), libc::POLLIN))
    }

    /// Is there something that was read and is not written?
    pub(super) fn is_pending(&self) -> bool {
        self.start < self.end
    }

    /// Does what [`Flow::wants`] asked for, once it is ready. `admit` says how many
    /// of the bytes just read may pass; the rest is thrown away.
    pub(super) fn step(&mut self, admit: impl FnOnce(usize) -> usize) -> Met {
        if self.is_pending() {
            return self.write();
        }
        let Some(from) = &self.from else {
            return Met::End;
        };
        match fd::read(from.as_ref(), &mut self.buffer) {
            // EIO: the last process that had a pty's other end is gone. EBADF: it was
            // handed to us for writing only, and says nothing.
            Ok(0) | Err(Errno::EIO | Errno::EBADF) => self.stop_reading(),
            Ok(bytes) => {
                (self.start, self.end) = (0, admit(bytes).min(bytes));
                Met::Bytes
            }
            Err(Errno::EINTR | Errno::EAGAIN) => Met::Bytes,
            Err(errno) => Met::Failed(errno),
        }
    }

    /// Adds bytes that nobody sent, if none are on their way.
    pub(super) fn inject(&mut self, bytes: &[u8]) {
        if let (false, Some(place)) = (self.is_pending(), self.buffer.get_mut(..bytes.len())) {
            place.copy_from_slice(bytes);
            (self.start, self.end) = (0, bytes.len());
        }
    }

    /// Reads no more; what is on its way still goes on.
    pub(super) fn stop_reading(&mut self) -> Met {
        self.from = None;
        Met::End
    }

    /// Closes the target once nothing more comes: whoever reads there learns it now, and
    /// not when the program ends.
    pub(super) fn close_at_end(&mut self) {
        if self.from.is_none() && !self.is_pending() {
            self.to = None;
        }
    }

    /// Reads no more, and throws away what is on its way.
    pub(super) fn abandon(&mut self) {
        (self.from, self.to) = (None, None);
        (self.start, self.end) = (0, 0);
    }

    /// Is this the last byte on its way?
    pub(super) fn ends_with(&self, byte: u8) -> bool {
        self.buffer.get(self.start..self.end).and_then(<[u8]>::last) == Some(&byte)
    }

    fn write(&mut self) -> Met {
        let Some(to) = &self.to else {
            return Met::Broken;
        };
        let end = self.end.min(self.start + CHUNK_BYTES);
        let part = self.buffer.get(self.start..end).unwrap_or(&[]);
        match fd::write(to.as_raw_fd(), part) {
            Ok(bytes) => self.start += bytes,
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            // A pipe without a reader, a terminal that hung up, a descriptor that
            // was handed to us for reading only.
            Err(Errno::EPIPE | Errno::EIO | Errno::EBADF | Errno::ECONNRESET) => {
                // Closing our end of the source as well: the writer learns it the
                // way it would without us between.
                self.abandon();
                return Met::Broken;
            }
            Err(errno) => return Met::Failed(errno),
        }
        Met::Bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn ready(flow: &Flow) -> bool {
        let Some((fd, events)) = flow.wants() else {
            return false;
        };
        let mut fds = [libc::pollfd {
            fd,
            events,
            revents: 0,
        }];
        crate::sys::process::poll(&mut fds, Some(0)).unwrap();
        fds[0].revents != 0
    }

    #[test]
    fn a_reader_that_sleeps_blocks_nothing_and_gets_everything() {
        let (from, mut source) = std::io::pipe().unwrap();
        let (mut sink, to) = std::io::pipe().unwrap();
        let mut flow = Flow::new(Arc::new(from.into()), Arc::new(to.into()));
        let writer = std::thread::spawn(move || source.write_all(&[7; 300_000]).unwrap());
        let mut seen = 0;
        let mut buffer = vec![0; 1 << 20];
        while flow.wants().is_some() {
            if ready(&flow) {
                flow.step(|bytes| bytes);
            } else if flow.is_pending() {
                // Full: only now does the reader wake up.
                seen += sink.read(&mut buffer).unwrap();
            }
        }
        drop(flow);
        writer.join().unwrap();
        seen += sink.read_to_end(&mut buffer).unwrap();
        assert_eq!(seen, 300_000);
    }

    #[test]
    fn a_reader_that_is_gone_breaks_the_writers_pipe() {
        let (from, mut source) = std::io::pipe().unwrap();
        let (sink, to) = std::io::pipe().unwrap();
        let mut flow = Flow::new(Arc::new(from.into()), Arc::new(to.into()));
        drop(sink);
        source.write_all(b"x").unwrap();
        assert_eq!(flow.step(|bytes| bytes), Met::Bytes);
        assert_eq!(flow.step(|bytes| bytes), Met::Broken);
        assert_eq!(flow.wants(), None);
        let error = source.write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }
}
