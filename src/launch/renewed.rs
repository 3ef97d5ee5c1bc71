//! Which parts of a root are each run's own, and which can stand for all: what a program
//! can change or be recognised by is new, what is read-only and the same for everybody
//! stands.
//!
//! It is a matter of the plan alone.

use crate::host::normal::within;
use crate::plan::Op;
use std::path::Path;

/// Positions of the operations that each run makes for itself: file systems in memory that
/// can be written to, processes, terminals, and whatever stands on one of them. And those of
/// them that are not even made where the root stands: only a tree of the host's below is
/// carried over, which needs its place, and a procfs has to be visible for another.
pub(super) fn positions(ops: &[Op]) -> (Vec<usize>, Vec<usize>) {
    let grounds = grounds(ops);
    let carries = |ground: &&Path| {
        let carried = |op: &Op| {
            matches!(op, Op::Bind { .. } | Op::Mask { .. } | Op::Cover { .. })
                && within(op.at(), ground)
        };
        ops.iter().any(carried)
    };
    let carrying: Vec<&Path> = grounds.iter().copied().filter(carries).collect();
    let needed = |op: &Op| {
        matches!(op, Op::Proc { .. }) || carrying.iter().any(|ground| within(op.at(), ground))
    };
    let positions = of_the_run(ops, &grounds);
    let absent = |position: &usize| ops.get(*position).is_some_and(|op| !needed(op));
    let absent = positions.iter().copied().filter(absent).collect();
    (positions, absent)
}

/// File systems in memory that the program can write to when everything is done.
pub(super) fn writable_tmpfs(ops: &[Op]) -> Vec<&Path> {
    let mut writable: Vec<&Path> = Vec::new();
    for op in ops {
        match op {
            Op::Tmpfs { at, attributes, .. } if !attributes.read_only => writable.push(at),
            // The seals come last of all.
            Op::Seal { at } => writable.retain(|place| place.as_os_str() != at.as_os_str()),
            _ => {}
        }
    }
    writable
}

/// What each run has for itself.
fn grounds(ops: &[Op]) -> Vec<&Path> {
    let mut grounds = writable_tmpfs(ops);
    let own = |op: &&Op| matches!(op, Op::Proc { .. } | Op::Devpts { .. });
    grounds.extend(ops.iter().filter(own).map(Op::at));
    grounds
}

fn of_the_run(ops: &[Op], grounds: &[&Path]) -> Vec<usize> {
    let of_the_run = |(position, op): (usize, &Op)| {
        let at = op.at();
        let below = grounds.iter().any(|ground| within(at, ground));
        let is_ground = || {
            grounds
                .iter()
                .any(|ground| ground.as_os_str() == at.as_os_str())
        };
        let makes_the_place = matches!(op, Op::Directory { .. });
        (below && !(makes_the_place && is_ground())).then_some(position)
    };
    ops.iter().enumerate().filter_map(of_the_run).collect()
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
        assert_eq!(positions(&ops), (vec![3, 5, 6, 8], vec![3, 5, 6]));
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
        assert_eq!(positions(&ops), (vec![0, 1, 2, 3, 4], vec![0]));
    }
}
