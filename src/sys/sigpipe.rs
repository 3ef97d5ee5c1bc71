//! SIGPIPE kept away while bytes are passed on: whose process this is, and what it
//! does about the signal, is not ours to know. Parent only.

use super::{Result, check, process};

const BIT: u64 = 1 << (libc::SIGPIPE - 1);

/// The calling thread does not hear of broken pipes, until this is dropped in it.
pub(crate) struct Quiet {
    /// The thread's mask before.
    before: u64,
    /// One was on its way already, and is not ours to take.
    pending: bool,
}

impl Quiet {
    /// Blocks the signal. A pipe that breaks raises it for the very thread that wrote.
    pub(crate) fn begin() -> Result<Quiet> {
        let before = process::block_signals(BIT)?;
        let mut pending = 0u64;
        // SAFETY: the pointer is to an 8-byte mask, the size given.
        let asked = check(unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut pending, 8) });
        if let Err(errno) = asked {
            let _ = process::set_signal_mask(before);
            return Err(errno);
        }
        Ok(Quiet {
            before,
            pending: pending & BIT != 0,
        })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if !self.pending {
            let mask = BIT;
            let now = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            // SAFETY: an 8-byte mask and a timeout to read; no information is asked for.
            let _ = check(unsafe {
                libc::syscall(
                    libc::SYS_rt_sigtimedwait,
                    &raw const mask,
                    std::ptr::null_mut::<libc::siginfo_t>(),
                    &raw const now,
                    8,
                )
            });
        }
        let _ = process::set_signal_mask(self.before);
    }
}
