//! DMOJ's words: flags, and the one that is shown.
//! It must not know points, or what the checker says: those flags are for whoever compares.

use super::super::{KilledBy, Limit, Report, Violation};
use serde::Serialize;

/// The fields of DMOJ's `Result` (`dmoj/result.py`) that a run decides, under their
/// names there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dmoj {
    /// The flags of [`FLAGS`] that hold, added up.
    pub result_flag: u32,
    /// The one that is shown, the first in the order of [`FLAGS`]; `AC` where none holds.
    pub code: &'static str,
    /// All that hold, in that order.
    pub codes: Vec<&'static str>,
    /// Processor time, seconds.
    pub execution_time: f64,
    /// Elapsed time, seconds.
    pub wall_clock_time: f64,
    /// The most memory, KiB.
    pub max_memory: u64,
    /// Voluntary and forced.
    pub context_switches: (u64, u64),
    /// A sentence for the author of the program.
    pub feedback: String,
}

/// The flags that a run decides, in the order in which DMOJ shows them. `WA` (1) and
/// `SC` (32) are not among them.
pub const FLAGS: [(&str, u32); 6] = [
    ("IE", 1 << 30),
    ("TLE", 1 << 2),
    ("MLE", 1 << 3),
    ("OLE", 1 << 6),
    ("RTE", 1 << 1),
    ("IR", 1 << 4),
];

impl Dmoj {
    /// Several may hold (`dmoj/cptbox/tracer.py`): what a limit ended was also ended by
    /// a signal (`RTE`). `IR` is an exit code above 0. DMOJ takes SIGXCPU for a time
    /// limit; here the processor time itself says that.
    pub(super) fn of(report: &Report) -> Dmoj {
        let failed = report.failed_here();
        let forbidden = report.by(KilledBy::Syscall);
        let holds = |name| match name {
            "IE" => failed,
            "TLE" => report.late(),
            "MLE" => report.hit(Limit::Memory),
            "OLE" => report.hit(Limit::Output),
            "RTE" => report.exit.signal.is_some() || forbidden || report.by(KilledBy::Cancel),
            "IR" => report.exit.code.is_some_and(|code| code > 0),
            _ => false,
        };
        let flags = FLAGS.into_iter();
        let feedback = match &report.violation {
            Some(violation) if forbidden => disallowed(violation),
            _ => String::new(),
        };
        Dmoj {
            execution_time: seconds(report.cpu_ns),
            wall_clock_time: seconds(report.wall_ns),
            max_memory: report.memory_peak_bytes / 1024,
            context_switches: (report.switches_voluntary, report.switches_forced),
            ..Dmoj::with(flags.filter(|(name, _)| holds(name)).collect(), feedback)
        }
    }

    pub(super) fn failed(why: &str) -> Dmoj {
        Dmoj::with(vec![FLAGS[0]], why.to_owned())
    }

    fn with(flags: Vec<(&'static str, u32)>, feedback: String) -> Dmoj {
        Dmoj {
            result_flag: flags.iter().map(|(_, bit)| bit).sum(),
            code: flags.first().map_or("AC", |(name, _)| name),
            codes: flags.into_iter().map(|(name, _)| name).collect(),
            execution_time: 0.0,
            wall_clock_time: 0.0,
            max_memory: 0,
            context_switches: (0, 0),
            feedback,
        }
    }
}

fn disallowed(violation: &Violation) -> String {
    match violation.syscall {
        Some(name) => format!("{name} syscall disallowed"),
        None => String::from("syscall disallowed"),
    }
}

/// The nearest number that DMOJ's own type can hold.
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Facts, NEITHER, code, report, signal};
    use super::*;

    #[test]
    fn the_flags_are_dmojs_row_by_row() {
        use Limit::{Cpu, FileSize, Memory, Output, Processes};
        let table: [(Facts, &[&str], u32); 18] = [
            ((code(0), None, &[]), &[], 0),
            ((code(0), None, &[Processes]), &[], 0),
            ((code(3), None, &[]), &["IR"], 16),
            ((signal(11), None, &[]), &["RTE"], 2),
            ((signal(24), None, &[]), &["RTE"], 2),
            ((signal(25), None, &[FileSize]), &["RTE"], 2),
            ((signal(9), Some(KilledBy::Cpu), &[]), &["TLE", "RTE"], 6),
            ((signal(9), Some(KilledBy::Wall), &[]), &["TLE", "RTE"], 6),
            ((code(3), None, &[Cpu]), &["TLE", "IR"], 20),
            (
                (signal(9), Some(KilledBy::Memory), &[]),
                &["MLE", "RTE"],
                10,
            ),
            ((code(0), None, &[Memory]), &["MLE"], 8),
            // Time is shown before memory.
            (
                (signal(9), Some(KilledBy::Memory), &[Cpu]),
                &["TLE", "MLE", "RTE"],
                14,
            ),
            (
                (signal(9), Some(KilledBy::Output), &[]),
                &["OLE", "RTE"],
                66,
            ),
            ((code(0), None, &[Output]), &["OLE"], 64),
            ((signal(31), Some(KilledBy::Syscall), &[]), &["RTE"], 2),
            ((signal(9), Some(KilledBy::Cancel), &[]), &["RTE"], 2),
            (
                (signal(9), Some(KilledBy::Internal), &[]),
                &["IE", "RTE"],
                (1 << 30) + 2,
            ),
            ((NEITHER, None, &[]), &["IE"], 1 << 30),
        ];
        for (facts, codes, flag) in table {
            let result = report(facts).dmoj();
            assert_eq!(result.codes, codes, "{facts:?}");
            assert_eq!(result.result_flag, flag, "{facts:?}");
            assert_eq!(result.code, *codes.first().unwrap_or(&"AC"), "{facts:?}");
        }
    }

    #[test]
    fn the_json_has_dmojs_names_and_units() {
        let mut report = report((signal(9), Some(KilledBy::Syscall), &[]));
        report.violation = Some(Violation {
            syscall: Some("ptrace"),
            number: Some(101),
        });
        assert_eq!(
            serde_json::to_string(&report.dmoj()).unwrap(),
            "{\"result_flag\":2,\"code\":\"RTE\",\"codes\":[\"RTE\"],\
             \"execution_time\":1.500000001,\"wall_clock_time\":2.0,\"max_memory\":4,\
             \"context_switches\":[12,3],\"feedback\":\"ptrace syscall disallowed\"}"
        );
    }
}
