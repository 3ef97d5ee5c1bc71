//! What the kernel holds, and how much memory the processes of a pool have.

use std::fs;
use std::path::{Path, PathBuf};

/// Kinds of objects that a run has at least one of, by the names of their caches.
const KINDS: [&str; 5] = [
    "net_namespace",
    "user_namespace",
    "pid_namespace",
    "mnt_cache",
    "task_struct",
];

/// What the columns of [`objects`] are.
pub const HEADS: &str = " netns userns pidns mounts tasks slab MiB";

/// Objects in use, and the memory of all objects. The kernel counts those that a processor
/// keeps ready too.
pub fn objects() -> String {
    let Ok(table) = fs::read_to_string("/proc/slabinfo") else {
        return " (only root may ask)".into();
    };
    let of = |kind: &str| {
        let mut lines = table.lines().map(|line| line.split_whitespace());
        let number = lines.find_map(|mut words| {
            words.next().filter(|name| *name == kind)?;
            words.next().map(str::to_owned)
        });
        number.unwrap_or_else(|| "?".into())
    };
    let [net, user, pid, mounts, tasks] = KINDS.map(of);
    let slab = slab() >> 10;
    format!("{net:>6} {user:>6} {pid:>5} {mounts:>6} {tasks:>5} {slab:>8}")
}

/// KiB of slabs, which is where objects lie.
fn slab() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Slab:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// A sentence about every process that executes `program`: its part of the memory it shares
/// counts (Pss of proc_pid_smaps(5)).
pub fn memory(program: PathBuf, waiting: u64) -> String {
    let mut kib = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let process = entry.path();
        if !fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program) {
            continue;
        }
        match pss(&process) {
            Some(part) => kib.push(part),
            None => return "memory: only root may ask".into(),
        }
    }
    // The largest is the caller, who has more to do than to wait.
    kib.sort_unstable();
    let caller = kib.pop().unwrap_or(0);
    let all: u64 = kib.iter().sum();
    format!(
        "{waiting} runs that wait: {} processes beside the caller's {caller} KiB have {all} KiB, {} KiB for each run",
        kib.len(),
        all / waiting.max(1)
    )
}

fn pss(process: &Path) -> Option<u64> {
    let text = fs::read_to_string(process.join("smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}
