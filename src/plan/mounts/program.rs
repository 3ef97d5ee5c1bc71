//! Makes the program named on the command line visible, and lists where to look for it.
//!
//! A rule that covers the program stays as it is written: nothing here adds
//! access to a path that the policy speaks of.

use super::source::{check_source, host_thing};
use super::tree::{Entry, ResolvedFiles, Thing, join};
use super::{errno_text, fact, quote};
use crate::host::normal::normal;
use crate::host::paths::{lexical, rest};
use crate::host::{Found, Host, Kind, PathFact};
use crate::plan::Refusal;
use crate::policy::Access;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// What execvp(3) searches when `PATH` is not set.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Inside paths at which to try the program, in order, as execvp(3) does.
///
/// A name with a slash is one path, relative to the caller's own directory
/// (`host.cwd`); any other is looked for in each directory of `path`, where
/// an empty one means `cwd`, the working directory inside.
pub fn candidates(program: &OsStr, path: Option<&OsStr>, cwd: &Path, host: &Host) -> Vec<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return vec![own_path(program, host)];
    }
    if program.is_empty() {
        return Vec::new();
    }
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut paths = Vec::new();
    for directory in path.as_bytes().split(|byte| *byte == b':') {
        let candidate = lexical(&cwd.join(OsStr::from_bytes(directory)).join(program));
        // Both are normal, and so compared by their bytes.
        let same = |other: &PathBuf| other.as_os_str() == candidate.as_os_str();
        if !paths.iter().any(same) {
            paths.push(candidate);
        }
    }
    paths
}

/// Adds the program's file where no rule covers it.
pub(super) fn add(files: &mut ResolvedFiles, host: &Host, program: &OsStr) -> Result<(), Refusal> {
    if program.is_empty() {
        return Err(coded(127, "the program's name is empty"));
    }
    if !program.as_bytes().contains(&b'/') {
        return Ok(());
    }
    if program.as_bytes().contains(&0) {
        return Err(coded(127, "the program's name contains a NUL byte"));
    }
    let shown = quote(Path::new(program));
    let place = files
        .walk(&own_path(program, host))
        .ok_or_else(|| coded(126, format!("program {shown}: too many symbolic links")))?;
    match files.governing(&place) {
        None => {}
        Some((at, entry)) => match &entry.thing {
            // A fresh tmpfs is empty: naming a program that lies under it can
            // only mean the host's.
            Thing::Tmpfs { .. } => {}
            Thing::Hidden => {
                return Err(coded(
                    126,
                    format!(
                        "program {shown} is hidden by the rule for {} ({})",
                        quote(at),
                        entry.origin
                    ),
                ));
            }
            Thing::Host { source, .. } => {
                let rest = rest(&place, at).unwrap_or(Path::new(""));
                // At the source itself the facts were looked at under the
                // rule's own text; there the exec inside gives the answer.
                return match host.paths.get(&join(source, rest)) {
                    Some(fact) => executable(fact, &shown).map(|_| ()),
                    None => Ok(()),
                };
            }
            _ => return Ok(()),
        },
    }
    let found = executable(fact(host, &host.cwd.join(program))?, &shown)?;
    let origin = String::from("the program");
    check_source(found, &place, Access::Exec, &origin)?;
    let position = files.position(&place);
    if files.below(position, &place).next().is_some() {
        return Err(coded(
            126,
            format!("program {shown} is a file, and a rule lies below it"),
        ));
    }
    files.insert(
        position,
        place,
        Entry {
            thing: host_thing(found),
            access: Access::Exec,
            origin,
            implied: false,
            over: None,
        },
    );
    Ok(())
}

/// The program's own path: its text, or the resolved path when `..` stands in
/// it, because behind a symbolic link `..` is not what the text says.
fn own_path(program: &OsStr, host: &Host) -> PathBuf {
    let path = host.cwd.join(program);
    if normal(&path) {
        return path;
    }
    if path.components().any(|part| part == Component::ParentDir)
        && let Some(PathFact::Found(found)) = host.paths.get(&path)
    {
        return found.real.clone();
    }
    lexical(&path)
}

fn executable<'f>(fact: &'f PathFact, shown: &str) -> Result<&'f Found, Refusal> {
    match fact {
        PathFact::Missing { .. } => Err(coded(127, format!("program {shown} not found"))),
        PathFact::Unreadable(errno) => Err(coded(
            126,
            format!("cannot execute {shown}: {}", errno_text(*errno)),
        )),
        PathFact::Found(found) => match found.kind {
            Kind::Directory => Err(coded(126, format!("program {shown} is a directory"))),
            Kind::File if found.mode & 0o111 == 0 => {
                Err(coded(126, format!("program {shown} is not executable"))
                    .hint(format!("chmod +x {}", shown.trim_matches('`'))))
            }
            Kind::File => Ok(found),
            _ => Err(coded(126, format!("program {shown} is not a regular file"))),
        },
    }
}

fn coded(exit_code: u8, message: impl Into<String>) -> Refusal {
    Refusal {
        exit_code,
        ..Refusal::new(message)
    }
}
