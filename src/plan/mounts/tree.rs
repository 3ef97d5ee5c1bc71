//! The effective file map: what stands at which inside path, and with which access.
//!
//! It answers questions about the map and changes nothing.

use crate::host::paths::{MAX_LINKS, above, rest, upwards, within};
use crate::plan::Identity;
use crate::policy::{Access, Weaken};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// The file map after expansion: what the mounts put in force, and what the
/// Landlock rules are made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvedFiles {
    /// Inside path → what stands there. No key lies below a [`Thing::Link`]. Keys
    /// are in the order of their bytes, in which parents come before children too.
    pub(super) entries: BTreeMap<OsString, Entry>,
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
    /// Every entry, parents before children.
    pub fn entries(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.entries
            .iter()
            .map(|(at, entry)| (Path::new(at), entry))
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
        upwards(place).find_map(|place| {
            self.entries
                .get_key_value(place.as_os_str())
                .map(|(at, entry)| (Path::new(at), entry))
        })
    }

    /// The nearest entry strictly above `place`.
    pub(in crate::plan) fn enclosing(&self, place: &Path) -> Option<(&Path, &Entry)> {
        self.governing(above(place)?)
    }

    /// Is there an entry strictly below `place`?
    pub(super) fn has_children(&self, place: &Path) -> bool {
        self.below(place).next().is_some()
    }

    /// Is there something to see strictly below `place`?
    pub(super) fn leads_on(&self, place: &Path) -> bool {
        self.below(place).any(|entry| entry.thing != Thing::Hidden)
    }

    fn below(&self, place: &Path) -> impl Iterator<Item = &Entry> {
        use std::ops::Bound::{Excluded, Unbounded};
        // Those below come after `place/`; before that, `place-` and the like.
        let mut start = place.as_os_str().to_os_string();
        if start != "/" {
            start.push("/");
        }
        self.entries
            .range::<OsStr, _>((Excluded(start.as_os_str()), Unbounded))
            .take_while(move |(at, _)| within(Path::new(at), place))
            .map(|(_, entry)| entry)
    }

    /// `path` after following the links of our own, every component; `None` in
    /// a loop.
    pub(super) fn walk(&self, path: &Path) -> Option<PathBuf> {
        walk(path, |at| match self.entries.get(at.as_os_str()) {
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
