//! From what was learnt to the record: the numbers, which limits they pass, the
//! verdict.
//! It asks nobody anything: everything it says follows from its arguments.

use super::facts::Facts;
use crate::cgroup::MemoryEvents;
use crate::launch::group::Counted;
use crate::plan::{CpuBy, MemoryBy, Plan, ProcessesBy};
use crate::policy::units::nanoseconds;
use crate::report::{
    Exit, Held, KilledBy, Layer, Limit, Output, Report, Verdict, Violation, Weakened, verdict,
};
use crate::sys::process;
use std::borrow::Cow;

/// What was written, where it was counted.
pub(super) struct Streams {
    pub(super) stdout: Option<Output>,
    pub(super) stderr: Option<Output>,
}

/// The record of a run that is over.
pub(super) fn report(
    plan: &Plan,
    facts: &Facts,
    usage: &libc::rusage,
    counted: Option<&Counted>,
    started_ns: u64,
    streams: Streams,
    layers: Vec<Layer>,
) -> Report {
    let limits = &plan.limits;
    let wall_ns = facts
        .wall_ns
        .unwrap_or_else(|| process::monotonic_ns().saturating_sub(started_ns));
    let cpu = cpu(plan, facts, usage, counted);
    let (memory_peak_bytes, memory_source) = memory(facts, usage, counted);
    let events = counted.and_then(|counted| counted.memory);
    let exit = facts.exit();
    let killed_by = facts
        .killed_by
        .or(refused_call(exit))
        .or(events.and_then(out_of_memory))
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
    hit(Limit::Cpu, over(limits.cpu_time.map(nanoseconds), cpu.ns));
    hit(Limit::Output, facts.output_limit_passed);
    if let Some((most, ProcessesBy::Namespace)) = limits.processes {
        // The kernel does not say that it refused one; that all were there is known.
        hit(Limit::Processes, u64::from(facts.processes) >= most);
    }
    let denied = counted.and_then(|counted| counted.denied);
    hit(Limit::Processes, denied.is_some_and(|denied| denied > 0));
    let grew = exit.signal.map(i32::from) == Some(libc::SIGXFSZ);
    hit(Limit::FileSize, grew && has(plan, "fsize"));
    let (processes_peak, processes_source) = processes(facts, counted);
    let verdict = verdict(exit, killed_by, &limits_hit);
    Report {
        exit,
        killed_by,
        idle: killed_by == Some(KilledBy::Wall) && cpu.ns < wall_ns / 10,
        violation: violation(facts, killed_by),
        cpu_ns: cpu.ns,
        user_ns: cpu.user_ns,
        sys_ns: cpu.sys_ns,
        wall_ns,
        cpu_source: cpu.source.name(),
        memory_peak_bytes,
        memory_source,
        max_rss_bytes: largest(facts, usage),
        oom_kills: events.map(|events| events.oom_kill),
        processes_peak,
        processes_denied: denied,
        processes_source,
        switches_voluntary: u64::try_from(usage.ru_nvcsw).unwrap_or(0),
        switches_forced: u64::try_from(usage.ru_nivcsw).unwrap_or(0),
        stdout: streams.stdout,
        stderr: streams.stderr,
        noise: None,
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
        error: (verdict == Verdict::Internal).then(|| failure(facts, events)),
        verdict,
        limits_hit,
    }
}

/// Processor time, and where it comes from.
struct Time {
    ns: u64,
    user_ns: u64,
    sys_ns: u64,
    source: CpuBy,
}

fn cpu(plan: &Plan, facts: &Facts, usage: &libc::rusage, counted: Option<&Counted>) -> Time {
    let (user_ns, sys_ns) = match counted {
        Some(counted) => (counted.cpu.user_us * 1000, counted.cpu.system_us * 1000),
        None => (process::cpu(usage.ru_utime), process::cpu(usage.ru_stime)),
    };
    let by = plan.limits.cpu_by;
    let (ns, source) = match (facts.cpu_ns, counted) {
        // A pid 1 that was killed could not say when the program began.
        (0, Some(counted)) => (counted.cpu.usage_us * 1000, by),
        (0, None) => (user_ns + sys_ns, CpuBy::Seen),
        (ns, _) => (ns, by),
    };
    Time {
        ns,
        user_ns,
        sys_ns,
        source,
    }
}

