//! DOMjudge's words: the meta file of its runguard, and what its judgedaemon makes of it.
//! It must not compare output: what comes after a run that ended well is not known here.

use super::super::{KilledBy, Limit, Report, Verdict};
use super::{MS, line, seconds};
use nix::sys::signal::Signal;
use std::fmt::Write;

/// What runguard writes with `--outmeta` (`judge/runguard.cc`): times rounded to
/// milliseconds, as it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domjudge {
    /// Lines in runguard's order.
    lines: Vec<(&'static str, String)>,
    outcome: Outcome,
}

/// What the judgedaemon says before it compares anything
/// (`judge/judgedaemon.main.php`), in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It says nothing of the submission.
    InternalError,
    /// `timelimit`
    Timelimit,
    /// `run-error`; memory is not told from it.
    RunError,
    /// `output-limit`
    OutputLimit,
    /// The output is compared.
    Compare,
}

impl Domjudge {
    /// Time comes first there, then an exit code that is not 0, then output that was
    /// cut. Three things stand for what runguard would not do:
    ///
    /// - It cuts output and lets the program go on. A program that was ended for its
    ///   output has therefore `exitcode` 0, or its flood would be a run-error.
    /// - Nobody is faster there than the kernel: who ended well with memory over the
    ///   limit has `exitcode` 137, as after the kill.
    /// - `stdin-bytes` is not counted, and not there.
    pub(super) fn of(report: &Report) -> Domjudge {
        if report.failed_here() {
            return Domjudge::failed("the sandbox failed");
        }
        let cut = report
            .streams()
            .map(|stream| stream.is_some_and(|stream| stream.truncated));
        let ended_for_output = report.by(KilledBy::Output) || report.hit(Limit::Output);
        let late = report.late();
        let exitcode = match (report.signal(), report.exit.code) {
            _ if ended_for_output && cut[0] && !report.hit(Limit::Memory) => 0,
            (Some(number), _) => 128 + number,
            (None, Some(0)) if !late && report.computed() != Verdict::Ok => 137,
            (None, code) => code.unwrap_or(0),
        };
        // What runguard itself gets: its timer for the wall time, and who ends it.
        let received = match report.killed_by {
            Some(KilledBy::Wall) => Some(Signal::SIGALRM),
            Some(KilledBy::Cancel) => Some(Signal::SIGTERM),
            _ => None,
        };
        let limited = |name| report.limits.iter().any(|held| held.limit == name);
        let used = match limited("wall-time") && !limited("cpu-time") {
            true => "wall-time",
            false => "cpu-time",
        };
        let result = match report.killed_by {
            Some(KilledBy::Cpu | KilledBy::Wall) => "hard-timelimit",
            _ if late => "soft-timelimit",
            _ => "",
        };
        let mut lines = vec![("exitcode", exitcode.to_string())];
        lines.extend(received.map(|signal| ("signal", (signal as i32).to_string())));
        for (key, ns) in [
            ("wall-time", report.wall_ns),
            ("user-time", report.user_ns),
            ("sys-time", report.sys_ns),
            ("cpu-time", report.cpu_ns),
        ] {
            lines.push((key, seconds(ns.saturating_add(MS / 2) / MS)));
        }
        lines.push(("time-used", used.to_owned()));
        lines.push(("time-result", result.to_owned()));
        lines.push(("memory-bytes", report.memory_peak_bytes.to_string()));
        let [stdout, stderr] = report.streams();
        if stdout.or(stderr).is_some() {
            let names = ["stdout", "stderr"].into_iter().zip(cut);
            let names: Vec<&str> = names
                .filter(|(_, cut)| *cut)
                .map(|(name, _)| name)
                .collect();
            lines.push(("output-truncated", names.join(",")));
        }
        lines.extend(stdout.map(|stream| ("stdout-bytes", stream.bytes_seen.to_string())));
        lines.extend(stderr.map(|stream| ("stderr-bytes", stream.bytes_seen.to_string())));
        let outcome = if late {
            Outcome::Timelimit
        } else if exitcode != 0 {
            Outcome::RunError
        } else if cut[0] {
            Outcome::OutputLimit
        } else {
            Outcome::Compare
        };
        Domjudge { lines, outcome }
    }

    pub(super) fn failed(why: &str) -> Domjudge {
        Domjudge {
            lines: vec![("internal-error", why.to_owned())],
            outcome: Outcome::InternalError,
        }
    }

    /// The meta file: lines of `key: value`.
    pub fn meta(&self) -> String {
        let mut meta = String::new();
        for (key, value) in &self.lines {
            let _ = writeln!(meta, "{key}: {}", line(value));
        }
        meta
    }

