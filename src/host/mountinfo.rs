//! Reads which mounts there are, and which of them show the kernel rather than files.
//!
//! It does not say what lies on them, or what follows from it.

use crate::mountinfo::lines;
use crate::sys::whole;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A mount point, and the file system type where it shows the kernel.
pub type Mount<'m> = (Cow<'m, Path>, Option<&'static str>);

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

/// The text of mountinfo (proc_pid_mountinfo(5)); empty where no procfs tells.
pub(super) fn mount_table() -> Vec<u8> {
    whole::read(c"/proc/self/mountinfo").unwrap_or_default()
}

/// Where there are mounts; empty where no procfs tells.
pub(crate) fn mount_points() -> Vec<PathBuf> {
    let table = mount_table();
    lines(&table).map(|line| line.at.into_owned()).collect()
}

/// Every mount in the text of mountinfo; lines that are none are left out.
pub fn parse_mountinfo(bytes: &[u8]) -> Vec<Mount<'_>> {
    lines(bytes)
        .map(|line| {
            let special = KERNEL_FS.iter().find(|known| known.as_bytes() == line.kind);
            (line.at, special.copied())
        })
        .collect()
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
                (Path::new("/mnt/a b").into(), Some("proc")),
                (Path::new("/x").into(), None),
            ]
        );
    }
}
