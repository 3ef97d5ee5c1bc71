//! THE ORDER of isolation steps, and why each stands where it stands.
//!
//! Documents, status frames, typed stages and the report derive from this list
//! or are tested against it. It must not know how a step is done.

/// One step on the way from "nothing done" to "the program runs".
///
/// The discriminant is what a status frame carries; it is the position in
/// [`Step::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Step {
    /// Descriptors close-on-exec, signals blocked.
    Sanitize = 0,
    /// A leaf of its own, when a cgroup is used.
    Cgroup,
    /// The user namespace and its id maps.
    Ids,
    /// The new root is built.
    Mounts,
    /// The old root goes away.
    Root,
    /// Loopback and host name.
    Net,
    /// Every capability set emptied.
    Caps,
    /// pid 1 stays behind, the program's process goes on.
    Payload,
    /// Resource limits and process attributes.
    Limits,
    /// `no_new_privs`.
    NoNewPrivs,
    /// The Landlock domain.
    Landlock,
    /// The kernel is asked what holds.
    Verify,
    /// The system call filter.
    Seccomp,
    /// The program replaces the launcher.
    Exec,
}

/// Which process performs a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The process that called the library, before or just after `clone3`.
    Parent,
    /// pid 1 of the sandbox.
    Init,
    /// The process that becomes the program.
    Payload,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Step; 14] = [
        Step::Sanitize,
        Step::Cgroup,
        Step::Ids,
        Step::Mounts,
        Step::Root,
        Step::Net,
        Step::Caps,
        Step::Payload,
        Step::Limits,
        Step::NoNewPrivs,
        Step::Landlock,
        Step::Verify,
        Step::Seccomp,
        Step::Exec,
    ];

    /// The name used in messages, reports and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Step::Sanitize => "sanitize",
            Step::Cgroup => "cgroup",
            Step::Ids => "ids",
            Step::Mounts => "mounts",
            Step::Root => "root",
            Step::Net => "net",
            Step::Payload => "payload",
            Step::Limits => "limits",
            Step::Caps => "caps",
            Step::NoNewPrivs => "no-new-privs",
            Step::Landlock => "landlock",
            Step::Verify => "verify",
            Step::Seccomp => "seccomp",
            Step::Exec => "exec",
        }
    }

    /// Who performs it.
    pub const fn by(self) -> By {
        match self {
            Step::Sanitize | Step::Cgroup => By::Parent,
            Step::Ids | Step::Mounts | Step::Root | Step::Net | Step::Caps | Step::Payload => {
                By::Init
            }
            _ => By::Payload,
        }
    }

    /// Why the step stands here and not earlier or later.
    pub const fn why_here(self) -> &'static str {
        match self {
            Step::Sanitize => {
                "descriptors close-on-exec, signals blocked: nothing leaks into the clone"
            }
            Step::Cgroup => "the child is inside its leaf from its first instruction",
            Step::Ids => "maps before anything has an owner; setgroups denied first",
            Step::Mounts => {
                "needs CAP_SYS_ADMIN in the new user namespace, and the old root still visible"
            }
            Step::Root => "pivot, detach: from here the host is unreachable by path",
            Step::Net => {
                "needs CAP_SYS_ADMIN and CAP_NET_ADMIN; the network that was made meanwhile"
            }
            Step::Payload => {
                "pid 1 keeps nothing and reaps; the program goes on as another process, in the time namespace"
            }
            Step::Limits => "the program's own, not pid 1's; inherited for ever",
            Step::Caps => "the last use of capabilities is behind us, and pid 1 keeps none either",
            Step::NoNewPrivs => "what the next two need without capabilities",
            Step::Landlock => "before seccomp, so the filter need not allow landlock calls",
            Step::Verify => "ask the kernel, while asking is still permitted",
            Step::Seccomp => "last, so the filter covers only exec and the program",
            Step::Exec => "end of file on the status socket",
        }
    }

    /// The step a status frame names, `None` for a number that names none.
    pub fn from_wire(number: u32) -> Option<Step> {
        Step::ALL.get(number as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discriminants_are_positions() {
        for (position, step) in Step::ALL.iter().enumerate() {
            assert_eq!(*step as usize, position);
            assert_eq!(Step::from_wire(position as u32), Some(*step));
        }
        assert_eq!(Step::from_wire(Step::ALL.len() as u32), None);
    }
}
