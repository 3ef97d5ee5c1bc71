//! One direction between two programs: bytes from the one's pipe into the other's, in
//! steps that do not block and with a buffer that does not grow.
//!
//! It never breaks the writer's pipe. When nobody reads any more, the rest is read and
//! thrown away: a solution must not die of SIGPIPE because the interactor has made up
//! its mind.

use crate::supervise::Wanted;
use crate::sys::{Errno, fd};
use std::os::fd::{AsRawFd, OwnedFd};

/// As much as a pipe holds by default (pipe(7)).
const BUFFER_BYTES: usize = 64 * 1024;

/// Both ends are this process's own and do not block.
#[derive(Debug)]
pub(super) struct Lane {
    /// Gone at the writer's end.
    from: Option<OwnedFd>,
    /// Gone when there is nothing more to write, or nobody who reads.
    to: Option<OwnedFd>,
    /// Read and not yet written: `buffer[start..end]`.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    passed: u64,
    drained: u64,
}

impl Lane {
    pub(super) fn new(from: OwnedFd, to: OwnedFd) -> Result<Lane, Errno> {
        let own = |fd| {
            let fd = fd::above_stdio(fd)?;
            fd::set_nonblocking(fd.as_raw_fd())?;
            Ok(fd)
        };
        Ok(Lane {
            from: Some(own(from)?),
            to: Some(own(to)?),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            passed: 0,
            drained: 0,
        })
    }

    /// What to poll for; `None` when it is over.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        if self.is_pending() {
            return self.to.as_ref().map(|to| (to.as_raw_fd(), libc::POLLOUT));
        }
        let from = self.from.as_ref();
        from.map(|from| (from.as_raw_fd(), libc::POLLIN))
    }

    /// Moves what can be moved now; `heard` is told what was read.
    pub(super) fn pump(&mut self, mut heard: impl FnMut(&[u8])) -> Result<(), Errno> {
        if !self.is_pending() && self.read()? {
            heard(self.buffer.get(self.start..self.end).unwrap_or_default());
        }
        // At once: the reader is most likely waiting for it.
        self.write()?;
        if self.from.is_none() && !self.is_pending() {
            // The end of file goes on as soon as everything before it has.
            self.to = None;
        }
        Ok(())
    }

    /// Everybody is dead: what has nothing to say now never will.
    pub(super) fn give_up(&mut self) {
        self.drained += (self.end - self.start) as u64;
        (self.start, self.end) = (0, 0);
        (self.from, self.to) = (None, None);
    }

    /// Bytes that went on to the reader, and bytes that nobody was there to read.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.passed, self.drained)
    }

    fn is_pending(&self) -> bool {
        self.start < self.end
    }

    /// Was something read?
    fn read(&mut self) -> Result<bool, Errno> {
        let Some(from) = &self.from else {
            return Ok(false);
        };
        match fd::read(from, &mut self.buffer) {
            Ok(0) => self.from = None,
            Ok(bytes) => {
                (self.start, self.end) = (0, bytes);
                return Ok(true);
            }
            Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(errno),
        }
        Ok(false)
    }

    fn write(&mut self) -> Result<(), Errno> {
        while self.is_pending() {
            let part = self.buffer.get(self.start..self.end).unwrap_or_default();
            let Some(to) = &self.to else {
                self.drained += part.len() as u64;
                self.start = self.end;
                break;
            };
            match fd::write(to.as_raw_fd(), part) {
                Ok(bytes) => {
                    self.passed += bytes as u64;
                    self.start += bytes;
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE) => self.to = None,
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{PipeReader, PipeWriter, Read, Write};

    fn lane() -> (PipeWriter, Lane, PipeReader) {
        let (from, writer) = std::io::pipe().unwrap();
        let (reader, to) = std::io::pipe().unwrap();
        (writer, Lane::new(from.into(), to.into()).unwrap(), reader)
    }

    #[test]
    fn what_is_written_arrives_and_the_end_after_it() {
        let (mut writer, mut lane, mut reader) = lane();
        writer.write_all(b"one").unwrap();
        let mut heard = Vec::new();
        lane.pump(|bytes| heard.extend(bytes)).unwrap();
        drop(writer);
        lane.pump(|_| panic!("nothing was said")).unwrap();
        assert_eq!(lane.wanted(), None);
        let mut text = String::new();
        // Ends although the lane is still there: its end of the pipe is closed.
        reader.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), heard.as_slice()), ("one", &b"one"[..]));
        assert_eq!(lane.counts(), (3, 0));
    }

    #[test]
    fn what_nobody_reads_is_drained_and_the_writer_goes_on() {
        let (mut writer, mut lane, reader) = lane();
        drop(reader);
        for _ in 0..10 {
            writer.write_all(&[7; 50_000]).unwrap();
            lane.pump(|bytes| assert_eq!(bytes.len(), 50_000)).unwrap();
        }
        assert_eq!(lane.counts(), (0, 500_000));
        drop(writer);
        lane.pump(|_| ()).unwrap();
        assert_eq!(lane.wanted(), None);
    }

    #[test]
    fn a_reader_that_sleeps_stops_the_reading_and_loses_nothing() {
        let (mut writer, mut lane, mut reader) = lane();
        fd::set_nonblocking(writer.as_raw_fd()).unwrap();
        let mut written = 0;
        loop {
            match writer.write(&[7; 4096]) {
                Ok(bytes) => written += bytes,
                // Both pipes and the buffer are full, and no more is taken.
                Err(_) if matches!(lane.wanted(), Some((_, libc::POLLOUT))) => break,
                Err(_) => lane.pump(|_| ()).unwrap(),
            }
        }
        assert!(written < 4 * BUFFER_BYTES, "{written}");
        drop(writer);
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all.len()
        });
        while lane.wanted().is_some() {
            lane.pump(|_| ()).unwrap();
        }
        assert_eq!(reading.join().unwrap(), written);
        assert_eq!(lane.counts(), (written as u64, 0));
    }

    #[test]
    fn what_is_on_its_way_when_the_reader_leaves_is_drained() {
        let (mut writer, mut lane, reader) = lane();
        fd::set_nonblocking(writer.as_raw_fd()).unwrap();
        while !matches!(lane.wanted(), Some((_, libc::POLLOUT))) {
            let _ = writer.write(&[7; 4096]);
            lane.pump(|_| ()).unwrap();
        }
        let passed = lane.counts().0;
        drop(reader);
        lane.pump(|_| ()).unwrap();
        let (still, drained) = lane.counts();
        assert_eq!(still, passed);
        assert!(drained > 0);
        assert!(matches!(lane.wanted(), Some((_, libc::POLLIN))));
    }
}
