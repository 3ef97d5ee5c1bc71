//! Facts about the kernel and the caller: a dozen cheap calls, no files read.
//!
//! Files such as `/proc/sys/…` are read only to explain a failure, after it.

use super::{Host, NamespaceRoot, PathFacts};
use crate::policy::Policy;
use crate::sys::{landlock, process, seccomp};
use std::collections::BTreeMap;

/// Resource numbers of `setrlimit(2)` as one type (libc's differs by C library).
#[allow(clippy::unnecessary_cast)]
pub mod resource {
    /// Largest core file, bytes.
    pub const CORE: u32 = libc::RLIMIT_CORE as u32;
    /// Processor time, seconds.
    pub const CPU: u32 = libc::RLIMIT_CPU as u32;
    /// Private writable memory of a process, bytes.
    pub const DATA: u32 = libc::RLIMIT_DATA as u32;
    /// Largest file, bytes.
    pub const FSIZE: u32 = libc::RLIMIT_FSIZE as u32;
    /// Locked memory, bytes.
    pub const MEMLOCK: u32 = libc::RLIMIT_MEMLOCK as u32;
    /// POSIX message queues, bytes.
    pub const MSGQUEUE: u32 = libc::RLIMIT_MSGQUEUE as u32;
    /// Priority a process may raise itself to.
    pub const NICE: u32 = libc::RLIMIT_NICE as u32;
    /// Highest descriptor plus one.
    pub const NOFILE: u32 = libc::RLIMIT_NOFILE as u32;
    /// Processes and threads.
    pub const NPROC: u32 = libc::RLIMIT_NPROC as u32;
    /// Real-time priority.
    pub const RTPRIO: u32 = libc::RLIMIT_RTPRIO as u32;
    /// Stack of a main thread, bytes.
    pub const STACK: u32 = libc::RLIMIT_STACK as u32;
    /// Every one that is set to more than 0.
    pub const ALL: [u32; 9] = [
        CORE, CPU, DATA, FSIZE, MEMLOCK, MSGQUEUE, NOFILE, NPROC, STACK,
    ];
}

impl Host {
    /// Looks at the kernel and the caller; `paths`, `disks` and `proc_entries` stay
    /// empty.
    pub(crate) fn kernel_facts(policy: &Policy) -> Host {
        let speculation = |control: libc::c_ulong| {
            process::prctl(process::PR_GET_SPECULATION_CTRL, control, 0, 0, 0)
                .unwrap_or_else(|errno| -(errno as i32))
        };
        Host {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            namespace_root: namespace_root(),
            groups: nix::unistd::getgroups()
                .unwrap_or_default()
                .iter()
                .map(|group| group.as_raw())
                .collect(),
            landlock_abi: landlock::abi(),
            seccomp: seccomp::available(),
            mdwe: process::prctl(process::PR_GET_MDWE, 0, 0, 0, 0).is_ok(),
            core_scheduling: core_scheduling(),
            speculation: [speculation(0), speculation(1)],
            cwd: std::env::current_dir().unwrap_or_default(),
            exe: std::env::current_exe().ok(),
            proc_entries: Vec::new(),
            cpus: u32::try_from(cpu_numbers().len())
                .unwrap_or(u32::MAX)
                .max(1),
            cpu_numbers: match policy.process.cpus {
                Some(_) => cpu_numbers(),
                None => Vec::new(),
            },
            // Asked only where it is used: the event is made for it.
            perf: (policy.limits.cpu_time.is_some() || policy.limits.memory.is_some())
                && crate::sys::perf::available(),
            cgroup: None,
            env: policy
                .process
                .pass_env
                .iter()
                .filter_map(|name| Some((name.clone(), std::env::var_os(name)?)))
                .collect(),
            hard_limits: resource::ALL
                .iter()
                .filter_map(|resource| Some((*resource, process::limit(*resource).ok()?.1)))
                .collect(),
            paths: PathFacts::default(),
            disks: BTreeMap::new(),
        }
    }
}

/// PR_SCHED_CORE_GET wants a place for the cookie, and answers EINVAL without
/// CONFIG_SCHED_CORE, ENODEV without SMT, EFAULT (a null place) where it works.
fn core_scheduling() -> bool {
    let answer = process::prctl(process::PR_SCHED_CORE, process::PR_SCHED_CORE_GET, 0, 0, 0);
    matches!(answer, Ok(_) | Err(crate::sys::Errno::EFAULT))
}

/// Processors this process may run on. Not `available_parallelism`: that reads
/// the cgroup files of the host, which the program will not see.
fn cpu_numbers() -> Vec<u32> {
    let this = nix::unistd::Pid::from_raw(0);
    let Ok(set) = nix::sched::sched_getaffinity(this) else {
        return Vec::new();
    };
    (0..nix::sched::CpuSet::count())
        .filter(|cpu| set.is_set(*cpu) == Ok(true))
        .filter_map(|cpu| u32::try_from(cpu).ok())
        .collect()
}

/// Files are read here for uid 0 only.
fn namespace_root() -> Option<NamespaceRoot> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    let outside = outside_of_zero(&map)?;
    let most = std::fs::read_to_string("/proc/sys/user/max_user_namespaces").ok();
    Some(NamespaceRoot {
        outside,
        max_user_namespaces: most.and_then(|text| text.trim().parse().ok()),
    })
}

/// Who uid 0 is outside, in the words of `/proc/self/uid_map`; `None` in the first
/// user namespace, which maps every id onto itself (user_namespaces(7)).
pub fn outside_of_zero(map: &str) -> Option<u32> {
    let mut lines = map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok();
        Some((next()?, next()?, next()?))
    });
    match lines.find(|(inside, _, _)| *inside == 0) {
        Some((0, 0, u32::MAX)) => None,
        Some((_, outside, _)) => Some(outside),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::outside_of_zero;

    #[test]
    fn only_a_whole_map_is_the_first_namespace() {
        assert_eq!(outside_of_zero("         0          0 4294967295\n"), None);
        assert_eq!(outside_of_zero("0 1001 1\n"), Some(1001));
        assert_eq!(outside_of_zero("0 0 1\n"), Some(0));
        assert_eq!(outside_of_zero("1 100001 65535\n0 1000 1\n"), Some(1000));
        assert_eq!(outside_of_zero("1000 1000 1\n"), None);
    }
}
