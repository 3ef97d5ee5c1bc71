//! The record of a run: facts, layers as confirmed, verdict; text and JSON.
//! It must not decide anything but the verdict, a pure function of the facts.
//!
//! Nanoseconds and bytes only, never rounded.

use crate::escape;
use nix::sys::signal::Signal;
use serde::Serialize;
use std::fmt::Write;

/// Version of the JSON record; it changes when a field changes its meaning or goes.
pub const VERSION: u32 = 1;

/// What happened, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How the program ended.
    pub exit: Exit,
    /// Who ended it, when it was not itself.
    pub killed_by: Option<KilledBy>,
    /// Limits that were hit, in time order.
    pub limits_hit: Vec<KilledBy>,
    /// User and system time together.
    pub cpu_ns: u64,
    /// Time in user mode.
    pub user_ns: u64,
    /// Time in the kernel.
    pub sys_ns: u64,
    /// From exec to the end.
    pub wall_ns: u64,
    /// Where the times come from: `rusage`.
    pub cpu_source: &'static str,
    /// Largest resident set of any one process of the sandbox.
    pub memory_peak_bytes: u64,
    /// Where it comes from: `maxrss`.
    pub memory_source: &'static str,
    /// Bytes the program wrote, where the streams were counted (`limits.output`).
    pub output: Option<Output>,
    /// Every isolation step as confirmed, in order.
    pub layers: Vec<Layer>,
    /// What the policy weakened by name.
    pub weakened: Vec<Weakened>,
    /// The outcome in one word: [`verdict`] of `exit` and `killed_by`.
    pub verdict: Verdict,
}

impl Report {
    /// What `sandbox` exits with after this run:
    ///
    /// | verdict | exit code |
    /// |---|---|
    /// | `ok`, `exit` | the program's own |
    /// | `signal` | 128 + signal |
    /// | `cpu-time`, `wall-time` | 124 |
    /// | `output`, `violation`, `cancelled` | 128 + signal; 137 where none was seen |
    /// | `internal` | 125 |
    ///
    /// It is computed from the facts, not from the field `verdict`. A run that
    /// was cut off never exits 0, even when the program slipped out with 0
    /// before the kill arrived.
    pub fn exit_code(&self) -> u8 {
        const SIGKILL: u8 = 9;
        let by_signal = |signal: u8| signal.saturating_add(128);
        match verdict(self.exit, self.killed_by) {
            Verdict::Ok | Verdict::Exit => self.exit.code.unwrap_or(125),
            Verdict::Signal => self.exit.signal.map_or(125, by_signal),
            Verdict::CpuTime | Verdict::WallTime => 124,
            Verdict::Output | Verdict::Violation | Verdict::Cancelled => {
                by_signal(self.exit.signal.unwrap_or(SIGKILL))
            }
            Verdict::Internal => 125,
        }
    }

    /// The record as one line of JSON with its line feed: `version`, then
    /// `complete: true`, then the fields of this type. Invisible and
    /// bidirectional characters are `\u` escapes, so that a terminal shows the
    /// line as it is.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Record<'a> {
            version: u32,
            complete: bool,
            #[serde(flatten)]
            report: &'a Report,
        }
        one_line(&Record {
            version: VERSION,
            complete: true,
            report: self,
        })
    }

    /// For a person, as `-v` prints it: one line per layer, then limits that
    /// were hit, output, weakenings, times, memory, exit and verdict. Every
    /// line ends with a line feed; foreign text is escaped.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for layer in &self.layers {
            lines.push(format!("{}: {}", layer.step, escape::plain(&layer.detail)));
        }
        for weakened in &self.weakened {
            let reason = escape::quote(&weakened.reason);
            lines.push(format!("weakened: {}, because {reason}", weakened.token));
        }
        for hit in &self.limits_hit {
            lines.push(format!("limit hit: {}", hit.name()));
        }
        if let Some(output) = &self.output {
            let cut = if output.truncated { ", truncated" } else { "" };
            lines.push(format!(
                "output: {} bytes written, {} passed on{cut}",
                output.bytes_seen, output.bytes_kept
            ));
        }
        lines.push(format!(
            "time: {} s elapsed, {} s processor ({} s user, {} s system; from {})",
            seconds(self.wall_ns),
            seconds(self.cpu_ns),
            seconds(self.user_ns),
            seconds(self.sys_ns),
            self.cpu_source
        ));
        lines.push(format!(
            "memory: {} bytes at most (from {})",
            self.memory_peak_bytes, self.memory_source
        ));
        if let Some(by) = self.killed_by {
            lines.push(format!("killed by: {}", by.name()));
        }
        lines.push(format!("end: {}", self.exit.words()));
        lines.push(format!(
            "verdict: {}",
            verdict(self.exit, self.killed_by).name()
        ));
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }
}

