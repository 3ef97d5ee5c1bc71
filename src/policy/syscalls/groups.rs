//! The groups of system calls a policy may allow, each with its reason.
//!
//! What is here may be allowed as a whole or under the argument conditions of
//! the plan. What must never be allowed is in `never.rs`, not here.

/// A named set of calls.
#[derive(Debug)]
pub struct Group {
    /// With the `@`.
    pub name: &'static str,
    /// What it is for, and why it may be allowed.
    pub reason: &'static str,
    /// The members, by the kernel's names.
    pub calls: &'static [&'static str],
    /// Members that need a word of their own.
    pub odd: &'static [(&'static str, &'static str)],
}

impl Group {
    /// Every member.
    pub fn members(&self) -> impl Iterator<Item = &'static str> {
        let odd = self.odd.iter().map(|(name, _)| *name);
        self.calls.iter().copied().chain(odd)
    }
}

/// `@default` is the union of these: what ordinary programs, language run-times
/// and compilers call.
pub const DEFAULT: &[&str] = &[
    "@io",
    "@poll",
    "@files",
    "@xattr",
    "@inotify",
    "@memory",
    "@process",
    "@threads",
    "@signals",
    "@time",
    "@sched",
    "@ids",
    "@net",
    "@ipc-sysv",
    "@posix-mq",
    "@random",
    "@confine",
];

