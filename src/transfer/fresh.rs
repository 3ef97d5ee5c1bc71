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
        // Not every file system makes files without a name, and how it says so differs.
        // Any other reason is one for the usual way as well.
        match beneath::create_unnamed(dir, 0o600) {
            Ok(file) => Fresh::of(dir, name, existing, None, file),
            Err(_) => Fresh::named(dir, name, existing),
        }
    }

    /// The usual way: under the name wanted, or a hidden one beside it.
    fn named(
        dir: BorrowedFd<'a>,
        name: &'a CStr,
        existing: Existing,
    ) -> Result<Fresh<'a>, Problem> {
        let create = |name: &CStr| beneath::create(dir, name, 0o600);
        let (now, file) = match existing {
            Existing::Refuse => (name.to_owned(), create(name)?),
            Existing::Replace => under_hidden(create)?,
        };
        Fresh::of(dir, name, existing, Some(now), file)
    }

    fn of(
        dir: BorrowedFd<'a>,
        wanted: &'a CStr,
        existing: Existing,
        name: Option<CString>,
        file: OwnedFd,
    ) -> Result<Fresh<'a>, Problem> {
        let stat = fd::stat(file.as_raw_fd())?;
        Ok(Fresh {
            dir,
            name,
            wanted,
            existing,
            file,
            identity: (stat.st_dev, stat.st_ino),
            kept: false,
        })
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
        let hidden = name::hidden()?;
        match create(&hidden) {
            Err(Errno::EEXIST) => {}
            made => return Ok((hidden, made?)),
        }
    }
    Err(Problem::Exists)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    /// A directory of its own, removed at the end.
    struct Scratch(PathBuf, OwnedFd);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("fresh-{}-{name}", std::process::id()));
            fs::create_dir(&path).unwrap();
            let directory = fs::File::open(&path).unwrap().into();
            Scratch(path, directory)
        }

        fn names(&self) -> usize {
            fs::read_dir(&self.0).unwrap().count()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    type Way = fn(BorrowedFd<'static>, &'static CStr, Existing) -> Result<Fresh<'static>, Problem>;

    /// With and without a name meanwhile; how many names an unfinished file has.
    const WAYS: [(Way, usize); 2] = [(Fresh::create, 0), (Fresh::named, 1)];

    fn each_way(name: &str, test: impl Fn(Way, usize, &'static Scratch)) {
        for (way, unfinished) in WAYS {
            // For the one lifetime of the type above.
            let scratch: &'static Scratch =
                Box::leak(Box::new(Scratch::new(&format!("{name}-{unfinished}"))));
            test(way, unfinished, scratch);
            fs::remove_dir_all(&scratch.0).unwrap();
        }
    }

    fn write(new: &Fresh<'_>, text: &str) {
        fd::write_all(new.fd().as_raw_fd(), text.as_bytes()).unwrap();
    }

    #[test]
    fn what_is_not_finished_goes_away() {
        each_way("dropped", |way, unfinished, scratch| {
            for existing in [Existing::Refuse, Existing::Replace] {
                let new = way(scratch.1.as_fd(), c"f", existing).unwrap();
                write(&new, "half");
                assert_eq!(scratch.names(), unfinished);
                drop(new);
                assert_eq!(scratch.names(), 0);
            }
        });
    }

    #[test]
    fn what_is_there_is_neither_opened_nor_replaced() {
        each_way("exists", |way, _, scratch| {
            fs::write(scratch.0.join("f"), "old").unwrap();
            let refused = way(scratch.1.as_fd(), c"f", Existing::Refuse);
            assert_eq!(refused.err(), Some(Problem::Exists));
            assert_eq!(fs::read_to_string(scratch.0.join("f")).unwrap(), "old");
        });
    }

    #[test]
    fn a_name_that_is_taken_meanwhile_is_not_replaced() {
        let scratch = Scratch::new("taken");
        let new = Fresh::create(scratch.1.as_fd(), c"f", Existing::Refuse).unwrap();
        assert!(
            new.name.is_none(),
            "this file system makes no file without a name"
        );
        fs::write(scratch.0.join("f"), "other").unwrap();
        assert_eq!(new.finish(0o644), Err(Problem::Exists));
        assert_eq!(fs::read_to_string(scratch.0.join("f")).unwrap(), "other");
        assert_eq!(scratch.names(), 1);
    }

    #[test]
    fn the_old_one_is_there_until_the_new_one_is_finished() {
        each_way("replaced", |way, unfinished, scratch| {
            let path = scratch.0.join("f");
            fs::write(&path, "old").unwrap();
            fs::hard_link(&path, scratch.0.join("twin")).unwrap();
            let new = way(scratch.1.as_fd(), c"f", Existing::Replace).unwrap();
            write(&new, "new");
            assert_eq!(fs::read_to_string(&path).unwrap(), "old");
            assert_eq!(scratch.names(), 2 + unfinished);
            new.finish(0o640).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
            // Another name of the old file keeps its content.
            assert_eq!(fs::read_to_string(scratch.0.join("twin")).unwrap(), "old");
            assert_eq!(scratch.names(), 2);
        });
    }
}
