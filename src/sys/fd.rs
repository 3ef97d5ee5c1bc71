//! Descriptors: opening beneath, duplicating, closing. Child-safe throughout.
//!
//! Raw numbers, because between clone and exec ownership is the plan's and not
//! the type system's.

use super::{Result, check, uninterrupted};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::Mode;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, RawFd};

/// A descriptor that is only a place in the file system (`O_PATH`), reached
/// without following any symbolic link. `dir` is `AT_FDCWD` for a host path.
pub(crate) fn open_path(dir: RawFd, path: &CStr, beneath: bool) -> Result<RawFd> {
    open(dir, path, OFlag::O_PATH | OFlag::O_NOFOLLOW, 0, beneath)
}

/// Creates a regular file that did not exist, for writing.
pub(crate) fn create(dir: RawFd, path: &CStr, mode: u32) -> Result<RawFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
    open(dir, path, flags, mode, true)
}

/// Opens what is beneath a directory for reading, through no link.
pub(crate) fn open_beneath(dir: RawFd, path: &CStr) -> Result<RawFd> {
    open(dir, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, 0, true)
}

/// Opens an existing file for reading and writing, no controlling terminal.
pub(crate) fn open_read_write(dir: RawFd, path: &CStr) -> Result<RawFd> {
    open(dir, path, OFlag::O_RDWR | OFlag::O_NOCTTY, 0, false)
}

/// Opens a file of `/proc` for writing, `path` being what follows `/proc/`.
///
/// Only on the procfs itself: what a tmpfs holds that stands at `/proc`, or what is
/// mounted over one of its files, is not what is to be written (CVE-2019-19921,
/// CVE-2025-52881). `self` is a link, and meant to be followed.
pub(crate) fn open_proc(path: &CStr) -> Result<RawFd> {
    let proc = procfs()?;
    let file = open_in_proc(proc, path);
    close(proc);
    file
}

/// The procfs at `/proc`, as a place.
pub(crate) fn procfs() -> Result<RawFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let proc = open(libc::AT_FDCWD, c"/proc", flags, 0, false)?;
    match is_procfs(proc) {
        Ok(true) => Ok(proc),
        other => {
            close(proc);
            Err(other.err().unwrap_or(super::Errno::ENOENT))
        }
    }
}

/// As [`open_proc`], in the procfs given.
pub(crate) fn open_in_proc(proc: RawFd, path: &CStr) -> Result<RawFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_XDEV
        | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    resolved(proc, path, OFlag::O_WRONLY, 0, resolve)
}

/// Writes a file of `/proc` in one call, as id maps want it; see [`open_proc`].
pub(crate) fn write_proc(path: &CStr, text: &[u8]) -> Result<()> {
    written(open_proc(path)?, text)
}

/// The same in the procfs given.
pub(crate) fn write_in_proc(proc: RawFd, path: &CStr, text: &[u8]) -> Result<()> {
    written(open_in_proc(proc, path)?, text)
}

fn written(file: RawFd, text: &[u8]) -> Result<()> {
    let written = write_all(file, text);
    close(file);
    written
}

fn is_procfs(fd: RawFd) -> Result<bool> {
    // SAFETY: the caller's descriptor stays open for the call.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let kind = nix::sys::statfs::fstatfs(fd)?.filesystem_type();
    Ok(kind == nix::sys::statfs::PROC_SUPER_MAGIC)
}

/// Opens a file of this process in `/proc` for reading. The path is followed:
/// `/proc/self` is a link, and meant to be, and so are those to namespaces.
pub(crate) fn open_read(path: &CStr) -> Result<RawFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    uninterrupted(|| nix::fcntl::open(path, flags, Mode::empty())).map(IntoRawFd::into_raw_fd)
}

/// The same in the procfs given.
pub(crate) fn open_read_in(proc: RawFd, path: &CStr) -> Result<RawFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    // SAFETY: the caller's descriptor stays open for the call.
    let proc = unsafe { BorrowedFd::borrow_raw(proc) };
    uninterrupted(|| nix::fcntl::openat(proc, path, flags, Mode::empty()))
        .map(IntoRawFd::into_raw_fd)
}

fn open(dir: RawFd, path: &CStr, flags: OFlag, mode: u32, beneath: bool) -> Result<RawFd> {
    let mut resolve = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    if beneath {
        resolve |= ResolveFlag::RESOLVE_BENEATH;
    }
    resolved(dir, path, flags, mode, resolve)
}

pub(super) fn resolved(
    dir: RawFd,
    path: &CStr,
    flags: OFlag,
    mode: u32,
    resolve: ResolveFlag,
) -> Result<RawFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .mode(Mode::from_bits_truncate(mode))
        .resolve(resolve);
    // A rename elsewhere in the tree makes a BENEATH walk answer EAGAIN; the
    // kernel asks for a retry (openat2(2)). Bounded, so that it cannot hang.
    let mut tries = 0;
    loop {
        // SAFETY: AT_FDCWD and descriptors of the plan stay valid for the call.
        let dirfd = unsafe { BorrowedFd::borrow_raw(dir) };
        match nix::fcntl::openat2(dirfd, path, how) {
            Err(super::Errno::EAGAIN) if tries < 128 => tries += 1,
            Err(super::Errno::EINTR) => {}
            other => return other.map(IntoRawFd::into_raw_fd),
        }
    }
}

