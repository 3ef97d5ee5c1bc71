//! Network namespaces with nothing up, for programs without a network. Making one costs as
//! much as everything else of a launch together, so one that is empty again is used again.
//!
//! A namespace is given to one run at a time, and to the next only when the kernel counts no
//! socket in it. Nobody inside has a capability over it: the worker's user namespace owns it.

use super::Held;
use crate::sys::{Errno, fd, process};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// What the kernel says of a namespace without a socket (`net/socket.c`).
const EMPTY: &[u8] = b"sockets: used 0\n";

/// Most that are kept for later.
const MOST_FREE: usize = 16;

/// The namespaces of one worker.
pub(super) struct Networks {
    proc: RawFd,
    free: Vec<Network>,
}

/// One of them.
pub(super) struct Network {
    namespace: OwnedFd,
    /// Its `/proc/net/sockstat`, opened from within.
    sockets: OwnedFd,
}

impl Networks {
    pub(super) fn new(held: &Held) -> Networks {
        Networks {
            proc: held.proc.as_raw_fd(),
            free: Vec::new(),
        }
    }

    /// Enters one that nobody is in; what the worker clones next is in it.
    pub(super) fn enter(&mut self) -> Result<Network, Errno> {
        while let Some(network) = self.free.pop() {
            if network.is_empty()? {
                process::enter_namespace(network.namespace.as_raw_fd(), libc::CLONE_NEWNET)?;
                return Ok(network);
            }
            // Somebody left something there that may live on: it is not used again.
        }
        process::unshare(libc::CLONE_NEWNET)?;
        let open = |path: &CStr| fd::open_read_in(self.proc, path).map(fd::own);
        let network = Network {
            namespace: open(c"self/ns/net")?,
            sockets: open(c"self/net/sockstat")?,
        };
        // What cannot be asked cannot be used.
        match network.is_empty()? {
            true => Ok(network),
            false => Err(Errno::EPROTO),
        }
    }

    /// Takes one back from a run in which nobody is left.
    pub(super) fn leave(&mut self, network: Network) {
        if self.free.len() < MOST_FREE {
            self.free.push(network);
        }
    }
}

impl Network {
    fn is_empty(&self) -> Result<bool, Errno> {
        let mut text = [0; EMPTY.len()];
        let bytes = fd::read_at_start(self.sockets.as_raw_fd(), &mut text)?;
        Ok(text.get(..bytes) == Some(EMPTY))
    }
}
