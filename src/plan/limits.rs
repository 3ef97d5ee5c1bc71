//! Layer limits: what keeps each of them.
//!
//! Memory, processes and processor time are of the whole sandbox. The kernel keeps
//! them where there is a cgroup with the controllers; where not, the next best thing
//! does, unless the policy accepts nothing but the kernel. File size, descriptors
//! and stack are of each process (`setrlimit(2)`), what is written on the standard
//! streams is the relay's.

use super::{CpuBy, Limits, MemoryBy, ProcessesBy, Refusal, Rlimit, shares};
use crate::host::{Host, resource};
use crate::policy::{self, Enforcement};

/// A core file of at most one byte is none, and one byte is also what the kernel
/// takes for "do not start the core pattern's program" (core(5), fs/coredump.c);
/// zero would still start it.
const NO_CORE: u64 = 1;

/// MLOCK_LIMIT and MQ_BYTES_MAX of the kernel, bytes: what a caller without
/// privileges has anyway.
const LOCKED: u64 = 8 << 20;
const QUEUED: u64 = 819_200;

/// Private writable memory that one process may map where pid 1 watches what is
/// used: room for what run-times reserve and never touch (a stack for every thread,
/// heaps), an end for what has no sense.
fn runaway(bytes: u64) -> u64 {
    const LEAST: u64 = 8 << 30;
    bytes.saturating_mul(4).saturating_add(LEAST)
}

/// The limits in the form they are put in force. A caller whose own hard limit is
/// lower keeps it: the smaller bound holds both promises.
pub(super) fn resolve(limits: &policy::Limits, host: &Host, cpus: u32) -> Result<Limits, Refusal> {
    let memory_by = match host.cgroup {
        Some(cgroup) if cgroup.memory => MemoryBy::Controller,
        _ => MemoryBy::Polled,
    };
    let processes_by = match host.cgroup {
        Some(cgroup) if cgroup.pids => ProcessesBy::Controller,
        _ => ProcessesBy::Namespace,
    };
    let cpu_by = match host.cgroup {
        Some(_) => CpuBy::Cgroup,
        None if host.perf => CpuBy::Perf,
        None => CpuBy::Seen,
    };
    if limits.enforcement == Enforcement::Kernel {
        if limits.memory.is_some() && memory_by == MemoryBy::Polled {
            return Err(not_by_the_kernel(
                "memory",
                "no cgroup v2 with the memory controller is at hand",
                "run it where one is delegated, for example by `systemd-run --user --scope -p Delegate=yes`",
            ));
        }
        if limits.cpu_time.is_some() && cpu_by == CpuBy::Seen {
            return Err(not_by_the_kernel(
                "cpu-time",
                "there is no cgroup v2 to count in, and perf_event_open(2) is refused",
                "allow it: `sysctl kernel.perf_event_paranoid=2`, or run it where a cgroup is delegated",
            ));
        }
    }
    let bounded = |resource: u32, name, soft: u64, hard: u64| {
        let most = host
            .hard_limits
            .get(&resource)
            .copied()
            .unwrap_or(libc::RLIM_INFINITY);
        Rlimit {
            resource,
            name,
            soft: soft.min(most),
            hard: hard.min(most),
        }
    };
    let mut rlimits = vec![
        bounded(resource::CORE, "core", NO_CORE, NO_CORE),
        // What an audio or real-time group gives the caller is not for the
        // program: a SCHED_FIFO loop keeps everybody else off a processor.
        bounded(resource::NICE, "nice", 0, 0),
        bounded(resource::RTPRIO, "rtprio", 0, 0),
        // Memory that no other limit counts; the kernel's own defaults.
        bounded(resource::MEMLOCK, "memlock", LOCKED, LOCKED),
        bounded(resource::MSGQUEUE, "msgqueue", QUEUED, QUEUED),
    ];
    if let (Some(bytes), MemoryBy::Polled) = (limits.memory, memory_by) {
        let most = runaway(bytes);
        rlimits.push(bounded(resource::DATA, "data", most, most));
    }
    if let (Some(count), ProcessesBy::Namespace) = (limits.processes, processes_by) {
        // pid 1 is counted too, and is ours.
        let count = count.saturating_add(1);
        rlimits.push(bounded(resource::NPROC, "nproc", count, count));
    }
    if let Some(time) = limits.cpu_time {
        // pid 1 keeps the limit, of everything together and to the millisecond. For each
        // process the kernel comes later, should pid 1 not get to run. It must not come
        // sooner, and it counts whole ticks of its timer: a process that wakes with them is
        // charged for more than it used, and so is every one where ticks run fast.
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let later = seconds + seconds / 2 + 1;
        rlimits.push(bounded(resource::CPU, "cpu", later, later + 1));
    }
    if let Some(bytes) = limits.file_size {
        rlimits.push(bounded(resource::FSIZE, "fsize", bytes, bytes));
    }
    if let Some(count) = limits.open_files {
        rlimits.push(bounded(resource::NOFILE, "nofile", count, count));
    }
    if let Some(bytes) = limits.stack {
        rlimits.push(bounded(resource::STACK, "stack", bytes, bytes));
    }
    Ok(Limits {
        rlimits,
        memory: limits.memory.map(|bytes| (bytes, memory_by)),
        processes: limits.processes.map(|count| (count, processes_by)),
        cpu_time: limits.cpu_time,
        cpu_by,
        cpus,
        wall_time: limits.wall_time,
        output: limits.output,
        stdout: limits.stdout,
        stderr: limits.stderr,
        shares: shares::resolve(limits, host)?,
    })
}

