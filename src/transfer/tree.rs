//! A directory and everything beneath it, which somebody may move about meanwhile.
//! It must not recurse: how deep a tree is, is not for the stack to find out.

use super::error::{Kind, Problem, Stage};
use super::job::Job;
use super::name::{joined, part};
use super::place::{Fault, Place, Root, make_directory, open_regular};
use crate::sys::beneath::{self, Entries};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A directory that is being copied.
struct Level {
    source: Entries,
    target: OwnedFd,
}

/// The paths of the innermost directory.
struct Paths {
    /// As messages call it.
    source: PathBuf,
    /// From the top of the tree.
    within: PathBuf,
    target: PathBuf,
}

impl Paths {
    fn enter(&mut self, name: &CStr) {
        for path in [&mut self.source, &mut self.within, &mut self.target] {
            path.push(part(name));
        }
    }

    fn leave(&mut self) {
        for path in [&mut self.source, &mut self.within, &mut self.target] {
            path.pop();
        }
    }
}

/// Copies what is beneath `top`, a directory called `called`, into the directory of
/// these names.
pub(super) fn copy(
    job: &mut Job,
    top: OwnedFd,
    called: &Path,
    root: &Root,
    to: &[CString],
) -> Result<(), Fault> {
    let mut paths = Paths {
        source: called.to_owned(),
        within: PathBuf::new(),
        target: joined(to),
    };
    let source = open(job, &top, &paths)?;
    let target = job.directory(root, to)?;
    let mut levels = vec![Level { source, target }];
    while let Some(level) = levels.last_mut() {
        let next = level.source.next();
        let Some(name) = next.map_err(|errno| fault(job, &paths, errno))? else {
            levels.pop();
            paths.leave();
            continue;
        };
        paths.enter(&name);
        count(job, &paths)?;
        match entry(job, level, &name, &paths)? {
            Some(directory) => {
                let below = descend(job, level, &directory, &name, &paths)?;
                levels.push(below);
                let limit = job.rules.limits.depth;
                if levels.len() > limit as usize + 1 {
                    return Err(fault(job, &paths, Problem::TooDeep { limit }));
                }
            }
            None => paths.leave(),
        }
    }
    Ok(())
}

/// Copies a regular file, and skips what is neither that nor a directory.
fn entry(
    job: &mut Job,
    level: &Level,
    name: &CStr,
    paths: &Paths,
) -> Result<Option<OwnedFd>, Fault> {
    let dir = level.source.directory();
    let opened = open_regular(dir, name, |stat| job.rules.accept(stat));
    let kind = match opened {
        Ok(file) => {
            let (from, to) = (&paths.source, &paths.target);
            job.file_at(&file, from, level.target.as_fd(), name, to)?;
            return Ok(None);
        }
        Err(Problem::IsDirectory) => match Place::look(dir, name) {
            Ok(place) if place.kind() == Kind::Directory => return Ok(Some(place.fd)),
            // It was one a moment ago.
            Ok(_) | Err(_) => {
                job.copied.changed = true;
                return Ok(None);
            }
        },
        Err(Problem::Missing) => {
            job.copied.changed = true;
            return Ok(None);
        }
        Err(Problem::SymbolicLink) => Kind::Link,
        Err(Problem::NotRegular(kind)) => kind,
        Err(Problem::MountPoint) => Kind::Mount,
        Err(problem) => return Err(fault(job, paths, problem)),
    };
    job.skip(&paths.within, kind);
    Ok(None)
}

fn descend(
    job: &mut Job,
    level: &Level,
    directory: &OwnedFd,
    name: &CStr,
    paths: &Paths,
) -> Result<Level, Fault> {
    let source = open(job, directory, paths)?;
    let mode = job.rules.directory_mode;
    let (target, new) = make_directory(level.target.as_fd(), name, mode).map_err(|problem| {
        let asking = job.rules.asking(Stage::CreateDirectory);
        asking.fault(&paths.target, problem)
    })?;
    job.copied.directories += u64::from(new);
    Ok(Level { source, target })
}

fn open(job: &Job, directory: &OwnedFd, paths: &Paths) -> Result<Entries, Fault> {
    beneath::open_directory(directory.as_fd())
        .map(Entries::of)
        .map_err(|errno| fault(job, paths, errno))
}

fn count(job: &mut Job, paths: &Paths) -> Result<(), Fault> {
    let limit = job.rules.limits.entries;
    if job.copied.entries == limit {
        return Err(fault(job, paths, Problem::TooManyEntries { limit }));
    }
    job.copied.entries += 1;
    Ok(())
}

fn fault(job: &Job, paths: &Paths, problem: impl Into<Problem>) -> Fault {
    job.rules.asking(Stage::Open).fault(&paths.source, problem)
}
