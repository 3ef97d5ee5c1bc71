//! The parent's ends of what the program holds open.
//!
//! Made before the launch by whoever knows what the caller asked for; data only.

use std::collections::BTreeMap;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

/// The pipes and descriptors of the parent's side.
#[derive(Default)]
pub(crate) struct Ends {
    /// Pipes that the caller writes into, by the number they have inside.
    pub(crate) inputs: BTreeMap<RawFd, OwnedFd>,
    /// Pipes that the caller reads from, likewise.
    pub(crate) outputs: BTreeMap<RawFd, OwnedFd>,
    /// What is counted or kept on its way.
    pub(crate) through: Vec<Through>,
    /// Pipes into which these bytes are written.
    pub(crate) feeds: Vec<(OwnedFd, Arc<[u8]>)>,
    /// The caller's own terminal, for `--tty`.
    pub(crate) terminal: Option<(OwnedFd, OwnedFd)>,
}

/// What the program writes on one descriptor, on its way through this process.
pub(crate) struct Through {
    /// Its number inside.
    pub(crate) number: RawFd,
    /// The reading end of the program's pipe.
    pub(crate) from: OwnedFd,
    pub(crate) to: Sink,
}

/// Where that goes.
pub(crate) enum Sink {
    Fd(OwnedFd),
    /// So many bytes are kept; the rest is counted.
    Memory {
        most: u64,
    },
}
