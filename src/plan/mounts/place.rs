//! Puts every rule of the file map in its place, or says why it has none.
//!
//! A rule below a bound tree needs a mount point that is there already: nothing
//! is ever made on the host. It does not look for other ways to the same files;
//! that is `super::alias`.
//!
//! `optional = true` makes a grant vanish whose source is missing; on a rule that
//! takes something away it says "protected if it exists" in so many words, and
//! without it a name that the program could create is refused.

use super::links::{Links, own_links};
use super::rules::Rules;
use super::source::{check_source, host_thing, verb};
use super::tree::{Entry, Over, ResolvedFiles, Thing, join, walk};
use super::unmade::Unmade;
use super::{errno_text, fact, quote, synthetic};
use crate::host::normal::{joined, normal, within};
use crate::host::paths::{self, DEVICES, above, rest};
use crate::host::{Found, Host, Kind, PathFact};
use crate::plan::Refusal;
use crate::policy::{Access, Content, FileRule, Policy};
use std::path::{Path, PathBuf};

/// A narrowing rule with nothing to narrow, in a tree that the program may not
/// write: it holds as long as the name cannot be made another way.
pub(super) struct Gone {
    pub at: PathBuf,
    pub host: PathBuf,
    pub tree: PathBuf,
    pub origin: String,
}

/// A tmpfs that holds device nodes and links, never data.
const DEV_BYTES: u64 = 64 * 1024;
const DEV_INODES: u64 = 128;
/// Inodes of `/dev/shm`.
const SHM_INODES: u64 = 4096;

/// Every rule in its place.
pub(super) fn place(
    rules: &Rules<'_>,
    policy: &Policy,
    host: &Host,
) -> Result<(ResolvedFiles, Vec<Gone>), Refusal> {
    let mut placer = Placer {
        links: own_links(rules, host),
        policy,
        host,
        files: ResolvedFiles::with_capacity(2 * policy.files.len()),
        displaced: Vec::new(),
        gone: Vec::new(),
        unmade: Vec::new(),
    };
    // In the order of real places, so that what encloses a rule is placed first.
    let mut order = Vec::new();
    for (at, rule) in rules.iter() {
        order.push((placer.walk_parent(at, &rule.origin)?, at, rule));
    }
    order.sort_by(|left, right| left.0.as_os_str().cmp(right.0.as_os_str()));
    for (place, at, rule) in order {
        placer.rule(place, at, rule)?;
    }
    placer.still_true()?;
    for rule in &placer.unmade {
        rule.check(&placer.files)?;
    }
    Ok((placer.files, placer.gone))
}

struct Placer<'p> {
    policy: &'p Policy,
    host: &'p Host,
    links: Links,
    files: ResolvedFiles,
    /// What lies below another entry than it was judged to.
    displaced: Vec<PathBuf>,
    gone: Vec<Gone>,
    unmade: Vec<Unmade<'p>>,
}

impl<'p> Placer<'p> {
    fn rule(&mut self, place: PathBuf, at: &'p Path, rule: &'p FileRule) -> Result<(), Refusal> {
        let origin = rule.origin.as_str();
        if at.as_os_str() == "/" {
            return match rule.content == Content::Nothing || rule.access == Access::None {
                true => Ok(()),
                false => Err(Refusal::new(format!(
                    "`/` cannot have a rule of its own (rule {origin}): it is always a private, read-only tmpfs"
                ))
                .hint("name the directories that the program needs, one by one")),
            };
        }
        if rule.git && !matches!(rule.content, Content::Host(_)) {
            return Err(Refusal::new(format!(
                "git = \"protect\" on {} (rule {origin}): it is no host directory",
                quote(at)
            )));
        }
        let Some(thing) = self.thing(at, &place, rule)? else {
            return Ok(());
        };
        let access = match thing {
            Thing::Hidden => Access::None,
            Thing::File(_) if rule.access != Access::Read => {
                return Err(Refusal::new(format!(
                    "a made-up file can only be read: {} = \"{}\" (rule {origin})",
                    quote(at),
                    rule.access.name()
                )));
            }
            Thing::Proc { .. } | Thing::Link(_) => Access::Read,
            // Its devices are writable, the directory is not.
            Thing::Tmpfs { .. } if matches!(rule.content, Content::Dev { .. }) => Access::Read,
            _ => rule.access,
        };
        let Some((place, over)) = self.mount_point(at, place, rule, &thing, access)? else {
            return Ok(());
        };
        let entry = Entry {
            thing,
            access,
            origin: origin.to_string(),
            implied: false,
            over,
        };
        self.insert(place.clone(), entry)?;
        if let Content::Dev { shm_bytes } = rule.content
            && access != Access::None
        {
            self.devices(&place, shm_bytes, origin)?;
        }
        Ok(())
    }

