//! Reads which mounts there are, and which of them show the kernel rather than files.
//!
//! It does not say what lies on them, or what follows from it.

use crate::mountinfo::lines;
use crate::sys::{mount_table, whole};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A mount point, and the file system type where it shows the kernel.
pub type Mount = (PathBuf, Option<&'static str>);

/// File systems that show the kernel or the whole machine rather than files.
/// A tree that contains one is never bound: the program would get host facts,
/// devices or cgroups along with it.
const KERNEL_FS: [&str; 21] = [
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "mqueue",
    "nfsd",
    "nsfs",
    "proc",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sysfs",
    "tracefs",
];

/// Every mount that this process can reach: from the kernel's own list, or before Linux 6.8 from
/// the text of mountinfo (proc_pid_mountinfo(5)); none where no procfs tells.
pub(super) fn mounts() -> Vec<Mount> {
    let mut all = Vec::with_capacity(32);
    let listed = mount_table::each(|at, kind| {
        all.push((OsStr::from_bytes(at).into(), kernel_fs(kind)));
    });
    match listed {
        Ok(()) => all,
        Err(_) => whole::read(c"/proc/self/mountinfo")
            .map(|bytes| parse_mountinfo(&bytes))
            .unwrap_or_default(),
    }
}

/// Where there are mounts.
pub(crate) fn mount_points() -> Vec<PathBuf> {
    mounts().into_iter().map(|(at, _)| at).collect()
}

/// Every mount in the text of mountinfo; lines that are none are left out.
pub fn parse_mountinfo(bytes: &[u8]) -> Vec<Mount> {
    lines(bytes)
        .map(|line| (line.at.into_owned(), kernel_fs(line.kind)))
        .collect()
}

fn kernel_fs(kind: &[u8]) -> Option<&'static str> {
    let known = KERNEL_FS.iter().find(|known| known.as_bytes() == kind);
    known.copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_is_read() {
        let text = b"36 35 0:5 / /mnt/a\\040b rw - proc proc rw\n37 35 0:6 / /x rw shared:1 - ext4 /dev/y rw\nbroken\n";
        assert_eq!(
            parse_mountinfo(text),
            [
                (PathBuf::from("/mnt/a b"), Some("proc")),
                (PathBuf::from("/x"), None),
            ]
        );
    }
}
