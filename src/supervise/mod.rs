//! The parent's side after exec: frames from pid 1, output caps, terminal,
//! signals, and the record of it all.
//!
//! It decides nothing about isolation; ending the control socket is enough to end
//! the sandbox.

mod relay;
mod signals;
mod terminal;

use crate::Error;
use crate::launch::Launched;
use crate::plan::{Plan, Refusal};
use crate::report::{Exit, KilledBy, Output, Report, Weakened};
use crate::sys::{Errno, clone, process, socket};
use crate::wire::{FRAME_BYTES, Frame};
use relay::Relay;
use signals::Signals;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use terminal::Terminal;

/// A running sandbox. Dropping it kills everything inside.
pub struct Child {
    /// The program's standard input, when it was asked to be piped.
    pub stdin: Option<File>,
    /// The program's standard output, when it was asked to be piped.
    pub stdout: Option<File>,
    /// The program's standard error, when it was asked to be piped.
    pub stderr: Option<File>,
    launched: Launched,
    plan: Plan,
    relay: Option<Relay>,
    terminal: Option<Terminal>,
    facts: Facts,
    reaped: bool,
}

/// How long after the wall-time limit pid 1 may be late.
const WALL_GRACE: Duration = Duration::from_millis(500);

/// What has been learnt so far.
#[derive(Default)]
struct Facts {
    status: Option<i32>,
    peak_kib: u32,
    killed_by: Option<KilledBy>,
}

/// The pipes and descriptors of the parent's side.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
    /// (from the program, to where it should go), counted.
    pub(crate) counted: Vec<(OwnedFd, OwnedFd)>,
    /// The caller's own terminal, for `--tty`.
    pub(crate) terminal: Option<(OwnedFd, OwnedFd)>,
}

impl Child {
    pub(crate) fn new(mut launched: Launched, plan: Plan, ends: Ends) -> Result<Child, Error> {
        let relay = plan
            .limits
            .output
            .map(|limit| Relay::new(ends.counted, limit));
        let terminal = match (launched.master.take(), ends.terminal) {
            (Some(master), Some((input, output))) => Some(
                Terminal::new(master, input, output, plan.limits.output)
                    .map_err(|errno| failed("prepare the terminal", errno))?,
            ),
            _ => None,
        };
        Ok(Child {
            stdin: ends.stdin.map(File::from),
            stdout: ends.stdout.map(File::from),
            stderr: ends.stderr.map(File::from),
            launched,
            plan,
            relay,
            terminal,
            facts: Facts::default(),
            reaped: false,
        })
    }

    /// Sends a signal to the program's process group; SIGSTOP and SIGCONT to
    /// everything inside.
    pub fn signal(&self, number: i32) -> Result<(), Error> {
        send_signal(&self.launched.control, number)
            .map_err(|errno| failed("signal the program", errno))
    }

