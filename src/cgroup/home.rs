//! A group below which leaves are made, and what whoever looks for one asks for. How it
//! is found is in `ways`; here it is tried.

use super::controllers::Controllers;
use super::failure::{Attempt, Failure, Unavailable};
use super::group::Group;
use super::leaf::Leaf;
use super::{own, stale, ways};
use crate::sys::{Errno, clone};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where leaves are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Wanted {
    /// Wherever they can be had.
    #[default]
    Auto,
    /// Nowhere.
    None,
    /// Below this directory of cgroup v2, and nowhere else.
    Directory(PathBuf),
}

/// May the calling process, and those that share its group, be moved to another group?
///
/// It is a change of the whole process that outlives the home, so a library's user says
/// so on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Moving {
    /// Only ways that leave every process where it is.
    #[default]
    Forbidden,
    /// The service manager may be asked for a scope; processes of our own group may be
    /// moved to a group `front` below it.
    Allowed,
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// Where.
    pub wanted: Wanted,
    /// The controllers that leaves should have. A way that gives all of them ends the
    /// search; nothing is enabled, and nobody moved, for others.
    pub controllers: Controllers,
    /// Whether processes may be moved.
    pub moving: Moving,
}

/// How a home was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The user named it.
    Given,
    /// A group above our own that holds no process: leaves stand beside our own.
    Sibling,
    /// A scope that the service manager made for this process.
    Systemd,
    /// Our own group.
    Own,
    /// The root of the tree that this process sees: a container's, or the machine's.
    Root,
}

impl Origin {
    /// One word, for records.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Given => "given",
            Origin::Sibling => "sibling",
            Origin::Systemd => "systemd",
            Origin::Own => "own",
            Origin::Root => "root",
        }
    }

    /// For sentences.
    pub(super) fn words(self) -> &'static str {
        match self {
            Origin::Given => "the directory given",
            Origin::Sibling => "beside our own group",
            Origin::Systemd => "a scope of systemd",
            Origin::Own => "below our own group",
            Origin::Root => "below the root group",
        }
    }
}

/// A group below which leaves can be made: it was tried.
///
/// It may be shared by threads (in an [`Arc`]). Dropping it changes nothing: where
/// processes were moved for it, they stay where they are, and the next search finds
/// that place without moving anybody.
#[derive(Debug)]
pub struct Home {
    group: Arc<Group>,
    origin: Origin,
    controllers: Controllers,
    wanted: Controllers,
    pub(super) attempts: Vec<Attempt>,
}

impl Home {
    /// Looks for a home with all the controllers asked for; the one with most of them
    /// when there is none. [`Home::require`] tells the two apart.
    ///
    /// Leaves that killed makers have left there are removed on the way.
    ///
    /// # Errors
    /// No group can be made anywhere; every way that was tried, and why it failed.
    pub fn find(search: &Search) -> Result<Home, Unavailable> {
        ways::find(search)
    }

    /// The directory, for sentences.
    pub fn path(&self) -> &Path {
        self.group.path()
    }

    /// How it was come by.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Controllers that leaves really have: that of the trial had them.
    pub fn controllers(&self) -> Controllers {
        self.controllers
    }

    /// Ways that were tried before this one, and what it lacks itself.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// # Errors
    /// One of these controllers is missing; with every way that was tried.
    pub fn require(&self, needed: Controllers) -> Result<(), Unavailable> {
        let missing = needed - self.controllers;
        if missing.is_empty() {
            return Ok(());
        }
        let mut attempts = self.attempts.clone();
        if !self.wanted.contains(missing) {
            attempts.push(Attempt {
                origin: self.origin,
                failure: Failure::new(format!("nobody asked for: {}", missing - self.wanted)),
            });
        }
        Err(Unavailable { missing, attempts })
    }

    /// A new leaf, without limits and without a process.
    ///
    /// # Errors
    /// The kernel makes no group; a limit on their number, most often.
    pub fn leaf(&self) -> Result<Leaf, Failure> {
        Leaf::make(&self.group)
    }

    /// Removes what killed makers have left here; how many. [`Home::find`] does so by
    /// itself; this is for those that keep a home for days.
    pub fn collect(&self) -> usize {
        stale::collect(&self.group)
    }

