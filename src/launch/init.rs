//! pid 1 of a sandbox, as whoever launched it knows it: a way to end it, and how it ended.
//!
//! Who made it is who can wait for it: this process, or a worker that passes on what it
//! was told.

use super::warm::Worker;
use crate::sys::clone::{self, Ended};
use crate::sys::{Errno, process, socket};
use crate::wire::{FRAME_BYTES, Frame, MESSAGE_ROOM, Used};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// pid 1 of a sandbox.
pub(crate) struct Init {
    pid: libc::pid_t,
    /// Safe against reuse of the pid.
    pidfd: OwnedFd,
    reaper: Reaper,
}

/// Who waits for it.
enum Reaper {
    Us,
    Worker {
        /// It lives at least as long as its runs.
        _worker: Arc<Worker>,
        /// Where it says how it ended.
        told: OwnedFd,
    },
}

impl Init {
    /// One that this process made.
    pub(super) fn ours(pid: libc::pid_t, pidfd: OwnedFd) -> Init {
        let reaper = Reaper::Us;
        Init { pid, pidfd, reaper }
    }

    /// One that a worker made.
    pub(super) fn of(worker: Arc<Worker>, told: OwnedFd, pid: libc::pid_t, pidfd: OwnedFd) -> Init {
        let reaper = Reaper::Worker {
            _worker: worker,
            told,
        };
        Init { pid, pidfd, reaper }
    }

    pub(crate) fn pid(&self) -> libc::pid_t {
        self.pid
    }

    pub(crate) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Ends it, and with it everything inside. Not after [`Init::reap`].
    pub(crate) fn kill(&self) -> Result<(), Errno> {
        match &self.reaper {
            Reaper::Us => clone::kill_child(self.pid, &self.pidfd),
            // By its number it may be somebody else by now.
            Reaper::Worker { .. } => match clone::signal_pidfd(&self.pidfd, libc::SIGKILL) {
                Err(Errno::ESRCH) => Ok(()),
                other => other,
            },
        }
    }

    /// Waits for its end, which is after that of everything inside.
    pub(crate) fn reap(&self) -> Result<Ended, Errno> {
        match &self.reaper {
            Reaper::Us => clone::wait(self.pid, true)?.ok_or(Errno::ECHILD),
            Reaper::Worker { told, .. } => {
                let mut buffer = [0; MESSAGE_ROOM];
                let bytes = socket::receive(told.as_raw_fd(), &mut buffer, true)?;
                let message = buffer.get(..bytes).unwrap_or_default();
                // A worker that is gone has said nothing.
                ended(self.pid, message).ok_or(Errno::ECHILD)
            }
        }
    }

    /// Ends it and waits until it is gone: for where nobody asks how.
    pub(crate) fn end(&self) {
        let killed = self.kill();
        match &self.reaper {
            Reaper::Us => drop(clone::wait(self.pid, true)),
            Reaper::Worker { .. } if killed.is_ok() => {
                let mut fds = [process::polled(self.pidfd.as_raw_fd(), libc::POLLIN)];
                let _ = process::poll(&mut fds, None);
            }
            // It ends all the same, as soon as it sees that nobody is there.
            Reaper::Worker { .. } => {}
        }
    }
}

/// What a worker says once of a process: how it ended, and what it used.
fn ended(pid: libc::pid_t, message: &[u8]) -> Option<Ended> {
    let mut status = None;
    let mut used = [0; Used::ALL.len()];
    for frame in message.chunks(FRAME_BYTES) {
        match Frame::decode(frame)? {
            Frame::Reaped { status: told } => status = Some(told),
            Frame::Used { what, number } => *used.get_mut(what as usize)? = number,
            _ => return None,
        }
    }
    status.map(|status| Ended::told(pid, status, used))
}
