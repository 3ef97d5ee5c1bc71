//! Files into and out of a directory that somebody else writes: what is copied, what is refused, in which words.
//! It must not run the sandbox; the directory is enough.

#![cfg(feature = "cli")]

#[path = "transfer/foreign.rs"]
mod foreign;
#[path = "transfer/incoming.rs"]
mod incoming;
#[path = "transfer/kinds.rs"]
mod kinds;
#[path = "transfer/laws.rs"]
mod laws;
#[path = "transfer/limits.rs"]
mod limits;
#[path = "transfer/outgoing.rs"]
mod outgoing;
#[path = "transfer/signals.rs"]
mod signals;
mod support;
#[path = "transfer/swapped.rs"]
mod swapped;
#[path = "transfer/trees.rs"]
mod trees;
#[path = "transfer/words.rs"]
mod words;

use sandbox::transfer::{Copied, Error, HardLinks, In, Limits, Out, Problem};
use sandbox::transfer::{Root, Source, Target, copy_in, copy_out};
use std::fs;
use std::path::{Path, PathBuf};
use support::Scratch;

/// A directory that a program writes, one of the caller's, and what is neither's.
struct World {
    scratch: Scratch,
    inside: Root,
    outside: Root,
}

impl World {
    fn new() -> World {
        let scratch = Scratch::new();
        let inside = Root::open(scratch.directory("inside")).unwrap();
        let outside = Root::open(scratch.directory("outside")).unwrap();
        World {
            scratch,
            inside,
            outside,
        }
    }

    /// A path in the program's directory.
    fn inside(&self, name: impl AsRef<Path>) -> PathBuf {
        self.scratch.join("inside").join(name)
    }

    /// A path in the caller's.
    fn outside(&self, name: impl AsRef<Path>) -> PathBuf {
        self.scratch.join("outside").join(name)
    }

    /// A file of the program's; directories on the way are made.
    fn put(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.inside(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// What nobody asked for: beside both directories, and readable by who copies.
    fn secret(&self) -> PathBuf {
        let path = self.scratch.join("secret");
        fs::write(&path, SECRET).unwrap();
        path
    }

    /// Copies out into memory.
    fn read(&self, name: impl AsRef<Path>, options: &Out) -> Result<(Vec<u8>, Copied), Error> {
        let mut bytes = Vec::new();
        let copied = copy_out(&self.inside, name, Target::Memory(&mut bytes), options)?;
        Ok((bytes, copied))
    }

    /// Why it cannot be copied out by the default rules.
    fn refused(&self, name: impl AsRef<Path>) -> Problem {
        self.read(name, &Out::default()).unwrap_err().problem
    }

    /// Copies bytes in.
    fn write(&self, name: impl AsRef<Path>, bytes: &[u8], options: &In) -> Result<Copied, Error> {
        copy_in(&self.inside, name, Source::Bytes(bytes), options)
    }

    /// Copies a tree out to one of the same name.
    fn tree(&self, name: &str, options: &Out) -> Result<Copied, Error> {
        let target = Target::NewTree(&self.outside, Path::new(name));
        copy_out(&self.inside, name, target, options)
    }
}

const SECRET: &str = "what nobody asked for";

/// Default rules with a limit for one file.
fn at_most(file_bytes: u64) -> Out {
    Out {
        limits: Limits {
            file_bytes,
            ..Limits::default()
        },
        ..Out::default()
    }
}

/// Default rules for a tmpfs of its own.
fn with_hard_links() -> Out {
    Out {
        hard_links: HardLinks::Allow,
        ..Out::default()
    }
}

fn make_fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o644)).unwrap();
}
