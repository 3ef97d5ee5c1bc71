//! Step `mounts`: builds the new root on a tmpfs of its own.
//!
//! An interpreter for the plan's operations; it decides nothing. Every mount
//! point is reached beneath the new root without following a symbolic link, every
//! source is opened once and used by descriptor.

use super::Failure;
use super::stage::{Mapped, Mounted, Stage};
use crate::launch::image::{
    CountedTmpfs, Identity, Image, ImageOp, MountAttributes, Source, TmpfsOptions,
};
use crate::step::Step;
use crate::sys::{Errno, Result, fd, mount};
use std::ffi::CStr;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering::Relaxed;

/// Items beyond the plan's operations, for failures before and after them.
pub(crate) const ITEM_ROOT: usize = 0x1_0000;
pub(crate) const ITEM_BLANKS: usize = 0x1_0001;
pub(crate) const ITEM_WATCH: usize = 0x1_0002;

/// Names in the new root that exist only while it is built: what masks are made of.
const BLANK_DIRECTORY: &CStr = c".blank-directory";
const BLANK_FILE: &CStr = c".blank-file";
const COVER: &CStr = c".cover";

const SAFE: u64 = mount::ATTR_NOSUID | mount::ATTR_NODEV;

pub(super) fn build(
    stage: Stage<Mapped>,
    image: &Image<'_>,
) -> std::result::Result<Stage<Mounted>, Failure> {
    match &image.standing {
        None => make_root(image, |_| true)?,
        Some(_) => renew(image)?,
    }
    if image.watch.procfs {
        let procfs = own_procfs(image).map_err(Failure::at(Step::Mounts, ITEM_WATCH))?;
        image.found.procfs.store(procfs, Relaxed);
    }
    Ok(stage.next())
}

/// The root for many runs, without what is only each run's own. The processes that it shows
/// are none, for its pid namespace ends with the process that builds; a procfs may be mounted
/// only where one is visible.
pub(super) fn build_standing(
    stage: Stage<Mapped>,
    image: &Image<'_>,
) -> std::result::Result<Stage<Mounted>, Failure> {
    make_root(image, |item| !image.absent.contains(&item))?;
    Ok(stage.next())
}

/// How many operations [`build`] performs.
pub(super) fn operations(image: &Image<'_>) -> usize {
    match &image.standing {
        None => image.ops.len(),
        Some(_) => image.renewed.len(),
    }
}

/// The working directory becomes the new root.
fn make_root(
    image: &Image<'_>,
    wanted: impl Fn(usize) -> bool,
) -> std::result::Result<(), Failure> {
    let root = attach_root(&image.root).map_err(Failure::at(Step::Mounts, ITEM_ROOT))?;
    make_blanks(root).map_err(Failure::at(Step::Mounts, ITEM_BLANKS))?;
    let mut sealed = false;
    for (item, op) in image.ops.iter().enumerate() {
        // The last operation seals the root; the blanks must be gone by then.
        if item + 1 == image.ops.len() {
            remove_blanks(root).map_err(Failure::at(Step::Mounts, ITEM_BLANKS))?;
            sealed = true;
        }
        if wanted(item) {
            perform(root, op).map_err(Failure::at(Step::Mounts, item))?;
        }
    }
    if !sealed {
        remove_blanks(root).map_err(Failure::at(Step::Mounts, ITEM_BLANKS))?;
    }
    fd::enter(root).map_err(Failure::at(Step::Mounts, ITEM_ROOT))?;
    fd::close(root);
    Ok(())
}

/// What is this run's own, over what stands there.
fn renew(image: &Image<'_>) -> std::result::Result<(), Failure> {
    let root =
        fd::open_path(libc::AT_FDCWD, c"/", false).map_err(Failure::at(Step::Mounts, ITEM_ROOT))?;
    let renewed = || image.renewed.iter().zip(&image.carried);
    // First: once something is mounted over it, what stands cannot be reached any more.
    for (item, carried) in renewed() {
        if let Some(at) = image.ops.get(*item).and_then(carried_over) {
            let tree = clone_at(root, at).map_err(Failure::at(Step::Mounts, *item))?;
            carried.store(tree, Relaxed);
        }
    }
    for (item, carried) in renewed() {
        let op = image.ops.get(*item).ok_or(Errno::EPROTO);
        op.and_then(|op| match carried_over(op) {
            Some(at) => attach(root, carried.load(Relaxed), at),
            None => perform(root, op),
        })
        .map_err(Failure::at(Step::Mounts, *item))?;
    }
    fd::close(root);
    Ok(())
}

