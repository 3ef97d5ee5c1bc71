//! Layer limits: what `setrlimit(2)`, pid 1's clock and the output relay enforce.
//!
//! Each limit says what it counts. Memory, processor time, file size and
//! descriptors are counted by the kernel for each process; processes are counted
//! for the sandbox's user namespace (Linux 5.14).

use super::{Limits, Rlimit};
use crate::host::{Host, resource};
use crate::policy;

/// A core file of at most one byte is none, and one byte is also what the kernel
/// takes for "do not start the core pattern's program" (core(5), fs/coredump.c);
/// zero would still start it.
const NO_CORE: u64 = 1;

/// MLOCK_LIMIT and MQ_BYTES_MAX of the kernel, bytes: what a caller without
/// privileges has anyway.
const LOCKED: u64 = 8 << 20;
const QUEUED: u64 = 819_200;

/// The limits in the form they are put in force. A caller whose own hard limit is
/// lower keeps it: the smaller bound holds both promises.
pub(super) fn resolve(limits: &policy::Limits, host: &Host) -> Limits {
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
    if let Some(bytes) = limits.memory {
        rlimits.push(bounded(resource::DATA, "data", bytes, bytes));
    }
    if let Some(count) = limits.processes {
        // pid 1 is counted too, and is ours.
        let count = count.saturating_add(1);
        rlimits.push(bounded(resource::NPROC, "nproc", count, count));
    }
    if let Some(time) = limits.cpu_time {
        // Whole seconds, rounded up; SIGXCPU first, SIGKILL a second later for
        // those who ignore it.
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        rlimits.push(bounded(resource::CPU, "cpu", seconds, seconds + 1));
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
    Limits {
        rlimits,
        wall_time: limits.wall_time,
        output: limits.output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn processor_time_is_rounded_up_and_never_down() {
        let limits = policy::Limits {
            cpu_time: Some(Duration::from_millis(1500)),
            ..Default::default()
        };
        let plan = resolve(&limits, &Host::default());
        let cpu = plan.rlimits.iter().find(|limit| limit.name == "cpu");
        assert_eq!(cpu.map(|limit| (limit.soft, limit.hard)), Some((2, 3)));
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
        let plan = resolve(&limits, &host);
        let files = plan.rlimits.iter().find(|limit| limit.name == "nofile");
        assert_eq!(files.map(|limit| (limit.soft, limit.hard)), Some((64, 64)));
    }

    #[test]
    fn core_dumps_are_always_off() {
        let plan = resolve(&policy::Limits::default(), &Host::default());
        assert_eq!(plan.rlimits[0].name, "core");
        assert_eq!(plan.rlimits[0].hard, NO_CORE);
    }

    #[test]
    fn nothing_is_inherited_that_outruns_or_outweighs_the_machine() {
        let plan = resolve(&policy::Limits::default(), &Host::default());
        let hard = |name| plan.rlimits.iter().find(|l| l.name == name).unwrap().hard;
        assert_eq!([hard("nice"), hard("rtprio")], [0, 0]);
        assert_eq!([hard("memlock"), hard("msgqueue")], [LOCKED, QUEUED]);
        assert_eq!(plan.rlimits.len(), 5);
    }
}
