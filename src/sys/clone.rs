//! Making processes: `clone3(2)` and waiting for what it made.
//!
//! Raw calls on purpose: libc's `fork` runs at-fork handlers and takes the
//! allocator's locks, which another thread of the caller may hold for ever.

use super::{Errno, Result, check};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// `struct clone_args` of Linux 5.7 (CLONE_ARGS_SIZE_VER2).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Linux 5.5; libc's constant of this name is 32 bits wide and cannot hold it.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
/// Linux 5.7, and 64 bits wide on every C library.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Which side of the clone this is.
pub(crate) enum Side {
    /// The new process.
    Child,
    /// The caller, with the child's pid and pidfd.
    Parent { pid: libc::pid_t, pidfd: OwnedFd },
}

/// `clone3(2)` without shared memory, with a pidfd. No signal is sent when the
/// child ends (`exit_signal` 0), so a host program's SIGCHLD handling and
/// `wait(-1)` never see it; wait with [`wait`].
///
/// # Safety
///
/// In the child only *child-safe* calls may be made until `execve` or `_exit`:
/// any lock of the process may be held by a thread that does not exist there.
pub(crate) unsafe fn clone_with_pidfd(flags: libc::c_int) -> Result<Side> {
    // SAFETY: the caller's promise is the same.
    unsafe { clone_into(flags, None) }
}

/// As [`clone_with_pidfd`], and the child begins its life in the control group
/// (cgroup v2) of the directory descriptor given.
///
/// Only a process that may write to the `cgroup.procs` of that group and of the
/// nearest group above both it and the caller may do so: cgroups(7), "Delegation
/// containment". With `CLONE_NEWCGROUP` the new namespace has the *caller's* group as
/// its root, not the one given: the child that wants its own must `unshare(2)` itself.
///
/// # Safety
///
/// That of [`clone_with_pidfd`].
pub(crate) unsafe fn clone_into(
    flags: libc::c_int,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Side> {
    let mut pidfd: libc::c_int = -1;
    let into = cgroup.map_or(0, |_| CLONE_INTO_CGROUP);
    let args = CloneArgs {
        // Handlers point into the caller's code; CLEAR_SIGHAND (Linux 5.5) makes
        // sure none runs in the child.
        flags: flags as u64 | libc::CLONE_PIDFD as u64 | CLONE_CLEAR_SIGHAND | into,
        pidfd: &raw mut pidfd as u64,
        cgroup: cgroup.map_or(0, |group| group.as_raw_fd() as u64),
        ..CloneArgs::default()
    };
    // SAFETY: `args` is a valid clone_args of the size given and `pidfd` outlives
    // the call; without CLONE_VM and with no stack the child gets a copy of this
    // stack. The caller keeps the child to child-safe calls.
    let pid =
        check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) })?;
    if pid == 0 {
        return Ok(Side::Child);
    }
    // SAFETY: the kernel stored a new descriptor in `pidfd`, owned by nobody else.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Side::Parent {
        pid: pid as libc::pid_t,
        pidfd,
    })
}

/// Can this process start another in that control group? Starts one that ends at
/// once, and waits for it.
pub(crate) fn try_cgroup(cgroup: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the child ends without any other call.
    match unsafe { clone_into(0, Some(cgroup)) }? {
        Side::Child => super::process::exit(0),
        Side::Parent { pid, .. } => wait(pid, true).map(drop),
    }
}

/// A stack for [`vfork`], made before the clone. Only what is touched costs memory.
pub(crate) struct Stack(Box<[std::mem::MaybeUninit<u8>]>);

impl Stack {
    /// Parent only: allocates.
    pub(crate) fn new() -> Stack {
        // Several times what the deepest step uses in an unoptimised build.
        Stack(Box::new_uninit_slice(256 * 1024))
    }
}

/// A process that shares this one's memory and descriptors until it executes a
/// program or ends, while this one waits (CLONE_VM | CLONE_FILES | CLONE_VFORK,
/// clone(2)): no page is copied, and what it opened this one has afterwards. It
/// runs `child` on the stack given, and reports its end with that signal, 0 for none.
/// Child-safe.
///
/// # Safety
///
/// `child` keeps to child-safe calls and never returns; `argument` is what it
/// expects. Nothing else runs on `stack` meanwhile.
pub(crate) unsafe fn vfork(
    stack: &Stack,
    child: extern "C" fn(*mut libc::c_void) -> libc::c_int,
    argument: *mut libc::c_void,
    end_signal: libc::c_int,
) -> Result<libc::pid_t> {
    let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_VFORK | end_signal;
    let bottom = stack.0.as_ptr() as usize;
    // Stacks grow down; every ABI of Linux wants 16 bytes alignment.
    let top = (bottom + stack.0.len()) & !15;
    // SAFETY: the stack is ours for as long as the child shares this memory, and
    // this process is suspended for exactly that long.
    check(unsafe { libc::clone(child, top as *mut libc::c_void, flags, argument) }.into())
        .map(|pid| pid as libc::pid_t)
}

