//! Where names lead, beneath a directory that is held: walked one name at a time, never by a link.
//! It must not open what it has not looked at, and must not believe that a name is still what it was.

use super::error::{Kind, Problem, Side, Stage};
use super::name::joined;
use crate::sys::{self, Errno, beneath, fd};
use std::ffi::{CStr, CString};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How often a name is looked at that is something else each time it is opened. An
/// honest program renames once; another may win for ever.
const LOOKS: usize = 32;

/// A directory that is held by its descriptor, whatever becomes of its name. Everything
/// is copied beneath it.
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// Takes a descriptor of a directory; `O_PATH` is enough.
    pub fn new(directory: OwnedFd) -> io::Result<Root> {
        let place = Place::of(directory).map_err(error_of)?;
        match place.kind() {
            Kind::Directory => Ok(Root(place.fd)),
            _ => Err(error_of(Errno::ENOTDIR)),
        }
    }

    /// Opens a directory by a path of the caller's, whose links are followed.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Root> {
        Root::new(open_host(path.as_ref(), libc::O_PATH | libc::O_DIRECTORY)?)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}

fn error_of(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno as i32)
}

/// By a path of the caller's.
fn open_host(path: &Path, flags: i32) -> io::Result<OwnedFd> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    Ok(file.into())
}

/// As [`open_host`], for those who speak of calls. A path that has no C form does not exist.
fn open_host_raw(path: &Path, flags: i32) -> sys::Result<OwnedFd> {
    open_host(path, flags)
        .map_err(|error| error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw))
}

/// A problem and its place, before it is known who asked.
#[derive(Debug)]
pub(super) struct Fault {
    pub stage: Stage,
    pub side: Side,
    pub path: PathBuf,
    pub problem: Problem,
}

/// Who asks for names, and of which side: what a fault will say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking {
    pub stage: Stage,
    pub side: Side,
}

impl Asking {
    pub(super) fn fault(self, path: impl Into<PathBuf>, problem: impl Into<Problem>) -> Fault {
        Fault {
            stage: self.stage,
            side: self.side,
            path: path.into(),
            problem: problem.into(),
        }
    }
}

/// What has a name, held but not opened.
pub(super) struct Place {
    pub fd: OwnedFd,
    pub stat: libc::stat,
}

impl Place {
    fn of(fd: OwnedFd) -> sys::Result<Place> {
        let stat = fd::stat(fd.as_raw_fd())?;
        Ok(Place { fd, stat })
    }

    pub(super) fn look(dir: BorrowedFd<'_>, name: &CStr) -> sys::Result<Place> {
        beneath::look(dir, name).and_then(Place::of)
    }

    /// By a path of the caller's, whose links are followed.
    pub(super) fn look_host(path: &Path) -> sys::Result<Place> {
        open_host_raw(path, libc::O_PATH).and_then(Place::of)
    }

    pub(super) fn kind(&self) -> Kind {
        match self.stat.st_mode & libc::S_IFMT {
            libc::S_IFREG => Kind::File,
            libc::S_IFDIR => Kind::Directory,
            libc::S_IFLNK => Kind::Link,
            libc::S_IFIFO => Kind::Fifo,
            libc::S_IFSOCK => Kind::Socket,
            libc::S_IFCHR => Kind::CharacterDevice,
            libc::S_IFBLK => Kind::BlockDevice,
            _ => Kind::Unknown,
        }
    }

    /// The directory, where nothing else will do.
    pub(super) fn directory(self) -> Result<OwnedFd, Problem> {
        match self.kind() {
            Kind::Directory => Ok(self.fd),
            Kind::Link => Err(Problem::SymbolicLink),
            _ => Err(Problem::NotDirectory),
        }
    }

    fn is(&self, stat: &libc::stat) -> bool {
        (self.stat.st_dev, self.stat.st_ino) == (stat.st_dev, stat.st_ino)
    }
}

/// Walks to the directory that has these names.
pub(super) fn walk(
    root: BorrowedFd<'_>,
    names: &[CString],
    asking: Asking,
) -> Result<OwnedFd, Fault> {
    let start = beneath::look(root, c".").map_err(|errno| asking.fault(".", errno))?;
    step(start, names, |dir, name| {
        Place::look(dir, name)?.directory()
    })
    .map_err(|(at, problem)| asking.fault(joined(&names[..=at]), problem))
}