/// `fstat(2)`.
pub(crate) fn stat(fd: RawFd) -> Result<libc::stat> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the pointer is valid for writing a stat.
    check(unsafe { libc::fstat(fd, stat.as_mut_ptr()) }.into())?;
    // SAFETY: zeroed is valid, and the kernel filled it.
    Ok(unsafe { stat.assume_init() })
}

/// `mkdirat(2)`.
pub(crate) fn make_directory(dir: RawFd, path: &CStr, mode: u32) -> Result<()> {
    // SAFETY: the path is NUL-terminated.
    check(unsafe { libc::mkdirat(dir, path.as_ptr(), mode) }.into()).map(drop)
}

/// `symlinkat(2)`.
pub(crate) fn make_symlink(target: &CStr, dir: RawFd, path: &CStr) -> Result<()> {
    // SAFETY: both paths are NUL-terminated.
    check(unsafe { libc::symlinkat(target.as_ptr(), dir, path.as_ptr()) }.into()).map(drop)
}

/// `unlinkat(2)`.
pub(crate) fn remove(dir: RawFd, path: &CStr, directory: bool) -> Result<()> {
    let flags = if directory { libc::AT_REMOVEDIR } else { 0 };
    // SAFETY: the path is NUL-terminated.
    check(unsafe { libc::unlinkat(dir, path.as_ptr(), flags) }.into()).map(drop)
}

/// Writes everything; waits where a non-blocking descriptor is full.
pub(crate) fn write_all(fd: RawFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the pointer and length describe `bytes`.
        match check(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } as libc::c_long)
        {
            Ok(written) => bytes = bytes.get(written as usize..).unwrap_or(&[]),
            Err(super::Errno::EINTR) => {}
            Err(super::Errno::EAGAIN) => {
                let mut fds = [super::process::polled(fd, libc::POLLOUT)];
                super::process::poll(&mut fds, None)?;
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// `write(2)`, once: the number of bytes that were taken.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the pointer and length describe `bytes`.
    check(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } as libc::c_long)
        .map(|written| written as usize)
}

/// Sets O_NONBLOCK, for everybody who shares this open file description.
pub(crate) fn set_nonblocking(fd: RawFd) -> Result<()> {
    // SAFETY: no memory is passed.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) }.into())? as libc::c_int;
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) }.into()).map(drop)
}

/// `close(2)`; errors mean the descriptor is gone all the same.
pub(crate) fn close(fd: RawFd) {
    // SAFETY: closing a number is memory-safe; the plan owns what it closes.
    unsafe { libc::close(fd) };
}

/// `close(2)` of what must not stay open: an error means that it may have. Parent only
/// (ownership).
pub(crate) fn let_go(fd: std::os::fd::OwnedFd) -> Result<()> {
    // SAFETY: the descriptor was owned, and nobody uses its number after this.
    check(unsafe { libc::close(std::os::fd::IntoRawFd::into_raw_fd(fd)) }.into()).map(drop)
}

/// `close_range(2)` (Linux 5.9), both ends included.
pub(crate) fn close_range(first: u32, last: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// `dup2(2)`: `to` becomes a copy of `from` that survives exec.
pub(crate) fn duplicate_onto(from: RawFd, to: RawFd) -> Result<()> {
    // dup2 does nothing then, and would leave close-on-exec set.
    if from == to {
        return keep_across_exec(to);
    }
    // SAFETY: no memory is passed.
    check(unsafe { libc::dup2(from, to) }.into()).map(drop)
}

/// Lets a descriptor survive exec.
pub(crate) fn keep_across_exec(fd: RawFd) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }.into()).map(drop)
}

/// Is the number an open descriptor?
pub(crate) fn is_open(fd: RawFd) -> bool {
    // SAFETY: no memory is passed.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Is `fd` a place in the file system rather than an open file: a directory, or
/// anything opened with O_PATH?
pub(crate) fn is_a_place(fd: RawFd) -> Result<bool> {
    // SAFETY: F_GETFL takes no pointer.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) }.into())? as libc::c_int;
    Ok(flags & libc::O_PATH != 0 || stat(fd)?.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

/// May the file of `fd` be opened again, for reading and for writing, without
/// giving more than `fd` gives already? Neither for a pipe or socket, which need no
/// second opening; a directory or a device, where it could reach something else; a
/// file that is only appended to, for writing; a terminal that is not this
/// process's own, which whoever opens it could make theirs.
pub(crate) fn reopenable(fd: RawFd) -> Result<(bool, bool)> {
    // SAFETY: F_GETFL takes no pointer.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) }.into())? as libc::c_int;
    let stat = stat(fd)?;
    let harmless = match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => true,
        libc::S_IFCHR => {
            // SAFETY: no memory is passed.
            let own = || unsafe { libc::tcgetsid(fd) } >= 0;
            stat.st_rdev == libc::makedev(1, 3) || own() // `/dev/null`
        }
        _ => false,
    };
    let mode = flags & libc::O_ACCMODE;
    let usable = harmless && flags & libc::O_PATH == 0;
    Ok((
        usable && (mode == libc::O_RDONLY || mode == libc::O_RDWR),
        usable && (mode == libc::O_WRONLY || mode == libc::O_RDWR) && flags & libc::O_APPEND == 0,
    ))
}

/// A close-on-exec copy numbered 3 or higher. Parent only (ownership).
pub(crate) fn duplicate(fd: RawFd) -> Result<std::os::fd::OwnedFd> {
    duplicate_from(fd, libc::STDERR_FILENO + 1)
}

/// A close-on-exec copy at the first free number from `least` on. Parent only
/// (ownership).
pub(crate) fn duplicate_from(fd: RawFd, least: RawFd) -> Result<std::os::fd::OwnedFd> {
    copy_from(fd, least).map(own)
}

/// The same without an owner. Child-safe.
fn copy_from(fd: RawFd, least: RawFd) -> Result<RawFd> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) }.into()).map(|fd| fd as RawFd)
}

