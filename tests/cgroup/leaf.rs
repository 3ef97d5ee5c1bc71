//! A leaf from its making to its end, on any machine where a group can be made.

use super::tree::{Sleeper, Tree, Waiting, until};
use sandbox::cgroup::{Controllers, Cpu, Limits};
use std::fs;
use std::os::fd::AsRawFd;

#[test]
fn time_is_counted_without_a_controller() {
    let Some(tree) = Tree::new() else { return };
    let leaf = tree.home(Controllers::NONE).leaf().unwrap();
    assert_eq!(leaf.cpu().unwrap().usage_us, 0);
    let script = format!("exec \"$HELPER\" {}", super::helper::words("burn"));
    let waiting = Waiting::start(&format!("BURN_MS=200 {script}"));
    let child = waiting.go(&leaf);
    let whole_us = end(child);
    let cpu = leaf.cpu().unwrap();
    // What it burnt was counted, but for what it used before it was there, and nothing that it
    // did not use.
    assert!(cpu.usage_us >= 150_000, "{cpu:?}");
    assert!(
        cpu.usage_us <= whole_us + 1000,
        "{cpu:?}, all of it {whole_us}"
    );
    assert!(cpu.user_us + cpu.system_us <= cpu.usage_us + 1, "{cpu:?}");
}

/// Waits for it; the processor time of its whole life, microseconds.
fn end(child: std::process::Child) -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    let mut status = 0;
    let pid = child.id() as libc::pid_t;
    // SAFETY: both pointers are valid for writing for the length of the call.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    assert_eq!((waited, status), (pid, 0));
    // SAFETY: zeroed is a valid rusage, and the kernel filled it.
    let usage = unsafe { usage.assume_init() };
    let us = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    us(usage.ru_utime) + us(usage.ru_stime)
}

#[test]
fn its_time_is_read_through_the_descriptor_again_and_again() {
    let Some(tree) = Tree::new() else { return };
    let leaf = tree.home(Controllers::NONE).leaf().unwrap();
    let read = || {
        let mut text = [0u8; 4096];
        let read = nix::sys::uio::pread(leaf.cpu_stat_fd(), &mut text, 0).unwrap();
        Cpu::parse(&text[..read]).unwrap()
    };
    assert_eq!(read(), leaf.cpu().unwrap());
    let script = format!("exec \"$HELPER\" {}", super::helper::words("burn"));
    end(Waiting::start(&format!("BURN_MS=20 {script}")).go(&leaf));
    assert!(read().usage_us > 0);
    assert_eq!(read(), leaf.cpu().unwrap());
    for fd in [leaf.cpu_stat_fd().as_raw_fd(), leaf.fd().as_raw_fd()] {
        // SAFETY: F_GETFD takes no pointer.
        assert_eq!(unsafe { libc::fcntl(fd, libc::F_GETFD) }, libc::FD_CLOEXEC);
    }
}

/// Processes that are deaf to every other signal, one of them nobody's child.
const DEAF: &str = "trap '' TERM INT HUP QUIT; (setsid sleep 1000 &); echo up; sleep 1000 & wait";

#[test]
fn killed_means_all_of_it() {
    let Some(tree) = Tree::new() else { return };
    let leaf = tree.home(Controllers::NONE).leaf().unwrap();
    let mut child = Waiting::start(DEAF).go(&leaf);
    let procs = leaf.path().join("cgroup.procs");
    until("three processes", || {
        fs::read_to_string(&procs).unwrap().lines().count() == 3
    });
    assert!(leaf.is_populated().unwrap());
    leaf.kill().unwrap();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    until("nobody left", || !leaf.is_populated().unwrap());
    let path = leaf.path().to_owned();
    leaf.end().unwrap();
    assert!(!path.exists());
}

#[test]
fn dropped_it_is_gone_with_all_that_lived_in_it() {
    let Some(tree) = Tree::new() else { return };
    let leaf = tree.home(Controllers::NONE).leaf().unwrap();
    let mut child = Waiting::start(DEAF).go(&leaf);
    let path = leaf.path().to_owned();
    assert!(path.is_dir());
    drop(leaf);
    assert!(!path.exists());
    assert!(!child.wait().unwrap().success());
}

/// Runs are made by many threads from one home.
#[test]
fn a_home_and_its_leaves_go_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<sandbox::cgroup::Home>();
    shared::<sandbox::cgroup::Leaf>();
}

#[test]
fn a_leaf_is_for_its_maker_alone() {
    use std::os::unix::fs::PermissionsExt;
    let Some(tree) = Tree::new() else { return };
    let leaf = tree.home(Controllers::NONE).leaf().unwrap();
    let mode = fs::metadata(leaf.path()).unwrap().permissions().mode();
    // Whoever could open it could lock it.
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn what_is_not_there_is_none_and_no_zero() {
    let Some(tree) = Tree::new() else { return };
    let leaf = tree.home(Controllers::NONE).leaf().unwrap();
    if leaf.controllers().contains(Controllers::MEMORY) {
        return;
    }
    assert_eq!(leaf.memory_peak().unwrap(), None);
    assert_eq!(leaf.memory_current().unwrap(), None);
    assert_eq!(leaf.memory_events().unwrap(), None);
    assert_eq!(leaf.pids_peak().unwrap(), None);
    assert_eq!(leaf.pids_denied().unwrap(), None);
    let limits = Limits {
        memory: Some(1 << 20),
        processes: Some(5),
        ..Limits::default()
    };
    let failure = leaf.set(&limits).unwrap_err().to_string();
    assert!(
        failure.ends_with("has no controller for: memory, pids"),
        "{failure}"
    );
}

#[test]
fn a_hundred_at_once_are_not_in_each_others_way() {
    let Some(tree) = Tree::new() else { return };
    let home = tree.home(Controllers::NONE);
    let leaves: Vec<_> = (0..100).map(|_| home.leaf().unwrap()).collect();
    assert_eq!(tree.children().len(), 100);
    // They are in use.
    assert_eq!(home.collect(), 0);
    assert_eq!(tree.children().len(), 100);
    drop(leaves);
    assert_eq!(tree.children(), [""; 0]);
}

/// Makers and collectors at once: what was made is there until its maker ends it.
#[test]
fn nobody_collects_what_is_in_use() {
    let Some(tree) = Tree::new() else { return };
    let home = tree.home(Controllers::NONE);
    let sleeper = Sleeper::start(&tree.group("beside"));
    let make = || {
        for _ in 0..60 {
            let leaf = home.leaf().unwrap();
            std::thread::yield_now();
            assert!(leaf.path().is_dir());
            assert!(!leaf.is_populated().unwrap());
            leaf.end().unwrap();
        }
    };
    std::thread::scope(|scope| {
        let makers: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
        while makers.iter().any(|maker| !maker.is_finished()) {
            home.collect();
        }
    });
    assert_eq!(tree.children(), ["beside"]);
    drop(sleeper);
}
