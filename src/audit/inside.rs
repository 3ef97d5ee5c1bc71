//! The audit's program inside: reads a question, tries it, writes the answer.
//!
//! It knows nothing of what should come of it, and keeps no state: a question
//! that kills it is answered by its death.

use super::question::{Answer, Ask};
use crate::sys::{Errno, ask, fd, process};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::path::Path;
use std::time::Duration;

/// Answers every line of standard input on standard output, until its end.
///
/// For the program that [`super::audit`] starts inside, and nobody else.
///
/// # Errors
/// Standard input or output fail, or a line is no question.
pub fn answer_questions() -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let question: Ask = serde_json::from_str(&line?)?;
        let mut answer = serde_json::to_string(&answer(&question))?;
        answer.push('\n');
        output.write_all(answer.as_bytes())?;
        // Now, for the next question may be the last.
        output.flush()?;
    }
    Ok(())
}

/// Long enough for a loopback address, which answers at once or never.
const PATIENCE: Duration = Duration::from_millis(500);

/// More than a process has open by accident.
const MOST_DESCRIPTORS: i32 = 4096;

fn answer(question: &Ask) -> Answer {
    match question {
        Ask::Nothing => Answer::NotHere,
        Ask::Call(number, args) => done(ask::call(*number, *args)),
        Ask::ForeignCall => match ask::foreign_call() {
            None => Answer::NotHere,
            Some(value) if value < 0 => Answer::Errno(-value as i32),
            Some(_) => Answer::Done,
        },
        Ask::Look(path) => match fs::symlink_metadata(path) {
            Ok(facts) => Answer::Object(facts.dev(), facts.ino(), facts.mode()),
            Err(error) => failed(&error),
        },
        Ask::Read(path) => opened(OpenOptions::new().read(true), path),
        Ask::Write(path) => write(path),
        Ask::MayWrite(path) => done(ask::may_write(Path::new(path))),
        Ask::MountFlags(path) => match ask::mount_flags(Path::new(path)) {
            Ok(flags) => Answer::Numbers(vec![flags]),
            Err(errno) => Answer::Errno(errno as i32),
        },
        Ask::MountPoints => match crate::host::mount_points() {
            points if points.is_empty() => Answer::NotHere,
            points => Answer::Texts(points.iter().map(|at| at.display().to_string()).collect()),
        },
        Ask::Tcp(port) => told(TcpStream::connect_timeout(
            &SocketAddr::from((Ipv4Addr::LOCALHOST, *port)),
            PATIENCE,
        )),
        Ask::Abstract(name) => {
            told(UnixAddr::from_abstract_name(name).and_then(|to| UnixStream::connect_addr(&to)))
        }
        Ask::Segment(id) => {
            let readable = libc::SHM_RDONLY as u64;
            done(ask::call(
                libc::SYS_shmat as u32,
                [*id as u64, 0, readable, 0, 0, 0],
            ))
        }
        Ask::Signal(pid) => done(process::kill(*pid, 0)),
        Ask::Processes => processes(),
        Ask::Descriptors => Answer::Texts(
            (0..MOST_DESCRIPTORS)
                .filter(|number| fd::is_open(*number))
                .map(|number| number.to_string())
                .collect(),
        ),
        Ask::Environment => {
            let mut names: Vec<String> = std::env::vars_os()
                .map(|(name, _)| name.display().to_string())
                .collect();
            names.sort();
            Answer::Texts(names)
        }
        Ask::Limit(resource) => match process::limit(*resource) {
            Ok((soft, hard)) => Answer::Numbers(vec![soft, hard]),
            Err(errno) => Answer::Errno(errno as i32),
        },
        Ask::Ids => ids().unwrap_or(Answer::NotHere),
        Ask::Capabilities => capabilities().unwrap_or(Answer::NotHere),
        Ask::Attributes => attributes().unwrap_or(Answer::NotHere),
    }
}

fn done<T>(result: crate::sys::Result<T>) -> Answer {
    match result {
        Ok(_) => Answer::Done,
        Err(errno) => Answer::Errno(errno as i32),
    }
}

fn told<T>(result: io::Result<T>) -> Answer {
    match result {
        Ok(_) => Answer::Done,
        Err(error) => failed(&error),
    }
}

/// An error of the standard library's own making has no errno; none of the calls
/// here makes one where the kernel did not refuse.
fn failed(error: &io::Error) -> Answer {
    match error.raw_os_error() {
        Some(errno) => Answer::Errno(errno),
        None if error.kind() == io::ErrorKind::TimedOut => Answer::Errno(libc::ETIMEDOUT),
        None => Answer::NotHere,
    }
}

/// Never blocks: not on a FIFO, not on a device.
fn opened(options: &mut OpenOptions, path: &OsStr) -> Answer {
    told(
        options
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path),
    )
}

/// Changes nothing: an existing file is opened and closed again; the file in a
/// directory has no name and is gone when it is closed.
fn write(path: &OsStr) -> Answer {
    let mut options = OpenOptions::new();
    options.write(true);
    match Path::new(path).is_dir() {
        true => told(options.custom_flags(libc::O_TMPFILE).mode(0o600).open(path)),
        false => opened(&mut options, path),
    }
}

fn processes() -> Answer {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Answer::NotHere;
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().display().to_string());
    Answer::Texts(names.filter(|name| name.parse::<u32>().is_ok()).collect())
}

fn ids() -> Option<Answer> {
    let uids = nix::unistd::getresuid().ok()?;
    let gids = nix::unistd::getresgid().ok()?;
    let uids = [uids.real, uids.effective, uids.saved].map(|id| format!("uid {id}"));
    let gids = [gids.real, gids.effective, gids.saved].map(|id| format!("gid {id}"));
    let mut texts: Vec<String> = uids.into_iter().chain(gids).collect();
    texts.dedup();
    Some(Answer::Texts(texts))
}

/// More than any kernel knows; Linux 6.18 knows 41.
const MOST_CAPABILITIES: libc::c_ulong = 64;

fn capabilities() -> Option<Answer> {
    let mut held = Vec::new();
    if !process::holds_no_capability().ok()? {
        held.push(String::from("effective, permitted or inheritable"));
    }
    let ambient = libc::PR_CAP_AMBIENT_IS_SET as libc::c_ulong;
    for number in 0..MOST_CAPABILITIES {
        match process::prctl(libc::PR_CAPBSET_READ, number, 0, 0, 0) {
            Ok(0) => {}
            Ok(_) => held.push(format!("bounding {number}")),
            // Past the last one of this kernel.
            Err(Errno::EINVAL) if number > 0 => break,
            Err(_) => return None,
        }
        if process::prctl(libc::PR_CAP_AMBIENT, ambient, number, 0, 0).ok()? != 0 {
            held.push(format!("ambient {number}"));
        }
    }
    Some(Answer::Texts(held))
}

fn attributes() -> Option<Answer> {
    let ask = |option| process::prctl(option, 0, 0, 0, 0).ok();
    Some(Answer::Texts(vec![
        format!("securebits {:#x}", ask(libc::PR_GET_SECUREBITS)?),
        format!("no_new_privs {}", ask(libc::PR_GET_NO_NEW_PRIVS)?),
        format!("seccomp {}", ask(libc::PR_GET_SECCOMP)?),
    ]))
}
