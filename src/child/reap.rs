//! pid 1: keeps a few descriptors and nothing else, reaps, forwards signals,
//! watches the clock, the parent and what is used. Its own end is the end of every process of
//! the sandbox (pid_namespaces(7)).

use super::GAVE_UP;
use super::gauge::Gauge;
use crate::launch::image::Image;
use crate::sys::{Errno, clone, fd, process, seccomp, socket};
use crate::wire::{FRAME_BYTES, Frame, Over};
use std::os::fd::RawFd;
use std::sync::atomic::Ordering::Relaxed;

/// Runs until the program ends, the parent goes away or the time is over.
pub(super) fn run(image: &Image<'_>, program: libc::pid_t, ended: RawFd) -> ! {
    let code = match watch(image, program, ended) {
        Ok(()) => 0,
        Err(errno) => {
            // All that can be done about a message that cannot be sent is done next.
            let lost = Frame::Lost {
                errno: errno as i32,
            };
            let _ = fd::write_all(image.control, &lost.encode());
            GAVE_UP
        }
    };
    process::exit(code)
}

fn watch(image: &Image<'_>, program: libc::pid_t, ended: RawFd) -> Result<(), Errno> {
    let control = image.control;
    // The program was executed: that is what this process waited for.
    let began = image.found.began.load(Relaxed);
    // From here on the parent is watched, whose thread that cloned may end before it.
    // Before the last copy of the status socket is closed: that is what ends `launch`, and
    // so may end that thread.
    process::prctl(libc::PR_SET_PDEATHSIG, 0, 0, 0, 0)?;
    fd::close(image.status);
    let mut gauge = Gauge::new(image)?;
    let [cpu_stat, procfs, perf] = gauge.descriptors();
    let listener = image.found.listener.load(Relaxed);
    let kept = [
        control,
        ended,
        image.parent,
        cpu_stat,
        procfs,
        perf,
        listener,
    ];
    let tmpfs = image.counted_tmpfs().map(|of| of.place.load(Relaxed));
    keep_only(kept.into_iter().chain(tmpfs))?;
    let deadline = image.wall_time_ns.map(|limit| began.saturating_add(limit));
    loop {
        if let Some(status) = reap(program, &mut gauge)? {
            gauge.finish(true)?;
            return account(control, &gauge, began, Frame::Exited { status });
        }
        let now = process::monotonic_ns();
        let passed = |at: Option<u64>| at.is_some_and(|at| at <= now);
        let mut over = passed(deadline).then_some(Over::Wall);
        if passed(gauge.next) {
            // What was used comes before how long it took.
            over = gauge.look()?.or(over);
        }
        if let Some(limit) = over {
            if limit != Over::Memory {
                // Other limits may have been reached since the last look.
                gauge.finish(false)?;
            }
            // Nobody uses more while this is written down.
            pass_on(-1, libc::SIGKILL)?;
            return account(control, &gauge, began, Frame::Over { limit });
        }
        let next = [deadline, gauge.next].into_iter().flatten().min();
        let left = next.map(|at| at.saturating_sub(process::monotonic_ns()));
        let mut fds =
            [control, ended, image.parent, listener].map(|fd| process::polled(fd, libc::POLLIN));
        process::poll(&mut fds, left)?;
        let [control_event, ended_event, parent_event, call_event] = fds;
        if call_event.revents & libc::POLLIN != 0
            && let Some(number) = told(listener)?
        {
            // First: what waits for an answer must not get one when this process ends.
            pass_on(-1, libc::SIGKILL)?;
            gauge.finish(false)?;
            return account(control, &gauge, began, Frame::Violation { number });
        }
        if ended_event.revents != 0 {
            // The content is not needed; an unread signalfd would stay readable.
            let mut info = [0u8; 128];
            let _ = fd::read(&ended, &mut info);
        }
        if parent_event.revents != 0 {
            // Dead, whoever else may hold its end of the socket.
            return Ok(());
        }
        if control_event.revents != 0 && !obey(control, program)? {
            // The parent is gone: so is everything here.
            return Ok(());
        }
    }
}

