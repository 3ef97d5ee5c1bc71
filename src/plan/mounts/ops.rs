//! Writes the effective file map down as operations, parents before children.
//!
//! Nothing is decided here any more, and no operation makes anything inside a
//! host tree: only directories that our own tmpfs holds get content.

use super::proc;
use super::tree::{Entry, ResolvedFiles, Thing};
use crate::host::Host;
use crate::host::paths::upwards;
use crate::plan::{MountAttributes, Mounts, Op};
use crate::policy::{Access, Policy};
use std::path::{Path, PathBuf};

/// The root tmpfs holds mount points and a few small files; this is what it
/// gets beyond their sizes.
const ROOT_BYTES: u64 = 256 * 1024;
/// Inodes beyond one for each operation.
const ROOT_INODES: u64 = 64;
/// A tmpfs accounts whole pages.
const PAGE: u64 = 4096;
/// A tmpfs that stands for a hidden directory with visible things in it.
const HIDDEN_BYTES: u64 = 64 * 1024;
/// Permission bits of a hidden directory with visible things in it: it can be
/// passed through, and not listed.
const PASSAGE: u32 = 0o111;

/// The operations for `files`.
pub(super) fn write(files: &ResolvedFiles, policy: &Policy, host: &Host) -> Mounts {
    let mut writer = Writer {
        files,
        ops: Vec::new(),
        around: files.around(),
        made: Vec::new(),
        seals: Vec::new(),
    };
    for (position, (at, entry)) in files.entries().enumerate() {
        writer.entry(position, at, entry, policy, host);
    }
    // The deepest first, the root last of all.
    while let Some(at) = writer.seals.pop() {
        writer.ops.push(Op::Seal { at });
    }
    writer.ops.push(Op::Seal {
        at: PathBuf::from("/"),
    });
    let text: u64 = writer
        .ops
        .iter()
        .map(|op| match op {
            Op::File { text, .. } | Op::Cover { text, .. } => {
                (text.len() as u64).next_multiple_of(PAGE)
            }
            _ => 0,
        })
        .sum();
    Mounts {
        root_bytes: ROOT_BYTES + text,
        root_inodes: ROOT_INODES + writer.ops.len() as u64,
        ops: writer.ops,
    }
}

struct Writer<'f> {
    files: &'f ResolvedFiles,
    /// For each entry, the position of the nearest one above it.
    around: Vec<Option<usize>>,
    ops: Vec<Op>,
    /// Directories already made, or already pinned.
    made: Vec<&'f Path>,
    seals: Vec<PathBuf>,
}

impl<'f> Writer<'f> {
    fn entry(
        &mut self,
        position: usize,
        at: &'f Path,
        entry: &Entry,
        policy: &Policy,
        host: &Host,
    ) {
        let own = entry.over.is_none();
        let holder = self.holder(position);
        let writable = holder.is_some_and(|(_, holder)| writable(holder));
        if entry.thing == Thing::Hidden {
            let leads_on = self.files.leads_on(position, at);
            if leads_on || writable || !own {
                self.lead_to(at, holder);
            }
            return self.hidden(at, own, writable, entry.directory(), leads_on);
        }
        let at_buf = at.to_path_buf();
        self.lead_to(at, holder);
        let attributes = MountAttributes {
            read_only: !entry.access.writes(),
            no_exec: !entry.access.executes(),
        };
        match &entry.thing {
            Thing::Host {
                source,
                identity,
                device,
            } => {
                if own {
                    self.mount_point(at, identity.directory);
                }
                self.ops.push(Op::Bind {
                    at: at_buf,
                    source: source.clone(),
                    identity: *identity,
                    attributes,
                    device: *device,
                });
            }
            Thing::Tmpfs {
                bytes,
                inodes,
                mode,
                sealed,
            } => {
                if own {
                    self.mount_point(at, true);
                }
                self.ops.push(Op::Tmpfs {
                    at: at_buf.clone(),
                    bytes: *bytes,
                    inodes: *inodes,
                    mode: *mode,
                    attributes: MountAttributes {
                        read_only: false,
                        ..attributes
                    },
                });
                if *sealed {
                    self.seals.push(at_buf);
                }
            }
            Thing::File(text) if own && !writable => self.ops.push(Op::File {
                at: at_buf,
                text: text.clone(),
                mode: 0o444,
            }),
            Thing::File(text) => {
                // In a tree that the program may write, only a mount keeps the
                // file what it is.
                if own {
                    self.mount_point(at, false);
                }
                self.ops.push(Op::Cover {
                    at: at_buf,
                    text: text.clone(),
                });
            }
            Thing::Link(target) => self.ops.push(Op::Symlink {
                at: at_buf,
                target: target.clone(),
            }),
            Thing::Proc { facts } => {
                if own {
                    self.mount_point(at, true);
                }
                proc::write(at, *facts, policy, host, &mut self.ops);
            }
            Thing::Devpts => {
                if own {
                    self.mount_point(at, true);
                }
                self.ops.push(Op::Devpts { at: at_buf });
            }
            Thing::Hidden => {}
        }
    }

