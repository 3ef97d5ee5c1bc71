//! What is copied from where to where, how much of it at most, and what came of it.
//! It must not have a default without a bound.

use super::error::Kind;
use super::place::Root;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// What is copied in.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// An open file, from its position to its end. A pipe is waited for.
    File(BorrowedFd<'a>),
    /// A regular file or a directory of the caller's. Links in the path are followed,
    /// beneath the directory none is.
    Path(&'a Path),
    /// A regular file or a directory beneath another root, by names that may be as
    /// hostile as those inside.
    Beneath(&'a Root, &'a Path),
    /// Nothing: a symbolic link with this text is made, which may be anything. It is
    /// followed by whoever uses it, never here.
    Link(&'a Path),
}

/// Where it is copied out to.
#[derive(Debug)]
pub enum Target<'a> {
    /// The end of a vector. Takes as much memory as [`Limits::file_bytes`] allows.
    Memory(&'a mut Vec<u8>),
    /// An open file, at its position. A pipe is waited for; one that nobody reads raises
    /// SIGPIPE, as write(2) does.
    File(BorrowedFd<'a>),
    /// A new file beneath another root. Directories on the way are made.
    NewFile(&'a Root, &'a Path),
    /// A directory beneath another root, made if missing; it gets everything beneath the
    /// one asked for. `.` is the root itself.
    NewTree(&'a Root, &'a Path),
}

/// The most that one copy moves. What is at a limit passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file, holes included.
    pub file_bytes: u64,
    /// Bytes of all files together, holes included. Never truncated.
    pub total_bytes: u64,
    /// Names in a tree, whatever they are.
    pub entries: u64,
    /// Names in a path, and directories below each other in a tree.
    pub depth: u32,
}

impl Default for Limits {
    /// 64 MiB in one file, 256 MiB in all, 4096 names, 32 deep.
    fn default() -> Limits {
        Limits {
            file_bytes: 64 << 20,
            total_bytes: 256 << 20,
            entries: 4096,
            depth: 32,
        }
    }
}

impl Limits {
    /// What is left for the next copy, where several share one total.
    #[must_use]
    pub fn after(self, copied: &Copied) -> Limits {
        Limits {
            total_bytes: self.total_bytes.saturating_sub(copied.bytes),
            entries: self.entries.saturating_sub(copied.entries),
            ..self
        }
    }
}

/// What becomes of a file, or of whatever has its name, that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It stays, and the copy fails.
    #[default]
    Refuse,
    /// It loses its name when the copy is complete, and is never opened: a link itself is
    /// replaced, and another name of the file keeps its content. A directory stays.
    Replace,
}

/// What becomes of a regular file that has more names than the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HardLinks {
    /// It is refused. In a directory of the host another name may lie where the program
    /// must not read.
    #[default]
    Refuse,
    /// It is copied, under each of its names. Right for a tmpfs of the sandbox's own:
    /// every name of its files is in it.
    Allow,
}

/// How to copy in.
#[derive(Debug, Clone)]
pub struct In {
    /// Mode of new files, whatever the umask.
    pub mode: u32,
    /// Mode of new directories, less the umask.
    pub directory_mode: u32,
    /// Whoever may read a new file may execute it if the source's owner may.
    pub keep_executable: bool,
    /// What becomes of files that are there already.
    pub existing: Existing,
    /// The most that is copied.
    pub limits: Limits,
}

impl Default for In {
    /// 0644 and 0755, nothing executable, nothing replaced.
    fn default() -> In {
        In {
            mode: 0o644,
            directory_mode: 0o755,
            keep_executable: false,
            existing: Existing::Refuse,
            limits: Limits::default(),
        }
    }
}

/// How to copy out.
#[derive(Debug, Clone)]
pub struct Out {
    /// The most that is copied.
    pub limits: Limits,
    /// A file of more than [`Limits::file_bytes`] is cut there, and counted, instead of
    /// refused.
    pub truncate: bool,
    /// What does not exist is no error ([`Copied::found`]).
    pub optional: bool,
    /// What becomes of files with several names.
    pub hard_links: HardLinks,
    /// Files must belong to this user, as the caller sees users. A program can give the
    /// name asked for to any file in a directory that it writes, also to one that the
    /// caller may read and it may not.
    pub owner: Option<u32>,
    /// Mode of new files, whatever the program's mode and the umask.
    pub mode: u32,
    /// Mode of new directories, less the umask.
    pub directory_mode: u32,
    /// Whoever may read a new file may execute it if the program's file was executable
    /// by its owner.
    pub keep_executable: bool,
    /// What becomes of files that are there already.
    pub existing: Existing,
}

impl Default for Out {
    /// 0644 and 0755, nothing executable, nothing replaced, hard links refused.
    fn default() -> Out {
        Out {
            limits: Limits::default(),
            truncate: false,
            optional: false,
            hard_links: HardLinks::Refuse,
            owner: None,
            mode: 0o644,
            directory_mode: 0o755,
            keep_executable: false,
            existing: Existing::Refuse,
        }
    }
}

/// How many skipped names are kept; all are counted.
pub(super) const NAMED: usize = 16;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Was there anything of that name? False only if it was optional.
    pub found: bool,
    /// Bytes in the copies, holes included.
    pub bytes: u64,
    /// Files copied.
    pub files: u64,
    /// Directories made.
    pub directories: u64,
    /// Names looked at in a tree.
    pub entries: u64,
    /// Files that were cut.
    pub truncated: u64,
    /// Names in a tree that are neither regular files nor directories.
    pub skipped: u64,
    /// The first 16 of them, from the top of the tree.
    pub skipped_names: Vec<(PathBuf, Kind)>,
    /// A file had another length or time of modification at the end than at the
    /// beginning, or a name vanished: the copy may be of no one moment. The kernel's
    /// clock for this ticks every few milliseconds, so false is no promise.
    pub changed: bool,
}

impl Default for Copied {
    /// Nothing yet, of something that was found.
    fn default() -> Copied {
        Copied {
            found: true,
            bytes: 0,
            files: 0,
            directories: 0,
            entries: 0,
            truncated: 0,
            skipped: 0,
            skipped_names: Vec::new(),
            changed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_copies_share_a_total() {
        let copied = Copied {
            bytes: 100,
            entries: 3,
            ..Copied::default()
        };
        let limits = Limits {
            file_bytes: 80,
            total_bytes: 150,
            entries: 2,
            depth: 5,
        };
        let left = limits.after(&copied);
        assert_eq!((left.file_bytes, left.total_bytes), (80, 50));
        assert_eq!((left.entries, left.depth), (0, 5));
    }
}
