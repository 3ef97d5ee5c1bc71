//! The run's network namespace, made while pid 1 builds the root: it is the most expensive of
//! all, and where a processor is idle it then costs no time.
//!
//! pid 1 gets it with the word to go on, and cannot go on without.

use super::explain;
use crate::plan::{Plan, Refusal};
use crate::policy::Network;
use crate::sys::clone::{self, Stack};
use crate::sys::{Errno, fd};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Who a network namespace of the run belongs to: the user namespace of pid 1. `None` where
/// the policy wants the host's.
///
/// While pid 1 waits for the first word: once it takes its ids it is not always to be looked
/// into.
pub(super) fn owner(pid: libc::pid_t, plan: &Plan) -> Result<Option<OwnedFd>, Refusal> {
    match plan.network {
        Network::Host => Ok(None),
        Network::None | Network::Loopback => user_namespace(pid)
            .map(Some)
            .map_err(|errno| explain::proc_failure("enter the user namespace (`ns/user`)", errno)),
    }
}

fn user_namespace(pid: libc::pid_t) -> Result<OwnedFd, Errno> {
    let path = CString::new(format!("{pid}/ns/user")).map_err(|_| Errno::EINVAL)?;
    let proc = fd::own(fd::procfs()?);
    fd::open_read_in(proc.as_raw_fd(), &path).map(fd::own)
}

/// A new one, where there is an owner.
pub(super) fn make(owner: Option<&OwnedFd>, stack: &Stack) -> Result<Option<OwnedFd>, Refusal> {
    owner
        .map(|owner| clone::network_of(owner.as_fd(), stack))
        .transpose()
        .map_err(|errno| explain::namespaces("network namespace", errno))
}
