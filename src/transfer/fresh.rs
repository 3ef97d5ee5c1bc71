//! A new file without a name until it is complete; where the file system cannot do that, under
//! its own name, or under a hidden one until it takes another's place.
//! It must never open, and so never truncate, what is there already, and must leave nothing
//! unfinished behind.

use super::error::Problem;
use super::place::Place;
use super::{Existing, name};
use crate::sys::{self, Errno, beneath, fd};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How many hidden names are tried. One is enough unless somebody can foresee them.
const TRIES: usize = 16;

/// A regular file that is being written.
pub(super) struct Fresh<'a> {
    dir: BorrowedFd<'a>,
    /// The name that it has now; none where the file system makes files without one, so
    /// that whatever ends this process leaves nothing unfinished.
    name: Option<CString>,
    /// The name that it takes at the end.
    wanted: &'a CStr,
    existing: Existing,
    file: OwnedFd,
    identity: (libc::dev_t, libc::ino_t),
    kept: bool,
}

impl<'a> Fresh<'a> {
    /// Empty, and private until it is finished.
    pub(super) fn create(
        dir: BorrowedFd<'a>,
        name: &'a CStr,
        existing: Existing,
    ) -> Result<Fresh<'a>, Problem> {
        // Not only at the end, when all has been copied.
        if existing == Existing::Refuse && beneath::look(dir, name).is_ok() {
            return Err(Problem::Exists);
        }
        let (now, file) = match beneath::create_unnamed(dir, 0o600) {
            Ok(file) => (None, file),
            // Not every file system can, and how it says so differs. Any other reason
            // is one for the usual way as well.
            Err(_) => {
                let (now, file) = Fresh::named(dir, name, existing)?;
                (Some(now), file)
            }
        };
        let stat = fd::stat(file.as_raw_fd())?;
        Ok(Fresh {
            dir,
            name: now,
            wanted: name,
            existing,
            file,
            identity: (stat.st_dev, stat.st_ino),
            kept: false,
        })
    }

    fn named(
        dir: BorrowedFd<'_>,
        name: &CStr,
        existing: Existing,
    ) -> Result<(CString, OwnedFd), Problem> {
        let create = |name: &CStr| beneath::create(dir, name, 0o600);
        match existing {
            Existing::Refuse => Ok((name.to_owned(), create(name)?)),
            Existing::Replace => under_hidden(create),
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Gives it its mode and its name.
    pub(super) fn finish(mut self, mode: u32) -> Result<(), Problem> {
        beneath::set_mode(self.fd(), mode)?;
        if self.name.is_none() {
            self.link()?;
        }
        if self.existing == Existing::Replace
            && let Some(hidden) = &self.name
        {
            beneath::rename(self.dir, hidden, self.wanted).map_err(unreplaceable)?;
            // From here it is not ours to remove, whatever has the name.
            self.kept = true;
            self.name = Some(self.wanted.to_owned());
        }
        // The name it had, or the way to it, may have been in the program's reach.
        if !self.is_there() {
            return Err(Problem::Changed);
        }
        self.kept = true;
        Ok(())
    }

    /// Its first name: the one wanted, or a hidden one that takes the other's place.
    fn link(&mut self) -> Result<(), Problem> {
        let link = |name: &CStr| beneath::link(self.file.as_fd(), self.dir, name);
        self.name = Some(match self.existing {
            Existing::Refuse => {
                link(self.wanted)?;
                self.wanted.to_owned()
            }
            Existing::Replace => under_hidden(link)?.0,
        });
        Ok(())
    }

    fn is_there(&self) -> bool {
        let Some(name) = &self.name else {
            return false;
        };
        Place::look(self.dir, name)
            .is_ok_and(|place| (place.stat.st_dev, place.stat.st_ino) == self.identity)
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name
            && !self.kept
            && self.is_there()
        {
            let _ = fd::remove(self.dir.as_raw_fd(), name, false);
        }
    }
}

/// Makes a symbolic link, whose text may be anything.
pub(super) fn link(
    target: &Path,
    dir: BorrowedFd<'_>,
    name: &CStr,
    existing: Existing,
) -> Result<(), Problem> {
    let target = CString::new(target.as_os_str().as_bytes()).map_err(|_| Problem::NulInPath)?;
    let create = |name: &CStr| fd::make_symlink(&target, dir.as_raw_fd(), name);
    match existing {
        Existing::Refuse => create(name).map_err(Problem::from),
        Existing::Replace => {
            let (hidden, ()) = under_hidden(create)?;
            beneath::rename(dir, &hidden, name).map_err(|errno| {
                let _ = fd::remove(dir.as_raw_fd(), &hidden, false);
                unreplaceable(errno)
            })
        }
    }
}

/// rename(2) says of a directory with entries that it is not empty, before it says
/// that it is a directory.
fn unreplaceable(errno: Errno) -> Problem {
    match errno {
        Errno::ENOTEMPTY => Problem::IsDirectory,
        // The hidden name is gone: somebody moved it.
        Errno::ENOENT => Problem::Changed,
        errno => errno.into(),
    }
}

fn under_hidden<T>(create: impl Fn(&CStr) -> sys::Result<T>) -> Result<(CString, T), Problem> {
    for _ in 0..TRIES {
        let hidden = name::hidden();
        match create(&hidden) {
            Err(Errno::EEXIST) => {}
            made => return Ok((hidden, made?)),
        }
    }
    Err(Problem::Exists)
}
