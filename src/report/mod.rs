//! The record of a run: facts, layers as confirmed, verdict; text and JSON.
//! It must not decide anything but the verdict, a pure function of the facts.
//!
//! Nanoseconds and bytes only, never rounded.

mod files;
mod judges;
mod text;
mod verdict;

pub use files::FileOutcome;
pub use judges::{
    Dmoj, Domjudge, FLAGS as DMOJ_FLAGS, Format, GoJudge, Isolate, IsolateNumbers, IsolateStatus,
    Outcome as DomjudgeOutcome, Status as GoJudgeStatus,
};
pub use verdict::{Exit, KilledBy, Limit, Verdict, verdict};

use crate::escape;
use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Write;

/// Version of the JSON record; it changes when a field changes its meaning or goes.
pub const VERSION: u32 = 2;

/// The JSON Schema (draft 2020-12) of the record, complete or not: `schema/` of the
/// repository, and what `sandbox schema` prints.
pub const SCHEMA: &str = include_str!("../../schema/report.schema.json");

/// What happened, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How the program ended.
    pub exit: Exit,
    /// Who ended it, when it was not itself.
    pub killed_by: Option<KilledBy>,
    /// Limits that were hit, in time order as far as it is known.
    pub limits_hit: Vec<Limit>,
    /// Ended by the wall-time limit, having used less than a tenth of the elapsed
    /// time: it waited for something.
    pub idle: bool,
    /// The system call that the policy kills for, where one was made.
    pub violation: Option<Violation>,
    /// User and system time together, of everything inside, from exec.
    pub cpu_ns: u64,
    /// Time in user mode, of the processes that were waited for: `rusage`, or the
    /// whole of it where `cpu_source` is `cgroup`.
    pub user_ns: u64,
    /// Time in the kernel, likewise.
    pub sys_ns: u64,
    /// From exec to the end of the program.
    pub wall_ns: u64,
    /// Where `cpu_ns` comes from: `cgroup` (cpu.stat), `perf` (TASK_CLOCK, inherited)
    /// or `rusage` (what was waited for, and what was seen in /proc).
    pub cpu_source: &'static str,
    /// The most memory in use at one time.
    pub memory_peak_bytes: u64,
    /// Where it comes from: `memory.peak` (cgroup, everything inside), `polled`
    /// (anonymous and shared memory of everything inside, seen from time to time) or
    /// `maxrss` (the largest resident set of any one process).
    pub memory_source: &'static str,
    /// The largest resident set of any one process that was waited for, files it maps
    /// included (getrusage(2)).
    pub max_rss_bytes: u64,
    /// Processes that the kernel killed because the memory limit was reached; `None`
    /// where no controller counts them.
    pub oom_kills: Option<u64>,
    /// The most processes and threads at one time, where they were counted.
    pub processes_peak: Option<u64>,
    /// Processes that were refused; `None` where no controller counts them.
    pub processes_denied: Option<u64>,
    /// Where the two come from: `pids.peak` or `polled`.
    pub processes_source: Option<&'static str>,
    /// How often a processor was given up to wait for something, by the processes that
    /// were waited for and in setting up.
    pub switches_voluntary: u64,
    /// How often one was taken away, likewise.
    pub switches_forced: u64,
    /// What the program wrote on standard output, where that was counted: it, or both
    /// streams together, have a limit or it was kept in memory. With a terminal of its
    /// own, what it wrote there.
    pub stdout: Option<Output>,
    /// Likewise on standard error.
    pub stderr: Option<Output>,
    /// What disturbed the run, where it was asked for.
    pub noise: Option<Noise>,
    /// Every limit of the policy, and by what it is kept.
    pub limits: Vec<Held>,
    /// What became of each file that was to be copied in or out, in order.
    pub files: Vec<FileOutcome>,
    /// Every isolation step as confirmed, in order.
    pub layers: Vec<Layer>,
    /// What the policy weakened by name.
    pub weakened: Vec<Weakened>,
    /// What of ours failed, where the verdict is `internal`.
    pub error: Option<String>,
    /// The outcome in one word: [`verdict`] of `exit`, `killed_by` and `limits_hit`.
    pub verdict: Verdict,
}

impl Report {
    /// What `sandbox` exits with after this run: the program's own code, 128 + signal,
    /// 124 after a time limit, 125 for our own failure, and where the program's would be 0
    /// but a file was not copied out; the whole table is in the README. Computed from the
    /// facts, not from the field `verdict`.
    pub fn exit_code(&self) -> u8 {
        let missing = self.files.iter().any(|file| file.error.is_some());
        match verdict::exit_code(self.computed(), self.exit) {
            0 if missing => 125,
            code => code,
        }
    }

