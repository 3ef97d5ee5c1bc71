//! Calls, and arguments of calls, that reach beyond the program: by number, as in
//! the kernel's headers and manual pages.
//!
//! It is no policy: what stands nowhere here is not thereby harmless. It does not
//! use the tables of the policy language: a call forgotten there must not be
//! forgotten here too.

use libc::c_long;

/// Dangerous whatever the arguments.
pub fn calls() -> impl Iterator<Item = u32> {
    let both = COMMON.iter().copied().chain(NEW.iter().copied());
    both.chain(OF_X86_64.iter().copied()).map(|nr| nr as u32)
}

#[rustfmt::skip]
const COMMON: &[c_long] = &[
    // mount(2), pivot_root(2), fsopen(2) and its kind, chroot(2)
    libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot,
    libc::SYS_open_tree, libc::SYS_move_mount, libc::SYS_fsopen, libc::SYS_fsconfig,
    libc::SYS_fsmount, libc::SYS_fspick, libc::SYS_mount_setattr,
    // namespaces(7); clone3 hides its flags from a filter
    libc::SYS_unshare, libc::SYS_setns, libc::SYS_clone3,
    // keyrings(7)
    libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl,
    // bpf(2), perf_event_open(2), userfaultfd(2), io_uring(7)
    libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register,
    // other processes: ptrace(2), process_vm_readv(2), kcmp(2), pidfd_getfd(2)
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_kcmp,
    libc::SYS_pidfd_getfd, libc::SYS_process_madvise, libc::SYS_process_mrelease,
    libc::SYS_move_pages, libc::SYS_migrate_pages,
    // the kernel itself: kexec_load(2), init_module(2), syslog(2)
    libc::SYS_kexec_load, libc::SYS_init_module, libc::SYS_finit_module,
    libc::SYS_delete_module, libc::SYS_syslog, libc::SYS_reboot,
    // clocks: settimeofday(2), clock_settime(2), adjtimex(2)
    libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_clock_adjtime, libc::SYS_adjtimex,
    // the machine: swapon(2), acct(2), quotactl(2), vhangup(2), sethostname(2)
    libc::SYS_swapon, libc::SYS_swapoff, libc::SYS_acct, libc::SYS_quotactl, libc::SYS_vhangup,
    libc::SYS_nfsservctl, libc::SYS_sethostname, libc::SYS_setdomainname,
    libc::SYS_lookup_dcookie,
    // files without a path: open_by_handle_at(2), fanotify(7)
    libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at, libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    // a mode and flags behind a pointer: openat2(2)
    libc::SYS_openat2,
];

/// Numbers that are the same on every architecture (since Linux 5.1).
const NEW: &[c_long] = &[
    443, // quotactl_fd
    447, // memfd_secret
    457, // statmount
    458, // listmount
    459, // lsm_get_self_attr
    460, // lsm_set_self_attr
    461, // lsm_list_modules
    467, // open_tree_attr
    469, // file_setattr
    470, // listns
];

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OF_X86_64: &[c_long] = &[
    libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_kexec_file_load,
    libc::SYS_uselib, libc::SYS__sysctl, libc::SYS_sysfs, libc::SYS_ustat,
    174, 177, 178, // create_module, get_kernel_syms, query_module
    335, // uretprobe
    336, // uprobe
];
#[cfg(not(target_arch = "x86_64"))]
const OF_X86_64: &[c_long] = &[];

