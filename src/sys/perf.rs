//! Processor time of a process and of everything it starts, counted by the kernel
//! as perf_event_open(2) describes. Child-safe.

use super::{Result, check};
use std::os::fd::RawFd;

/// `struct perf_event_attr` as of PERF_ATTR_SIZE_VER0 (Linux 2.6.31).
#[repr(C)]
#[derive(Default)]
struct Attr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

const PERF_TYPE_SOFTWARE: u32 = 1;
const PERF_COUNT_SW_TASK_CLOCK: u64 = 1;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;

// Bits of `flags`.
const DISABLED: u64 = 1 << 0;
const INHERIT: u64 = 1 << 1;
/// Without it an unprivileged caller is refused (perf_event_paranoid 2); this event
/// counts a task's time in the kernel all the same.
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HV: u64 = 1 << 6;
const ENABLE_ON_EXEC: u64 = 1 << 12;

/// A counter of the processor time, user and kernel, of whatever the calling
/// process starts from now on and what that starts, each from the first exec in
/// its line on. The calling process itself is not counted.
pub(crate) fn task_clock() -> Result<RawFd> {
    open(-1)
}

fn open(group: RawFd) -> Result<RawFd> {
    let attr = Attr {
        kind: PERF_TYPE_SOFTWARE,
        size: size_of::<Attr>() as u32,
        config: PERF_COUNT_SW_TASK_CLOCK,
        flags: DISABLED | INHERIT | EXCLUDE_KERNEL | EXCLUDE_HV | ENABLE_ON_EXEC,
        ..Attr::default()
    };
    // SAFETY: `attr` is a perf_event_attr of the size it names; pid 0 is the caller,
    // processor -1 any.
    check(unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attr,
            0,
            -1,
            group,
            PERF_FLAG_FD_CLOEXEC,
        )
    })
    .map(|fd| fd as RawFd)
}

/// Nanoseconds counted so far, of processes that have ended and of those that run.
pub(crate) fn read(fd: RawFd) -> Result<u64> {
    let mut count = [0; 8];
    let bytes = super::fd::read(&fd, &mut count)?;
    match bytes == count.len() {
        true => Ok(u64::from_ne_bytes(count)),
        false => Err(super::Errno::EIO),
    }
}

/// May this process count at all (`kernel.perf_event_paranoid`, a filter around it)?
///
/// Asked with a group that is none, which the kernel looks for after it has looked whether
/// this is allowed and before it makes anything: the first event of a machine takes it several
/// milliseconds, in which it waits for every processor (account_event() in
/// kernel/events/core.c).
pub(crate) fn available() -> bool {
    matches!(open(RawFd::MAX), Err(super::Errno::EBADF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_answered_as_the_event_is() {
        assert_eq!(
            available(),
            task_clock().map(super::super::fd::close).is_ok()
        );
    }
}
