//! Bytes on their way from one descriptor to another, or into memory, in steps that
//! do not block: a reader that sleeps must not make `sandbox` deaf to signals and
//! limits.
//!
//! It does not decide how many bytes may pass; whoever steps it does.

use crate::sys::splice::{self, Kind};
use crate::sys::{Errno, fd};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

const BUFFER_BYTES: usize = 64 * 1024;

/// A write of this much to a pipe that poll calls writable does not block
/// (PIPE_BUF, pipe(7)). Where the reader's descriptors are is not ours to know,
/// so they cannot be made non-blocking: that would change them for their owner.
const CHUNK_BYTES: usize = 4096;

/// More than a pipe holds: one call takes what there is.
const SPLICE_BYTES: usize = 1 << 20;

/// A descriptor and what is wanted of it, as in `poll(2)`.
pub(crate) type Wanted = (RawFd, libc::c_short);

/// One direction.
pub(super) struct Flow {
    /// Gone at its end, or when nobody reads any more.
    from: Option<Arc<OwnedFd>>,
    to: To,
    way: Way,
    /// A splice found no room: the source has something, and waits for the target.
    full: bool,
    /// Read and not yet written: `buffer[start..end]`. Made when it is needed.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// Where bytes go.
enum To {
    Fd(Arc<OwnedFd>),
    Memory(Vec<u8>),
    /// Nobody reads any more.
    Nobody,
}

/// How they get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From pipe to pipe, without passing through this process.
    Splice,
    /// Read, and written in pieces of at most so many bytes.
    Copy(usize),
}

/// What a step met.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// So many bytes were taken from the source, of which as many as there was room
    /// for are passed on or on their way.
    Bytes(u64),
    /// The source's end.
    End,
    /// Nobody reads what we write; so many bytes were on their way.
    Broken(u64),
    /// Bytes may be lost, and nobody but us can say so.
    Failed(Errno),
}

impl Flow {
    pub(super) fn new(from: Arc<OwnedFd>, to: Arc<OwnedFd>) -> Flow {
        let kind = |fd: &OwnedFd| splice::kind(fd.as_raw_fd()).unwrap_or(Kind::Other);
        let way = match (kind(&from), kind(&to)) {
            (Kind::Pipe, Kind::Pipe) => Way::Splice,
            (_, Kind::File) => Way::Copy(BUFFER_BYTES),
            _ => Way::Copy(CHUNK_BYTES),
        };
        Flow::of(from, To::Fd(to), way)
    }

    /// Into this process's memory.
    pub(super) fn into_memory(from: Arc<OwnedFd>) -> Flow {
        Flow::of(from, To::Memory(Vec::new()), Way::Copy(BUFFER_BYTES))
    }

    fn of(from: Arc<OwnedFd>, to: To, way: Way) -> Flow {
        Flow {
            from: Some(from),
            to,
            way,
            full: false,
            buffer: Vec::new(),
            start: 0,
            end: 0,
        }
    }

    /// What to poll for, where so many bytes may pass; `None` when there is nothing
    /// left to do.
    pub(super) fn wants(&self, room: u64) -> Option<Wanted> {
        let from = self.from.as_ref();
        match &self.to {
            To::Fd(to) if self.is_pending(room) => Some((to.as_raw_fd(), libc::POLLOUT)),
            _ => from.map(|from| (from.as_raw_fd(), libc::POLLIN)),
        }
    }

    /// Is there something that has to be written before anything else is read?
    pub(super) fn is_pending(&self, room: u64) -> bool {
        // What may not pass needs no room in the target.
        self.start < self.end || (self.full && room > 0 && self.from.is_some())
    }

    /// Does what [`Flow::wants`] asked for, once it is ready. At most `room` of the
    /// bytes taken pass; the rest is thrown away.
    pub(super) fn step(&mut self, room: u64) -> Met {
        if self.start < self.end {
            return self.write();
        }
        let Some(from) = &self.from else {
            return Met::End;
        };
        let from = from.as_raw_fd();
        match &self.to {
            To::Fd(to) if self.way == Way::Splice && room > 0 => {
                let to = to.as_raw_fd();
                self.splice(from, to, room)
            }
            _ => self.read(from, room),
        }
    }

    fn splice(&mut self, from: RawFd, to: RawFd, room: u64) -> Met {
        let most = usize::try_from(room).map_or(SPLICE_BYTES, |room| room.min(SPLICE_BYTES));
        let was_full = std::mem::take(&mut self.full);
        match splice::splice(from, to, most) {
            Ok(0) => self.stop_reading(),
            Ok(bytes) => Met::Bytes(bytes as u64),
            Err(Errno::EAGAIN) => {
                // The one was empty or the other full: the one that was not waited for.
                self.full = !was_full;
                Met::Bytes(0)
            }
            Err(Errno::EINTR) => Met::Bytes(0),
            Err(Errno::EPIPE) => self.broken(),
            // Nothing was moved: a filter around this process may refuse the call.
            Err(_) => {
                self.way = Way::Copy(CHUNK_BYTES);
                Met::Bytes(0)
            }
        }
    }

