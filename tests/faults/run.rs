//! One run of a scenario, with one fault or none; everything that can be seen of it from outside.
//! It must not judge, and must not wait longer than `PATIENCE`.

use super::filter::{self, Held};
use super::listener::{self, Fault, Seen};
use super::scenario::{Place, Scenario};
use crate::support;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A healthy run takes some ten milliseconds. What has not ended by then hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a run left to be seen.
#[derive(Debug)]
pub struct Outcome {
    /// As a shell sees it: 128 and the signal's number.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// The text of the record, if there is a file.
    pub report: Option<String>,
    /// The program left its mark.
    pub marked: bool,
    pub seen: Seen,
}

/// Runs it once, as slowly as it is where every call is held: what is done only while the
/// program runs, such as looking at it, is done then.
pub fn run(scenario: &Scenario, place: &Place, fault: Option<Fault>) -> Outcome {
    run_held(scenario, place, Held::All, fault)
}

/// The same, about as fast as without a listener.
pub fn run_fast(scenario: &Scenario, place: &Place, fault: Fault) -> Outcome {
    let held = Held::Only(fault.call.number.into());
    run_held(scenario, place, held, Some(fault))
}

fn run_held(scenario: &Scenario, place: &Place, held: Held, fault: Option<Fault>) -> Outcome {
    let program = filter::program(held);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _ = fs::remove_file(place.report());
    let _ = fs::remove_file(place.work().join("mark"));
    let open = |path| File::create(path).unwrap();
    let mut command = Command::new(support::binary());
    command
        .args(place.words(scenario))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .current_dir(place.work())
        .stdin(Stdio::null())
        .stdout(open(place.stdout()))
        .stderr(open(place.stderr()));
    let out = theirs.as_raw_fd();
    let at_exec = scenario.at_exec;
    let becomes = (support::root() && !scenario.by_root).then_some(support::ORDINARY);
    // SAFETY: after the fork only system calls are made; nothing allocates.
    unsafe {
        command.pre_exec(move || {
            // What a caller may ignore must not be ignored inside.
            libc::signal(libc::SIGCHLD, libc::SIG_IGN);
            libc::signal(libc::SIGUSR2, libc::SIG_IGN);
            filter::install(&program, out)?;
            if let Some(id) = becomes {
                filter::check(libc::syscall(libc::SYS_setgroups, 0, 0))?;
                filter::check(libc::syscall(libc::SYS_setresgid, id, id, id))?;
                filter::check(libc::syscall(libc::SYS_setresuid, id, id, id))?;
            }
            Ok(())
        })
    };
    let (seen, status) = std::thread::scope(|scope| {
        let answering = scope.spawn(move || {
            let listener = filter::receive(&OwnedFd::from(ours)).unwrap();
            listener::answer(&listener, fault, at_exec, PATIENCE)
        });
        let mut child = command.spawn().unwrap();
        drop(theirs);
        (scenario.act)(&mut child, place);
        let status = child.wait().unwrap();
        (answering.join().unwrap(), status)
    });
    let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let by_signal = || 128 + status.signal().unwrap_or_default();
    Outcome {
        code: status.code().unwrap_or_else(by_signal),
        stdout: text(place.stdout()),
        stderr: text(place.stderr()),
        report: fs::read_to_string(place.report()).ok(),
        marked: place.work().join("mark").exists(),
        seen,
    }
}
