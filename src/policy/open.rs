//! Reads one policy file from the disk: a regular file of at most a megabyte.
//!
//! It never waits (a FIFO), never goes on for ever (`/dev/zero`), and never
//! interprets what it reads.

use super::error::quote;
use nix::errno::Errno;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// Largest policy file, bytes.
const LARGEST: u64 = 1 << 20;

/// Symbolic links followed in one path, as path_resolution(7) has it.
const MOST_LINKS: usize = 40;

/// Device and inode number.
pub(super) type FileId = (u64, u64);

/// A policy file as read.
pub(super) struct File {
    /// What file it is, by whatever name.
    pub id: FileId,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Every place that decides what is read under this name: the file without
    /// symbolic links, and each link on the way. Who can write one of them can
    /// write the policy.
    pub places: Vec<PathBuf>,
}

/// Why a policy file is not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// The system's answer.
    Io(io::Error),
    /// It is something else: `a directory`.
    Kind(&'static str),
    /// It is too large.
    Large,
}

impl Unread {
    /// A sentence about the file of this name.
    pub fn message(&self, shown: &str) -> String {
        let name = quote(shown);
        match self {
            Unread::Io(error) => {
                let cause = match error.raw_os_error() {
                    Some(number) => Errno::from_raw(number).desc().to_owned(),
                    None => error.to_string(),
                };
                format!("cannot read the policy {name}: {cause}")
            }
            Unread::Kind(kind) => {
                format!("cannot read the policy {name}: it is {kind}, not a regular file")
            }
            Unread::Large => format!("cannot read the policy {name}: it is larger than 1 MiB"),
        }
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Unread {
        Unread::Io(error)
    }
}

/// Reads the file at an absolute path.
pub(super) fn read(path: &Path) -> Result<File, Unread> {
    let file = OpenOptions::new()
        .read(true)
        // Opening a FIFO waits for a writer, and a terminal could become ours.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if !kind.is_file() {
        return Err(Unread::Kind(if kind.is_dir() {
            "a directory"
        } else if kind.is_fifo() {
            "a FIFO"
        } else if kind.is_char_device() || kind.is_block_device() {
            "a device"
        } else {
            "something else"
        }));
    }
    if metadata.len() > LARGEST {
        return Err(Unread::Large);
    }
    let mut bytes = Vec::new();
    // The size above is a promise only: files of procfs say 0, and any file can
    // grow.
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unread::Large);
    }
    Ok(File {
        id: (metadata.dev(), metadata.ino()),
        bytes,
        places: places(path)?,
    })
}

/// The path without symbolic links, and every link met on the way.
fn places(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut places = Vec::new();
    let mut at = PathBuf::from("/");
    let mut rest = parts(path);
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(part);
        let Ok(target) = std::fs::read_link(&at) else {
            continue;
        };
        if places.len() == MOST_LINKS {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        places.push(at.clone());
        at.pop();
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        let mut next = parts(&target);
        next.append(&mut rest);
        rest = next;
    }
    places.push(at);
    Ok(places)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}
