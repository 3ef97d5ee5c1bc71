//! Does the operations of a mount plan on paper, as the kernel would, and compares
//! what can be seen then with the file map.
//!
//! It knows nothing of how plans are made.

use super::mounts_host::{Node, Tree};
use sandbox::host::PathFact;
use sandbox::plan::mounts::ResolvedFiles;
use sandbox::plan::{Landlock, MountAttributes, Mounts, Op};
use sandbox::policy::Access;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Of linux/landlock.h.
pub const EXECUTE: u64 = 1;
pub const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;

/// The new root.
pub struct Paper {
    /// What the operations made in our own file systems.
    made: BTreeSet<PathBuf>,
    mounts: BTreeMap<PathBuf, Mount>,
}

struct Mount {
    what: What,
    attributes: MountAttributes,
}

#[derive(Clone, PartialEq)]
enum What {
    Own,
    /// A tree of the host.
    Host(PathBuf),
    /// Something in which nothing can be made or mounted.
    Closed,
}

/// The root after all operations; panics where the kernel would answer with an error,
/// and where an operation reaches into a host tree.
pub fn replay(mounts: &Mounts, tree: &Tree) -> Paper {
    let open = MountAttributes {
        read_only: false,
        no_exec: false,
    };
    let root = Mount {
        what: What::Own,
        attributes: open,
    };
    let mut paper = Paper {
        made: [PathBuf::from("/")].into(),
        mounts: [(PathBuf::from("/"), root)].into(),
    };
    for op in &mounts.ops {
        paper.perform(op, tree);
    }
    let sealed = |op: &Op| matches!(op, Op::Seal { .. });
    let first = mounts
        .ops
        .iter()
        .position(sealed)
        .expect("the root is sealed");
    assert!(
        mounts.ops[first..].iter().all(sealed),
        "something after a seal"
    );
    assert_eq!(mounts.ops.last(), Some(&Op::Seal { at: "/".into() }));
    assert!(mounts.root_inodes as usize > mounts.ops.len());
    paper
}

impl Paper {
    fn perform(&mut self, op: &Op, tree: &Tree) {
        let closed = MountAttributes {
            read_only: true,
            no_exec: true,
        };
        let (at, what, attributes, directory) = match op {
            Op::Directory { at, .. } | Op::File { at, .. } | Op::Symlink { at, .. } => {
                return self.make(at, op);
            }
            Op::Seal { at } => {
                let mount = self.mounts.get_mut(at).expect("a mount to seal");
                assert!(mount.what == What::Own, "{op:?}");
                mount.attributes.read_only = true;
                return;
            }
            Op::Bind {
                at,
                source,
                attributes,
                identity,
                ..
            } => {
                let PathFact::Found(found) = tree.fact(source) else {
                    panic!("no source: {op:?}");
                };
                assert_eq!(&found.real, source, "through a link: {op:?}");
                assert_eq!((found.dev, found.ino), (identity.dev, identity.ino));
                (
                    at,
                    What::Host(source.clone()),
                    *attributes,
                    identity.directory,
                )
            }
            Op::Pin { at, attributes } => (at, self.seen(at), *attributes, true),
            Op::Tmpfs { at, attributes, .. } => (at, What::Own, *attributes, true),
            Op::Mask { at, directory } => (at, What::Closed, closed, *directory),
            Op::Cover { at, .. } => (at, What::Closed, closed, false),
            Op::Proc { at, .. } => {
                self.mount_point(at, true, op, tree);
                // Its entries exist; masks and covers stand on them.
                self.mounts.insert(
                    at.clone(),
                    Mount {
                        what: What::Own,
                        attributes: closed,
                    },
                );
                for name in [
                    "cpuinfo", "meminfo", "stat", "sys", "kcore", "version", "loadavg",
                ] {
                    self.made.insert(at.join(name));
                }
                return;
            }
            Op::Devpts { at } => (at, What::Closed, closed, true),
        };
        self.mount_point(at, directory, op, tree);
        if matches!(op, Op::Tmpfs { .. }) {
            self.made.insert(at.clone());
        }
        self.mounts.insert(at.clone(), Mount { what, attributes });
    }

    fn make(&mut self, at: &Path, op: &Op) {
        inside(at);
        let parent = at.parent().expect("the root is not made");
        assert!(self.made.contains(parent), "no parent for {op:?}");
        let (_, mount) = self.covering(parent);
        assert!(
            mount.what == What::Own,
            "made outside our own file systems: {op:?}"
        );
        assert!(self.made.insert(at.to_path_buf()), "made twice: {op:?}");
    }