/// What was counted here, when it ended and how: in one message, for one waking.
fn account(control: RawFd, gauge: &Gauge<'_>, began: u64, end: Frame) -> Result<(), Errno> {
    let ns = process::monotonic_ns().saturating_sub(began);
    // Whoever was ended at last was not waited for, and so is not in it.
    let kib = match end {
        Frame::Exited { .. } => u32::try_from(gauge.largest_kib).unwrap_or(u32::MAX),
        _ => 0,
    };
    let frames = [
        Frame::Began { ns: began },
        Frame::Ended { ns },
        Frame::Cpu { ns: gauge.cpu_ns },
        Frame::Memory {
            bytes: gauge.memory,
        },
        Frame::Processes {
            peak: gauge.processes,
        },
        Frame::Peak { kib },
        end,
    ];
    let mut message = [[0; FRAME_BYTES]; 7];
    for (place, frame) in message.iter_mut().zip(frames) {
        *place = frame.encode();
    }
    fd::write_all(control, message.as_flattened())
}

/// The call that the policy kills for; `None` when its caller was ended meanwhile.
fn told(listener: RawFd) -> Result<Option<u32>, Errno> {
    match seccomp::told(listener) {
        Err(Errno::ENOENT | Errno::EINTR) => Ok(None),
        other => other.map(Some),
    }
}

/// Closes every descriptor but these; -1 is none.
fn keep_only(kept: impl Iterator<Item = RawFd> + Clone) -> Result<(), Errno> {
    let mut first = 0;
    // Negative is none.
    let kept = kept.filter_map(|fd| u32::try_from(fd).ok());
    while let Some(fd) = kept.clone().filter(|fd| *fd >= first).min() {
        if first < fd {
            fd::close_range(first, fd - 1)?;
        }
        first = fd + 1;
    }
    fd::close_range(first, u32::MAX)
}

/// Reaps whatever ended; the program's status if it was among it.
fn reap(program: libc::pid_t, gauge: &mut Gauge<'_>) -> Result<Option<i32>, Errno> {
    let mut status = None;
    loop {
        match clone::wait(-1, false) {
            Ok(Some(ended)) => {
                gauge.ended(u64::try_from(ended.usage.ru_maxrss).unwrap_or(0));
                if ended.pid == program {
                    status = Some(ended.status);
                }
            }
            Ok(None) | Err(Errno::ECHILD) => return Ok(status),
            Err(errno) => return Err(errno),
        }
    }
}

/// Does what the parent says; `false` when there is no parent any more.
fn obey(control: RawFd, program: libc::pid_t) -> Result<bool, Errno> {
    let mut buffer = [0; FRAME_BYTES];
    let bytes = match socket::receive(control, &mut buffer, false) {
        Ok(0) => return Ok(false),
        Ok(bytes) => bytes,
        Err(Errno::EAGAIN) => return Ok(true),
        Err(errno) => return Err(errno),
    };
    match buffer.get(..bytes).and_then(Frame::decode) {
        // Stopped is everything or nothing: a process that left the program's group
        // would go on reading the caller's terminal, and get what is typed to the
        // shell meanwhile. -1 is every process here but this one (kill(2)).
        Some(Frame::Signal { number }) if matches!(number, libc::SIGSTOP | libc::SIGCONT) => {
            pass_on(-1, number)?;
        }
        Some(Frame::Signal { number }) => {
            // The whole group, as a terminal would.
            pass_on(-program, number)?;
        }
        _ => return Err(Errno::EPROTO),
    }
    Ok(true)
}

/// Processes that are gone are no error. Any other is: somebody wants the program to
/// end, and must not be left to believe that it was told.
fn pass_on(to: libc::pid_t, number: i32) -> Result<(), Errno> {
    match process::kill(to, number) {
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    }
}
