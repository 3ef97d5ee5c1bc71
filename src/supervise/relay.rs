//! Output that is counted: from the program's pipes to where it should go, until
//! the limit.
//!
//! Used only when the policy sets `limits.output`; otherwise descriptors are
//! passed through and nothing stands between.

use super::flow::{Flow, Met, Wanted};
use crate::sys::Errno;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The counted streams.
pub(super) struct Relay {
    flows: Vec<Flow>,
    meter: Meter,
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
            flows: streams
                .into_iter()
                .map(|(from, to)| Flow::new(Arc::new(from), Arc::new(to)))
                .collect(),
            meter: Meter::new(limit),
        }
    }

    /// What to poll for.
    pub(super) fn wants(&self) -> impl Iterator<Item = Wanted> + '_ {
        self.flows.iter().filter_map(Flow::wants)
    }

    /// Moves what is ready; `true` when the limit is passed.
    pub(super) fn pump(&mut self, ready: impl Fn(Wanted) -> bool) -> Result<bool, Errno> {
        for flow in &mut self.flows {
            if flow.wants().is_some_and(&ready)
                && let Met::Failed(errno) = flow.step(|bytes| self.meter.admit(bytes))
            {
                return Err(errno);
            }
            flow.close_at_end();
        }
        Ok(self.meter.over())
    }

    /// Every writer is dead: a source that has nothing now never will.
    pub(super) fn finish(&mut self, ready: impl Fn(Wanted) -> bool) {
        for flow in &mut self.flows {
            if !flow.is_pending() && !flow.wants().is_some_and(&ready) {
                flow.stop_reading();
            }
            flow.close_at_end();
        }
    }

    /// Bytes seen and kept.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.meter.counts()
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
