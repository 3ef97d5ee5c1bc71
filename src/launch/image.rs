//! One run turned into memory: beside what is the same in every run of the plan
//! ([`Recipe`]), every descriptor number, string and pointer array the child will ever
//! need, made while allocating is still allowed.
//!
//! It adds nothing to the plan. The child reads it and owns none of it.

use super::order::MOST_BYTES;
use crate::policy::Network;
use crate::step::Step;
use crate::sys::clone::Stack;
use crate::sys::exec::ExecList;
use crate::sys::process;
use crate::wire::{FRAME_BYTES, Frame, MESSAGE_ROOM, MOST_FRAMES};
use nix::sched::CpuSet;
use std::ffi::CString;
use std::ops::Deref;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize};

/// The child knows these types of the launch, and no other.
pub(crate) use super::recipe::{
    CountedTmpfs, Identity, ImageOp, MountAttributes, Recipe, Source, TmpfsOptions, Watch,
};

/// Everything the child needs.
pub(crate) struct Image<'r> {
    /// What is the same in every run.
    pub(crate) recipe: &'r Recipe,
    /// Where the root stands already, in a copy of the worker's mount namespace.
    pub(crate) standing: Option<Standing>,
    /// Its own uid and gid maps.
    pub(crate) maps: [CString; 2],
    /// Descriptor ranges to close first (both ends included).
    pub(crate) close: Vec<(u32, u32)>,
    /// Status socket, child's end: frames about steps, end of file at exec.
    pub(crate) status: RawFd,
    /// Control socket, child's end: pid 1 and the parent, for the whole run.
    pub(crate) control: RawFd,
    /// A pidfd of the calling process: readable when that has ended, even where a
    /// forgotten fork of it still holds the other end of the control socket.
    pub(crate) parent: RawFd,
    /// What is written to `/proc/self/timens_offsets`.
    pub(crate) time_offsets: CString,
    /// A pty of its own, with this initial size.
    pub(crate) terminal: Option<libc::winsize>,
    /// Descriptors that become 0, 1 and 2 (all of them 3 or higher). `None` where they
    /// come with the last word, as the arguments do.
    pub(crate) stdio: Option<[RawFd; 3]>,
    /// Descriptors that have another number inside: from, to. In an order in which
    /// none is moved onto another that is still to be moved.
    pub(crate) renumber: Vec<(RawFd, RawFd)>,
    /// Descriptors that survive exec, by their number inside.
    pub(crate) keep: Vec<RawFd>,
    /// Trees of the root that stands, for as long as they are nowhere: one for each of
    /// [`Recipe::renewed`].
    pub(crate) carried: Vec<AtomicI32>,
    /// Directories that the parent copies files beneath.
    pub(crate) roots: Vec<CString>,
    /// The processors to run on, where they are named.
    pub(crate) processors: Option<CpuSet>,
    /// The Landlock ruleset, to which the child adds the rules.
    pub(crate) ruleset: Option<RawFd>,
    /// `cpu.stat` of the run's cgroup.
    pub(crate) cpu_stat: Option<RawFd>,
    /// `memory.current` of the run's cgroup, where the controller keeps its limit.
    pub(crate) memory_current: Option<RawFd>,
    /// What the child opens by itself for pid 1 to keep.
    pub(crate) found: Found,
    /// What it has to say.
    pub(crate) said: Said,
    /// What the program's process needs besides.
    pub(crate) provisions: &'r Provisions,
}

/// For execve, and what the program's process runs on until then. The child of a worker
/// uses its own copy, and so leaves it as it is for the next.
pub(crate) struct Provisions {
    pub(crate) argv: ExecList,
    pub(crate) envp: ExecList,
    pub(crate) stack: Stack,
}

impl Provisions {
    /// With these arguments after `argv[0]`.
    pub(crate) fn with(recipe: &Recipe, args: Vec<CString>) -> Provisions {
        let mut argv = vec![recipe.name.clone()];
        argv.extend(args);
        Provisions::new(recipe, ExecList::new(argv))
    }

