//! The signals of a front end, from the last moment in which they are its own alone: one that
//! comes before exec ends the launch, and one that comes after it is the program's, and
//! waits for whoever passes it on.
//!
//! It must not read a signal: held no longer, it does to this process what it would have done.

use crate::sys::{Errno, process};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// What a front end holds.
#[derive(Clone, Copy)]
pub(crate) struct FrontEnd {
    /// Passed on to the program; before there is one, each may end the front end.
    pub(crate) forwarded: &'static [Signal],
    /// Taken by the front end itself.
    pub(crate) taken: &'static [Signal],
}

impl FrontEnd {
    /// The bits of all of them.
    pub(crate) fn mask(self) -> u64 {
        let all = self.forwarded.iter().chain(self.taken);
        all.fold(0, |mask, signal| mask | bit(*signal))
    }
}

fn bit(signal: Signal) -> u64 {
    1 << (signal as u32 - 1)
}

/// An exec that takes longer, with a signal waiting, hangs.
const EXEC_HANGS_NS: u64 = 5_000_000_000;

/// Held signals of the calling thread, for good: also where the launch fails by itself, for the
/// front end has a sentence and a record to write then. Where a signal ended the launch they
/// are held no longer once this is dropped.
pub(super) struct Hold {
    /// Those that would end this process.
    ends: SignalFd,
    /// The thread's mask.
    before: u64,
    /// One of them ended the launch.
    came: bool,
}

impl Hold {
    pub(super) fn begin(signals: FrontEnd) -> Result<Hold, Errno> {
        // What is blocked already, or ignored, ends nobody.
        let blocked = process::block_signals(0)?;
        let mut ends = SigSet::empty();
        for signal in signals.forwarded {
            if blocked & bit(*signal) == 0 && process::has_default_action(*signal as i32)? {
                ends.add(*signal);
            }
        }
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let ends = SignalFd::with_flags(&ends, flags)?;
        // Last: what could fail needs no undoing.
        let before = process::block_signals(signals.mask())?;
        Ok(Hold {
            ends,
            before,
            came: false,
        })
    }

    /// Waits until the socket has something to say, or is closed where only its end wakes
    /// (`events` as for poll(2)); `false` where it has nothing, and a signal is there that would
    /// end this process.
    ///
    /// With `exec` next, the program may run already, and pid 1 not yet have let go of the
    /// socket: the signal is the program's then, and only an exec that hangs is given up.
    pub(super) fn wait(
        &mut self,
        socket: &OwnedFd,
        events: libc::c_short,
        exec: bool,
    ) -> Result<bool, Errno> {
        let heard = loop {
            let ends = self.ends.as_fd().as_raw_fd();
            let mut fds = [
                process::polled(socket.as_raw_fd(), events),
                process::polled(ends, libc::POLLIN),
            ];
            process::poll(&mut fds, None)?;
            match fds.map(|polled| polled.revents != 0) {
                [true, _] => break true,
                [false, true] if exec => break readable_within(socket, EXEC_HANGS_NS)?,
                // What it said, and woke nobody, may be that exec is next.
                [false, true] => break process::is_readable(socket.as_raw_fd())?,
                [false, false] => {}
            }
        };
        self.came = !heard;
        Ok(heard)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.came {
            let _ = process::set_signal_mask(self.before);
        }
    }
}

fn readable_within(socket: &OwnedFd, ns: u64) -> Result<bool, Errno> {
    let end = process::monotonic_ns().saturating_add(ns);
    loop {
        let left = end.saturating_sub(process::monotonic_ns());
        let mut fds = [process::polled(socket.as_raw_fd(), libc::POLLIN)];
        process::poll(&mut fds, Some(left))?;
        if fds[0].revents != 0 || left == 0 {
            return Ok(fds[0].revents != 0);
        }
    }
}