/// Dangerous with these arguments, with every network.
pub fn arguments() -> Vec<(u32, [u64; 6])> {
    let mut all = Vec::new();
    let mut add = |nr: c_long, args: &[u64]| {
        let mut six = [0; 6];
        six[..args.len()].copy_from_slice(args);
        all.push((nr as u32, six));
    };
    // clone(2): mount, cgroup, uts, ipc, user, pid, net; alone and as fork does.
    for namespace in [17, 25, 26, 27, 28, 29, 30] {
        for with in [0, 17, 0x5000] {
            add(libc::SYS_clone, &[1 << namespace | with]);
        }
    }
    // personality(2): READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE, MMAP_PAGE_ZERO,
    // ADDR_COMPAT_LAYOUT, PER_LINUX32.
    for persona in [0x40_0000, 0x4_0000, 0x10_0000, 0x20_0000, 8] {
        add(libc::SYS_personality, &[persona]);
    }
    // prctl(2): SET_KEEPCAPS, SET_TIMING, SET_TSC, SET_SECUREBITS, CAPBSET_DROP,
    // SET_MM, SET_SPECULATION_CTRL, SET_IO_FLUSHER, SCHED_CORE, SET_MEMORY_MERGE,
    // SET_SYSCALL_USER_DISPATCH, SET_PTRACER, CAP_AMBIENT_RAISE.
    for option in [8, 14, 26, 28, 24, 35, 53, 57, 62, 67, 59, 0x5961_6d61] {
        add(libc::SYS_prctl, &[option]);
    }
    add(libc::SYS_prctl, &[47, 2]);
    // socket(2): UNIX is 1, INET 2, INET6 10, NETLINK 16; all others, raw ones,
    // MPTCP (262), SCTP (132), ICMP (1).
    for family in (0..64).filter(|family| ![1, 2, 10, 16].contains(family)) {
        for kind in 1..=5 {
            add(libc::SYS_socket, &[family, kind, 0]);
            add(libc::SYS_socketpair, &[family, kind, 0]);
        }
    }
    for family in [2, 10] {
        for kind in [3, 5, 10] {
            add(libc::SYS_socket, &[family, kind, 0]);
        }
        for (kind, protocol) in [(1, 262), (1, 132), (2, 1), (2, 136), (3, 255)] {
            add(libc::SYS_socket, &[family, kind, protocol]);
        }
    }
    // netlink(7): all but ROUTE.
    for protocol in 1..32 {
        add(libc::SYS_socket, &[16, 3, protocol]);
    }
    // ioctl: TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD, TIOCVHANGUP, FS_IOC_SETFLAGS,
    // FS_IOC_FSSETXATTR, FS_IOC_ENABLE_VERITY, FIFREEZE, FITHAW, FITRIM, FIBMAP,
    // SIOCSIFFLAGS, SIOCSIFADDR, SIOCBRADDBR, TUNSETIFF, NS_GET_USERNS,
    // NS_GET_PARENT, BLKROSET, LOOP_SET_FD, KDSETMODE, VT_ACTIVATE, KVM_CREATE_VM.
    for request in [
        0x5412,
        0x541c,
        0x541d,
        0x5423,
        0x5437,
        0x4008_6602,
        0x401c_5820,
        0x4080_6685,
        0xc004_5877,
        0xc004_5878,
        0xc018_5879,
        1,
        0x8914,
        0x8916,
        0x89a0,
        0x4004_54ca,
        0xb701,
        0xb702,
        0x125d,
        0x4c00,
        0x4b3a,
        0x5606,
        0xae01,
    ] {
        add(libc::SYS_ioctl, &[3, request]);
    }
    // seccomp(2): FILTER with NEW_LISTENER, GET_NOTIF_SIZES. fcntl(2): SETLEASE.
    add(libc::SYS_seccomp, &[1, 8]);
    add(libc::SYS_seccomp, &[3]);
    add(libc::SYS_fcntl, &[3, 1024]);
    // Set-id bits, and device nodes: chmod(2), open(2), mkdir(2), mknod(2).
    for mode in [0o4755, 0o2755, 0o6777] {
        add(libc::SYS_fchmod, &[3, mode]);
        add(libc::SYS_fchmodat, &[3, 0, mode]);
        add(452, &[3, 0, mode]); // fchmodat2
        add(libc::SYS_mkdirat, &[3, 0, mode]);
        for flags in [libc::O_CREAT, libc::O_TMPFILE] {
            add(libc::SYS_openat, &[3, 0, flags as u64, mode]);
        }
    }
    for kind in [libc::S_IFCHR, libc::S_IFBLK, libc::S_IFREG | libc::S_ISUID] {
        add(libc::SYS_mknodat, &[3, 0, u64::from(kind)]);
    }
    // renameat2(2): RENAME_WHITEOUT, alone and with RENAME_NOREPLACE.
    for flags in [4, 5] {
        add(libc::SYS_renameat2, &[3, 0, 3, 0, flags]);
    }
    // pid 1's limits and priority: prlimit(2), setpriority(2), sched_setaffinity(2).
    add(libc::SYS_prlimit64, &[1, 7, 1]);
    add(libc::SYS_setpriority, &[0, 1, 19]);
    add(libc::SYS_setpriority, &[2, 0, 19]);
    for nr in [
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setattr,
    ] {
        add(nr, &[1]);
    }
    #[cfg(target_arch = "x86_64")]
    of_x86_64(&mut add);
    all
}

/// The same by older names.
#[cfg(target_arch = "x86_64")]
fn of_x86_64(add: &mut impl FnMut(c_long, &[u64])) {
    for mode in [0o4755, 0o2755, 0o6777] {
        for nr in [libc::SYS_chmod, libc::SYS_mkdir, libc::SYS_creat] {
            add(nr, &[0, mode]);
        }
        add(libc::SYS_open, &[0, libc::O_CREAT as u64, mode]);
    }
    for kind in [libc::S_IFCHR, libc::S_IFBLK] {
        add(libc::SYS_mknod, &[0, u64::from(kind)]);
    }
}

/// Sockets that reach another machine, or tell of this one's.
pub fn networks() -> impl Iterator<Item = (u32, [u64; 6])> {
    let families = [2, 10, 16];
    families.into_iter().flat_map(|family| {
        (1..=3).map(move |kind| (libc::SYS_socket as u32, [family, kind, 0, 0, 0, 0]))
    })
}