    /// With room for arguments that come with the last word.
    pub(crate) fn awaiting(recipe: &Recipe) -> Provisions {
        let argv = ExecList::with_room(vec![recipe.name.clone()], MOST_BYTES);
        Provisions::new(recipe, argv)
    }

    fn new(recipe: &Recipe, argv: ExecList) -> Provisions {
        Provisions {
            argv,
            envp: ExecList::new(recipe.env.clone()),
            stack: Stack::new(),
        }
    }
}

impl Image<'_> {
    /// A network namespace of its own?
    pub(crate) fn own_network(&self) -> bool {
        self.network != Network::Host
    }

    /// Bring `lo` up?
    pub(crate) fn loopback(&self) -> bool {
        self.network == Network::Loopback
    }
}

impl Deref for Image<'_> {
    type Target = Recipe;

    fn deref(&self) -> &Recipe {
        self.recipe
    }
}

/// What the child of a worker has in place of the host's root.
pub(crate) struct Standing {
    /// The host's `/proc`, which is not to be seen from where the child begins.
    pub(crate) proc: RawFd,
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

/// Steps that are done and not yet said to be: the parent is woken once for many.
#[derive(Default)]
pub(crate) struct Said {
    /// Step and item of each.
    done: [AtomicU64; MOST_FRAMES],
    count: AtomicUsize,
}

impl Said {
    /// Keeps one for [`Said::take`]. More than one message holds do not come together.
    pub(crate) fn keep(&self, step: Step, item: u32) {
        let number = self.count.fetch_add(1, Relaxed);
        if let Some(done) = self.done.get(number) {
            done.store((step as u64) << 32 | u64::from(item), Relaxed);
        }
    }

    /// A message of what was kept, and its length; then nothing is kept any more.
    pub(crate) fn take(&self) -> ([u8; MESSAGE_ROOM], usize) {
        let mut message = [0; MESSAGE_ROOM];
        let count = self.count.swap(0, Relaxed).min(MOST_FRAMES);
        let room = message.chunks_exact_mut(FRAME_BYTES);
        for (place, done) in room.zip(&self.done).take(count) {
            let done = done.load(Relaxed);
            let item = done as u32;
            if let Some(step) = Step::from_wire((done >> 32) as u32) {
                place.copy_from_slice(&Frame::Done { step, item }.encode());
            }
        }
        (message, count * FRAME_BYTES)
    }
}

/// Descriptors that the parent made for one launch.
pub(crate) struct Descriptors {
    pub(crate) status: RawFd,
    pub(crate) control: RawFd,
    pub(crate) parent: RawFd,
    /// `None` where they come with the last word.
    pub(crate) stdio: Option<[RawFd; 3]>,
    /// What the plan's descriptors are here: in the same order, none below its number
    /// inside.
    pub(crate) keep: Vec<RawFd>,
    pub(crate) ruleset: Option<RawFd>,
    /// Of the run's control group.
    pub(crate) cpu_stat: Option<RawFd>,
    pub(crate) memory_current: Option<RawFd>,
    /// Detached trees, and what else the child needs for a while.
    pub(crate) others: Vec<RawFd>,
}

/// What differs from run to run, besides descriptors.
pub(crate) struct Particulars {
    /// Numbers inside of the descriptors that are kept, ascending.
    pub(crate) keep: Vec<RawFd>,
    /// Directories that the parent copies files beneath.
    pub(crate) roots: Vec<CString>,
    /// A pty of its own, with this initial size.
    pub(crate) terminal: Option<libc::winsize>,
    /// Where the root stands already.
    pub(crate) standing: Option<Standing>,
    /// uid and gid on the host, which become those of the recipe.
    pub(crate) outside: (u32, u32),
    /// What both clocks inside begin from.
    pub(crate) clocks: Clocks,
}

/// Seconds of CLOCK_MONOTONIC and CLOCK_BOOTTIME.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clocks {
    pub(crate) monotonic: i64,
    pub(crate) boot: i64,
}

impl Clocks {
    pub(crate) fn now() -> Clocks {
        Clocks {
            monotonic: process::clock_seconds(libc::CLOCK_MONOTONIC),
            boot: process::clock_seconds(libc::CLOCK_BOOTTIME),
        }
    }

