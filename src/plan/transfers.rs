//! Where files that are copied in and out lie in the new root: beneath which mount, and
//! whether the program may write there. It reads the operations that build the root, and
//! nothing else: what they do not show, nobody copies.

use super::{Mounts, Op, Plan, Refusal};
use crate::escape::tick;
use crate::policy::InsidePath;
use crate::transfer::Direction;
use std::fmt::Formatter;
use std::path::{Component, Path, PathBuf};

/// What is copied before the program starts and after everything inside has ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copies {
    /// Inside paths of the directories beneath which is copied, each once. The position
    /// is what a failure names.
    pub roots: Vec<PathBuf>,
    /// Each copy, in order; those in come first.
    pub places: Vec<Place>,
    /// The most bytes that may go in together, and come out together.
    pub total_bytes: u64,
}

/// Where one copy begins or ends inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In or out.
    pub direction: Direction,
    /// As it was asked for.
    pub inside: PathBuf,
    /// Which of [`Copies::roots`].
    pub root: usize,
    /// Relative to that; `.` for itself.
    pub path: PathBuf,
    /// The root is in a tmpfs of the sandbox's own.
    pub own: bool,
    /// The program may write there.
    pub writable: bool,
}

impl Plan {
    /// The same plan with these copies, or why one cannot be made. Only what the program
    /// may write takes files; only what it may read gives them.
    pub fn with_copies(
        mut self,
        asked: impl IntoIterator<Item = (Direction, PathBuf)>,
        total_bytes: u64,
    ) -> Result<Plan, Refusal> {
        let mut copies = Copies {
            total_bytes,
            ..Copies::default()
        };
        for (direction, inside) in asked {
            let (mount, path) = place(&self.mounts, direction, &inside)?;
            let root = copies.roots.iter().position(|root| root == mount.at);
            let root = root.unwrap_or_else(|| {
                copies.roots.push(mount.at.to_owned());
                copies.roots.len() - 1
            });
            copies.places.push(Place {
                direction,
                inside,
                root,
                path,
                own: mount.own,
                writable: mount.writable,
            });
        }
        self.copies = copies;
        Ok(self)
    }
}

impl Copies {
    /// A section of the plan's text; nothing where nothing is copied.
    pub(super) fn write(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if self.places.is_empty() {
            return Ok(());
        }
        writeln!(f, "copies")?;
        writeln!(f, "  at most {} bytes in each direction", self.total_bytes)?;
        for place in &self.places {
            let way = match place.direction {
                Direction::In => "in, before the program starts",
                Direction::Out => "out, when everything inside has ended",
            };
            let whose = match place.own {
                true => "a tmpfs of its own",
                false => "the host's",
            };
            let root = self.roots.get(place.root).map(tick).unwrap_or_default();
            writeln!(
                f,
                "  {} {way}: beneath {root}, {whose}",
                tick(&place.inside)
            )?;
        }
        Ok(())
    }
}

/// A directory of the new root that is a mount point.
struct Mount<'m> {
    at: &'m Path,
    own: bool,
    writable: bool,
}

