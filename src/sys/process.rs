//! What a process is: ids, capabilities, attributes, limits, signals, exec.
//!
//! Child-safe throughout.

use super::{Errno, Result, check};

/// `prctl(2)` with plain numbers.
pub(crate) fn prctl(
    option: libc::c_int,
    a: libc::c_ulong,
    b: libc::c_ulong,
    c: libc::c_ulong,
    d: libc::c_ulong,
) -> Result<i32> {
    // SAFETY: every option used by this project takes numbers only (or, for
    // PR_SCHED_CORE_CREATE, a null pointer).
    check(unsafe { libc::prctl(option, a, b, c, d) }.into()).map(|value| value as i32)
}

/// `PR_GET_SPECULATION_CTRL`, `PR_SET_SPECULATION_CTRL` (Linux 4.17) and the
/// answer that cannot be taken back.
pub(crate) const PR_GET_SPECULATION_CTRL: libc::c_int = 52;
pub(crate) const PR_SET_SPECULATION_CTRL: libc::c_int = 53;
pub(crate) const PR_SPEC_FORCE_DISABLE: libc::c_ulong = 1 << 3;
/// `PR_SET_MDWE`, `PR_GET_MDWE` (Linux 6.3).
pub(crate) const PR_SET_MDWE: libc::c_int = 65;
pub(crate) const PR_GET_MDWE: libc::c_int = 66;
/// `PR_SCHED_CORE` (Linux 5.14) and its commands.
pub(crate) const PR_SCHED_CORE: libc::c_int = 62;
pub(crate) const PR_SCHED_CORE_GET: libc::c_ulong = 0;
pub(crate) const PR_SCHED_CORE_CREATE: libc::c_ulong = 1;

/// `struct __user_cap_header_struct` and data, version 3.
#[repr(C)]
struct CapHeader {
    version: u32,
    pid: libc::c_int,
}
#[repr(C)]
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}
const CAP_VERSION_3: u32 = 0x2008_0522;

/// Empties the effective, permitted and inheritable sets.
pub(crate) fn drop_capabilities() -> Result<()> {
    let header = CapHeader {
        version: CAP_VERSION_3,
        pid: 0,
    };
    let none = [CapData::default(); 2];
    // SAFETY: header and data have the layout of version 3.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) }).map(drop)
}

/// Are the effective, permitted and inheritable sets empty?
pub(crate) fn holds_no_capability() -> Result<bool> {
    let header = CapHeader {
        version: CAP_VERSION_3,
        pid: 0,
    };
    let mut data = [CapData {
        effective: 1,
        permitted: 1,
        inheritable: 1,
    }; 2];
    // SAFETY: header and data have the layout of version 3; data is writable.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) })?;
    Ok(data == [CapData::default(); 2])
}

/// Every id of the process and of its group; raw, because libc's wrappers
/// broadcast to threads that do not exist in a cloned child. Changes the calling
/// thread only.
pub(crate) fn set_ids(uid: u32, gid: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe {
        check(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
    }
    Ok(())
}

/// The supplementary groups of the calling process, in the kernel's order; libc's wrapper
/// reads a file first.
pub(crate) fn groups() -> Result<Vec<libc::gid_t>> {
    loop {
        // SAFETY: a size of zero stores nothing.
        let count = check(unsafe { libc::getgroups(0, std::ptr::null_mut()) }.into())?;
        let mut groups = vec![0; count as usize];
        // SAFETY: there is room for as many as are said.
        let stored = unsafe { libc::getgroups(count as libc::c_int, groups.as_mut_ptr()) };
        match check(stored.into()) {
            Ok(stored) => {
                groups.truncate(stored as usize);
                return Ok(groups);
            }
            // There were more by then.
            Err(Errno::EINVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Drops every supplementary group of the calling thread. Needs CAP_SETGID.
pub(crate) fn drop_groups() -> Result<()> {
    // SAFETY: a count of zero reads no list.
    check(unsafe { libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) })
        .map(drop)
}

/// `unshare(2)`.
pub(crate) fn unshare(flags: libc::c_int) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::unshare(flags) }.into()).map(drop)
}

/// `setns(2)`.
pub(crate) fn enter_namespace(fd: i32, kind: libc::c_int) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::setns(fd, kind) }.into()).map(drop)
}

/// `sethostname(2)`.
pub(crate) fn set_hostname(name: &[u8]) -> Result<()> {
    // SAFETY: pointer and length describe `name`.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }.into()).map(drop)
}

