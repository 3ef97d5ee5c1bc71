//! Decides the Landlock domain from the same file map as the mounts.
//!
//! Rights add up along a path, so a rule cannot take back what one above it
//! gives: narrowing inside a wider tree is the mounts' work, and this layer
//! stands behind them. It never grants what the file map does not.

use super::Landlock;
use super::mounts::{Entry, ResolvedFiles, Thing};
use crate::policy::{Access, Network};
use landlock::{ABI, Access as _, AccessFs, AccessNet, BitFlags, Scope, make_bitflags};
use std::path::PathBuf;

/// The newest ABI whose rights are known here; a newer kernel has these too.
const NEWEST: u32 = 9;

/// The domain for the running kernel's `abi`; `None` where there is no Landlock.
pub fn resolve(files: &ResolvedFiles, network: Network, abi: u32) -> Option<Landlock> {
    let known = version(abi)?;
    let all = AccessFs::from_all(known);
    let mut rules: Vec<(PathBuf, u64)> =
        vec![(PathBuf::from("/"), BitFlags::from(AccessFs::ReadDir).bits())];
    for (at, entry) in files.entries() {
        let rights = (rights(entry) & all).bits();
        let above = rules
            .iter()
            .filter(|(path, _)| at.starts_with(path))
            .fold(0, |sum, (_, rights)| sum | rights);
        if rights & !above != 0 {
            rules.push((at.to_path_buf(), rights));
        }
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
