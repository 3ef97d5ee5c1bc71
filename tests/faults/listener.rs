//! Answers the held calls of one run: each goes on, but for the one that is to fail.
//! It must not run in a filtered thread, and ends when no process of the run is left.

use super::filter::check;
use super::roles::{Role, Roles};
use std::collections::HashMap;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// A kind of call by one of the processes: what a fault is aimed at. `word` is the
/// argument that makes it another call (the option of prctl, the command of fcntl).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    pub role: Role,
    pub number: i32,
    pub word: u32,
}

/// The `nth` (from 1) such call fails with `errno`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    pub call: Call,
    pub nth: u32,
    pub errno: i32,
}

/// What was seen of a run.
#[derive(Debug, Default)]
pub struct Seen {
    /// Every call since the front end's `main`, and whether the program was being
    /// executed by then.
    pub calls: Vec<(Call, bool)>,
    /// The fault was made; had the program been executed by then?
    pub made: Option<bool>,
    /// No process of the run is left.
    pub gone: bool,
}

/// `struct seccomp_notif` and `struct seccomp_notif_resp` (seccomp_unotify(2)).
#[repr(C)]
#[derive(Default)]
struct Notice {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    ip: u64,
    args: [u64; 6],
}
#[repr(C)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}
const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const CONTINUE: u32 = 1;

/// Answers until nobody is left, or until `patience` has passed. The call by which the program
/// is executed goes on once `at_exec` has been told the front end's pid, or never.
pub fn answer(
    listener: &OwnedFd,
    fault: Option<Fault>,
    at_exec: fn(u32) -> bool,
    patience: Duration,
) -> Seen {
    let start = Instant::now();
    let mut front = None;
    let mut roles = Roles::default();
    let mut seen = Seen::default();
    let mut counts: HashMap<Call, u32> = HashMap::new();
    while start.elapsed() < patience {
        let mut fds = [libc::pollfd {
            fd: listener.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        }];
        // SAFETY: one valid pollfd.
        unsafe { libc::poll(fds.as_mut_ptr(), 1, 100) };
        if fds[0].revents & libc::POLLIN == 0 {
            if fds[0].revents & libc::POLLHUP != 0 {
                seen.gone = true;
                return seen;
            }
            continue;
        }
        let mut notice = Notice::default();
        // SAFETY: the kernel fills a zeroed notice.
        let got = check(unsafe {
            libc::ioctl(listener.as_raw_fd(), RECEIVE as _, &raw mut notice).into()
        });
        if got.is_err() {
            // The caller was killed meanwhile (ENOENT).
            continue;
        }
        let mut error = 0;
        if let Some(role) = roles.of(notice.pid, notice.number, &notice.args) {
            front = front.or_else(|| pidfd(roles.front()?));
            let call = Call {
                role,
                number: notice.number,
                word: word(notice.number, &notice.args),
            };
            let count = counts.entry(call).or_default();
            *count += 1;
            if let Some(fault) = fault
                && (fault.call, fault.nth) == (call, *count)
            {
                error = fault.errno;
                seen.made = Some(roles.executed());
            }
            seen.calls.push((call, roles.executed()));
            let executes = libc::c_long::from(call.number) == libc::SYS_execve;
            if role == Role::Payload && executes && !roles.front().is_some_and(at_exec) {
                continue;
            }
            if error == 0 {
                roles.goes_on(role, notice.number);
            }
        }
        let answer = Answer {
            id: notice.id,
            value: 0,
            error: -error,
            flags: if error == 0 { CONTINUE } else { 0 },
        };
        // A caller that was killed meanwhile wants no answer (ENOENT).
        // SAFETY: the kernel reads one answer.
        unsafe { libc::ioctl(listener.as_raw_fd(), SEND as _, &raw const answer) };
    }
    if let Some(front) = front {
        // It hangs: what follows must not.
        let signal = libc::SYS_pidfd_send_signal;
        // SAFETY: no memory is passed.
        unsafe { libc::syscall(signal, front.as_raw_fd(), libc::SIGKILL, 0, 0) };
    }
    seen
}

/// Of a process that cannot go away: it waits for the answer.
fn pidfd(pid: u32) -> Option<OwnedFd> {
    // SAFETY: no memory is passed.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }).ok()?;
    // SAFETY: a new descriptor, owned by nobody else.
    Some(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The argument that makes another call of it.
fn word(number: i32, args: &[u64; 6]) -> u32 {
    let [first, second, ..] = *args;
    match libc::c_long::from(number) {
        libc::SYS_prctl | libc::SYS_keyctl | libc::SYS_rt_sigaction | libc::SYS_seccomp => {
            first as u32
        }
        libc::SYS_fcntl | libc::SYS_ioctl | libc::SYS_prlimit64 | libc::SYS_fsconfig => {
            second as u32
        }
        _ => 0,
    }
}
