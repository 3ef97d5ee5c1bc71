//! isolate's words: its meta file and its exit code.
//! It must not invent a number: a key whose number was not counted is not there.

use super::super::{KilledBy, Limit, Report};
use super::{MS, line, seconds};
use std::fmt::Write;

/// What isolate writes with `--meta` (isolate(1), META-FILES). Milliseconds and
/// kibibytes are cut off, not rounded, as isolate does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isolate {
    /// Times and counts; `None` where nothing was run.
    pub numbers: Option<Numbers>,
    /// The kernel ended a process for its memory, or memory was over its limit.
    pub cg_oom_killed: bool,
    /// After a normal end.
    pub exitcode: Option<u8>,
    /// After a signal.
    pub exitsig: Option<u8>,
    /// The sandbox ended it.
    pub killed: bool,
    /// Absent on success.
    pub status: Option<IsolateStatus>,
    /// Absent on success. CMS looks for the word `wall` in it.
    pub message: Option<String>,
}

/// What isolate measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Processor time, ms.
    pub time: u64,
    /// Elapsed time, ms.
    pub time_wall: u64,
    /// Largest process, KiB.
    pub max_rss: u64,
    /// Voluntary context switches.
    pub csw_voluntary: u64,
    /// Forced context switches.
    pub csw_forced: u64,
    /// Memory of everything inside, KiB, where it was counted.
    pub cg_mem: Option<u64>,
}

/// isolate's two-letter words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolateStatus {
    /// Exited with another code than 0.
    RE,
    /// Ended by a signal.
    SG,
    /// Timed out.
    TO,
    /// Failure of the sandbox.
    XX,
}

impl IsolateStatus {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            IsolateStatus::RE => "RE",
            IsolateStatus::SG => "SG",
            IsolateStatus::TO => "TO",
            IsolateStatus::XX => "XX",
        }
    }
}

impl Isolate {
    /// Time comes before everything but a failure, and then nothing is said of the end
    /// (`check_timeout` and `box_keeper` of isolate.c). A run that the caller ended is
    /// `SG` and `Interrupted`, as isolate says of itself.
    ///
    /// isolate has no words for memory and output: an OOM kill is `SG` with
    /// `cg-oom-killed`, and so is memory that was over its limit when the program
    /// ended; output over its limit is `SG` with a message of ours. Where the program
    /// was faster than the kill, its exit code stands beside `SG`.
    pub(super) fn of(report: &Report) -> Isolate {
        let mut all = Isolate {
            numbers: Some(Numbers {
                time: report.cpu_ns / MS,
                time_wall: report.wall_ns / MS,
                max_rss: report.max_rss_bytes / 1024,
                csw_voluntary: report.switches_voluntary,
                csw_forced: report.switches_forced,
                cg_mem: (report.memory_source != "maxrss")
                    .then_some(report.memory_peak_bytes / 1024),
            }),
            cg_oom_killed: report.hit(Limit::Memory),
            exitcode: report.exit.code,
            exitsig: report.signal(),
            // There it is the kernel that ends for memory, and the filter for a call.
            killed: matches!(
                report.killed_by,
                Some(KilledBy::Cpu | KilledBy::Wall | KilledBy::Output | KilledBy::Cancel)
            ),
            status: None,
            message: None,
        };
        let mut say = |status, message: String| {
            all.status = Some(status);
            all.message = Some(message);
        };
        let caught = |number| format!("Caught fatal signal {number}");
        if report.failed_here() {
            say(IsolateStatus::XX, String::from("the sandbox failed"));
        } else if report.late() {
            let wall = if report.by(KilledBy::Wall) {
                " (wall clock)"
            } else {
                ""
            };
            say(IsolateStatus::TO, format!("Time limit exceeded{wall}"));
            (all.exitcode, all.exitsig) = (None, None);
        } else if report.by(KilledBy::Cancel) {
            say(IsolateStatus::SG, String::from("Interrupted"));
        } else if report.hit(Limit::Output) {
            say(IsolateStatus::SG, String::from("Output limit exceeded"));
        } else if let Some(number) = report.signal() {
            say(IsolateStatus::SG, caught(number));
        } else if report.hit(Limit::Memory) {
            say(IsolateStatus::SG, String::from("Memory limit exceeded"));
        } else if report.by(KilledBy::Syscall) {
            say(IsolateStatus::SG, String::from("Forbidden system call"));
        } else if let Some(code @ 1..) = report.exit.code {
            say(
                IsolateStatus::RE,
                format!("Exited with error status {code}"),
            );
        }
        all
    }

    pub(super) fn failed(why: &str) -> Isolate {
        Isolate {
            numbers: None,
            cg_oom_killed: false,
            exitcode: None,
            exitsig: None,
            killed: false,
            status: Some(IsolateStatus::XX),
            message: Some(why.to_owned()),
        }
    }

    /// What isolate itself would exit with: 0 when the program ended well, 1 when it
    /// did not, 2 after a failure of the sandbox.
    pub fn exit_code(&self) -> u8 {
        match self.status {
            None => 0,
            Some(IsolateStatus::XX) => 2,
            Some(_) => 1,
        }
    }

