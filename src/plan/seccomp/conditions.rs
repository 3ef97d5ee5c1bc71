//! The argument conditions under which some allowable calls are allowed.
//!
//! Each call here is an allow-list of its own: what no rule names is refused.
//! Which calls a policy allows at all is not decided here.

use super::ioctl;
use super::meaning::{Answer, Call, Condition, Rule, Test};
use crate::policy::Network;

/// EPERM: the one answer for what is known and refused.
pub(super) const REFUSE: Answer = Answer::Errno(libc::EPERM);

/// A call that is allowed for some arguments, and the words for it.
pub(super) struct Conditional {
    /// The rules; EPERM (for ioctl also ENOTTY) otherwise.
    pub call: Call,
    /// What is allowed, in few words, for `sandbox plan`.
    pub words: Words,
}

/// Made into text only where somebody reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// How many of them.
    pub count: Option<usize>,
    /// The words.
    pub text: &'static str,
}

impl From<&'static str> for Words {
    fn from(text: &'static str) -> Words {
        Words { count: None, text }
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.count {
            Some(count) => write!(f, "{count} {}", self.text),
            None => f.write_str(self.text),
        }
    }
}

/// The conditions of a call; `None` where arguments do not matter.
pub(super) fn conditions(name: &str, network: Network, tty: bool) -> Option<Conditional> {
    let (call, words): (Call, &str) = match name {
        "clone" => (allow([[bits(0, NAMESPACES, 0)]]), "no namespace flags"),
        "fcntl" => (
            allow([
                [Condition::low(1, Test::AtMost(F_SETLEASE - 1))],
                [Condition::low(1, Test::AtLeast(F_SETLEASE + 1))],
            ]),
            "no leases",
        ),
        "open" => (opens(1), NO_SET_ID),
        "openat" => (opens(2), NO_SET_ID),
        "creat" | "mkdir" | "chmod" | "fchmod" => (without_set_id(1), NO_SET_ID),
        "mkdirat" | "fchmodat" | "fchmodat2" => (without_set_id(2), NO_SET_ID),
        "mknod" => (nodes(1), "files, FIFOs and sockets without set-id bits"),
        "mknodat" => (nodes(2), "files, FIFOs and sockets without set-id bits"),
        "renameat2" => (allow([[bits(4, RENAME_WHITEOUT, 0)]]), "no whiteouts"),
        "personality" => (
            allow([[is(0, 0)], [is(0, 0xffff_ffff)]]),
            "PER_LINUX and queries",
        ),
        // Threads are set by their own numbers, so all but one process is allowed.
        "sched_setaffinity" | "sched_setparam" | "sched_setscheduler" | "sched_setattr" => {
            (allow(not_pid_1(0, &[])), NOT_PID_1)
        }
        // PRIO_PROCESS and PRIO_PGRP, whose type is the C library's.
        "setpriority" => (priorities(0, 1), NOT_PID_1),
        // IOPRIO_WHO_PROCESS and IOPRIO_WHO_PGRP of linux/ioprio.h.
        "ioprio_set" => (priorities(1, 2), NOT_PID_1),
        "prlimit64" => (
            prlimit(),
            "own limits, or reading; that of core files stays, with answer 0",
        ),
        "setrlimit" => (
            Call {
                rules: vec![core_limit(0)],
                otherwise: Answer::Allow,
            },
            "that of core files stays, with answer 0",
        ),
        "seccomp" => (seccomp(), "filters without a listener"),
        "socketpair" => (allow([[is(0, libc::AF_UNIX as u64)]]), "AF_UNIX"),
        "socket" => return Some(socket(network)),
        "prctl" => return Some(prctl()),
        "ioctl" => return Some(ioctl::ioctl(network, tty)),
        _ => return None,
    };
    let words = words.into();
    Some(Conditional { call, words })
}

/// The namespace flags of clone(2). CLONE_NEWTIME is not among them: its bit lies
/// in the exit signal's byte, where only clone3 can tell it apart.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

