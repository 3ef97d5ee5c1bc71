//! The effective file map: what stands at which inside path, and with which access.
//!
//! It answers questions about the map and changes nothing.

use crate::host::normal::normal;
use crate::host::paths::{MAX_LINKS, above, rest, within};
use crate::plan::Identity;
use crate::policy::{Access, Weaken};
use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The file map after expansion: what the mounts put in force, and what the
/// Landlock rules are made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvedFiles {
    /// Inside path and what stands there, each path once. None lies below a
    /// [`Thing::Link`]. They are in the order of their bytes, in which parents come before
    /// children too.
    entries: Vec<(PathBuf, Entry)>,
    /// Weakenings that took effect.
    pub weakened: Vec<Weaken>,
}

/// What stands at one inside path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is found there.
    pub thing: Thing,
    /// What may be done there and below, up to the next entry.
    pub access: Access,
    /// The rule it comes from, for messages.
    pub origin: String,
    /// It was implied by another rule, so that a rule of its own replaces it.
    pub(super) implied: bool,
    /// The mount point, when it lies inside a host tree that is bound already.
    pub(super) over: Option<Over>,
}

/// A mount point inside a bound tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Over {
    /// Where on the host.
    pub host: PathBuf,
    /// A directory (else anything but one).
    pub directory: bool,
}

/// The kinds of things an inside path can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// Nothing that can be seen.
    Hidden,
    /// A host file or tree.
    Host {
        /// Host path without symbolic links.
        source: PathBuf,
        /// What must be found there.
        identity: Identity,
        /// A device node.
        device: bool,
    },
    /// A tmpfs of our own, read-only once its content is made when `sealed`.
    Tmpfs {
        /// `size=`, bytes.
        bytes: u64,
        /// `nr_inodes=`.
        inodes: u64,
        /// Permission bits of its root.
        mode: u32,
        /// Made read-only at the end.
        sealed: bool,
    },
    /// A small file of our own.
    File(Vec<u8>),
    /// A symbolic link of our own.
    Link(PathBuf),
    /// A fresh procfs.
    Proc {
        /// With host-wide files made up.
        facts: bool,
    },
    /// A fresh devpts.
    Devpts,
}

impl Entry {
    /// Directory, else anything but one (a symbolic link too).
    pub fn directory(&self) -> bool {
        match &self.thing {
            Thing::Host { identity, .. } => identity.directory,
            Thing::Hidden => self.over.as_ref().is_none_or(|over| over.directory),
            Thing::Tmpfs { .. } | Thing::Proc { .. } | Thing::Devpts => true,
            Thing::File(_) | Thing::Link(_) => false,
        }
    }
}

impl Entry {
    /// It lies inside a host tree that is bound already.
    pub(in crate::plan) fn over_host(&self) -> bool {
        self.over.is_some()
    }
}

impl ResolvedFiles {
    /// None, and room for some.
    pub(super) fn with_capacity(capacity: usize) -> ResolvedFiles {
        ResolvedFiles {
            entries: Vec::with_capacity(capacity),
            weakened: Vec::new(),
        }
    }

    /// Every entry, parents before children.
    pub fn entries(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.entries.iter().map(|(at, entry)| (at.as_path(), entry))
    }

    /// The entry at a position of [`ResolvedFiles::around`].
    pub(super) fn nth(&self, position: usize) -> Option<(&Path, &Entry)> {
        let placed = self.entries.get(position);
        placed.map(|(at, entry)| (at.as_path(), entry))
    }

    /// What stands at `place` itself.
    pub(super) fn get(&self, place: &Path) -> Option<&Entry> {
        let position = self.position(place).ok()?;
        self.entries.get(position).map(|(_, entry)| entry)
    }

    /// Puts an entry at `place`, which has this position, over an earlier one.
    pub(super) fn insert(&mut self, position: Result<usize, usize>, place: PathBuf, entry: Entry) {
        match position {
            Ok(position) => self.entries[position].1 = entry,
            Err(position) => self.entries.insert(position, (place, entry)),
        }
    }

    /// Where `place` stands in the list, or else would.
    pub(super) fn position(&self, place: &Path) -> Result<usize, usize> {
        let place = place.as_os_str();
        match self.entries.last() {
            // They are placed in this order, but for a few.
            Some((last, _)) if last.as_os_str() < place => Err(self.entries.len()),
            _ => self
                .entries
                .binary_search_by(|(at, _)| at.as_os_str().cmp(place)),
        }
    }

    /// For each entry, the position of the nearest one above it.
    pub(in crate::plan) fn around(&self) -> Vec<Option<usize>> {
        let mut around = Vec::with_capacity(self.entries.len());
        // Positions whose bytes the present path begins with, as `/a-b` with those of `/a`:
        // they come again.
        let mut open: Vec<usize> = Vec::new();
        for (position, (at, _)) in self.entries.iter().enumerate() {
            let bytes = at.as_os_str().as_bytes();
            while let Some(last) = open.last()
                && !bytes.starts_with(self.entries[*last].0.as_os_str().as_bytes())
            {
                open.pop();
            }
            let above = |other: &&usize| within(at, &self.entries[**other].0);
            around.push(open.iter().rev().find(above).copied());
            open.push(position);
        }
        around
    }

