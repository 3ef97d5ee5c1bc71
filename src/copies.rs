//! Files in and out of a run, as a library user asks for them.
//!
//! It opens the caller's ends before anything is started, so that a target that cannot be
//! is no run. It copies nothing itself.

use crate::command::Command;
use crate::escape::tick;
use crate::launch::files::{Arrival, Departure, Destination};
use crate::plan::{Outside, Plan, Refusal};
use crate::sys::{Errno, beneath};
use crate::transfer::{Direction, Existing, In, Limits, Out, Root, Source};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is copied in before the program starts.
#[derive(Debug)]
pub enum CopyIn {
    /// These bytes.
    Bytes(Vec<u8>),
    /// An open file, from its position to its end; a pipe is waited for.
    File(OwnedFd),
    /// A regular file or a directory of the caller's, with everything beneath it that is one.
    Path(PathBuf),
    /// A symbolic link with this text. It is made, and never followed here.
    Link(PathBuf),
}

/// Where something is copied out to when everything inside has ended.
#[derive(Debug)]
pub enum CopyOut {
    /// [`crate::report::FileOutcome::content`].
    Memory,
    /// An open file, at its position.
    File(OwnedFd),
    /// A file of the caller's. One that exists refuses the run, unless it is to be
    /// replaced ([`Existing::Replace`]), which happens at once or not at all.
    Path(PathBuf),
    /// A directory of the caller's, which gets everything beneath the one inside. One that
    /// exists and is not empty refuses the run, unless files in it are to be replaced.
    Tree(PathBuf),
}

/// Everything that a command copies.
#[derive(Debug)]
pub(crate) struct Wanted {
    ins: Vec<(PathBuf, CopyIn, In)>,
    outs: Vec<(PathBuf, CopyOut, Out)>,
    total_bytes: u64,
}

impl Default for Wanted {
    fn default() -> Wanted {
        Wanted {
            ins: Vec::new(),
            outs: Vec::new(),
            total_bytes: Limits::default().total_bytes,
        }
    }
}

impl Command {
    /// Copies something in before the program starts, to an absolute path inside that lies
    /// where the policy lets the program write. Directories on the way are made. What
    /// cannot be copied refuses the run. New files belong to the user inside.
    pub fn copy_in(&mut self, inside: impl AsRef<Path>, what: CopyIn, how: In) -> &mut Command {
        let inside = inside.as_ref().to_owned();
        self.wanted.ins.push((inside, what, how));
        self
    }

    /// Copies something out when everything inside has ended, however it ended. The report
    /// says what became of it ([`crate::report::Report::files`]).
    ///
    /// The path inside is absolute and visible under the policy. Hard links are allowed
    /// in a tmpfs of the sandbox's own whatever `how` says, since no other name of its files
    /// can lie outside it. Nothing is copied for a [`crate::Child`] that is dropped.
    pub fn copy_out(&mut self, inside: impl AsRef<Path>, to: CopyOut, how: Out) -> &mut Command {
        let inside = inside.as_ref().to_owned();
        self.wanted.outs.push((inside, to, how));
        self
    }

    /// The most bytes that all copies in may move together, and all copies out; 256 MiB
    /// unless set.
    pub fn copy_total(&mut self, bytes: u64) -> &mut Command {
        self.wanted.total_bytes = bytes;
        self
    }
}

impl Wanted {
    /// The plan with these copies.
    pub(crate) fn planned(&self, plan: Arc<Plan>) -> Result<Arc<Plan>, Refusal> {
        if self.ins.is_empty() && self.outs.is_empty() && plan.copies.places.is_empty() {
            return Ok(plan);
        }
        let ins = self.ins.iter().map(|(at, ..)| (Direction::In, at.clone()));
        let outs = self
            .outs
            .iter()
            .map(|(at, ..)| (Direction::Out, at.clone()));
        let plan = Arc::unwrap_or_clone(plan);
        plan.with_copies(ins.chain(outs), self.total_bytes)
            .map(Arc::new)
    }

    /// Files that only root may open, opened while this is root; the position is that of
    /// the copy. A tree is read as the run's host id.
    pub(crate) fn opened(&self, plan: &Plan) -> Result<Vec<Option<OwnedFd>>, Refusal> {
        let by_root = matches!(plan.ids.outside, Outside::Range { .. });
        let open = |what: &CopyIn| match what {
            CopyIn::Path(path) if by_root => {
                open_regular(path).map_err(|error| failed("copy in", path, &error))
            }
            _ => Ok(None),
        };
        self.ins.iter().map(|(_, what, _)| open(what)).collect()
    }

