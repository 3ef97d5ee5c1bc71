//! Step `verify`: asks the kernel what holds, while asking is still permitted.
//!
//! Every question has one right answer; any other ends the run (EPROTO), with
//! the question's number as the frame's item.

use super::Failure;
use super::caps::{MOST_CAPABILITIES, SECUREBITS};
use super::stage::{Confined, Stage, Verified};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{Errno, Result, fd, proc, process};

/// What each item of this step asks, in order.
pub(crate) const QUESTIONS: [&str; 10] = [
    "the process has the planned user and group ids",
    "its parent is pid 1 of its own pid namespace",
    "the effective, permitted and inheritable capability sets are empty",
    "the bounding capability set is empty",
    "the secure bits are locked",
    "no_new_privs is set",
    "the resource limits are the planned ones",
    "the root is read-only and the working directory is below it",
    "the processors are the planned ones",
    "the group counts memory",
];

/// The item of the last.
const USED: usize = QUESTIONS.len() - 1;

pub(super) fn ask(
    stage: Stage<Confined>,
    image: &Image<'_>,
) -> std::result::Result<Stage<Verified>, Failure> {
    let answers = [
        right_ids(image),
        right_parent(),
        process::holds_no_capability(),
        bounding_empty(),
        prctl_answers(libc::PR_GET_SECUREBITS, SECUREBITS as i32),
        prctl_answers(libc::PR_GET_NO_NEW_PRIVS, 1),
        right_limits(image),
        inside_a_sealed_root(),
        right_processors(image),
    ];
    for (item, answer) in answers.iter().enumerate() {
        match answer {
            Ok(true) => {}
            Ok(false) => return Err(Failure::at(Step::Verify, item)(Errno::EPROTO)),
            Err(errno) => return Err(Failure::at(Step::Verify, item)(*errno)),
        }
    }
    Ok(stage.next())
}

/// What was used of the run's memory so far, KiB; the program has none of it.
pub(super) fn used_kib(image: &Image<'_>) -> std::result::Result<usize, Failure> {
    let Some(file) = image.memory_current else {
        return Ok(0);
    };
    let mut text = [0; 32];
    let bytes = fd::read_at_start(file, &mut text).map_err(Failure::at(Step::Verify, USED))?;
    let bytes = proc::number(text.get(..bytes).unwrap_or_default());
    let bytes = bytes
        .ok_or(Errno::EPROTO)
        .map_err(Failure::at(Step::Verify, USED))?;
    Ok(usize::try_from(bytes / 1024).unwrap_or(0))
}

fn right_ids(image: &Image<'_>) -> Result<bool> {
    let (uid, gid) = image.ids;
    let uids = nix::unistd::getresuid()?;
    let gids = nix::unistd::getresgid()?;
    Ok([uids.real, uids.effective, uids.saved]
        .iter()
        .all(|id| id.as_raw() == uid)
        && [gids.real, gids.effective, gids.saved]
            .iter()
            .all(|id| id.as_raw() == gid))
}

fn right_parent() -> Result<bool> {
    Ok(nix::unistd::getppid().as_raw() == 1)
}

/// The ambient set needs no question: nothing is in it that is not in the permitted and the
/// inheritable set too (capabilities(7)), and those are empty.
fn bounding_empty() -> Result<bool> {
    for capability in 0..MOST_CAPABILITIES {
        match process::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) {
            Ok(0) => {}
            Ok(_) => return Ok(false),
            Err(Errno::EINVAL) if capability > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(true)
}

fn prctl_answers(option: libc::c_int, wanted: i32) -> Result<bool> {
    Ok(process::prctl(option, 0, 0, 0, 0)? == wanted)
}

fn right_limits(image: &Image<'_>) -> Result<bool> {
    for limit in &image.rlimits {
        if process::limit(limit.resource)? != (limit.soft, limit.hard) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn right_processors(image: &Image<'_>) -> Result<bool> {
    match &image.processors {
        None => Ok(true),
        Some(cpus) => Ok(nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0))? == *cpus),
    }
}

fn inside_a_sealed_root() -> Result<bool> {
    let root = fd::open_path(libc::AT_FDCWD, c"/", false)?;
    let sealed = fd::is_read_only(root);
    fd::close(root);
    Ok(sealed? && fd::working_directory_is_reachable()?)
}