    fn walk_parent(&self, at: &Path, origin: &str) -> Result<PathBuf, Refusal> {
        let parent = above(at).unwrap_or(Path::new("/"));
        if normal(at)
            && !self
                .links
                .keys()
                .any(|link| within(parent, Path::new(link)))
        {
            return Ok(at.to_path_buf());
        }
        let walked =
            walk(parent, |path| self.links.get(path.as_os_str()).cloned()).ok_or_else(|| {
                Refusal::new(format!(
                    "cannot place {} (rule {origin}): too many symbolic links",
                    quote(at)
                ))
            })?;
        Ok(walked.join(at.file_name().unwrap_or_default()))
    }

    /// What the rule puts there; `None` where an optional source is missing.
    fn thing(
        &mut self,
        at: &'p Path,
        place: &Path,
        rule: &'p FileRule,
    ) -> Result<Option<Thing>, Refusal> {
        if rule.access == Access::None {
            return Ok(Some(Thing::Hidden));
        }
        let process = &self.policy.process;
        Ok(Some(match &rule.content {
            Content::Nothing => Thing::Hidden,
            Content::Host(source) => {
                if let Some(text) = self.links.get(place.as_os_str())
                    && source == at
                {
                    let link = Thing::Link(text.clone());
                    if let PathFact::Found(found) = fact(self.host, source)? {
                        let to = found.real.clone();
                        self.unmade.push(Unmade::new(at, rule, found, to));
                    }
                    return Ok(Some(link));
                }
                match fact(self.host, source)? {
                    PathFact::Found(found) => {
                        check_source(found, at, rule.access, &rule.origin)?;
                        host_thing(found)
                    }
                    PathFact::Missing { .. } if rule.optional => return Ok(None),
                    PathFact::Missing { .. } => {
                        // Below another tree the better reason is found there.
                        if !rule.access.writes() && self.narrows_nothing(place, source) {
                            return Ok(Some(Thing::Hidden));
                        }
                        return Err(Refusal::new(format!(
                            "cannot {} {} (rule {}): no such file or directory",
                            verb(rule.access),
                            quote(source),
                            rule.origin
                        ))
                        .hint("create it, or add `optional = true` to the rule"));
                    }
                    PathFact::Unreadable(errno) => {
                        return Err(Refusal::new(format!(
                            "cannot {} {} (rule {}): {}",
                            verb(rule.access),
                            quote(source),
                            rule.origin,
                            errno_text(*errno)
                        )));
                    }
                }
            }
            Content::Tmpfs { bytes, inodes } => Thing::Tmpfs {
                bytes: *bytes,
                inodes: *inodes,
                mode: match rule.access.writes() {
                    true => 0o1777,
                    false => 0o755,
                },
                sealed: !rule.access.writes(),
            },
            Content::Text(text) => Thing::File(text.clone().into_bytes()),
            Content::Symlink(target) => Thing::Link(target.clone()),
            Content::Passwd => Thing::File(synthetic::passwd(process)),
            Content::Group => Thing::File(synthetic::group(process)),
            Content::Hosts => Thing::File(synthetic::hosts(process)),
            Content::Hostname => Thing::File(synthetic::hostname(process)),
            // A full procfs names itself here; without that list nothing would be
            // hidden in the new one.
            Content::Proc { facts: true } if self.host.proc_entries.is_empty() => {
                return Err(Refusal::new(format!(
                    "cannot make up the facts in {} (rule {}): the host's `/proc` cannot be listed",
                    quote(at),
                    rule.origin
                ))
                .hint("use \"proc\", which shows processes only"));
            }
            Content::Proc { facts } => Thing::Proc { facts: *facts },
            Content::Dev { .. } => Thing::Tmpfs {
                bytes: DEV_BYTES,
                inodes: DEV_INODES,
                mode: 0o755,
                sealed: true,
            },
        }))
    }

    /// Does a rule for a missing `source` only narrow the tree around it?
    fn narrows_nothing(&self, place: &Path, source: &Path) -> bool {
        self.files
            .enclosing(place)
            .is_some_and(|(above, entry)| match &entry.thing {
                Thing::Host { source: tree, .. } => {
                    rest(place, above).is_some_and(|rest| tree.join(rest) == source)
                }
                _ => false,
            })
    }

