//! One copy: its rules, what is left of its limits, and each file's way from source to target.
//! It must not create anything before the source was found good.

use super::content::{self, Broken, Sink};
use super::error::{Kind, Problem, Side, Stage};
use super::fresh::{self, Fresh};
use super::name;
use super::options::{Copied, Existing, HardLinks, In, Limits, NAMED, Out};
use super::place::{Asking, Fault, Opened, Root, walk_making};
use crate::sys::fd;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The options of either direction.
pub(super) struct Rules {
    pub limits: Limits,
    /// Where the source is, and where the target.
    pub from: Side,
    pub to: Side,
    pub directory_mode: u32,
    mode: u32,
    keep_executable: bool,
    truncate: bool,
    hard_links: HardLinks,
    owner: Option<u32>,
    existing: Existing,
}

impl Rules {
    pub(super) fn of_in(options: &In) -> Rules {
        Rules {
            limits: options.limits,
            from: Side::Outside,
            to: Side::Inside,
            directory_mode: options.directory_mode,
            mode: options.mode,
            keep_executable: options.keep_executable,
            truncate: false,
            hard_links: HardLinks::Allow,
            owner: None,
            existing: options.existing,
        }
    }

    pub(super) fn of_out(options: &Out) -> Rules {
        Rules {
            limits: options.limits,
            from: Side::Inside,
            to: Side::Outside,
            directory_mode: options.directory_mode,
            mode: options.mode,
            keep_executable: options.keep_executable,
            truncate: options.truncate,
            hard_links: options.hard_links,
            owner: options.owner,
            existing: options.existing,
        }
    }

    pub(super) fn asking(&self, stage: Stage) -> Asking {
        let side = match stage {
            Stage::Open => self.from,
            _ => self.to,
        };
        Asking { stage, side }
    }

    /// May this file be read? Its kind is known to be right.
    pub(super) fn accept(&self, stat: &libc::stat) -> Result<(), Problem> {
        if let Some(owner) = self.owner
            && owner != stat.st_uid
        {
            return Err(Problem::ForeignOwner { owner: stat.st_uid });
        }
        // 32 bits on some architectures.
        #[allow(clippy::unnecessary_cast)]
        let links = stat.st_nlink as u64;
        match self.hard_links {
            HardLinks::Refuse if links > 1 => Err(Problem::HardLink { links }),
            _ => Ok(()),
        }
    }

    fn mode_for(&self, source: &libc::stat) -> u32 {
        match self.keep_executable && source.st_mode & libc::S_IXUSR != 0 {
            true => self.mode | (self.mode & 0o444) >> 2,
            false => self.mode,
        }
    }
}

/// One copy under way.
pub(super) struct Job {
    pub rules: Rules,
    pub copied: Copied,
}

impl Job {
    pub(super) fn new(rules: Rules) -> Job {
        Job {
            rules,
            copied: Copied::default(),
        }
    }

    /// No bit beyond 0777 is ever set.
    pub(super) fn check_modes(&self, path: &Path, asking: Asking) -> Result<(), Fault> {
        let modes = [self.rules.mode, self.rules.directory_mode];
        match modes.into_iter().find(|mode| mode & !0o777 != 0) {
            Some(mode) => Err(asking.fault(path, Problem::BadMode { mode })),
            None => Ok(()),
        }
    }

    /// The names of a path that was asked for.
    pub(super) fn names(&self, path: &Path, asking: Asking) -> Result<Vec<CString>, Fault> {
        let names = name::names(path).map_err(|problem| asking.fault(path, problem))?;
        let limit = self.rules.limits.depth;
        match names.len() > limit as usize {
            true => Err(asking.fault(path, Problem::TooDeep { limit })),
            false => Ok(names),
        }
    }

    /// Memory to a new file.
    pub(super) fn bytes(&mut self, bytes: &[u8], root: &Root, to: &[CString]) -> Result<(), Fault> {
        let length = bytes.len() as u64;
        let content = self.rules.asking(Stage::Content);
        self.admit(length)
            .map_err(|problem| content.fault(name::joined(to), problem))?;
        let (dir, last) = self.parent(Stage::Create, root, to)?;
        let create = self.rules.asking(Stage::Create);
        let path = name::joined(to);
        let new = Fresh::create(dir.as_fd(), last, self.rules.existing)
            .map_err(|problem| create.fault(&path, problem))?;
        fd::write_all(new.fd().as_raw_fd(), bytes).map_err(|errno| content.fault(&path, errno))?;
        new.finish(self.rules.mode)
            .map_err(|problem| create.fault(&path, problem))?;
        self.copied.bytes += length;
        self.copied.files += 1;
        Ok(())
    }

