//! Files into and out of a directory that an untrusted program writes, also while it does.
//! Nothing here follows a link, climbs, crosses a mount, waits for the program, or copies more
//! than it was told. It must not decide who may ask, or when.
//!
//! The directory is held by a descriptor ([`Root`]). Every name beneath it is walked one at
//! a time, by `openat2(2)` with `RESOLVE_BENEATH`, `RESOLVE_NO_SYMLINKS`,
//! `RESOLVE_NO_MAGICLINKS` and `RESOLVE_NO_XDEV`; what has the name is looked at (`O_PATH`)
//! before it is opened, and what was opened must be what was looked at. The caller's side
//! is held and walked in the same way.
//!
//! What a name becomes between two calls may be another file of the same directory: then
//! that one is copied, or the copy fails with a [`Problem`] of its own. It is never a file
//! elsewhere. A directory that is itself moved out of the root while it is walked takes
//! with it what is being copied, as it would a moment later.
//!
//! ```no_run
//! use sandbox::transfer::{copy_in, copy_out, In, Out, Root, Source, Target};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let root = Root::open("work")?;
//! copy_in(&root, "input.txt", Source::Bytes(b"1 2\n"), &In::default())?;
//! // The program runs.
//! let mut answer = Vec::new();
//! let copied = copy_out(&root, "out/answer.txt", Target::Memory(&mut answer), &Out::default())?;
//! assert_eq!(copied.bytes, answer.len() as u64);
//! # Ok(())
//! # }
//! ```

mod content;
mod error;
mod fresh;
mod job;
mod name;
mod options;
mod place;
mod tree;

pub use error::{Direction, Error, Kind, Problem, Side, Stage};
pub use name::go_judge_name;
pub use options::{Copied, Existing, HardLinks, In, Limits, Out, Source, Target};
pub use place::Root;

use content::Sink;
use job::{Job, Rules};
use place::{Fault, Opened, Place, open_regular, open_regular_host, walk};
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Copies into `root`, to a path relative to it. Directories on the way are made.
///
/// A source that is a directory becomes one: everything beneath it that is a regular file
/// or a directory is copied, the rest is skipped and counted. Directories that exist are
/// used as they are. New files belong to the caller.
pub fn copy_in(
    root: &Root,
    path: impl AsRef<Path>,
    source: Source<'_>,
    options: &In,
) -> Result<Copied, Error> {
    let (copied, result) = try_in(root, path.as_ref(), source, options);
    result.map(|()| copied)
}

/// Copies out of `root`, from a path relative to it: one regular file, or a tree
/// ([`Target::NewTree`]) whose regular files and directories are copied and whose rest is
/// skipped and counted.
///
/// After an error the target holds whatever was finished before, and nothing unfinished;
/// what the caller gave (memory, an open file) may have the beginning.
pub fn copy_out(
    root: &Root,
    path: impl AsRef<Path>,
    target: Target<'_>,
    options: &Out,
) -> Result<Copied, Error> {
    let (copied, result) = try_out(root, path.as_ref(), target, options);
    result.map(|()| copied)
}

/// As [`copy_in`], with what was copied before an error too.
pub(crate) fn try_in(
    root: &Root,
    path: &Path,
    source: Source<'_>,
    options: &In,
) -> (Copied, Result<(), Error>) {
    let mut job = Job::new(Rules::of_in(options));
    let result = into(&mut job, root, path, source);
    let result = result.map_err(|fault| error(Direction::In, path, fault));
    (job.copied, result)
}

/// As [`copy_out`], with what was copied before an error too.
pub(crate) fn try_out(
    root: &Root,
    path: &Path,
    target: Target<'_>,
    options: &Out,
) -> (Copied, Result<(), Error>) {
    let mut job = Job::new(Rules::of_out(options));
    match out_of(&mut job, root, path, target) {
        Err(fault) if options.optional && fault.is_missing_source() => {
            job.copied.found = false;
            (job.copied, Ok(()))
        }
        result => {
            let result = result.map_err(|fault| error(Direction::Out, path, fault));
            (job.copied, result)
        }
    }
}

