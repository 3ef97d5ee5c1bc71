//! Output that is counted: from the program's pipes to where it should go, until
//! the limit.
//!
//! Used only when the policy sets `limits.output`; otherwise descriptors are
//! passed through and nothing stands between.

use crate::sys::{Errno, fd};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// One buffer for all streams: memory use does not depend on the program.
const BUFFER_BYTES: usize = 64 * 1024;

/// The counted streams.
pub(super) struct Relay {
    streams: Vec<Stream>,
    meter: Meter,
    buffer: Box<[u8]>,
}

struct Stream {
    from: OwnedFd,
    to: OwnedFd,
    /// The program's side is closed.
    ended: bool,
    /// Nobody reads our side any more: the rest is thrown away.
    broken: bool,
}

/// Bytes seen and kept against a limit.
pub(super) struct Meter {
    limit: u64,
    seen: u64,
    kept: u64,
}

impl Meter {
    pub(super) fn new(limit: u64) -> Meter {
        Meter {
            limit,
            seen: 0,
            kept: 0,
        }
    }

    /// Counts `bytes` more; how many of them may be passed on.
    pub(super) fn admit(&mut self, bytes: usize) -> usize {
        let bytes = bytes as u64;
        let room = self.limit.saturating_sub(self.kept).min(bytes);
        self.seen = self.seen.saturating_add(bytes);
        self.kept += room;
        room as usize
    }

    /// Was more written than allowed? Exactly the limit is allowed.
    pub(super) fn over(&self) -> bool {
        self.seen > self.limit
    }

    /// Bytes seen and kept.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.seen, self.kept)
    }
}

impl Relay {
    pub(super) fn new(streams: Vec<(OwnedFd, OwnedFd)>, limit: u64) -> Relay {
        Relay {
            streams: streams
                .into_iter()
                .map(|(from, to)| Stream {
                    from,
                    to,
                    ended: false,
                    broken: false,
                })
                .collect(),
            meter: Meter::new(limit),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
        }
    }

    /// Descriptors to poll for reading.
    pub(super) fn sources(&self) -> impl Iterator<Item = RawFd> + '_ {
        self.streams
            .iter()
            .filter(|stream| !stream.ended)
            .map(|stream| stream.from.as_raw_fd())
    }

    /// Moves what is ready; `true` when the limit is passed.
    pub(super) fn pump(&mut self, ready: impl Fn(RawFd) -> bool) -> bool {
        for stream in &mut self.streams {
            if !stream.ended && ready(stream.from.as_raw_fd()) {
                stream.step(&mut self.meter, &mut self.buffer);
            }
        }
        self.meter.over()
    }

    /// Moves what is left after every writer is dead.
    pub(super) fn drain(&mut self) {
        for stream in &mut self.streams {
            while !stream.ended {
                stream.step(&mut self.meter, &mut self.buffer);
            }
        }
    }

    /// Bytes seen and kept.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.meter.counts()
    }
}

impl Stream {
    fn step(&mut self, meter: &mut Meter, buffer: &mut [u8]) {
        match fd::read(&self.from.as_raw_fd(), buffer) {
            Ok(0) => self.ended = true,
            Ok(bytes) => {
                let kept = meter.admit(bytes);
                let wanted = buffer.get(..kept).unwrap_or(&[]);
                if !self.broken && fd::write_all(self.to.as_raw_fd(), wanted).is_err() {
                    self.broken = true;
                }
            }
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => self.ended = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;

    #[test]
    fn exactly_the_limit_is_allowed_and_one_more_is_not() {
        let mut meter = Meter::new(10);
        assert_eq!(meter.admit(10), 10);
        assert!(!meter.over());
        assert_eq!(meter.admit(1), 0);
        assert!(meter.over());
        assert_eq!(meter.counts(), (11, 10));
    }
}
