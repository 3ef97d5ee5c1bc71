//! Control groups, seen from the machine: a run hides the caller's group, and leaves no trace in the tree.
//! It must not skip quietly: where the machine delegates no cgroup v2 subtree it says so, or fails if required.

#![cfg(feature = "cli")]

mod support;

#[path = "cgroup/helper.rs"]
mod helper;
#[path = "cgroup/joined.rs"]
mod joined;
#[path = "cgroup/leaf.rs"]
mod leaf;
#[path = "cgroup/limits.rs"]
mod limits;
#[path = "cgroup/runs.rs"]
mod runs;
#[path = "cgroup/speed.rs"]
mod speed;
#[path = "cgroup/stale.rs"]
mod stale;
#[path = "cgroup/systemd.rs"]
mod systemd;
#[path = "cgroup/tree.rs"]
mod tree;
#[path = "cgroup/ways.rs"]
mod ways;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use support::{code, complaint, sandbox};

const TREE: &str = "/sys/fs/cgroup";

/// The directory of this process's own group, where cgroup v2 is all there is and
/// its parent was handed to this user; or a line that says that there is none.
fn delegated() -> Option<PathBuf> {
    let group = delegated_to_us();
    if group.is_none() {
        support::skip("cgroup2", "is not delegated: no subtree is this user's");
    }
    group
}

fn delegated_to_us() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap();
    let path = text
        .strip_prefix("0::/")
        .filter(|_| text.lines().count() == 1);
    let group = path.map(|path| Path::new(TREE).join(path.trim_end()));
    let parent = group.as_deref().and_then(Path::parent);
    let ours = parent.is_some_and(|parent| {
        nix::unistd::access(&parent.join("cgroup.procs"), nix::unistd::AccessFlags::W_OK).is_ok()
    });
    group.filter(|_| !support::root() && ours)
}

/// Every group below a directory but those of the other test, which come and go.
fn groups(below: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    // A run of another test may have ended meanwhile, and its group with it.
    let entries = fs::read_dir(below).into_iter().flatten();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let other = name.to_string_lossy().starts_with("made-");
        if !other && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(groups(&entry.path()));
            found.insert(entry.path());
        }
    }
    found
}

/// The world that the tests of limits by cgroup need, as itself: real controllers,
/// and a group made by an ordinary user that has them.
#[test]
fn an_ordinary_user_can_make_a_group_with_controllers() {
    let Some(group) = delegated() else { return };
    let made = group.with_file_name(format!("made-{}", std::process::id()));
    fs::create_dir(&made).unwrap();
    let controllers = fs::read_to_string(made.join("cgroup.controllers")).unwrap();
    let limit = fs::write(made.join("pids.max"), "7\n")
        .and_then(|()| fs::write(made.join("memory.max"), "4194304\n"))
        .and_then(|()| fs::read_to_string(made.join("memory.max")));
    fs::remove_dir(&made).unwrap();
    for controller in ["cpu", "memory", "pids"] {
        assert!(
            controllers
                .split_whitespace()
                .any(|name| name == controller),
            "{controllers}"
        );
    }
    assert_eq!(limit.unwrap(), "4194304\n");
}

#[test]
fn inside_the_callers_group_is_the_root() {
    let Some(group) = delegated() else { return };
    assert_ne!(group, Path::new(TREE), "the caller is in no group");
    let output = support::run(sandbox().args(["--", "/bin/cat", "/proc/self/cgroup"]));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    assert_eq!(output.stdout, b"0::/\n");
}
