//! A plan turned into memory: every string, pointer array and descriptor number
//! the child will ever need, made while allocating is still allowed.
//!
//! It adds nothing to the plan. The child reads it and owns none of it.

use crate::plan::{Attributes, CpuBy, MemoryBy, Op, Plan, ProcessesBy, Rlimit};
use crate::policy::units::nanoseconds;
use crate::sys::clone::Stack;
use crate::sys::process::ExecList;
use nix::sched::CpuSet;
use seccompiler::sock_filter;
use std::ffi::{CString, OsStr};
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::atomic::{AtomicI32, AtomicU64};

/// The child knows these types of the plan, and no other.
pub(crate) use crate::plan::{Identity, MountAttributes};

/// Everything the child needs.
pub(crate) struct Image {
    /// Descriptor ranges to close first (both ends included).
    pub(crate) close: Vec<(u32, u32)>,
    /// Status socket, child's end: frames about steps, end of file at exec.
    pub(crate) status: RawFd,
    /// Control socket, child's end: pid 1 and the parent, for the whole run.
    pub(crate) control: RawFd,
    /// A pidfd of the calling process: readable when that has ended, even where a
    /// forgotten fork of it still holds the other end of the control socket.
    pub(crate) parent: RawFd,
    /// uid and gid inside.
    pub(crate) ids: (u32, u32),
    /// What is written to `/proc/self/timens_offsets`.
    pub(crate) time_offsets: CString,
    /// The same of CLOCK_MONOTONIC, for the parent.
    pub(crate) clock_behind_ns: u64,
    /// `size=` and `nr_inodes=` of the root tmpfs.
    pub(crate) root: TmpfsOptions,
    /// The new root, operation by operation.
    pub(crate) ops: Vec<ImageOp>,
    /// Bring `lo` up.
    pub(crate) loopback: bool,
    /// Host name inside.
    pub(crate) hostname: Vec<u8>,
    /// A pty of its own, with this initial size.
    pub(crate) terminal: Option<libc::winsize>,
    /// Descriptors that become 0, 1 and 2 (all of them 3 or higher).
    pub(crate) stdio: [RawFd; 3],
    /// Descriptors that have another number inside: from, to. In an order in which
    /// none is moved onto another that is still to be moved.
    pub(crate) renumber: Vec<(RawFd, RawFd)>,
    /// Descriptors that survive exec, by their number inside.
    pub(crate) keep: Vec<RawFd>,
    /// Directories that the parent copies files beneath.
    pub(crate) roots: Vec<CString>,
    /// Working directory inside.
    pub(crate) cwd: CString,
    /// Resource limits.
    pub(crate) rlimits: Vec<Rlimit>,
    /// Process attributes.
    pub(crate) attributes: Attributes,
    /// The processors to run on, where they are named.
    pub(crate) cpus: Option<CpuSet>,
    /// The Landlock domain.
    pub(crate) landlock: Option<LandlockImage>,
    /// The system call filter.
    pub(crate) filter: Vec<sock_filter>,
    /// The same for where pid 1 can listen.
    pub(crate) listening: Option<Vec<sock_filter>>,
    /// Wall-time limit, nanoseconds.
    pub(crate) wall_time_ns: Option<u64>,
    /// `memory.current` of the run's cgroup, where the controller keeps its limit.
    pub(crate) memory_current: Option<RawFd>,
    /// What pid 1 watches.
    pub(crate) watch: Watch,
    /// What the child opens by itself for pid 1 to keep.
    pub(crate) found: Found,
    /// Paths tried in order.
    pub(crate) candidates: Vec<CString>,
    /// For execve.
    pub(crate) argv: ExecList,
    /// For execve.
    pub(crate) envp: ExecList,
    /// What the program's process runs on until then.
    pub(crate) stack: Stack,
}

