//! The library's front door, in the manners of `std::process::Command`.
//!
//! It joins the phases and holds no logic of isolation.

use crate::Error;
use crate::cgroup::{Controllers, Home};
use crate::copies::Wanted;
use crate::host::{self, Host};
use crate::launch::{self, Request};
use crate::plan::{Invocation, Plan, Refusal};
use crate::policy::Policy;
use crate::supervise::{Child, Ends};
use crate::sys::{self, tty};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A policy, ready to run programs under.
#[derive(Debug, Clone)]
pub struct Sandbox {
    policy: Arc<Policy>,
    home: Option<Arc<Home>>,
}

impl Sandbox {
    /// Checks that the policy is one that could be put in force somewhere.
    pub fn new(policy: Policy) -> Result<Sandbox, Error> {
        policy.validate()?;
        Ok(Sandbox {
            policy: Arc::new(policy),
            home: None,
        })
    }

    /// Runs get control groups of their own, made in this home: the kernel keeps the
    /// limits of memory and processes there, and counts processor time. Without one,
    /// the next best does ([`crate::policy::Enforcement`]).
    pub fn cgroups(mut self, home: Home) -> Sandbox {
        self.home = Some(Arc::new(home));
        self
    }

    /// A program to run: a path (with a `/`), or a name to be found in the PATH
    /// that the policy gives it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        Command {
            policy: Arc::clone(&self.policy),
            home: self.home.clone(),
            invocation: Invocation {
                program: program.as_ref().to_owned(),
                args: Vec::new(),
                tty: false,
            },
            stdio: [Stdio::Inherit, Stdio::Inherit, Stdio::Inherit],
            keep: Vec::new(),
            noise: false,
            wanted: Wanted::default(),
        }
    }
}

/// What a standard stream of the program is.
#[derive(Debug)]
pub enum Stdio {
    /// The caller's own.
    Inherit,
    /// `/dev/null`.
    Null,
    /// A pipe, whose other end is in [`Child`].
    Piped,
    /// This descriptor.
    Fd(OwnedFd),
}

impl From<File> for Stdio {
    fn from(file: File) -> Stdio {
        Stdio::Fd(file.into())
    }
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Stdio {
        Stdio::Fd(fd)
    }
}

/// A program, its arguments and streams, and the sandbox it will run in.
#[derive(Debug)]
pub struct Command {
    policy: Arc<Policy>,
    home: Option<Arc<Home>>,
    invocation: Invocation,
    stdio: [Stdio; 3],
    keep: Vec<RawFd>,
    noise: bool,
    pub(crate) wanted: Wanted,
}

impl Command {
    /// Adds an argument.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Command {
        self.invocation.args.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Command {
        let arguments = arguments.into_iter();
        self.invocation
            .args
            .extend(arguments.map(|argument| OsString::from(argument.as_ref())));
        self
    }

    /// The program's standard input.
    pub fn stdin(&mut self, stdio: impl Into<Stdio>) -> &mut Command {
        self.stdio[0] = stdio.into();
        self
    }

    /// The program's standard output.
    pub fn stdout(&mut self, stdio: impl Into<Stdio>) -> &mut Command {
        self.stdio[1] = stdio.into();
        self
    }

    /// The program's standard error.
    pub fn stderr(&mut self, stdio: impl Into<Stdio>) -> &mut Command {
        self.stdio[2] = stdio.into();
        self
    }

    /// Lets an open descriptor (3 or higher) through under its own number.
    pub fn fd(&mut self, fd: RawFd) -> &mut Command {
        self.keep.push(fd);
        self
    }

    /// Gives the program a pty of its own instead of the standard streams, joined
    /// to the caller's standard input and output while [`Child::wait`] runs.
    pub fn tty(&mut self, tty: bool) -> &mut Command {
        self.invocation.tty = tty;
        self
    }

    /// Measures what disturbs the run ([`crate::report::Noise`]). Reads some files of
    /// the host before and after.
    pub fn noise(&mut self, noise: bool) -> &mut Command {
        self.noise = noise;
        self
    }

    /// What would be done, without doing it.
    pub fn plan(&self) -> Result<Plan, Error> {
        let mut host = Host::probe(&self.policy, &self.invocation.program);
        host.cgroup = self.home.as_deref().map(facts);
        let plan = Plan::resolve(&self.policy, &host, &self.invocation)?;
        Ok(self.wanted.planned(plan)?)
    }

    /// Starts the program, every layer of the policy in force. On an error it was
    /// not executed and nothing is left behind.
    ///
    /// Makes no change to the calling process: no signal handler, no child that
    /// `wait(-1)` could see, no descriptor that survives an exec.
    pub fn spawn(&mut self) -> Result<Child, Error> {
        let plan = self.plan()?;
        self.check_kept()?;
        let opened = self.wanted.opened(&plan)?;
        let departures = self.wanted.departures()?;
        let (stdio, ends) = self.open_streams(&plan)?;
        let terminal = self.invocation.tty.then(|| {
            tty::size(0)
                .or_else(|| tty::size(1))
                .unwrap_or(DEFAULT_SIZE)
        });
        let launched = launch::launch(&Request {
            plan: &plan,
            stdio: [
                stdio[0].as_raw_fd(),
                stdio[1].as_raw_fd(),
                stdio[2].as_raw_fd(),
            ],
            keep: self.keep.clone(),
            terminal,
            home: self.home.as_deref(),
            arrivals: &self.wanted.arrivals(&opened),
        })?;
        // Our copies of the program's ends: kept, they would hide its end.
        drop(stdio);
        let mut child = Child::new(launched, plan, ends, departures)?;
        if self.noise {
            child.measure_noise();
        }
        Ok(child)
    }