/// Where something stands that is the same in every run, though what it stands on is not.
fn carried_over(op: &ImageOp) -> Option<&CStr> {
    match op {
        ImageOp::Bind { at, .. } | ImageOp::Mask { at, .. } | ImageOp::Cover { at, .. } => Some(at),
        _ => None,
    }
}

/// A procfs for pid 1 alone, where no path leads. Unlike the program's it shows also the
/// processes that may not be looked into.
///
/// Closing the last descriptor of a mount that is mounted nowhere makes the kernel wait for
/// every processor (namespace_unlock() in fs/namespace.c), a hundred microseconds: so it is
/// mounted where the old root is taken away as a whole, or stays open until the program runs.
fn own_procfs(image: &Image<'_>) -> Result<RawFd> {
    let only_processes = [(c"subset", c"pid")];
    let flags = mount::ATTR_RDONLY | mount::ATTR_NOEXEC | SAFE;
    let tree = mount::make(c"proc", &only_processes, flags)?;
    let directory = fd::open_beneath(tree, c".")?;
    match image.standing {
        None => {
            // Not at `/`: what is stacked there is what step `root` detaches.
            let old = fd::open_path(libc::AT_FDCWD, c"/proc", false)?;
            let attached = mount::attach(tree, old);
            fd::close(old);
            fd::close(tree);
            attached?;
        }
        Some(_) => {
            fd::raise(tree)?;
        }
    }
    // Standard streams take their numbers later, in a table that pid 1 shares.
    fd::raise(directory)
}

/// A private tmpfs stacked on `/`. Absolute paths still start at the old root,
/// which is this process's root until the pivot.
fn attach_root(options: &TmpfsOptions) -> Result<RawFd> {
    let root = make_tmpfs(options, SAFE | mount::ATTR_NOEXEC)?;
    let old = fd::open_path(libc::AT_FDCWD, c"/", false)?;
    let attached = mount::attach(root, old);
    fd::close(old);
    attached.map(|()| root)
}

fn make_blanks(root: RawFd) -> Result<()> {
    fd::make_directory(root, BLANK_DIRECTORY, 0)?;
    fd::create(root, BLANK_FILE, 0).map(fd::close)
}

fn remove_blanks(root: RawFd) -> Result<()> {
    fd::remove(root, BLANK_DIRECTORY, true)?;
    fd::remove(root, BLANK_FILE, false)
}

fn perform(root: RawFd, op: &ImageOp) -> Result<()> {
    match op {
        ImageOp::Directory { at, mode } => fd::make_directory(root, at, *mode),
        ImageOp::File { at, text, mode } => make_file(root, at, text, *mode),
        ImageOp::Symlink { at, target } => fd::make_symlink(target, root, at),
        ImageOp::Tmpfs {
            at,
            options,
            attributes,
            counted,
        } => {
            let tree = make_tmpfs(options, SAFE | flags(*attributes))?;
            match counted {
                Some(counted) if counted.may_move => attach_counted(root, tree, at, counted),
                _ => attach(root, tree, at),
            }
        }
        ImageOp::Bind {
            at,
            source,
            attributes,
            device,
        } => {
            let mut set = mount::ATTR_NOSUID | flags(*attributes);
            if !device {
                set |= mount::ATTR_NODEV;
            }
            bind(root, source, at, set)
        }
        ImageOp::Pin { at, attributes } => copy(root, at, at, SAFE | flags(*attributes)),
        ImageOp::Mask { at, directory } => {
            let blank = if *directory {
                BLANK_DIRECTORY
            } else {
                BLANK_FILE
            };
            copy(
                root,
                blank,
                at,
                SAFE | mount::ATTR_NOEXEC | mount::ATTR_RDONLY,
            )
        }
        ImageOp::Cover { at, text } => {
            make_file(root, COVER, text, 0o444)?;
            copy(
                root,
                COVER,
                at,
                SAFE | mount::ATTR_NOEXEC | mount::ATTR_RDONLY,
            )?;
            fd::remove(root, COVER, false)
        }
        ImageOp::Proc { at, only_pids } => {
            let hide = (c"hidepid", c"invisible");
            let options = [hide, (c"subset", c"pid")];
            let options = if *only_pids {
                &options[..]
            } else {
                &[hide][..]
            };
            let attributes = SAFE | mount::ATTR_NOEXEC | mount::ATTR_RDONLY;
            let tree = mount::make(c"proc", options, attributes)?;
            attach(root, tree, at)
        }
        ImageOp::Devpts { at } => {
            let options = [(c"ptmxmode", c"666"), (c"mode", c"620")];
            let attributes = mount::ATTR_NOSUID | mount::ATTR_NOEXEC;
            let tree = mount::make(c"devpts", &options, attributes)?;
            attach(root, tree, at)
        }
        ImageOp::Seal { at } => {
            let place = fd::open_path(root, at, true)?;
            let sealed = mount::make_read_only(place);
            fd::close(place);
            sealed
        }
    }
}