    /// The verdict, from the facts.
    fn computed(&self) -> Verdict {
        verdict(self.exit, self.killed_by, &self.limits_hit)
    }

    /// The record as one line of JSON with its line feed: `version`, then
    /// `complete: true`, then the fields of this type. Invisible and
    /// bidirectional characters are `\u` escapes, so that a terminal shows the
    /// line as it is.
    pub fn json(&self) -> String {
        one_line(&self.record())
    }

    /// What [`Report::json`] writes, for a record that holds this one.
    pub(crate) fn record(&self) -> impl Serialize + '_ {
        #[derive(Serialize)]
        struct Record<'a> {
            version: u32,
            complete: bool,
            #[serde(flatten)]
            report: &'a Report,
        }
        Record {
            version: VERSION,
            complete: true,
            report: self,
        }
    }
}

/// The record of a run that did not happen: one line of JSON with `version`,
/// `complete: false`, the exit code and the message. `None` for the message is
/// the placeholder that stands while the program runs.
pub fn incomplete(failure: Option<(u8, &str)>) -> String {
    incomplete_of(VERSION, failure)
}

/// The same of a record with another version.
pub(crate) fn incomplete_of(version: u32, failure: Option<(u8, &str)>) -> String {
    #[derive(Serialize)]
    struct Record<'a> {
        version: u32,
        complete: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    }
    one_line(&Record {
        version,
        complete: false,
        exit_code: failure.map(|(code, _)| code),
        error: failure.map(|(_, message)| message),
    })
}

/// A line of [`Report::json`] or [`incomplete`] that says of which test it is: with
/// `test` before its other fields.
pub fn named(test: &str, line: &str) -> String {
    #[derive(Serialize)]
    struct Named<'a> {
        test: &'a str,
    }
    let mut named = one_line(&Named { test });
    named.truncate(named.len() - "}\n".len());
    named.push(',');
    named.push_str(line.strip_prefix('{').unwrap_or(line));
    named
}

/// A limit of the policy, and what keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The policy's key.
    pub limit: &'static str,
    /// Its value in `unit`.
    pub most: u64,
    /// `bytes`, `ns`, a plural or `weight`; with `/s`, in each second.
    pub unit: &'static str,
    /// What keeps it: a file of the cgroup (`memory.max`; `io.max 8:0 rbps` where it
    /// holds several values), a resource limit (`RLIMIT_FSIZE`), a timer, `relay` or
    /// `polled`.
    pub by: Cow<'static, str>,
}

/// What disturbed a run: where these differ much, its times do not compare with
/// those of another. `None` is what this machine does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Noise {
    /// Time that a hypervisor gave to others, on the run's processors together
    /// (`/proc/stat`, in clock ticks).
    pub steal_ns: Option<u64>,
    /// Time in which something on the machine waited for a processor
    /// (`/proc/pressure/cpu`).
    pub pressure_ns: Option<u64>,
    /// Times that one of the run's processors slowed down for heat.
    pub thermal_throttles: Option<u64>,
    /// The lowest frequency of the run's processors, at its start and end.
    pub frequency_lowest_khz: Option<u64>,
    /// The highest, likewise.
    pub frequency_highest_khz: Option<u64>,
    /// Times that a process of the run had to leave its processor to another
    /// (getrusage(2), of those that were waited for).
    pub forced_switches: u64,
}

/// A system call that ended the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Its name; `None` for a number of another architecture or of none.
    pub syscall: Option<&'static str>,
    /// Its number, where it is known.
    pub number: Option<u32>,
}

impl Violation {
    pub(crate) fn words(&self) -> String {
        match (self.syscall, self.number) {
            (Some(name), _) => name.to_owned(),
            (None, Some(number)) => format!("system call {number}"),
            (None, None) => String::from("a system call that no policy allows"),
        }
    }
}

/// Bytes written on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Bytes the program wrote; of a stream that was closed (`truncate`), until then.
    pub bytes_seen: u64,
    /// Bytes of them that were passed on, or kept in memory.
    pub bytes_kept: u64,
    /// Fewer were passed on than seen.
    pub truncated: bool,
}

/// One isolation step as the kernel confirmed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// [`crate::step::Step::name`].
    pub step: &'static str,
    /// What holds, in words and numbers.
    pub detail: String,
}

/// One weakening that took effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Weakened {
    /// [`crate::policy::Weaken::name`].
    pub token: &'static str,
    /// The policy author's reason.
    pub reason: String,
}