    /// There is something of the right kind to mount on, and nothing mounted is hidden.
    fn mount_point(&self, at: &Path, directory: bool, op: &Op, tree: &Tree) {
        inside(at);
        assert!(
            !self
                .mounts
                .keys()
                .any(|other| other != at && other.starts_with(at)),
            "it hides a mount: {op:?}"
        );
        let (below, mount) = self.covering(at);
        match &mount.what {
            What::Own => assert!(self.made.contains(at), "nothing to mount on: {op:?}"),
            What::Closed => panic!("mounted on a mask: {op:?}"),
            What::Host(source) => {
                assert_ne!(below, at, "mounted twice: {op:?}");
                let rest = at.strip_prefix(below).expect("it covers");
                match tree.get(&source.join(rest)) {
                    None => panic!("nothing on the host to mount on: {op:?}"),
                    Some(Node::Link(_)) => panic!("mounted on a link: {op:?}"),
                    Some(node) => assert_eq!(*node == Node::Directory, directory, "{op:?}"),
                }
                // Only a mount point cannot be renamed away.
                let pinned = at.parent() == Some(below);
                assert!(
                    mount.attributes.read_only || pinned,
                    "can be renamed away: {op:?}"
                );
            }
        }
    }

    fn covering(&self, path: &Path) -> (&Path, &Mount) {
        let mut above = path.ancestors();
        let found = above.find_map(|above| self.mounts.get_key_value(above));
        let (at, mount) = found.expect("the root covers everything");
        (at, mount)
    }

    /// What is seen at a path before anything is mounted there.
    fn seen(&self, path: &Path) -> What {
        let (at, mount) = self.covering(path);
        match &mount.what {
            What::Host(source) => {
                What::Host(source.join(path.strip_prefix(at).expect("it covers")))
            }
            other => other.clone(),
        }
    }

    /// Is it in a file system of our own, or in none?
    pub fn own(&self, path: &Path) -> bool {
        self.covering(path).1.what == What::Own
    }

    /// The host's node that is seen at an inside path with no link on the way to it.
    fn host_node<'t>(&self, path: &Path, tree: &'t Tree) -> Option<(&'t Node, MountAttributes)> {
        let (_, mount) = self.covering(path);
        let What::Host(host) = self.seen(path) else {
            return None;
        };
        match tree.fact(&host) {
            PathFact::Found(found) if found.real == host && found.via.is_empty() => {
                Some((tree.get(&host)?, mount.attributes))
            }
            _ => None,
        }
    }

    /// What of the host can be seen at `path` is what the map says may be seen there.
    pub fn agrees(&self, path: &Path, files: &ResolvedFiles, tree: &Tree) {
        let Some((node, attributes)) = self.host_node(path, tree) else {
            return;
        };
        let access = files.access_at(path).unwrap_or(Access::None);
        assert_ne!(access, Access::None, "{path:?} is seen: {node:?}");
        assert_eq!(!attributes.read_only, access.writes(), "{path:?}");
        assert_eq!(!attributes.no_exec, access.executes(), "{path:?}");
    }

    /// None of these host files can be written, under whatever name.
    pub fn keeps(&self, sources: &[PathBuf], tree: &Tree) {
        for source in sources {
            let PathFact::Found(found) = tree.fact(source) else {
                continue;
            };
            for (at, mount) in &self.mounts {
                let What::Host(host) = &mount.what else {
                    continue;
                };
                let Ok(rest) = found.real.strip_prefix(host) else {
                    continue;
                };
                let name = if rest.as_os_str().is_empty() {
                    at.clone()
                } else {
                    at.join(rest)
                };
                // Behind another mount it is not seen by this name.
                let seen = self.seen(&name) == What::Host(found.real.clone());
                if let Some((_, attributes)) = self.host_node(&name, tree).filter(|_| seen) {
                    assert!(attributes.read_only, "{name:?} is the policy");
                }
            }
        }
    }

    /// A file of the host that the mounts show is not closed by Landlock.
    pub fn landlock_permits(
        &self,
        path: &Path,
        files: &ResolvedFiles,
        domain: &Landlock,
        tree: &Tree,
    ) {
        let Some((Node::File(..), _)) = self.host_node(path, tree) else {
            return;
        };
        let access = files.access_at(path).unwrap_or(Access::None);
        let around = domain.rules.iter().filter(|(at, _)| path.starts_with(at));
        let rights = around.fold(0, |sum, (_, rights)| sum | rights);
        let mut wanted = READ_FILE;
        if access.writes() {
            wanted |= WRITE_FILE;
        }
        if access.executes() {
            wanted |= EXECUTE;
        }
        assert_eq!(rights & wanted, wanted, "{path:?} with {access:?}");
    }
}

/// An absolute path that stays where its names say.
fn inside(at: &Path) {
    let plain = |part: Component| matches!(part, Component::RootDir | Component::Normal(_));
    assert!(at.is_absolute() && at.components().all(plain), "{at:?}");
}
