//! Control groups: neither their files nor the caller's place among them are visible inside.
//! It must not ask for limits; those of resources are in `limits`.

use crate::calls::{ask, exists, readable};
use std::fs;

checks! {
    cgroup_paths_are_the_root: _ => "/", || {
        let text = fs::read_to_string("/proc/self/cgroup").unwrap();
        let mut paths: Vec<&str> = text.lines().map(|line| line.splitn(3, ':').nth(2).unwrap()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths.join(" ")
    };
    cgroup_files_are_absent: "open" => "ENOENT", || exists("/sys/fs/cgroup");
    cgroup_controllers_are_absent: _ => "ENOENT", || readable("/sys/fs/cgroup/cgroup.controllers");
    no_cgroup_is_mounted: _ => "none", || {
        let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mounted = text.lines().find(|line| line.contains(" - cgroup"));
        mounted.unwrap_or("none").to_owned()
    };
    mount_the_cgroup_tree: "EPERM" => "EPERM", || mount(c"/tmp");
    a_new_cgroup_tree_by_the_new_calls: _ => "EPERM", || ask(libc::SYS_fsopen, [c"cgroup2".as_ptr() as usize, 0]);
}

fn mount(at: &std::ffi::CStr) -> String {
    let kind = c"cgroup2".as_ptr() as usize;
    ask(libc::SYS_mount, [kind, at.as_ptr() as usize, kind, 0, 0])
}