/// What is known of the deepest thing at or above a path.
enum Governor<'m> {
    Mount(Mount<'m>),
    /// Nothing can be copied there, and why, after the path.
    Closed(&'static str, Option<String>),
}

/// Beneath which mount the path lies, and how it is called there.
fn place<'m>(
    mounts: &'m Mounts,
    direction: Direction,
    inside: &Path,
) -> Result<(Mount<'m>, PathBuf), Refusal> {
    let cannot = |why: &str| {
        let way = match direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        Refusal::new(format!("cannot copy {} {way}: it {why}", tick(inside)))
    };
    let normal = InsidePath::new(inside)
        .map_err(|why| cannot(why).hint("the path inside begins with `/`, and has no `..`"))?;
    let place =
        walk(mounts, normal.as_path()).ok_or_else(|| cannot("has too many symbolic links"))?;
    let mount = match governor(mounts, &place) {
        Governor::Mount(mount) => mount,
        Governor::Closed(why, hint) => {
            let refusal = cannot(why);
            return Err(match hint {
                Some(hint) => refusal.hint(hint),
                None => refusal,
            });
        }
    };
    if direction == Direction::In && !mount.writable {
        return Err(cannot("lies where the program may not write").hint(
            "copy into a tmpfs or a tree that the policy makes writable, or show the file with `--read HOST:INSIDE`",
        ));
    }
    let path = match place.strip_prefix(mount.at) {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok((mount, path))
}

const NOT_VISIBLE: &str = "is not visible inside";

fn governor<'m>(mounts: &'m Mounts, place: &Path) -> Governor<'m> {
    let covering = |op: &&Op| place.starts_with(op.at()) && !matches!(op, Op::Seal { .. });
    // The last of the deepest: a mount point is made before it is mounted on.
    let depth = |op: &&Op| op.at().components().count();
    let Some(op) = mounts.ops.iter().filter(covering).max_by_key(depth) else {
        return Governor::Closed(NOT_VISIBLE, None);
    };
    let file = |source: &Path| {
        Governor::Closed(
            "is one file of the host's, and not in a directory that is visible",
            Some(format!("it is there already: {}", tick(source))),
        )
    };
    match op {
        Op::Tmpfs { at, mode, .. } if mode & 0o444 != 0 => Governor::Mount(Mount {
            at,
            own: true,
            writable: !sealed(mounts, at),
        }),
        Op::Bind { device: true, .. } => Governor::Closed("is a device", None),
        Op::Bind {
            at,
            source,
            identity,
            attributes,
            ..
        } => match identity.directory {
            true => Governor::Mount(Mount {
                at,
                own: false,
                writable: !attributes.read_only,
            }),
            false => file(source),
        },
        Op::Pin { at, attributes } => Governor::Mount(Mount {
            at,
            own: pinned_in_own(mounts, at),
            writable: !attributes.read_only,
        }),
        Op::Mask { .. } => Governor::Closed("is hidden by the policy", None),
        Op::Proc { .. } | Op::Devpts { .. } => Governor::Closed(
            "lies in a file system of the kernel's, which holds no files",
            None,
        ),
        Op::File { at, .. } | Op::Cover { at, .. } => match at == place {
            true => Governor::Closed("is a file that the policy makes", None),
            false => Governor::Closed("lies below a file that the policy makes", None),
        },
        Op::Tmpfs { .. } | Op::Directory { .. } | Op::Symlink { .. } | Op::Seal { .. } => {
            Governor::Closed(NOT_VISIBLE, None)
        }
    }
}

fn sealed(mounts: &Mounts, at: &Path) -> bool {
    let mut ops = mounts.ops.iter();
    ops.any(|op| matches!(op, Op::Seal { at: sealed } if sealed == at))
}

/// A pin is the directory that was there already: whose, says what is mounted around it.
fn pinned_in_own(mounts: &Mounts, pin: &Path) -> bool {
    let around = mounts.ops.iter().filter(|op| {
        matches!(op, Op::Tmpfs { .. } | Op::Bind { .. })
            && op.at() != pin
            && pin.starts_with(op.at())
    });
    let deepest = around.max_by_key(|op| op.at().components().count());
    matches!(deepest, Some(Op::Tmpfs { .. }))
}

/// The path after following the links that the policy makes.
fn walk(mounts: &Mounts, path: &Path) -> Option<PathBuf> {
    let mut place = path.to_owned();
    for _ in 0..crate::host::paths::MAX_LINKS {
        let link = mounts.ops.iter().find_map(|op| match op {
            Op::Symlink { at, target } if place.starts_with(at) => Some((at, target)),
            _ => None,
        });
        let Some((at, target)) = link else {
            return Some(place);
        };
        let rest = place.strip_prefix(at).unwrap_or(Path::new("")).to_owned();
        let from = at.parent().unwrap_or(Path::new("/"));
        place = normal(&from.join(target).join(rest));
    }
    None
}

/// Without `.` and `..`. Where a `..` follows a link the kernel may mean another place;
/// this one is as visible.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => {
                normal.pop();
            }
            _ => {}
        }
    }
    normal
}

#[cfg(test)]
#[path = "transfers_tests.rs"]
mod tests;
