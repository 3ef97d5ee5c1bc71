//! The clone calls of the parent: the only places outside `sys` where a process
//! is made, and so where "child-safe calls only" begins.
//!
//! It decides nothing about what the child does.

use super::image::Image;
use super::init::Init;
use crate::sys::{Errno, clone, process};
use std::os::fd::BorrowedFd;

/// A new process that nobody relies on yet: dropped, it is killed and waited for.
pub(crate) struct Born(Option<Init>);

impl Born {
    pub(super) fn new(init: Init) -> Born {
        Born(Some(init))
    }

    /// Its pid; 0 is no process.
    pub(crate) fn pid(&self) -> libc::pid_t {
        self.0.as_ref().map_or(0, Init::pid)
    }

    /// It lives on.
    pub(crate) fn keep(mut self) -> Option<Init> {
        self.0.take()
    }
}

impl Drop for Born {
    fn drop(&mut self) {
        if let Some(init) = &self.0 {
            init.end();
        }
    }
}

/// Clones the process that isolates itself and becomes the sandbox's pid 1, in the
/// control group given, with signals blocked around it: the child starts with every
/// signal blocked, and no handler of the caller runs in it.
pub(crate) fn launcher(
    image: &Image<'_>,
    flags: libc::c_int,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Born, Errno> {
    live(crate::child::main, image, flags, cgroup)
}

/// The same, and it builds a root for many runs.
pub(crate) fn builder(image: &Image<'_>, flags: libc::c_int) -> Result<Born, Errno> {
    live(crate::child::build, image, flags, None)
}

fn live(
    life: fn(&Image<'_>) -> !,
    image: &Image<'_>,
    flags: libc::c_int,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Born, Errno> {
    let before = process::set_signal_mask(u64::MAX)?;
    // SAFETY: the child goes straight to `child::main`, which keeps to child-safe
    // calls and never returns.
    let side = unsafe { clone::clone_into(flags, cgroup) };
    if let Ok(clone::Side::Child) = side {
        life(image);
    }
    let restored = process::set_signal_mask(before);
    // Whatever fails from here on must not leave the process that there is now.
    let born = parent(side?)?;
    restored.map(|_| born)
}

/// Clones a process that does nothing in a user namespace of its own, until it is
/// killed.
pub(super) fn idler() -> Result<Born, Errno> {
    let caller = std::process::id();
    // SAFETY: the child only waits, and never returns.
    let side = unsafe { clone::clone_with_pidfd(libc::CLONE_NEWUSER) }?;
    if let clone::Side::Child = side {
        // The thread that cloned waits for this process, so its end is the end of
        // the reason to exist; it may have come before there was a signal for it.
        let dies = process::prctl(
            libc::PR_SET_PDEATHSIG,
            libc::SIGKILL as libc::c_ulong,
            0,
            0,
            0,
        );
        if dies.is_err() || nix::unistd::getppid().as_raw() as u32 != caller {
            process::exit(125);
        }
        loop {
            let _ = process::poll(&mut [], None);
        }
    }
    parent(side)
}

fn parent(side: clone::Side) -> Result<Born, Errno> {
    match side {
        clone::Side::Parent { pid, pidfd } => Ok(Born::new(Init::ours(pid, pidfd))),
        // Both callers above never come back from the child's side.
        clone::Side::Child => process::exit(125),
    }
}