/// Every group but `@default`. A call is in one group only.
#[rustfmt::skip]
pub static GROUPS: &[Group] = &[
    Group {
        name: "@io",
        reason: "reading and writing what is already open; the right was given at open",
        calls: &[
            "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev",
            "preadv2", "pwritev2", "lseek", "close", "close_range", "dup", "dup2", "dup3",
            "flock", "pipe", "pipe2", "sendfile", "splice", "tee", "vmsplice", "copy_file_range",
            "fsync", "fdatasync", "sync_file_range", "syncfs", "readahead", "fadvise64",
        ],
        odd: &[
            ("ioctl", "by request number: ordinary terminal, descriptor and interface requests only"),
            ("fcntl", "no leases: one on a file that is only read here would keep the host's programs from opening it"),
            ("sync", "waits for the whole machine's writeback, which fsync in a loop costs as well"),
        ],
    },
    Group {
        name: "@poll",
        reason: "waiting for descriptors; event loops do nothing else",
        calls: &[
            "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl",
            "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "signalfd",
            "signalfd4", "timerfd_create", "timerfd_settime", "timerfd_gettime",
        ],
        odd: &[],
    },
    Group {
        name: "@files",
        reason: "paths; which of them exist and may be changed is for the mount tree and Landlock",
        calls: &[
            "stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2",
            "statfs", "fstatfs", "getdents", "getdents64", "getcwd", "chdir", "fchdir", "rename",
            "renameat", "renameat2", "rmdir", "link", "linkat", "unlink", "unlinkat", "symlink",
            "symlinkat", "readlink", "readlinkat", "chown", "fchown", "lchown", "fchownat",
            "umask", "truncate", "ftruncate", "fallocate", "utime", "utimes", "futimesat",
            "utimensat",
        ],
        odd: &[
            ("open", "no set-uid or set-gid bit on what it creates: it would stay on the host, owned by the caller"),
            ("openat", "as open"),
            ("creat", "as open"),
            ("mkdir", "as open"),
            ("mkdirat", "as open"),
            ("chmod", "as open"),
            ("fchmod", "as open"),
            ("fchmodat", "as open"),
            ("fchmodat2", "as open"),
            ("mknod", "as open; regular files, FIFOs and sockets only, never devices"),
            ("mknodat", "as mknod"),
            ("cachestat", "since Linux 6.13 it answers only for files the caller owns or may write"),
        ],
    },
    Group {
        name: "@xattr",
        reason: "extended attributes of reachable files; `security.` and `trusted.` need capabilities nobody has",
        calls: &[
            "setxattr", "lsetxattr", "fsetxattr", "getxattr", "lgetxattr", "fgetxattr",
            "listxattr", "llistxattr", "flistxattr", "removexattr", "lremovexattr",
            "fremovexattr", "setxattrat", "getxattrat", "listxattrat", "removexattrat",
        ],
        odd: &[],
    },
    Group {
        name: "@inotify",
        reason: "watching reachable files; unlike fanotify it gives no descriptors of other processes' files",
        calls: &["inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch"],
        odd: &[],
    },
    Group {
        name: "@memory",
        reason: "the process's own address space; writable and executable at once is for MDWE to refuse",
        calls: &[
            "mmap", "mprotect", "munmap", "mremap", "brk", "msync", "madvise", "mlock", "mlock2",
            "munlock", "mlockall", "munlockall", "pkey_mprotect", "pkey_alloc", "pkey_free",
            "mseal", "map_shadow_stack", "set_mempolicy", "get_mempolicy", "set_mempolicy_home_node",
        ],
        odd: &[
            ("mincore", "since Linux 5.2 it answers only for pages the caller could write"),
            ("mbind", "own memory only; moving pages shared with others needs CAP_SYS_NICE"),
            ("memfd_create", "a memfd can be executed whatever mounts say (noexec and Landlock do not cover it); that gives nothing that anonymous executable memory would not"),
        ],
    },
    Group {
        name: "@process",
        reason: "starting, ending and naming processes, all inside the pid namespace",
        calls: &[
            "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid",
            "getpid", "getppid", "getpgid", "setpgid", "getpgrp", "getsid", "setsid", "getrlimit",
            "getrusage", "times", "uname", "pidfd_open", "pidfd_send_signal",
        ],
        odd: &[
            ("clone", "without namespace flags: a nested user namespace would open half the kernel"),
            ("prctl", "by option: names, death signals, no_new_privs and the like"),
            ("setrlimit", "but for core files, where it does nothing: at 0 the kernel starts a core pattern's program on the host, at the 1 that is set it does not"),
            ("prlimit64", "as setrlimit; own limits only: pid 1 has the program's uid, and its limits are not the program's"),
            ("arch_prctl", "thread pointer, shadow stack and extended registers of the caller alone"),
            ("personality", "queries and PER_LINUX only: READ_IMPLIES_EXEC and ADDR_NO_RANDOMIZE undo hardening"),
            ("sysinfo", "memory sizes that C libraries and run-times need; uptime is the time namespace's"),
        ],
    },
    Group {
        name: "@threads",
        reason: "locks and the registrations every C library makes for each thread",
        calls: &[
            "futex", "futex_waitv", "futex_wake", "futex_wait", "futex_requeue", "gettid",
            "set_tid_address", "set_robust_list", "get_robust_list", "rseq", "membarrier",
        ],
        odd: &[],
    },
    Group {
        name: "@signals",
        reason: "signals, which reach no process outside the pid namespace",
        calls: &[
            "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
            "rt_sigsuspend", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "sigaltstack", "kill",
            "tkill", "tgkill", "pause",
        ],
        odd: &[("restart_syscall", "the kernel itself resumes an interrupted sleep with it")],
    },
    Group {
        name: "@time",
        reason: "reading clocks and the caller's own timers; never setting a clock",
        calls: &[
            "time", "gettimeofday", "clock_gettime", "clock_getres", "nanosleep",
            "clock_nanosleep", "alarm", "getitimer", "setitimer", "timer_create", "timer_settime",
            "timer_gettime", "timer_getoverrun", "timer_delete",
        ],
        odd: &[],
    },
    Group {
        name: "@sched",
        reason: "the caller's own scheduling; raising anything needs a capability or a resource limit",
        calls: &[
            "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
            "sched_getattr", "sched_get_priority_max", "sched_get_priority_min",
            "sched_rr_get_interval", "getpriority", "ioprio_get", "getcpu",
        ],
        odd: &[
            ("sched_setaffinity", "not of pid 1, which has the program's uid and keeps its wall-time limit"),
            ("sched_setparam", "as sched_setaffinity"),
            ("sched_setscheduler", "as sched_setaffinity"),
            ("sched_setattr", "as sched_setaffinity"),
            ("setpriority", "as sched_setaffinity; nor of a whole user, for pid 1 is one of its processes"),
            ("ioprio_set", "as setpriority"),
        ],
    },
    Group {
        name: "@ids",
        reason: "one uid and one gid are mapped, so that setting them leads nowhere else",
        calls: &[
            "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
            "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid",
            "setfsgid", "capget",
        ],
        odd: &[("capset", "can only lower, and there is nothing left to lower")],
    },
    Group {
        name: "@net",
        reason: "sockets; the network namespace says what they reach",
        calls: &[
            "connect", "accept", "accept4", "bind", "listen", "shutdown", "getsockname",
            "getpeername", "setsockopt", "getsockopt", "sendto", "recvfrom", "sendmsg", "recvmsg",
            "sendmmsg", "recvmmsg",
        ],
        odd: &[
            ("socket", "by family, type and protocol: AF_UNIX, and with a network TCP, UDP and NETLINK_ROUTE"),
            ("socketpair", "AF_UNIX only; event loops wake themselves with it"),
        ],
    },
    Group {
        name: "@ipc-sysv",
        reason: "System V IPC, private to the ipc namespace",
        calls: &[
            "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semtimedop", "semctl",
            "msgget", "msgsnd", "msgrcv", "msgctl",
        ],
        odd: &[],
    },
    Group {
        name: "@posix-mq",
        reason: "POSIX message queues, private to the ipc namespace",
        calls: &[
            "mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify",
            "mq_getsetattr",
        ],
        odd: &[],
    },
    Group {
        name: "@random",
        reason: "random numbers",
        calls: &["getrandom"],
        odd: &[],
    },
    Group {
        name: "@confine",
        reason: "a program that confines itself further only narrows",
        calls: &[
            "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
        ],
        odd: &[("seccomp", "no listener: answering another process's calls is more than narrowing")],
    },
    Group {
        name: "@aio",
        reason: "the older asynchronous I/O of databases; not in `@default`, for few use it and its past is poor",
        calls: &[
            "io_setup", "io_destroy", "io_getevents", "io_pgetevents", "io_submit", "io_cancel",
        ],
        odd: &[],
    },
];
