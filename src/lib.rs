//! Runs a program that nobody trusts on a machine that somebody needs.
//!
//! The way through: [`policy`] (what was asked) → [`plan`] (what will be done,
//! pure) → launch → child → supervise → [`report`] (what happened). The order of
//! the isolation steps is [`step::Step::ALL`]. This file joins them and decides
//! nothing.
//!
//! [`Sandbox`], [`Command`] and [`Child`] have the manners of
//! [`std::process`]: they change nothing in the calling process and may be used
//! from any thread. What cannot be put in force is an [`Error`], and then the
//! program was not executed.
//!
//! ```no_run
//! use sandbox::policy::{Context, Policy};
//! use sandbox::report::Verdict;
//! use sandbox::{Sandbox, Stdio};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut policy = Policy::load("strict".as_ref(), &Context::current())?;
//! policy.set_memory("256MiB")?;
//! policy.set_wall_time("5s")?;
//!
//! let sandbox = Sandbox::new(policy)?;
//! let report = sandbox
//!     .command("./untrusted")
//!     .arg("--fast")
//!     .stdin(Stdio::Null)
//!     .spawn()?
//!     .wait()?;
//!
//! match report.verdict {
//!     Verdict::Ok => println!("fine, after {} ns", report.wall_ns),
//!     verdict => println!("{}: {:?}", verdict.name(), report.exit),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Most of this is for Linux 5.13 and later; the README lists what each layer
//! needs, what each limit counts, and what is not promised.

#![deny(unsafe_op_in_unsafe_fn)]

pub mod escape;
pub mod step;
mod mountinfo;
mod cpulist;
pub mod policy;
pub mod host;
pub mod bpf;
pub mod cgroup;
pub mod plan;
pub mod report;
mod wire;
mod sys;
mod launch;
mod child;
mod supervise;
mod worker;
mod command;
mod copies;
mod prepared;
mod pool;
pub mod pair;
pub mod transfer;
pub mod audit;
mod error;

pub use command::{Command, Descriptor, Sandbox, Stdio};
pub use copies::{CopyIn, CopyOut};
pub use error::Error;
pub use pool::Pool;
pub use prepared::Prepared;
pub use supervise::{Captured, Child};
#[doc(hidden)]
pub use sys::inherited::{inherited_writable_fd, is_inherited_fd};
#[doc(hidden)]
pub use sys::start::{raised_by_its_file, stdio_closed_at_start, take_file_size_limit_as_error};

/// Parsers of foreign bytes that are no part of the interface. They are named here
/// for `fuzz/`, which is another crate, and for `tests/corpus.rs`, which replays what
/// fuzzing found; each stays in a private module. Nothing is promised about them.
#[doc(hidden)]
pub mod foreign {
    pub use crate::host::kernel::outside_of_zero;
    pub use crate::host::mountinfo::parse_mountinfo;
    pub use crate::launch::explain::interpreter_in;
    pub use crate::launch::layers::Layers;
    pub use crate::launch::progress::Progress;
    pub use crate::policy::context::home_of;
    pub use crate::supervise::facts::Facts;
    pub use crate::wire::{FRAME_BYTES, Frame};
}

/// The README's examples are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
