//! From what a caller asked for to descriptors: the program's ends, and the parent's
//! ends of them.
//!
//! It starts nothing, and moves no byte.

use super::stdio::{Descriptor, Passed, Stdio};
use super::{Command, refuse};
use crate::Error;
use crate::plan::{Plan, Refusal};
use crate::policy::Cap;
use crate::supervise::{Ends, Sink, Through};
use crate::sys;
use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// Everything that was opened for one launch.
pub(super) struct Opened {
    /// What becomes 0, 1 and 2.
    pub(super) stdio: [OwnedFd; 3],
    /// What becomes the plan's other descriptors, in their order; see [`Others`].
    pub(super) others: Vec<OwnedFd>,
    /// What stands at numbers that must be taken until the launch is over.
    pub(super) held: Vec<OwnedFd>,
    pub(super) ends: Ends,
}

/// What messages call descriptors 0 to 2.
const STREAMS: [&str; 3] = ["standard input", "standard output", "standard error"];

impl Command {
    /// Is anything that the program writes to be kept in memory? Its standard input and
    /// output do not count.
    pub(crate) fn keeps_in_memory(&self) -> bool {
        let memory = |passed: &Passed| matches!(passed, Passed::As(Descriptor::Memory { .. }));
        matches!(self.stdio[2], Stdio::Memory { .. }) || self.passed.values().any(memory)
    }

    /// What cannot be asked for, under this plan.
    pub(super) fn check_streams(&self, plan: &Plan) -> Result<(), Error> {
        let [stdin, stdout, stderr] = &self.stdio;
        let cannot =
            |number: usize, what: &str| Err(refuse(format!("{} cannot {what}", STREAMS[number])));
        for (number, stdio) in self.stdio.iter().enumerate() {
            // What is as good as nothing makes way for the terminal.
            if plan.tty && !matches!(stdio, Stdio::Inherit | Stdio::Null) {
                return cannot(
                    number,
                    "be redirected: a terminal of its own takes its place",
                );
            }
            if number > 0 && matches!(stdio, Stdio::Bytes(_)) {
                return cannot(number, "be bytes to read");
            }
        }
        if matches!(stdin, Stdio::Memory { .. }) {
            return cannot(0, "be kept in memory");
        }
        if matches!(stdin, Stdio::MergeStdout) {
            return cannot(0, "be standard output");
        }
        if matches!(stdout, Stdio::MergeStdout) {
            return cannot(1, "be itself");
        }
        let merged = matches!(stderr, Stdio::MergeStdout);
        if (plan.tty || merged) && plan.limits.stderr.is_some() {
            return Err(Error::Refused(
                Refusal::new(
                    "`limits.stderr` cannot be kept: what is written on standard error cannot be told from standard output",
                )
                .hint("give `stdout` the limit, and `none` to `stderr`"),
            ));
        }
        Ok(())
    }

    /// The program's descriptors, and the parent's ends of them.
    pub(super) fn open(&self, plan: &Plan) -> Result<Opened, Error> {
        let mut ends = Ends::default();
        // First: their numbers must be free, or taken by what does not go along.
        let mut others = Others::default();
        for (number, passed) in &self.passed {
            let end = self.open_other(*number, passed, &mut ends)?;
            others.add(*number, end)?;
        }
        let stdio = match plan.tty {
            true => {
                ends.terminal = Some((inherit(0)?, inherit(1)?));
                [null()?, null()?, null()?]
            }
            false => self.open_stdio(plan, &mut ends)?,
        };
        Ok(Opened {
            stdio,
            others: others.sources,
            held: others.held,
            ends,
        })
    }

    fn open_other(
        &self,
        number: RawFd,
        passed: &Passed,
        ends: &mut Ends,
    ) -> Result<OwnedFd, Error> {
        let name = format!("descriptor {number}");
        if number <= libc::STDERR_FILENO {
            return Err(refuse(format!(
                "{name} is a standard stream and always passed"
            )));
        }
        match passed {
            Passed::Own if !sys::fd::is_open(number) => Err(refuse(format!("{name} is not open"))),
            Passed::Own => copy(number, &name),
            Passed::As(Descriptor::Fd(fd)) => copy(fd.as_raw_fd(), &name),
            Passed::As(Descriptor::Null) => null(),
            Passed::As(Descriptor::ToProgram) => to_program(number, ends),
            Passed::As(Descriptor::FromProgram) => from_program(number, ends),
            Passed::As(Descriptor::Bytes(bytes)) => from_bytes(bytes, ends),
            Passed::As(Descriptor::Memory { most }) => {
                through(number, Sink::Memory { most: *most }, ends)
            }
        }
    }

    fn open_stdio(&self, plan: &Plan, ends: &mut Ends) -> Result<[OwnedFd; 3], Error> {
        let limits = &plan.limits;
        let [stdin, stdout, stderr] = &self.stdio;
        let stdin = match stdin {
            Stdio::Piped => to_program(0, ends)?,
            Stdio::Bytes(bytes) => from_bytes(bytes, ends)?,
            other => open(other, 0)?,
        };
        let stdout = output(stdout, 1, limits.stdout.or(limits.output), ends)?;
        let stderr = match stderr {
            Stdio::MergeStdout => duplicate(stdout.as_raw_fd(), STREAMS[2])?,
            other => output(other, 2, limits.stderr.or(limits.output), ends)?,
        };
        Ok([stdin, stdout, stderr])
    }
}