/// The record of a run that did not happen: one line of JSON with `version`,
/// `complete: false`, the exit code and the message. `None` for the message is
/// the placeholder that stands while the program runs.
pub fn incomplete(failure: Option<(u8, &str)>) -> String {
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
        version: VERSION,
        complete: false,
        exit_code: failure.map(|(code, _)| code),
        error: failure.map(|(_, message)| message),
    })
}

/// The outcome in one word, from the facts alone. The first row that fits:
///
/// | killed by | exit | verdict |
/// |---|---|---|
/// | cpu | any | `cpu-time` |
/// | wall | any | `wall-time` |
/// | output | any | `output` |
/// | syscall | any | `violation` |
/// | cancel | any | `cancelled` |
/// | internal | any | `internal` |
/// | – | code 0 | `ok` |
/// | – | another code | `exit` |
/// | – | a signal | `signal` |
/// | – | neither, or both | `internal` |
pub fn verdict(exit: Exit, killed_by: Option<KilledBy>) -> Verdict {
    match killed_by {
        Some(KilledBy::Cpu) => Verdict::CpuTime,
        Some(KilledBy::Wall) => Verdict::WallTime,
        Some(KilledBy::Output) => Verdict::Output,
        Some(KilledBy::Syscall) => Verdict::Violation,
        Some(KilledBy::Cancel) => Verdict::Cancelled,
        Some(KilledBy::Internal) => Verdict::Internal,
        None => match (exit.code, exit.signal) {
            (Some(0), None) => Verdict::Ok,
            (Some(_), None) => Verdict::Exit,
            (None, Some(_)) => Verdict::Signal,
            (None, None) | (Some(_), Some(_)) => Verdict::Internal,
        },
    }
}

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Exit {
    /// Exit code, when it exited.
    pub code: Option<u8>,
    /// Signal number, when a signal ended it.
    pub signal: Option<u8>,
    /// A core was dumped (never, unless the limit was raised).
    pub core: bool,
}

impl Exit {
    pub(crate) fn words(self) -> String {
        let mut words = match (self.code, self.signal) {
            (Some(code), None) => format!("exit code {code}"),
            (None, Some(number)) => match Signal::try_from(i32::from(number)) {
                Ok(signal) => format!("signal {number} ({signal})"),
                // Real-time signals have a number and no name.
                Err(_) => format!("signal {number}"),
            },
            _ => String::from("unknown"),
        };
        if self.core {
            words.push_str(", core dumped");
        }
        words
    }
}

/// Who ended the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KilledBy {
    /// `limits.cpu-time`.
    Cpu,
    /// `limits.wall-time`.
    Wall,
    /// `limits.output`.
    Output,
    /// The system call filter.
    Syscall,
    /// The caller asked for it.
    Cancel,
    /// Our own failure; the run proves nothing.
    Internal,
}

impl KilledBy {
    /// The word of the record.
    pub fn name(self) -> &'static str {
        match self {
            KilledBy::Cpu => "cpu",
            KilledBy::Wall => "wall",
            KilledBy::Output => "output",
            KilledBy::Syscall => "syscall",
            KilledBy::Cancel => "cancel",
            KilledBy::Internal => "internal",
        }
    }
}

/// Bytes written on standard output and error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Bytes the program wrote.
    pub bytes_seen: u64,
    /// Bytes that were passed on.
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

/// The outcome in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Exit code 0.
    Ok,
    /// Another exit code.
    Exit,
    /// A signal, not ours.
    Signal,
    /// Processor time limit.
    CpuTime,
    /// Elapsed time limit.
    WallTime,
    /// Output limit.
    Output,
    /// A system call the policy kills for.
    Violation,
    /// The caller ended it.
    Cancelled,
    /// Our own failure.
    Internal,
}

impl Verdict {
    /// The word of the record.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Exit => "exit",
            Verdict::Signal => "signal",
            Verdict::CpuTime => "cpu-time",
            Verdict::WallTime => "wall-time",
            Verdict::Output => "output",
            Verdict::Violation => "violation",
            Verdict::Cancelled => "cancelled",
            Verdict::Internal => "internal",
        }
    }
}

