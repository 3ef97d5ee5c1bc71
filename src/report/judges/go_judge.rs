//! go-judge's words: the `Result` of its REST interface.
//! It must not know go-judge's requests; limits are those of the record.

use super::super::{KilledBy, Limit, Report};
use nix::sys::signal::Signal;
use serde::Serialize;

/// What go-judge says of one command (`cmd/go-judge/model/model.go`): nanoseconds and
/// bytes. Files are the front end's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoJudge {
    /// One of its words.
    pub status: Status,
    /// The exit code, or the number of the signal.
    pub exit_status: u8,
    /// Why it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Processor time.
    pub time: u64,
    /// The most memory.
    pub memory: u64,
    /// Elapsed time.
    pub run_time: u64,
    /// The most processes, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proc_peak: Option<u64>,
}

/// The words of go-judge (`envexec/run_status.go`) that a run alone can deserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Status {
    /// Exit code 0.
    Accepted,
    /// The memory limit.
    #[serde(rename = "Memory Limit Exceeded")]
    MemoryLimitExceeded,
    /// Either time limit.
    #[serde(rename = "Time Limit Exceeded")]
    TimeLimitExceeded,
    /// The output limit, or SIGXFSZ.
    #[serde(rename = "Output Limit Exceeded")]
    OutputLimitExceeded,
    /// Another exit code.
    #[serde(rename = "Nonzero Exit Status")]
    NonzeroExitStatus,
    /// A signal.
    Signalled,
    /// SIGSYS.
    #[serde(rename = "Dangerous Syscall")]
    DangerousSyscall,
    /// Our own failure.
    #[serde(rename = "Internal Error")]
    InternalError,
}

impl GoJudge {
    /// go-judge takes SIGKILL and SIGXCPU for a time limit first, and corrects that
    /// where neither time was passed (`worker/worker.go`, convertResult): both are
    /// `Signalled` here at once, a run that the caller ended as well. Memory comes
    /// before time (`envexec/run_single.go`).
    pub(super) fn of(report: &Report) -> GoJudge {
        let signal = report.signal();
        let is = |number: Signal| signal == Some(number as u8);
        let status = if report.failed_here() {
            Status::InternalError
        } else if report.hit(Limit::Memory) {
            Status::MemoryLimitExceeded
        } else if report.late() {
            Status::TimeLimitExceeded
        } else if report.by(KilledBy::Syscall) || is(Signal::SIGSYS) {
            Status::DangerousSyscall
        } else if report.hit(Limit::Output) || is(Signal::SIGXFSZ) {
            Status::OutputLimitExceeded
        } else if signal.is_some() || report.by(KilledBy::Cancel) {
            Status::Signalled
        } else if report.exit.code != Some(0) {
            Status::NonzeroExitStatus
        } else {
            Status::Accepted
        };
        let error = (status == Status::InternalError).then(|| String::from("the sandbox failed"));
        GoJudge {
            status,
            exit_status: signal.or(report.exit.code).unwrap_or(0),
            error,
            time: report.cpu_ns,
            memory: report.memory_peak_bytes,
            run_time: report.wall_ns,
            proc_peak: report.processes_peak,
        }
    }

    pub(super) fn failed(why: &str) -> GoJudge {
        GoJudge {
            status: Status::InternalError,
            exit_status: 0,
            error: Some(why.to_owned()),
            time: 0,
            memory: 0,
            run_time: 0,
            proc_peak: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Facts, NEITHER, code, report, signal};
    use super::*;

    #[test]
    fn the_status_is_go_judges_row_by_row() {
        use Limit::{Cpu, FileSize, Memory, Output, Processes};
        let table: [(Facts, Status, u8); 25] = [
            ((code(0), None, &[]), Status::Accepted, 0),
            ((code(0), None, &[Processes]), Status::Accepted, 0),
            ((code(3), None, &[]), Status::NonzeroExitStatus, 3),
            ((code(3), None, &[Processes]), Status::NonzeroExitStatus, 3),
            ((signal(11), None, &[]), Status::Signalled, 11),
            ((signal(9), None, &[]), Status::Signalled, 9),
            ((signal(24), None, &[]), Status::Signalled, 24),
            (
                (signal(31), Some(KilledBy::Syscall), &[]),
                Status::DangerousSyscall,
                31,
            ),
            (
                (signal(9), Some(KilledBy::Syscall), &[]),
                Status::DangerousSyscall,
                31,
            ),
            (
                (signal(25), None, &[FileSize]),
                Status::OutputLimitExceeded,
                25,
            ),
            ((signal(25), None, &[]), Status::OutputLimitExceeded, 25),
            (
                (signal(9), Some(KilledBy::Output), &[]),
                Status::OutputLimitExceeded,
                9,
            ),
            ((code(0), None, &[Output]), Status::OutputLimitExceeded, 0),
            (
                (signal(9), Some(KilledBy::Cpu), &[]),
                Status::TimeLimitExceeded,
                9,
            ),
            (
                (signal(9), Some(KilledBy::Wall), &[]),
                Status::TimeLimitExceeded,
                9,
            ),
            ((code(0), None, &[Cpu]), Status::TimeLimitExceeded, 0),
            (
                (signal(9), Some(KilledBy::Memory), &[]),
                Status::MemoryLimitExceeded,
                9,
            ),
            ((code(0), None, &[Memory]), Status::MemoryLimitExceeded, 0),
            // Memory comes before time, both before output, and nothing before a failure.
            (
                (signal(9), Some(KilledBy::Memory), &[Output]),
                Status::MemoryLimitExceeded,
                9,
            ),
            (
                (signal(9), Some(KilledBy::Cpu), &[Output]),
                Status::TimeLimitExceeded,
                9,
            ),
            (
                (signal(9), Some(KilledBy::Internal), &[Output]),
                Status::InternalError,
                9,
            ),
            (
                (signal(9), Some(KilledBy::Cpu), &[Memory]),
                Status::MemoryLimitExceeded,
                9,
            ),
            (
                (signal(9), Some(KilledBy::Cancel), &[]),
                Status::Signalled,
                9,
            ),
            (
                (signal(9), Some(KilledBy::Internal), &[]),
                Status::InternalError,
                9,
            ),
            ((NEITHER, None, &[]), Status::InternalError, 0),
        ];
        for (facts, status, exit_status) in table {
            let result = report(facts).go_judge();
            assert_eq!(
                (result.status, result.exit_status),
                (status, exit_status),
                "{facts:?}"
            );
            assert_eq!(result.error.is_some(), status == Status::InternalError);
        }
    }

    #[test]
    fn the_json_has_go_judges_names_and_units() {
        let result = report((signal(9), Some(KilledBy::Wall), &[])).go_judge();
        assert_eq!(
            serde_json::to_string(&result).unwrap(),
            "{\"status\":\"Time Limit Exceeded\",\"exitStatus\":9,\"time\":1500000001,\
             \"memory\":4096,\"runTime\":2000000000,\"procPeak\":3}"
        );
    }
}
