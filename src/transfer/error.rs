//! What can go wrong with a file on its way in or out: a word, a sentence, a hint.
//! It must not print a name raw: names are the untrusted program's.

use crate::escape::tick;
use crate::sys::Errno;
use std::fmt;
use std::path::PathBuf;

/// A file or a tree that was not copied, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Which way it was going.
    pub direction: Direction,
    /// What was being done.
    pub stage: Stage,
    /// The path inside, as it was asked for.
    pub asked: PathBuf,
    /// Where the trouble is.
    pub side: Side,
    /// What the trouble is with: relative to the root of its side, or the caller's path.
    pub path: PathBuf,
    /// What the trouble is.
    pub problem: Problem,
}

/// Which way a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Into the directory that the program writes.
    In,
    /// Out of it.
    Out,
}

/// The two ends of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The directory that the program writes.
    Inside,
    /// The caller's.
    Outside,
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The source was looked for and opened.
    Open,
    /// A directory was made.
    CreateDirectory,
    /// The new file was made.
    Create,
    /// Its content was copied.
    Content,
    /// A symbolic link was made.
    Link,
}

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// The root of another mount; what it is was not looked at.
    Mount,
    /// Nothing that this version knows.
    Unknown,
}

/// What the trouble is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The path has no bytes.
    EmptyPath,
    /// The path begins with `/`.
    AbsolutePath,
    /// The path has a `..` in it.
    ParentInPath,
    /// The path has a NUL byte in it.
    NulInPath,
    /// A name has more than 255 bytes.
    NameTooLong,
    /// There is nothing of that name.
    Missing,
    /// A symbolic link, at the end or on the way.
    SymbolicLink,
    /// A regular file with other names, which may lie elsewhere.
    HardLink {
        /// How many names it has.
        links: u64,
    },
    /// Neither a regular file nor a directory nor a link.
    NotRegular(Kind),
    /// A directory, where a file was asked for.
    IsDirectory,
    /// No directory, where one was asked for or is on the way.
    NotDirectory,
    /// On another mount than the root, or moved out of the root meanwhile.
    MountPoint,
    /// More bytes than one file may have.
    TooLarge {
        /// The most.
        limit: u64,
    },
    /// More bytes than may be copied in all.
    TooMuch {
        /// The most.
        limit: u64,
    },
    /// More names than may be looked at in a tree.
    TooManyEntries {
        /// The most.
        limit: u64,
    },
    /// More directories below each other than are walked.
    TooDeep {
        /// The most.
        limit: u32,
    },
    /// The new name is taken.
    Exists,
    /// A file of another user than the one asked for.
    ForeignOwner {
        /// Whose it is.
        owner: u32,
    },
    /// Somebody holds a lease on the file (fcntl(2)), and reading would wait for him.
    Busy,
    /// The name became something else as often as it was looked at.
    Changed,
    /// The file system is full, or a quota is.
    NoSpace,
    /// The file system is read-only.
    ReadOnly,
    /// The kernel refused.
    Denied,
    /// The file system is of a user namespace in which the caller has no id.
    UnmappedOwner,
    /// The mode asked for has other bits than read, write and execute.
    BadMode {
        /// What was asked for.
        mode: u32,
    },
    /// The kernel is older than Linux 5.6.
    Unsupported,
    /// Any other error of the kernel, by number.
    Os(i32),
}

impl Error {
    /// The problem as one stable word.
    pub fn kind(&self) -> &'static str {
        self.problem.kind()
    }

    /// The word of go-judge's `fileError[].type`. It has eleven; the one that is about
    /// pipes (`CollectSizeExceeded`) is never the answer.
    pub fn go_judge_type(&self) -> &'static str {
        use Problem::{IsDirectory, NotRegular, TooDeep, TooLarge, TooManyEntries, TooMuch};
        match (self.direction, self.stage, self.problem) {
            (_, Stage::Link, _) => "Symlink",
            (Direction::In, Stage::Open, _) => "CopyInOpenFile",
            (Direction::In, Stage::CreateDirectory, _) => "CopyInCreateDir",
            (Direction::In, Stage::Create, _) => "CopyInCreateFile",
            (Direction::In, Stage::Content, _) => "CopyInCopyContent",
            (
                Direction::Out,
                _,
                TooLarge { .. } | TooMuch { .. } | TooManyEntries { .. } | TooDeep { .. },
            ) => "CopyOutSizeExceeded",
            (Direction::Out, Stage::Open, NotRegular(_) | IsDirectory) => "CopyOutNotRegularFile",
            (Direction::Out, Stage::Open, _) => "CopyOutOpen",
            (Direction::Out, Stage::Create | Stage::CreateDirectory, _) => "CopyOutCreateFile",
            (Direction::Out, Stage::Content, _) => "CopyOutCopyContent",
        }
    }

    /// What would help, when we know.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match (self.problem, self.side) {
            (Problem::AbsolutePath | Problem::ParentInPath | Problem::EmptyPath, _) => {
                "paths are relative to the directory that is copied from or to"
            }
            (Problem::SymbolicLink, _) => "name the file itself: links are never followed",
            (Problem::HardLink { .. }, _) => {
                "allow hard links if no name of the file can lie where the program may not read, as in a tmpfs of its own"
            }
            (Problem::IsDirectory, Side::Inside) if self.stage == Stage::Open => {
                "a directory is copied as a tree"
            }
            (Problem::TooLarge { .. }, _) if self.direction == Direction::Out => {
                "raise the limit, or ask for a truncated copy"
            }
            (Problem::Exists, _) => "ask for existing files to be replaced",
            (Problem::UnmappedOwner, _) => {
                "copy as the user that the program runs as outside, not as root"
            }
            (Problem::BadMode { .. }, _) => "bits beyond 0777 are never set",
            (Problem::Unsupported, _) => "openat2 needs Linux 5.6",
            _ => return None,
        })
    }
}