/// `setdomainname(2)`.
pub(crate) fn set_domainname(name: &[u8]) -> Result<()> {
    // SAFETY: pointer and length describe `name`.
    check(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }.into()).map(drop)
}

/// A new session; the process has no controlling terminal any more.
pub(crate) fn new_session() -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::setsid() }.into()).map(drop)
}

/// A new, empty, anonymous session keyring (keyctl(2)). A kernel without keys
/// has nothing to leave behind.
pub(crate) fn new_session_keyring() -> Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name asks for an anonymous keyring.
    match check(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_JOIN_SESSION_KEYRING,
            std::ptr::null::<libc::c_char>(),
        )
    }) {
        Ok(_) | Err(Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// `setrlimit(2)`.
pub(crate) fn set_limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit64 {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: `limit` is a valid rlimit64; no old value is asked for.
    check(unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            resource,
            &raw const limit,
            std::ptr::null_mut::<libc::rlimit64>(),
        )
    })
    .map(drop)
}

/// `getrlimit(2)`: soft and hard.
pub(crate) fn limit(resource: u32) -> Result<(u64, u64)> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is writable; no new value is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            resource,
            std::ptr::null::<libc::rlimit64>(),
            &raw mut limit,
        )
    })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// Sets the umask. The kernel cannot fail here, but a filter around this process can.
pub(crate) fn set_umask(mask: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_umask, mask) }).map(drop)
}

/// Every signal back to its default action, SIG_IGN included (CLONE_CLEAR_SIGHAND
/// leaves ignored signals ignored).
pub(crate) fn default_signal_actions() -> Result<()> {
    /// The kernel's own `struct sigaction`.
    #[repr(C)]
    struct KernelAction {
        handler: usize,
        flags: libc::c_ulong,
        restorer: usize,
        mask: u64,
    }
    let action = KernelAction {
        handler: libc::SIG_DFL,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    // These two have no other action, and take none.
    let fixed = [libc::SIGKILL, libc::SIGSTOP];
    for signal in (1..=64).filter(|signal| !fixed.contains(signal)) {
        // SAFETY: `action` has the kernel's layout and an 8-byte mask.
        check(unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const action,
                std::ptr::null::<KernelAction>(),
                8,
            )
        })?;
    }
    Ok(())
}

/// Blocks or unblocks every signal of the calling thread; the mask before.
pub(crate) fn set_signal_mask(mask: u64) -> Result<u64> {
    let mut old = 0u64;
    // SAFETY: both pointers are to 8-byte masks, the size given.
    check(unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            &raw mut old,
            8,
        )
    })?;
    Ok(old)
}

/// Blocks these signals as well; the mask before. Raw, because nix's wrapper takes the
/// error of pthread_sigmask(3), which is no −1, for success.
pub(crate) fn block_signals(mask: u64) -> Result<u64> {
    let mut old = 0u64;
    // SAFETY: both pointers are to 8-byte masks, the size given.
    check(unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_BLOCK,
            &raw const mask,
            &raw mut old,
            8,
        )
    })?;
    Ok(old)
}

/// Is the signal neither ignored nor handled? Parent only.
pub(crate) fn has_default_action(signal: i32) -> Result<bool> {
    // SAFETY: zeroed is a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: nothing is changed; `action` is written.
    check(unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) }.into())?;
    Ok(action.sa_sigaction == libc::SIG_DFL)
}

/// A signalfd for one signal, which must be blocked.
pub(crate) fn signal_descriptor(signal: i32) -> Result<i32> {
    let mask: u64 = 1 << (signal - 1);
    // SAFETY: the pointer is to an 8-byte mask, the size given.
    check(unsafe {
        libc::syscall(
            libc::SYS_signalfd4,
            -1,
            &raw const mask,
            8,
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        )
    })
    .map(|fd| fd as i32)
}

