//! Limits of a leaf, where the tree has controllers: what the kernel does at each, and
//! what it counted.

use super::helper;
use super::tree::{Tree, Waiting, until};
use sandbox::cgroup::{Controllers, CpuMax, Leaf, Limits};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

fn leaf(tree: &Tree, controllers: Controllers) -> Leaf {
    let leaf = tree.home(controllers).leaf().unwrap();
    assert!(leaf.controllers().contains(controllers));
    leaf
}

fn text(leaf: &Leaf, file: &str) -> String {
    fs::read_to_string(leaf.path().join(file)).unwrap()
}

fn touch(leaf: &Leaf, bytes: u64) -> ExitStatus {
    let script = format!("exec \"$HELPER\" {}", helper::words("touch"));
    let mut child = Waiting::start(&format!("TOUCH_BYTES={bytes} {script}")).go(leaf);
    child.wait().unwrap()
}

#[test]
fn values_are_the_kernels() {
    let wanted = Controllers::MEMORY | Controllers::PIDS | Controllers::CPU;
    let Some(tree) = Tree::with(wanted) else {
        return;
    };
    let leaf = leaf(&tree, wanted);
    let limits = Limits {
        memory: Some(64 * 1024 * 1024 + 1),
        processes: Some(7),
        cpu: Some(CpuMax {
            quota_us: 50_000,
            period_us: 100_000,
        }),
        cpu_weight: Some(33),
        ..Limits::default()
    };
    let held = leaf.set(&limits).unwrap();
    let whole = Limits {
        memory: Some(64 * 1024 * 1024),
        swap: held.swap,
        ..limits
    };
    assert_eq!(held, whole, "whole pages, and the rest as asked");
    assert_eq!(text(&leaf, "memory.max"), "67108864\n");
    assert_eq!(text(&leaf, "memory.oom.group"), "1\n");
    if held.swap.is_some() {
        assert_eq!(text(&leaf, "memory.swap.max"), "0\n");
    }
    assert_eq!(text(&leaf, "pids.max"), "7\n");
    assert_eq!(text(&leaf, "cpu.max"), "50000 100000\n");
    assert_eq!(text(&leaf, "cpu.weight"), "33\n");
}

#[test]
fn a_value_that_the_kernel_does_not_take_is_said() {
    let wanted = Controllers::PIDS | Controllers::CPU;
    let Some(tree) = Tree::with(wanted) else {
        return;
    };
    let leaf = leaf(&tree, wanted);
    let cpu = Some(CpuMax {
        quota_us: 1,
        period_us: 100_000,
    });
    let limits = Limits {
        cpu,
        ..Limits::default()
    };
    let failure = leaf.set(&limits).unwrap_err().to_string();
    assert!(
        failure.contains("cannot write \"1 100000\" to") && failure.contains("cpu.max"),
        "{failure}"
    );
    let limits = Limits {
        cpu_weight: Some(0),
        ..Limits::default()
    };
    assert!(leaf.set(&limits).is_err());
}

#[test]
fn too_much_memory_ends_the_whole_group() {
    let Some(tree) = Tree::with(Controllers::MEMORY) else {
        return;
    };
    let leaf = leaf(&tree, Controllers::MEMORY);
    leaf.set(&Limits {
        memory: Some(32 << 20),
        ..Limits::default()
    })
    .unwrap();
    // A bystander in the same leaf goes with it.
    let mut bystander = Waiting::start("exec sleep 1000").go(&leaf);
    assert_eq!(touch(&leaf, 64 << 20).signal(), Some(libc::SIGKILL));
    until("nobody is left", || !leaf.is_populated().unwrap());
    assert_eq!(bystander.wait().unwrap().signal(), Some(libc::SIGKILL));
    let events = leaf.memory_events().unwrap().unwrap();
    assert!(events.max > 0 && events.oom > 0, "{events:?}");
    assert!(events.oom_kill >= 2, "{events:?}");
    if let Some(peak) = leaf.memory_peak().unwrap() {
        assert!(peak <= 32 << 20, "{peak}");
    }
}

#[test]
fn the_peak_is_what_was_touched() {
    let Some(tree) = Tree::with(Controllers::MEMORY) else {
        return;
    };
    let peak = |bytes: u64| {
        let leaf = leaf(&tree, Controllers::MEMORY);
        assert!(touch(&leaf, bytes).success());
        leaf.memory_peak().unwrap()
    };
    // What the program takes by itself, with its pages in memory by now.
    peak(0);
    let (Some(idle), Some(full)) = (peak(0), peak(64 << 20)) else {
        return;
    };
    let difference = (full - idle).abs_diff(64 << 20);
    assert!(difference <= 1 << 20, "{idle} {full}");
}

#[test]
fn too_many_processes_are_refused_and_counted() {
    let Some(tree) = Tree::with(Controllers::PIDS) else {
        return;
    };
    let leaf = leaf(&tree, Controllers::PIDS);
    leaf.set(&Limits {
        processes: Some(3),
        ..Limits::default()
    })
    .unwrap();
    assert_eq!(leaf.pids_denied().unwrap(), Some(0));
    // The shell and two more; the third is refused, and dash gives up.
    let script = "sleep 1000 & sleep 1000 & sleep 1000 & exit 3";
    let mut child = Waiting::start(script).go(&leaf);
    let status = child.wait().unwrap();
    assert_ne!(status.code(), Some(3), "a fourth process was started");
    assert!(leaf.pids_denied().unwrap() >= Some(1));
    if let Some(peak) = leaf.pids_peak().unwrap() {
        // Since Linux 6.1; later ones count the attempt.
        assert!((3..=4).contains(&peak), "{peak}");
    }
    assert_eq!(leaf.pids_current().unwrap(), Some(2));
}

#[test]
fn a_share_of_a_processor_is_held_to() {
    let Some(tree) = Tree::with(Controllers::CPU) else {
        return;
    };
    let leaf = leaf(&tree, Controllers::CPU);
    leaf.set(&Limits {
        cpu: Some(CpuMax {
            quota_us: 1000,
            period_us: 10_000,
        }),
        ..Limits::default()
    })
    .unwrap();
    let script = format!("BURN_MS=30 exec \"$HELPER\" {}", helper::words("burn"));
    assert!(Waiting::start(&script).go(&leaf).wait().unwrap().success());
    let cpu = leaf.cpu().unwrap();
    assert!(cpu.throttled_periods > Some(0), "{cpu:?}");
    assert!(cpu.throttled_us > Some(0), "{cpu:?}");
}

#[test]
fn processors_are_those_asked_for_or_none() {
    let Some(tree) = Tree::with(Controllers::CPUSET) else {
        return;
    };
    let leaf = leaf(&tree, Controllers::CPUSET);
    let cpus = |cpus: &[u32]| Limits {
        cpus: BTreeSet::from_iter(cpus.iter().copied()),
        ..Limits::default()
    };
    let held = leaf.set(&cpus(&[0])).unwrap();
    assert_eq!(held, cpus(&[0]));
    assert_eq!(text(&leaf, "cpuset.cpus.effective"), "0\n");
    let mut child = Waiting::start("grep Cpus_allowed_list /proc/self/status").go(&leaf);
    let mut said = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut said).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(said, "Cpus_allowed_list:\t0\n");
    let failure = leaf.set(&cpus(&[0, 4000])).unwrap_err().to_string();
    assert!(failure.contains("4000"), "{failure}");
}