/// Seconds with all nine decimals: the number is exact.
fn seconds(nanoseconds: u64) -> String {
    const PER_SECOND: u64 = 1_000_000_000;
    format!(
        "{}.{:09}",
        nanoseconds / PER_SECOND,
        nanoseconds % PER_SECOND
    )
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

    const CLEAN: Exit = exit(Some(0), None);

    const fn exit(code: Option<u8>, signal: Option<u8>) -> Exit {
        Exit {
            code,
            signal,
            core: false,
        }
    }

    fn report(exit: Exit, killed_by: Option<KilledBy>) -> Report {
        Report {
            exit,
            killed_by,
            limits_hit: killed_by.into_iter().collect(),
            cpu_ns: 1_500_000_001,
            user_ns: 1_000_000_000,
            sys_ns: 500_000_001,
            wall_ns: 2_000_000_000,
            cpu_source: "rusage",
            memory_peak_bytes: 4096,
            memory_source: "maxrss",
            output: Some(Output {
                bytes_seen: 10,
                bytes_kept: 7,
                truncated: true,
            }),
            layers: vec![Layer {
                step: "ids",
                detail: String::from("uid 1000 inside\u{1b}[2J"),
            }],
            weakened: vec![Weakened {
                token: "host-network",
                reason: String::from("the \u{202e}database"),
            }],
            verdict: verdict(exit, killed_by),
        }
    }

    #[test]
    fn the_verdict_table_holds_row_by_row() {
        use KilledBy::{Cancel, Cpu, Internal, Output, Syscall, Wall};
        let code = |n| exit(Some(n), None);
        let signal = |n| exit(None, Some(n));
        let neither = exit(None, None);
        let both = exit(Some(0), Some(9));
        // exit, killed by, verdict, exit code
        let table = [
            (code(0), None, Verdict::Ok, 0),
            (code(1), None, Verdict::Exit, 1),
            (code(124), None, Verdict::Exit, 124),
            (code(255), None, Verdict::Exit, 255),
            (signal(9), None, Verdict::Signal, 137),
            (signal(11), None, Verdict::Signal, 139),
            (signal(64), None, Verdict::Signal, 192),
            (neither, None, Verdict::Internal, 125),
            (both, None, Verdict::Internal, 125),
            (signal(9), Some(Cpu), Verdict::CpuTime, 124),
            (signal(24), Some(Cpu), Verdict::CpuTime, 124),
            (signal(9), Some(Wall), Verdict::WallTime, 124),
            (code(0), Some(Wall), Verdict::WallTime, 124),
            (signal(9), Some(Output), Verdict::Output, 137),
            (code(0), Some(Output), Verdict::Output, 137),
            (signal(31), Some(Syscall), Verdict::Violation, 159),
            (signal(15), Some(Cancel), Verdict::Cancelled, 143),
            (neither, Some(Cancel), Verdict::Cancelled, 137),
            (code(0), Some(Internal), Verdict::Internal, 125),
            (neither, Some(Internal), Verdict::Internal, 125),
        ];
        for (exit, killed_by, expected, exit_code) in table {
            assert_eq!(verdict(exit, killed_by), expected, "{exit:?} {killed_by:?}");
            let report = report(exit, killed_by);
            assert_eq!(report.exit_code(), exit_code, "{exit:?} {killed_by:?}");
        }
    }

    #[test]
    fn a_run_that_was_cut_off_never_exits_0() {
        for by in [
            KilledBy::Cpu,
            KilledBy::Wall,
            KilledBy::Output,
            KilledBy::Syscall,
            KilledBy::Cancel,
            KilledBy::Internal,
        ] {
            assert_ne!(report(CLEAN, Some(by)).exit_code(), 0, "{by:?}");
        }
    }

    #[test]
    fn the_exit_code_does_not_trust_the_verdict_field() {
        let mut report = report(exit(None, Some(9)), Some(KilledBy::Wall));
        report.verdict = Verdict::Ok;
        assert_eq!(report.exit_code(), 124);
    }

    #[test]
    fn the_names_are_those_of_the_json() {
        use Verdict::{
            Cancelled, CpuTime, Exit, Internal, Ok, Output, Signal, Violation, WallTime,
        };
        for verdict in [
            Ok, Exit, Signal, CpuTime, WallTime, Output, Violation, Cancelled, Internal,
        ] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
        }
        for by in [KilledBy::Cpu, KilledBy::Syscall, KilledBy::Internal] {
            assert_eq!(serde_json::to_value(by).unwrap(), by.name());
        }
    }

    #[test]
    fn the_record_is_one_line_of_visible_json() {
        let line = report(exit(Some(3), None), None).json();
        assert!(line.starts_with("{\"version\":1,\"complete\":true,\"exit\":{\"code\":3"));
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
        assert_eq!(incomplete(None), "{\"version\":1,\"complete\":false}\n");
        assert_eq!(
            incomplete(Some((125, "no `x`\nhint: y\u{e0041}"))),
            "{\"version\":1,\"complete\":false,\"exit_code\":125,\
             \"error\":\"no `x`\\nhint: y\\udb40\\udc41\"}\n"
        );
    }

    #[test]
    fn the_text_names_everything_once() {
        let text = report(exit(None, Some(9)), Some(KilledBy::Wall)).text();
        assert_eq!(
            text,
            "ids: uid 1000 inside\\x1b[2J\n\
             weakened: host-network, because \"the \\u{202e}database\"\n\
             limit hit: wall\n\
             output: 10 bytes written, 7 passed on, truncated\n\
             time: 2.000000000 s elapsed, 1.500000001 s processor \
             (1.000000000 s user, 0.500000001 s system; from rusage)\n\
             memory: 4096 bytes at most (from maxrss)\n\
             killed by: wall\n\
             end: signal 9 (SIGKILL)\n\
             verdict: wall-time\n"
        );
        let text = report(exit(None, Some(40)), None).text();
        assert!(text.contains("end: signal 40\n"), "{text}");
    }
}