/// A program may grow and end between two looks; the largest resident set of a
/// process knows, where it grew beyond what it began as.
fn memory(facts: &Facts, usage: &libc::rusage, counted: Option<&Counted>) -> (u64, &'static str) {
    if let Some(peak) = counted.and_then(|counted| counted.memory_peak) {
        return (peak, "memory.peak");
    }
    let largest = u64::from(facts.peak_kib) * 1024;
    match (facts.memory_bytes, largest) {
        // pid 1 was killed, or nothing was looked at: its own size is then in it too.
        (0, 0) => (u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024, "maxrss"),
        (seen, largest) if seen >= largest => (seen, "polled"),
        (_, largest) => (largest, "maxrss"),
    }
}

/// The largest resident set; that of pid 1 is only in `usage`, where no process grew
/// beyond it.
fn largest(facts: &Facts, usage: &libc::rusage) -> u64 {
    match facts.peak_kib {
        0 => u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        kib => u64::from(kib) * 1024,
    }
}

fn processes(facts: &Facts, counted: Option<&Counted>) -> (Option<u64>, Option<&'static str>) {
    match (
        counted.and_then(|counted| counted.processes_peak),
        facts.processes,
    ) {
        (Some(peak), _) => (Some(peak), Some("pids.peak")),
        (None, 0) => (None, None),
        (None, seen) => (Some(u64::from(seen)), Some("polled")),
    }
}

/// The kernel killed for memory. Where the group's own limit was not the reason, the
/// machine or a group around it had none left, and the run proves nothing.
fn out_of_memory(events: MemoryEvents) -> Option<KilledBy> {
    match (events.oom_kill, events.oom) {
        (0, _) => None,
        (_, 0) => Some(KilledBy::Internal),
        _ => Some(KilledBy::Memory),
    }
}

/// What of ours failed.
fn failure(facts: &Facts, events: Option<MemoryEvents>) -> String {
    if let Some(errno) = facts.lost {
        return format!("pid 1 could not watch the program: {}", errno.desc());
    }
    match events.and_then(out_of_memory) {
        Some(KilledBy::Internal) => {
            "the machine, or a control group around the run's, had no memory left".to_owned()
        }
        _ => "pid 1 was killed: by somebody outside, or because the machine had no memory left"
            .to_owned(),
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
            by: Cow::Borrowed(by),
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
    hold(
        "cpu-time",
        limits.cpu_time.map(nanoseconds),
        "ns",
        counted_by,
    );
    hold(
        "wall-time",
        limits.wall_time.map(nanoseconds),
        "ns",
        "timer",
    );
    for (limit, cap) in [
        ("output", limits.output),
        ("stdout", limits.stdout),
        ("stderr", limits.stderr),
    ] {
        hold(limit, cap.map(|cap| cap.most), "bytes", "relay");
    }
    for (limit, name, unit, by) in [
        ("file-size", "fsize", "bytes", "RLIMIT_FSIZE"),
        ("open-files", "nofile", "descriptors", "RLIMIT_NOFILE"),
        ("stack", "stack", "bytes", "RLIMIT_STACK"),
    ] {
        let mut rlimits = limits.rlimits.iter();
        let most = rlimits.find(|rlimit| rlimit.name == name);
        hold(limit, most.map(|rlimit| rlimit.hard), unit, by);
    }
    all.extend(limits.shares.each().into_iter().map(|share| Held {
        limit: share.limit,
        most: share.most,
        unit: share.unit,
        by: Cow::Owned(share.by),
    }));
    all
}
