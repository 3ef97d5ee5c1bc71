//! From what was learnt to the record: the numbers, which limits they pass, the
//! verdict.
//! It asks nobody anything: everything it says follows from its arguments.

use super::facts::Facts;
use crate::plan::{CpuBy, MemoryBy, Plan, ProcessesBy};
use crate::report::{
    Exit, Held, KilledBy, Layer, Limit, Output, Report, Violation, Weakened, verdict,
};
use crate::sys::process;
use std::time::Duration;

/// The record of a run that is over.
pub(super) fn report(
    plan: &Plan,
    facts: &Facts,
    usage: &libc::rusage,
    started_ns: u64,
    output: Option<Output>,
    layers: Vec<Layer>,
) -> Report {
    let limits = &plan.limits;
    let wall_ns = facts
        .wall_ns
        .unwrap_or_else(|| process::monotonic_ns().saturating_sub(started_ns));
    let (user_ns, sys_ns) = (nanoseconds(usage.ru_utime), nanoseconds(usage.ru_stime));
    let (cpu_ns, cpu_source) = match facts.cpu_ns {
        0 => (user_ns + sys_ns, CpuBy::Seen),
        ns => (ns, limits.cpu_by),
    };
    let (memory_peak_bytes, memory_source) = memory(facts, usage);
    let exit = facts.exit();
    let killed_by = facts
        .killed_by
        .or(refused_call(exit))
        // pid 1 died without a word, and nobody here asked for it.
        .or(facts.status.is_none().then_some(KilledBy::Internal));
    let mut limits_hit: Vec<Limit> = killed_by.and_then(KilledBy::limit).into_iter().collect();
    let mut hit = |limit, is: bool| {
        if is && !limits_hit.contains(&limit) {
            limits_hit.push(limit);
        }
    };
    let over = |most: Option<u64>, used| most.is_some_and(|most| used > most);
    let memory = limits.memory.map(|(bytes, _)| bytes);
    hit(Limit::Memory, over(memory, facts.memory_bytes));
    hit(Limit::Cpu, over(limits.cpu_time.map(whole), cpu_ns));
    hit(Limit::Output, facts.output_limit_passed);
    if let Some((most, ProcessesBy::Namespace)) = limits.processes {
        // The kernel does not say that it refused one; that all were there is known.
        hit(Limit::Processes, u64::from(facts.processes) >= most);
    }
    let grew = exit.signal.map(i32::from) == Some(libc::SIGXFSZ);
    hit(Limit::FileSize, grew && has(plan, "fsize"));
    let polled = facts.processes > 0;
    Report {
        exit,
        killed_by,
        idle: killed_by == Some(KilledBy::Wall) && cpu_ns < wall_ns / 10,
        violation: violation(facts, killed_by),
        cpu_ns,
        user_ns,
        sys_ns,
        wall_ns,
        cpu_source: cpu_source.name(),
        memory_peak_bytes,
        memory_source,
        oom_kills: None,
        processes_peak: polled.then_some(u64::from(facts.processes)),
        processes_denied: None,
        processes_source: polled.then_some("polled"),
        output,
        limits: held(plan),
        files: Vec::new(),
        layers,
        weakened: plan
            .weakened
            .iter()
            .map(|(token, reason)| Weakened {
                token: token.name(),
                reason: reason.clone(),
            })
            .collect(),
        verdict: verdict(exit, killed_by, &limits_hit),
        limits_hit,
    }
}

/// A program may grow and end between two looks; the largest resident set of a
/// process knows, where it grew beyond what it began as.
fn memory(facts: &Facts, usage: &libc::rusage) -> (u64, &'static str) {
    let largest = u64::from(facts.peak_kib) * 1024;
    match (facts.memory_bytes, largest) {
        // pid 1 was killed, or nothing was looked at: its own size is then in it too.
        (0, 0) => (u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024, "maxrss"),
        (seen, largest) if seen >= largest => (seen, "polled"),
        (_, largest) => (largest, "maxrss"),
    }
}

/// Nothing but a filter sends SIGSYS, or the program itself, which then says of
/// itself what it likes.
fn refused_call(exit: Exit) -> Option<KilledBy> {
    (exit.signal.map(i32::from) == Some(libc::SIGSYS)).then_some(KilledBy::Syscall)
}

fn violation(facts: &Facts, killed_by: Option<KilledBy>) -> Option<Violation> {
    if killed_by != Some(KilledBy::Syscall) {
        return None;
    }
    let number = facts.violation;
    Some(Violation {
        syscall: number.and_then(crate::policy::syscalls::name),
        number,
    })
}

fn has(plan: &Plan, name: &str) -> bool {
    plan.limits.rlimits.iter().any(|limit| limit.name == name)
}

/// Every limit of the policy, and what keeps it.
fn held(plan: &Plan) -> Vec<Held> {
    let limits = &plan.limits;
    let mut all = Vec::new();
    let mut hold = |limit, most: Option<u64>, unit, by| {
        all.extend(most.map(|most| Held {
            limit,
            most,
            unit,
            by,
        }));
    };
    let memory_by = limits.memory.map_or(MemoryBy::Polled, |(_, by)| by);
    let memory = limits.memory.map(|(bytes, _)| bytes);
    hold("memory", memory, "bytes", memory_by.name());
    let processes_by = limits
        .processes
        .map_or(ProcessesBy::Namespace, |(_, by)| by);
    let processes = limits.processes.map(|(count, _)| count);
    hold("processes", processes, "processes", processes_by.name());
    let counted_by = limits.cpu_by.name();
    hold("cpu-time", limits.cpu_time.map(whole), "ns", counted_by);
    hold("wall-time", limits.wall_time.map(whole), "ns", "timer");
    hold("output", limits.output, "bytes", "relay");
    for (limit, name, unit, by) in [
        ("file-size", "fsize", "bytes", "RLIMIT_FSIZE"),
        ("open-files", "nofile", "descriptors", "RLIMIT_NOFILE"),
        ("stack", "stack", "bytes", "RLIMIT_STACK"),
    ] {
        let mut rlimits = limits.rlimits.iter();
        let most = rlimits.find(|rlimit| rlimit.name == name);
        hold(limit, most.map(|rlimit| rlimit.hard), unit, by);
    }
    all
}

fn whole(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn nanoseconds(time: libc::timeval) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000
}
