//! Process attributes: write-xor-execute, speculation, core scheduling.
//!
//! A switch that the policy turns on and this kernel cannot honour is a refusal,
//! but for what the policy weakens by name.

use super::{Attributes, Refusal};
use crate::host::Host;
use crate::policy::{Policy, Syscalls, Weaken};
use nix::errno::Errno;

/// PR_SPEC_* of prctl(2).
const PR_SPEC_NOT_AFFECTED: i32 = 0;
const PR_SPEC_PRCTL: i32 = 1 << 0;
const PR_SPEC_DISABLE: i32 = 1 << 2;
const PR_SPEC_FORCE_DISABLE: i32 = 1 << 3;

/// The attributes to set, and the weakening that took effect.
pub(super) fn resolve(
    policy: &Policy,
    host: &Host,
) -> Result<(Attributes, Option<Weaken>), Refusal> {
    let process = &policy.process;
    if process.mdwe && !host.mdwe {
        return Err(Refusal::new(
            "this kernel cannot deny memory that is writable and executable (PR_SET_MDWE, Linux 6.3)",
        )
        .hint("set `memory-deny-write-execute = false` in `[process]`"));
    }
    if process.core_scheduling && !host.core_scheduling {
        return Err(Refusal::new(
            "this machine has no core scheduling (PR_SCHED_CORE: Linux 5.14 with CONFIG_SCHED_CORE, and SMT)",
        )
        .hint("set `core-scheduling = false` in `[process]`"));
    }
    let mut speculation = [false; 2];
    let mut weakened = None;
    if process.speculation {
        let names = ["store bypass", "indirect branches"];
        for ((wanted, state), name) in speculation.iter_mut().zip(host.speculation).zip(names) {
            *wanted = match must_be_set(state) {
                Some(wanted) => wanted,
                None if accepted(policy, state) => {
                    weakened = Some(Weaken::NoSpeculationControl);
                    false
                }
                None => return Err(cannot_mitigate(name, state)),
            };
        }
    }
    let attributes = Attributes {
        mdwe: process.mdwe,
        speculation,
        core_scheduling: process.core_scheduling,
        aslr: process.aslr,
    };
    Ok((attributes, weakened))
}

/// The processors to bind to, all of which the caller may run on.
pub(super) fn cpus(policy: &Policy, host: &Host) -> Result<Vec<u32>, Refusal> {
    let wanted = policy.process.cpus.clone().unwrap_or_default();
    match wanted.iter().find(|cpu| !host.cpu_numbers.contains(cpu)) {
        None => Ok(wanted),
        Some(cpu) => Err(Refusal::new(format!(
            "this process may not run on processor {cpu} (process.cpus), so nor may the program"
        ))
        .hint("`taskset -pc $$` lists those it may run on")),
    }
}

/// How many processors the program can use at the same time.
pub(super) fn parallel(policy: &Policy, host: &Host) -> u32 {
    let named = policy.process.cpus.as_ref();
    named.map_or(host.cpus.max(1), |cpus| cpus.len() as u32)
}

/// The policy's system calls; who is bound to processors may not unbind itself.
pub(super) fn syscalls(policy: &Policy) -> Syscalls {
    let mut syscalls = policy.syscalls.clone();
    if policy.process.cpus.is_some() {
        syscalls.deny.push(String::from("sched_setaffinity"));
    }
    syscalls
}

/// Does the policy accept a machine without such a control? Only the kernel's own
/// words for that count: one whose answer was refused, or failed for any other
/// reason, is no such machine.
fn accepted(policy: &Policy, state: i32) -> bool {
    let has_none = state >= 0 || matches!(errno(state), Errno::EINVAL | Errno::ENODEV);
    policy.weaken.contains_key(&Weaken::NoSpeculationControl) && has_none
}

/// The errno in an answer of PR_GET_SPECULATION_CTRL that is none.
fn errno(state: i32) -> Errno {
    Errno::from_raw(state.checked_neg().unwrap_or_default())
}