    /// A new symbolic link.
    pub(super) fn link(&mut self, text: &Path, root: &Root, to: &[CString]) -> Result<(), Fault> {
        let (dir, last) = self.parent(Stage::Link, root, to)?;
        let asking = self.rules.asking(Stage::Link);
        fresh::link(text, dir.as_fd(), last, self.rules.existing)
            .map_err(|problem| asking.fault(name::joined(to), problem))
    }

    /// An open file to a new one.
    pub(super) fn file(
        &mut self,
        source: &Opened,
        from: &Path,
        root: &Root,
        to: &[CString],
    ) -> Result<(), Fault> {
        self.admit_opened(source, from)?;
        let (dir, last) = self.parent(Stage::Create, root, to)?;
        self.file_at(source, from, dir.as_fd(), last, &name::joined(to))
    }

    /// An open file to a new one in a directory that is held.
    pub(super) fn file_at(
        &mut self,
        source: &Opened,
        from: &Path,
        dir: BorrowedFd<'_>,
        last: &CStr,
        to: &Path,
    ) -> Result<(), Fault> {
        self.admit_opened(source, from)?;
        let create = self.rules.asking(Stage::Create);
        let new = Fresh::create(dir, last, self.rules.existing)
            .map_err(|problem| create.fault(to, problem))?;
        self.pour(source, from, Sink::New(new.fd()), to)?;
        new.finish(self.rules.mode_for(&source.stat))
            .map_err(|problem| create.fault(to, problem))
    }

    /// The content of an open file.
    pub(super) fn pour(
        &mut self,
        source: &Opened,
        from: &Path,
        sink: Sink<'_>,
        to: &Path,
    ) -> Result<(), Fault> {
        self.admit_opened(source, from)?;
        let stage = Stage::Content;
        let reading = Asking {
            stage,
            side: self.rules.from,
        };
        let writing = self.rules.asking(stage);
        let broken = |broken| match broken {
            Broken::Reading(problem) => reading.fault(from, problem),
            Broken::Writing(problem) => writing.fault(to, problem),
        };
        let fd = source.fd.as_fd();
        let most = self.rules.limits.file_bytes.min(self.left());
        let bytes = content::pour(fd, source.whole, sink, most).map_err(broken)?;
        if bytes == most && content::more(fd).map_err(broken)? {
            self.admit(most.saturating_add(1))
                .map_err(|problem| reading.fault(from, problem))?;
            self.copied.truncated += 1;
        }
        self.copied.bytes += bytes;
        self.copied.files += 1;
        self.copied.changed |= changed(source);
        Ok(())
    }

    /// Does a file that says it is this long fit? The first answer costs no byte.
    fn admit_opened(&self, source: &Opened, path: &Path) -> Result<(), Fault> {
        let says = match source.whole {
            true => u64::try_from(source.stat.st_size).unwrap_or(0),
            false => 0,
        };
        self.admit(says).map_err(|problem| Fault {
            stage: Stage::Content,
            side: self.rules.from,
            path: path.to_owned(),
            problem,
        })
    }

    fn admit(&self, bytes: u64) -> Result<(), Problem> {
        let limits = self.rules.limits;
        if bytes > limits.file_bytes && !self.rules.truncate {
            let limit = limits.file_bytes;
            return Err(Problem::TooLarge { limit });
        }
        if bytes.min(limits.file_bytes) > self.left() {
            let limit = limits.total_bytes;
            return Err(Problem::TooMuch { limit });
        }
        Ok(())
    }

    fn left(&self) -> u64 {
        let total = self.rules.limits.total_bytes;
        total.saturating_sub(self.copied.bytes)
    }

    /// The directory that a new name goes into, and the name.
    fn parent<'a>(
        &mut self,
        stage: Stage,
        root: &Root,
        to: &'a [CString],
    ) -> Result<(OwnedFd, &'a CStr), Fault> {
        let Some((last, above)) = to.split_last() else {
            let asking = self.rules.asking(stage);
            return Err(asking.fault(".", Problem::IsDirectory));
        };
        Ok((self.directory(root, above)?, last))
    }

    /// The directory of these names at the target, made if it is missing.
    pub(super) fn directory(&mut self, root: &Root, to: &[CString]) -> Result<OwnedFd, Fault> {
        let mode = self.rules.directory_mode;
        let made = &mut self.copied.directories;
        walk_making(root.fd(), to, mode, self.rules.to, made)
    }

    /// Counts what is not copied from a tree.
    pub(super) fn skip(&mut self, path: &Path, kind: Kind) {
        self.copied.skipped += 1;
        if self.copied.skipped_names.len() < NAMED {
            self.copied.skipped_names.push((PathBuf::from(path), kind));
        }
    }
}

/// Is the file another than when it was opened?
fn changed(source: &Opened) -> bool {
    let facts = |stat: &libc::stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    match fd::stat(source.fd.as_raw_fd()) {
        Ok(now) => facts(&now) != facts(&source.stat),
        Err(_) => true,
    }
}