/// What [`network_of`] and its process tell each other.
struct Network {
    owner: RawFd,
    made: Result<RawFd>,
}

/// A new network namespace that belongs to the user namespace given, which is a child of the
/// caller's own (setns(2)): made by a process that shares this one's memory and ends at once,
/// because who enters a user namespace does not come back. Parent only (ownership).
///
/// No signal tells of that process, and none runs a handler in it.
pub(crate) fn network_of(owner: BorrowedFd<'_>, stack: &Stack) -> Result<OwnedFd> {
    let mut network = Network {
        owner: owner.as_raw_fd(),
        // What it says where it is killed.
        made: Err(Errno::ESRCH),
    };
    let before = super::process::set_signal_mask(u64::MAX)?;
    // SAFETY: `make_network` gets the `Network` it expects, alive while this thread waits,
    // keeps to child-safe calls and never returns; the stack is this launch's alone.
    let pid = unsafe { vfork(stack, make_network, (&raw mut network).cast(), 0) };
    let ended = pid.and_then(|pid| wait(pid, true));
    let restored = super::process::set_signal_mask(before);
    let made = network.made.map(super::fd::own);
    ended.and(restored).and(made)
}

/// The whole life of the process of [`network_of`].
extern "C" fn make_network(argument: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `network_of` passes a `Network` that outlives this process, and touches it no
    // more until then.
    let network = unsafe { &mut *argument.cast::<Network>() };
    network.made = super::process::enter_namespace(network.owner, libc::CLONE_NEWUSER)
        .and_then(|()| super::process::unshare(libc::CLONE_NEWNET))
        .and_then(|()| super::fd::open_read(c"/proc/self/ns/net"));
    super::process::exit(0)
}

/// What `wait4(2)` said about a process that ended.
pub(crate) struct Ended {
    /// Its pid.
    pub(crate) pid: libc::pid_t,
    /// `wait(2)` status.
    pub(crate) status: i32,
    /// Resources of it and of everything it had waited for.
    pub(crate) usage: libc::rusage,
}

impl Ended {
    /// What somebody else waited for: user and system time in microseconds, largest
    /// resident set in KiB, voluntary and forced switches.
    pub(crate) fn told(pid: libc::pid_t, status: i32, used: [u64; 5]) -> Ended {
        let number = |of: u64| libc::c_long::try_from(of).unwrap_or(libc::c_long::MAX);
        let time = |us: u64| libc::timeval {
            tv_sec: number(us / 1_000_000),
            tv_usec: number(us % 1_000_000),
        };
        let [user, system, largest, voluntary, forced] = used;
        // SAFETY: numbers and nothing else: zeroed is a valid rusage.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        usage.ru_utime = time(user);
        usage.ru_stime = time(system);
        usage.ru_maxrss = number(largest);
        usage.ru_nvcsw = number(voluntary);
        usage.ru_nivcsw = number(forced);
        Ended { pid, status, usage }
    }

    /// The same numbers of what was waited for here.
    pub(crate) fn used(&self) -> [u64; 5] {
        let number = |of: libc::c_long| u64::try_from(of).unwrap_or(0);
        let time = |of: libc::timeval| number(of.tv_sec) * 1_000_000 + number(of.tv_usec);
        let usage = &self.usage;
        [
            time(usage.ru_utime),
            time(usage.ru_stime),
            number(usage.ru_maxrss),
            number(usage.ru_nvcsw),
            number(usage.ru_nivcsw),
        ]
    }
}

/// Waits for one child (`pid`) or any (`-1`), clone children included;
/// `None` when nothing has ended and `block` is false. Child-safe.
pub(crate) fn wait(pid: libc::pid_t, block: bool) -> Result<Option<Ended>> {
    let mut status: libc::c_int = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    let options = libc::__WALL | if block { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: both pointers are valid for writing for the length of the call.
        match check(unsafe {
            libc::syscall(
                libc::SYS_wait4,
                pid,
                &raw mut status,
                options,
                usage.as_mut_ptr(),
            )
        }) {
            Ok(0) => return Ok(None),
            Ok(pid) => {
                return Ok(Some(Ended {
                    pid: pid as libc::pid_t,
                    status,
                    // SAFETY: zeroed is a valid rusage, and the kernel filled it.
                    usage: unsafe { usage.assume_init() },
                }));
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Kills a child that has not been waited for yet, whose pid therefore is still
/// its own: also where a filter around this process refuses
/// `pidfd_send_signal(2)`, so that waiting for it afterwards ends.
pub(crate) fn kill_child(pid: libc::pid_t, pidfd: &OwnedFd) -> Result<()> {
    signal_pidfd(pidfd, libc::SIGKILL).or_else(|_| super::process::kill(pid, libc::SIGKILL))
}

/// A pidfd of the calling process (`pidfd_open(2)`, Linux 5.3), close-on-exec.
pub(crate) fn own_pidfd() -> Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) })?;
    // SAFETY: a new descriptor, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// `pidfd_send_signal(2)`. Child-safe.
pub(crate) fn signal_pidfd(pidfd: &OwnedFd, signal: i32) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(drop)
}