    fn check_kept(&self) -> Result<(), Error> {
        for fd in &self.keep {
            if *fd < 3 {
                return Err(refuse(format!(
                    "descriptor {fd} is a standard stream and always passed"
                )));
            }
            if !sys::fd::is_open(*fd) {
                return Err(refuse(format!("descriptor {fd} is not open")));
            }
            refuse_place(*fd, &format!("descriptor {fd}"))?;
        }
        Ok(())
    }

    /// The program's three descriptors, and the parent's ends of them.
    fn open_streams(&self, plan: &Plan) -> Result<([OwnedFd; 3], Ends), Error> {
        let mut ends = Ends::default();
        if self.invocation.tty {
            ends.terminal = Some((inherit(0)?, inherit(1)?));
            return Ok(([null()?, null()?, null()?], ends));
        }
        let [stdin, stdout, stderr] = &self.stdio;
        let input = match stdin {
            Stdio::Piped => {
                let (read, write) = pipe()?;
                ends.stdin = Some(write);
                read
            }
            other => open(other, 0)?,
        };
        let mut output = |stdio: &Stdio, number, end: fn(&mut Ends) -> &mut Option<OwnedFd>| {
            let target = match stdio {
                Stdio::Piped => {
                    let (read, write) = pipe()?;
                    *end(&mut ends) = Some(read);
                    write
                }
                other => open(other, number)?,
            };
            if plan.limits.output.is_none() {
                return Ok::<OwnedFd, Error>(target);
            }
            let (read, write) = pipe()?;
            ends.counted.push((read, target));
            Ok(write)
        };
        let stdout = output(stdout, 1, |ends| &mut ends.stdout)?;
        let stderr = output(stderr, 2, |ends| &mut ends.stderr)?;
        Ok(([input, stdout, stderr], ends))
    }
}

/// What groups made there are good for.
fn facts(home: &Home) -> host::Cgroup {
    let has = |one| home.controllers().contains(one);
    host::Cgroup {
        memory: has(Controllers::MEMORY),
        pids: has(Controllers::PIDS),
        cpu: has(Controllers::CPU),
        io: has(Controllers::IO),
        cpuset: has(Controllers::CPUSET),
    }
}

/// Where neither standard input nor output is a terminal (terminfo's own default).
const DEFAULT_SIZE: libc::winsize = libc::winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// What messages call descriptors 0 to 2.
const STREAMS: [&str; 3] = ["standard input", "standard output", "standard error"];

fn open(stdio: &Stdio, number: RawFd) -> Result<OwnedFd, Error> {
    match stdio {
        Stdio::Inherit | Stdio::Piped => inherit(number),
        Stdio::Null => null(),
        Stdio::Fd(fd) => {
            refuse_place(fd.as_raw_fd(), STREAMS[number as usize])?;
            sys::fd::duplicate(fd.as_raw_fd())
                .map_err(|errno| refuse(format!("cannot duplicate a descriptor: {}", errno.desc())))
        }
    }
}

/// A directory is a door: `fchdir(2)` and `/proc/self/fd/N` lead through it to
/// host files that no rule names, and of what can be done to them Landlock covers
/// opening and removing, but not chmod(2), stat(2) or utimensat(2).
fn refuse_place(fd: RawFd, name: &str) -> Result<(), Error> {
    match sys::fd::is_a_place(fd) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::Refused(
            Refusal::new(format!(
                "{name} is a directory or a path (O_PATH), which leads out of the sandbox"
            ))
            .hint("make a directory visible with `--read` or `--write` instead"),
        )),
        Err(errno) => Err(refuse(format!("cannot look at {name}: {}", errno.desc()))),
    }
}

fn inherit(number: RawFd) -> Result<OwnedFd, Error> {
    let name = STREAMS[number as usize];
    let copy = sys::fd::duplicate(number).map_err(|errno| match errno {
        sys::Errno::EBADF => Error::Refused(
            Refusal::new(format!("{name} is closed"))
                .hint("redirect it from or to `/dev/null` if it is not wanted"),
        ),
        errno => refuse(format!("cannot duplicate {name}: {}", errno.desc())),
    })?;
    refuse_place(copy.as_raw_fd(), name)?;
    Ok(copy)
}

fn null() -> Result<OwnedFd, Error> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(|error| refuse(format!("cannot open `/dev/null`: {error}")))?;
    above_stdio(file.into())
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    let (read, write) =
        std::io::pipe().map_err(|error| refuse(format!("cannot make a pipe: {error}")))?;
    Ok((above_stdio(read.into())?, above_stdio(write.into())?))
}

/// A library user may have closed standard streams; ours must not land there.
fn above_stdio(fd: OwnedFd) -> Result<OwnedFd, Error> {
    sys::fd::above_stdio(fd)
        .map_err(|errno| refuse(format!("cannot duplicate a descriptor: {}", errno.desc())))
}

fn refuse(message: String) -> Error {
    Error::Refused(Refusal::new(message))
}