    fn read(&mut self, from: RawFd, room: u64) -> Met {
        self.buffer.resize(BUFFER_BYTES, 0);
        match fd::read(&from, &mut self.buffer) {
            // EIO: the last process that had a pty's other end is gone. EBADF: it was
            // handed to us for writing only, and says nothing.
            Ok(0) | Err(Errno::EIO | Errno::EBADF) => self.stop_reading(),
            Ok(bytes) => {
                let passed = usize::try_from(room).map_or(bytes, |room| room.min(bytes));
                match &mut self.to {
                    To::Fd(_) => (self.start, self.end) = (0, passed),
                    To::Memory(kept) => kept.extend(self.buffer.iter().take(passed)),
                    To::Nobody => {}
                }
                Met::Bytes(bytes as u64)
            }
            Err(Errno::EINTR | Errno::EAGAIN) => Met::Bytes(0),
            Err(errno) => Met::Failed(errno),
        }
    }

    /// Adds bytes that nobody sent, if none are on their way.
    pub(super) fn inject(&mut self, bytes: &[u8]) {
        if self.start == self.end {
            self.buffer.resize(BUFFER_BYTES, 0);
            if let Some(place) = self.buffer.get_mut(..bytes.len()) {
                place.copy_from_slice(bytes);
                (self.start, self.end) = (0, bytes.len());
            }
        }
    }

    /// Reads no more; what is on its way still goes on.
    pub(super) fn stop_reading(&mut self) -> Met {
        self.from = None;
        Met::End
    }

    /// Reads no more, and says how much was left to read.
    pub(super) fn cut(&mut self) -> u64 {
        let from = self.from.take();
        from.map_or(0, |from| splice::waiting(from.as_raw_fd()).unwrap_or(0))
    }

    /// Closes the target once nothing more comes.
    pub(super) fn close_at_end(&mut self) {
        if self.from.is_none() && self.start == self.end && matches!(self.to, To::Fd(_)) {
            self.to = To::Nobody;
        }
    }

    /// Reads no more, and throws away what is on its way.
    pub(super) fn abandon(&mut self) {
        self.from = None;
        if let To::Fd(_) = self.to {
            self.to = To::Nobody;
        }
        (self.start, self.end) = (0, 0);
    }

    /// What was kept in memory.
    pub(super) fn take_memory(&mut self) -> Vec<u8> {
        match &mut self.to {
            To::Memory(kept) => std::mem::take(kept),
            To::Fd(_) | To::Nobody => Vec::new(),
        }
    }

    /// Is this the last byte on its way?
    pub(super) fn ends_with(&self, byte: u8) -> bool {
        self.buffer.get(self.start..self.end).and_then(<[u8]>::last) == Some(&byte)
    }

    fn write(&mut self) -> Met {
        let To::Fd(to) = &self.to else {
            return self.broken();
        };
        let piece = match self.way {
            Way::Copy(piece) => piece,
            Way::Splice => CHUNK_BYTES,
        };
        let end = self.end.min(self.start + piece);
        let part = self.buffer.get(self.start..end).unwrap_or(&[]);
        match fd::write(to.as_raw_fd(), part) {
            Ok(bytes) => self.start += bytes,
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            // A pipe without a reader, a terminal that hung up, a descriptor that
            // was handed to us for reading only.
            Err(Errno::EPIPE | Errno::EIO | Errno::EBADF | Errno::ECONNRESET) => {
                return self.broken();
            }
            Err(errno) => return Met::Failed(errno),
        }
        Met::Bytes(0)
    }