    /// Where the rule really stands; `None` when it adds nothing.
    fn mount_point(
        &mut self,
        at: &'p Path,
        place: PathBuf,
        rule: &'p FileRule,
        thing: &Thing,
        access: Access,
    ) -> Result<Option<(PathBuf, Option<Over>)>, Refusal> {
        let Some((above, enclosing)) = self.files.enclosing(&place) else {
            return Ok(Some((place, None)));
        };
        let below = |why: &str| {
            Refusal::new(format!(
                "{} (rule {}) lies below {} (rule {}), {why}",
                quote(at),
                rule.origin,
                quote(above),
                enclosing.origin
            ))
        };
        let (tree, writable) = match &enclosing.thing {
            Thing::Proc { .. } => return Err(below("where nothing can be mounted")),
            Thing::Devpts => return Err(below("which holds terminals only")),
            _ if !enclosing.directory() => return Err(below("which is no directory")),
            Thing::Host { source, .. } => (source, enclosing.access.writes()),
            _ => return Ok(Some((place, None))),
        };
        let rest = rest(&place, above).unwrap_or(Path::new(""));
        let position = tree.join(rest);
        let found = match fact(self.host, &position)? {
            PathFact::Found(found) => found,
            PathFact::Unreadable(errno) => {
                return Err(Refusal::new(format!(
                    "cannot look at {} (rule {}): {}",
                    quote(&position),
                    rule.origin,
                    errno_text(*errno)
                )));
            }
            PathFact::Missing { .. } => {
                let narrows = *thing == Thing::Hidden;
                if narrows && !writable {
                    let tree = above.to_path_buf();
                    self.gone.push(Gone {
                        at: place,
                        host: position,
                        tree,
                        origin: rule.origin.clone(),
                    });
                    return Ok(None);
                }
                if narrows && rule.optional {
                    return Ok(None);
                }
                if narrows {
                    let hint = match rule.access {
                        Access::None => {
                            "create it first, drop the rule, or write `optional = true`: protected if it exists"
                        }
                        _ => "create it first, or drop the rule",
                    };
                    return Err(Refusal::new(format!(
                        "cannot keep {} from being created (rule {}): nothing exists there, and a bind mount cannot cover a name that does not exist",
                        quote(&position), rule.origin
                    ))
                    .hint(hint));
                }
                return Err(Refusal::new(format!(
                    "cannot place {} (rule {}): nothing exists at {}, and no mount point can be made there without leaving a stub on the host",
                    quote(at), rule.origin, quote(&position)
                ))
                .hint(format!("create {} first", quote(&position))));
            }
        };
        if let Thing::Host { source, .. } = thing
            && *source == found.real
            && access == enclosing.access
            && (found.real == position || !writable)
        {
            let place = match paths::rest(source, tree) {
                Some(rest) => join(above, rest),
                // Out of the tree, where all names mean what they mean on the host.
                None if above.as_os_str() == tree.as_os_str() => found.real.clone(),
                None => self.behind_link(at, rule, above, enclosing, tree, found)?,
            };
            self.unmade.push(Unmade::new(at, rule, found, place));
            return Ok(None);
        }
        let mut place = place;
        if found.real != position {
            place = self.behind_link(at, rule, above, enclosing, tree, found)?;
        }
        let directory = found.kind == Kind::Directory;
        let wants = match thing {
            Thing::Hidden => directory,
            Thing::Link(_) => {
                return Err(below("where no symbolic link can be made"));
            }
            Thing::Host { identity, .. } => identity.directory,
            Thing::File(_) => false,
            _ => true,
        };
        if wants != directory {
            return Err(Refusal::new(format!(
                "cannot place {} (rule {}): {} is {}",
                quote(at),
                rule.origin,
                quote(&position),
                match directory {
                    true => "a directory, and the rule puts a file there",
                    false => "no directory, and the rule puts one there",
                }
            )));
        }
        let over = Over {
            host: found.real.clone(),
            directory,
        };
        Ok(Some((place, Some(over))))
    }

    /// The place that a position leads to through symbolic links on the host.
    /// Only in a tree that the program cannot write do the links stay what they are.
    fn behind_link(
        &self,
        at: &Path,
        rule: &FileRule,
        above: &Path,
        enclosing: &Entry,
        tree: &Path,
        found: &Found,
    ) -> Result<PathBuf, Refusal> {
        let link = found.via.last().unwrap_or(&found.real);
        let refuse = |why: &str| {
            Refusal::new(format!(
                "cannot place {} (rule {}): {} is a symbolic link {why}",
                quote(at),
                rule.origin,
                quote(link)
            ))
        };
        let rest = rest(&found.real, tree);
        let Some(rest) = rest.filter(|rest| !rest.as_os_str().is_empty()) else {
            return Err(refuse(&format!(
                "that leads out of {}, to {}",
                quote(tree),
                quote(&found.real)
            )));
        };
        let inside = join(above, rest);
        if enclosing.access.writes() {
            return Err(refuse("that the program could replace")
                .hint(format!("name {} instead", quote(&inside))));
        }
        match self.files.governing(&inside) {
            Some((governor, _)) if governor == above => Ok(inside),
            _ => Err(refuse(&format!(
                "to {}, for which another rule speaks",
                quote(&inside)
            ))),
        }
    }

