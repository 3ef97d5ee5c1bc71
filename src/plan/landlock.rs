//! Decides the Landlock domain from the same file map as the mounts.
//!
//! Rights add up along a path, so a rule cannot take back what one above it
//! gives: narrowing inside a wider tree is the mounts' work, and this layer
//! stands behind them. It never grants what the file map does not.

use super::Landlock;
use super::mounts::{Entry, ResolvedFiles, Thing};
use crate::host::paths::within;
use crate::policy::{Access, Network};
use landlock::{ABI, Access as _, AccessFs, AccessNet, BitFlags, Scope, make_bitflags};
use std::path::{Path, PathBuf};

/// The newest ABI whose rights are known here; a newer kernel has these too.
const NEWEST: u32 = 9;

/// The domain for the running kernel's `abi`; `None` where there is no Landlock.
///
/// Each rule costs the child three calls. In a directory that holds nothing but
/// entries of the map, what all of them grant is one rule of the directory: the
/// rights of everything that can be seen stay what they are.
pub fn resolve(files: &ResolvedFiles, network: Network, abi: u32) -> Option<Landlock> {
    let known = version(abi)?;
    let all = AccessFs::from_all(known);
    let entries = spread(files);
    let root =
        BitFlags::from(AccessFs::ReadDir) | (shared(&entries, Path::new("/")) & AccessFs::ReadFile);
    let mut rules = vec![(PathBuf::from("/"), (root & all).bits())];
    let mut sums: Vec<BitFlags<AccessFs>> = Vec::with_capacity(entries.len());
    for Spread {
        at, entry, above, ..
    } in &entries
    {
        let above = above.map_or(root, |above| sums[above]);
        let rights = match entry.thing {
            Thing::Tmpfs { sealed: true, .. } if has_device(&entries, at) => {
                shared(&entries, at) & all
            }
            _ => rights(entry),
        };
        if !above.contains(rights & all) {
            rules.push((at.to_path_buf(), (rights & all).bits()));
        }
        sums.push(above | (rights & all));
    }
    Some(Landlock {
        abi,
        handled_fs: all.bits(),
        handled_net: match network {
            Network::None => AccessNet::from_all(known).bits(),
            // A network of its own has nobody else to reach; the host's was asked for.
            Network::Loopback | Network::Host => 0,
        },
        scoped: Scope::from_all(known).bits(),
        rules,
    })
}

/// A rule for each entry by itself: what those of [`resolve`] must come to.
pub fn separate(files: &ResolvedFiles, abi: u32) -> Vec<(PathBuf, u64)> {
    let all = version(abi).map_or(BitFlags::EMPTY, AccessFs::from_all);
    let root = (PathBuf::from("/"), BitFlags::from(AccessFs::ReadDir).bits());
    let rule = |(at, entry): (&Path, &Entry)| (at.to_path_buf(), (rights(entry) & all).bits());
    std::iter::once(root)
        .chain(files.entries().map(rule))
        .collect()
}

/// The rights on a file that is open already, which may be opened again for
/// reading and for writing.
pub(crate) fn held((read, write): (bool, bool)) -> u64 {
    let mut rights = BitFlags::EMPTY;
    if read {
        rights |= AccessFs::ReadFile;
    }
    if write {
        rights |= AccessFs::WriteFile | AccessFs::Truncate;
    }
    rights.bits()
}

/// An entry and what a rule for each entry alone would grant there.
struct Spread<'f> {
    at: &'f Path,
    entry: &'f Entry,
    /// Position of the entry around it.
    above: Option<usize>,
    /// Its own rights and those of all around it.
    sum: BitFlags<AccessFs>,
    /// Nothing is there but directories of our own that lead to other entries.
    bare: bool,
}

/// Every entry, those around it before it.
fn spread(files: &ResolvedFiles) -> Vec<Spread<'_>> {
    let around = files.around();
    let mut entries: Vec<Spread> = Vec::with_capacity(around.len());
    for ((at, entry), above) in files.entries().zip(around) {
        let around = above.map(|above| &entries[above]);
        let sum = around.map_or(BitFlags::EMPTY, |around| around.sum) | rights(entry);
        let bare = match entry.thing {
            Thing::Tmpfs { sealed, .. } => sealed,
            // Where nobody could make it, nothing stands for it.
            Thing::Hidden => !entry.over_host() && around.is_none_or(|around| around.bare),
            _ => false,
        };
        entries.push(Spread {
            at,
            entry,
            above,
            sum,
            bare,
        });
    }
    entries
}

/// Is it a `/dev`?
fn has_device(entries: &[Spread<'_>], directory: &Path) -> bool {
    entries.iter().any(|other| {
        matches!(other.entry.thing, Thing::Host { device: true, .. }) && within(other.at, directory)
    })
}

/// What every entry below a directory of our own grants, of the rights to use
/// files and devices; nothing where there is no entry.
fn shared(entries: &[Spread<'_>], directory: &Path) -> BitFlags<AccessFs> {
    let below = entries.iter().filter(|other| {
        let link = matches!(other.entry.thing, Thing::Link(_));
        !other.bare
            && !link
            && within(other.at, directory)
            && other.at.as_os_str() != directory.as_os_str()
    });
    below
        .map(|other| match other.entry.thing {
            Thing::Host { device: true, .. } | Thing::Devpts => other.sum,
            // Its mount is nodev: there is no device this right could be for.
            _ => other.sum | AccessFs::IoctlDev,
        })
        .reduce(|left, right| left & right)
        .unwrap_or_default()
        & make_bitflags!(AccessFs::{ReadFile | WriteFile | IoctlDev})
}

fn version(abi: u32) -> Option<ABI> {
    Some(match abi.min(NEWEST) {
        0 => return None,
        1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        6 => ABI::V6,
        7 => ABI::V7,
        8 => ABI::V8,
        _ => ABI::V9,
    })
}

/// What an entry grants at and below its path. On anything but a directory the
/// kernel takes file rights only (EINVAL, landlock_add_rule(2)).
fn rights(entry: &Entry) -> BitFlags<AccessFs> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let terminal = make_bitflags!(AccessFs::{ReadFile | WriteFile | IoctlDev});
    let file = make_bitflags!(AccessFs::{
        ReadFile | WriteFile | Execute | Truncate | IoctlDev | ResolveUnix
    });
    let by_access = |device: bool| {
        let mut rights = match entry.access {
            Access::None => BitFlags::EMPTY,
            Access::Read | Access::Exec => read,
            Access::Write | Access::WriteExec if device => terminal,
            // Everything but device nodes, and their ioctls.
            Access::Write | Access::WriteExec => {
                !make_bitflags!(AccessFs::{MakeChar | MakeBlock | IoctlDev | Execute})
            }
        };
        if entry.access.executes() {
            rights |= AccessFs::Execute;
        }
        rights
    };
    let rights = match &entry.thing {
        Thing::Hidden | Thing::Link(_) => BitFlags::EMPTY,
        Thing::Host { device, .. } => by_access(*device),
        // Its content has rules of its own; `/` lets it be listed.
        Thing::Tmpfs { sealed: true, .. } => BitFlags::EMPTY,
        Thing::Tmpfs { .. } => by_access(false),
        Thing::File(_) | Thing::Proc { .. } => read,
        Thing::Devpts => terminal | AccessFs::ReadDir,
    };
    match entry.directory() {
        true => rights,
        false => rights & file,
    }
}
