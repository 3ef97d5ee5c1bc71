//! `--tty`: the caller's terminal in raw mode on one side, the program's own pty
//! on the other, bytes in between.
//!
//! The program never holds a descriptor of the caller's terminal.

use super::flow::{Flow, Met, Wanted};
use super::meter::{Gate, Meter};
use crate::plan::Limits;
use crate::policy::Full;
use crate::report::Output;
use crate::sys::{Errno, fd, tty};
use nix::sys::termios::{self, SetArg, Termios};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// What a terminal has for the end of input: Ctrl-D.
const END_OF_INPUT: u8 = 4;

/// Both sides of the conversation.
pub(super) struct Terminal {
    /// The program's pty. Gone when nobody reads its output: the program is hung
    /// up, as by a terminal window that closes.
    master: Option<Arc<OwnedFd>>,
    /// The pty's other end: a program that closes it and opens it again (by
    /// `/dev/tty`) must not look like one that is gone.
    peer: Option<OwnedFd>,
    input: Arc<OwnedFd>,
    output: Arc<OwnedFd>,
    typed: Flow,
    shown: Flow,
    /// The input ended in the middle of a line.
    mid_line: bool,
    /// The caller's settings, when `input` is a terminal.
    before: Option<Termios>,
    /// What is shown is standard output, whichever descriptor it was written on.
    meter: Meter,
    total: Gate,
    counted: bool,
}

/// Typed input has no limit.
const ALL: u64 = u64::MAX;

impl Terminal {
    /// Puts the caller's terminal, if it is one, into raw mode.
    pub(super) fn new(
        master: OwnedFd,
        input: OwnedFd,
        output: OwnedFd,
        limits: &Limits,
    ) -> Result<Terminal, Errno> {
        // A program that reads nothing must not block us. Only we have this end.
        fd::set_nonblocking(master.as_raw_fd())?;
        let peer = fd::own(tty::open_peer(master.as_raw_fd())?);
        let (master, input, output) = (Arc::new(master), Arc::new(input), Arc::new(output));
        let before = termios::tcgetattr(&input).ok();
        let terminal = Terminal {
            typed: Flow::new(Arc::clone(&input), Arc::clone(&master)),
            shown: Flow::new(Arc::clone(&master), Arc::clone(&output)),
            master: Some(master),
            peer: Some(peer),
            input,
            output,
            mid_line: false,
            before,
            meter: Meter::new(limits.stdout, None),
            total: Gate::new(limits.output),
            counted: limits.stdout.or(limits.output).is_some(),
        };
        terminal.set_raw()?;
        // The size may have changed since the program was given it.
        terminal.resize();
        Ok(terminal)
    }

    /// What to poll for.
    pub(super) fn wants(&self) -> impl Iterator<Item = Wanted> + '_ {
        let shown = self.shown.wants(self.room());
        [self.typed.wants(ALL), shown].into_iter().flatten()
    }

    fn room(&self) -> u64 {
        self.meter.room(&self.total)
    }

    /// Moves what is ready; `true` when the program is to be killed for it.
    pub(super) fn pump(&mut self, ready: impl Fn(Wanted) -> bool) -> Result<bool, Errno> {
        if self.typed.wants(ALL).is_some_and(&ready) {
            let met = self.typed.step(ALL);
            if let Met::Failed(errno) = met {
                return Err(errno);
            }
            if matches!(met, Met::Bytes(_)) && self.typed.is_pending(ALL) {
                self.mid_line = !self.typed.ends_with(b'\n');
            }
            // A terminal that ends was closed, and nobody types Ctrl-D there; the
            // caller gets SIGHUP for that.
            if met == Met::End && self.before.is_none() {
                // In the middle of a line the first one only sends the line.
                let ends = [END_OF_INPUT; 2];
                let count = if self.mid_line { 2 } else { 1 };
                self.typed.inject(&ends[..count]);
            }
        }
        let room = self.room();
        if !self.shown.wants(room).is_some_and(&ready) {
            return Ok(false);
        }
        match self.shown.step(room) {
            Met::Bytes(bytes) => {
                let over = self.meter.count(&mut self.total, bytes);
                if over.is(Full::Truncate) {
                    // What was let pass is still shown.
                    self.meter.cut(self.shown.cut());
                    self.leave();
                }
                Ok(over.is(Full::Kill))
            }
            Met::Broken(lost) => {
                self.meter.lost(lost);
                self.shown.abandon();
                self.leave();
                Ok(false)
            }
            Met::Failed(errno) => Err(errno),
            Met::End => Ok(false),
        }
    }

    /// Every process inside is dead: nothing typed arrives any more.
    pub(super) fn stop_typing(&mut self) {
        self.typed.abandon();
    }

    /// Every process inside is dead: a pty that has nothing to show now never will.
    pub(super) fn finish(&mut self, ready: impl Fn(Wanted) -> bool) {
        let room = self.room();
        if !self.shown.is_pending(room) && !self.shown.wants(room).is_some_and(ready) {
            self.shown.stop_reading();
        }
    }

    /// The program is hung up.
    fn leave(&mut self) {
        self.typed.abandon();
        (self.master, self.peer) = (None, None);
    }

    /// The caller's window changed.
    pub(super) fn resize(&self) {
        let size = tty::size(self.input.as_raw_fd()).or_else(|| tty::size(self.output.as_raw_fd()));
        if let (Some(size), Some(master)) = (size, &self.master) {
            let _ = tty::set_size(master.as_raw_fd(), &size);
        }
    }

    /// The account of what was shown, where the policy counts it.
    pub(super) fn output(&self) -> Option<Output> {
        self.counted.then(|| self.meter.output())
    }

    /// The caller's own settings, for good.
    pub(super) fn restore(self) {
        self.restore_for_stop();
    }

    /// The caller's own settings, until [`Terminal::raw_again`].
    pub(super) fn restore_for_stop(&self) {
        if let Some(before) = &self.before {
            // Now, and not when all output was shown: nobody may be looking.
            let _ = termios::tcsetattr(&self.input, SetArg::TCSANOW, before);
        }
    }

    /// Raw mode after a stop.
    pub(super) fn raw_again(&self) {
        let _ = self.set_raw();
        self.resize();
    }

    fn set_raw(&self) -> Result<(), Errno> {
        let Some(before) = &self.before else {
            return Ok(());
        };
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(&self.input, SetArg::TCSANOW, &raw)
    }
}
