//! What holds inside: one boundary per test, one harmless call, one exact answer, for every layer.
//! It must not judge messages, exit codes or plans; those have tests of their own.

#![cfg(feature = "cli")]

mod support;
#[macro_use]
#[path = "jail/harness.rs"]
mod harness;
#[path = "jail/calls.rs"]
mod calls;

#[path = "jail/caps_ids.rs"]
mod caps_ids;
#[path = "jail/cgroup.rs"]
mod cgroup;
#[path = "jail/dangers.rs"]
mod dangers;
#[path = "jail/descriptors.rs"]
mod descriptors;
#[path = "jail/dev.rs"]
mod dev;
#[path = "jail/environment.rs"]
mod environment;
#[path = "jail/ipc.rs"]
mod ipc;
#[path = "jail/keyring.rs"]
mod keyring;
#[path = "jail/landlock.rs"]
mod landlock;
#[path = "jail/limits.rs"]
mod limits;
#[path = "jail/mounts.rs"]
mod mounts;
#[path = "jail/namespaces.rs"]
mod namespaces;
#[path = "jail/net.rs"]
mod net;
#[path = "jail/proc.rs"]
mod proc;
#[path = "jail/processes.rs"]
mod processes;
#[path = "jail/root.rs"]
mod root;
#[path = "jail/seccomp_args.rs"]
mod seccomp_args;
#[path = "jail/seccomp_refused.rs"]
mod seccomp_refused;
#[path = "jail/selftest.rs"]
mod selftest;
#[path = "jail/sockets.rs"]
mod sockets;
#[path = "jail/tty_ioctls.rs"]
mod tty_ioctls;

/// Every check there is, by layer.
const ALL: &[&[harness::Check]] = &[
    caps_ids::CHECKS,
    cgroup::CHECKS,
    dangers::CHECKS,
    descriptors::CHECKS,
    dev::CHECKS,
    environment::CHECKS,
    ipc::CHECKS,
    keyring::CHECKS,
    landlock::CHECKS,
    limits::CHECKS,
    mounts::CHECKS,
    namespaces::CHECKS,
    net::CHECKS,
    proc::CHECKS,
    processes::CHECKS,
    root::CHECKS,
    seccomp_args::CHECKS,
    seccomp_refused::CHECKS,
    selftest::CHECKS,
    sockets::CHECKS,
    tty_ioctls::CHECKS,
];
