//! The verdict: one word for what happened, a pure function of the facts.
//! It must know nothing that is not in the record: whoever has the record can
//! compute it again.

use nix::sys::signal::Signal;
use serde::Serialize;

/// The outcome in one word, from the facts alone.
///
/// A cause that ended the run comes first; then a limit that the program passed
/// and ended before anybody could end it; then how it ended by itself. The first
/// row that fits:
///
/// | killed by | limits hit | exit | verdict |
/// |---|---|---|---|
/// | internal | any | any | `internal` |
/// | cancel | any | any | `cancelled` |
/// | syscall | any | any | `violation` |
/// | memory | any | any | `memory` |
/// | cpu | any | any | `cpu-time` |
/// | wall | any | any | `wall-time` |
/// | output | any | any | `output` |
/// | – | memory | any | `memory` |
/// | – | cpu | any | `cpu-time` |
/// | – | output | any | `output` |
/// | – | file-size | SIGXFSZ | `file-size` |
/// | – | processes | anything but code 0 | `processes` |
/// | – | – | code 0 | `ok` |
/// | – | – | another code | `exit` |
/// | – | – | a signal | `signal` |
/// | – | – | neither, or both | `internal` |
///
/// A program that was refused a process or a longer file, lived with it and exited
/// 0 is `ok`; that the limit was hit stands in the record.
pub fn verdict(exit: Exit, killed_by: Option<KilledBy>, limits_hit: &[Limit]) -> Verdict {
    let hit = |limit| limits_hit.contains(&limit);
    match killed_by {
        Some(KilledBy::Internal) => return Verdict::Internal,
        Some(KilledBy::Cancel) => return Verdict::Cancelled,
        Some(KilledBy::Syscall) => return Verdict::Violation,
        Some(KilledBy::Memory) => return Verdict::Memory,
        Some(KilledBy::Cpu) => return Verdict::CpuTime,
        Some(KilledBy::Wall) => return Verdict::WallTime,
        Some(KilledBy::Output) => return Verdict::Output,
        None => {}
    }
    if hit(Limit::Memory) {
        return Verdict::Memory;
    }
    if hit(Limit::Cpu) {
        return Verdict::CpuTime;
    }
    if hit(Limit::Output) {
        return Verdict::Output;
    }
    let by_file_size = exit.signal == Some(Signal::SIGXFSZ as u8);
    match (exit.code, exit.signal) {
        (None, Some(_)) if by_file_size && hit(Limit::FileSize) => Verdict::FileSize,
        (Some(1..), None) | (None, Some(_)) if hit(Limit::Processes) => Verdict::Processes,
        (Some(0), None) => Verdict::Ok,
        (Some(_), None) => Verdict::Exit,
        (None, Some(_)) => Verdict::Signal,
        (None, None) | (Some(_), Some(_)) => Verdict::Internal,
    }
}

