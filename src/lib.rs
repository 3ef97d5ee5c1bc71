//! Runs a program that nobody trusts on a machine that somebody needs.
//!
//! The way through: [`policy`] (what was asked) → [`plan`] (what will be done,
//! pure) → launch → child → supervise → [`report`] (what happened). The order of
//! the isolation steps is [`step::Step::ALL`].

#![deny(unsafe_op_in_unsafe_fn)]

pub mod escape;
pub mod step;
pub mod policy;
pub mod host;
pub mod bpf;
pub mod plan;
pub mod report;
mod wire;
mod sys;
mod launch;
mod child;
mod supervise;
mod command;
mod error;

pub use command::{Command, Sandbox, Stdio};
pub use error::Error;
pub use supervise::Child;
#[doc(hidden)]
pub use sys::inherited::{inherited_writable_fd, is_inherited_fd};
#[doc(hidden)]
pub use sys::start::stdio_closed_at_start;