/// The same descriptor under a number that is no standard stream's. Child-safe.
pub(crate) fn raise(fd: RawFd) -> Result<RawFd> {
    if fd > libc::STDERR_FILENO {
        return Ok(fd);
    }
    let raised = copy_from(fd, libc::STDERR_FILENO + 1);
    close(fd);
    raised
}

/// The same descriptor, or a copy of it where its number is one of a standard
/// stream. Parent only (ownership).
pub(crate) fn above_stdio(fd: std::os::fd::OwnedFd) -> Result<std::os::fd::OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    duplicate(fd.as_raw_fd())
}

/// Reads an extended attribute (`fgetxattr(2)`) into `buffer`; its length. Parent only.
pub(crate) fn attribute(fd: BorrowedFd<'_>, name: &CStr, buffer: &mut [u8]) -> Result<usize> {
    let (value, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the name is NUL-terminated; pointer and length describe `buffer`.
    let read = unsafe { libc::fgetxattr(fd.as_raw_fd(), name.as_ptr(), value, length) };
    check(read as libc::c_long).map(|length| length as usize)
}

/// `fchdir(2)`.
pub(crate) fn enter(fd: RawFd) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fchdir(fd) }.into()).map(drop)
}

/// `chdir(2)`.
pub(crate) fn change_directory(path: &CStr) -> Result<()> {
    // SAFETY: the path is NUL-terminated.
    check(unsafe { libc::chdir(path.as_ptr()) }.into()).map(drop)
}

/// Reads into `buffer` once; the number of bytes, 0 at the end.
pub(crate) fn read(fd: &impl AsRawFd, buffer: &mut [u8]) -> Result<usize> {
    let (place, room) = (buffer.as_mut_ptr(), buffer.len());
    uninterrupted(|| {
        // SAFETY: pointer and length describe `buffer`.
        check(unsafe { libc::read(fd.as_raw_fd(), place.cast(), room) } as libc::c_long)
    })
    .map(|bytes| bytes as usize)
}

/// Is the mount that `fd` lies on read-only? (`fstatvfs(3)`, ST_RDONLY.)
pub(crate) fn is_read_only(fd: RawFd) -> Result<bool> {
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the pointer is valid for writing a statvfs.
    check(unsafe { libc::fstatvfs(fd, stat.as_mut_ptr()) }.into())?;
    // SAFETY: zeroed is valid, and the call filled it.
    let stat = unsafe { stat.assume_init() };
    Ok(stat.f_flag & libc::ST_RDONLY != 0)
}

/// Does the working directory have a path below the root? The kernel prefixes
/// one that has none with `(unreachable)` (getcwd(2)).
pub(crate) fn working_directory_is_reachable() -> Result<bool> {
    let mut buffer = [0u8; libc::PATH_MAX as usize];
    // SAFETY: pointer and length describe `buffer`.
    check(unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) })?;
    Ok(buffer.first() == Some(&b'/'))
}

/// Takes ownership of a descriptor a wrapper of this module's siblings made.
/// Parent only.
pub(crate) fn own(fd: RawFd) -> std::os::fd::OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: callers pass a number just returned by a call that made it, and
    // forget the number.
    unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) }
}

/// Reads from the start of a file, whatever its position (`pread(2)`).
pub(crate) fn read_at_start(fd: RawFd, buffer: &mut [u8]) -> Result<usize> {
    let (place, room) = (buffer.as_mut_ptr(), buffer.len());
    uninterrupted(|| {
        // SAFETY: pointer and length describe `buffer`.
        check(unsafe { libc::pread(fd, place.cast(), room, 0) } as libc::c_long)
    })
    .map(|bytes| bytes as usize)
}

/// Bytes in use in the file system of a descriptor (`fstatfs(2)`).
pub(crate) fn used(fd: RawFd) -> Result<u64> {
    // SAFETY: the caller's descriptor stays open for the call.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let facts = nix::sys::statfs::fstatfs(fd)?;
    let blocks = facts.blocks().saturating_sub(facts.blocks_free());
    Ok(blocks.saturating_mul(facts.block_size() as u64))
}
