//! The parent's side after exec: frames from pid 1, output caps, terminal,
//! signals, and the record of it all.
//!
//! It decides nothing about isolation; ending the control socket is enough to end
//! the sandbox.

mod account;
mod ends;
pub(crate) mod facts;
mod feed;
mod flow;
mod meter;
mod noise;
mod relay;
mod signals;
mod terminal;
mod watch;

pub(crate) use ends::{Ends, Sink, Through};
pub(crate) use flow::Wanted;
pub(crate) use signals::{FRONT_END, Signals};
pub(crate) use watch::{is_ready, polled};

use crate::Error;
use crate::launch::Launched;
use crate::launch::as_root::Identity;
use crate::launch::files::Departure;
use crate::launch::group::Group;
use crate::plan::{Plan, Refusal};
use crate::policy::units::nanoseconds;
use crate::report::{FileOutcome, KilledBy, Layer, Report};
use crate::sys::sigpipe::Quiet;
use crate::sys::{Errno, process, socket};
use crate::wire::Frame;
use account::Streams;
use facts::Facts;
use noise::Sample;
use relay::Relay;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
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
    plan: Arc<Plan>,
    inputs: BTreeMap<RawFd, OwnedFd>,
    outputs: BTreeMap<RawFd, OwnedFd>,
    relay: Relay,
    terminal: Option<Terminal>,
    departures: Vec<Departure>,
    facts: Facts,
    /// pid 1 is there.
    alive: bool,
    /// When this side ends what pid 1 should have ended; CLOCK_MONOTONIC.
    backstop: Option<u64>,
    /// The backstop had passed before the last poll.
    late: bool,
    /// The machine before the run, where its noise was asked for.
    quiet: Option<Sample>,
    reaped: bool,
}

/// How long after the wall-time limit pid 1 may be late.
const WALL_GRACE: Duration = Duration::from_millis(500);

/// Why the run was not watched to its end.
pub(crate) struct Lost {
    what: &'static str,
    errno: Errno,
}

impl Lost {
    /// Counted output and a terminal go through this process: what is lost here the
    /// program takes for written, or never gets to read.
    pub(crate) fn bytes(errno: Errno) -> Lost {
        let what = "pass on what the program reads and writes";
        Lost { what, errno }
    }
}

impl From<Errno> for Lost {
    fn from(errno: Errno) -> Lost {
        let what = "watch the sandbox";
        Lost { what, errno }
    }
}

impl From<Lost> for Error {
    fn from(lost: Lost) -> Error {
        failed(lost.what, lost.errno)
    }
}

/// A run that is over, and what it was asked to keep in memory
/// ([`crate::Stdio::Memory`], [`crate::Descriptor::Memory`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// What happened.
    pub report: Report,
    /// What was written on standard output; empty where it went elsewhere.
    pub stdout: Vec<u8>,
    /// What was written on standard error, likewise.
    pub stderr: Vec<u8>,
    /// What was written on other descriptors, by number.
    pub descriptors: BTreeMap<RawFd, Vec<u8>>,
}

impl Child {
    pub(crate) fn new(
        mut launched: Launched,
        plan: Arc<Plan>,
        mut ends: Ends,
        departures: Vec<Departure>,
    ) -> Result<Child, Error> {
        let relay = Relay::new(&mut ends, &plan.limits);
        let master = launched.master.take();
        // pid 1 keeps the limit. Should something inside keep pid 1 from running,
        // this side, which nothing inside can slow down, ends it all the same.
        let limit = plan.limits.wall_time.map(|limit| limit + WALL_GRACE);
        let backstop = limit.map(|limit| launched.started_ns.saturating_add(nanoseconds(limit)));
        // From here on an error drops the child, and that ends what is running.
        let mut child = Child {
            stdin: ends.inputs.remove(&libc::STDIN_FILENO).map(File::from),
            stdout: ends.outputs.remove(&libc::STDOUT_FILENO).map(File::from),
            stderr: ends.outputs.remove(&libc::STDERR_FILENO).map(File::from),
            inputs: ends.inputs,
            outputs: ends.outputs,
            launched,
            plan,
            relay: Relay::default(),
            terminal: None,
            departures,
            facts: Facts::default(),
            alive: true,
            backstop,
            late: false,
            quiet: None,
            reaped: false,
        };
        child.relay = relay.map_err(|errno| failed("prepare the streams", errno))?;
        if let (Some(master), Some((input, output))) = (master, ends.terminal) {
            child.terminal = Some(
                Terminal::new(master, input, output, &child.plan.limits)
                    .map_err(|errno| failed("prepare the terminal", errno))?,
            );
        }
        Ok(child)
    }

