//! Bytes against limits: of one stream, and of the streams together.
//!
//! It moves nothing; it says how much may pass, and what the rest leads to.

use crate::policy::{Cap, Full};
use crate::report::Output;

/// A limit, and how much of it is used.
#[derive(Default)]
pub(super) struct Gate {
    cap: Option<Cap>,
    passed: u64,
}

impl Gate {
    pub(super) fn new(cap: Option<Cap>) -> Gate {
        Gate { cap, passed: 0 }
    }

    /// How many bytes more may pass.
    fn room(&self) -> u64 {
        match self.cap {
            Some(cap) => cap.most.saturating_sub(self.passed),
            None => u64::MAX,
        }
    }

    /// Lets pass what may; how much that is, and what the rest leads to.
    fn pass(&mut self, bytes: u64) -> (u64, Option<Full>) {
        let passed = bytes.min(self.room());
        self.passed = self.passed.saturating_add(passed);
        let over = passed < bytes;
        (passed, self.cap.filter(|_| over).map(|cap| cap.full))
    }
}

/// What has to happen because more was written than allowed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Over {
    /// Past the stream's own limit.
    pub(super) own: Option<Full>,
    /// Past the limit of the streams together.
    pub(super) total: Option<Full>,
}

impl Over {
    pub(super) fn is(&self, full: Full) -> bool {
        self.own == Some(full) || self.total == Some(full)
    }
}

/// The account of one stream.
pub(super) struct Meter {
    own: Gate,
    /// What can be kept at all, where it is kept in memory.
    space: u64,
    seen: u64,
    kept: u64,
}

impl Meter {
    pub(super) fn new(cap: Option<Cap>, space: Option<u64>) -> Meter {
        Meter {
            own: Gate::new(cap),
            space: space.unwrap_or(u64::MAX),
            seen: 0,
            kept: 0,
        }
    }

    /// How many bytes may be passed on now.
    pub(super) fn room(&self, total: &Gate) -> u64 {
        let space = self.space.saturating_sub(self.kept);
        self.own.room().min(total.room()).min(space)
    }

    /// Counts bytes that were read. The total counts what the stream's own limit lets
    /// pass: what is dropped there is nowhere else.
    pub(super) fn count(&mut self, total: &mut Gate, bytes: u64) -> Over {
        let space = self.space.saturating_sub(self.kept);
        self.seen = self.seen.saturating_add(bytes);
        let (passed, own) = self.own.pass(bytes);
        let (passed, total) = total.pass(passed);
        self.kept += passed.min(space);
        Over { own, total }
    }

    /// Bytes that were written into a pipe that is cut off now.
    pub(super) fn cut(&mut self, bytes: u64) {
        self.seen = self.seen.saturating_add(bytes);
    }

    /// Bytes that were let pass and found nobody.
    pub(super) fn lost(&mut self, bytes: u64) {
        self.kept = self.kept.saturating_sub(bytes);
    }

    /// For the record.
    pub(super) fn output(&self) -> Output {
        Output {
            bytes_seen: self.seen,
            bytes_kept: self.kept,
            truncated: self.kept < self.seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(most: u64, full: Full) -> Option<Cap> {
        Some(Cap { most, full })
    }

    #[test]
    fn exactly_the_limit_is_allowed_and_one_more_is_not() {
        for full in Full::ALL {
            let (mut meter, mut total) = (Meter::new(cap(10, full), None), Gate::default());
            assert_eq!(meter.room(&total), 10);
            assert_eq!(meter.count(&mut total, 10), Over::default());
            assert_eq!(meter.room(&total), 0);
            let over = meter.count(&mut total, 1);
            assert_eq!((over.own, over.total), (Some(full), None));
            let output = meter.output();
            assert_eq!((output.bytes_seen, output.bytes_kept), (11, 10));
            assert!(output.truncated);
        }
    }

    #[test]
    fn the_total_counts_what_the_streams_let_pass() {
        let mut total = Gate::new(cap(15, Full::Kill));
        let mut one = Meter::new(cap(10, Full::Drain), None);
        let mut other = Meter::new(None, None);
        let over = one.count(&mut total, 100);
        assert_eq!((over.own, over.total), (Some(Full::Drain), None));
        assert_eq!(other.room(&total), 5);
        assert_eq!(other.count(&mut total, 5), Over::default());
        let over = other.count(&mut total, 1);
        assert_eq!((over.own, over.total), (None, Some(Full::Kill)));
        assert!(over.is(Full::Kill) && !over.is(Full::Drain));
        assert_eq!(one.output().bytes_kept, 10);
        assert_eq!(other.output().bytes_kept, 5);
    }

    #[test]
    fn what_memory_does_not_hold_is_counted_and_breaks_no_limit() {
        let (mut meter, mut total) = (Meter::new(None, Some(4)), Gate::default());
        assert_eq!(meter.room(&total), 4);
        assert_eq!(meter.count(&mut total, 9), Over::default());
        assert_eq!(meter.room(&total), 0);
        let output = meter.output();
        assert_eq!((output.bytes_seen, output.bytes_kept), (9, 4));
    }

    #[test]
    fn what_found_nobody_was_not_kept() {
        let (mut meter, mut total) = (Meter::new(None, None), Gate::default());
        meter.count(&mut total, 9);
        meter.lost(4);
        meter.cut(3);
        let output = meter.output();
        assert_eq!((output.bytes_seen, output.bytes_kept), (12, 5));
    }
}
