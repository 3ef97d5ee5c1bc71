//! The record of a run: facts, layers as confirmed, verdict; text and JSON.
//!
//! Nanoseconds and bytes only. The verdict is a pure function of the facts.

use serde::Serialize;

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
    /// The outcome in one word.
    pub verdict: Verdict,
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
