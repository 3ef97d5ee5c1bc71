//! One test for each lesson of the field's published advisories, named by the advisory's id:
//! a property that must hold in a real run, attacked as it was there, harmlessly.
//! It must not test a fix of ours (`regressions` does) or a boundary without an advisory (`jail` does).
//!
//! Not here, for want of the thing itself: the agent's proxy of 2026, which matched one name
//! and dialled another (there is no proxy, and no filter by name or address). Of CVE-2019-19921
//! and CVE-2025-52881 the LSM labels: none are written. Of CVE-2024-28189 the copying of
//! results: nothing is copied out.

#![cfg(feature = "cli")]

mod support;
#[macro_use]
// Each user of the harness uses its own part.
#[allow(dead_code)]
#[path = "jail/harness.rs"]
mod harness;
#[allow(dead_code)]
#[path = "jail/calls.rs"]
mod calls;
#[allow(dead_code)]
#[path = "tty/outer.rs"]
mod outer;

#[path = "advisories/binary.rs"]
mod binary;
#[path = "advisories/caps.rs"]
mod caps;
#[path = "advisories/cgroup.rs"]
mod cgroup;
#[path = "advisories/descriptors.rs"]
mod descriptors;
#[path = "advisories/kernel.rs"]
mod kernel;
#[path = "advisories/links.rs"]
mod links;
#[path = "advisories/mounts.rs"]
mod mounts;
#[path = "advisories/names.rs"]
mod names;
#[path = "advisories/parent.rs"]
mod parent;
#[path = "advisories/proc.rs"]
mod proc;
#[path = "advisories/seccomp.rs"]
mod seccomp;
#[path = "advisories/sharing.rs"]
mod sharing;
#[path = "advisories/swapped.rs"]
mod swapped;
#[path = "advisories/tty.rs"]
mod tty;

/// Every question that is asked inside, by subject.
const ALL: &[&[harness::Check]] = &[
    binary::CHECKS,
    caps::CHECKS,
    cgroup::CHECKS,
    descriptors::CHECKS,
    kernel::CHECKS,
    mounts::CHECKS,
    proc::CHECKS,
    seccomp::CHECKS,
    sharing::CHECKS,
    tty::CHECKS,
];

/// The same command with another copy of the binary, options in front of its own.
fn by(
    binary: &std::path::Path,
    options: &[&str],
    command: &std::process::Command,
) -> std::process::Command {
    let mut again = support::ordinary(binary);
    again.args(options).args(command.get_args());
    again
}

/// Refused before anything was executed; the message.
#[track_caller]
fn refused(command: &mut std::process::Command) -> String {
    let output = support::run(command);
    let message = support::complaint(&output);
    assert_eq!(support::code(&output), 125, "{command:?}\n{message}");
    assert_eq!(output.stdout, b"", "{command:?}\n{message}");
    assert!(message.starts_with("sandbox: "), "{message}");
    message
}
