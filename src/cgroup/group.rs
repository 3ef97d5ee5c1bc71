//! One directory of cgroup v2, held by its descriptor: its files, its processes, the
//! groups below it. It decides nothing, and touches nothing that the kernel did not
//! say is cgroup2.

use super::Controllers;
use super::failure::Failure;
use crate::escape::tick;
use crate::sys::{Errno, Result, beneath, process};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::Mode;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The longest list of processes that is read.
const MOST_BYTES: u64 = 8 << 20;

/// A group. Its path is for sentences: nothing is opened by it again.
#[derive(Debug)]
pub(super) struct Group {
    directory: OwnedFd,
    path: PathBuf,
}

impl Group {
    /// The group at a path of the file system.
    pub(super) fn open(path: &Path) -> std::result::Result<Group, Failure> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = retry(|| nix::fcntl::open(path, flags, Mode::empty()))
            .map_err(|errno| Failure::because(format_args!("open {}", tick(path)), errno))?;
        let kind = fstatfs(&directory)
            .map_err(|errno| Failure::because(format_args!("look at {}", tick(path)), errno))?;
        if kind.filesystem_type() != CGROUP2_SUPER_MAGIC {
            return Err(
                Failure::new(format!("{} is not of cgroup v2", tick(path))).hint(
                    "cgroup v2 is at `/sys/fs/cgroup`, or beside v1 at `/sys/fs/cgroup/unified`",
                ),
            );
        }
        Ok(Group {
            directory,
            path: path.to_owned(),
        })
    }

    /// A group below this one, on the same mount, through no link.
    pub(super) fn below(&self, path: &Path) -> Result<Group> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        Ok(Group {
            directory: self.open_file(path, flags)?,
            path: self.path.join(path),
        })
    }

    /// The same group, once more.
    pub(super) fn again(&self) -> Result<Group> {
        let directory = self.directory.try_clone();
        Ok(Group {
            directory: directory.map_err(errno_of)?,
            path: self.path.clone(),
        })
    }

    /// Is it the group that all others are below? Its directory is the first that the kernel
    /// numbers (cgroup_setup_root() in kernel/cgroup/cgroup.c).
    pub(super) fn is_topmost(&self) -> bool {
        nix::sys::stat::fstat(&self.directory).is_ok_and(|stat| stat.st_ino == 1)
    }

    /// Where it was found.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// For sentences.
    pub(super) fn tick(&self) -> String {
        tick(&self.path)
    }

    /// Is the directory of that name in this group the group given?
    pub(super) fn names(&self, name: &str, group: &Group) -> bool {
        let flags = nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW;
        let by_name = nix::sys::stat::fstatat(&self.directory, name, flags);
        let held = nix::sys::stat::fstat(&group.directory);
        matches!((by_name, held), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
    }

    /// Makes a group below. For its maker alone: whoever may open a directory may lock it.
    pub(super) fn make(&self, name: &str) -> Result<()> {
        retry(|| nix::sys::stat::mkdirat(&self.directory, name, Mode::S_IRWXU))
    }

    /// Removes a group below, which must be empty.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let flag = nix::unistd::UnlinkatFlags::RemoveDir;
        retry(|| nix::unistd::unlinkat(&self.directory, name, flag))
    }

    /// Names of its files and of the groups below; not those that are no UTF-8.
    pub(super) fn names_below(&self) -> Result<Vec<String>> {
        // Of its own: the place in the list belongs to the open file.
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let mut entries = beneath::Entries::of(self.open_file(Path::new("."), flags)?);
        let mut names = Vec::new();
        while let Some(name) = entries.next()? {
            names.extend(name.into_string());
        }
        Ok(names)
    }

    /// Opens one of its files.
    pub(super) fn open_file(&self, name: &Path, flags: OFlag) -> Result<OwnedFd> {
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(
            ResolveFlag::RESOLVE_BENEATH
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_MAGICLINKS
                | ResolveFlag::RESOLVE_NO_XDEV,
        );
        // A rename elsewhere in the tree makes a BENEATH walk answer EAGAIN; the
        // kernel asks for a retry (openat2(2)). Bounded, so that it cannot hang.
        let mut tries = 0;
        loop {
            match nix::fcntl::openat2(&self.directory, name, how) {
                Err(Errno::EAGAIN) if tries < 128 => tries += 1,
                Err(Errno::EINTR) => {}
                other => return other,
            }
        }
    }

    /// The text of one of its files.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        let file = self.open_file(Path::new(name), OFlag::O_RDONLY)?;
        let mut text = Vec::new();
        File::from(file)
            .take(MOST_BYTES)
            .read_to_end(&mut text)
            .map_err(errno_of)?;
        Ok(text)
    }

    /// As [`Group::read`]; the kernel writes ASCII there.
    pub(super) fn read_text(&self, name: &str) -> Result<String> {
        String::from_utf8(self.read(name)?).map_err(|_| Errno::EILSEQ)
    }

    /// Writes one of its files in one call, as the kernel wants it.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let mut file = File::from(self.open_file(Path::new(name), OFlag::O_WRONLY)?);
        match file.write(text.as_bytes()) {
            Ok(written) if written == text.len() => Ok(()),
            Ok(_) => Err(Errno::EIO),
            Err(error) => Err(errno_of(error)),
        }
    }

    /// Controllers it could hand on to groups below.
    pub(super) fn available(&self) -> Controllers {
        let text = self.read_text("cgroup.controllers");
        Controllers::parse(&text.unwrap_or_default())
    }

    /// Controllers that groups below have.
    pub(super) fn handed_on(&self) -> Controllers {
        let text = self.read_text("cgroup.subtree_control");
        Controllers::parse(&text.unwrap_or_default())
    }

    /// Hands a controller on to the groups below; each by itself, so that one that
    /// cannot be does not keep the others.
    pub(super) fn hand_on(&self, one: Controllers) -> Result<()> {
        self.write("cgroup.subtree_control", &format!("+{}", word(one)))
    }

    /// Takes controllers back from the groups below.
    pub(super) fn take_back(&self, controllers: Controllers) {
        for one in controllers.iter() {
            let _ = self.write("cgroup.subtree_control", &format!("-{}", word(one)));
        }
    }

    /// Processes in it, not those below it. 0 is one of another pid namespace.
    pub(super) fn processes(&self) -> Result<Vec<libc::pid_t>> {
        let text = self.read_text("cgroup.procs")?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Has it processes of its own, and so the rule that it may hand on nothing? The root
    /// of the machine has not that rule, nor the file.
    pub(super) fn is_occupied(&self) -> bool {
        let ruled = self
            .open_file(Path::new("cgroup.type"), OFlag::O_PATH)
            .is_ok();
        ruled && !self.processes().is_ok_and(|all| all.is_empty())
    }

    /// Puts a process into it, threads and all; 0 is the caller.
    pub(super) fn take_in(&self, pid: libc::pid_t) -> Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Is there a living process in it or below it?
    pub(super) fn is_populated(&self) -> Result<bool> {
        let text = self.read("cgroup.events")?;
        Ok(super::counters::value(&text, "populated") != Some(0))
    }

    /// Kills every process in it and below it.
    pub(super) fn kill(&self) -> Result<()> {
        match self.write("cgroup.kill", "1") {
            // Before Linux 5.14.
            Err(Errno::ENOENT) => self.kill_one_by_one(),
            other => other,
        }
    }

    /// What `cgroup.kill` does, by hand. Frozen, the group starts nothing, and what
    /// stands in its list stays who it is until it is killed.
    fn kill_one_by_one(&self) -> Result<()> {
        self.write("cgroup.freeze", "1")?;
        let frozen = |group: &Group| {
            let text = group.read("cgroup.events")?;
            Ok(super::counters::value(&text, "frozen") != Some(0))
        };
        let mut done = self.wait_until(Duration::from_secs(1), frozen).map(drop);
        for pid in self.processes()? {
            if pid > 0
                && let Err(errno) = process::kill(pid, libc::SIGKILL)
                && errno != Errno::ESRCH
            {
                done = Err(errno);
            }
        }
        self.write("cgroup.freeze", "0").and(done)
    }

    /// Waits until no process lives in it; false when some still do after that long.
    pub(super) fn wait_empty(&self, patience: Duration) -> Result<bool> {
        self.wait_until(patience, |group| Ok(!group.is_populated()?))
    }

    /// Asks again at each change of `cgroup.events`.
    fn wait_until(
        &self,
        patience: Duration,
        holds: impl Fn(&Group) -> Result<bool>,
    ) -> Result<bool> {
        let events = self.open_file(Path::new("cgroup.events"), OFlag::O_RDONLY)?;
        let end = Instant::now() + patience;
        loop {
            // Changes after this reading wake the poll below.
            let mut text = [0u8; 256];
            let _ = nix::sys::uio::pread(&events, &mut text, 0)?;
            if holds(self)? {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let mut fds = [process::polled(events.as_raw_fd(), libc::POLLPRI)];
            // Not for ever: the kernel says most changes, at most every 10 ms.
            let nap = left.min(Duration::from_millis(5));
            process::poll(&mut fds, Some(nap.as_nanos() as u64))?;
        }
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

fn word(one: Controllers) -> &'static str {
    one.names().next().unwrap_or_default()
}

/// Makes the call again for as long as a signal interrupts it.
fn retry<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

pub(super) fn errno_of(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
