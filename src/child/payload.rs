//! Step `payload`: pid 1 stays behind, the program goes on as another process,
//! in the time namespace, in a session of its own, with its own descriptors.

use super::stage::{Split, Stage, Uncapped};
use super::{Failure, landlock};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{Errno, clone, fd, perf, process, socket, tty};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering::Relaxed;

/// What the program's process is given.
struct Passed<'a> {
    stage: Option<Stage<Uncapped>>,
    image: &'a Image<'a>,
}

/// The program's process, as pid 1 knows it.
pub(super) struct Started {
    pub(super) pid: libc::pid_t,
    /// A signal descriptor that tells of its end.
    pub(super) ended: RawFd,
}

/// Starts the program's process, which goes through the rest of the steps; returns,
/// in pid 1, when it has executed the program or given up.
pub(super) fn split(stage: Stage<Uncapped>, image: &Image<'_>) -> Result<Started, Failure> {
    // pid 1 is a copy of the caller's memory: nobody inside may read it, and not
    // for one instant. exec makes the program dumpable again.
    process::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0).map_err(Failure::at(Step::Payload, 0))?;
    // The program's process sets it once more, in its own step.
    process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).map_err(Failure::at(Step::Payload, 9))?;
    // Before the program exists: a pid 1 that cannot see it end must not start it.
    // SIGCHLD is blocked since before the clone, so none is lost.
    let ended = process::signal_descriptor(libc::SIGCHLD)
        .and_then(fd::raise)
        .map_err(Failure::at(Step::Payload, 8))?;
    if image.watch.perf {
        let counter = perf::task_clock()
            .and_then(fd::raise)
            .map_err(Failure::at(Step::Payload, 11))?;
        image.found.perf.store(counter, Relaxed);
    }
    let mut passed = Passed {
        stage: Some(stage),
        image,
    };
    // SAFETY: `start` gets the `Passed` it expects, alive while this process waits,
    // keeps to child-safe calls, and never returns.
    let pid = unsafe {
        clone::vfork(
            &image.provisions.stack,
            start,
            (&raw mut passed).cast(),
            libc::SIGCHLD,
        )
    }
    .map_err(Failure::at(Step::Payload, 1))?;
    Ok(Started { pid, ended })
}

/// First function of the program's process.
extern "C" fn start(argument: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `split` passes a `Passed` that outlives this process's use of its
    // memory, and touches it no more.
    let passed = unsafe { &mut *argument.cast::<Passed<'_>>() };
    let Some(stage) = passed.stage.take() else {
        process::exit(super::GAVE_UP)
    };
    let image = passed.image;
    let failure = match prepare(stage, image) {
        Ok(split) => super::confine(split, image),
        Err(failure) => failure,
    };
    super::give_up(image, failure)
}

/// Session, keyring, directory, streams. Those come last: a run may stand by until somebody
/// wants it.
fn prepare(stage: Stage<Uncapped>, image: &Image<'_>) -> Result<Stage<Split>, Failure> {
    process::new_session().map_err(Failure::at(Step::Payload, 2))?;
    process::new_session_keyring().map_err(Failure::at(Step::Payload, 3))?;
    process::set_umask(0o022).map_err(Failure::at(Step::Payload, 10))?;
    fd::change_directory(&image.cwd).map_err(Failure::at(Step::Payload, 7))?;
    landlock::name(image)?;
    let stdio = match (&image.terminal, image.stdio) {
        (Some(size), _) => [take_terminal(image, size).map_err(Failure::at(Step::Payload, 4))?; 3],
        (None, Some(stdio)) => stdio,
        (None, None) => last_word(image).map_err(Failure::at(Step::Payload, 12))?,
    };
    for (to, from) in stdio.iter().enumerate() {
        fd::duplicate_onto(*from, to as RawFd).map_err(Failure::at(Step::Payload, 5))?;
    }
    for kept in &image.keep {
        fd::keep_across_exec(*kept).map_err(Failure::at(Step::Payload, 6))?;
    }
    Ok(stage.next())
}

/// Waits for the program's streams, with which its arguments come. At the end of who would
/// send them the kernel ends this process ([`super::ids`]).
fn last_word(image: &Image<'_>) -> Result<[RawFd; 3], Errno> {
    let mut stdio = [-1; 3];
    let receive = |room: &mut [MaybeUninit<u8>]| {
        let (bytes, streams) = socket::receive_these(image.control, room)?;
        stdio = streams;
        Ok(bytes)
    };
    // SAFETY: this process alone uses the image until exec, and comes here once; what was
    // received was written.
    unsafe { image.provisions.argv.complete(receive) }?;
    Ok(stdio)
}

/// A pty from the sandbox's own devpts: one end becomes the controlling
/// terminal, the other goes to the parent.
fn take_terminal(image: &Image<'_>, size: &libc::winsize) -> Result<RawFd, Errno> {
    let master = fd::open_read_write(libc::AT_FDCWD, c"/dev/pts/ptmx")?;
    let terminal = tty::open_peer(master)?;
    tty::set_size(terminal, size)?;
    tty::take(terminal)?;
    socket::send_descriptor(image.control, master)?;
    fd::close(master);
    Ok(terminal)
}
