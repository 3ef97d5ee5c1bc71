//! Looks for ways around the file map: one host file under two names.
//!
//! Everything is compared by canonical host path. It changes nothing; it only
//! refuses. Hard links made before the run are beyond it.

use super::place::Gone;
use super::quote;
use super::tree::{Entry, Over, ResolvedFiles, Thing, contains, join};
use crate::host::{Host, PathFact, paths};
use crate::plan::Refusal;
use crate::policy::{Access, Content, FileRule, Policy};
use std::path::{Path, PathBuf};

/// Refuses a map in which a narrowed or hidden host path has a wider second name, a source
/// is chosen by a link that can be replaced, or a policy file can be written.
pub(super) fn check(
    files: &ResolvedFiles,
    gone: &[Gone],
    policy: &Policy,
    host: &Host,
) -> Result<(), Refusal> {
    for ((at, entry), around) in files.entries().zip(files.around()) {
        if let (Some(over), Some(around)) = (&entry.over, around)
            && let Some((_, around)) = files.nth(around)
        {
            narrowed(files, at, entry, over, around)?;
        }
    }
    for (at, rule) in &policy.files {
        if rule.access == Access::None || rule.content == Content::Nothing {
            hidden(files, at.as_path(), rule, policy, host)?;
        }
    }
    for rule in gone {
        // Nothing is there, so only making it counts.
        for (at, other) in reaching(files, &rule.host) {
            if other.access.writes() && at != rule.tree {
                return Err(Refusal::new(format!(
                    "cannot keep {} from being created (rule {}): the program may write {} through {} (rule {})",
                    quote(&rule.at),
                    rule.origin,
                    quote(&rule.host),
                    quote(at),
                    other.origin
                )));
            }
        }
    }
    for rule in policy.files.values() {
        if let Content::Host(source) = &rule.content {
            led(files, source, rule, host)?;
        }
    }
    for source in &policy.sources {
        for path in policy_paths(source, host) {
            for (at, entry) in reaching(files, &path) {
                if entry.access.writes() {
                    return Err(Refusal::new(format!(
                        "policy {} lies in {}, which the program may write: it could change its own rules",
                        quote(source), quote(at)
                    ))
                    .hint(format!(
                        "keep the policy elsewhere, or add a \"read\" rule for it below {}",
                        quote(at)
                    )));
                }
            }
        }
    }
    Ok(())
}

/// Is what `entry` narrows reachable with more access under another name?
fn narrowed(
    files: &ResolvedFiles,
    at: &Path,
    entry: &Entry,
    over: &Over,
    around: &Entry,
) -> Result<(), Refusal> {
    if contains(entry.access, around.access) {
        return Ok(());
    }
    let mut protected: Vec<&Path> = vec![&over.host];
    let mut same = None;
    if let Thing::Host {
        source, identity, ..
    } = &entry.thing
    {
        same = Some((identity.dev, identity.ino));
        if *source != over.host {
            protected.push(source);
        }
    }
    let refuse = |path: &Path, other_at: &Path, other: &Entry| {
        Err(Refusal::new(format!(
            "rule {} allows \"{}\" at {}, but rule {} allows \"{}\" for the same host path {} at {}",
            entry.origin,
            entry.access.name(),
            quote(at),
            other.origin,
            other.access.name(),
            quote(path),
            quote(other_at)
        ))
        .hint(format!("narrow it below {} as well", quote(other_at))))
    };
    for path in protected {
        for (other_at, other) in reaching(files, path) {
            if !contains(entry.access, other.access) && other_at != at {
                return refuse(path, other_at, other);
            }
        }
        for (other_at, other) in files.entries() {
            let Thing::Host {
                source, identity, ..
            } = &other.thing
            else {
                continue;
            };
            // The cheap questions first: there are as many pairs as entries squared.
            if contains(entry.access, other.access) {
                continue;
            }
            let within =
                paths::within(source, path) && source != path && !paths::within(other_at, at);
            let twin = same == Some((identity.dev, identity.ino)) && other_at != at;
            if within || twin {
                return refuse(source, other_at, other);
            }
        }
    }
    Ok(())
}

