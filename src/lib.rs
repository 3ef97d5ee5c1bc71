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
