//! cgroups: runc CVE-2023-25809 (the host's tree writable inside) and the kernel's CVE-2022-0492 (release_agent).
//! It must not ask about limits.

use crate::calls::{exists, told};
use crate::support::{self, Scratch};
use std::fs;
use std::path::{Path, PathBuf};

checks! {
    cve_2023_25809_cve_2022_0492_no_cgroupfs_is_mounted: _ => "" , cgroup_mounts;
    cve_2023_25809_no_cgroupfs_is_mounted_with_facts: _ => "" with ["--policy", "agent"], cgroup_mounts;
    cve_2022_0492_no_file_of_a_cgroup_exists: _ => "", cgroup_files;
    cve_2022_0492_no_file_of_a_cgroup_exists_with_facts: _ => "" with ["--policy", "agent"], cgroup_files;
    cve_2022_0492_no_hierarchy_can_be_mounted: _ => "EPERM EPERM", || {
        let mount = |kind: &std::ffi::CStr, options: &std::ffi::CStr| {
            let [none, place] = [c"none", c"/tmp"].map(|text| text.as_ptr() as usize);
            let (kind, options) = (kind.as_ptr() as usize, options.as_ptr() as usize);
            crate::calls::ask(libc::SYS_mount, [none, place, kind, 0, options])
        };
        format!("{} {}", mount(c"cgroup", c"rdma"), mount(c"cgroup2", c""))
    };
    cve_2023_25809_sys_is_not_there: "open" => "ENOENT", || exists("/sys");
    // As the exploit: a namespace of its own first, which would own the hierarchies.
    cve_2022_0492_no_cgroup_namespace: "open" => "EPERM", || {
        let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWCGROUP | libc::CLONE_NEWNS) as usize;
        crate::calls::ask(libc::SYS_unshare, [flags])
    };
    core_pattern_of_agent, || told(fs::OpenOptions::new().write(true).open("/proc/sys/kernel/core_pattern"));
}

/// The mounts of a cgroup file system, by the kernel's own table.
fn cgroup_mounts() -> String {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(table.lines().count() > 5, "{table}");
    let kind = |line: &str| {
        line.split_once(" - ")
            .unwrap()
            .1
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    let found = table
        .lines()
        .filter(|line| kind(line).starts_with("cgroup"));
    found.collect::<Vec<_>>().join("; ")
}

/// Files of a cgroup anywhere, but below `/usr`, which is the distribution's.
fn cgroup_files() -> String {
    let mut found = Vec::new();
    let mut seen = 0;
    let mut todo = vec![PathBuf::from("/")];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            seen += 1;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let telling = [
                "release_agent",
                "notify_on_release",
                "cgroup.procs",
                "devices.allow",
            ];
            if telling.contains(&&*name) {
                found.push(path.display().to_string());
            }
            let passed = ["/usr", "/proc/self", "/proc/thread-self"];
            let pass = passed.iter().any(|other| path == Path::new(other));
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !pass {
                todo.push(path);
            }
        }
    }
    assert!(seen > 30, "{seen}");
    found.join(" ")
}

#[test]
fn cve_2022_0492_the_core_pattern_is_not_writable() {
    let project = Scratch::new();
    let mut command = crate::harness::inside("core_pattern_of_agent", "", &["--policy", "agent"]);
    let output = support::run(command.current_dir(project.path()));
    assert_eq!(crate::harness::outcome(&output).as_deref(), Ok("EACCES"));
}

/// A policy cannot bring the tree in, under any name.
#[test]
fn cve_2023_25809_a_policy_cannot_show_the_hosts_tree() {
    let trees = ["/sys", "/sys/fs", "/sys/fs/cgroup", "/"];
    let mut refusals = 0;
    for tree in trees.into_iter().filter(|tree| Path::new(tree).is_dir()) {
        for option in ["--read", "--write"] {
            for mapped in [tree.to_owned(), format!("{tree}:/x")] {
                crate::refused(support::sandbox().args([option, &mapped, "--", "/bin/true"]));
                refusals += 1;
            }
        }
    }
    assert!(refusals >= 8, "{refusals}");
}
