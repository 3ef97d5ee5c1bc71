//! Two sandboxes joined by pipes, solution and interactor: each one's standard output
//! is the other's standard input.
//!
//! Both are ordinary runs with a policy, limits and a record of their own; what stands
//! between them is a relay in this process. It decides nothing about isolation.

mod lane;
mod playing;
mod report;
mod transcript;

pub use playing::Playing;
pub use report::{Bytes, First, PairReport, Sides, incomplete};
pub use transcript::Transcript;

use crate::plan::Refusal;
use crate::{Command, Error, Stdio};
use lane::Lane;
use std::fs::File;
use std::io::PipeReader;
use std::os::fd::OwnedFd;

/// The JSON Schema (draft 2020-12) of the record, complete or not: `schema/` of the
/// repository, and what `sandbox schema pair` prints. It refers to
/// [`crate::report::SCHEMA`].
pub const SCHEMA: &str = include_str!("../../schema/pair.schema.json");

/// Two programs, and how they are joined.
///
/// ```no_run
/// # use sandbox::{Sandbox, pair::Pair};
/// # fn play(strict: &Sandbox, trusted: &Sandbox) -> Result<(), sandbox::Error> {
/// let report = Pair::new(strict.command("./solution"), trusted.command("./interactor"))
///     .spawn()?
///     .wait()?;
/// println!("{}", report.interactor.verdict.name());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pair {
    solution: Command,
    interactor: Command,
    end: EndWith,
    transcript: Option<(File, u64)>,
}

/// Who is ended when the other has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndWith {
    /// Nobody: the one that is left reads the end of file, and may write on.
    #[default]
    Nobody,
    /// The solution, when the interactor has ended: its word is the last.
    Interactor,
    /// Whoever is left, also an interactor that has not judged yet.
    Either,
}

impl Pair {
    /// Joins two programs. Whatever was said of their standard input and output counts
    /// no more; standard error and other descriptors are as was said, but none of them can
    /// be kept in memory.
    pub fn new(solution: Command, interactor: Command) -> Pair {
        Pair {
            solution,
            interactor,
            end: EndWith::default(),
            transcript: None,
        }
    }

    /// Ends one side when the other has ended; the record calls it `cancelled`.
    pub fn end_with(&mut self, end: EndWith) -> &mut Pair {
        self.end = end;
        self
    }

    /// Writes what was said into `file`, at most `limit` bytes: see [`Transcript`].
    pub fn transcript(&mut self, file: File, limit: u64) -> &mut Pair {
        self.transcript = Some((file, limit));
        self
    }

    /// As [`Command::hold_signals`], of the program that is started last.
    #[doc(hidden)]
    pub fn hold_signals(&mut self) -> &mut Pair {
        self.solution.hold_signals();
        self
    }

    /// Starts both, every layer of both policies in force, the interactor first: it
    /// waits for the solution rather than the other way round. On an error neither is
    /// left running.
    pub fn spawn(&mut self) -> Result<Playing, Error> {
        // Each lane is a pipe that its writer fills, and one that its reader empties.
        let (to_interactor, from_solution, into_interactor) = joint()?;
        let (to_solution, from_interactor, into_solution) = joint()?;
        let transcript = self.transcript.take();
        let interactor = start(&mut self.interactor, into_interactor, from_interactor)?;
        let solution = start(&mut self.solution, into_solution, from_solution)?;
        Ok(Playing::new(
            Sides {
                solution,
                interactor,
            },
            [to_interactor, to_solution],
            self.end,
            transcript.map(|(file, limit)| Transcript::new(file, limit)),
        ))
    }
}

/// A lane, what its writer writes into, and what its reader reads.
fn joint() -> Result<(Lane, OwnedFd, OwnedFd), Error> {
    let pipe = || std::io::pipe().map_err(|error| refuse(format!("cannot make a pipe: {error}")));
    let (from, writer): (PipeReader, _) = pipe()?;
    let (reader, to) = pipe()?;
    let lane = Lane::new(from.into(), to.into())
        .map_err(|errno| refuse(format!("cannot prepare a pipe: {}", errno.desc())))?;
    Ok((lane, writer.into(), reader.into()))
}

fn start(command: &mut Command, input: OwnedFd, output: OwnedFd) -> Result<crate::Child, Error> {
    if command.keeps_in_memory() {
        return Err(refuse(
            "what a program of a pair writes cannot be kept in memory".to_owned(),
        ));
    }
    let started = command
        .stdin(Stdio::Fd(input))
        .stdout(Stdio::Fd(output))
        .tty(false)
        .spawn();
    // A copy that the command keeps would hide the end of the program.
    command.stdin(Stdio::Null).stdout(Stdio::Null);
    started
}

fn refuse(message: String) -> Error {
    Error::Refused(Refusal::new(message))
}
