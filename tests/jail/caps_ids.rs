//! Capabilities and ids: no set holds anything, nothing brings one back, the ids are the planned ones.
//! It must not ask what a capability would allow; every other file does.

use crate::calls::ask;
use crate::harness::{argument, free, jailed};
use crate::support;

checks! {
    status, || field(&argument());
    secure_bits: "0" => "239", || prctl(27).to_string();
    no_new_privileges: "0" => "1", || prctl(39).to_string();
    memory_is_its_own_to_dump: "1" => "1", || prctl(3).to_string();
    become_root: "EPERM" => "EINVAL", || ask(libc::SYS_setuid, [0]);
    become_roots_group: "EPERM" => "EINVAL", || ask(libc::SYS_setgid, [0]);
    become_root_for_a_while: "EPERM" => "EINVAL", || ask(libc::SYS_setresuid, [usize::MAX, 0, usize::MAX]);
    become_root_by_setreuid: "EPERM" => "EINVAL", || ask(libc::SYS_setreuid, [usize::MAX, 0]);
    become_roots_group_by_setregid: "EPERM" => "EINVAL", || ask(libc::SYS_setregid, [usize::MAX, 0]);
    become_roots_group_for_a_while: "EPERM" => "EINVAL", || ask(libc::SYS_setresgid, [usize::MAX, 0, usize::MAX]);
    // It never fails; it tells the id that was in force before.
    files_as_root: _ => "1000 1000", || {
        // SAFETY: the calls take numbers.
        let told = unsafe { [libc::setfsuid(0), libc::setfsuid(u32::MAX)] };
        format!("{} {}", told[0], told[1])
    };
    become_nobody: _ => "EINVAL", || ask(libc::SYS_setuid, [65534]);
    stay_oneself: _ => "open", || ask(libc::SYS_setuid, [1000]);
    raise_a_capability: _ => "EPERM", || {
        let header = [0x2008_0522u32, 0];
        let sets = [1u32, 1, 0, 0, 0, 0];
        ask(libc::SYS_capset, [header.as_ptr() as usize, sets.as_ptr() as usize])
    };
    give_a_file_to_root: _ => "EINVAL", || {
        std::fs::write("/tmp/file", "x").unwrap();
        crate::calls::told(std::os::unix::fs::chown("/tmp/file", Some(0), None))
    };
    file_capabilities: _ => "EPERM", || {
        std::fs::write("/tmp/file", "x").unwrap();
        let (file, name) = (crate::calls::path("/tmp/file"), crate::calls::path("security.capability"));
        // VFS_CAP_REVISION_2 with nothing in it.
        let value = [0x0200_0000u32, 0, 0, 0, 0];
        let [file, name] = [&file, &name].map(|text| text.as_ptr() as usize);
        ask(libc::SYS_setxattr, [file, name, value.as_ptr() as usize, 20, 0])
    };
    uid_is_1000: _ => "1000 1000 1000", || {
        let ids = nix::unistd::getresuid().unwrap();
        format!("{} {} {}", ids.real, ids.effective, ids.saved)
    };
    gid_is_1000: _ => "1000 1000 1000", || {
        let ids = nix::unistd::getresgid().unwrap();
        format!("{} {} {}", ids.real, ids.effective, ids.saved)
    };
    uid_by_option: _ => "4711" with ["--user", "4711"], || nix::unistd::getuid().to_string();
    a_better_priority: _ => "EACCES", || ask(libc::SYS_setpriority, [0, 0, -5isize as usize]);
    real_time_scheduling: _ => "EPERM", || {
        let priority = 1u32;
        ask(libc::SYS_sched_setscheduler, [0, 1, (&raw const priority) as usize])
    };
    lock_more_memory_than_allowed: _ => "EPERM", || {
        let limit = [usize::MAX, usize::MAX];
        ask(libc::SYS_prlimit64, [0, libc::RLIMIT_MEMLOCK as usize, limit.as_ptr() as usize, 0])
    };
    store_bypass, || speculation(0);
    indirect_branches, || speculation(1);
}

fn prctl(option: i32) -> i32 {
    // SAFETY: the options above only read, and take no pointer.
    unsafe { libc::prctl(option, 0, 0, 0, 0) }
}

/// Off for good (PR_SPEC_FORCE_DISABLE), off for all (PR_SPEC_DISABLE) or no
/// problem of this processor.
fn speculation(which: libc::c_ulong) -> String {
    // SAFETY: only reads, and takes no pointer.
    let state = unsafe { libc::prctl(libc::PR_GET_SPECULATION_CTRL, which, 0, 0, 0) };
    match state {
        0 => "off".into(),
        state if state > 0 && state & 0b1100 != 0 => "off".into(),
        // PR_SPEC_PRCTL
        state if state > 0 && state & 1 != 0 => "on".into(),
        _ => "beyond control".into(),
    }
}

/// Off inside wherever a process has a say in it. Where it has none, as on an
/// emulated processor, `strict` gives that up by name and nothing changes.
#[test]
fn speculation_is_off_where_it_can_be() {
    for check in ["store_bypass", "indirect_branches"] {
        let outside = free(check, "").unwrap();
        let expected = if outside == "on" { "off" } else { &outside };
        assert_eq!(jailed(check, "", &[]).as_deref(), Ok(expected), "{check}");
    }
}

/// A field of `/proc/self/status`.
fn field(name: &str) -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

macro_rules! fields {
    ($($test:ident $field:literal $expected:literal)*) => { $(
        #[test]
        fn $test() {
            assert_eq!(jailed("status", $field, &[]).as_deref(), Ok($expected));
        }
    )* };
}

fields! {
    inheritable_capabilities "CapInh" "0000000000000000"
    permitted_capabilities "CapPrm" "0000000000000000"
    effective_capabilities "CapEff" "0000000000000000"
    bounding_capabilities "CapBnd" "0000000000000000"
    ambient_capabilities "CapAmb" "0000000000000000"
    status_no_new_privileges "NoNewPrivs" "1"
    status_filter_mode "Seccomp" "2"
    status_one_filter "Seccomp_filters" "1"
    status_uid "Uid" "1000 1000 1000 1000"
    status_gid "Gid" "1000 1000 1000 1000"
    status_no_tracer "TracerPid" "0"
    status_umask "Umask" "0022"
}

#[test]
fn groups_are_the_own_one_or_unmapped() {
    let groups = jailed("status", "Groups", &[]).unwrap();
    let known = |group: &str| ["1000", "65534"].contains(&group);
    assert!(groups.split_whitespace().all(known), "{groups}");
}

/// Started by root (the tests are, in CI), the caller's groups must not come along.
#[test]
fn groups_of_root_do_not_come_along() {
    if !support::root() {
        return println!("skip: only root can start it as root");
    }
    let mut command = std::process::Command::new(support::binary());
    command.current_dir("/").args(["--", "/usr/bin/id", "-G"]);
    let output = support::run(&mut command);
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "1000");
}