    fn hidden(&mut self, at: &'f Path, own: bool, writable: bool, directory: bool, children: bool) {
        if own && !writable {
            // What nobody makes does not exist; only what leads to a rule below
            // is made, and can be passed through but not listed.
            if children {
                self.made.push(at);
                self.ops.push(Op::Directory {
                    at: at.to_path_buf(),
                    mode: PASSAGE,
                });
            }
            return;
        }
        if own {
            self.mount_point(at, true);
        }
        if !children {
            self.ops.push(Op::Mask {
                at: at.to_path_buf(),
                directory,
            });
            return;
        }
        self.ops.push(Op::Tmpfs {
            at: at.to_path_buf(),
            bytes: HIDDEN_BYTES,
            inodes: ROOT_INODES,
            mode: PASSAGE,
            attributes: MountAttributes {
                read_only: false,
                no_exec: true,
            },
        });
        self.seals.push(at.to_path_buf());
    }

    fn mount_point(&mut self, at: &Path, directory: bool) {
        let at = at.to_path_buf();
        self.ops.push(match directory {
            true => Op::Directory { at, mode: 0o755 },
            false => Op::File {
                at,
                text: Vec::new(),
                mode: 0o444,
            },
        });
    }

    /// The entry whose mount holds the parent of the one at `position`; `None` is the root
    /// tmpfs.
    fn holder(&self, position: usize) -> Option<(&'f Path, &'f Entry)> {
        let above = self.around.get(position).copied().flatten()?;
        let (at, entry) = self.files.nth(above)?;
        // A hidden place of our own that nobody could write to was never mounted.
        let mounted = entry.thing != Thing::Hidden
            || entry.over.is_some()
            || self
                .holder(above)
                .is_some_and(|(_, holder)| writable(holder));
        match mounted {
            true => Some((at, entry)),
            false => self.holder(above),
        }
    }

    /// Makes the directories between the mount that holds `at` and `at` itself,
    /// and pins them where the program could rename them: rename(2) of a mount
    /// point answers EBUSY.
    fn lead_to(&mut self, at: &'f Path, holder: Option<(&Path, &Entry)>) {
        let base = holder.map_or(Path::new("/"), |(base, _)| base);
        let in_host_tree =
            holder.is_some_and(|(_, holder)| matches!(holder.thing, Thing::Host { .. }));
        let pinned = holder.and_then(|(_, holder)| {
            let attributes = MountAttributes {
                read_only: false,
                no_exec: !holder.access.executes(),
            };
            (holder.access.writes() && holder.access != Access::None).then_some(attributes)
        });
        let between = |ancestor: &&Path| ancestor.as_os_str() != base.as_os_str();
        let mut between: Vec<&'f Path> = upwards(at).skip(1).take_while(between).collect();
        while let Some(directory) = between.pop() {
            let made = |other: &&Path| other.as_os_str() == directory.as_os_str();
            if self.made.iter().any(made) {
                continue;
            }
            self.made.push(directory);
            if !in_host_tree {
                let governor = self.files.governing(directory);
                let hidden = governor.is_some_and(|(_, entry)| entry.thing == Thing::Hidden);
                self.ops.push(Op::Directory {
                    at: directory.to_path_buf(),
                    mode: match hidden {
                        true => PASSAGE,
                        false => 0o755,
                    },
                });
            }
            if let Some(attributes) = pinned {
                self.ops.push(Op::Pin {
                    at: directory.to_path_buf(),
                    attributes,
                });
            }
        }
    }
}

/// May the program write what this holds?
fn writable(holder: &Entry) -> bool {
    holder.access.writes() && !matches!(holder.thing, Thing::Hidden)
}
