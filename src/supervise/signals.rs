//! Signals sent to the front end go on to the program.

use super::Wanted;
use super::terminal::Terminal;
use crate::launch::hold::FrontEnd;
use crate::sys::{Errno, fd, process};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// Forwarded as they are.
const FORWARDED: [Signal; 6] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// What a front end does not take itself.
const OURS: [Signal; 3] = [Signal::SIGWINCH, Signal::SIGTSTP, Signal::SIGCONT];

/// What [`crate::Child::wait_forwarding_signals`] receives.
pub(crate) const FRONT_END: FrontEnd = FrontEnd {
    forwarded: &FORWARDED,
    taken: &OURS,
};

/// The front end's signals, received by descriptor. Unblocked again on drop.
pub(crate) struct Signals {
    descriptor: SignalFd,
    /// The calling thread's mask.
    before: u64,
}

impl Signals {
    pub(crate) fn take() -> Result<Signals, Errno> {
        let set = FORWARDED.into_iter().chain(OURS).collect::<SigSet>();
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        // First what can fail and needs no undoing.
        let descriptor = SignalFd::with_flags(&set, flags)?;
        let before = process::block_signals(FRONT_END.mask())?;
        Ok(Signals { descriptor, before })
    }

    /// What to poll for.
    pub(crate) fn wanted(&self) -> Wanted {
        (self.fd(), libc::POLLIN)
    }

    fn fd(&self) -> RawFd {
        self.descriptor.as_fd().as_raw_fd()
    }

    /// Passes on whatever has arrived to several sandboxes, as [`Signals::forward`].
    pub(crate) fn forward_to(&self, controls: &[&OwnedFd]) -> Result<bool, Errno> {
        self.forward(controls, None)
    }

    /// Passes on whatever has arrived; `true` when one of them asks to end.
    pub(super) fn forward(
        &self,
        controls: &[&OwnedFd],
        terminal: Option<&Terminal>,
    ) -> Result<bool, Errno> {
        let mut asked_to_end = false;
        loop {
            let info = match self.descriptor.read_signal() {
                Ok(Some(info)) => info,
                Ok(None) => break,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            };
            match Signal::try_from(info.ssi_signo as i32) {
                Ok(Signal::SIGWINCH) => {
                    if let Some(terminal) = terminal {
                        terminal.resize();
                    }
                }
                Ok(Signal::SIGTSTP) => {
                    // The program is in a session of its own, where the kernel
                    // would ignore SIGTSTP (an orphaned group): stop it for good,
                    // then stop ourselves, as the shell expects.
                    send(controls, libc::SIGSTOP)?;
                    if let Some(terminal) = terminal {
                        terminal.restore_for_stop();
                    }
                    process::kill(std::process::id() as libc::pid_t, libc::SIGSTOP)?;
                    if let Some(terminal) = terminal {
                        terminal.raw_again();
                    }
                    send(controls, libc::SIGCONT)?;
                }
                Ok(Signal::SIGCONT) => {
                    // After a SIGSTOP that could not be seen coming, a shell may
                    // have changed the terminal.
                    if let Some(terminal) = terminal {
                        terminal.raw_again();
                    }
                }
                Ok(signal) => {
                    asked_to_end |= !matches!(signal, Signal::SIGUSR1 | Signal::SIGUSR2);
                    send(controls, signal as i32)?;
                }
                Err(_) => {}
            }
        }
        Ok(asked_to_end)
    }
}

fn send(controls: &[&OwnedFd], number: i32) -> Result<(), Errno> {
    let mut controls = controls.iter();
    controls.try_for_each(|control| super::send_signal(control, number))
}

impl Drop for Signals {
    fn drop(&mut self) {
        // Read what is left, so that unblocking does not deliver it late.
        let mut rest = [0u8; 1024];
        let _ = fd::read(&self.fd(), &mut rest);
        let _ = process::set_signal_mask(self.before);
    }
}
