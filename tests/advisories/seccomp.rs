//! Filters: flatpak CVE-2021-41133 (new mount calls missing from a deny-list), and the x32 numbers of a compiled deny-list.
//! It must not repeat the laws of `seccomp_laws`: these are the calls that were the way out.

use crate::calls::{here, path};
use crate::harness::jailed;
use crate::support::Scratch;
use nix::errno::Errno;
use sandbox::bpf::{self, Data};
use sandbox::plan::seccomp::{ARCH, X32_BIT, resolve};
use sandbox::policy::{Context, Network, Policy};

const AT_FDCWD: usize = libc::AT_FDCWD as usize;

/// Numbers of calls there are, and of calls there may be one day.
const NUMBERS: std::ops::Range<u32> = 400..1100;

checks! {
    cve_2021_41133_every_new_mount_call_is_refused: _ => "", || {
        let root = path("/");
        let root = root.as_ptr() as usize;
        let calls = [
            ("open_tree", libc::SYS_open_tree, [AT_FDCWD, root, 1, 0, 0]),
            ("open_tree_attr", 467, [AT_FDCWD, root, 1, 0, 0]),
            ("move_mount", libc::SYS_move_mount, [AT_FDCWD, root, AT_FDCWD, root, 0]),
            ("fsopen", libc::SYS_fsopen, [root, 0, 0, 0, 0]),
            ("fsconfig", libc::SYS_fsconfig, [0, 0, 0, 0, 0]),
            ("fsmount", libc::SYS_fsmount, [0, 0, 0, 0, 0]),
            ("fspick", libc::SYS_fspick, [AT_FDCWD, root, 0, 0, 0]),
            ("mount_setattr", libc::SYS_mount_setattr, [AT_FDCWD, root, 0, 0, 0]),
            ("mount", libc::SYS_mount, [root, root, 0, libc::MS_BIND as usize, 0]),
            ("umount2", libc::SYS_umount2, [root, libc::MNT_DETACH as usize, 0, 0, 0]),
            ("pivot_root", libc::SYS_pivot_root, [root, root, 0, 0, 0]),
            ("chroot", libc::SYS_chroot, [root, 0, 0, 0, 0]),
            ("statmount", 457, [0; 5]),
            ("listmount", 458, [0; 5]),
        ];
        unless(Errno::EPERM, calls)
    };
    cve_2021_41133_the_flags_of_a_clone_are_seen: "EINVAL" => "ENOSYS", || crate::calls::ask(libc::SYS_clone3, [0, 0]);
    // Whatever the kernel knows by then: what has no name here is unknown.
    cve_2021_41133_what_is_new_is_unknown: _ => "", || {
        let known: Vec<u32> = sandbox::policy::syscalls::numbers().map(|(_, number)| number).collect();
        let new: Vec<u32> = NUMBERS.filter(|number| !known.contains(number)).collect();
        assert!(new.len() > 600);
        let wrong = new.into_iter().filter_map(|number| {
            let result = here(number.into(), [usize::MAX; 6]);
            let errno = Errno::last();
            (result != -1 || errno != Errno::ENOSYS).then(|| format!("{number}: {result} {errno:?}"))
        });
        wrong.collect::<Vec<_>>().join(" ")
    };
    x32_numbers_of_refused_calls_are_unknown: _ => "", || {
        let calls = [
            ("ptrace", libc::SYS_ptrace), ("unshare", libc::SYS_unshare), ("setns", libc::SYS_setns),
            ("mount", libc::SYS_mount), ("bpf", libc::SYS_bpf), ("keyctl", libc::SYS_keyctl),
            ("io_uring_setup", libc::SYS_io_uring_setup), ("personality", libc::SYS_personality),
            ("x32 ptrace", 521), ("x32 ioctl", 514), ("x32 process_vm_writev", 540),
        ];
        unless(Errno::ENOSYS, calls.map(|(name, number)| (name, number | i64::from(X32_BIT), [usize::MAX; 5])))
    };
}

/// Those that answer something else.
fn unless<const N: usize>(expected: Errno, calls: [(&str, i64, [usize; 5]); N]) -> String {
    let wrong = calls
        .into_iter()
        .filter_map(|(name, number, [a, b, c, d, e])| {
            let result = here(number, [a, b, c, d, e, 0]);
            let errno = Errno::last();
            (result != -1 || errno != expected).then(|| format!("{name}: {result} {errno:?}"))
        });
    wrong.collect::<Vec<_>>().join(", ")
}

/// As that measurement was made: the compiled program, asked about the number with the
/// bit. (A kernel without x32 answers ENOSYS by itself, so a run alone proves little.)
#[test]
fn x32_numbers_are_allowed_by_no_shipped_program() {
    let scratch = Scratch::new();
    let own = "version = 1\nextends = [\"strict\"]\n[syscalls]\ndeny = [\"getppid\"]\nkill = [\"getpgrp\"]\n";
    let own = scratch.file("p.toml", own, 0o644);
    let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    for policy in ["strict", "compile", "agent", own.to_str().unwrap()] {
        let policy = Policy::load(policy.as_ref(), &Context::current()).unwrap();
        for network in [Network::None, Network::Loopback, Network::Host] {
            let program = resolve(&policy.syscalls, network, true).unwrap().program;
            for number in (0..1024).chain([u32::MAX >> 2, X32_BIT - 1]) {
                let data = Data {
                    nr: number | X32_BIT,
                    arch: ARCH,
                    instruction_pointer: 0,
                    args: [0; 6],
                };
                assert_eq!(bpf::evaluate(&program, &data), Ok(unknown), "{number}");
            }
            // Without the bit, the same program allows a call of every day.
            let data = Data {
                nr: libc::SYS_read as u32,
                arch: ARCH,
                instruction_pointer: 0,
                args: [0; 6],
            };
            assert_eq!(bpf::evaluate(&program, &data), Ok(libc::SECCOMP_RET_ALLOW));
        }
    }
}

/// A restriction of the user's is one for both numbers of the call.
#[test]
fn x32_numbers_of_killed_calls_are_unknown() {
    let scratch = Scratch::new();
    let text = "version = 1\nextends = [\"strict\"]\n[syscalls]\nkill = [\"personality\"]\n";
    let policy = scratch.file("kill.toml", text, 0o644);
    let options = ["--policy", policy.to_str().unwrap()];
    let answer = jailed("x32_numbers_of_refused_calls_are_unknown", "", &options);
    assert_eq!(answer.as_deref(), Ok(""));
}
