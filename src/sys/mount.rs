//! The mount interface of Linux 5.2 and 5.12: trees by descriptor, never by path.
//!
//! Child-safe throughout. A tree that is not yet attached is invisible, so every
//! flag is set before anyone can look.

use super::{Result, check, uninterrupted};
use std::ffi::CStr;
use std::os::fd::RawFd;

pub(crate) const ATTR_RDONLY: u64 = 0x1;
pub(crate) const ATTR_NOSUID: u64 = 0x2;
pub(crate) const ATTR_NODEV: u64 = 0x4;
pub(crate) const ATTR_NOEXEC: u64 = 0x8;
const ATTR_IDMAP: u64 = 0x0010_0000;

const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: libc::c_uint = 0x40;
const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

/// `struct mount_attr` (MOUNT_ATTR_SIZE_VER0).
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// A detached copy of the mount tree at `fd`, submounts included: copies of
/// another user namespace's mounts are locked together and come whole or not at
/// all (mount_namespaces(7)).
pub(crate) fn clone_tree(fd: RawFd) -> Result<RawFd> {
    let flags = OPEN_TREE_CLONE
        | OPEN_TREE_CLOEXEC
        | (libc::AT_EMPTY_PATH | libc::AT_RECURSIVE) as libc::c_uint;
    // SAFETY: the path is an empty NUL-terminated string.
    check(unsafe { libc::syscall(libc::SYS_open_tree, fd, c"".as_ptr(), flags) })
        .map(|fd| fd as RawFd)
}

/// Sets flags on every mount of a tree and cuts it off from mount propagation.
pub(crate) fn set_tree_flags(tree: RawFd, set: u64) -> Result<()> {
    let attr = MountAttr {
        attr_set: set,
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    set_attr(tree, &attr, libc::AT_RECURSIVE)
}

/// Makes the one mount at `fd` read-only.
pub(crate) fn make_read_only(fd: RawFd) -> Result<()> {
    let attr = MountAttr {
        attr_set: ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    set_attr(fd, &attr, 0)
}

/// Maps the ids of a detached tree through a user namespace (Linux 5.12; the
/// file system must support it, else EINVAL).
pub(crate) fn set_id_map(tree: RawFd, user_namespace: RawFd) -> Result<()> {
    let attr = MountAttr {
        attr_set: ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: user_namespace as u64,
    };
    set_attr(tree, &attr, libc::AT_RECURSIVE)
}

fn set_attr(fd: RawFd, attr: &MountAttr, flags: libc::c_int) -> Result<()> {
    // SAFETY: `attr` is a valid mount_attr of the size given, the path an empty string.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd,
            c"".as_ptr(),
            flags | libc::AT_EMPTY_PATH,
            attr as *const MountAttr,
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// Attaches a detached tree on top of what `target` refers to.
pub(crate) fn attach(tree: RawFd, target: RawFd) -> Result<()> {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are empty NUL-terminated strings.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree,
            c"".as_ptr(),
            target,
            c"".as_ptr(),
            flags,
        )
    })
    .map(drop)
}

/// A new, detached file system of type `kind` with the given options and mount flags.
pub(crate) fn make(kind: &CStr, options: &[(&CStr, &CStr)], attributes: u64) -> Result<RawFd> {
    // SAFETY: the type is NUL-terminated.
    let context =
        check(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })? as RawFd;
    let made = configure(context, options).and_then(|()| {
        uninterrupted(|| {
            // SAFETY: no memory is passed.
            check(unsafe { libc::syscall(libc::SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes) })
        })
    });
    super::fd::close(context);
    made.map(|fd| fd as RawFd)
}

fn configure(context: RawFd, options: &[(&CStr, &CStr)]) -> Result<()> {
    let none = std::ptr::null::<libc::c_char>();
    let set = FSCONFIG_SET_STRING;
    for (key, value) in options {
        // Interrupted, it has done nothing: the wait for the context's lock was.
        // SAFETY: key and value are NUL-terminated.
        uninterrupted(|| unsafe { fsconfig(context, set, key.as_ptr(), value.as_ptr()) })?;
    }
    // SAFETY: FSCONFIG_CMD_CREATE takes no key and no value.
    uninterrupted(|| unsafe { fsconfig(context, FSCONFIG_CMD_CREATE, none, none) })
}

/// # Safety
///
/// Key and value are what the command takes.
unsafe fn fsconfig(
    context: RawFd,
    command: libc::c_uint,
    key: *const libc::c_char,
    value: *const libc::c_char,
) -> Result<()> {
    // SAFETY: as the caller vouches.
    check(unsafe { libc::syscall(libc::SYS_fsconfig, context, command, key, value, 0) }).map(drop)
}

/// Makes the working directory the root and stacks the old root on top of it
/// (`pivot_root(".", ".")`, pivot_root(2)).
pub(crate) fn pivot_here() -> Result<()> {
    // SAFETY: both paths are NUL-terminated.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) }).map(drop)
}

/// Detaches what is stacked on the working directory.
pub(crate) fn detach_here() -> Result<()> {
    // SAFETY: the path is NUL-terminated.
    check(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) }.into())
        .map(drop)
}
