//! After clone3, before execve: the isolation steps, in order.
//!
//! Nothing here allocates, formats or panics: after a raw clone from a threaded
//! parent any lock of the process may be held for ever. Failures leave as fixed
//! frames; the parent writes the sentence.

mod ids;
mod mounts;
mod root;
mod net;
mod caps;
mod files;
mod payload;
mod limits;
mod no_new_privs;
mod landlock;
mod verify;
mod seccomp;
mod exec;
mod gauge;
mod reap;
mod stage;

pub(crate) use files::{ITEM_COPIED, ITEM_PLACE};
pub(crate) use ids::ITEM_MAPS;
pub(crate) use limits::{ITEM_ASLR, ITEM_CORE_SCHEDULING, ITEM_CPUS, ITEM_MDWE};
pub(crate) use mounts::ITEM_WATCH;
pub(crate) use verify::QUESTIONS;

use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{Errno, fd, process, socket};
use crate::wire::{FRAME_BYTES, Frame};
use stage::{Filtered, Split, Stage};

/// The item of a step that was done, and could not be said to be.
pub(crate) const ITEM_UNSAID: usize = u32::MAX as usize;

/// Exit code of a child that could not go on; nobody but the parent sees it.
const GAVE_UP: i32 = 125;

/// A step failed: which item of the plan, and why.
struct Failure {
    step: Step,
    item: u32,
    errno: Errno,
}

impl Failure {
    /// For `map_err`: the item that failed.
    fn at(step: Step, item: usize) -> impl Fn(Errno) -> Failure {
        move |errno| Failure {
            step,
            item: item as u32,
            errno,
        }
    }
}

/// The whole of the child's life. Called once, in the process that clone3 made.
pub(crate) fn main(image: &Image<'_>) -> ! {
    match sanitize(image).and_then(|()| isolate(image)) {
        Ok(started) => reap::run(image, started.pid, started.ended),
        Err(failure) => give_up(image, failure),
    }
}

/// The whole of the life of a process that builds a root for many runs: who made it enters
/// its namespaces, and ends it.
pub(crate) fn build(image: &Image<'_>) -> ! {
    match sanitize(image).and_then(|()| stand(image)) {
        Ok(()) => {
            let _ = socket::receive(image.control, &mut [0; FRAME_BYTES], true);
            process::exit(0)
        }
        Err(failure) => give_up(image, failure),
    }
}

fn stand(image: &Image<'_>) -> Result<(), Failure> {
    let mapped = ids::enter(stage::cloned(), image)?;
    let mounted = mounts::build_standing(mapped, image)?;
    done(image, Step::Mounts, image.ops.len())?;
    root::enter(mounted, image)?;
    done(image, Step::Root, 0)?;
    say(image).map_err(Failure::at(Step::Root, ITEM_UNSAID))
}

/// What is left to do of the parent's step on this side of the clone.
fn sanitize(image: &Image<'_>) -> Result<(), Failure> {
    // What the caller ignores stays ignored across clone, and with SIGCHLD ignored
    // the kernel would reap the program before pid 1 could learn how it ended.
    // (A worker ignores nothing.)
    if image.standing.is_none() {
        process::default_signal_actions().map_err(Failure::at(Step::Sanitize, 1))?;
    }
    // The caller's umask is not for the files and directories of the new root.
    process::set_umask(0).map_err(Failure::at(Step::Sanitize, 2))?;
    for (first, last) in &image.close {
        fd::close_range(*first, *last).map_err(Failure::at(Step::Sanitize, 0))?;
    }
    // Before anything is opened here that could come to stand there.
    for (from, to) in &image.renumber {
        fd::duplicate_onto(*from, *to).map_err(Failure::at(Step::Sanitize, 3))?;
        fd::close(*from);
    }
    Ok(())
}

/// The steps of pid 1. Each consumes what the one before it returned; two in the
/// wrong order do not compile.
fn isolate(image: &Image<'_>) -> Result<payload::Started, Failure> {
    let mapped = ids::enter(stage::cloned(), image)?;
    done(image, Step::Ids, 0)?;
    let mounted = mounts::build(mapped, image)?;
    done(image, Step::Mounts, mounts::operations(image))?;
    let rooted = root::enter(mounted, image)?;
    done(image, Step::Root, 0)?;
    let named = net::configure(rooted, image)?;
    done(image, Step::Net, 0)?;
    let uncapped = caps::drop_all(named)?;
    done(image, Step::Caps, 0)?;
    files::exchange(image)?;
    payload::split(uncapped, image)
}

/// The steps of the program's process, to the end.
fn confine(split: Stage<Split>, image: &Image<'_>) -> Failure {
    match confined(split, image) {
        Ok(filtered) => exec::execute(filtered, image),
        Err(failure) => failure,
    }
}

fn confined(split: Stage<Split>, image: &Image<'_>) -> Result<Stage<Filtered>, Failure> {
    done(image, Step::Payload, 0)?;
    let limited = limits::set(split, image)?;
    done(image, Step::Limits, image.rlimits.len())?;
    let settled = no_new_privs::set(limited)?;
    done(image, Step::NoNewPrivs, 0)?;
    let confined = landlock::restrict(settled, image)?;
    let rules = image.rules.as_ref().map_or(0, |rules| rules.len());
    done(image, Step::Landlock, rules)?;
    let verified = verify::ask(confined, image)?;
    done(image, Step::Verify, verify::used_kib(image)?)?;
    let filtered = seccomp::attach(verified, image)?;
    done(image, Step::Seccomp, image.filter.len())?;
    Ok(filtered)
}

/// A step is done; the parent hears it with the next word that it must not wait for.
fn done(image: &Image<'_>, step: Step, item: usize) -> Result<(), Failure> {
    image.said.keep(step, item as u32);
    let waits = match step {
        // It gives the files, and waits for the directories to put them into.
        Step::Caps => !image.roots.is_empty(),
        // It sets the memory limit anew.
        Step::Verify => image.memory_current.is_some(),
        // The last word.
        Step::Seccomp => true,
        _ => false,
    };
    match waits {
        true => say(image).map_err(Failure::at(step, ITEM_UNSAID)),
        false => Ok(()),
    }
}

/// Says what is done so far. A message that cannot be sent makes the parent refuse, so
/// what it would refuse must not go on to be executed meanwhile.
fn say(image: &Image<'_>) -> Result<(), Errno> {
    let (message, length) = image.said.take();
    match message.get(..length) {
        Some(message) if length > 0 => fd::write_all(image.status, message),
        _ => Ok(()),
    }
}

/// Waits for the parent's word. End of file: it is gone, or refuses.
fn wait_for_go(image: &Image<'_>) -> Result<(), Errno> {
    let mut buffer = [0; FRAME_BYTES];
    let bytes = socket::receive(image.control, &mut buffer, true)?;
    match buffer.get(..bytes).and_then(Frame::decode) {
        Some(Frame::Go) => Ok(()),
        _ => Err(Errno::EPIPE),
    }
}

fn give_up(image: &Image<'_>, failure: Failure) -> ! {
    let frame = Frame::Failed {
        step: failure.step,
        item: failure.item,
        errno: failure.errno as i32,
    };
    if say(image).is_ok() {
        let _ = fd::write_all(image.status, &frame.encode());
    }
    process::exit(GAVE_UP)
}
