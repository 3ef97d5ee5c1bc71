//! The record in the words of other judges: for front ends that already speak them.
//! It must not decide what happened: everything here follows from the record, and
//! where their words cannot say it, the doc comment tells what stands for it.

mod dmoj;
mod domjudge;
mod go_judge;
mod isolate;

pub use dmoj::{Dmoj, FLAGS};
pub use domjudge::{Domjudge, Outcome};
pub use go_judge::{GoJudge, Status};
pub use isolate::{Isolate, IsolateStatus, Numbers as IsolateNumbers};

use super::{KilledBy, Limit, Output, Report};
use crate::escape;
use nix::sys::signal::Signal;

/// In whose words a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own: JSON, as the schema describes it.
    Sandbox,
    /// A `Result` of go-judge's REST interface, as JSON.
    GoJudge,
    /// isolate's meta file.
    Isolate,
    /// The meta file of DOMjudge's runguard.
    Domjudge,
    /// The fields of DMOJ's `Result` that a run decides, as JSON.
    Dmoj,
}

impl Format {
    /// Every one.
    pub const ALL: [Format; 5] = [
        Format::Sandbox,
        Format::GoJudge,
        Format::Isolate,
        Format::Domjudge,
        Format::Dmoj,
    ];

    /// The word of `--report-format`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Sandbox => "sandbox",
            Format::GoJudge => "go-judge",
            Format::Isolate => "isolate",
            Format::Domjudge => "domjudge",
            Format::Dmoj => "dmoj",
        }
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The record of a run, every line with its line feed.
    pub fn complete(self, report: &Report) -> String {
        match self {
            Format::Sandbox => report.json(),
            Format::GoJudge => super::one_line(&report.go_judge()),
            Format::Isolate => report.isolate().meta(),
            Format::Domjudge => report.domjudge().meta(),
            Format::Dmoj => super::one_line(&report.dmoj()),
        }
    }

    /// The record of a run that did not happen, or while it goes on (`None`): in every
    /// format our failure and not the program's.
    pub fn incomplete(self, failure: Option<(u8, &str)>) -> String {
        let why = failure.map_or("the run is not over", |(_, message)| message);
        match self {
            Format::Sandbox => super::incomplete(failure),
            Format::GoJudge => super::one_line(&GoJudge::failed(why)),
            Format::Isolate => Isolate::failed(why).meta(),
            Format::Domjudge => Domjudge::failed(why).meta(),
            Format::Dmoj => super::one_line(&Dmoj::failed(why)),
        }
    }
}

impl Report {
    /// The record in go-judge's words.
    pub fn go_judge(&self) -> GoJudge {
        GoJudge::of(self)
    }

    /// The record in isolate's words.
    pub fn isolate(&self) -> Isolate {
        Isolate::of(self)
    }

    /// The record in the words of DOMjudge's runguard.
    pub fn domjudge(&self) -> Domjudge {
        Domjudge::of(self)
    }

    /// The record in DMOJ's words.
    pub fn dmoj(&self) -> Dmoj {
        Dmoj::of(self)
    }

    fn hit(&self, limit: Limit) -> bool {
        self.limits_hit.contains(&limit)
    }

    fn by(&self, who: KilledBy) -> bool {
        self.killed_by == Some(who)
    }

    /// Our own failure, or an end that is none.
    fn failed_here(&self) -> bool {
        self.by(KilledBy::Internal) || self.exit.code.is_some() == self.exit.signal.is_some()
    }

    /// A time limit ended it, or was passed before that could be.
    fn late(&self) -> bool {
        self.by(KilledBy::Cpu) || self.by(KilledBy::Wall) || self.hit(Limit::Cpu)
    }

    /// The signal that ended it. A call that is killed for is SIGSYS to everybody else,
    /// whichever signal carried it out here.
    fn signal(&self) -> Option<u8> {
        match self.exit.signal {
            Some(_) if self.by(KilledBy::Syscall) => Some(Signal::SIGSYS as u8),
            signal => signal,
        }
    }

    /// What was counted of standard output and of standard error.
    fn streams(&self) -> [Option<Output>; 2] {
        [self.stdout, self.stderr]
    }
}

/// A message on one line of `key:value`: hints follow, control characters do not.
fn line(message: &str) -> String {
    escape::plain(message.replace('\n', ", ")).to_string()
}

const MS: u64 = 1_000_000;

/// Seconds with three decimals of milliseconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Exit, tests};

    pub(super) const fn code(code: u8) -> Exit {
        tests::exit(Some(code), None)
    }

    pub(super) const fn signal(number: u8) -> Exit {
        tests::exit(None, Some(number))
    }

    pub(super) const NEITHER: Exit = tests::exit(None, None);

    /// How it ended, who ended it, which limits were passed besides.
    pub(super) type Facts = (Exit, Option<KilledBy>, &'static [Limit]);

    pub(super) fn report((exit, killed_by, more): Facts) -> Report {
        let mut report = tests::report(exit, killed_by);
        report.limits_hit.extend(more);
        (report.stdout, report.stderr) = (None, None);
        report
    }

    #[test]
    fn every_format_has_a_name_of_its_own() {
        for format in Format::ALL {
            assert_eq!(Format::named(format.name()), Some(format));
        }
        assert_eq!(Format::named("json"), None);
    }

    #[test]
    fn a_run_that_did_not_happen_is_a_failure_of_ours_in_every_format() {
        let texts = Format::ALL.map(|format| format.incomplete(Some((127, "no `x`\nhint: y\x1b"))));
        assert_eq!(texts[0], incomplete_of_ours());
        assert_eq!(
            texts[1],
            "{\"status\":\"Internal Error\",\"exitStatus\":0,\"error\":\"no `x`\\nhint: y\\u001b\",\
             \"time\":0,\"memory\":0,\"runTime\":0}\n"
        );
        assert_eq!(texts[2], "status:XX\nmessage:no `x`, hint: y\\x1b\n");
        assert_eq!(texts[3], "internal-error: no `x`, hint: y\\x1b\n");
        assert!(texts[4].contains("\"code\":\"IE\""), "{}", texts[4]);
        for format in Format::ALL {
            assert!(format.incomplete(None).ends_with('\n'));
        }
    }

    fn incomplete_of_ours() -> String {
        crate::report::incomplete(Some((127, "no `x`\nhint: y\x1b")))
    }

    /// Whatever the facts: only a run that is `ok` here is right anywhere.
    #[test]
    fn nobody_calls_right_what_is_not_ok() {
        let ends = [code(0), code(1), signal(9), signal(25), NEITHER];
        let by = KilledBy::ALL.iter().copied().map(Some);
        for by in by.chain([None]) {
            for exit in ends {
                for hit in Limit::ALL {
                    let report = report((exit, by, std::slice::from_ref(hit)));
                    let ok = report.computed() == crate::report::Verdict::Ok;
                    let what = format!("{exit:?} {by:?} {hit:?}");
                    assert_eq!(report.go_judge().status == Status::Accepted, ok, "{what}");
                    assert_eq!(report.isolate().exit_code() == 0, ok, "{what}");
                    assert_eq!(report.dmoj().result_flag == 0, ok, "{what}");
                    let domjudge = report.domjudge().outcome();
                    assert_eq!(domjudge == Outcome::Compare, ok, "{what}");
                }
            }
        }
    }
}