    /// Tries a group: removes what was left there, makes a leaf, hands controllers on
    /// that are wanted, starts a process in the leaf. What it lacks is its first attempt.
    pub(super) fn settle(
        group: Group,
        origin: Origin,
        wanted: Controllers,
    ) -> Result<Home, Failure> {
        let group = Arc::new(group);
        stale::collect(&group);
        let mut leaf = Leaf::make(&group)?;
        let before = group.handed_on();
        let mut asked = wanted & (group.available() - before);
        // cpu, pids and cpuset can be handed on by a group with processes, which makes
        // it the root of a threaded subtree, and every group below it invalid.
        let occupied = !asked.is_empty() && group.is_occupied();
        if occupied {
            asked = Controllers::NONE;
        }
        let refused: Vec<_> = asked
            .iter()
            .filter_map(|one| Some((one, group.hand_on(one).err()?)))
            .collect();
        if let Err(errno) = clone::try_cgroup(leaf.fd()) {
            drop(leaf);
            group.take_back((group.handed_on() - before) & wanted);
            return Err(not_entered(&group, errno));
        }
        let controllers = leaf.look();
        let missing = wanted - controllers;
        let lacks = match occupied {
            true => Some(hands_nothing_on(&group, missing)),
            false => lacks(&group, missing, &refused),
        };
        Ok(Home {
            group,
            origin,
            controllers,
            wanted,
            attempts: lacks
                .map(|failure| Attempt { origin, failure })
                .into_iter()
                .collect(),
        })
    }

    /// The same, when more was asked for than was tried.
    pub(super) fn asked(mut self, wanted: Controllers) -> Home {
        self.wanted = wanted;
        self
    }

    /// Can a leaf still be made, and a process started in it, after this process moved?
    pub(super) fn still_works(&self) -> bool {
        self.leaf()
            .is_ok_and(|leaf| clone::try_cgroup(leaf.fd()).is_ok())
    }

    /// Has it everything that was asked for?
    pub(super) fn is_whole(&self) -> bool {
        self.controllers.contains(self.wanted)
    }
}

fn not_entered(group: &Group, errno: Errno) -> Failure {
    let failure = Failure::because(
        format_args!("start a process in a group below {}", group.tick()),
        errno,
    );
    match errno {
        Errno::EACCES | Errno::EPERM => failure.hint(
            "whoever starts it must be allowed to write to `cgroup.procs` of the nearest group above both: start from inside of the delegated groups",
        ),
        Errno::ENOENT => failure.hint("it is outside of our cgroup namespace"),
        Errno::EOPNOTSUPP => failure.hint("`cgroup.type` is not `domain` there"),
        Errno::EAGAIN => failure.hint("`pids.max` of a group above is reached"),
        Errno::ENOSYS | Errno::EINVAL => failure.hint(
            "needs clone3 with CLONE_INTO_CGROUP (Linux 5.7); a system call filter around this process may refuse it",
        ),
        _ => failure,
    }
}

fn hands_nothing_on(group: &Group, missing: Controllers) -> Failure {
    Failure::new(format!(
        "{} has processes in it, and so cannot hand on: {missing}",
        group.tick()
    ))
    .hint("start from a group below it: move its processes there, and hand the controllers on")
}

/// Why a leaf there does not have these controllers.
fn lacks(group: &Group, missing: Controllers, refused: &[(Controllers, Errno)]) -> Option<Failure> {
    if missing.is_empty() {
        return None;
    }
    let here = group.tick();
    if let Some((_, errno)) = refused.first() {
        let names: Vec<_> = refused.iter().flat_map(|(one, _)| one.names()).collect();
        let what = format!("hand on {} from {here}", names.join(", "));
        return Some(Failure::because(what, *errno));
    }
    let absent = missing - group.available();
    if absent.is_empty() {
        return Some(Failure::new(format!(
            "groups below {here} have no limits for: {missing} (the kernel was built without them)"
        )));
    }
    let failure = Failure::new(format!("{here} was not given: {absent}"));
    let elsewhere = absent & own::taken_by_v1();
    Some(match elsewhere.is_empty() {
        true => failure.hint("the group above it must hand them on: `Delegate=` of systemd, or `cgroup.subtree_control`"),
        false => failure.hint(format!(
            "cgroup v1 has {elsewhere} on this machine: boot with `systemd.unified_cgroup_hierarchy=1`, or without its v1 mounts"
        )),
    })
}
