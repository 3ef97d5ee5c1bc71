//! Which disk a path's file system is on, for `io-max`.
//!
//! It goes by the kernel's numbers alone. Where they name no disk (btrfs, overlayfs and
//! what is in memory have numbers of their own) it does not guess one from the names
//! that mounts have.

use crate::policy::{Disk, Policy};
use nix::sys::stat::{major, minor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What is below the file system that a path is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFact {
    /// A whole disk: major and minor number.
    Disk(u32, u32),
    /// No block device that the kernel tells by the path.
    None,
    /// Some block device, and `/sys` does not say whether it is a part of a disk.
    Untold(u32, u32),
    /// The path cannot be looked at: the errno.
    Unreadable(i32),
}

/// For each path that the policy names in `io-max`.
pub(super) fn facts(policy: &Policy) -> BTreeMap<PathBuf, DiskFact> {
    let paths = policy.limits.io_max.keys().filter_map(|disk| match disk {
        Disk::Of(path) => Some(path),
        Disk::Number(..) => None,
    });
    paths.map(|path| (path.clone(), below(path))).collect()
}

/// The disk of one path.
pub(crate) fn below(path: &Path) -> DiskFact {
    let device = match fs::metadata(path) {
        Ok(facts) if facts.file_type().is_block_device() => facts.rdev(),
        Ok(facts) => facts.dev(),
        Err(error) => return DiskFact::Unreadable(error.raw_os_error().unwrap_or(libc::EIO)),
    };
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (major, minor) = (number(major(device)), number(minor(device)));
    // Major 0 is for file systems without a device.
    match major {
        0 => DiskFact::None,
        _ => whole(Path::new("/sys/dev/block"), major, minor),
    }
}

/// io.max is for whole disks (blkg_conf_open_bdev in block/blk-cgroup.c): a part's is
/// that of the directory above its own.
fn whole(sys: &Path, major: u32, minor: u32) -> DiskFact {
    let device = sys.join(format!("{major}:{minor}"));
    let number = match fs::exists(device.join("partition")) {
        Ok(true) => fs::read_to_string(device.join("../dev")),
        _ => fs::read_to_string(device.join("dev")),
    };
    let number = number.ok().and_then(|text| {
        let (major, minor) = text.trim_end().split_once(':')?;
        Some(DiskFact::Disk(major.parse().ok()?, minor.parse().ok()?))
    });
    number.unwrap_or(DiskFact::Untold(major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_part_is_its_disk() {
        let root = std::env::temp_dir().join(format!("sandbox-disks-{}", std::process::id()));
        let sys = root.join("dev/block");
        let part = root.join("devices/sda/sda1");
        fs::create_dir_all(&part).unwrap();
        fs::create_dir_all(&sys).unwrap();
        fs::write(part.join("dev"), "8:1\n").unwrap();
        fs::write(part.join("partition"), "1\n").unwrap();
        fs::write(part.join("../dev"), "8:0\n").unwrap();
        symlink("../../devices/sda", sys.join("8:0")).unwrap();
        symlink("../../devices/sda/sda1", sys.join("8:1")).unwrap();
        let found = [(8, 0), (8, 1), (9, 0)].map(|(major, minor)| whole(&sys, major, minor));
        fs::remove_dir_all(&root).unwrap();
        let disk = DiskFact::Disk(8, 0);
        assert_eq!(found, [disk, disk, DiskFact::Untold(9, 0)]);
    }

    #[test]
    fn what_is_on_no_disk_is_said_to_be() {
        assert_eq!(below(Path::new("/proc")), DiskFact::None);
        let missing = DiskFact::Unreadable(libc::ENOENT);
        assert_eq!(below(Path::new("/nonexistent")), missing);
    }
}
