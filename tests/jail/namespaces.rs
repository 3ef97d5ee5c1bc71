//! The namespaces: each is its own, and none can be made, joined or left from inside.
//! It must not ask what a namespace contains; mounts, net and the others do.

use crate::calls::{alone, ask, here};
use crate::harness::{argument, free, jailed};
use libc::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
    CLONE_NEWUTS,
};

const CLONE_NEWTIME: i32 = 0x80;

checks! {
    // With CLONE_NEWUSER an ordinary user may make every other kind outside.
    unshare_user: "open" => "EPERM", || unshare(0);
    unshare_mount: "open" => "EPERM", || unshare(CLONE_NEWNS);
    unshare_pid: "open" => "EPERM", || unshare(CLONE_NEWPID);
    unshare_net: "open" => "EPERM", || unshare(CLONE_NEWNET);
    unshare_ipc: "open" => "EPERM", || unshare(CLONE_NEWIPC);
    unshare_uts: "open" => "EPERM", || unshare(CLONE_NEWUTS);
    unshare_cgroup: "open" => "EPERM", || unshare(CLONE_NEWCGROUP);
    unshare_time: "open" => "EPERM", || unshare(CLONE_NEWTIME);
    unshare_nothing: "open" => "EPERM", || ask(libc::SYS_unshare, [0]);
    clone_user: "open" => "EPERM", || clone(0);
    clone_mount: "open" => "EPERM", || clone(CLONE_NEWNS);
    clone_pid: "open" => "EPERM", || clone(CLONE_NEWPID);
    clone_net: "open" => "EPERM", || clone(CLONE_NEWNET);
    clone_ipc: "open" => "EPERM", || clone(CLONE_NEWIPC);
    clone_uts: "open" => "EPERM", || clone(CLONE_NEWUTS);
    clone_cgroup: "open" => "EPERM", || clone(CLONE_NEWCGROUP);
    clone_plain: "open" => "open", || ask(libc::SYS_clone, [libc::SIGCHLD as usize]);
    clone3_is_unknown: "EINVAL" => "ENOSYS", || ask(libc::SYS_clone3, [0, 0]);
    setns_of_nothing: "EBADF" => "EPERM", || ask(libc::SYS_setns, [usize::MAX, 0]);
    setns_of_itself, setns_of_itself;
    setns_by_a_process: _ => "EPERM", || alone(|| {
        let own = here(libc::SYS_getpid, [0; 6]) as usize;
        let own = here(libc::SYS_pidfd_open, [own, 0, 0, 0, 0, 0]) as usize;
        here(libc::SYS_setns, [own, CLONE_NEWUTS as usize, 0, 0, 0, 0])
    });
    unshare_files: "open" => "EPERM", || ask(libc::SYS_unshare, [libc::CLONE_FILES as usize]);
    unshare_the_root_alone: "EPERM" => "EPERM", || ask(libc::SYS_unshare, [CLONE_NEWNS as usize]);
    clone_with_high_bits: _ => "EPERM", || {
        ask(libc::SYS_clone, [(CLONE_NEWUSER | libc::SIGCHLD) as usize | 1 << 40])
    };
    // NS_GET_USERNS and NS_GET_PARENT.
    owner_of_a_namespace: _ => "ENOTTY", || on_a_namespace(0xb701);
    parent_of_a_namespace: _ => "ENOTTY", || on_a_namespace(0xb702);
    hostname: _ => "sandbox", || node_name();
    uptime_is_its_own: _ => "young", || age(libc::CLOCK_BOOTTIME);
    monotonic_time_is_its_own: _ => "young", || age(libc::CLOCK_MONOTONIC);
    the_program_is_the_second_process: _ => "2", || std::process::id().to_string();
    the_parent_is_pid_1: _ => "1", || std::os::unix::process::parent_id().to_string();
    namespace, || {
        let link = format!("/proc/self/ns/{}", argument());
        std::fs::read_link(link).unwrap().display().to_string()
    };
}

fn unshare(flags: i32) -> String {
    ask(libc::SYS_unshare, [(flags | CLONE_NEWUSER) as usize])
}

fn clone(flags: i32) -> String {
    let flags = flags | CLONE_NEWUSER | libc::SIGCHLD;
    ask(libc::SYS_clone, [flags as usize])
}

fn setns_of_itself() -> String {
    let own = std::fs::File::open("/proc/self/ns/uts").unwrap();
    let own = std::os::fd::AsRawFd::as_raw_fd(&own);
    alone(|| crate::calls::here(libc::SYS_setns, [own as usize, 0, 0, 0, 0, 0]))
}

#[test]
fn joining_its_own_namespace_is_refused_by_the_filter() {
    let answer = jailed("setns_of_itself", "", &[]);
    assert_eq!(answer.as_deref(), Ok("EPERM"));
}

fn on_a_namespace(request: usize) -> String {
    let own = std::fs::File::open("/proc/self/ns/pid").unwrap();
    let own = std::os::fd::AsRawFd::as_raw_fd(&own) as usize;
    ask(libc::SYS_ioctl, [own, request, 0])
}

fn node_name() -> String {
    nix::sys::utsname::uname()
        .unwrap()
        .nodename()
        .to_str()
        .unwrap()
        .to_owned()
}

/// A minute is more than any test takes and less than a machine has been up.
fn age(clock: libc::clockid_t) -> String {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for the time of the call.
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut now) }, 0);
    match now.tv_sec < 60 {
        true => "young".into(),
        false => format!("{} s", now.tv_sec),
    }
}

/// Inside, the namespace must be neither the caller's nor the same twice.
fn differs(kind: &str) {
    let outside = free("namespace", kind).unwrap();
    let first = jailed("namespace", kind, &[]).unwrap();
    assert!(first.starts_with(&format!("{kind}:[")), "{first}");
    assert_ne!(first, outside);
}

macro_rules! own {
    ($($test:ident $kind:literal)*) => { $(#[test] fn $test() { differs($kind); })* };
}

own! {
    the_user_namespace_is_its_own "user"
    the_mount_namespace_is_its_own "mnt"
    the_pid_namespace_is_its_own "pid"
    the_network_namespace_is_its_own "net"
    the_ipc_namespace_is_its_own "ipc"
    the_uts_namespace_is_its_own "uts"
    the_cgroup_namespace_is_its_own "cgroup"
    the_time_namespace_is_its_own "time"
}