/// Not the kernel's answer, which is EINVAL or ENODEV where the kernel or the processor
/// has no such control (prctl(2)).
fn filtered(errno: Errno) -> bool {
    matches!(errno, Errno::EPERM | Errno::EACCES | Errno::ENOSYS)
}

/// The refusal for an answer of PR_GET_SPECULATION_CTRL, or its errno, negative.
fn cannot_mitigate(name: &str, state: i32) -> Refusal {
    let (answer, hint) = match errno(state) {
        errno if filtered(errno) => (
            errno.desc().to_owned(),
            "a system call filter around this process refuses prctl (a container's profile, most often): run outside of it, or with a profile that allows it",
        ),
        errno => (
            match state {
                ..0 => errno.desc().to_owned(),
                state => format!("answered {state}"),
            },
            "boot without `mitigations=off`, or accept it: `no-speculation-control = \"why\"` in `[weaken]`",
        ),
    };
    Refusal::new(format!(
        "this machine does not let a process mitigate speculation of {name} (PR_GET_SPECULATION_CTRL: {answer})"
    ))
    .hint(hint)
}

/// Must the mitigation be set (`Some(true)`), does it hold anyway
/// (`Some(false)`), or can it not be had (`None`)?
fn must_be_set(state: i32) -> Option<bool> {
    match state {
        PR_SPEC_NOT_AFFECTED => Some(false),
        state if state < 0 => None,
        // Off for every process, whatever they ask (spec_store_bypass_disable=on).
        state if state & (PR_SPEC_DISABLE | PR_SPEC_FORCE_DISABLE) != 0 => {
            Some(state & PR_SPEC_PRCTL != 0)
        }
        state if state & PR_SPEC_PRCTL != 0 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Process;

    #[test]
    fn speculation_is_mitigated_already_mitigated_or_refused() {
        assert_eq!(must_be_set(0), Some(false), "not affected");
        assert_eq!(must_be_set(3), Some(true), "enabled, per process");
        assert_eq!(must_be_set(4), Some(false), "disabled for all");
        assert_eq!(must_be_set(2), None, "vulnerable, no control");
        assert_eq!(must_be_set(-22), None, "no such prctl");
    }

    #[test]
    fn a_switch_the_kernel_lacks_is_refused() {
        for process in [
            Process {
                mdwe: true,
                ..Process::default()
            },
            Process {
                core_scheduling: true,
                ..Process::default()
            },
        ] {
            let policy = Policy {
                process,
                ..Policy::default()
            };
            assert!(resolve(&policy, &Host::default()).is_err());
        }
    }

    /// The tokens work where the machine has no control, and nowhere else: a filter
    /// that hides it is refused all the same.
    #[test]
    fn a_machine_without_control_is_accepted_by_name_only() {
        let host = |state| Host {
            speculation: [3, state],
            ..Host::default()
        };
        let mut policy = Policy::default();
        policy.process.speculation = true;
        for state in [2, -libc::EINVAL, -libc::ENODEV, -libc::EPERM] {
            assert!(resolve(&policy, &host(state)).is_err(), "{state}");
        }
        let reason = String::from("an old machine");
        policy.weaken.insert(Weaken::NoSpeculationControl, reason);
        for state in [2, -libc::EINVAL, -libc::ENODEV] {
            let (attributes, weakened) = resolve(&policy, &host(state)).unwrap();
            assert_eq!(attributes.speculation, [true, false]);
            assert_eq!(weakened, Some(Weaken::NoSpeculationControl));
        }
        for errno in [libc::EPERM, libc::ENOSYS, libc::ENOMEM, libc::EINTR] {
            assert!(resolve(&policy, &host(-errno)).is_err(), "{errno}");
        }
        let (attributes, weakened) = resolve(&policy, &host(3)).unwrap();
        assert_eq!((attributes.speculation, weakened), ([true, true], None));
    }
}
