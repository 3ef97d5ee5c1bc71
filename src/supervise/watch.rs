//! A run's part in a poll loop: what it wants polled, how long that may take, and what
//! it does when something is ready. The loop may be its own, or one of several runs.
//!
//! It blocks nowhere: whoever has the loop does.

use super::signals::Signals;
use super::terminal::Terminal;
use super::{Child, Lost, Wanted};
use crate::report::KilledBy;
use crate::sys::{Errno, process, socket};
use crate::wire::{FRAME_BYTES, MESSAGE_ROOM};
use std::os::fd::{AsRawFd, OwnedFd};

/// pid 1 and this side see an exec at the same moment, or one of them waits that long
/// for a processor.
const SAME_MOMENT_NS: u64 = 10_000_000_000;

impl Child {
    /// Moves data and obeys until pid 1 is gone, which is when the control socket
    /// ends, and what the program wrote is where it should go.
    pub(super) fn poll_until_end(&mut self, signals: Option<&Signals>) -> Result<(), Lost> {
        let mut fds: Vec<libc::pollfd> = Vec::with_capacity(8);
        while !self.is_over() {
            let signal = signals.map(Signals::wanted);
            fds.clear();
            fds.extend(signal.into_iter().chain(self.wanted()).map(polled));
            let patience = self.patience();
            process::poll(&mut fds, patience)?;
            let ready = |wanted| is_ready(&fds, wanted);
            if let Some(signals) = signals.filter(|_| signal.is_some_and(ready)) {
                let asked_to_end =
                    signals.forward(&[&self.launched.control], self.terminal.as_ref())?;
                if asked_to_end && !self.alive {
                    // Nobody reads the rest, and the caller wants us gone.
                    return Ok(());
                }
            }
            self.react(ready)?;
        }
        Ok(())
    }

    /// Is nobody left inside, and what was written where it should go?
    pub(crate) fn is_over(&self) -> bool {
        !self.alive && self.wants().next().is_none()
    }

    /// Is pid 1, and so perhaps the program, still there?
    pub(crate) fn is_alive(&self) -> bool {
        self.alive
    }

    /// When the program was executed, CLOCK_MONOTONIC: as pid 1 saw it, or as this side
    /// did, which may have been busy then.
    pub(crate) fn began_ns(&self) -> u64 {
        let seen = self.launched.started_ns;
        let told = self.facts.began_ns;
        let told = told.map(|ns| ns.saturating_add(self.launched.clock_behind_ns));
        // Where this process is in a time namespace itself the offset is another one.
        told.filter(|told| told.abs_diff(seen) < SAME_MOMENT_NS)
            .unwrap_or(seen)
    }

    /// When the program ended or was ended, once it has.
    pub(crate) fn ended_ns(&self) -> u64 {
        self.began_ns() + self.facts.wall_ns.unwrap_or(0)
    }

    /// Where pid 1 is spoken to.
    pub(crate) fn control(&self) -> &OwnedFd {
        &self.launched.control
    }

    /// What to poll for.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = Wanted> + '_ {
        let control = self.alive.then(|| self.control_wanted());
        control.into_iter().chain(self.wants())
    }

    /// How long the poll may take, nanoseconds; `None` for as long as it likes. Said
    /// anew before each.
    pub(crate) fn patience(&mut self) -> Option<u64> {
        self.late = false;
        if self.alive {
            let left = self
                .backstop
                .map(|at| at.saturating_sub(process::monotonic_ns()));
            self.late = left == Some(0);
            return left;
        }
        // Once everybody inside is dead, only our own readers are waited for.
        let waiting = self.wants().any(|(_, events)| events == libc::POLLOUT);
        (!waiting).then_some(0)
    }

    /// Does what is ready.
    pub(crate) fn react(&mut self, ready: impl Fn(Wanted) -> bool + Copy) -> Result<(), Lost> {
        if !self.alive {
            self.relay.finish(ready);
            if let Some(terminal) = &mut self.terminal {
                terminal.finish(ready);
            }
        }
        let mut over = self.relay.pump(ready).map_err(Lost::bytes)?;
        if let Some(terminal) = &mut self.terminal {
            over |= terminal.pump(ready).map_err(Lost::bytes)?;
        }
        if over {
            self.facts.output_limit_passed = true;
        }
        if self.alive && over {
            self.end(KilledBy::Output)?;
        }
        // A caller may have come late: what pid 1 has said counts first.
        let told = self.alive
            && (ready(self.control_wanted())
                || self.late && process::is_readable(self.control().as_raw_fd())?);
        if self.alive && self.late && !told {
            self.end(KilledBy::Wall)?;
            self.backstop = None;
        }
        if told {
            self.alive = self.hear()?;
            if !self.alive {
                self.gone();
            }
        }
        Ok(())
    }

    /// Every process inside is dead.
    fn gone(&mut self) {
        // A pid 1 that was killed could not say when.
        let now = process::monotonic_ns();
        let since = now.saturating_sub(self.launched.started_ns);
        self.facts.wall_ns.get_or_insert(since);
        self.relay.stop_feeding();
        if let Some(terminal) = &mut self.terminal {
            terminal.stop_typing();
        }
    }

    /// Only its end. All that pid 1 says comes just before, and whoever that wakes takes the
    /// place of the one that goes on, most often on its processor.
    fn control_wanted(&self) -> Wanted {
        (self.launched.control.as_raw_fd(), 0)
    }

    /// What the relay and the terminal poll for.
    fn wants(&self) -> impl Iterator<Item = Wanted> + '_ {
        let relay = self.relay.wants();
        relay.chain(self.terminal.iter().flat_map(Terminal::wants))
    }

    /// One message from pid 1; `false` at the end.
    fn hear(&mut self) -> Result<bool, Errno> {
        let mut buffer = [0; MESSAGE_ROOM];
        let bytes = match socket::receive(self.launched.control.as_raw_fd(), &mut buffer, false) {
            Ok(0) => return Ok(false),
            Ok(bytes) => bytes,
            // ECONNRESET: pid 1 ended before it read our last frame. The kernel says
            // so once, and first; what pid 1 sent is still there behind it.
            Err(Errno::EAGAIN | Errno::ECONNRESET) => return Ok(true),
            Err(errno) => return Err(errno),
        };
        let message = buffer.get(..bytes).unwrap_or_default();
        for frame in message.chunks(FRAME_BYTES) {
            self.facts.hear(frame)?;
        }
        Ok(true)
    }
}

/// As `poll(2)` takes it.
pub(crate) fn polled((fd, events): Wanted) -> libc::pollfd {
    process::polled(fd, events)
}

/// Did the poll find it, or its end?
pub(crate) fn is_ready(fds: &[libc::pollfd], (fd, events): Wanted) -> bool {
    fds.iter()
        .any(|event| (event.fd, event.events) == (fd, events) && event.revents != 0)
}
