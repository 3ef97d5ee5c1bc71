//! The run's own control group: made and limited before the clone, read after the end.
//!
//! It decides nothing: which limits a group keeps is the plan's.

use crate::cgroup::{self, Controllers, CpuMax, Failure, Home, IoMax, Leaf, Origin};
use crate::plan::{CpuBy, MemoryBy, Plan, ProcessesBy, Refusal, Shares};
use crate::policy::CPU_PERIOD_US;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// What setting up may use beyond the program's limit, bytes. Once it is known how
/// much that was, the limit is that much above the program's and no more.
const SETTING_UP: u64 = 8 << 20;

/// A group for one run. Dropped, what is in it is killed, and it is removed.
#[derive(Debug)]
pub(crate) struct Group {
    leaf: Leaf,
    origin: Origin,
    /// For the child, which says what setting up has used.
    current: Option<OwnedFd>,
    /// What setting up has used, bytes.
    base: u64,
    /// The program's own limit.
    memory: Option<u64>,
}

/// What the kernel counted for a run.
pub(crate) struct Counted {
    pub(crate) cpu: cgroup::Cpu,
    /// The most memory at one time, without what setting up used, bytes.
    pub(crate) memory_peak: Option<u64>,
    pub(crate) memory: Option<cgroup::MemoryEvents>,
    /// The most processes and threads at one time, without pid 1.
    pub(crate) processes_peak: Option<u64>,
    /// Processes and threads that were refused.
    pub(crate) denied: Option<u64>,
}

impl Group {
    /// A group with the plan's limits, where the plan wants one.
    pub(super) fn make(home: Option<&Home>, plan: &Plan) -> Result<Option<Group>, Refusal> {
        if plan.limits.cpu_by != CpuBy::Cgroup {
            return Ok(None);
        }
        let home = home.ok_or_else(|| Refusal::new("no control group was found for the run"))?;
        let leaf = home.leaf().map_err(refusal)?;
        let memory = match plan.limits.memory {
            Some((bytes, MemoryBy::Controller)) => Some(bytes),
            _ => None,
        };
        let processes = match plan.limits.processes {
            // pid 1 is counted too, and is ours.
            Some((count, ProcessesBy::Controller)) => Some(count.saturating_add(1)),
            _ => None,
        };
        let cpus = match leaf.controllers().contains(Controllers::CPUSET) {
            true => plan.cpus.iter().copied().collect(),
            false => Default::default(),
        };
        leaf.set(&cgroup::Limits {
            memory: memory.map(|bytes| bytes.saturating_add(SETTING_UP)),
            processes,
            cpus,
            ..shares(&plan.limits.shares)
        })
        .map_err(refusal)?;
        let current = match memory {
            Some(_) => Some(leaf.memory_current_file().map_err(refusal)?),
            None => None,
        };
        Ok(Some(Group {
            leaf,
            origin: home.origin(),
            current,
            base: 0,
            memory,
        }))
    }

    /// Its directory, for CLONE_INTO_CGROUP.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.leaf.fd()
    }

    /// `cpu.stat`, for pid 1.
    pub(super) fn cpu_stat(&self) -> RawFd {
        self.leaf.cpu_stat_fd().as_raw_fd()
    }

    /// `memory.current`, for the child.
    pub(super) fn current(&self) -> Option<RawFd> {
        self.current.as_ref().map(|file| file.as_fd().as_raw_fd())
    }

    /// Takes in the process that was started by a thread of other ids, which may not
    /// put it here by itself.
    pub(super) fn adopt(&self, pid: libc::pid_t) -> Result<(), Refusal> {
        self.leaf.adopt(pid).map_err(refusal)
    }

    /// Setting up is over, and has used this many KiB: the limit becomes the program's.
    pub(super) fn begin(&mut self, used_kib: u32) -> Result<(), Refusal> {
        let Some(memory) = self.memory else {
            return Ok(());
        };
        // More than there was room for nobody can have used.
        self.base = (u64::from(used_kib) * 1024).min(SETTING_UP);
        let limits = cgroup::Limits {
            memory: Some(memory.saturating_add(self.base)),
            ..cgroup::Limits::default()
        };
        self.leaf.set(&limits).map(drop).map_err(refusal)
    }

    /// For the record.
    pub(crate) fn words(&self) -> String {
        let (controllers, origin) = (self.leaf.controllers(), self.origin.name());
        match controllers.is_empty() {
            true => format!("a group and namespace of its own ({origin}), no controller"),
            false => format!("a group and namespace of its own ({origin}): {controllers}"),
        }
    }

    /// What the kernel counted; everything inside has ended.
    pub(crate) fn counted(&self) -> Result<Counted, Failure> {
        let peak = self.leaf.memory_peak()?;
        let processes = self.leaf.pids_peak()?;
        Ok(Counted {
            cpu: self.leaf.cpu()?,
            memory_peak: peak.map(|bytes| bytes.saturating_sub(self.base)),
            memory: self.leaf.memory_events()?,
            processes_peak: processes.map(|count| count.saturating_sub(1)),
            denied: self.leaf.pids_denied()?,
        })
    }

    /// Kills what is left and removes it.
    pub(crate) fn end(self) -> Result<(), Failure> {
        self.leaf.end()
    }
}

/// What is set before anything is started in the group, so that nothing there ever had
/// more: setting up goes no faster than the program will, and what the kernel does not
/// take (a disk that is none) is refused while there is nothing to be undone.
fn shares(shares: &Shares) -> cgroup::Limits {
    let io = shares.io_max.iter().map(|((major, minor), rates)| IoMax {
        major: *major,
        minor: *minor,
        read_bytes: rates.read_bytes,
        write_bytes: rates.write_bytes,
        reads: rates.reads,
        writes: rates.writes,
    });
    cgroup::Limits {
        cpu: shares.cpu_max.map(|quota_us| CpuMax {
            quota_us,
            period_us: CPU_PERIOD_US,
        }),
        cpu_weight: shares.cpu_weight,
        io: io.collect(),
        ..cgroup::Limits::default()
    }
}

fn refusal(failure: Failure) -> Refusal {
    let refusal = Refusal::new(failure.message);
    match failure.hint {
        Some(hint) => refusal.hint(hint),
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::IoRates;

    #[test]
    fn every_share_is_set_on_the_group() {
        let rates = IoRates {
            read_bytes: Some(1),
            write_bytes: Some(2),
            reads: Some(3),
            writes: Some(4),
        };
        let set = shares(&Shares {
            cpu_max: Some(50_000),
            cpu_weight: Some(33),
            io_max: [((8, 16), rates)].into(),
        });
        let expected = cgroup::Limits {
            cpu: Some(CpuMax {
                quota_us: 50_000,
                period_us: 100_000,
            }),
            cpu_weight: Some(33),
            io: vec![IoMax {
                major: 8,
                minor: 16,
                read_bytes: Some(1),
                write_bytes: Some(2),
                reads: Some(3),
                writes: Some(4),
            }],
            ..cgroup::Limits::default()
        };
        assert_eq!(set, expected);
    }
}
