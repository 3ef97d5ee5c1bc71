//! Files in before the program starts and out when everything inside has ended, beneath
//! directories that pid 1 opened in the new root and gave out.
//!
//! It opens nothing inside by a path of its own. Started by root, what goes in is written as
//! the run's host id, and what comes out of a place that the program writes must be that id's.

use super::as_root::Identity;
use super::explain;
use crate::plan::{Copies, Place, Plan, Refusal};
use crate::report::FileOutcome;
use crate::sys::{Errno, socket};
use crate::transfer::{self, Copied, Error, HardLinks, In, Limits, Out};
use crate::transfer::{Problem, Root, Side, Source, Target};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What goes in; the plan's places begin with these.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) options: &'a In,
}

/// What comes out; the plan's places end with these.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) target: Destination,
    pub(crate) options: Out,
}

/// [`Target`], with what it needs held until the end of the run.
#[derive(Debug)]
pub(crate) enum Destination {
    Memory,
    File(OwnedFd),
    NewFile(Root, PathBuf),
    NewTree(Root, PathBuf),
}

/// What the parent keeps of the new root until the run is over.
pub(crate) struct Held {
    /// With the last process of a mount namespace its mounts come apart, and what was
    /// mounted over something hidden would hide it no longer. Who holds it keeps them.
    _namespace: File,
    roots: Vec<Root>,
    came_in: Vec<FileOutcome>,
}

/// Takes the directories from a pid 1 that waits, and copies in.
pub(super) fn bring_in(
    pid: libc::pid_t,
    control: &OwnedFd,
    plan: &Plan,
    arrivals: &[Arrival<'_>],
    identity: Option<&Identity>,
) -> Result<Held, Refusal> {
    let namespace = File::open(format!("/proc/{pid}/ns/mnt")).map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
        explain::parent("hold the new mount namespace")(errno)
    })?;
    let mut held = Held {
        _namespace: namespace,
        roots: Vec::with_capacity(plan.copies.roots.len()),
        came_in: Vec::with_capacity(arrivals.len()),
    };
    for at in &plan.copies.roots {
        let descriptor = socket::receive_descriptor(control)
            .map_err(explain::parent("receive a directory of the new root"))?;
        let root = descriptor.and_then(|descriptor| Root::new(descriptor).ok());
        held.roots.push(root.ok_or_else(|| {
            Refusal::new(format!(
                "the new process gave out no directory for {}",
                crate::escape::tick(at)
            ))
        })?);
    }
    if arrivals.is_empty() {
        return Ok(held);
    }
    held.came_in = match identity {
        None => held.all_in(&plan.copies, arrivals),
        Some(identity) => identity
            .during(|| Ok(held.all_in(&plan.copies, arrivals)))
            .map_err(explain::parent("become the run's host id to copy files in"))?,
    };
    match held
        .came_in
        .iter()
        .find_map(|outcome| outcome.error.as_ref())
    {
        Some(error) => Err(refusal(error)),
        None => Ok(held),
    }
}

/// The error's own words.
fn refusal(error: &Error) -> Refusal {
    let text = error.to_string();
    match (text.split_once("\nhint: "), error.hint()) {
        (Some((message, _)), Some(hint)) => Refusal::new(message).hint(hint),
        _ => Refusal::new(text),
    }
}

impl Held {
    /// Up to the first that fails.
    fn all_in(&self, copies: &Copies, arrivals: &[Arrival<'_>]) -> Vec<FileOutcome> {
        let mut left = Left::of(copies);
        let mut outcomes = Vec::with_capacity(arrivals.len());
        for (place, arrival) in copies.places.iter().zip(arrivals) {
            let Some(root) = self.roots.get(place.root) else {
                break;
            };
            let mut options = arrival.options.clone();
            options.limits = left.within(options.limits);
            let result = transfer::try_in(root, &place.path, arrival.source, &options);
            let outcome = left.outcome(copies, place, arrival.options.limits, result);
            let failed = outcome.error.is_some();
            outcomes.push(outcome);
            if failed {
                break;
            }
        }
        outcomes
    }

    /// Copies out, each whatever became of the others. Everything inside must have ended.
    pub(crate) fn take_out(
        self,
        copies: &Copies,
        departures: Vec<Departure>,
        identity: Option<&Identity>,
    ) -> Vec<FileOutcome> {
        let mut left = Left::of(copies);
        let mut outcomes = self.came_in;
        let places = copies.places.iter().skip(outcomes.len());
        for (place, departure) in places.zip(departures) {
            let Some(root) = self.roots.get(place.root) else {
                break;
            };
            let mut options = departure.options;
            let limits = options.limits;
            options.limits = left.within(limits);
            if place.own {
                options.hard_links = HardLinks::Allow;
            }
            if let (true, Some(identity)) = (place.writable, identity) {
                options.owner = Some(identity.uid());
            }
            let mut bytes = Vec::new();
            let (target, kept) = match &departure.target {
                Destination::Memory => (Target::Memory(&mut bytes), true),
                Destination::File(fd) => (Target::File(fd.as_fd()), false),
                Destination::NewFile(root, name) => (Target::NewFile(root, name), false),
                Destination::NewTree(root, name) => (Target::NewTree(root, name), false),
            };
            let result = transfer::try_out(root, &place.path, target, &options);
            let mut outcome = left.outcome(copies, place, limits, result);
            let whole = outcome.error.is_none() && outcome.copied.found;
            outcome.content = (kept && whole).then_some(bytes);
            outcomes.push(outcome);
        }
        outcomes
    }
}

/// What is left of the bytes that all copies of one direction may move together.
struct Left(u64);

impl Left {
    fn of(copies: &Copies) -> Left {
        Left(copies.total_bytes)
    }

    fn within(&self, limits: Limits) -> Limits {
        Limits {
            total_bytes: limits.total_bytes.min(self.0),
            ..limits
        }
    }

    /// Counts a copy, and says of it what the caller can recognise: the whole path, and
    /// the limit that was set rather than what was left of it.
    fn outcome(
        &mut self,
        copies: &Copies,
        place: &Place,
        limits: Limits,
        (copied, result): (Copied, Result<(), Error>),
    ) -> FileOutcome {
        let root = copies
            .roots
            .get(place.root)
            .map_or(Path::new("/"), |root| root);
        let error = result.err().map(|mut error| {
            if error.side == Side::Inside {
                error.path = match error.path == place.path {
                    true => place.inside.clone(),
                    false => root.join(&error.path),
                };
            }
            error.asked = place.inside.clone();
            if let Problem::TooMuch { limit } = &mut error.problem {
                *limit = limits.total_bytes.min(copies.total_bytes);
            }
            error
        });
        self.0 = self.0.saturating_sub(copied.bytes);
        FileOutcome {
            direction: place.direction,
            inside: place.inside.clone(),
            copied,
            error,
            content: None,
        }
    }
}