    /// From now on the machine is watched for what disturbs the run.
    pub(crate) fn measure_noise(&mut self) {
        self.quiet = Some(Sample::take(&self.plan.cpus));
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

    /// Waits for the end of the program and of everything it started, and then copies out
    /// what [`crate::Command::copy_out`] asked for. Blocks the
    /// calling thread; in an async program, call it where blocking is allowed.
    ///
    /// The limits of time, memory and processes are kept whether or not anybody waits.
    /// What goes through this process is moved only while somebody does: streams with
    /// a limit (`output`, `stdout`, `stderr`), what is kept in memory or comes from
    /// there, and a terminal. Until then the program waits once its pipe is full, and a
    /// limit of these is not noticed.
    ///
    /// Pipes of [`Child::stdin`] and [`crate::Descriptor::ToProgram`] that were not
    /// taken are closed first.
    pub fn wait(mut self) -> Result<Report, Error> {
        self.close_inputs();
        self.watch(None)
    }

    /// As [`Child::wait`]; gives what was kept in memory as well.
    pub fn wait_with_output(mut self) -> Result<Captured, Error> {
        self.close_inputs();
        let report = self.watch(None)?;
        let mut descriptors = self.relay.take_memory();
        let mut take = |number| descriptors.remove(&number).unwrap_or_default();
        let (stdout, stderr) = (take(libc::STDOUT_FILENO), take(libc::STDERR_FILENO));
        Ok(Captured {
            report,
            stdout,
            stderr,
            descriptors,
        })
    }

    /// The caller's end of the pipe that is descriptor `number` inside
    /// ([`crate::Descriptor::ToProgram`], [`crate::Descriptor::FromProgram`]).
    pub fn take_pipe(&mut self, number: RawFd) -> Option<File> {
        let input = self.inputs.remove(&number);
        input
            .or_else(|| self.outputs.remove(&number))
            .map(File::from)
    }

    /// Whoever waits writes nothing more.
    fn close_inputs(&mut self) {
        self.stdin = None;
        self.inputs.clear();
    }

    /// As [`Child::wait`], for a program that is nothing but a sandbox's front
    /// end: signals sent to it go on to the program, and it stops and continues
    /// with it. Blocks these signals in the calling thread meanwhile.
    pub fn wait_forwarding_signals(mut self) -> Result<Report, Error> {
        self.close_inputs();
        let signals = Signals::take().map_err(|errno| failed("receive signals", errno))?;
        self.watch(Some(signals))
    }

    fn watch(&mut self, signals: Option<Signals>) -> Result<Report, Error> {
        let watched = match Quiet::begin() {
            Ok(_quiet) => self.poll_until_end(signals.as_ref()),
            Err(errno) => Err(errno.into()),
        };
        if watched.is_err() {
            // Unwatched is unlimited: end it.
            let _ = self.end(KilledBy::Internal);
        }
        let report = self.conclude();
        if let Some(terminal) = self.terminal.take() {
            terminal.restore();
        }
        watched?;
        report.map_err(|errno| failed("learn how the program ended", errno))
    }

    /// Files out. Everything inside has ended, so nobody changes them any more.
    fn copy_out(&mut self) -> Vec<FileOutcome> {
        let departures = std::mem::take(&mut self.departures);
        let host_id = self.launched.host_id.as_ref();
        match self.launched.held.take() {
            Some(held) => held.take_out(&self.plan.copies, departures, host_id),
            None => Vec::new(),
        }
    }

    /// Ends the sandbox, and notes who wanted it.
    pub(crate) fn end(&mut self, by: KilledBy) -> Result<(), Errno> {
        if !self.reaped {
            self.launched.init.kill()?;
        }
        self.facts.blame(by);
        Ok(())
    }

    /// Every step that was confirmed, in words.
    fn layers(&self) -> Vec<Layer> {
        let launched = &self.launched;
        let host_id = launched.host_id.as_ref().map(Identity::uid);
        let group = launched.group.as_ref().map(Group::words);
        launched.layers.words(&self.plan, group.as_deref(), host_id)
    }

    /// Reaps pid 1, which ends only after everything else inside has; then files are
    /// copied out.
    pub(crate) fn conclude(&mut self) -> Result<Report, Errno> {
        // What needs no answer comes first: the kernel takes the namespaces down meanwhile.
        let layers = self.layers();
        let ended = self.launched.init.reap()?;
        self.reaped = true;
        let shown = self.terminal.as_ref().and_then(Terminal::output);
        let streams = Streams {
            stdout: self.relay.output(libc::STDOUT_FILENO).or(shown),
            stderr: self.relay.output(libc::STDERR_FILENO),
        };
        let started_ns = self.launched.started_ns;
        let counted = match self.launched.group.take() {
            None => None,
            Some(group) => {
                let counted = group.counted().map_err(|_| Errno::EIO);
                // What is left over the next run collects.
                let _ = group.end();
                Some(counted?)
            }
        };
        let mut report = account::report(
            &self.plan,
            &self.facts,
            &ended.usage,
            counted.as_ref(),
            started_ns,
            streams,
            layers,
        );
        let forced = u64::try_from(ended.usage.ru_nivcsw).unwrap_or(0);
        report.noise = self.quiet.as_ref().map(|before| {
            let after = Sample::take(&self.plan.cpus);
            before.until(&after, process::tick_ns(), forced)
        });
        report.files = self.copy_out();
        Ok(report)
    }
}

impl AsFd for Child {
    /// A pidfd of the sandbox's pid 1: readable when everything inside has ended
    /// (pidfd_open(2)), for event loops.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.launched.init.pidfd().as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.launched.init.end();
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

fn failed(what: &str, errno: Errno) -> Error {
    Error::Refused(Refusal::new(format!("cannot {what}: {}", errno.desc())))
}