    /// What the judgedaemon makes of it.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Facts, NEITHER, code, report, signal};
    use super::*;
    use crate::report::{Held, Output};

    fn value(meta: &str, key: &str) -> Option<String> {
        let mut lines = meta.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.to_owned())
    }

    #[test]
    fn the_meta_file_leads_to_domjudges_verdict_row_by_row() {
        use Limit::{Cpu, FileSize, Memory, Processes};
        use Outcome::{Compare, InternalError, RunError, Timelimit};
        let table: [(Facts, Outcome, &str, &str, &str); 18] = [
            ((code(0), None, &[]), Compare, "0", "", ""),
            ((code(0), None, &[Processes]), Compare, "0", "", ""),
            ((code(3), None, &[]), RunError, "3", "", ""),
            ((signal(11), None, &[]), RunError, "139", "", ""),
            ((signal(24), None, &[]), RunError, "152", "", ""),
            ((signal(25), None, &[FileSize]), RunError, "153", "", ""),
            (
                (signal(9), Some(KilledBy::Cpu), &[]),
                Timelimit,
                "137",
                "hard-timelimit",
                "",
            ),
            (
                (signal(9), Some(KilledBy::Wall), &[]),
                Timelimit,
                "137",
                "hard-timelimit",
                "14",
            ),
            (
                (code(0), None, &[Cpu]),
                Timelimit,
                "0",
                "soft-timelimit",
                "",
            ),
            (
                (signal(9), Some(KilledBy::Memory), &[]),
                RunError,
                "137",
                "",
                "",
            ),
            ((code(0), None, &[Memory]), RunError, "137", "", ""),
            // Time comes before memory.
            (
                (signal(9), Some(KilledBy::Memory), &[Cpu]),
                Timelimit,
                "137",
                "soft-timelimit",
                "",
            ),
            (
                (signal(31), Some(KilledBy::Syscall), &[]),
                RunError,
                "159",
                "",
                "",
            ),
            (
                (signal(9), Some(KilledBy::Syscall), &[]),
                RunError,
                "159",
                "",
                "",
            ),
            // Cut on standard error only, or where nothing was counted.
            (
                (signal(9), Some(KilledBy::Output), &[]),
                RunError,
                "137",
                "",
                "",
            ),
            ((code(0), None, &[Limit::Output]), RunError, "137", "", ""),
            (
                (signal(9), Some(KilledBy::Cancel), &[]),
                RunError,
                "137",
                "",
                "15",
            ),
            ((NEITHER, None, &[]), InternalError, "", "", ""),
        ];
        for (facts, outcome, exitcode, result, received) in table {
            let domjudge = report(facts).domjudge();
            let meta = domjudge.meta();
            let of = |key| value(&meta, key).unwrap_or_default();
            assert_eq!(domjudge.outcome(), outcome, "{facts:?}");
            let told = [of("exitcode"), of("time-result"), of("signal")];
            assert_eq!(told, [exitcode, result, received], "{facts:?}");
        }
    }

    #[test]
    fn a_program_that_was_ended_for_its_output_has_the_output_limit() {
        for facts in [
            (signal(9), Some(KilledBy::Output), &[][..]),
            (code(0), None, &[Limit::Output]),
        ] {
            let mut report = report(facts);
            report.stdout = Some(Output {
                bytes_seen: 11,
                bytes_kept: 10,
                truncated: true,
            });
            let domjudge = report.domjudge();
            assert_eq!(domjudge.outcome(), Outcome::OutputLimit);
            let meta = domjudge.meta();
            assert_eq!(value(&meta, "exitcode").as_deref(), Some("0"));
            assert_eq!(value(&meta, "output-truncated").as_deref(), Some("stdout"));
            assert_eq!(value(&meta, "stdout-bytes").as_deref(), Some("11"));
        }
    }

    #[test]
    fn the_lines_are_runguards() {
        let mut report = report((code(0), None, &[]));
        report.limits = vec![Held {
            limit: "wall-time",
            most: 1,
            unit: "ns",
            by: "timer".into(),
        }];
        report.wall_ns = 1_999_500_000;
        report.stdout = Some(Output {
            bytes_seen: 10,
            bytes_kept: 10,
            truncated: false,
        });
        assert_eq!(
            report.domjudge().meta(),
            "exitcode: 0\nwall-time: 2.000\nuser-time: 1.000\nsys-time: 0.500\ncpu-time: 1.500\n\
             time-used: wall-time\ntime-result: \nmemory-bytes: 4096\noutput-truncated: \n\
             stdout-bytes: 10\n"
        );
    }
}