/// JSON on one line. `serde_json` leaves DEL, C1 controls and bidirectional
/// controls as they are; in JSON they can only stand inside a string, where a
/// `\u` escape means the same.
pub(crate) fn one_line(record: &impl Serialize) -> String {
    let json = serde_json::to_string(record)
        .expect("the record holds only strings, numbers and lists of them");
    let mut line = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if escape::deceptive(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn report(exit: Exit, killed_by: Option<KilledBy>) -> Report {
        let limits_hit: Vec<Limit> = killed_by.and_then(KilledBy::limit).into_iter().collect();
        Report {
            exit,
            killed_by,
            idle: false,
            violation: None,
            cpu_ns: 1_500_000_001,
            user_ns: 1_000_000_000,
            sys_ns: 500_000_001,
            wall_ns: 2_000_000_000,
            cpu_source: "rusage",
            memory_peak_bytes: 4096,
            memory_source: "maxrss",
            max_rss_bytes: 4096,
            oom_kills: None,
            processes_peak: Some(3),
            processes_denied: None,
            processes_source: Some("polled"),
            switches_voluntary: 12,
            switches_forced: 3,
            stdout: Some(Output {
                bytes_seen: 10,
                bytes_kept: 7,
                truncated: true,
            }),
            stderr: None,
            noise: None,
            limits: vec![Held {
                limit: "memory",
                most: 8192,
                unit: "bytes",
                by: "polled".into(),
            }],
            files: Vec::new(),
            layers: vec![Layer {
                step: "ids",
                detail: String::from("uid 1000 inside\u{1b}[2J"),
            }],
            weakened: vec![Weakened {
                token: "host-network",
                reason: String::from("the \u{202e}database"),
            }],
            error: None,
            verdict: verdict(exit, killed_by, &limits_hit),
            limits_hit,
        }
    }

    pub(super) const fn exit(code: Option<u8>, signal: Option<u8>) -> Exit {
        Exit {
            code,
            signal,
            core: false,
        }
    }

    #[test]
    fn the_exit_code_does_not_trust_the_verdict_field() {
        let mut report = report(exit(None, Some(9)), Some(KilledBy::Wall));
        report.verdict = Verdict::Ok;
        assert_eq!(report.exit_code(), 124);
    }

    #[test]
    fn the_record_is_one_line_of_visible_json() {
        let line = report(exit(Some(3), None), None).json();
        assert!(line.starts_with("{\"version\":2,\"complete\":true,\"exit\":{\"code\":3"));
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.ends_with("\"verdict\":\"exit\"}\n"), "{line}");
        assert!(!line.trim_end().contains(escape::deceptive), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["layers"][0]["detail"], "uid 1000 inside\u{1b}[2J");
        assert_eq!(value["weakened"][0]["reason"], "the \u{202e}database");
        assert_eq!(value["cpu_ns"], 1_500_000_001_u64);
        assert_eq!(value["killed_by"], serde_json::Value::Null);
    }

    #[test]
    fn a_run_that_did_not_happen_says_so() {
        assert_eq!(incomplete(None), "{\"version\":2,\"complete\":false}\n");
        assert_eq!(
            incomplete(Some((125, "no `x`\nhint: y\u{e0041}"))),
            "{\"version\":2,\"complete\":false,\"exit_code\":125,\
             \"error\":\"no `x`\\nhint: y\\udb40\\udc41\"}\n"
        );
    }

    #[test]
    fn the_text_names_everything_once() {
        let mut report = report(exit(None, Some(9)), Some(KilledBy::Wall));
        report.idle = true;
        assert_eq!(
            report.text(),
            "ids: uid 1000 inside\\x1b[2J\n\
             limit: memory 8192 bytes, by polled\n\
             weakened: host-network, because \"the \\u{202e}database\"\n\
             limit hit: wall\n\
             stdout: 10 bytes written, 7 passed on, truncated\n\
             time: 2.000000000 s elapsed, 1.500000001 s processor \
             (from rusage; 1.000000000 s user, 0.500000001 s system)\n\
             memory: 4096 bytes at most (from maxrss)\n\
             processes: 3 at most (from polled)\n\
             killed by: wall, idle\n\
             end: signal 9 (SIGKILL)\n\
             verdict: wall-time\n"
        );
        report.killed_by = Some(KilledBy::Syscall);
        report.violation = Some(Violation {
            syscall: Some("ptrace"),
            number: Some(101),
        });
        assert!(report.text().contains("violation: ptrace\n"));
        report.exit = exit(None, Some(40));
        let text = report.text();
        assert!(text.contains("end: signal 40\n"), "{text}");
    }
}
