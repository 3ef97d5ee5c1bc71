//! The record of a pair: who ended first, what was said to whom, and the record of each.
//! It must not decide who is right: that is the judge's, who wrote the interactor.

use super::Transcript;
use crate::report::{Report, one_line};
use serde::Serialize;

/// Version of the JSON record of a pair; the records in it have their own.
pub const VERSION: u32 = 1;

/// Something of each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sides<T> {
    /// The solution's.
    pub solution: T,
    /// The interactor's.
    pub interactor: T,
}

impl<T> Sides<T> {
    pub(super) fn as_array(&self) -> [&T; 2] {
        [&self.solution, &self.interactor]
    }

    pub(super) fn as_array_mut(&mut self) -> [&mut T; 2] {
        [&mut self.solution, &mut self.interactor]
    }

    pub(super) fn map<U>(&self, f: impl Fn(&T) -> U) -> Sides<U> {
        Sides {
            solution: f(&self.solution),
            interactor: f(&self.interactor),
        }
    }
}

/// Who ended first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum First {
    /// The solution.
    Solution,
    /// The interactor.
    Interactor,
    /// Both in the same nanosecond.
    Both,
}

impl First {
    pub(super) fn of(ended_ns: &Sides<u64>) -> First {
        match ended_ns.solution.cmp(&ended_ns.interactor) {
            std::cmp::Ordering::Less => First::Solution,
            std::cmp::Ordering::Greater => First::Interactor,
            std::cmp::Ordering::Equal => First::Both,
        }
    }

    /// The word in the record.
    pub fn name(self) -> &'static str {
        match self {
            First::Solution => "solution",
            First::Interactor => "interactor",
            First::Both => "both",
        }
    }
}

/// What went through the relay. What a side wrote is what was passed on and what was
/// drained, together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// Written into the interactor's standard input.
    pub to_interactor: u64,
    /// Written into the solution's standard input.
    pub to_solution: u64,
    /// Written by the solution when nobody read the interactor's standard input any
    /// more, and thrown away.
    pub drained_to_interactor: u64,
    /// Written by the interactor, likewise.
    pub drained_to_solution: u64,
}

/// What happened in a pair.
#[derive(Debug, Serialize)]
pub struct PairReport {
    /// Who ended first, by `ended_ns`.
    pub first: First,
    /// When each was executed, in nanoseconds of CLOCK_MONOTONIC since the first of the
    /// two was seen to be.
    pub started_ns: Sides<u64>,
    /// When each ended or was ended, on the same clock, as its pid 1 saw it.
    pub ended_ns: Sides<u64>,
    /// What went from the one to the other.
    pub bytes: Bytes,
    /// The transcript, where one was asked for.
    pub transcript: Option<Transcript>,
    /// The solution's own record.
    #[serde(serialize_with = "record")]
    pub solution: Report,
    /// The interactor's own record.
    #[serde(serialize_with = "record")]
    pub interactor: Report,
}

fn record<S: serde::Serializer>(report: &Report, serializer: S) -> Result<S::Ok, S::Error> {
    report.record().serialize(serializer)
}

impl PairReport {
    /// What `sandbox pair` exits with: what a run of the interactor would, by
    /// [`Report::exit_code`]; where that is 0, what a run of the solution would.
    pub fn exit_code(&self) -> u8 {
        match self.interactor.exit_code() {
            0 => self.solution.exit_code(),
            code => code,
        }
    }

    /// The record as one line of JSON with its line feed: `version`, `complete: true`,
    /// then the fields of this type. `schema/pair.schema.json` describes it.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Record<'a> {
            version: u32,
            complete: bool,
            #[serde(flatten)]
            report: &'a PairReport,
        }
        one_line(&Record {
            version: VERSION,
            complete: true,
            report: self,
        })
    }

    /// For a person: both records, each line with its side before it, then the pair.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (side, report) in [
            ("solution", &self.solution),
            ("interactor", &self.interactor),
        ] {
            for line in report.text().lines() {
                text.push_str(&format!("{side}: {line}\n"));
            }
        }
        let bytes = &self.bytes;
        text.push_str(&format!(
            "to the interactor: {} bytes, {} more drained\n\
             to the solution: {} bytes, {} more drained\n\
             ended first: {}\n",
            bytes.to_interactor,
            bytes.drained_to_interactor,
            bytes.to_solution,
            bytes.drained_to_solution,
            self.first.name()
        ));
        text
    }
}

/// The record of a pair that was not played: one line of JSON with `version`,
/// `complete: false`, the exit code and the message. `None` is the placeholder that
/// stands while both run.
pub fn incomplete(failure: Option<(u8, &str)>) -> String {
    crate::report::incomplete_of(VERSION, failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_end_is_the_first() {
        let of = |solution, interactor| {
            First::of(&Sides {
                solution,
                interactor,
            })
        };
        assert_eq!(of(1, 2), First::Solution);
        assert_eq!(of(2, 1), First::Interactor);
        assert_eq!(of(2, 2), First::Both);
    }

    #[test]
    fn a_pair_that_was_not_played_says_so() {
        assert_eq!(incomplete(None), "{\"version\":1,\"complete\":false}\n");
        assert_eq!(
            incomplete(Some((127, "no `x`"))),
            "{\"version\":1,\"complete\":false,\"exit_code\":127,\"error\":\"no `x`\"}\n"
        );
    }
}