/// The program's other descriptors, as they stand in the calling process.
///
/// The plan has the numbers inside, in order; these stand in the same order, each at
/// its number or above it. So the child can move one after the other to its number
/// and never moves one onto another that is still to be moved. Each number inside is
/// taken here, by the descriptor itself or by what stays behind: nothing that the
/// launch opens can stand there.
#[derive(Default)]
struct Others {
    sources: Vec<OwnedFd>,
    held: Vec<OwnedFd>,
}

impl Others {
    /// Numbers come in ascending order. Then sources ascend by themselves, but for
    /// another thread that closes something meanwhile.
    fn add(&mut self, number: RawFd, end: OwnedFd) -> Result<(), Error> {
        let after = self.sources.last().map_or(0, |last| last.as_raw_fd() + 1);
        let source =
            sys::fd::duplicate_from(end.as_raw_fd(), number.max(after)).map_err(|errno| {
                refuse(format!("cannot pass descriptor {number}: {}", errno.desc()))
            })?;
        self.sources.push(source);
        self.held.push(end);
        Ok(())
    }
}

/// A stream that the program writes: through this process where it has a limit.
fn output(
    stdio: &Stdio,
    number: RawFd,
    cap: Option<Cap>,
    ends: &mut Ends,
) -> Result<OwnedFd, Error> {
    let target = match stdio {
        Stdio::Memory { most } => return through(number, Sink::Memory { most: *most }, ends),
        Stdio::Piped => from_program(number, ends)?,
        other => open(other, number)?,
    };
    match cap {
        None => Ok(target),
        Some(_) => through(number, Sink::Fd(target), ends),
    }
}

/// A pipe whose writing end is the caller's.
fn to_program(number: RawFd, ends: &mut Ends) -> Result<OwnedFd, Error> {
    let (read, write) = pipe()?;
    ends.inputs.insert(number, write);
    Ok(read)
}

/// A pipe whose reading end is the caller's.
fn from_program(number: RawFd, ends: &mut Ends) -> Result<OwnedFd, Error> {
    let (read, write) = pipe()?;
    ends.outputs.insert(number, read);
    Ok(write)
}

/// A pipe that the supervisor fills.
fn from_bytes(bytes: &Arc<[u8]>, ends: &mut Ends) -> Result<OwnedFd, Error> {
    let (read, write) = pipe()?;
    ends.feeds.push((write, Arc::clone(bytes)));
    Ok(read)
}

/// A pipe that the supervisor empties.
fn through(number: RawFd, to: Sink, ends: &mut Ends) -> Result<OwnedFd, Error> {
    let (from, write) = pipe()?;
    ends.through.push(Through { number, from, to });
    Ok(write)
}

/// What is opened for no other reason than to be handed on.
fn open(stdio: &Stdio, number: RawFd) -> Result<OwnedFd, Error> {
    match stdio {
        Stdio::Null => null(),
        Stdio::Fd(fd) => copy(fd.as_raw_fd(), STREAMS[number as usize]),
        // The others have been dealt with, or refused by `check_streams`.
        _ => inherit(number),
    }
}

/// A copy of a descriptor that the caller named.
fn copy(fd: RawFd, name: &str) -> Result<OwnedFd, Error> {
    refuse_place(fd, name)?;
    duplicate(fd, name)
}

/// A directory is a door: `fchdir(2)` and `/proc/self/fd/N` lead through it to
/// host files that no rule names, and of what can be done to them Landlock covers
/// opening and removing, but not chmod(2), stat(2) or utimensat(2).
fn refuse_place(fd: RawFd, name: &str) -> Result<(), Error> {
    match sys::fd::is_a_place(fd) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::Refused(
            Refusal::new(format!(
                "{name} is a directory or a path (O_PATH), which leads out of the sandbox"
            ))
            .hint("make a directory visible with `--read` or `--write` instead"),
        )),
        Err(errno) => Err(refuse(format!("cannot look at {name}: {}", errno.desc()))),
    }
}

fn inherit(number: RawFd) -> Result<OwnedFd, Error> {
    let name = STREAMS[number as usize];
    let copy = sys::fd::duplicate(number).map_err(|errno| match errno {
        sys::Errno::EBADF => Error::Refused(
            Refusal::new(format!("{name} is closed"))
                .hint("redirect it from or to `/dev/null` if it is not wanted"),
        ),
        errno => cannot_duplicate(name, errno),
    })?;
    refuse_place(copy.as_raw_fd(), name)?;
    Ok(copy)
}

fn null() -> Result<OwnedFd, Error> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(|error| refuse(format!("cannot open `/dev/null`: {error}")))?;
    above_stdio(file.into())
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    let (read, write) =
        std::io::pipe().map_err(|error| refuse(format!("cannot make a pipe: {error}")))?;
    Ok((above_stdio(read.into())?, above_stdio(write.into())?))
}

/// A library user may have closed standard streams; ours must not land there.
fn above_stdio(fd: OwnedFd) -> Result<OwnedFd, Error> {
    sys::fd::above_stdio(fd).map_err(|errno| cannot_duplicate("a descriptor", errno))
}

fn duplicate(fd: RawFd, name: &str) -> Result<OwnedFd, Error> {
    sys::fd::duplicate(fd).map_err(|errno| cannot_duplicate(name, errno))
}

fn cannot_duplicate(name: &str, errno: sys::Errno) -> Error {
    refuse(format!("cannot duplicate {name}: {}", errno.desc()))
}