    /// Closes our end of the source as well: the writer learns it the way it would
    /// without us between.
    fn broken(&mut self) -> Met {
        let lost = self.end - self.start;
        self.abandon();
        Met::Broken(lost as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};

    const ALL: u64 = u64::MAX;

    fn ready(flow: &Flow, room: u64) -> bool {
        let Some((fd, events)) = flow.wants(room) else {
            return false;
        };
        let mut fds = [crate::sys::process::polled(fd, events)];
        crate::sys::process::poll(&mut fds, Some(0)).unwrap();
        fds[0].revents != 0
    }

    fn ways() -> [Way; 2] {
        [Way::Splice, Way::Copy(CHUNK_BYTES)]
    }

    fn between(from: std::io::PipeReader, to: std::io::PipeWriter, way: Way) -> Flow {
        let mut flow = Flow::new(Arc::new(from.into()), Arc::new(to.into()));
        assert_eq!(flow.way, Way::Splice);
        flow.way = way;
        flow
    }

    #[test]
    fn a_reader_that_sleeps_blocks_nothing_and_gets_everything() {
        for way in ways() {
            let (from, mut source) = std::io::pipe().unwrap();
            let (mut sink, to) = std::io::pipe().unwrap();
            let mut flow = between(from, to, way);
            let text: Vec<u8> = (0..300_000u32).map(|at| (at % 251) as u8).collect();
            let sent = text.clone();
            let writer = std::thread::spawn(move || source.write_all(&sent).unwrap());
            let (mut taken, mut seen) = (0, Vec::new());
            let mut buffer = vec![0; 1 << 20];
            while flow.wants(ALL).is_some() {
                if ready(&flow, ALL) {
                    if let Met::Bytes(bytes) = flow.step(ALL) {
                        taken += bytes;
                    }
                } else if flow.is_pending(ALL) {
                    // Full: only now does the reader wake up.
                    let bytes = sink.read(&mut buffer).unwrap();
                    seen.extend_from_slice(&buffer[..bytes]);
                }
            }
            drop(flow);
            writer.join().unwrap();
            sink.read_to_end(&mut seen).unwrap();
            assert_eq!(taken, 300_000);
            assert!(seen == text, "{way:?}");
        }
    }

    #[test]
    fn a_reader_that_is_gone_breaks_the_writers_pipe() {
        for way in ways() {
            let (from, mut source) = std::io::pipe().unwrap();
            let (sink, to) = std::io::pipe().unwrap();
            let mut flow = between(from, to, way);
            drop(sink);
            source.write_all(b"x").unwrap();
            let lost = match way {
                Way::Splice => 0,
                Way::Copy(_) => {
                    assert_eq!(flow.step(ALL), Met::Bytes(1));
                    1
                }
            };
            assert_eq!(flow.step(ALL), Met::Broken(lost));
            assert_eq!(flow.wants(ALL), None);
            let error = source.write_all(b"x").unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
    }

    #[test]
    fn no_more_passes_than_there_is_room_for() {
        for way in ways() {
            let (from, mut source) = std::io::pipe().unwrap();
            let (mut sink, to) = std::io::pipe().unwrap();
            let mut flow = between(from, to, way);
            source.write_all(b"0123456789").unwrap();
            drop(source);
            let (mut room, mut seen) = (4, 0);
            while flow.wants(room).is_some() {
                assert!(ready(&flow, room), "{way:?} has nothing to do");
                if let Met::Bytes(bytes) = flow.step(room) {
                    seen += bytes;
                    room -= room.min(bytes);
                }
            }
            drop(flow);
            let mut text = String::new();
            sink.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), seen), ("0123", 10), "{way:?}");
        }
    }

    #[test]
    fn a_full_target_keeps_nobody_from_dropping_the_rest() {
        let (from, mut source) = std::io::pipe().unwrap();
        let (_sink, mut to) = std::io::pipe().unwrap();
        fd::set_nonblocking(to.as_raw_fd()).unwrap();
        while to.write(&[0; 4096]).is_ok() {}
        let mut flow = between(from, to, Way::Splice);
        source.write_all(b"x").unwrap();
        assert_eq!(flow.step(ALL), Met::Bytes(0));
        assert!(flow.is_pending(ALL) && !ready(&flow, ALL));
        // The limit was reached elsewhere meanwhile.
        assert!(!flow.is_pending(0) && ready(&flow, 0));
        assert_eq!(flow.step(0), Met::Bytes(1));
    }

    #[test]
    fn memory_and_files_take_what_passes() {
        let mut file = std::fs::File::from(memfd());
        let (from, mut source) = std::io::pipe().unwrap();
        let mut flow = Flow::new(
            Arc::new(from.into()),
            Arc::new(file.try_clone().unwrap().into()),
        );
        assert_eq!(flow.way, Way::Copy(BUFFER_BYTES));
        source.write_all(&[7; 50_000]).unwrap();
        drop(source);
        while flow.wants(ALL).is_some() {
            flow.step(ALL);
        }
        file.rewind().unwrap();
        let mut text = Vec::new();
        file.read_to_end(&mut text).unwrap();
        assert!(text == [7; 50_000]);

        let (from, mut source) = std::io::pipe().unwrap();
        let mut flow = Flow::into_memory(Arc::new(from.into()));
        source.write_all(b"0123456789").unwrap();
        assert_eq!(flow.step(4), Met::Bytes(10));
        source.write_all(b"more").unwrap();
        assert_eq!(flow.cut(), 4);
        assert_eq!(flow.wants(ALL), None);
        assert_eq!(flow.take_memory(), b"0123");
    }

    fn memfd() -> OwnedFd {
        let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
        nix::sys::memfd::memfd_create(c"flow", flags).unwrap()
    }
}
