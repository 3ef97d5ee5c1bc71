//! pid 1: keeps three descriptors and nothing else, reaps, forwards signals,
//! watches the clock and the parent. Its own end is the end of every process of
//! the sandbox (pid_namespaces(7)).

use super::GAVE_UP;
use crate::launch::image::Image;
use crate::sys::{Errno, clone, fd, process, socket};
use crate::wire::{FRAME_BYTES, Frame};
use std::os::fd::RawFd;

/// Runs until the program ends, the parent goes away or the time is over.
pub(super) fn run(image: &Image, program: libc::pid_t, ended: RawFd) -> ! {
    let code = match watch(image, program, ended) {
        Ok(()) => 0,
        Err(_) => GAVE_UP,
    };
    process::exit(code)
}

fn watch(image: &Image, program: libc::pid_t, ended: RawFd) -> Result<(), Errno> {
    let control = image.control;
    // From here on the parent is watched, whose thread that cloned may end before it.
    // Before the descriptors are closed: that is what ends `launch`, and so may end
    // that thread.
    process::prctl(libc::PR_SET_PDEATHSIG, 0, 0, 0, 0)?;
    keep_only([control, ended, image.parent])?;
    let mut deadline = None;
    let mut peak_kib = 0u32;
    loop {
        if let Some(status) = reap(program, &mut peak_kib)? {
            fd::write_all(control, &Frame::Peak { kib: peak_kib }.encode())?;
            return fd::write_all(control, &Frame::Exited { status }.encode());
        }
        let left = deadline.map(|at: u64| at.saturating_sub(process::monotonic_ns()));
        if left == Some(0) {
            return fd::write_all(control, &Frame::OutOfTime.encode());
        }
        let mut fds = [wanted(control), wanted(ended), wanted(image.parent)];
        process::poll(&mut fds, left)?;
        let [control_event, ended_event, parent_event] = fds;
        if ended_event.revents != 0 {
            // The content is not needed; an unread signalfd would stay readable.
            let mut info = [0u8; 128];
            let _ = fd::read(&ended, &mut info);
        }
        if parent_event.revents != 0 {
            // Dead, whoever else may hold its end of the socket.
            return Ok(());
        }
        if control_event.revents != 0 && !obey(control, program, image, &mut deadline)? {
            // The parent is gone: so is everything here.
            return Ok(());
        }
    }
}

fn wanted(fd: RawFd) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    }
}

/// Closes every descriptor but three.
fn keep_only(mut kept: [RawFd; 3]) -> Result<(), Errno> {
    kept.sort_unstable();
    let mut first = 0;
    for fd in kept {
        let fd = fd as u32;
        if first < fd {
            fd::close_range(first, fd - 1)?;
        }
        first = fd + 1;
    }
    fd::close_range(first, u32::MAX)
}

/// Reaps whatever ended; the program's status if it was among it.
fn reap(program: libc::pid_t, peak_kib: &mut u32) -> Result<Option<i32>, Errno> {
    let mut status = None;
    loop {
        match clone::wait(-1, false) {
            Ok(Some(ended)) => {
                let kib = u32::try_from(ended.usage.ru_maxrss).unwrap_or(u32::MAX);
                *peak_kib = kib.max(*peak_kib);
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
fn obey(
    control: RawFd,
    program: libc::pid_t,
    image: &Image,
    deadline: &mut Option<u64>,
) -> Result<bool, Errno> {
    let mut buffer = [0; FRAME_BYTES];
    let bytes = match socket::receive(control, &mut buffer, false) {
        Ok(0) => return Ok(false),
        Ok(bytes) => bytes,
        Err(Errno::EAGAIN) => return Ok(true),
        Err(errno) => return Err(errno),
    };
    match buffer.get(..bytes).and_then(Frame::decode) {
        Some(Frame::Started) => {
            *deadline = image
                .wall_time_ns
                .map(|limit| process::monotonic_ns().saturating_add(limit));
        }
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
