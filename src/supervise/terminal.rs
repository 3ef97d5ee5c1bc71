//! `--tty`: the caller's terminal in raw mode on one side, the program's own pty
//! on the other, bytes in between.
//!
//! The program never holds a descriptor of the caller's terminal.

use super::flow::{Flow, Met, Wanted};
use super::relay::Meter;
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
    meter: Option<Meter>,
}

impl Terminal {
    /// Puts the caller's terminal, if it is one, into raw mode.
    pub(super) fn new(
        master: OwnedFd,
        input: OwnedFd,
        output: OwnedFd,
        limit: Option<u64>,
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
            meter: limit.map(Meter::new),
        };
        terminal.set_raw()?;
        // The size may have changed since the program was given it.
        terminal.resize();
        Ok(terminal)
    }

    /// What to poll for.
    pub(super) fn wants(&self) -> impl Iterator<Item = Wanted> + '_ {
        [self.typed.wants(), self.shown.wants()]
            .into_iter()
            .flatten()
    }

    /// Moves what is ready; `true` when the output limit is passed.
    pub(super) fn pump(&mut self, ready: impl Fn(Wanted) -> bool) -> Result<bool, Errno> {
        if self.typed.wants().is_some_and(&ready) {
            let met = self.typed.step(|bytes| bytes);
            if let Met::Failed(errno) = met {
                return Err(errno);
            }
            if met == Met::Bytes && self.typed.is_pending() {
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
        if self.shown.wants().is_some_and(&ready) {
            let meter = &mut self.meter;
            let admit = |bytes| meter.as_mut().map_or(bytes, |meter| meter.admit(bytes));
            match self.shown.step(admit) {
                Met::Broken => self.hang_up(),
                Met::Failed(errno) => return Err(errno),
                Met::Bytes | Met::End => {}
            }
        }
        Ok(self.meter.as_ref().is_some_and(Meter::over))
    }

    /// Every process inside is dead: nothing typed arrives any more.
    pub(super) fn stop_typing(&mut self) {
        self.typed.abandon();
    }

    /// Every process inside is dead: a pty that has nothing to show now never will.
    pub(super) fn finish(&mut self, ready: impl Fn(Wanted) -> bool) {
        if !self.shown.is_pending() && !self.shown.wants().is_some_and(ready) {
            self.shown.stop_reading();
        }
    }

    fn hang_up(&mut self) {
        self.typed.abandon();
        self.shown.abandon();
        (self.master, self.peer) = (None, None);
    }

    /// The caller's window changed.
    pub(super) fn resize(&self) {
        let size = tty::size(self.input.as_raw_fd()).or_else(|| tty::size(self.output.as_raw_fd()));
        if let (Some(size), Some(master)) = (size, &self.master) {
            let _ = tty::set_size(master.as_raw_fd(), &size);
        }
    }

    /// Bytes seen and kept, when they are counted.
    pub(super) fn counts(&self) -> Option<(u64, u64)> {
        self.meter.as_ref().map(Meter::counts)
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