/// `kill(2)`.
pub(crate) fn kill(pid: libc::pid_t, signal: i32) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// `ppoll(2)` over at most a few descriptors; `None` waits for ever.
pub(crate) fn poll(fds: &mut [libc::pollfd], timeout_ns: Option<u64>) -> Result<()> {
    let timeout = timeout_ns.map(|ns| libc::timespec {
        tv_sec: (ns / 1_000_000_000) as _,
        tv_nsec: (ns % 1_000_000_000) as _,
    });
    let pointer = timeout
        .as_ref()
        .map_or(std::ptr::null(), |timeout| timeout as *const _);
    // SAFETY: pointer and length describe `fds`; the timeout outlives the call.
    let polled = unsafe {
        libc::ppoll(
            fds.as_mut_ptr(),
            fds.len() as libc::nfds_t,
            pointer,
            std::ptr::null(),
        )
    };
    match check(polled.into()) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// What [`poll`] takes: a descriptor, and what is wanted of it. Child-safe.
pub(crate) const fn polled(fd: i32, events: libc::c_short) -> libc::pollfd {
    libc::pollfd {
        fd,
        events,
        revents: 0,
    }
}

/// Is there something to read, or the end of it, now? For a pidfd: has the process
/// ended?
pub(crate) fn is_readable(fd: i32) -> Result<bool> {
    let mut fds = [polled(fd, libc::POLLIN)];
    poll(&mut fds, Some(0))?;
    let [polled] = fds;
    Ok(polled.revents != 0)
}

/// The calling thread's number (`gettid(2)`).
pub(crate) fn thread() -> libc::pid_t {
    // SAFETY: cannot fail and passes no memory.
    unsafe { libc::syscall(libc::SYS_gettid) as libc::pid_t }
}

/// Does this process have such a thread? A thread that was joined may still be on
/// its way out.
pub(crate) fn has_thread(thread: libc::pid_t) -> bool {
    // SAFETY: no memory is passed; signal 0 is never sent.
    check(unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, 0) }).is_ok()
}

/// CLOCK_MONOTONIC, nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// Processor time of this process so far, nanoseconds.
pub(crate) fn cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is writable; both clocks always exist.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// A clock in whole seconds, for time namespace offsets.
pub(crate) fn clock_seconds(clock: libc::clockid_t) -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is writable; a clock that does not exist leaves it zero.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    now.tv_sec
}

/// Brings `lo` up in the network namespace of the caller.
pub(crate) fn loopback_up() -> Result<()> {
    // SAFETY: no memory is passed.
    let socket = check(
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }.into(),
    )? as i32;
    let mut request = std::mem::MaybeUninit::<libc::ifreq>::zeroed();
    // SAFETY: zeroed is a valid ifreq; the name fits with its NUL; the flags are
    // the union's member SIOCSIFFLAGS reads.
    let result = unsafe {
        let request = request.assume_init_mut();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        check(libc::ioctl(socket, libc::SIOCSIFFLAGS as _, request as *mut libc::ifreq).into())
    };
    super::fd::close(socket);
    result.map(drop)
}

/// Ends the process at once: no destructors, no at-exit handlers.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: never returns and passes no memory.
    unsafe { libc::_exit(code) }
}

/// What a process or its children have used.
pub(crate) struct Usage {
    /// User and system time, nanoseconds.
    pub(crate) cpu_ns: u64,
    /// Largest resident set, KiB.
    pub(crate) largest_kib: u64,
}

/// `getrusage(2)` of RUSAGE_SELF or RUSAGE_CHILDREN. Child-safe.
pub(crate) fn usage(who: libc::c_int) -> Result<Usage> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills the structure it is given.
    check(unsafe { libc::getrusage(who, usage.as_mut_ptr()) }.into())?;
    // SAFETY: zeroed is a valid rusage, and the kernel filled it.
    let usage = unsafe { usage.assume_init() };
    Ok(Usage {
        cpu_ns: cpu(usage.ru_utime) + cpu(usage.ru_stime),
        largest_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    })
}

/// Nanoseconds of a time of a `rusage`.
pub(crate) fn cpu(time: libc::timeval) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000
}

/// Nanoseconds of a clock tick, the unit of times in `/proc/PID/stat`.
pub(crate) fn tick_ns() -> u64 {
    // SAFETY: takes a number, returns a number.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    1_000_000_000 / u64::try_from(ticks).unwrap_or(100).max(1)
}

/// The same addresses in every run of a program, from the next exec on: adds
/// ADDR_NO_RANDOMIZE to the personality (personality(2)). Child-safe.
pub(crate) fn fix_addresses() -> Result<()> {
    const QUERY: libc::c_ulong = 0xffff_ffff;
    // SAFETY: takes a number only.
    let now = check(unsafe { libc::personality(QUERY) }.into())?;
    // SAFETY: takes a number only.
    check(
        unsafe {
            libc::personality(now as libc::c_ulong | libc::ADDR_NO_RANDOMIZE as libc::c_ulong)
        }
        .into(),
    )
    .map(drop)
}
