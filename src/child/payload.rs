//! Step `payload`: pid 1 stays behind, the program goes on as another process,
//! in the time namespace, in a session of its own, with its own descriptors.

use super::Failure;
use super::stage::{Named, Split, Stage};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{Errno, clone, fd, process, socket, tty};
use std::os::fd::RawFd;

/// Which of the two processes this is.
pub(super) enum Role {
    /// pid 1; the program's process has this pid, and its end is told by this
    /// signal descriptor.
    Init(libc::pid_t, RawFd),
    /// The process that becomes the program.
    Payload(Stage<Split>),
}

pub(super) fn split(stage: Stage<Named>, image: &Image) -> Result<Role, Failure> {
    // pid 1 is a copy of the caller's memory: nobody inside may read it, and not
    // for one instant. exec makes the program dumpable again.
    process::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0).map_err(Failure::at(Step::Payload, 0))?;
    // Before the program exists: a pid 1 that cannot see it end must not start it.
    // SIGCHLD is blocked since before the clone, so none is lost.
    let ended = process::signal_descriptor(libc::SIGCHLD).map_err(Failure::at(Step::Payload, 8))?;
    // SAFETY: both sides keep to child-safe calls until exec or _exit.
    let pid = unsafe { clone::fork() }.map_err(Failure::at(Step::Payload, 1))?;
    if pid != 0 {
        return Ok(Role::Init(pid, ended));
    }
    process::new_session().map_err(Failure::at(Step::Payload, 2))?;
    process::new_session_keyring().map_err(Failure::at(Step::Payload, 3))?;
    let stdio = match &image.terminal {
        Some(size) => {
            let terminal = take_terminal(image, size).map_err(Failure::at(Step::Payload, 4))?;
            [terminal; 3]
        }
        None => image.stdio,
    };
    for (to, from) in stdio.iter().enumerate() {
        fd::duplicate_onto(*from, to as RawFd).map_err(Failure::at(Step::Payload, 5))?;
    }
    for kept in &image.keep {
        fd::keep_across_exec(*kept).map_err(Failure::at(Step::Payload, 6))?;
    }
    process::set_umask(0o022);
    fd::change_directory(&image.cwd).map_err(Failure::at(Step::Payload, 7))?;
    Ok(Role::Payload(stage.next()))
}

/// A pty from the sandbox's own devpts: one end becomes the controlling
/// terminal, the other goes to the parent.
fn take_terminal(image: &Image, size: &libc::winsize) -> Result<RawFd, Errno> {
    let master = fd::open_read_write(libc::AT_FDCWD, c"/dev/pts/ptmx")?;
    let terminal = tty::open_peer(master)?;
    tty::set_size(terminal, size)?;
    tty::take(terminal)?;
    socket::send_descriptor(image.control, master)?;
    fd::close(master);
    Ok(terminal)
}
