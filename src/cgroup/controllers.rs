//! The controllers that a leaf is of use for, as a set, and the files by which each is
//! known to be there. It opens nothing.

use std::fmt;
use std::ops::{BitAnd, BitOr, Sub};

/// A set of controllers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Controllers(u8);

/// Name in `cgroup.controllers`, and the files that a leaf is useless without.
const TABLE: [(Controllers, &str, &[&str]); 5] = [
    (
        Controllers::MEMORY,
        "memory",
        &["memory.max", "memory.oom.group"],
    ),
    (Controllers::PIDS, "pids", &["pids.max"]),
    // Without CFS_BANDWIDTH there is a weight and no maximum.
    (Controllers::CPU, "cpu", &["cpu.weight", "cpu.max"]),
    // Without BLK_DEV_THROTTLING there is no maximum.
    (Controllers::IO, "io", &["io.max"]),
    (Controllers::CPUSET, "cpuset", &["cpuset.cpus"]),
];

impl Controllers {
    /// None.
    pub const NONE: Controllers = Controllers(0);
    /// `memory.max`, `memory.peak`, `memory.events`.
    pub const MEMORY: Controllers = Controllers(1);
    /// `pids.max`, `pids.peak`, `pids.events`.
    pub const PIDS: Controllers = Controllers(1 << 1);
    /// `cpu.max`, `cpu.weight`. Time is counted without it.
    pub const CPU: Controllers = Controllers(1 << 2);
    /// `io.max`.
    pub const IO: Controllers = Controllers(1 << 3);
    /// `cpuset.cpus`.
    pub const CPUSET: Controllers = Controllers(1 << 4);
    /// All five.
    pub const ALL: Controllers = Controllers((1 << 5) - 1);

    /// Are all of `other` in it?
    pub fn contains(self, other: Controllers) -> bool {
        self.0 & other.0 == other.0
    }

    /// Is it empty?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// One by one.
    pub fn iter(self) -> impl Iterator<Item = Controllers> {
        TABLE
            .into_iter()
            .map(|(one, ..)| one)
            .filter(move |one| self.contains(*one))
    }

    /// Names as the kernel says them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        TABLE
            .into_iter()
            .filter(move |(one, ..)| self.contains(*one))
            .map(|(_, name, _)| name)
    }

    /// The text of `cgroup.controllers` or `cgroup.subtree_control`; names that are
    /// not ours are left out.
    pub(super) fn parse(text: &str) -> Controllers {
        let known = |word: &str| TABLE.into_iter().find(|(_, name, _)| *name == word);
        text.split_ascii_whitespace()
            .filter_map(known)
            .fold(Controllers::NONE, |all, (one, ..)| all | one)
    }

    /// Files that a leaf must have for these controllers.
    pub(super) fn files(self) -> impl Iterator<Item = &'static str> {
        TABLE
            .into_iter()
            .filter(move |(one, ..)| self.contains(*one))
            .flat_map(|(.., files)| files.iter().copied())
    }
}

impl BitOr for Controllers {
    type Output = Controllers;
    fn bitor(self, other: Controllers) -> Controllers {
        Controllers(self.0 | other.0)
    }
}

impl BitAnd for Controllers {
    type Output = Controllers;
    fn bitand(self, other: Controllers) -> Controllers {
        Controllers(self.0 & other.0)
    }
}

impl Sub for Controllers {
    type Output = Controllers;
    fn sub(self, other: Controllers) -> Controllers {
        Controllers(self.0 & !other.0)
    }
}

impl fmt::Display for Controllers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (index, name) in self.names().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Controllers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Controllers({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_kernels_and_others_are_left_out() {
        let some = Controllers::parse("cpuset cpu io hugetlb memory rdma\n");
        assert_eq!(some.to_string(), "memory, cpu, io, cpuset");
        assert_eq!(Controllers::ALL - some, Controllers::PIDS);
        assert_eq!(Controllers::parse("").to_string(), "none");
        assert_eq!(Controllers::ALL.iter().count(), 5);
        assert_eq!(
            Controllers::ALL
                .iter()
                .fold(Controllers::NONE, |all, one| all | one),
            Controllers::ALL
        );
    }

    #[test]
    fn every_controller_has_a_file() {
        for one in Controllers::ALL.iter() {
            assert!(one.files().count() > 0, "{one}");
            let name = one.names().next().unwrap();
            assert!(one.files().all(|file| file.starts_with(name)), "{one}");
        }
    }
}
