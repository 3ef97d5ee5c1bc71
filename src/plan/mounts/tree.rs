//! The effective file map: what stands at which inside path, and with which access.
//!
//! It answers questions about the map and changes nothing.

use crate::host::paths::MAX_LINKS;
use crate::plan::Identity;
use crate::policy::{Access, Weaken};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The file map after expansion: what the mounts put in force, and what the
/// Landlock rules are made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvedFiles {
    /// Inside path → what stands there. No key lies below a [`Thing::Link`].
    pub(super) entries: BTreeMap<PathBuf, Entry>,
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

impl ResolvedFiles {
    /// Every entry, parents before children.
    pub fn entries(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.entries.iter().map(|(at, entry)| (at.as_path(), entry))
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
        let mut names = self.entries.iter().filter_map(|(at, entry)| {
            let Thing::Host { source, .. } = &entry.thing else {
                return None;
            };
            let inside = join(at, host.strip_prefix(source).ok()?);
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
        place.ancestors().find_map(|ancestor| {
            self.entries
                .get_key_value(ancestor)
                .map(|(at, entry)| (at.as_path(), entry))
        })
    }

    /// The nearest entry strictly above `place`.
    pub(super) fn enclosing(&self, place: &Path) -> Option<(&Path, &Entry)> {
        self.governing(place.parent()?)
    }

    /// Is there an entry strictly below `place`?
    pub(super) fn has_children(&self, place: &Path) -> bool {
        use std::ops::Bound::{Excluded, Unbounded};
        self.entries
            .range::<Path, _>((Excluded(place), Unbounded))
            .next()
            .is_some_and(|(at, _)| at.starts_with(place))
    }

    /// `path` after following the links of our own, every component; `None` in
    /// a loop.
    pub(super) fn walk(&self, path: &Path) -> Option<PathBuf> {
        walk(path, |at| match self.entries.get(at) {
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
    let parts = |path: &Path| -> Vec<OsString> {
        path.components()
            .rev()
            .filter_map(|component| match component {
                Component::Normal(_) | Component::ParentDir => {
                    Some(component.as_os_str().to_os_string())
                }
                _ => None,
            })
            .collect()
    };
    let mut todo = parts(path);
    let mut done = PathBuf::from("/");
    let mut followed = 0;
    while let Some(name) = todo.pop() {
        if name == ".." {
            done.pop();
            continue;
        }
        done.push(name);
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
            todo.extend(parts(&text));
        }
    }
    Some(done)
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