    /// The content of a minimal `/dev` at `dev`, but for names with a rule of their own.
    fn devices(&mut self, dev: &Path, shm_bytes: u64, origin: &str) -> Result<(), Refusal> {
        for name in DEVICES {
            let source = joined(Path::new("/dev"), Path::new(name));
            let found = match fact(self.host, &source)? {
                PathFact::Found(found) => found,
                // A container may have no terminal at all.
                _ if name == "tty" => continue,
                _ => {
                    return Err(Refusal::new(format!(
                        "cannot make {} (rule {origin}): the host has no {}",
                        quote(dev),
                        quote(&source)
                    )));
                }
            };
            if found.kind != Kind::Device || found.real != source {
                return Err(Refusal::new(format!(
                    "cannot make {} (rule {origin}): the host's {} is no device node",
                    quote(dev),
                    quote(&source)
                )));
            }
            self.imply(dev, name, host_thing(found), Access::Write, origin)?;
        }
        for (name, target) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
            ("ptmx", "pts/ptmx"),
        ] {
            self.imply(dev, name, Thing::Link(target.into()), Access::Read, origin)?;
        }
        self.imply(dev, "pts", Thing::Devpts, Access::Write, origin)?;
        let shm = Thing::Tmpfs {
            bytes: shm_bytes,
            inodes: SHM_INODES,
            mode: 0o1777,
            sealed: false,
        };
        self.imply(dev, "shm", shm, Access::Write, origin)
    }

    fn imply(
        &mut self,
        dev: &Path,
        name: &str,
        thing: Thing,
        access: Access,
        origin: &str,
    ) -> Result<(), Refusal> {
        let at = joined(dev, Path::new(name));
        let entry = Entry {
            thing,
            access,
            origin: origin.to_string(),
            implied: true,
            over: None,
        };
        self.insert(at, entry)
    }

    /// What was just judged by where it lies.
    fn insert(&mut self, place: PathBuf, entry: Entry) -> Result<(), Refusal> {
        self.displaced.retain(|other| *other != place);
        let position = self.files.position(&place);
        match position.map(|position| self.files.nth(position)) {
            Ok(_) if entry.implied => return Ok(()),
            Ok(Some((_, before)))
                if !before.implied
                    && (before.thing != entry.thing || before.access != entry.access) =>
            {
                return Err(Refusal::new(format!(
                    "rules {} and {} both speak of {}, and differ",
                    before.origin,
                    entry.origin,
                    quote(&place)
                )));
            }
            Ok(_) => {}
            Err(_) if self.files.below(position, &place).next().is_none() => {}
            Err(_) => {
                let nearest = self.files.enclosing(&place).map(|(above, _)| above);
                let others = self
                    .files
                    .below(position, &place)
                    .filter(|(at, _)| self.files.enclosing(at).map(|(above, _)| above) == nearest);
                self.displaced
                    .extend(others.map(|(at, _)| at.to_path_buf()));
            }
        }
        self.files.insert(position, place, entry);
        Ok(())
    }

    /// A place that a symbolic link led to may lie below a rule that was placed
    /// later; then it was judged by the wrong tree.
    fn still_true(&self) -> Result<(), Refusal> {
        let displaced = self.displaced.iter().map(|at| (at.as_path(), true));
        let kept = |link: &&Path| {
            let entry = self.files.get(link);
            entry.is_some_and(|entry| !matches!(entry.thing, Thing::Link(_)))
        };
        let links = self.links.keys().map(Path::new).filter(kept);
        let wrong = displaced.chain(links.map(|at| (at, false)));
        // The first by its place, and there the wrong tree first.
        let Some((at, displaced)) =
            wrong.min_by_key(|(at, displaced)| (at.as_os_str(), !displaced))
        else {
            return Ok(());
        };
        let origin = self.files.get(at).map_or("", |entry| &entry.origin);
        Err(Refusal::new(match displaced {
            true => {
                let now = self.files.enclosing(at).map(|(above, _)| quote(above));
                format!(
                    "{} (rule {origin}) lies, through a symbolic link, below {} which has a rule of its own",
                    quote(at),
                    now.unwrap_or_default()
                )
            }
            false => format!(
                "{} (rule {origin}) is also a symbolic link of another rule",
                quote(at)
            ),
        }))
    }
}