fn not_by_the_kernel(limit: &str, why: &str, hint: &str) -> Refusal {
    Refusal::new(format!(
        "the policy wants `{limit}` kept by the kernel (`enforcement = \"kernel\"`), and {why}"
    ))
    .hint(format!(
        "{hint}; or accept the next best form: `enforcement = \"best\"`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(limits: &policy::Limits, host: &Host) -> Result<Limits, Refusal> {
        super::resolve(limits, host, 2)
    }

    use crate::host::Cgroup;
    use std::time::Duration;

    fn limits() -> policy::Limits {
        policy::Limits {
            memory: Some(1 << 20),
            processes: Some(7),
            cpu_time: Some(Duration::from_millis(1500)),
            ..Default::default()
        }
    }

    fn rlimit(plan: &Limits, name: &str) -> Option<(u64, u64)> {
        let limit = plan.rlimits.iter().find(|limit| limit.name == name)?;
        Some((limit.soft, limit.hard))
    }

    #[test]
    fn the_kernel_comes_after_pid_1() {
        let plan = resolve(&limits(), &Host::default()).unwrap();
        assert_eq!(rlimit(&plan, "cpu"), Some((4, 5)));
        assert_eq!(plan.cpu_time, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_lower_hard_limit_of_the_caller_stays() {
        let limits = policy::Limits {
            open_files: Some(1024),
            ..Default::default()
        };
        let host = Host {
            hard_limits: [(resource::NOFILE, 64)].into(),
            ..Host::default()
        };
        let plan = resolve(&limits, &host).unwrap();
        assert_eq!(rlimit(&plan, "nofile"), Some((64, 64)));
    }

    #[test]
    fn core_dumps_are_always_off() {
        let plan = resolve(&policy::Limits::default(), &Host::default()).unwrap();
        assert_eq!(plan.rlimits[0].name, "core");
        assert_eq!(plan.rlimits[0].hard, NO_CORE);
    }

    #[test]
    fn nothing_is_inherited_that_outruns_or_outweighs_the_machine() {
        let plan = resolve(&policy::Limits::default(), &Host::default()).unwrap();
        let hard = |name| rlimit(&plan, name).unwrap().1;
        assert_eq!([hard("nice"), hard("rtprio")], [0, 0]);
        assert_eq!([hard("memlock"), hard("msgqueue")], [LOCKED, QUEUED]);
        assert_eq!(plan.rlimits.len(), 5);
    }

    #[test]
    fn without_a_cgroup_pid_1_watches_and_the_namespace_counts() {
        let plan = resolve(&limits(), &Host::default()).unwrap();
        assert_eq!(plan.memory, Some((1 << 20, MemoryBy::Polled)));
        assert_eq!(plan.processes, Some((7, ProcessesBy::Namespace)));
        assert_eq!(plan.cpu_by, CpuBy::Seen);
        assert_eq!(rlimit(&plan, "nproc"), Some((8, 8)));
        assert_eq!(
            rlimit(&plan, "data"),
            Some(((4 << 20) + (8 << 30), (4 << 20) + (8 << 30)))
        );
        let perf = Host {
            perf: true,
            ..Host::default()
        };
        assert_eq!(resolve(&limits(), &perf).unwrap().cpu_by, CpuBy::Perf);
    }

    #[test]
    fn with_controllers_the_kernel_keeps_every_one() {
        let host = Host {
            perf: true,
            cgroup: Some(Cgroup {
                memory: true,
                pids: true,
                ..Cgroup::default()
            }),
            ..Host::default()
        };
        let mut limits = limits();
        limits.enforcement = Enforcement::Kernel;
        let plan = resolve(&limits, &host).unwrap();
        assert_eq!(plan.memory, Some((1 << 20, MemoryBy::Controller)));
        assert_eq!(plan.processes, Some((7, ProcessesBy::Controller)));
        assert_eq!(plan.cpu_by, CpuBy::Cgroup);
        assert_eq!(
            (rlimit(&plan, "nproc"), rlimit(&plan, "data")),
            (None, None)
        );
    }

    #[test]
    fn nothing_but_the_kernel_means_that() {
        let mut limits = limits();
        limits.enforcement = Enforcement::Kernel;
        let refusal = |host: &Host, limits: &policy::Limits| resolve(limits, host).unwrap_err();
        let host = Host::default();
        let refused = refusal(&host, &limits);
        assert!(refused.message.contains("`memory`"), "{refused}");
        limits.memory = None;
        let refused = refusal(&host, &limits);
        assert!(refused.message.contains("`cpu-time`"), "{refused}");
        limits.cpu_time = None;
        // RLIMIT_NPROC is the kernel's, and of the whole sandbox.
        assert!(resolve(&limits, &host).is_ok());
    }
}
