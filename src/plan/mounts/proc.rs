//! The procfs: nothing but processes, or with the host-wide files made up.
//!
//! It shows nothing of the host's load, memory, processor model or kernel build;
//! what no list here names is hidden.

use crate::host::Host;
use crate::plan::Op;
use crate::policy::Policy;
use std::fmt::Write;
use std::path::Path;

/// Entries that say nothing about the host: links into the reader's own process,
/// the uptime (of the time namespace), and which file systems the kernel knows.
const KEPT: [&str; 6] = [
    "filesystems",
    "mounts",
    "net",
    "self",
    "thread-self",
    "uptime",
];

/// What `/proc/meminfo` says when the policy sets no memory limit.
const MEMORY: u64 = 1 << 30;

/// The operations for a procfs at `at`, whose directory exists.
pub(super) fn write(at: &Path, facts: bool, policy: &Policy, host: &Host, ops: &mut Vec<Op>) {
    ops.push(Op::Proc {
        at: at.to_path_buf(),
        only_pids: !facts,
    });
    if !facts {
        return;
    }
    for entry in &host.proc_entries {
        let name = entry.trim_end_matches('/');
        if KEPT.contains(&name) {
            continue;
        }
        let at = at.join(name);
        ops.push(
            match made_up(
                name,
                policy,
                crate::plan::attributes::parallel(policy, host),
            ) {
                Some(text) => Op::Cover {
                    at,
                    text: text.into_bytes(),
                },
                None => Op::Mask {
                    at,
                    directory: entry.ends_with('/'),
                },
            },
        );
    }
}

/// The content of a made-up file, in the format of proc(5).
fn made_up(name: &str, policy: &Policy, cpus: u32) -> Option<String> {
    match name {
        "cpuinfo" => Some((0..cpus).fold(String::new(), |mut text, cpu| {
            // Writing to a String cannot fail.
            let _ = write!(text, "processor\t: {cpu}\nmodel name\t: sandbox\n\n");
            text
        })),
        "loadavg" => Some(String::from("0.00 0.00 0.00 1/1 1\n")),
        "meminfo" => {
            let total = policy.limits.memory.unwrap_or(MEMORY) / 1024;
            let mut text = String::new();
            for (field, kibibytes) in [
                ("MemTotal", total),
                ("MemFree", total),
                ("MemAvailable", total),
                ("Buffers", 0),
                ("Cached", 0),
                ("SwapCached", 0),
                ("Active", 0),
                ("Inactive", 0),
                ("SwapTotal", 0),
                ("SwapFree", 0),
                ("Shmem", 0),
                ("Slab", 0),
                ("SReclaimable", 0),
                ("SUnreclaim", 0),
            ] {
                let _ = writeln!(text, "{:<15} {kibibytes:>8} kB", format!("{field}:"));
            }
            Some(text)
        }
        "stat" => {
            let zeros = "0 0 0 0 0 0 0 0 0 0";
            let mut text = format!("cpu  {zeros}\n");
            for cpu in 0..cpus {
                let _ = writeln!(text, "cpu{cpu} {zeros}");
            }
            text.push_str("intr 0\nctxt 0\nbtime 0\nprocesses 1\nprocs_running 1\n");
            text.push_str("procs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n");
            Some(text)
        }
        "version" => Some(String::from("Linux version 6.0.0 (sandbox) #1 SMP\n")),
        _ => None,
    }
}
