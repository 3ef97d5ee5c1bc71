//! A group for one run: made, locked, limited, read, ended, removed. It starts no
//! program, and says what the kernel says.

use super::controllers::Controllers;
use super::counters::{self, Cpu, MemoryEvents};
use super::failure::Failure;
use super::group::Group;
use super::limits::{self, Limits};
use super::stale;
use crate::escape::tick;
use crate::sys::{Errno, fd};
use nix::fcntl::{Flock, OFlag};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of what was killed is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a leaf is made again that a collector took for a stale one.
const TRIES: u32 = 32;

/// A group for one run. Dropped, everything in it is killed, and it is removed.
#[derive(Debug)]
pub struct Leaf {
    home: Arc<Group>,
    name: String,
    group: Group,
    cpu_stat: OwnedFd,
    controllers: Controllers,
    ended: bool,
    /// Others see by it that the leaf is in use. Released last.
    _lock: Flock<OwnedFd>,
}

impl Leaf {
    pub(super) fn make(home: &Arc<Group>) -> Result<Leaf, Failure> {
        let failed = |errno: Errno| {
            let failure =
                Failure::because(format_args!("make a group below {}", home.tick()), errno);
            match errno {
                Errno::EAGAIN => failure.hint(
                    "`cgroup.max.descendants` or `cgroup.max.depth` of a group above is reached",
                ),
                Errno::EROFS => {
                    failure.hint("cgroup v2 is mounted read-only here, as in most containers")
                }
                _ => failure,
            }
        };
        for _ in 0..TRIES {
            let name = stale::fresh();
            match home.make(&name) {
                Err(Errno::EEXIST) => continue,
                made => made.map_err(failed)?,
            }
            // Until it is locked, a collector may take it for a stale one.
            match Leaf::taken(home, &name) {
                Ok(Some(leaf)) => return Ok(leaf),
                Ok(None) => {}
                Err(errno) => {
                    let _ = home.remove(&name);
                    return Err(failed(errno));
                }
            }
        }
        Err(Failure::new(format!(
            "cannot make a group below {}: each was removed at once",
            home.tick()
        )))
    }

    fn taken(home: &Arc<Group>, name: &str) -> Result<Option<Leaf>, Errno> {
        let group = match home.below(Path::new(name)) {
            Err(Errno::ENOENT | Errno::ENODEV) => return Ok(None),
            group => group?,
        };
        let Some(lock) = stale::lock(&group)? else {
            return Ok(None);
        };
        if !home.names(name, &group) {
            return Ok(None);
        }
        let controllers = usable(&group);
        Ok(Some(Leaf {
            home: Arc::clone(home),
            name: name.to_owned(),
            // Passed on to a child, where 0 to 2 are the program's.
            cpu_stat: group
                .open_file(Path::new("cpu.stat"), OFlag::O_RDONLY)
                .and_then(fd::above_stdio)?,
            group,
            controllers,
            ended: false,
            _lock: lock,
        }))
    }

    /// Looks again which controllers it has, after its home was given more.
    pub(super) fn look(&mut self) -> Controllers {
        self.controllers = usable(&self.group);
        self.controllers
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.group.path()
    }

    /// Controllers that it has: their files are there, and were opened for writing.
    pub fn controllers(&self) -> Controllers {
        self.controllers
    }

