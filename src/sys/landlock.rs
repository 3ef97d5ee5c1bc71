//! Landlock: the ruleset (parent) and the two calls that must be made inside.
//!
//! Rules name inodes, so those for mounts made inside can only be added inside;
//! the rights themselves come from the plan.

use super::{Result, check};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

const LANDLOCK_RULE_PATH_BENEATH: libc::c_int = 1;

/// `struct landlock_path_beneath_attr` (packed in the kernel's header too).
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

/// Child-safe. `landlock_add_rule(2)`: `rights` on and beneath what `fd` refers to.
pub(crate) fn add_rule(ruleset: RawFd, fd: RawFd, rights: u64) -> Result<()> {
    let rule = PathBeneath {
        allowed_access: rights,
        parent_fd: fd,
    };
    // SAFETY: `rule` has the layout the rule type asks for and outlives the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset,
            LANDLOCK_RULE_PATH_BENEATH,
            &raw const rule,
            0,
        )
    })
    .map(drop)
}

/// Child-safe. `landlock_restrict_self(2)`.
pub(crate) fn restrict_self(ruleset: RawFd) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0) }).map(drop)
}

/// Highest ABI of the running kernel, 0 where there is none (Linux before 5.13,
/// not compiled in, or not enabled at boot).
pub(crate) fn abi() -> u32 {
    const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;
    // SAFETY: asking for the version takes no ruleset.
    check(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    })
    .unwrap_or(0) as u32
}

/// A ruleset that handles the given rights (`landlock_ruleset_attr` of ABI 6;
/// older kernels take the shorter form when the newer fields are not used).
/// Parent only (ownership).
pub(crate) fn create_ruleset(fs: u64, net: u64, scoped: u64) -> Result<OwnedFd> {
    let attr: [u64; 3] = [fs, net, scoped];
    let size = match (net, scoped) {
        (0, 0) => 8,
        (_, 0) => 16,
        _ => 24,
    };
    // SAFETY: `attr` holds at least `size` bytes in the kernel's layout.
    let fd =
        check(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, attr.as_ptr(), size, 0) })?;
    // SAFETY: a new descriptor, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