    /// The meta file: lines of `key:value`.
    pub fn meta(&self) -> String {
        let mut meta = String::new();
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(meta, "{key}:{value}");
            }
        };
        let count = |get: fn(&Numbers) -> u64| {
            self.numbers
                .as_ref()
                .map(|numbers| get(numbers).to_string())
        };
        put("time", self.numbers.map(|numbers| seconds(numbers.time)));
        put(
            "time-wall",
            self.numbers.map(|numbers| seconds(numbers.time_wall)),
        );
        put("max-rss", count(|numbers| numbers.max_rss));
        put("csw-voluntary", count(|numbers| numbers.csw_voluntary));
        put("csw-forced", count(|numbers| numbers.csw_forced));
        let cg_mem = self.numbers.and_then(|numbers| numbers.cg_mem);
        put("cg-mem", cg_mem.map(|kib| kib.to_string()));
        put(
            "cg-oom-killed",
            self.cg_oom_killed.then(|| String::from("1")),
        );
        put("exitcode", self.exitcode.map(|code| code.to_string()));
        put("exitsig", self.exitsig.map(|number| number.to_string()));
        put("killed", self.killed.then(|| String::from("1")));
        put("status", self.status.map(|status| status.name().to_owned()));
        put("message", self.message.as_deref().map(line));
        meta
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Facts, NEITHER, code, report, signal};
    use super::*;

    /// What follows the numbers.
    fn ending(facts: Facts) -> (String, u8) {
        let isolate = report(facts).isolate();
        let meta = isolate.meta();
        let numbers = "time:1.500\ntime-wall:2.000\nmax-rss:4\ncsw-voluntary:12\ncsw-forced:3\n";
        let rest = meta
            .strip_prefix(numbers)
            .unwrap_or_else(|| panic!("{meta}"));
        (rest.trim_end().replace('\n', " "), isolate.exit_code())
    }

    #[test]
    fn the_meta_file_is_isolates_row_by_row() {
        use Limit::{Cpu, FileSize, Memory, Output, Processes};
        let table: [(Facts, &str, u8); 20] = [
            ((code(0), None, &[]), "exitcode:0", 0),
            ((code(0), None, &[Processes]), "exitcode:0", 0),
            (
                (code(3), None, &[]),
                "exitcode:3 status:RE message:Exited with error status 3",
                1,
            ),
            (
                (signal(11), None, &[]),
                "exitsig:11 status:SG message:Caught fatal signal 11",
                1,
            ),
            (
                (signal(9), None, &[]),
                "exitsig:9 status:SG message:Caught fatal signal 9",
                1,
            ),
            (
                (signal(25), None, &[FileSize]),
                "exitsig:25 status:SG message:Caught fatal signal 25",
                1,
            ),
            (
                (signal(9), Some(KilledBy::Cpu), &[]),
                "killed:1 status:TO message:Time limit exceeded",
                1,
            ),
            (
                (signal(9), Some(KilledBy::Wall), &[]),
                "killed:1 status:TO message:Time limit exceeded (wall clock)",
                1,
            ),
            (
                (code(0), None, &[Cpu]),
                "status:TO message:Time limit exceeded",
                1,
            ),
            (
                (signal(9), Some(KilledBy::Memory), &[]),
                "cg-oom-killed:1 exitsig:9 status:SG message:Caught fatal signal 9",
                1,
            ),
            (
                (code(0), None, &[Memory]),
                "cg-oom-killed:1 exitcode:0 status:SG message:Memory limit exceeded",
                1,
            ),
            // Time comes before memory.
            (
                (signal(9), Some(KilledBy::Memory), &[Cpu]),
                "cg-oom-killed:1 status:TO message:Time limit exceeded",
                1,
            ),
            (
                (signal(9), Some(KilledBy::Cpu), &[Memory]),
                "cg-oom-killed:1 killed:1 status:TO message:Time limit exceeded",
                1,
            ),
            (
                (signal(9), Some(KilledBy::Output), &[]),
                "exitsig:9 killed:1 status:SG message:Output limit exceeded",
                1,
            ),
            (
                (code(0), None, &[Output]),
                "exitcode:0 status:SG message:Output limit exceeded",
                1,
            ),
            (
                (signal(31), Some(KilledBy::Syscall), &[]),
                "exitsig:31 status:SG message:Caught fatal signal 31",
                1,
            ),
            (
                (signal(9), Some(KilledBy::Syscall), &[]),
                "exitsig:31 status:SG message:Caught fatal signal 31",
                1,
            ),
            (
                (signal(9), Some(KilledBy::Cancel), &[]),
                "exitsig:9 killed:1 status:SG message:Interrupted",
                1,
            ),
            (
                (signal(9), Some(KilledBy::Internal), &[]),
                "exitsig:9 status:XX message:the sandbox failed",
                2,
            ),
            (
                (NEITHER, None, &[]),
                "status:XX message:the sandbox failed",
                2,
            ),
        ];
        for (facts, expected, exit_code) in table {
            assert_eq!(ending(facts), (expected.to_owned(), exit_code), "{facts:?}");
        }
    }

    #[test]
    fn memory_of_everything_is_told_where_it_was_counted() {
        let mut report = report((code(0), None, &[]));
        report.memory_source = "memory.peak";
        report.memory_peak_bytes = 10_239;
        assert!(report.isolate().meta().contains("\ncg-mem:9\n"));
        report.memory_source = "maxrss";
        assert!(!report.isolate().meta().contains("cg-mem"));
    }
}