    /// What may be done at `inside`; `None` where no rule covers it, so that
    /// nothing exists there (but for the directories that lead to rules).
    pub fn access_at(&self, inside: &Path) -> Option<Access> {
        let place = self.walk(inside)?;
        self.governing(&place).map(|(_, entry)| entry.access)
    }

    /// An inside path at which the host path `host` (without symbolic links) is
    /// visible; the same path where that is one.
    pub fn visible(&self, host: &Path) -> Option<PathBuf> {
        let mut names = self.entries().filter_map(|(at, entry)| {
            let Thing::Host { source, .. } = &entry.thing else {
                return None;
            };
            let inside = join(at, rest(host, source)?);
            let (governor, _) = self.governing(&inside)?;
            (governor == at && entry.access != Access::None).then_some(inside)
        });
        let first = names.next()?;
        match first == host {
            true => Some(first),
            false => names.find(|name| name == host).or(Some(first)),
        }
    }

    /// The entry at `place` or nearest above it. `place` is already walked.
    pub(super) fn governing(&self, place: &Path) -> Option<(&Path, &Entry)> {
        // Of those around it the nearest has the longest path, and comes last.
        let around = |(at, _): &&(PathBuf, Entry)| within(place, at);
        let nearest = self.entries.iter().rev().find(around);
        nearest.map(|(at, entry)| (at.as_path(), entry))
    }

    /// The nearest entry strictly above `place`.
    pub(super) fn enclosing(&self, place: &Path) -> Option<(&Path, &Entry)> {
        self.governing(above(place)?)
    }

    /// Is there something to see strictly below `place`, which has this position?
    pub(super) fn leads_on(&self, position: usize, place: &Path) -> bool {
        self.below(Ok(position), place)
            .any(|(_, entry)| entry.thing != Thing::Hidden)
    }

    /// Every entry strictly below `place`, which has this position.
    pub(super) fn below(
        &self,
        position: Result<usize, usize>,
        place: &Path,
    ) -> impl Iterator<Item = (&Path, &Entry)> {
        // Those below come after `place`, but not at once: `place-` and the like are between.
        let bytes = place.as_os_str().as_bytes();
        let first = match position {
            Ok(position) => position + 1,
            Err(position) => position,
        };
        self.entries[first..]
            .iter()
            .take_while(move |(at, _)| at.as_os_str().as_bytes().starts_with(bytes))
            .filter(move |(at, _)| within(at, place))
            .map(|(at, entry)| (at.as_path(), entry))
    }

    /// `path` after following the links of our own, every component; `None` in
    /// a loop.
    pub(super) fn walk(&self, path: &Path) -> Option<PathBuf> {
        let on_the_way = |(at, entry): (&Path, &Entry)| {
            matches!(entry.thing, Thing::Link(_)) && within(path, at)
        };
        if normal(path) && !self.entries().any(on_the_way) {
            return Some(path.to_path_buf());
        }
        walk(path, |at| match self.get(at) {
            Some(Entry {
                thing: Thing::Link(text),
                ..
            }) => Some(text.clone()),
            _ => None,
        })
    }
}

/// `path` after following the links that `link` knows; `None` after
/// [`MAX_LINKS`] of them.
pub(super) fn walk(path: &Path, link: impl Fn(&Path) -> Option<PathBuf>) -> Option<PathBuf> {
    let mut todo: Cow<Path> = Cow::Borrowed(path);
    let mut followed = 0;
    let mut done = PathBuf::with_capacity(path.as_os_str().len());
    done.push("/");
    'again: loop {
        let mut parts = todo.components();
        while let Some(part) = parts.next() {
            match part {
                Component::Normal(name) => done.push(name),
                Component::ParentDir => {
                    done.pop();
                    continue;
                }
                _ => continue,
            }
            if let Some(text) = link(&done) {
                followed += 1;
                if followed > MAX_LINKS {
                    return None;
                }
                match text.is_absolute() {
                    true => done = PathBuf::from("/"),
                    false => {
                        done.pop();
                    }
                }
                todo = Cow::Owned(join(&text, parts.as_path()));
                continue 'again;
            }
        }
        return Some(done);
    }
}

/// `base/rest`, and `base` itself when `rest` is empty: [`Path::join`] would
/// add a slash.
pub(super) fn join(base: &Path, rest: &Path) -> PathBuf {
    match rest.as_os_str().is_empty() {
        true => base.to_path_buf(),
        false => base.join(rest),
    }
}

/// Does `wide` allow everything that `narrow` allows?
pub(super) fn contains(wide: Access, narrow: Access) -> bool {
    (wide != Access::None || narrow == Access::None)
        && (wide.writes() || !narrow.writes())
        && (wide.executes() || !narrow.executes())
}