impl Problem {
    /// One stable word for each.
    pub fn kind(&self) -> &'static str {
        match self {
            Problem::EmptyPath => "empty-path",
            Problem::AbsolutePath => "absolute-path",
            Problem::ParentInPath => "parent-in-path",
            Problem::NulInPath => "nul-in-path",
            Problem::NameTooLong => "name-too-long",
            Problem::Missing => "missing",
            Problem::SymbolicLink => "symbolic-link",
            Problem::HardLink { .. } => "hard-link",
            Problem::NotRegular(_) => "not-regular",
            Problem::IsDirectory => "is-directory",
            Problem::NotDirectory => "not-directory",
            Problem::MountPoint => "mount-point",
            Problem::TooLarge { .. } => "too-large",
            Problem::TooMuch { .. } => "too-much",
            Problem::TooManyEntries { .. } => "too-many-entries",
            Problem::TooDeep { .. } => "too-deep",
            Problem::Exists => "exists",
            Problem::ForeignOwner { .. } => "foreign-owner",
            Problem::Busy => "busy",
            Problem::Changed => "changed",
            Problem::NoSpace => "no-space",
            Problem::ReadOnly => "read-only",
            Problem::Denied => "denied",
            Problem::UnmappedOwner => "unmapped-owner",
            Problem::BadMode { .. } => "bad-mode",
            Problem::Unsupported => "unsupported",
            Problem::Os(_) => "os",
        }
    }
}

impl From<Errno> for Problem {
    fn from(errno: Errno) -> Problem {
        match errno {
            Errno::ENOENT => Problem::Missing,
            Errno::ELOOP => Problem::SymbolicLink,
            Errno::EXDEV => Problem::MountPoint,
            Errno::ENOTDIR => Problem::NotDirectory,
            Errno::EISDIR => Problem::IsDirectory,
            Errno::EEXIST => Problem::Exists,
            Errno::ENAMETOOLONG => Problem::NameTooLong,
            Errno::EAGAIN => Problem::Busy,
            Errno::ENOSPC | Errno::EDQUOT => Problem::NoSpace,
            Errno::EROFS => Problem::ReadOnly,
            Errno::EACCES | Errno::EPERM => Problem::Denied,
            Errno::EOVERFLOW => Problem::UnmappedOwner,
            Errno::ENOSYS => Problem::Unsupported,
            other => Problem::Os(other as i32),
        }
    }
}

impl Kind {
    /// As a noun.
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "a regular file",
            Kind::Directory => "a directory",
            Kind::Link => "a symbolic link",
            Kind::Fifo => "a FIFO",
            Kind::Socket => "a socket",
            Kind::CharacterDevice => "a character device",
            Kind::BlockDevice => "a block device",
            Kind::Mount => "a mount point",
            Kind::Unknown => "of an unknown kind",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = tick(&self.asked);
        match self.direction {
            Direction::In => write!(f, "cannot copy {asked} in: ")?,
            Direction::Out => write!(f, "cannot copy {asked} out: ")?,
        }
        match self.side {
            Side::Inside if self.path == self.asked => f.write_str("it ")?,
            Side::Inside => write!(f, "{} ", tick(&self.path))?,
            Side::Outside => write!(f, "outside, {} ", tick(&self.path))?,
        }
        self.problem.fmt(f)?;
        match self.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What follows the name: ``it is a symbolic link``.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::EmptyPath => f.write_str("is no path: it is empty"),
            Problem::AbsolutePath => f.write_str("is an absolute path"),
            Problem::ParentInPath => f.write_str("has `..` in it"),
            Problem::NulInPath => f.write_str("has a NUL byte in it"),
            Problem::NameTooLong => f.write_str("has a name in it that is longer than 255 bytes"),
            Problem::Missing => f.write_str("does not exist"),
            Problem::SymbolicLink => f.write_str("is a symbolic link"),
            Problem::HardLink { links } => write!(f, "has {links} hard links"),
            Problem::NotRegular(kind) => write!(f, "is {}, and no regular file", kind.name()),
            Problem::IsDirectory => f.write_str("is a directory"),
            Problem::NotDirectory => f.write_str("is no directory"),
            Problem::MountPoint => f.write_str("is on another mount"),
            Problem::TooLarge { limit } => {
                write!(f, "has more bytes than the {limit} of one file")
            }
            Problem::TooMuch { limit } => {
                write!(f, "has more bytes than are left of {limit} in all")
            }
            Problem::TooManyEntries { limit } => write!(f, "is past the limit of {limit} names"),
            Problem::TooDeep { limit } => write!(f, "is more than {limit} directories deep"),
            Problem::Exists => f.write_str("exists already"),
            Problem::ForeignOwner { owner } => write!(f, "belongs to another user, {owner}"),
            Problem::Busy => f.write_str("is held by a lease"),
            Problem::Changed => f.write_str("was exchanged each time it was looked at"),
            Problem::NoSpace => f.write_str("finds no space left"),
            Problem::ReadOnly => f.write_str("is on a read-only file system"),
            Problem::Denied => f.write_str("may not be used: the kernel denies permission"),
            Problem::UnmappedOwner => {
                f.write_str("would belong to a user that its file system does not know")
            }
            Problem::BadMode { mode } => write!(f, "cannot have the mode {mode:o}"),
            Problem::Unsupported => f.write_str("needs a call that this kernel does not have"),
            Problem::Os(number) => {
                write!(f, "cannot be copied: {}", Errno::from_raw(*number).desc())
            }
        }
    }
}

impl std::error::Error for Error {}
