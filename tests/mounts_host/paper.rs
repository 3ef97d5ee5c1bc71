//! Does the planned operations one by one on paper, as the kernel would, and looks at the result.
//!
//! It knows mounts and no rules.

use super::naive::{Seen, Step, arrive, join};
use super::{Node, Tree};
use sandbox::plan::{Mounts, Op};
use sandbox::policy::Access;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
enum Mount {
    Own {
        mode: u32,
        read_only: bool,
    },
    Host {
        source: PathBuf,
        write: bool,
        execute: bool,
    },
    /// Nothing can be done with it.
    Mask,
    /// A file of our own.
    Cover,
    /// Another file system of the kernel's.
    Other,
}

/// A mount tree.
pub struct Paper<'t> {
    tree: &'t Tree,
    mounts: BTreeMap<PathBuf, Mount>,
    /// What was made in mounts of our own; a directory has a mode, a link a text.
    made: BTreeMap<PathBuf, Made>,
}

enum Made {
    Directory(u32),
    File,
    Link(PathBuf),
}

impl<'t> Paper<'t> {
    /// After all operations.
    pub fn after(mounts: &Mounts, tree: &'t Tree) -> Paper<'t> {
        let root = Mount::Own {
            mode: 0o755,
            read_only: false,
        };
        let mut paper = Paper {
            tree,
            mounts: [(PathBuf::from("/"), root)].into(),
            made: BTreeMap::new(),
        };
        for op in &mounts.ops {
            paper.perform(op);
        }
        paper
    }

    fn perform(&mut self, op: &Op) {
        let mut mount = |at: &PathBuf, mount: Mount| {
            self.mounts.insert(at.clone(), mount);
        };
        match op {
            Op::Directory { at, mode } => {
                self.made.insert(at.clone(), Made::Directory(*mode));
            }
            Op::File { at, .. } => {
                self.made.insert(at.clone(), Made::File);
            }
            Op::Symlink { at, target } => {
                self.made.insert(at.clone(), Made::Link(target.clone()));
            }
            Op::Tmpfs { at, mode, .. } => mount(
                at,
                Mount::Own {
                    mode: *mode,
                    read_only: false,
                },
            ),
            Op::Bind {
                at,
                source,
                attributes,
                ..
            } => mount(
                at,
                Mount::Host {
                    source: source.clone(),
                    write: !attributes.read_only,
                    execute: !attributes.no_exec,
                },
            ),
            Op::Pin { at, attributes } => {
                let (below, around) = self.holding(at);
                let pin = match around.clone() {
                    Mount::Host { source, .. } => Mount::Host {
                        source: join(&source, at.strip_prefix(below).unwrap()),
                        write: !attributes.read_only,
                        execute: !attributes.no_exec,
                    },
                    _ => Mount::Own {
                        mode: 0o755,
                        read_only: attributes.read_only,
                    },
                };
                self.mounts.insert(at.clone(), pin);
            }
            Op::Mask { at, .. } => mount(at, Mount::Mask),
            Op::Cover { at, .. } => mount(at, Mount::Cover),
            Op::Proc { at, .. } | Op::Devpts { at } => mount(at, Mount::Other),
            Op::Seal { at } => {
                if let Some(Mount::Own { read_only, .. }) = self.mounts.get_mut(at) {
                    *read_only = true;
                }
            }
        }
    }

    fn holding(&self, at: &Path) -> (&Path, &Mount) {
        let found = at
            .ancestors()
            .find_map(|above| self.mounts.get_key_value(above));
        let (at, mount) = found.unwrap();
        (at, mount)
    }

    fn step(&self, place: &Path) -> Step {
        let (at, mount) = self.holding(place);
        let exact = at == place;
        match mount {
            Mount::Own { mode, read_only } => {
                let made = match self.made.get(place) {
                    _ if exact => &Made::Directory(*mode),
                    Some(made) => made,
                    None => return Step::Nothing,
                };
                match made {
                    Made::Directory(0o111) => Step::Thing(Seen::Passage),
                    Made::Directory(_) => Step::Thing(Seen::Directory { write: !read_only }),
                    Made::Link(text) => Step::Link(text.clone()),
                    Made::File => Step::Thing(Seen::File {
                        write: false,
                        execute: false,
                    }),
                }
            }
            Mount::Host {
                source,
                write,
                execute,
            } => {
                let (write, execute) = (*write, *execute);
                match self
                    .tree
                    .get(&join(source, place.strip_prefix(at).unwrap()))
                {
                    None => Step::Nothing,
                    Some(Node::Link(text)) => Step::Link(text.clone()),
                    Some(Node::Directory) => Step::Thing(Seen::Directory { write }),
                    Some(_) => Step::Thing(Seen::File { write, execute }),
                }
            }
            Mount::Cover if exact => Step::Thing(Seen::File {
                write: false,
                execute: false,
            }),
            Mount::Other if exact => Step::Thing(Seen::Directory { write: false }),
            _ => Step::Nothing,
        }
    }

    /// Is the place in a file system of our own, in which nothing is the host's?
    pub fn own(&self, place: &Path) -> bool {
        matches!(self.holding(place).1, Mount::Own { .. })
    }

    /// What the program finds at a path, links followed.
    pub fn at(&self, path: &Path) -> Seen {
        self.arrive(path).1
    }

    /// The same, and where that is.
    pub fn arrive(&self, path: &Path) -> (PathBuf, Seen) {
        arrive(path, |place| self.step(place))
    }

    /// Can the program do more at the path of a rule, links followed, than the rule allows?
    pub fn exceeds(&self, at: &Path, access: Access) -> bool {
        match self.at(at) {
            Seen::Nothing | Seen::Passage => false,
            _ if access == Access::None => true,
            Seen::Directory { write } => write && !access.writes(),
            Seen::File { write, execute } => {
                (write && !access.writes()) || (execute && !access.executes())
            }
        }
    }
}