/// F_SETLEASE of fcntl(2). The kernel gives it to whoever owns the file, and the
/// program owns the caller's files that it may only read.
const F_SETLEASE: u64 = 1024;

/// Leaves a character device behind, where mknod(2) may make none; Landlock's right
/// to make devices is not asked for it.
const RENAME_WHITEOUT: u64 = libc::RENAME_WHITEOUT as u64;

/// Set-user-id and set-group-id.
const SET_ID: u64 = (libc::S_ISUID | libc::S_ISGID) as u64;
const NO_SET_ID: &str = "no set-id bits";

/// prlimit64(2): pid, resource, the new limit. Setting another process's limits
/// needs no more than its uid, and pid 1 has the program's.
fn prlimit() -> Call {
    let mut call = allow([[Condition::whole(2, Test::Is(0))], [is(0, 0)]]);
    call.rules.insert(1, core_limit(1));
    call
}

/// The limit of core files stays 1, the one value at which the kernel does not
/// start a core pattern's program (core(5)): that one would run on the host, as
/// root, on what the program left it. The call does nothing and answers 0: one that
/// lowers the limit to 0 asks for what holds already, and gpg-agent, ssh-agent and
/// the sanitizers of gcc and clang end where it fails.
fn core_limit(resource: u8) -> Rule {
    Rule {
        when: vec![is(resource, 4)], // RLIMIT_CORE, whose type is the C library's
        then: Answer::Errno(0),
    }
}

const NOT_PID_1: &str = "any process but pid 1";

/// Rules for a process number: anything but 1. pid 1 keeps the wall-time limit
/// and has the program's uid, so that the kernel would let the program slow it
/// down (SCHED_IDLE, nice 19) below a crowd of busy processes.
fn not_pid_1(arg: u8, also: &[Condition]) -> Vec<Vec<Condition>> {
    [is(arg, 0), Condition::low(arg, Test::AtLeast(2))]
        .map(|test| [also, &[test]].concat())
        .into()
}

/// setpriority(2) and ioprio_set(2): which kind of number, then the number. A
/// whole user is refused, for pid 1 is one of its processes.
fn priorities(process: u64, group: u64) -> Call {
    let mut rules = not_pid_1(1, &[is(0, process)]);
    rules.push(vec![is(0, group)]);
    allow(rules)
}

/// The low 32 bits equal a value.
fn is(arg: u8, value: u64) -> Condition {
    Condition::low(arg, Test::Is(value))
}

/// Bits of the low 32 have a value.
fn bits(arg: u8, mask: u64, value: u64) -> Condition {
    Condition::low(arg, Test::Bits { mask, value })
}

/// Allowed where every condition of one of the rules holds, EPERM otherwise.
pub(super) fn allow<R>(rules: impl IntoIterator<Item = R>) -> Call
where
    R: Into<Vec<Condition>>,
{
    let rule = |when: R| Rule {
        when: when.into(),
        then: Answer::Allow,
    };
    Call {
        rules: rules.into_iter().map(rule).collect(),
        otherwise: REFUSE,
    }
}

/// A mode argument without set-id bits. A program that could make such a file
/// in a writable tree would leave it on the host, owned by the caller.
fn without_set_id(mode: u8) -> Call {
    allow([[bits(mode, SET_ID, 0)]])
}

/// open(2) with its flags at `flags` and the mode after them. The kernel reads
/// the mode only with O_CREAT or O_TMPFILE, and musl leaves the register as it
/// was without them. (umask does not strip set-id bits.)
///
/// This takes the call out of the kernel's cache of calls always allowed; the
/// filter is run for each open, which costs less than the path walk.
fn opens(flags: u8) -> Call {
    let creates = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u64;
    allow([[bits(flags + 1, SET_ID, 0)], [bits(flags, creates, 0)]])
}

