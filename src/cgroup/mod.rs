//! Control groups (cgroup v2): finds a directory in which groups can be made without
//! root, makes one for each run, sets its limits, reads what the kernel counted, ends it.
//!
//! It must not start programs, nor say what a count means; and it never reports a
//! controller that a group made there did not have.
//!
//! A [`Home`] is a group that holds no process and below which one [`Leaf`] is made for
//! each run. Everything goes by descriptor, beneath a directory that the kernel said is
//! cgroup2. Every way to a home is tried for real: a leaf is made, a process is
//! started in it (`CLONE_INTO_CGROUP`), its controllers' files are opened for writing.
//!
//! What whoever starts a program in a leaf must know:
//!
//! - The kernel asks for write access to `cgroup.procs` of the leaf *and* of the nearest
//!   group above both the leaf and the process that clones, by the ids of the thread that
//!   clones. A thread that took another id has neither: there, let the process wait for
//!   its id maps as it does anyway, and put it there with [`Leaf::adopt`] from a thread
//!   that may.
//! - `CLONE_NEWCGROUP` in the same call makes a namespace whose root is the *cloner's*
//!   group. For a namespace whose root is the leaf, the child calls
//!   `unshare(CLONE_NEWCGROUP)` itself, once inside.
//! - A leaf locks its directory for as long as it lives (`flock(2)`), through every copy
//!   of its descriptor. The program must not inherit one, and pid 1 must not keep one.
//!   By that lock others know that it is in use; what a killed maker left is removed
//!   by the next [`Home::find`].

mod controllers;
mod counters;
mod dbus;
mod failure;
mod group;
mod home;
mod leaf;
mod limits;
mod marshal;
mod own;
mod stale;
mod systemd;
mod ways;

pub use controllers::Controllers;
pub use counters::{Cpu, MemoryEvents};
pub use failure::{Attempt, Failure, Unavailable};
pub use home::{Home, Moving, Origin, Search, Wanted};
pub use leaf::Leaf;
pub use limits::{CpuMax, IoMax, Limits};