/// Is what a rule hides visible by another name, where its own is in no visible tree?
///
/// The rule then covers nothing, and its author would find the secret elsewhere: below
/// the directory that a link named for the same tree leads to. Naming the hidden path
/// itself as the source of another rule (`--read ~/.aws:/aws`) is meant.
fn hidden(
    files: &ResolvedFiles,
    at: &Path,
    rule: &FileRule,
    policy: &Policy,
    host: &Host,
) -> Result<(), Refusal> {
    let Some(PathFact::Found(found)) = host.paths.get(at) else {
        return Ok(());
    };
    let covers = |entry: &Entry| entry.access == Access::None && entry.over.is_some();
    if files.get(at).is_some_and(covers) {
        return Ok(());
    }
    let meant = || {
        policy.files.values().any(|other| {
            other.access != Access::None
                && matches!(&other.content, Content::Host(source) if source == at)
        })
    };
    for (other_at, other) in reaching(files, &found.real) {
        let Thing::Host { source, .. } = &other.thing else {
            continue;
        };
        if paths::within(other_at, at) || (*source == found.real && meant()) {
            continue;
        }
        let rest = paths::rest(&found.real, source).unwrap_or(Path::new(""));
        let name = join(other_at, rest);
        return Err(Refusal::new(format!(
            "{} is hidden (rule {}), but the same host path {} is visible as {} (rule {})",
            quote(at),
            rule.origin,
            quote(&found.real),
            quote(&name),
            other.origin
        ))
        .hint(format!("hide {} as well", quote(&name))));
    }
    Ok(())
}

/// Does a symbolic link that the program may replace choose what the rule shows?
///
/// What one run leaves there the next would follow (the lesson of CVE-2024-42472).
/// A link that stays in the tree that holds it gives nothing new.
fn led(files: &ResolvedFiles, source: &Path, rule: &FileRule, host: &Host) -> Result<(), Refusal> {
    let Some(PathFact::Found(found)) = host.paths.get(source) else {
        return Ok(());
    };
    for link in &found.via {
        for (at, other) in reaching(files, link) {
            let Thing::Host { source: tree, .. } = &other.thing else {
                continue;
            };
            if other.access.writes() && !paths::within(&found.real, tree) {
                return Err(Refusal::new(format!(
                    "cannot follow {} (rule {}) to {}: the program may replace that symbolic link, for it may write {} (rule {})",
                    quote(link),
                    rule.origin,
                    quote(&found.real),
                    quote(at),
                    other.origin
                ))
                .hint(format!("name {} instead", quote(&found.real))));
            }
        }
    }
    Ok(())
}

/// Every entry that shows the host path `path` under some inside name.
fn reaching<'f>(
    files: &'f ResolvedFiles,
    path: &'f Path,
) -> impl Iterator<Item = (&'f Path, &'f Entry)> {
    files.entries().filter(move |(at, entry)| {
        let Thing::Host { source, .. } = &entry.thing else {
            return false;
        };
        entry.access != Access::None
            && paths::rest(path, source).is_some_and(|rest| {
                files
                    .governing(&join(at, rest))
                    .is_some_and(|(governor, _)| governor == *at)
            })
    })
}

/// The host paths that decide what a policy file says: the file, the name in
/// its directory, and every symbolic link on the way.
fn policy_paths(source: &Path, host: &Host) -> Vec<PathBuf> {
    // By components, for a file may have been named by `.` or doubled slashes.
    let mut paths = vec![source.components().collect()];
    if let (Some(parent), Some(name)) = (source.parent(), source.file_name())
        && let Some(PathFact::Found(parent)) = host.paths.get(parent)
    {
        paths.push(parent.real.join(name));
    }
    if let Some(PathFact::Found(found)) = host.paths.get(source) {
        paths.push(found.real.clone());
        paths.extend(found.via.iter().cloned());
    }
    paths
}