    /// Its directory, for `CLONE_INTO_CGROUP`. See the [module](super) on what the
    /// process that clones must be, and on the namespace.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.group.as_fd()
    }

    /// `cpu.stat`, open for reading: whoever holds it, pid 1 inside too, reads it
    /// again at offset 0 (`pread(2)`) for as long as the leaf is there. See [`Cpu::parse`].
    pub fn cpu_stat_fd(&self) -> BorrowedFd<'_> {
        self.cpu_stat.as_fd()
    }

    /// Puts a process into it that was started elsewhere, threads and all. What it
    /// used before is not counted here.
    ///
    /// # Errors
    /// The kernel refuses it: see the [module](super).
    pub fn adopt(&self, pid: i32) -> Result<(), Failure> {
        self.group.take_in(pid).map_err(|errno| {
            Failure::because(
                format_args!("put process {pid} into {}", self.group.tick()),
                errno,
            )
        })
    }

    /// Sets limits, each read back; what the kernel holds now. With a limit of memory,
    /// swap is 0 and the group is killed as a whole.
    ///
    /// # Errors
    /// A controller is not there, or the kernel refuses a value or keeps another.
    pub fn set(&self, limits: &Limits) -> Result<Limits, Failure> {
        limits::set(&self.group, self.controllers, limits)
    }

    /// Processor time used so far.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn cpu(&self) -> Result<Cpu, Failure> {
        let mut text = [0u8; 4096];
        let read = nix::sys::uio::pread(&self.cpu_stat, &mut text, 0);
        let read = read.map_err(|errno| self.unread("cpu.stat", errno))?;
        let cpu = Cpu::parse(text.get(..read).unwrap_or_default());
        cpu.ok_or_else(|| self.unread("cpu.stat", Errno::EBADMSG))
    }

    /// Most memory used at once, bytes; `None` before Linux 5.19 and without the controller.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn memory_peak(&self) -> Result<Option<u64>, Failure> {
        self.number("memory.peak")
    }

    /// Memory used now, bytes; `None` without the controller.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn memory_current(&self) -> Result<Option<u64>, Failure> {
        self.number("memory.current")
    }

    /// `memory.current`, open for reading, for a process inside that says what it has
    /// used so far.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn memory_current_file(&self) -> Result<OwnedFd, Failure> {
        let name = "memory.current";
        let file = self.group.open_file(Path::new(name), OFlag::O_RDONLY);
        file.and_then(fd::above_stdio)
            .map_err(|errno| self.unread(name, errno))
    }

    /// What became of the memory limit; `None` without the controller.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn memory_events(&self) -> Result<Option<MemoryEvents>, Failure> {
        self.parsed("memory.events", MemoryEvents::parse)
    }

    /// Most processes and threads at once; `None` before Linux 6.1 and without the controller.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn pids_peak(&self) -> Result<Option<u64>, Failure> {
        self.number("pids.peak")
    }

    /// Processes and threads now; `None` without the controller.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn pids_current(&self) -> Result<Option<u64>, Failure> {
        self.number("pids.current")
    }

    /// How often a process or thread was refused for the limit; `None` without the
    /// controller.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn pids_denied(&self) -> Result<Option<u64>, Failure> {
        self.parsed("pids.events", |text| counters::value(text, "max"))
    }

    /// Is there a living process in it?
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_populated(&self) -> Result<bool, Failure> {
        let populated = self.group.is_populated();
        populated.map_err(|errno| self.unread("cgroup.events", errno))
    }

    /// Kills every process in it, those too that are being made. Does not wait.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn kill(&self) -> Result<(), Failure> {
        self.group.kill().map_err(|errno| {
            Failure::because(format_args!("kill what is in {}", self.group.tick()), errno)
        })
    }

    /// Kills what is in it, waits for its end and removes it, as dropping does, and
    /// says when that fails. Then the next [`Home::find`](super::Home::find) tries again.
    ///
    /// # Errors
    /// A process does not end within two seconds.
    pub fn end(mut self) -> Result<(), Failure> {
        self.finish().map_err(|errno| {
            let failure = Failure::because(format_args!("remove {}", self.group.tick()), errno);
            match errno {
                Errno::EBUSY => {
                    failure.hint("a process in it does not end: see its `cgroup.procs`")
                }
                _ => failure,
            }
        })
    }

    fn finish(&mut self) -> Result<(), Errno> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        stale::end(&self.home, &self.name, &self.group, PATIENCE)
    }

    fn number(&self, file: &str) -> Result<Option<u64>, Failure> {
        self.parsed(file, counters::number)
    }

    fn parsed<T>(
        &self,
        file: &str,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        match self.group.read(file) {
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.unread(file, errno)),
            Ok(text) => match parse(&text) {
                None => Err(self.unread(file, Errno::EBADMSG)),
                some => Ok(some),
            },
        }
    }

    fn unread(&self, file: &str, errno: Errno) -> Failure {
        let path = self.group.path().join(file);
        Failure::because(format_args!("read {}", tick(path)), errno)
    }
}

/// Listed, and each with its files.
fn usable(group: &Group) -> Controllers {
    let there = |one: &Controllers| {
        let mut files = one.files();
        files.all(|file| group.open_file(Path::new(file), OFlag::O_WRONLY).is_ok())
    };
    let listed = group.available();
    let found = listed.iter().filter(there);
    found.fold(Controllers::NONE, |all, one| all | one)
}

impl Drop for Leaf {
    fn drop(&mut self) {
        // Nobody is there to be told; the next search tries again.
        let _ = self.finish();
    }
}