fn error(direction: Direction, asked: &Path, fault: Fault) -> Error {
    Error {
        direction,
        stage: fault.stage,
        asked: asked.to_owned(),
        side: fault.side,
        path: fault.path,
        problem: fault.problem,
    }
}

impl Fault {
    fn is_missing_source(&self) -> bool {
        (self.side, self.stage, self.problem) == (Side::Inside, Stage::Open, Problem::Missing)
    }
}

fn into(job: &mut Job, root: &Root, path: &Path, source: Source<'_>) -> Result<(), Fault> {
    let create = job.rules.asking(match source {
        Source::Link(_) => Stage::Link,
        _ => Stage::Create,
    });
    job.check_modes(path, create)?;
    let to = job.names(path, create)?;
    let open = job.rules.asking(Stage::Open);
    match source {
        Source::Bytes(bytes) => job.bytes(bytes, root, &to),
        Source::Link(text) => job.link(text, root, &to),
        Source::File(fd) => {
            let path = Path::new("the open file");
            let file = Opened::given(fd).map_err(|errno| open.fault(path, errno))?;
            job.file(&file, path, root, &to)
        }
        Source::Path(path) => {
            let place = Place::look_host(path).map_err(|errno| open.fault(path, errno))?;
            if place.kind() == Kind::Directory {
                return tree::copy(job, place.fd, path, root, &to);
            }
            let file = open_regular_host(path).map_err(|problem| open.fault(path, problem))?;
            job.file(&file, path, root, &to)
        }
        Source::Beneath(from, path) => {
            let names = job.names(path, open)?;
            match open_either(job, from, &names, path)? {
                Either::File(file) => job.file(&file, path, root, &to),
                Either::Directory(all) => tree::copy(job, all, path, root, &to),
            }
        }
    }
}

fn out_of(job: &mut Job, root: &Root, path: &Path, target: Target<'_>) -> Result<(), Fault> {
    let from = job.names(path, job.rules.asking(Stage::Open))?;
    match target {
        Target::Memory(bytes) => {
            let file = open_file(job, root, &from, path)?;
            job.pour(&file, path, Sink::Memory(bytes), Path::new("memory"))
        }
        Target::File(fd) => {
            let file = open_file(job, root, &from, path)?;
            job.pour(&file, path, Sink::Given(fd), Path::new("the open file"))
        }
        Target::NewFile(onto, name) => {
            let create = job.rules.asking(Stage::Create);
            job.check_modes(name, create)?;
            let to = job.names(name, create)?;
            let file = open_file(job, root, &from, path)?;
            job.file(&file, path, onto, &to)
        }
        Target::NewTree(onto, name) => {
            let create = job.rules.asking(Stage::CreateDirectory);
            job.check_modes(name, create)?;
            let to = job.names(name, create)?;
            let all = walk(root.fd(), &from, job.rules.asking(Stage::Open))?;
            tree::copy(job, all, path, onto, &to)
        }
    }
}

/// A regular file by its path; a directory is the wrong thing.
fn open_file(job: &Job, root: &Root, names: &[CString], path: &Path) -> Result<Opened, Fault> {
    let open = job.rules.asking(Stage::Open);
    let Some((last, above)) = names.split_last() else {
        return Err(open.fault(path, Problem::IsDirectory));
    };
    let dir = walk(root.fd(), above, open)?;
    open_regular(dir.as_fd(), last, |stat| job.rules.accept(stat))
        .map_err(|problem| open.fault(path, problem))
}

enum Either {
    File(Opened),
    Directory(OwnedFd),
}

/// A regular file or a directory by its path.
fn open_either(job: &Job, root: &Root, names: &[CString], path: &Path) -> Result<Either, Fault> {
    match open_file(job, root, names, path) {
        Ok(file) => Ok(Either::File(file)),
        Err(fault) if fault.problem == Problem::IsDirectory => {
            walk(root.fd(), names, job.rules.asking(Stage::Open)).map(Either::Directory)
        }
        Err(fault) => Err(fault),
    }
}