    /// Kills everything in the sandbox; [`Child::wait`] then reports `cancelled`.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.end(KilledBy::Cancel)
            .map_err(|errno| failed("kill the sandbox", errno))
    }

    /// Waits for the end of the program and of everything it started. Blocks the
    /// calling thread; in an async program, call it where blocking is allowed.
    ///
    /// The wall-time limit is kept by pid 1 whether or not anybody waits; counted
    /// output (`limits.output`) and a terminal are moved only while somebody does.
    pub fn wait(mut self) -> Result<Report, Error> {
        self.stdin = None;
        self.watch(None)
    }

    /// As [`Child::wait`], for a program that is nothing but a sandbox's front
    /// end: signals sent to it go on to the program, and it stops and continues
    /// with it. Blocks these signals in the calling thread meanwhile.
    pub fn wait_forwarding_signals(mut self) -> Result<Report, Error> {
        self.stdin = None;
        let signals = Signals::take().map_err(|errno| failed("receive signals", errno))?;
        self.watch(Some(signals))
    }

    fn watch(&mut self, signals: Option<Signals>) -> Result<Report, Error> {
        let watched = self.poll_until_end(signals.as_ref());
        if watched.is_err() {
            // Unwatched is unlimited: end it.
            let _ = self.end(KilledBy::Internal);
        }
        let report = self.conclude();
        if let Some(terminal) = self.terminal.take() {
            terminal.restore();
        }
        watched.map_err(|errno| failed("watch the sandbox", errno))?;
        report.map_err(|errno| failed("learn how the program ended", errno))
    }

    /// Moves data and obeys until pid 1 is gone, which is when the control socket
    /// ends.
    fn poll_until_end(&mut self, signals: Option<&Signals>) -> Result<(), Errno> {
        let mut fds: Vec<libc::pollfd> = Vec::with_capacity(8);
        // pid 1 keeps the limit. Should something inside keep pid 1 from running,
        // this side, which nothing inside can slow down, ends it all the same.
        let limit = self.plan.limits.wall_time.map(|limit| limit + WALL_GRACE);
        let mut backstop = limit.map(|limit| {
            let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
            self.launched.started_ns.saturating_add(limit)
        });
        loop {
            fds.clear();
            let mut want = |fd: i32| {
                fds.push(libc::pollfd {
                    fd,
                    events: libc::POLLIN,
                    revents: 0,
                });
            };
            want(self.launched.control.as_raw_fd());
            want(signals.map_or(-1, Signals::fd));
            if let Some(relay) = &self.relay {
                relay.sources().for_each(&mut want);
            }
            if let Some(terminal) = &self.terminal {
                terminal.sources().into_iter().for_each(&mut want);
            }
            let left = backstop.map(|at| at.saturating_sub(process::monotonic_ns()));
            if left == Some(0) {
                self.end(KilledBy::Wall)?;
                backstop = None;
                continue;
            }
            process::poll(&mut fds, left)?;
            let ready = |fd: i32| fds.iter().any(|event| event.fd == fd && event.revents != 0);
            if let Some(signals) = signals.filter(|signals| ready(signals.fd())) {
                signals.forward(&self.launched.control, self.terminal.as_ref())?;
            }
            let mut over = false;
            if let Some(relay) = &mut self.relay {
                over |= relay.pump(ready);
            }
            if let Some(terminal) = &mut self.terminal {
                over |= terminal.pump(ready);
            }
            if over {
                self.end(KilledBy::Output)?;
            }
            if ready(self.launched.control.as_raw_fd()) && !self.hear()? {
                break;
            }
        }
        // Everything inside is dead: what is left in the pipes is all there is.
        if let Some(relay) = &mut self.relay {
            relay.drain();
        }
        if let Some(terminal) = &mut self.terminal {
            terminal.drain();
        }
        Ok(())
    }

    /// One frame from pid 1; `false` at the end.
    fn hear(&mut self) -> Result<bool, Errno> {
        let mut buffer = [0; FRAME_BYTES + 1];
        let bytes = match socket::receive(self.launched.control.as_raw_fd(), &mut buffer, false) {
            Ok(0) => return Ok(false),
            Ok(bytes) => bytes,
            // ECONNRESET: pid 1 ended before it read our last frame. The kernel says
            // so once, and first; what pid 1 sent is still there behind it.
            Err(Errno::EAGAIN | Errno::ECONNRESET) => return Ok(true),
            Err(errno) => return Err(errno),
        };
        match buffer.get(..bytes).and_then(Frame::decode) {
            Some(Frame::Exited { status }) => self.facts.status = Some(status),
            Some(Frame::Peak { kib }) => self.facts.peak_kib = kib,
            Some(Frame::OutOfTime) => self.blame(KilledBy::Wall),
            _ => return Err(Errno::EPROTO),
        }
        Ok(true)
    }

    /// Ends the sandbox, and notes who wanted it.
    fn end(&mut self, by: KilledBy) -> Result<(), Errno> {
        if !self.reaped {
            clone::signal_pidfd(&self.launched.pidfd, libc::SIGKILL)?;
        }
        self.blame(by);
        Ok(())
    }

    /// The first cause wins; a program that had already ended was not killed.
    fn blame(&mut self, by: KilledBy) {
        if self.facts.killed_by.is_none() && self.facts.status.is_none() {
            self.facts.killed_by = Some(by);
        }
    }

    /// Reaps pid 1, which ends only after everything else inside has.
    fn conclude(&mut self) -> Result<Report, Errno> {
        let ended = clone::wait(self.launched.pid, true)?.ok_or(Errno::ECHILD)?;
        self.reaped = true;
        let wall_ns = process::monotonic_ns().saturating_sub(self.launched.started_ns);
        let user_ns = nanoseconds(ended.usage.ru_utime);
        let sys_ns = nanoseconds(ended.usage.ru_stime);
        let cpu_ns = user_ns + sys_ns;
        let exit = exit(self.facts.status);
        let killed_by = self
            .facts
            .killed_by
            .or_else(|| self.killed_by_kernel(&exit, cpu_ns))
            // pid 1 died without a word, and nobody here asked for it.
            .or(self.facts.status.is_none().then_some(KilledBy::Internal));
        let counted = self
            .relay
            .as_ref()
            .map(Relay::counts)
            .or(self.terminal.as_ref().and_then(Terminal::counts));
        Ok(Report {
            exit,
            killed_by,
            limits_hit: killed_by
                .filter(|by| matches!(by, KilledBy::Cpu | KilledBy::Wall | KilledBy::Output))
                .into_iter()
                .collect(),
            cpu_ns,
            user_ns,
            sys_ns,
            wall_ns,
            cpu_source: "rusage",
            memory_peak_bytes: u64::from(self.facts.peak_kib) * 1024,
            memory_source: "maxrss",
            output: counted.map(|(seen, kept)| Output {
                bytes_seen: seen,
                bytes_kept: kept,
                truncated: kept < seen,
            }),
            layers: std::mem::take(&mut self.launched.layers),
            weakened: self
                .plan
                .weakened
                .iter()
                .map(|(token, reason)| Weakened {
                    token: token.name(),
                    reason: reason.clone(),
                })
                .collect(),
            verdict: crate::report::verdict(exit, killed_by),
        })
    }

    /// Limits that the kernel enforces by a signal.
    fn killed_by_kernel(&self, exit: &Exit, cpu_ns: u64) -> Option<KilledBy> {
        let cpu = self
            .plan
            .limits
            .rlimits
            .iter()
            .find(|limit| limit.name == "cpu")?;
        match i32::from(exit.signal?) {
            libc::SIGXCPU => Some(KilledBy::Cpu),
            // The hard limit, one second later.
            libc::SIGKILL if cpu_ns >= cpu.hard.saturating_mul(1_000_000_000) => {
                Some(KilledBy::Cpu)
            }
            _ => None,
        }
    }
}

