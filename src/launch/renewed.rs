//! Which parts of a root are each run's own, and which can stand for all: what a program
//! can change or be recognised by is new, what is read-only and the same for everybody
//! stands.
//!
//! It is a matter of the plan alone.

use crate::plan::Op;
use std::path::Path;

/// Positions of the operations that each run makes for itself: file systems in memory that
/// can be written to, processes, terminals, and whatever stands on one of them.
pub(crate) fn positions(ops: &[Op]) -> Vec<usize> {
    let grounds: Vec<&Path> = ops
        .iter()
        .filter(|op| is_ground(op, ops))
        .map(Op::at)
        .collect();
    let of_the_run = |(position, op): (usize, &Op)| {
        let below = grounds.iter().any(|ground| op.at().starts_with(ground));
        let makes_the_place =
            matches!(op, Op::Directory { at, .. } if grounds.contains(&at.as_path()));
        (below && !makes_the_place).then_some(position)
    };
    ops.iter().enumerate().filter_map(of_the_run).collect()
}

/// Those of them that are not even made where the root stands: only a tree of the host's
/// below is carried over, which needs its place, and a procfs has to be visible for another.
pub(crate) fn absent(ops: &[Op]) -> Vec<usize> {
    let positions = positions(ops);
    let of = |position: &usize| ops.get(*position);
    let needed = |op: &Op| {
        let carried = |other: &Op| {
            let carried = matches!(other, Op::Bind { .. } | Op::Mask { .. } | Op::Cover { .. });
            carried && share_a_ground(op, other, ops)
        };
        matches!(op, Op::Proc { .. }) || positions.iter().filter_map(of).any(carried)
    };
    let absent = |position: &usize| of(position).is_some_and(|op| !needed(op));
    positions
        .iter()
        .copied()
        .filter(|position| absent(position))
        .collect()
}

fn share_a_ground(one: &Op, other: &Op, ops: &[Op]) -> bool {
    let mut grounds = ops.iter().filter(|op| is_ground(op, ops)).map(Op::at);
    grounds.any(|ground| one.at().starts_with(ground) && other.at().starts_with(ground))
}

fn is_ground(op: &Op, ops: &[Op]) -> bool {
    matches!(op, Op::Proc { .. } | Op::Devpts { .. }) || is_writable_tmpfs(op, ops)
}

/// Can the program write to it when everything is done?
pub(super) fn is_writable_tmpfs(op: &Op, ops: &[Op]) -> bool {
    let sealed = |tree: &Path| {
        let mut seals = ops.iter().filter(|op| matches!(op, Op::Seal { .. }));
        seals.any(|op| op.at() == tree)
    };
    matches!(op, Op::Tmpfs { at, attributes, .. } if !attributes.read_only && !sealed(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Identity, MountAttributes};
    use std::path::PathBuf;

    fn tmpfs(at: &str) -> Op {
        Op::Tmpfs {
            at: at.into(),
            bytes: 1,
            inodes: 1,
            mode: 0o755,
            attributes: MountAttributes {
                read_only: false,
                no_exec: true,
            },
        }
    }

    fn directory(at: &str) -> Op {
        let at = PathBuf::from(at);
        Op::Directory { at, mode: 0o755 }
    }

    #[test]
    fn what_can_be_written_is_the_runs_own() {
        let ops = [
            directory("/dev"),
            tmpfs("/dev"),
            directory("/dev/shm"),
            tmpfs("/dev/shm"),
            directory("/tmp"),
            tmpfs("/tmp"),
            directory("/tmp/inner"),
            directory("/tmp2"),
            Op::Proc {
                at: "/proc".into(),
                only_pids: true,
            },
            Op::Seal { at: "/dev".into() },
            Op::Seal { at: "/".into() },
        ];
        assert_eq!(positions(&ops), [3, 5, 6, 8]);
        assert_eq!(absent(&ops), [3, 5, 6]);
    }

    #[test]
    fn what_a_tree_of_the_hosts_lies_on_stands_too() {
        let bind = Op::Bind {
            at: "/tmp/in".into(),
            source: "/srv".into(),
            identity: Identity {
                dev: 1,
                ino: 2,
                directory: true,
                owner: (0, 0),
            },
            attributes: MountAttributes {
                read_only: true,
                no_exec: true,
            },
            device: false,
        };
        let (shm, tmp) = (tmpfs("/dev/shm"), tmpfs("/tmp"));
        let ops = [shm, tmp, directory("/tmp/in"), bind, directory("/tmp/out")];
        assert_eq!(positions(&ops), [0, 1, 2, 3, 4]);
        assert_eq!(absent(&ops), [0]);
    }
}