    pub(crate) fn arrivals<'a>(&'a self, opened: &'a [Option<OwnedFd>]) -> Vec<Arrival<'a>> {
        let ins = self.ins.iter().zip(opened);
        ins.map(|((_, what, options), opened)| Arrival {
            source: match (opened, what) {
                (Some(fd), _) | (None, CopyIn::File(fd)) => Source::File(fd.as_fd()),
                (None, CopyIn::Bytes(bytes)) => Source::Bytes(bytes),
                (None, CopyIn::Path(path)) => Source::Path(path),
                (None, CopyIn::Link(text)) => Source::Link(text),
            },
            options,
        })
        .collect()
    }

    /// The caller's side of what comes out, held from before the start.
    pub(crate) fn departures(&self) -> Result<Vec<Departure>, Refusal> {
        let outs = self.outs.iter();
        outs.map(|(_, to, options)| {
            let target = match to {
                CopyOut::Memory => Destination::Memory,
                CopyOut::File(fd) => Destination::File(fd.try_clone().map_err(|error| {
                    Refusal::new(format!("cannot duplicate a descriptor: {error}"))
                })?),
                CopyOut::Path(path) => new_file(path, options)?,
                CopyOut::Tree(path) => new_tree(path, options)?,
            };
            let options = options.clone();
            Ok(Departure { target, options })
        })
        .collect()
    }
}

fn open_regular(path: &Path) -> io::Result<Option<OwnedFd>> {
    // What it is may not be known without opening it, and a FIFO must not be waited for.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    if !path.metadata()?.is_file() {
        return Ok(None);
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    Ok(file.metadata()?.is_file().then(|| file.into()))
}

/// The directory is opened as the caller's own path, whose links are followed; the name in
/// it is not.
fn new_file(path: &Path, options: &Out) -> Result<Destination, Refusal> {
    let wrong = |why: &str| Refusal::new(format!("cannot copy out to {}: {why}", tick(path)));
    let Some(name) = path.file_name() else {
        return Err(wrong("it names no file"));
    };
    match (path.symlink_metadata(), options.existing) {
        (Ok(facts), _) if facts.is_dir() => {
            return Err(wrong("it is a directory").hint("name the file that is to be made in it"));
        }
        (Ok(_), Existing::Refuse) => return Err(wrong("it exists already").hint(REPLACE)),
        (Ok(_), Existing::Replace) => {}
        (Err(error), _) if is_missing(&error) => {}
        (Err(error), _) => return Err(failed("copy out to", path, &error)),
    }
    Ok(Destination::NewFile(parent(path)?, PathBuf::from(name)))
}

fn new_tree(path: &Path, options: &Out) -> Result<Destination, Refusal> {
    let wrong = |why: &str| Refusal::new(format!("cannot copy out to {}: {why}", tick(path)));
    match path.metadata() {
        Ok(facts) if !facts.is_dir() => Err(wrong("it is no directory")),
        Ok(_) => {
            let root = Root::open(path).map_err(|error| failed("copy out to", path, &error))?;
            if options.existing == Existing::Refuse {
                let next = beneath::open_directory(root.as_fd())
                    .and_then(|directory| beneath::Entries::of(directory).next())
                    .map_err(|errno| wrong(errno.desc()))?;
                if next.is_some() {
                    return Err(wrong("it is not empty").hint(REPLACE));
                }
            }
            Ok(Destination::NewTree(root, PathBuf::from(".")))
        }
        Err(error) if !is_missing(&error) => Err(failed("copy out to", path, &error)),
        Err(_) => match path.file_name() {
            Some(name) => Ok(Destination::NewTree(parent(path)?, PathBuf::from(name))),
            None => Err(wrong("it does not exist")),
        },
    }
}

/// Nothing is there; that its directory is none either is said when that is opened.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

const REPLACE: &str =
    "remove it first, or ask for existing files to be replaced (`--copy-replace`)";

fn parent(path: &Path) -> Result<Root, Refusal> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Root::open(parent).map_err(|error| failed("copy into the directory of", path, &error))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Refusal {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    Refusal::new(format!("cannot {what} {}: {}", tick(path), errno.desc()))
}

impl From<Vec<u8>> for CopyIn {
    fn from(bytes: Vec<u8>) -> CopyIn {
        CopyIn::Bytes(bytes)
    }
}

impl From<File> for CopyIn {
    fn from(file: File) -> CopyIn {
        CopyIn::File(file.into())
    }
}

impl From<File> for CopyOut {
    fn from(file: File) -> CopyOut {
        CopyOut::File(file.into())
    }
}
