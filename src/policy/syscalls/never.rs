//! The system calls no policy can allow: refused ones, and ones kept unknown.
//!
//! A list here is no deny-list: what stands nowhere is answered as unknown. It
//! exists so that a known danger has a reason, and an answer that says "no".

/// Calls with the same answer for the same reason.
#[derive(Debug)]
pub struct Family {
    /// By the kernel's names.
    pub calls: &'static [&'static str],
    /// Why.
    pub reason: &'static str,
}

/// Answer EPERM.
#[rustfmt::skip]
pub static REFUSED: &[Family] = &[
    Family {
        calls: &["unshare", "setns"],
        reason: "a nested namespace gives capabilities over mount, network and packet filter code",
    },
    Family {
        calls: &[
            "mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr",
            "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
        ],
        reason: "the mount tree is the boundary; nobody changes it from inside",
    },
    Family {
        calls: &["statmount", "listmount", "listns"],
        reason: "they tell of mounts and namespaces beyond what /proc shows inside",
    },
    Family {
        calls: &["ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"],
        reason: "they reach into other processes: memory, registers, descriptors",
    },
    Family {
        calls: &["process_madvise", "process_mrelease", "move_pages", "migrate_pages"],
        reason: "they act on other processes' memory and tell where pages lie",
    },
    Family {
        calls: &["perf_event_open", "bpf", "userfaultfd", "lookup_dcookie"],
        reason: "large kernel interfaces for tracing that have been a way into the kernel again and again",
    },
    Family {
        calls: &["io_uring_setup", "io_uring_enter", "io_uring_register"],
        reason: "its operations are not system calls: they walk around this filter",
    },
    Family {
        calls: &["add_key", "request_key", "keyctl"],
        reason: "keyrings are not namespaced as the rest is, and are shared by uid",
    },
    Family {
        calls: &["name_to_handle_at", "open_by_handle_at", "fanotify_init", "fanotify_mark"],
        reason: "they name or open files without a path through the mount tree",
    },
    Family {
        calls: &[
            "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load",
            "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "nfsservctl",
            "syslog", "iopl", "ioperm", "vhangup",
        ],
        reason: "administration of the machine",
    },
    Family {
        calls: &["settimeofday", "clock_settime", "adjtimex", "clock_adjtime"],
        reason: "they set the machine's clocks",
    },
    Family {
        calls: &["sethostname", "setdomainname"],
        reason: "the policy names the host",
    },
    Family {
        calls: &["setgroups"],
        reason: "no supplementary group is mapped; the kernel refuses it as well",
    },
    Family {
        calls: &["modify_ldt"],
        reason: "segments for 16-bit code: needless and a source of kernel bugs",
    },
    Family {
        calls: &["memfd_secret"],
        reason: "it splits the kernel's own mapping of memory, which slows the whole machine",
    },
    Family {
        calls: &["file_setattr"],
        reason: "it sets project ids and inode flags on host files that outlive the run",
    },
    Family {
        calls: &["lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules"],
        reason: "they tell and change how the host confines its processes",
    },
];

/// Answer ENOSYS on purpose, so that callers fall back to what can be filtered,
/// or because the kernel has nothing behind them.
#[rustfmt::skip]
pub static UNKNOWN: &[Family] = &[
    Family {
        calls: &["clone3"],
        reason: "its flags lie behind a pointer where no filter can see namespaces; C libraries fall back to clone",
    },
    Family {
        calls: &["openat2"],
        reason: "flags and mode lie behind a pointer where no filter can see set-uid bits; callers fall back to openat",
    },
    Family {
        calls: &["file_getattr"],
        reason: "inode flags and project ids of the host's files; nothing ordinary needs it",
    },
    Family {
        calls: &["uretprobe", "uprobe"],
        reason: "only trampolines made by the kernel call them, and since Linux 6.14 no filter is asked about those",
    },
    Family {
        calls: &["remap_file_pages", "ustat", "sysfs", "uselib", "_sysctl"],
        reason: "superseded long ago",
    },
    Family {
        calls: &[
            "create_module", "get_kernel_syms", "query_module", "getpmsg", "putpmsg",
            "afs_syscall", "tuxcall", "security", "vserver", "epoll_ctl_old", "epoll_wait_old",
            "set_thread_area", "get_thread_area",
        ],
        reason: "numbers without a call behind them on this architecture",
    },
];
