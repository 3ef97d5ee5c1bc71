//! What was true before `main`: which standard descriptors the caller had closed, and
//! whether the binary brought rights that the caller has not.
//!
//! Rust's runtime opens `/dev/null` over closed descriptors 0 to 2 before `main`,
//! so a program that wants to say "standard output is closed" must look earlier.

use std::sync::atomic::{AtomicU8, Ordering};

/// Bit N: descriptor N was closed when the process started.
static CLOSED: AtomicU8 = AtomicU8::new(0);

extern "C" fn look() {
    for fd in 0..3 {
        if !super::fd::is_open(fd) {
            CLOSED.fetch_or(1 << fd, Ordering::Relaxed);
        }
    }
}

// SAFETY: the section holds pointers to functions without arguments, which libc
// calls once before main; `look` needs nothing that is not there by then.
#[unsafe(link_section = ".init_array")]
#[used]
static LOOK: extern "C" fn() = look;

/// The lowest of descriptors 0, 1, 2 that was closed when the process started.
pub fn stdio_closed_at_start() -> Option<i32> {
    let closed = CLOSED.load(Ordering::Relaxed);
    (0..3).find(|fd| closed & (1 << fd) != 0)
}

/// A file that may grow no further answers EFBIG from here on, which can be said,
/// instead of ending this process by SIGXFSZ. For the binary only: it changes the
/// whole process (the program inside starts with every default action).
pub fn take_file_size_limit_as_error() {
    // SAFETY: SIG_IGN runs no handler; called before any thread is started.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Did the binary give this process more than its caller has, by a set-user-id or
/// set-group-id bit or by file capabilities?
///
/// A security module may ask for a secure start without giving anything, and a
/// caller may hand on capabilities (ambient ones) of his own: neither counts.
pub fn raised_by_its_file() -> bool {
    let (uids, gids) = (nix::unistd::getresuid(), nix::unistd::getresgid());
    let (Ok(uids), Ok(gids)) = (uids, gids) else {
        return true;
    };
    // SAFETY: reads the auxiliary vector, which does not change.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    let capable = || super::process::holds_no_capability() != Ok(true);
    uids.real != uids.effective
        || gids.real != gids.effective
        || (secure && !uids.effective.is_root() && capable())
}
