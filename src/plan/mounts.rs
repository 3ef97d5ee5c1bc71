//! Decides the new root, operation by operation, from the policy's file map.
//!
//! It never touches the machine: every host fact comes from [`Host::paths`], and
//! a path nothing is known about is refused. The steps: expand what a rule
//! implies (`git`, `itself`), put every rule in its place (`place`), add the program
//! (`program`), look for ways around (`alias`), write the operations down
//! (`ops`).
//!
//! What mounts alone cannot hold, and so nobody should believe:
//! - a file protected inside a writable tree has a second name when a hard link
//!   to it existed before the run;
//! - a host process that *replaces* a protected file (rename(2) over it) while
//!   the program runs detaches the mount that protected it;
//! - a socket below a readable tree can be connected to: read-only mounts do not
//!   stop connect(2) (Landlock does from ABI 9 on).

mod rules;
mod tree;
mod source;
mod links;
mod place;
mod unmade;
mod program;
mod git;
mod itself;
mod alias;
mod synthetic;
mod proc;
mod ops;

pub use program::candidates;
pub use tree::{Entry, ResolvedFiles, Thing};

use crate::host::{Host, PathFact};
use crate::plan::{Mounts, Refusal};
use crate::policy::Policy;
use std::ffi::OsStr;
use std::path::Path;

/// The operations that build the root, and the file map they put in force.
///
/// `program` is the name as typed; one with a slash is made visible at its own
/// path unless a rule covers it. Refusals about the program carry exit code 126
/// or 127, all others 125.
pub fn resolve(
    policy: &Policy,
    host: &Host,
    program: &OsStr,
) -> Result<(Mounts, ResolvedFiles), Refusal> {
    let (mut rules, weakened) = git::expand(policy, host)?;
    itself::protect(&mut rules, host);
    let (mut files, gone) = place::place(&rules, policy, host)?;
    files.weakened = weakened;
    program::add(&mut files, host, program)?;
    alias::check(&files, &gone, policy, host)?;
    let mounts = ops::write(&files, policy, host);
    Ok((mounts, files))
}

/// A path for a message.
fn quote(path: &Path) -> String {
    crate::escape::tick(path)
}

/// The words of an errno that looking at a path can end in.
fn errno_text(errno: i32) -> String {
    std::io::Error::from_raw_os_error(errno)
        .to_string()
        .split(" (os error")
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

/// The fact for a path; one that was never looked at is refused, not guessed.
fn fact<'h>(host: &'h Host, path: &Path) -> Result<&'h PathFact, Refusal> {
    host.paths.get(path).ok_or_else(|| {
        Refusal::new(format!(
            "cannot plan for {}: nothing is known about it",
            quote(path)
        ))
    })
}