    /// By how much CLOCK_MONOTONIC inside is behind, nanoseconds.
    pub(crate) fn behind_ns(self) -> u64 {
        self.monotonic.unsigned_abs() * 1_000_000_000
    }

    /// Offsets that start both clocks near zero: uptime inside says nothing about the host
    /// (time_namespaces(7)).
    fn offsets(self) -> CString {
        let Clocks { monotonic, boot } = self;
        CString::new(format!("monotonic -{monotonic} 0\nboottime -{boot} 0\n"))
            .expect("digits hold no NUL")
    }
}

impl<'r> Image<'r> {
    /// The file systems in memory that pid 1 adds up.
    pub(crate) fn counted_tmpfs(&self) -> impl Iterator<Item = &CountedTmpfs> + Clone {
        self.ops.iter().filter_map(|op| match op {
            ImageOp::Tmpfs { counted, .. } => counted.as_ref(),
            _ => None,
        })
    }

    /// Prepares one run.
    pub(crate) fn prepare(
        recipe: &'r Recipe,
        provisions: &'r Provisions,
        fds: &Descriptors,
        particulars: Particulars,
    ) -> Image<'r> {
        Image {
            recipe,
            standing: particulars.standing,
            maps: maps(recipe.ids, particulars.outside),
            close: gaps(fds),
            status: fds.status,
            control: fds.control,
            parent: fds.parent,
            time_offsets: particulars.clocks.offsets(),
            terminal: particulars.terminal,
            stdio: fds.stdio,
            renumber: renumber(&fds.keep, &particulars.keep),
            keep: particulars.keep,
            carried: recipe.renewed.iter().map(|_| AtomicI32::new(-1)).collect(),
            roots: particulars.roots,
            processors: cpu_set(&recipe.cpus),
            ruleset: fds.ruleset,
            cpu_stat: fds.cpu_stat,
            memory_current: fds.memory_current,
            found: Found {
                procfs: AtomicI32::new(-1),
                perf: AtomicI32::new(-1),
                listener: AtomicI32::new(-1),
                began: AtomicU64::new(0),
            },
            said: Said::default(),
            provisions,
        }
    }
}

/// What the two files of maps are to say (user_namespaces(7)).
fn maps(inside: (u32, u32), outside: (u32, u32)) -> [CString; 2] {
    let map = |inside: u32, outside: u32| {
        CString::new(format!("{inside} {outside} 1\n")).expect("digits hold no NUL")
    };
    [map(inside.0, outside.0), map(inside.1, outside.1)]
}

fn cpu_set(cpus: &[u32]) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        // The plan has none that the kernel did not name in such a set.
        let _ = set.set(*cpu as usize);
    }
    (!cpus.is_empty()).then_some(set)
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
        .chain(fds.stdio.iter().flatten())
        .chain(&fds.keep)
        .chain(&fds.ruleset)
        .chain(&fds.cpu_stat)
        .chain(&fds.memory_current)
        .chain(&fds.others)
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
            stdio: Some([6, 7, 7]),
            keep: vec![3],
            ruleset: Some(10),
            cpu_stat: None,
            memory_current: None,
            others: vec![12],
        };
        assert_eq!(gaps(&fds), [(0, 2), (4, 4), (8, 8), (13, u32::MAX)]);
    }

    #[test]
    fn what_is_kept_is_said_once_and_in_order() {
        let said = Said::default();
        said.keep(Step::Mounts, 7);
        said.keep(Step::Root, u32::MAX);
        let (message, length) = said.take();
        let frames: Vec<_> = message[..length]
            .chunks(FRAME_BYTES)
            .map(Frame::decode)
            .collect();
        let done = |step, item| Some(Frame::Done { step, item });
        assert_eq!(frames, [done(Step::Mounts, 7), done(Step::Root, u32::MAX)]);
        assert_eq!(said.take().1, 0);
        assert!(Step::ALL.len() < MOST_FRAMES);
    }

    #[test]
    fn what_has_its_number_is_not_moved() {
        assert_eq!(renumber(&[4, 5, 9], &[3, 5, 7]), [(4, 3), (9, 7)]);
    }
}
