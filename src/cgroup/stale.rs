//! Names of leaves, and the removal of those whose maker is gone. It touches no group
//! that has another name, and none that is locked.

use super::group::Group;
use crate::sys::{Result, beneath, process};
use nix::fcntl::{Flock, FlockArg};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long the end of a killed group is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// A name for a new leaf: who made it, and a number that nobody else has.
pub(super) fn fresh() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Not the standard library's, which panics where there is no randomness. Without,
    // time and a count: a name that is taken is no more than another try.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let number = beneath::random().unwrap_or_else(|_| process::monotonic_ns() ^ count << 48);
    format!("sandbox-{}-{number:016x}", std::process::id())
}

/// Could a leaf have this name?
pub(super) fn is_leaf(name: &str) -> bool {
    let digits = |text: &str, radix| {
        let digit = |c: char| c.is_digit(radix) && !c.is_ascii_uppercase();
        !text.is_empty() && text.chars().all(digit)
    };
    name.strip_prefix("sandbox-")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(pid, number)| digits(pid, 10) && number.len() == 16 && digits(number, 16))
}

/// The lock of a leaf that is in use, or is being removed; `None` when another has it.
pub(super) fn lock(group: &Group) -> Result<Option<Flock<std::os::fd::OwnedFd>>> {
    let copy = std::os::fd::AsFd::as_fd(group).try_clone_to_owned();
    let copy = copy.map_err(super::group::errno_of)?;
    match Flock::lock(copy, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, crate::sys::Errno::EAGAIN)) => Ok(None),
        Err((_, errno)) => Err(errno),
    }
}

/// Ends and removes every leaf whose maker is gone; how many. What cannot be removed
/// is left for the next time.
pub(super) fn collect(home: &Group) -> usize {
    let names = home.names_below().unwrap_or_default();
    let removed = |name: &String| is_leaf(name) && remove(home, name).is_ok_and(|done| done);
    names.iter().filter(|name| removed(name)).count()
}

fn remove(home: &Group, name: &str) -> Result<bool> {
    let leaf = home.below(name.as_ref())?;
    let Some(_lock) = lock(&leaf)? else {
        return Ok(false);
    };
    // Its maker may have removed it meanwhile, and another made one of that name.
    if !home.names(name, &leaf) {
        return Ok(false);
    }
    end(home, name, &leaf, PATIENCE)?;
    Ok(true)
}

/// Kills what lives in a leaf and removes it.
pub(super) fn end(home: &Group, name: &str, leaf: &Group, patience: Duration) -> Result<()> {
    if leaf.is_populated()? {
        leaf.kill()?;
        leaf.wait_empty(patience)?;
    }
    // A process that is on its way out may still count for a moment.
    let mut left = 500u32;
    loop {
        match home.remove(name) {
            Err(crate::sys::Errno::EBUSY) if left > 0 => {
                left -= 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(crate::sys::Errno::ENOENT) => return Ok(()),
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_are_leaves() {
        let names: Vec<String> = (0..100).map(|_| fresh()).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(is_leaf(name), "{name}");
            assert!(!names[..index].contains(name), "{name} twice");
        }
        for name in [
            "sandbox",
            "sandbox-",
            "sandbox-1",
            "sandbox-1-",
            "sandbox-prod-0123456789abcdef",
            "sandbox-1-0123456789abcde",
            "sandbox-1-0123456789ABCDEF",
            "sandbox-1-0123456789abcdef0",
            "sandbox-+1-0123456789abcdef",
            "xsandbox-1-0123456789abcdef",
            "sandbox-1-0123456789abcdef.scope",
            "front",
        ] {
            assert!(!is_leaf(name), "{name}");
        }
    }
}
