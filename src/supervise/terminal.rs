//! `--tty`: the caller's terminal in raw mode on one side, the program's own pty
//! on the other, bytes in between.
//!
//! The program never holds a descriptor of the caller's terminal.

use super::relay::Meter;
use crate::sys::{Errno, fd, tty};
use nix::sys::termios::{self, SetArg, Termios};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

const BUFFER_BYTES: usize = 16 * 1024;

/// Both sides of the conversation.
pub(super) struct Terminal {
    master: OwnedFd,
    input: OwnedFd,
    output: OwnedFd,
    /// The caller's settings, when `input` is a terminal.
    before: Option<Termios>,
    input_ended: bool,
    master_ended: bool,
    meter: Option<Meter>,
    buffer: Box<[u8]>,
}

impl Terminal {
    /// Puts the caller's terminal, if it is one, into raw mode.
    pub(super) fn new(
        master: OwnedFd,
        input: OwnedFd,
        output: OwnedFd,
        limit: Option<u64>,
    ) -> Result<Terminal, Errno> {
        let before = termios::tcgetattr(&input).ok();
        let terminal = Terminal {
            master,
            input,
            output,
            before,
            input_ended: false,
            master_ended: false,
            meter: limit.map(Meter::new),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
        };
        terminal.set_raw()?;
        // The size may have changed since the program was given it.
        terminal.resize();
        Ok(terminal)
    }

    /// Descriptors to poll for reading.
    pub(super) fn sources(&self) -> Vec<RawFd> {
        let mut sources = Vec::with_capacity(2);
        if !self.input_ended {
            sources.push(self.input.as_raw_fd());
        }
        if !self.master_ended {
            sources.push(self.master.as_raw_fd());
        }
        sources
    }

    /// Moves what is ready; `true` when the output limit is passed.
    pub(super) fn pump(&mut self, ready: impl Fn(RawFd) -> bool) -> bool {
        if !self.input_ended && ready(self.input.as_raw_fd()) {
            match fd::read(&self.input.as_raw_fd(), &mut self.buffer) {
                Ok(0) => self.end_input(),
                Ok(bytes) => {
                    let typed = self.buffer.get(..bytes).unwrap_or(&[]);
                    self.input_ended |= fd::write_all(self.master.as_raw_fd(), typed).is_err();
                }
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(_) => self.input_ended = true,
            }
        }
        if !self.master_ended && ready(self.master.as_raw_fd()) {
            self.show();
        }
        self.meter.as_ref().is_some_and(Meter::over)
    }

    /// End of the caller's input: typed as Ctrl-D, which is what a terminal has
    /// for it.
    fn end_input(&mut self) {
        self.input_ended = true;
        if self.before.is_none() {
            let _ = fd::write_all(self.master.as_raw_fd(), &[4]);
        }
    }

    /// Moves what is left after every process inside is dead.
    pub(super) fn drain(&mut self) {
        while !self.master_ended {
            self.show();
        }
    }

    fn show(&mut self) {
        match fd::read(&self.master.as_raw_fd(), &mut self.buffer) {
            // EIO: the last process that had the other end is gone (tty_ioctl(4)).
            Ok(0) | Err(Errno::EIO) => self.master_ended = true,
            Ok(bytes) => {
                let kept = self
                    .meter
                    .as_mut()
                    .map_or(bytes, |meter| meter.admit(bytes));
                let shown = self.buffer.get(..kept).unwrap_or(&[]);
                self.master_ended |= fd::write_all(self.output.as_raw_fd(), shown).is_err();
            }
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => self.master_ended = true,
        }
    }

    /// The caller's window changed.
    pub(super) fn resize(&self) {
        if let Some(size) = tty::size(self.input.as_raw_fd()) {
            let _ = tty::set_size(self.master.as_raw_fd(), &size);
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
            let _ = termios::tcsetattr(&self.input, SetArg::TCSADRAIN, before);
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
        termios::tcsetattr(&self.input, SetArg::TCSADRAIN, &raw)
    }
}