/// mknod(2): regular files (type 0 means the same), FIFOs and sockets.
fn nodes(mode: u8) -> Call {
    let mask = u64::from(libc::S_IFMT) | SET_ID;
    let kinds = [0, libc::S_IFREG, libc::S_IFIFO, libc::S_IFSOCK];
    allow(kinds.map(|kind| [bits(mode, mask, kind.into())]))
}

/// seccomp(2): strict mode, filters and the question which actions there are.
fn seccomp() -> Call {
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let filter = [
        is(0, libc::SECCOMP_SET_MODE_FILTER.into()),
        bits(1, listener, 0),
    ];
    allow([
        vec![is(0, libc::SECCOMP_SET_MODE_STRICT.into())],
        filter.to_vec(),
        vec![is(0, libc::SECCOMP_GET_ACTION_AVAIL.into())],
    ])
}

/// socket(2). Protocols are listed because one more loads one more module, and
/// because Landlock's TCP rules do not cover IPPROTO_MPTCP (262).
fn socket(network: Network) -> Conditional {
    let unix = vec![is(0, libc::AF_UNIX as u64)];
    if network == Network::None {
        return Conditional {
            call: allow([unix]),
            words: "AF_UNIX".into(),
        };
    }
    let mut rules = vec![unix];
    for family in [libc::AF_INET, libc::AF_INET6] {
        for (kind, protocol) in [
            (libc::SOCK_STREAM, 0),
            (libc::SOCK_STREAM, libc::IPPROTO_TCP),
            (libc::SOCK_DGRAM, 0),
            (libc::SOCK_DGRAM, libc::IPPROTO_UDP),
        ] {
            rules.push(vec![
                is(0, family as u64),
                bits(1, 0xf, kind as u64), // SOCK_TYPE_MASK
                is(2, protocol as u64),
            ]);
        }
    }
    // getifaddrs(3) asks over this one; changing anything needs CAP_NET_ADMIN.
    rules.push(vec![
        is(0, libc::AF_NETLINK as u64),
        is(2, libc::NETLINK_ROUTE as u64),
    ]);
    Conditional {
        call: allow(rules),
        words: "AF_UNIX, TCP and UDP over IPv4 and IPv6, NETLINK_ROUTE".into(),
    }
}

/// prctl(2) options that act on the caller alone and undo no hardening. Not here
/// on purpose: PR_SET_MM, PR_SET_PTRACER, PR_SET_SECUREBITS, PR_SET_KEEPCAPS,
/// PR_CAPBSET_DROP, PR_SET_SPECULATION_CTRL (can undo a mitigation),
/// PR_SCHED_CORE (can leave the core cookie), PR_SET_MEMORY_MERGE (merged pages
/// tell of other processes' content), PR_SET_TSC, PR_SET_SYSCALL_USER_DISPATCH.
const OPTIONS: &[u64] = &[
    15,          // PR_SET_NAME
    16,          // PR_GET_NAME
    1,           // PR_SET_PDEATHSIG
    2,           // PR_GET_PDEATHSIG
    3,           // PR_GET_DUMPABLE
    4,           // PR_SET_DUMPABLE: agents hide their memory from their own kind
    7,           // PR_GET_KEEPCAPS
    21,          // PR_GET_SECCOMP
    22,          // PR_SET_SECCOMP: takes no flags, so no listener
    23,          // PR_CAPBSET_READ
    27,          // PR_GET_SECUREBITS
    29,          // PR_SET_TIMERSLACK
    30,          // PR_GET_TIMERSLACK
    36,          // PR_SET_CHILD_SUBREAPER
    37,          // PR_GET_CHILD_SUBREAPER
    38,          // PR_SET_NO_NEW_PRIVS
    39,          // PR_GET_NO_NEW_PRIVS
    41,          // PR_SET_THP_DISABLE
    42,          // PR_GET_THP_DISABLE
    52,          // PR_GET_SPECULATION_CTRL
    65,          // PR_SET_MDWE: cannot be undone
    66,          // PR_GET_MDWE
    0x4155_5856, // PR_GET_AUXV
];
const PR_CAP_AMBIENT: u64 = 47;
const PR_SET_VMA: u64 = 0x5356_4d41;