/// What pid 1 watches while the program runs.
pub(crate) struct Watch {
    /// A procfs of its own is needed.
    pub(crate) procfs: bool,
    /// A perf event is needed.
    pub(crate) perf: bool,
    /// `cpu.stat` of the run's cgroup.
    pub(crate) cpu_stat: Option<RawFd>,
    /// Processor time limit, nanoseconds.
    pub(crate) cpu_limit_ns: Option<u64>,
    /// Processors that can be used at the same time.
    pub(crate) cpus: u32,
    /// Nanoseconds of a clock tick (`_SC_CLK_TCK`).
    pub(crate) tick_ns: u64,
    /// Memory limit, bytes, where pid 1 is what keeps it.
    pub(crate) memory: Option<u64>,
}

/// Descriptors that the child opens, -1 until then. The child writes into its own
/// copy of the image, which pid 1 and the program's process share until exec.
pub(crate) struct Found {
    pub(crate) procfs: AtomicI32,
    pub(crate) perf: AtomicI32,
    pub(crate) listener: AtomicI32,
    /// CLOCK_MONOTONIC just before exec, nanoseconds; no descriptor, but found in the
    /// same way. pid 1 itself may get to run much later.
    pub(crate) began: AtomicU64,
}

/// The Landlock domain, ready to be put in force.
pub(crate) struct LandlockImage {
    /// The ruleset.
    pub(crate) ruleset: RawFd,
    /// Inside path → rights.
    pub(crate) rules: Vec<(CString, u64)>,
}

/// Options of a tmpfs as the strings fsconfig takes.
pub(crate) struct TmpfsOptions {
    pub(crate) size: CString,
    pub(crate) inodes: CString,
    pub(crate) mode: CString,
}

/// [`Op`] with C strings; `at` is relative to the new root (`.` for itself).
pub(crate) enum ImageOp {
    Directory {
        at: CString,
        mode: u32,
    },
    File {
        at: CString,
        text: Vec<u8>,
        mode: u32,
    },
    Symlink {
        at: CString,
        target: CString,
    },
    Tmpfs {
        at: CString,
        options: TmpfsOptions,
        attributes: MountAttributes,
        /// Where what it holds counts for the memory limit, and pid 1 adds it up.
        counted: Option<CountedTmpfs>,
    },
    Bind {
        at: CString,
        source: Source,
        attributes: MountAttributes,
        device: bool,
    },
    Pin {
        at: CString,
        attributes: MountAttributes,
    },
    Mask {
        at: CString,
        directory: bool,
    },
    Cover {
        at: CString,
        text: Vec<u8>,
    },
    Proc {
        at: CString,
        only_pids: bool,
    },
    Devpts {
        at: CString,
    },
    Seal {
        at: CString,
    },
}

/// A file system in memory, by what the child found.
pub(crate) struct CountedTmpfs {
    /// Where it is inside.
    pub(crate) at: CString,
    /// Somebody may rename a directory on the way there, and then decides where the path
    /// leads: the descriptor is that of the mount, and opened before the program runs. One
    /// of any other is opened when the program no longer shares the table.
    pub(crate) may_move: bool,
    /// A descriptor of it, -1 until then.
    pub(crate) place: AtomicI32,
    /// `st_dev` of what it holds.
    pub(crate) device: AtomicU64,
}

/// Where a bound tree comes from.
pub(crate) enum Source {
    /// The child opens it, and must find this there.
    Path(CString, Identity),
    /// The parent, being root, cloned it already: a detached tree.
    Tree(RawFd),
}

/// Descriptors that the parent made for one launch.
pub(crate) struct Descriptors {
    pub(crate) status: RawFd,
    pub(crate) control: RawFd,
    pub(crate) parent: RawFd,
    pub(crate) stdio: [RawFd; 3],
    /// What the plan's descriptors are here: in the same order, none below its number
    /// inside.
    pub(crate) keep: Vec<RawFd>,
    pub(crate) ruleset: Option<RawFd>,
    /// Of the run's control group.
    pub(crate) cpu_stat: Option<RawFd>,
    pub(crate) memory_current: Option<RawFd>,
    /// Detached trees by position in the plan's operations.
    pub(crate) trees: Vec<(usize, RawFd)>,
}