fn flags(attributes: MountAttributes) -> u64 {
    let mut flags = 0;
    if attributes.read_only {
        flags |= mount::ATTR_RDONLY;
    }
    if attributes.no_exec {
        flags |= mount::ATTR_NOEXEC;
    }
    flags
}

fn make_tmpfs(options: &TmpfsOptions, attributes: u64) -> Result<RawFd> {
    let options = [
        (c"size", options.size.as_c_str()),
        (c"nr_inodes", options.inodes.as_c_str()),
        (c"mode", options.mode.as_c_str()),
    ];
    mount::make(c"tmpfs", &options, attributes)
}

fn make_file(root: RawFd, at: &CStr, text: &[u8], mode: u32) -> Result<()> {
    let file = fd::create(root, at, mode)?;
    let written = fd::write_all(file, text);
    fd::close(file);
    written
}

fn bind(root: RawFd, source: &Source, at: &CStr, set: u64) -> Result<()> {
    let tree = match source {
        Source::Tree(tree) => *tree,
        Source::Path(path, identity) => {
            let place = fd::open_path(libc::AT_FDCWD, path, false)?;
            let tree = same(place, identity).and_then(|()| mount::clone_tree(place));
            fd::close(place);
            tree?
        }
    };
    if let Err(errno) = mount::set_tree_flags(tree, set) {
        fd::close(tree);
        return Err(errno);
    }
    attach(root, tree, at)
}

/// The source is still what the plan saw: somebody who swapped it in between
/// gets a refusal, not a mount.
fn same(place: RawFd, identity: &Identity) -> Result<()> {
    let stat = fd::stat(place)?;
    if stat.st_dev == identity.dev && stat.st_ino == identity.ino {
        Ok(())
    } else {
        Err(Errno::ESTALE)
    }
}

/// Mounts a copy of what is at one place of the new root on another.
fn copy(root: RawFd, from: &CStr, at: &CStr, set: u64) -> Result<()> {
    let tree = clone_at(root, from)?;
    if let Err(errno) = mount::set_tree_flags(tree, set) {
        fd::close(tree);
        return Err(errno);
    }
    attach(root, tree, at)
}

/// A detached copy of what is at one place of the new root.
fn clone_at(root: RawFd, at: &CStr) -> Result<RawFd> {
    let place = fd::open_path(root, at, true)?;
    let tree = mount::clone_tree(place);
    fd::close(place);
    tree
}

/// Attaches and closes a detached tree.
fn attach(root: RawFd, tree: RawFd, at: &CStr) -> Result<()> {
    let attached = attach_open(root, tree, at);
    fd::close(tree);
    attached
}

/// Attaches a detached tree, and leaves it to pid 1.
fn attach_counted(root: RawFd, tree: RawFd, at: &CStr, counted: &CountedTmpfs) -> Result<()> {
    attach_open(root, tree, at)?;
    // Standard streams take their numbers later, in a table that pid 1 shares.
    fd::raise(tree).map(|place| counted.place.store(place, Relaxed))
}

fn attach_open(root: RawFd, tree: RawFd, at: &CStr) -> Result<()> {
    let place = fd::open_path(root, at, true)?;
    let attached = mount::attach(tree, place);
    fd::close(place);
    attached
}