fn prctl() -> Conditional {
    let mut rules = in_list(0, OPTIONS.iter().copied());
    // PR_SET_VMA_ANON_NAME: allocators and run-times name their mappings.
    rules.push(vec![is(0, PR_SET_VMA), Condition::whole(1, Test::Is(0))]);
    // PR_CAP_AMBIENT_IS_SET and _CLEAR_ALL.
    for sub in [1, 4] {
        rules.push(vec![
            is(0, PR_CAP_AMBIENT),
            Condition::whole(1, Test::Is(sub)),
        ]);
    }
    Conditional {
        call: allow(rules),
        words: Words {
            count: Some(OPTIONS.len() + 2),
            text: "options",
        },
    }
}

/// Rules that together hold for exactly these low 32 bits. Neighbours in the list
/// that are neighbours in number become one rule; the order is kept, so that
/// what is asked most comes first.
pub(super) fn in_list(arg: u8, values: impl Iterator<Item = u64>) -> Vec<Vec<Condition>> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for value in values {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == value => *last = value,
            _ => ranges.push((value, value)),
        }
    }
    let rule = |(first, last): (u64, u64)| match last - first {
        0 => vec![is(arg, first)],
        _ => vec![
            Condition::low(arg, Test::AtLeast(first)),
            Condition::low(arg, Test::AtMost(last)),
        ],
    };
    ranges.into_iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, network: Network, args: [u64; 6]) -> Answer {
        let conditional = conditions(name, network, true).unwrap();
        conditional.call.answer(&args)
    }

    fn allowed(name: &str, args: [u64; 6]) -> bool {
        match answer(name, Network::None, args) {
            Answer::Allow => true,
            other => {
                assert_eq!(other, REFUSE, "{name}");
                false
            }
        }
    }

    #[test]
    fn clone_makes_threads_and_processes_but_no_namespaces() {
        let thread = 0x003d_0f00; // as pthread_create(3) of glibc passes
        assert!(allowed("clone", [thread, 0, 0, 0, 0, 0]));
        assert!(allowed("clone", [libc::SIGCHLD as u64, 0, 0, 0, 0, 0]));
        let flags = [17, 25, 26, 27, 28, 29, 30].map(|bit| 1u64 << bit);
        assert_eq!(flags.iter().sum::<u64>(), NAMESPACES);
        for flag in flags {
            assert!(!allowed("clone", [flag | 17, 0, 0, 0, 0, 0]), "{flag:#x}");
            assert!(!allowed("clone", [flag | 1 << 40, 0, 0, 0, 0, 0]));
        }
    }

    #[test]
    fn renaming_leaves_no_device_behind() {
        let flags = |flags: u64| allowed("renameat2", [3, 0, 3, 0, flags, 0]);
        assert!(flags(0) && flags(1) && flags(2)); // RENAME_NOREPLACE, RENAME_EXCHANGE
        assert!(!flags(4) && !flags(5) && !flags(4 | 1 << 32));
    }

    #[test]
    fn no_way_to_make_a_set_id_file() {
        for set_id in [0o4755, 0o2755, 0o6000, 0xffff_ffff_0000_0000 | 0o4000] {
            for name in ["creat", "mkdir", "chmod", "fchmod", "mknod"] {
                assert!(!allowed(name, [0, set_id, 0, 0, 0, 0]), "{name}");
            }
            for name in ["mkdirat", "fchmodat", "fchmodat2", "mknodat"] {
                assert!(!allowed(name, [0, 0, set_id, 0, 0, 0]), "{name}");
            }
            for create in [libc::O_CREAT, libc::O_TMPFILE] {
                let flags = (create | libc::O_RDWR) as u64;
                assert!(!allowed("open", [0, flags, set_id, 0, 0, 0]));
                assert!(!allowed("openat", [0, 0, flags, set_id, 0, 0]));
            }
            // The mode of an open that creates nothing is not read.
            assert!(allowed(
                "open",
                [0, libc::O_DIRECTORY as u64, set_id, 0, 0, 0]
            ));
            assert!(allowed("openat", [0, 0, libc::O_RDWR as u64, set_id, 0, 0]));
        }
        assert!(allowed(
            "openat",
            [0, 0, libc::O_CREAT as u64, 0o1777, 0, 0]
        ));
        assert!(allowed("chmod", [0, 0o1777, 0, 0, 0, 0]));
    }

    #[test]
    fn fcntl_takes_no_leases() {
        for command in [F_SETLEASE, F_SETLEASE | 1 << 32] {
            assert!(!allowed("fcntl", [0, command, 0, 0, 0, 0]));
        }
        // F_DUPFD to F_OFD_SETLKW, F_GETLEASE, F_DUPFD_CLOEXEC, F_ADD_SEALS
        for command in [0, 1, 2, 3, 4, 5, 6, 7, 38, 1025, 1030, 1031, 1033] {
            assert!(allowed("fcntl", [0, command, 0, 0, 0, 0]), "{command}");
        }
    }

    #[test]
    fn mknod_makes_no_devices() {
        for kind in [
            libc::S_IFCHR,
            libc::S_IFBLK,
            libc::S_IFDIR,
            libc::S_IFLNK,
            0o030_000,
        ] {
            assert!(!allowed("mknod", [0, u64::from(kind) | 0o600, 0, 0, 0, 0]));
        }
        for kind in [0, libc::S_IFREG, libc::S_IFIFO, libc::S_IFSOCK] {
            assert!(allowed("mknodat", [0, 0, u64::from(kind) | 0o600, 0, 0, 0]));
        }
    }

    #[test]
    fn sockets_by_network() {
        let socket = |network, family: i32, kind: i32, protocol: i32| {
            let args = [family as u64, kind as u64, protocol as u64, 0, 0, 0];
            answer("socket", network, args) == Answer::Allow
        };
        let cloexec = libc::SOCK_CLOEXEC;
        for network in [Network::None, Network::Loopback, Network::Host] {
            let ip = network != Network::None;
            assert!(socket(
                network,
                libc::AF_UNIX,
                libc::SOCK_STREAM | cloexec,
                0
            ));
            for family in [libc::AF_INET, libc::AF_INET6] {
                assert_eq!(socket(network, family, libc::SOCK_STREAM | cloexec, 0), ip);
                assert_eq!(socket(network, family, libc::SOCK_DGRAM, 17), ip);
                assert!(!socket(network, family, libc::SOCK_STREAM, 262));
                assert!(!socket(network, family, libc::SOCK_STREAM, 132));
                assert!(!socket(network, family, libc::SOCK_RAW, 0));
                assert!(!socket(network, family, libc::SOCK_RAW, 255));
                assert!(!socket(network, family, libc::SOCK_DGRAM, 1));
            }
            assert_eq!(socket(network, libc::AF_NETLINK, libc::SOCK_RAW, 0), ip);
            for protocol in 1..32 {
                assert!(!socket(network, libc::AF_NETLINK, libc::SOCK_RAW, protocol));
            }
            for family in (0..64).filter(|f| ![1, 2, 10, 16].contains(f)) {
                assert!(!socket(network, family, libc::SOCK_STREAM, 0), "{family}");
            }
            for family in (0..64u64).filter(|f| *f != 1) {
                let args = [family, 1, 0, 0, 0, 0];
                assert_eq!(answer("socketpair", network, args), REFUSE);
            }
        }
    }

    #[test]
    fn prctl_personality_and_limits() {
        for refused in [8, 24, 26, 28, 31, 32, 35, 53, 59, 62, 67, 0x5961_6d61] {
            assert!(!allowed("prctl", [refused, 0, 0, 0, 0, 0]), "{refused}");
        }
        for option in OPTIONS {
            assert!(allowed("prctl", [*option, 9, 9, 0, 0, 0]));
        }
        assert!(allowed("prctl", [PR_SET_VMA, 0, 1, 2, 3, 0]));
        assert!(!allowed("prctl", [PR_SET_VMA, 1 << 32, 1, 2, 3, 0]));
        assert!(!allowed("prctl", [PR_CAP_AMBIENT, 2, 0, 0, 0, 0]));
        assert!(allowed("personality", [0xffff_ffff, 0, 0, 0, 0, 0]));
        assert!(!allowed("personality", [0x0040_0000, 0, 0, 0, 0, 0]));
        assert!(!allowed("personality", [0x0004_0000, 0, 0, 0, 0, 0]));
        assert!(allowed("prlimit64", [0, 7, 1, 0, 0, 0]));
        assert!(allowed("prlimit64", [1, 7, 0, 1, 0, 0]));
        assert!(!allowed("prlimit64", [1, 7, 1 << 32, 0, 0, 0]));
        assert!(allowed("seccomp", [1, 1, 9, 0, 0, 0]));
        assert!(!allowed("seccomp", [1, 9, 9, 0, 0, 0]));
        assert!(!allowed("seccomp", [3, 0, 9, 0, 0, 0]));
    }

    #[test]
    fn the_scheduling_of_pid_1_is_out_of_reach() {
        for name in [
            "sched_setaffinity",
            "sched_setparam",
            "sched_setscheduler",
            "sched_setattr",
        ] {
            assert!(!allowed(name, [1, 0, 0, 0, 0, 0]), "{name}");
            assert!(!allowed(name, [1 << 32 | 1, 0, 0, 0, 0, 0]), "{name}");
            assert!(allowed(name, [0, 0, 0, 0, 0, 0]), "{name}");
            assert!(allowed(name, [2, 0, 0, 0, 0, 0]), "{name}");
        }
        for (name, process, group, user) in [("setpriority", 0, 1, 2), ("ioprio_set", 1, 2, 3)] {
            assert!(!allowed(name, [process, 1, 0, 0, 0, 0]), "{name}");
            assert!(allowed(name, [process, 0, 0, 0, 0, 0]), "{name}");
            assert!(allowed(name, [process, 7, 0, 0, 0, 0]), "{name}");
            assert!(allowed(name, [group, 0, 0, 0, 0, 0]), "{name}");
            assert!(!allowed(name, [user, 0, 0, 0, 0, 0]), "{name}");
            assert!(!allowed(name, [user, 1000, 0, 0, 0, 0]), "{name}");
        }
    }

    #[test]
    fn the_limit_of_core_files_stays() {
        let unheard = Answer::Errno(0);
        for core in [4, 1 << 32 | 4] {
            assert_eq!(
                answer("setrlimit", Network::None, [core, 9, 0, 0, 0, 0]),
                unheard
            );
            assert_eq!(
                answer("prlimit64", Network::None, [0, core, 9, 0, 0, 0]),
                unheard
            );
            assert!(allowed("prlimit64", [0, core, 0, 9, 0, 0]));
        }
        for resource in (0..16).filter(|resource| *resource != 4) {
            assert!(allowed("setrlimit", [resource, 9, 0, 0, 0, 0]));
            assert!(allowed("prlimit64", [0, resource, 9, 0, 0, 0]));
        }
    }

    #[test]
    fn neighbours_become_one_rule() {
        let list = [5, 6, 7, 1, 2, 9];
        assert_eq!(in_list(0, list.into_iter()).len(), 3);
        let call = allow(in_list(0, list.into_iter()));
        for value in 0..12 {
            let allowed = call.answer(&[value, 0, 0, 0, 0, 0]) == Answer::Allow;
            assert_eq!(allowed, list.contains(&value), "{value}");
        }
    }
}