impl AsFd for Child {
    /// A pidfd of the sandbox's pid 1: readable when everything inside has ended
    /// (pidfd_open(2)), for event loops.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.launched.pidfd.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = clone::signal_pidfd(&self.launched.pidfd, libc::SIGKILL);
            let _ = clone::wait(self.launched.pid, true);
        }
        if let Some(terminal) = self.terminal.take() {
            terminal.restore();
        }
    }
}

fn send_signal(control: &OwnedFd, number: i32) -> Result<(), Errno> {
    match socket::send(control.as_raw_fd(), &Frame::Signal { number }.encode()) {
        // Already over; the report will say how.
        Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
        other => other,
    }
}

fn exit(status: Option<i32>) -> Exit {
    // Without a word from pid 1 everything was killed.
    let status = status.unwrap_or(libc::SIGKILL);
    if libc::WIFEXITED(status) {
        Exit {
            code: u8::try_from(libc::WEXITSTATUS(status)).ok(),
            signal: None,
            core: false,
        }
    } else {
        Exit {
            code: None,
            signal: u8::try_from(libc::WTERMSIG(status)).ok(),
            core: libc::WCOREDUMP(status),
        }
    }
}

fn nanoseconds(time: libc::timeval) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::Refused(Refusal::new(format!("cannot {what}: {}", errno.desc())))
}