/// As [`walk`], and makes the directories that are missing. The number of new ones is
/// added to `made`.
pub(super) fn walk_making(
    root: BorrowedFd<'_>,
    names: &[CString],
    mode: u32,
    side: Side,
    made: &mut u64,
) -> Result<OwnedFd, Fault> {
    let stage = Stage::CreateDirectory;
    let asking = Asking { stage, side };
    let start = beneath::look(root, c".").map_err(|errno| asking.fault(".", errno))?;
    step(start, names, |dir, name| {
        let (directory, new) = make_directory(dir, name, mode)?;
        *made += u64::from(new);
        Ok(directory)
    })
    .map_err(|(at, problem)| asking.fault(joined(&names[..=at]), problem))
}

fn step(
    start: OwnedFd,
    names: &[CString],
    mut next: impl FnMut(BorrowedFd<'_>, &CStr) -> Result<OwnedFd, Problem>,
) -> Result<OwnedFd, (usize, Problem)> {
    let mut here = start;
    for (at, name) in names.iter().enumerate() {
        here = next(here.as_fd(), name).map_err(|problem| (at, problem))?;
    }
    Ok(here)
}

/// The directory of that name, made if nothing has the name; and whether it was. Its
/// mode is the caller's umask away from what is asked: to change it afterwards could
/// meet a directory that was moved there meanwhile.
pub(super) fn make_directory(
    dir: BorrowedFd<'_>,
    name: &CStr,
    mode: u32,
) -> Result<(OwnedFd, bool), Problem> {
    let new = match fd::make_directory(dir.as_raw_fd(), name, mode) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        // A name that exists on a read-only file system, or is another's, is still a
        // directory to walk through.
        Err(errno) => match Place::look(dir, name) {
            Ok(place) => return place.directory().map(|fd| (fd, false)),
            Err(_) => return Err(errno.into()),
        },
    };
    let directory = Place::look(dir, name)?.directory()?;
    Ok((directory, new))
}

/// An open source of bytes.
pub(super) struct Opened {
    pub fd: OwnedFd,
    pub stat: libc::stat,
    /// A regular file that nobody has read from yet.
    pub whole: bool,
}

impl Opened {
    /// What the caller has open.
    pub(super) fn given(fd: BorrowedFd<'_>) -> sys::Result<Opened> {
        let fd = fd::duplicate(fd.as_raw_fd())?;
        let stat = fd::stat(fd.as_raw_fd())?;
        let whole = false;
        Ok(Opened { fd, stat, whole })
    }
}

/// Opens a regular file, and nothing else: what has the name is looked at first, and
/// what was then opened must be the same.
pub(super) fn open_regular(
    dir: BorrowedFd<'_>,
    name: &CStr,
    accept: impl Fn(&libc::stat) -> Result<(), Problem>,
) -> Result<Opened, Problem> {
    let look = || Place::look(dir, name);
    same_regular(look, || beneath::open_file(dir, name), accept)
}

/// As [`open_regular`], by a path of the caller's, whose links are followed.
pub(super) fn open_regular_host(path: &Path) -> Result<Opened, Problem> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let look = || Place::look_host(path);
    same_regular(look, || open_host_raw(path, flags), |_| Ok(()))
}

fn same_regular(
    look: impl Fn() -> sys::Result<Place>,
    open: impl Fn() -> sys::Result<OwnedFd>,
    accept: impl Fn(&libc::stat) -> Result<(), Problem>,
) -> Result<Opened, Problem> {
    for _ in 0..LOOKS {
        let place = look()?;
        match place.kind() {
            Kind::File => {}
            Kind::Link => return Err(Problem::SymbolicLink),
            Kind::Directory => return Err(Problem::IsDirectory),
            kind => return Err(Problem::NotRegular(kind)),
        }
        let fd = match open() {
            Ok(fd) => fd,
            // The name is no longer what it was, or no longer there: look again.
            Err(Errno::ENOENT | Errno::ELOOP | Errno::ENXIO | Errno::EXDEV | Errno::ENODEV) => {
                continue;
            }
            Err(errno) => return Err(errno.into()),
        };
        // The number of an inode that `place` holds is given to no other.
        let stat = fd::stat(fd.as_raw_fd())?;
        if place.is(&stat) {
            accept(&stat)?;
            let whole = true;
            return Ok(Opened { fd, stat, whole });
        }
    }
    Err(Problem::Changed)
}