/// What `sandbox` exits with:
///
/// | verdict | exit code |
/// |---|---|
/// | `ok`, `exit` | the program's own |
/// | `signal` | 128 + signal |
/// | `cpu-time`, `wall-time` | 124 |
/// | `processes` | the program's own, or 128 + signal |
/// | `memory`, `output`, `file-size`, `cancelled` | 128 + signal; 137 where none was seen |
/// | `violation` | 159, as after SIGSYS |
/// | `internal` | 125 |
///
/// A run that was cut off never exits 0, even when the program slipped out with 0
/// before the kill arrived.
pub fn exit_code(verdict: Verdict, exit: Exit) -> u8 {
    let by_signal = |signal: u8| signal.saturating_add(128);
    match verdict {
        Verdict::Ok | Verdict::Exit => exit.code.unwrap_or(125),
        Verdict::Signal => exit.signal.map_or(125, by_signal),
        Verdict::Processes => match (exit.code, exit.signal) {
            (Some(code @ 1..), _) => code,
            (_, signal) => signal.map_or(125, by_signal),
        },
        Verdict::CpuTime | Verdict::WallTime => 124,
        Verdict::Memory | Verdict::Output | Verdict::FileSize | Verdict::Cancelled => {
            by_signal(exit.signal.unwrap_or(Signal::SIGKILL as u8))
        }
        // Whether the filter killed by itself or a listener did makes no difference.
        Verdict::Violation => by_signal(Signal::SIGSYS as u8),
        Verdict::Internal => 125,
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

/// An enum whose variants have a word in the record, the same for people.
macro_rules! words {
    (
        $(#[$about:meta])*
        $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every one.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The word of the record.
            pub fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }
        }
    };
}

words! {
    /// Who ended the program, when it was not itself.
    KilledBy {
        /// `limits.cpu-time`.
        Cpu = "cpu",
        /// `limits.wall-time`.
        Wall = "wall",
        /// `limits.memory`.
        Memory = "memory",
        /// `limits.output` and the limits of single streams.
        Output = "output",
        /// The system call filter.
        Syscall = "syscall",
        /// The caller asked for it.
        Cancel = "cancel",
        /// Our own failure; the run proves nothing.
        Internal = "internal",
    }
}

words! {
    /// A limit that the program ran into, whether or not that ended it.
    Limit {
        /// `limits.cpu-time`: more was used.
        Cpu = "cpu",
        /// `limits.wall-time`: more went by.
        Wall = "wall",
        /// `limits.memory`: more was used, or the kernel ended a process for it.
        Memory = "memory",
        /// `limits.output`: more was written.
        Output = "output",
        /// `limits.processes`: one more was refused.
        Processes = "processes",
        /// `limits.file-size`: SIGXFSZ was seen.
        FileSize = "file-size",
    }
}

words! {
    /// The outcome in one word.
    Verdict {
        /// Exit code 0.
        Ok = "ok",
        /// Another exit code.
        Exit = "exit",
        /// A signal, not ours.
        Signal = "signal",
        /// Processor time limit.
        CpuTime = "cpu-time",
        /// Elapsed time limit.
        WallTime = "wall-time",
        /// Memory limit.
        Memory = "memory",
        /// Output limit.
        Output = "output",
        /// It was refused a process, and failed.
        Processes = "processes",
        /// A file was to grow past its limit, and that ended it.
        FileSize = "file-size",
        /// A system call the policy kills for.
        Violation = "violation",
        /// The caller ended it.
        Cancelled = "cancelled",
        /// Our own failure.
        Internal = "internal",
    }
}

impl KilledBy {
    /// The limit that this is, if it is one.
    pub fn limit(self) -> Option<Limit> {
        match self {
            KilledBy::Cpu => Some(Limit::Cpu),
            KilledBy::Wall => Some(Limit::Wall),
            KilledBy::Memory => Some(Limit::Memory),
            KilledBy::Output => Some(Limit::Output),
            KilledBy::Syscall | KilledBy::Cancel | KilledBy::Internal => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn exit(code: Option<u8>, signal: Option<u8>) -> Exit {
        Exit {
            code,
            signal,
            core: false,
        }
    }

    #[test]
    fn the_verdict_table_holds_row_by_row() {
        use KilledBy::{Cancel, Cpu, Internal, Memory, Output, Syscall, Wall};
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
            (signal(24), None, Verdict::Signal, 152),
            (signal(64), None, Verdict::Signal, 192),
            (neither, None, Verdict::Internal, 125),
            (both, None, Verdict::Internal, 125),
            (signal(9), Some(Cpu), Verdict::CpuTime, 124),
            (signal(9), Some(Wall), Verdict::WallTime, 124),
            (code(0), Some(Wall), Verdict::WallTime, 124),
            (signal(9), Some(Memory), Verdict::Memory, 137),
            (code(0), Some(Memory), Verdict::Memory, 137),
            (signal(9), Some(Output), Verdict::Output, 137),
            (code(0), Some(Output), Verdict::Output, 137),
            (signal(31), Some(Syscall), Verdict::Violation, 159),
            (signal(9), Some(Syscall), Verdict::Violation, 159),
            (signal(15), Some(Cancel), Verdict::Cancelled, 143),
            (neither, Some(Cancel), Verdict::Cancelled, 137),
            (code(0), Some(Internal), Verdict::Internal, 125),
            (neither, Some(Internal), Verdict::Internal, 125),
        ];
        for (exit, killed_by, expected, number) in table {
            let answer = verdict(exit, killed_by, &[]);
            assert_eq!(answer, expected, "{exit:?} {killed_by:?}");
            assert_eq!(exit_code(answer, exit), number, "{exit:?} {killed_by:?}");
        }
    }

    #[test]
    fn a_limit_that_was_passed_counts_when_nobody_ended_the_run() {
        let code = |n| exit(Some(n), None);
        let signal = |n| exit(None, Some(n));
        let table = [
            (code(0), Limit::Memory, Verdict::Memory, 137),
            (code(3), Limit::Cpu, Verdict::CpuTime, 124),
            (signal(24), Limit::Cpu, Verdict::CpuTime, 124),
            (code(0), Limit::Output, Verdict::Output, 137),
            (signal(13), Limit::Output, Verdict::Output, 141),
            (signal(25), Limit::FileSize, Verdict::FileSize, 153),
            (code(1), Limit::FileSize, Verdict::Exit, 1),
            (code(0), Limit::Processes, Verdict::Ok, 0),
            (code(1), Limit::Processes, Verdict::Processes, 1),
            (signal(6), Limit::Processes, Verdict::Processes, 134),
            // Only a kill makes a run late: the program was faster.
            (code(0), Limit::Wall, Verdict::Ok, 0),
        ];
        for (exit, hit, expected, number) in table {
            let answer = verdict(exit, None, &[hit]);
            assert_eq!(answer, expected, "{exit:?} {hit:?}");
            assert_eq!(exit_code(answer, exit), number, "{exit:?} {hit:?}");
        }
    }

    #[test]
    fn who_ended_the_run_comes_before_what_else_was_passed() {
        for by in KilledBy::ALL {
            let alone = verdict(exit(None, Some(9)), Some(*by), &[]);
            for hit in Limit::ALL {
                assert_eq!(verdict(exit(None, Some(9)), Some(*by), &[*hit]), alone);
            }
        }
        let both = [Limit::Cpu, Limit::Memory];
        assert_eq!(verdict(exit(Some(0), None), None, &both), Verdict::Memory);
    }

    #[test]
    fn a_run_that_was_cut_off_never_exits_0() {
        let clean = exit(Some(0), None);
        for by in KilledBy::ALL {
            assert_ne!(
                exit_code(verdict(clean, Some(*by), &[]), clean),
                0,
                "{by:?}"
            );
        }
        for hit in [Limit::Cpu, Limit::Memory, Limit::Output] {
            assert_ne!(exit_code(verdict(clean, None, &[hit]), clean), 0, "{hit:?}");
        }
    }

    #[test]
    fn the_names_are_those_of_the_json() {
        fn same<T: Serialize>(all: &[T], name: impl Fn(&T) -> &'static str) {
            for one in all {
                assert_eq!(serde_json::to_value(one).unwrap(), name(one));
            }
        }
        same(Verdict::ALL, |verdict| verdict.name());
        same(KilledBy::ALL, |by| by.name());
        same(Limit::ALL, |limit| limit.name());
    }
}