impl Image {
    /// The file systems in memory that pid 1 adds up.
    pub(crate) fn counted_tmpfs(&self) -> impl Iterator<Item = &CountedTmpfs> + Clone {
        self.ops.iter().filter_map(|op| match op {
            ImageOp::Tmpfs { counted, .. } => counted.as_ref(),
            _ => None,
        })
    }

    /// Prepares a plan. An argument or variable with a NUL byte is an error: the
    /// text of the offending string.
    pub(crate) fn prepare(
        plan: &Plan,
        fds: &Descriptors,
        terminal: Option<libc::winsize>,
    ) -> Result<Image, String> {
        let argv = std::iter::once(&plan.program.name)
            .chain(&plan.program.args)
            .map(c_string)
            .collect::<Result<Vec<_>, _>>()?;
        let envp = plan
            .env
            .iter()
            .map(|(name, value)| {
                let mut variable = name.clone();
                variable.push("=");
                variable.push(value);
                c_string(&variable)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let polled = matches!(plan.limits.memory, Some((_, MemoryBy::Polled)));
        let ops = plan
            .mounts
            .ops
            .iter()
            .enumerate()
            .map(|(position, op)| {
                let tree = fds
                    .trees
                    .iter()
                    .find(|(of, _)| *of == position)
                    .map(|(_, fd)| *fd);
                let mut op_image = image_op(op, tree)?;
                if polled {
                    count(&mut op_image, op, &plan.mounts.ops)?;
                }
                Ok::<_, String>(op_image)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let landlock = match (&plan.landlock, fds.ruleset) {
            (Some(landlock), Some(ruleset)) => Some(LandlockImage {
                ruleset,
                rules: landlock
                    .rules
                    .iter()
                    .map(|(path, rights)| Ok((c_string(path)?, *rights)))
                    .collect::<Result<Vec<_>, String>>()?,
            }),
            _ => None,
        };
        let (time_offsets, clock_behind_ns) = time_offsets();
        Ok(Image {
            close: gaps(fds),
            status: fds.status,
            control: fds.control,
            parent: fds.parent,
            ids: (plan.ids.uid, plan.ids.gid),
            time_offsets,
            clock_behind_ns,
            root: tmpfs_options(plan.mounts.root_bytes, plan.mounts.root_inodes, 0o755),
            ops,
            loopback: plan.network == crate::policy::Network::Loopback,
            hostname: plan.hostname.clone().into_bytes(),
            terminal,
            stdio: fds.stdio,
            renumber: renumber(&fds.keep, &plan.descriptors),
            keep: plan.descriptors.clone(),
            roots: plan
                .copies
                .roots
                .iter()
                .map(c_string)
                .collect::<Result<Vec<_>, _>>()?,
            cwd: c_string(&plan.cwd)?,
            rlimits: plan.limits.rlimits.clone(),
            attributes: plan.attributes,
            cpus: cpu_set(&plan.cpus),
            landlock,
            filter: plan.seccomp.program.clone(),
            listening: plan.seccomp.listening.clone(),
            wall_time_ns: plan.limits.wall_time.map(nanoseconds),
            watch: watch(plan, fds.cpu_stat),
            memory_current: fds.memory_current,
            found: Found {
                procfs: AtomicI32::new(-1),
                perf: AtomicI32::new(-1),
                listener: AtomicI32::new(-1),
                began: AtomicU64::new(0),
            },
            candidates: plan
                .program
                .candidates
                .iter()
                .map(c_string)
                .collect::<Result<Vec<_>, _>>()?,
            argv: ExecList::new(argv),
            envp: ExecList::new(envp),
            stack: Stack::new(),
        })
    }
}

fn cpu_set(cpus: &[u32]) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        // The plan has none that the kernel did not name in such a set.
        let _ = set.set(*cpu as usize);
    }
    (!cpus.is_empty()).then_some(set)
}

/// What follows from the limits for pid 1.
fn watch(plan: &Plan, cpu_stat: Option<RawFd>) -> Watch {
    let limits = &plan.limits;
    let memory = match limits.memory {
        Some((bytes, MemoryBy::Polled)) => Some(bytes),
        _ => None,
    };
    let counted = matches!(limits.processes, Some((_, ProcessesBy::Namespace)));
    let cpu = limits.cpu_time.map(|_| limits.cpu_by);
    Watch {
        // Beside a perf event too: not everything stays in its sight.
        procfs: memory.is_some() || counted || matches!(cpu, Some(CpuBy::Perf | CpuBy::Seen)),
        // Where memory is watched it also tells when nothing can have grown.
        perf: limits.cpu_by == CpuBy::Perf && (cpu.is_some() || memory.is_some()),
        cpu_stat,
        cpu_limit_ns: limits.cpu_time.map(nanoseconds),
        cpus: limits.cpus,
        tick_ns: crate::sys::process::tick_ns(),
        memory,
    }
}

fn c_string(text: impl AsRef<OsStr>) -> Result<CString, String> {
    let text = text.as_ref();
    CString::new(text.to_owned().into_vec()).map_err(|_| text.to_string_lossy().into_owned())
}

/// An inside path as seen from the new root's descriptor.
fn relative(at: &Path) -> Result<CString, String> {
    let bytes = at.as_os_str().as_bytes();
    match bytes.strip_prefix(b"/").unwrap_or(bytes) {
        b"" => Ok(c".".to_owned()),
        rest => c_string(OsStr::from_bytes(rest)),
    }
}

/// What the program can write there counts for the memory limit.
fn count(image: &mut ImageOp, op: &Op, ops: &[Op]) -> Result<(), String> {
    if let (ImageOp::Tmpfs { counted, .. }, Op::Tmpfs { at, attributes, .. }) = (image, op)
        && !attributes.read_only
    {
        *counted = Some(CountedTmpfs {
            at: c_string(at)?,
            may_move: may_move(at, ops),
            place: AtomicI32::new(-1),
            device: AtomicU64::new(0),
        });
    }
    Ok(())
}

/// Does it lie in a tree of the host's, or where the program can write?
fn may_move(at: &Path, ops: &[Op]) -> bool {
    let sealed = |tree: &Path| {
        let mut seals = ops.iter().filter(|op| matches!(op, Op::Seal { .. }));
        seals.any(|op| op.at() == tree)
    };
    ops.iter().any(|op| {
        let around = op.at() != at && at.starts_with(op.at());
        match op {
            Op::Bind { .. } => around,
            Op::Tmpfs { at, attributes, .. } => around && !attributes.read_only && !sealed(at),
            _ => false,
        }
    })
}

fn image_op(op: &Op, tree: Option<RawFd>) -> Result<ImageOp, String> {
    Ok(match op {
        Op::Directory { at, mode } => ImageOp::Directory {
            at: relative(at)?,
            mode: *mode,
        },
        Op::File { at, text, mode } => ImageOp::File {
            at: relative(at)?,
            text: text.clone(),
            mode: *mode,
        },
        Op::Symlink { at, target } => ImageOp::Symlink {
            at: relative(at)?,
            target: c_string(target)?,
        },
        Op::Tmpfs {
            at,
            bytes,
            inodes,
            mode,
            attributes,
        } => ImageOp::Tmpfs {
            at: relative(at)?,
            options: tmpfs_options(*bytes, *inodes, *mode),
            attributes: *attributes,
            counted: None,
        },
        Op::Bind {
            at,
            source,
            identity,
            attributes,
            device,
        } => ImageOp::Bind {
            at: relative(at)?,
            source: match tree {
                Some(fd) => Source::Tree(fd),
                None => Source::Path(c_string(source)?, *identity),
            },
            attributes: *attributes,
            device: *device,
        },
        Op::Pin { at, attributes } => ImageOp::Pin {
            at: relative(at)?,
            attributes: *attributes,
        },
        Op::Mask { at, directory } => ImageOp::Mask {
            at: relative(at)?,
            directory: *directory,
        },
        Op::Cover { at, text } => ImageOp::Cover {
            at: relative(at)?,
            text: text.clone(),
        },
        Op::Proc { at, only_pids } => ImageOp::Proc {
            at: relative(at)?,
            only_pids: *only_pids,
        },
        Op::Devpts { at } => ImageOp::Devpts { at: relative(at)? },
        Op::Seal { at } => ImageOp::Seal { at: relative(at)? },
    })
}

fn tmpfs_options(bytes: u64, inodes: u64, mode: u32) -> TmpfsOptions {
    let text = |text: String| CString::new(text).expect("digits hold no NUL");
    TmpfsOptions {
        size: text(bytes.to_string()),
        inodes: text(inodes.to_string()),
        mode: text(format!("{mode:o}")),
    }
}

/// Offsets that start both clocks near zero: uptime inside says nothing about
/// the host (time_namespaces(7)).
fn time_offsets() -> (CString, u64) {
    let monotonic = crate::sys::process::clock_seconds(libc::CLOCK_MONOTONIC);
    let boot = crate::sys::process::clock_seconds(libc::CLOCK_BOOTTIME);
    let text = CString::new(format!("monotonic -{monotonic} 0\nboottime -{boot} 0\n"))
        .expect("digits hold no NUL");
    (text, monotonic.unsigned_abs() * 1_000_000_000)
}

/// What stands at one number here and at another inside. Both lists ascend, and none
/// is moved up, so nothing is moved onto what comes later.
fn renumber(here: &[RawFd], inside: &[RawFd]) -> Vec<(RawFd, RawFd)> {
    let pairs = here.iter().copied().zip(inside.iter().copied());
    pairs.filter(|(from, to)| from != to).collect()
}

/// The descriptor ranges between what the child keeps.
fn gaps(fds: &Descriptors) -> Vec<(u32, u32)> {
    let mut kept: Vec<u32> = [fds.status, fds.control, fds.parent]
        .iter()
        .chain(&fds.stdio)
        .chain(&fds.keep)
        .chain(&fds.ruleset)
        .chain(&fds.cpu_stat)
        .chain(&fds.memory_current)
        .chain(fds.trees.iter().map(|(_, fd)| fd))
        .map(|fd| *fd as u32)
        .collect();
    kept.sort_unstable();
    kept.dedup();
    let mut gaps = Vec::with_capacity(kept.len() + 1);
    let mut next = 0;
    for fd in kept {
        if fd > next {
            gaps.push((next, fd - 1));
        }
        next = fd + 1;
    }
    gaps.push((next, u32::MAX));
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_leave_exactly_what_is_kept() {
        let fds = Descriptors {
            status: 5,
            control: 9,
            parent: 11,
            stdio: [6, 7, 7],
            keep: vec![3],
            ruleset: Some(10),
            cpu_stat: None,
            memory_current: None,
            trees: vec![(0, 12)],
        };
        assert_eq!(gaps(&fds), [(0, 2), (4, 4), (8, 8), (13, u32::MAX)]);
    }

    #[test]
    fn what_has_its_number_is_not_moved() {
        assert_eq!(renumber(&[4, 5, 9], &[3, 5, 7]), [(4, 3), (9, 7)]);
    }

    #[test]
    fn paths_are_relative_to_the_new_root() {
        assert_eq!(relative(Path::new("/")).unwrap().as_c_str(), c".");
        assert_eq!(relative(Path::new("/a/b")).unwrap().as_c_str(), c"a/b");
    }
}
