//! The library's front door, in the manners of `std::process::Command`.
//!
//! It joins the phases and holds no logic of isolation.

mod stdio;
mod streams;

pub use stdio::{Descriptor, Stdio};

use crate::Error;
use crate::cgroup::{Controllers, Home};
use crate::copies::Wanted;
use crate::host::{self, Host};
use crate::launch::warm::{self, Unlaunched, Worker};
use crate::launch::{self, Request};
use crate::plan::{Invocation, Plan, Refusal};
use crate::policy::Policy;
use crate::pool::{Pool, Workers};
use crate::prepared::{Cache, Made, Prepared};
use crate::supervise::{Child, FRONT_END};
use crate::sys::tty;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;
use stdio::Passed;

/// A policy, ready to run programs under.
#[derive(Debug, Clone)]
pub struct Sandbox {
    policy: Arc<Policy>,
    home: Option<Arc<Home>>,
    helper: Option<Arc<Path>>,
}

impl Sandbox {
    /// Checks that the policy is one that could be put in force somewhere.
    pub fn new(policy: Policy) -> Result<Sandbox, Error> {
        policy.validate()?;
        Ok(Sandbox {
            policy: Arc::new(policy),
            home: None,
            helper: None,
        })
    }

    /// Runs get control groups of their own, made in this home: the kernel keeps the
    /// limits of memory, processes and speed there, and counts processor time. Without
    /// one, the next best does ([`crate::policy::Enforcement`]), but nothing keeps those of
    /// speed, which are then refused. Several may share one.
    pub fn cgroups(mut self, home: impl Into<Arc<Home>>) -> Sandbox {
        self.home = Some(home.into());
        self
    }

    /// Launches from a process that holds much memory cost what they cost a small one: each is
    /// made by a process of its own, which is small and ends with the run. Without it the new
    /// process is a copy of the calling one, page table by page table, as with any `fork`: some
    /// ten milliseconds for a quarter of a gigabyte. From a small caller a helper costs
    /// about as much as the launch.
    ///
    /// `helper` is the `sandbox` binary of this version, or the path of a program that calls
    /// [`Pool::serve`]. While a run goes on it is a child of the calling process, whose end is a
    /// SIGCHLD and which `wait(-1)` would see. A run with a terminal, and one started by root,
    /// are launched without it. What a [`Pool`]'s worker launches needs none.
    ///
    /// ```no_run
    /// # fn run(policy: sandbox::policy::Policy) -> Result<(), sandbox::Error> {
    /// let sandbox = sandbox::Sandbox::new(policy)?.helper("/usr/bin/sandbox");
    /// let report = sandbox.command("./untrusted").spawn()?.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn helper(mut self, helper: impl AsRef<Path>) -> Sandbox {
        self.helper = Some(helper.as_ref().into());
        self
    }

    pub(crate) fn home(&self) -> Option<&Home> {
        self.home.as_deref()
    }

    /// A program to run: a path (with a `/`), or a name to be found in the PATH
    /// that the policy gives it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        Command {
            sandbox: self.clone(),
            invocation: Invocation {
                program: program.as_ref().to_owned(),
                args: Vec::new(),
                tty: false,
                descriptors: Vec::new(),
            },
            stdio: [Stdio::Inherit, Stdio::Inherit, Stdio::Inherit],
            passed: BTreeMap::new(),
            noise: false,
            hold_signals: false,
            wanted: Wanted::default(),
            prepared: None,
            workers: None,
            host: None,
        }
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Looks at the machine, once.
    pub(crate) fn probe(&self, program: &OsStr) -> Host {
        let mut host = Host::probe(&self.policy, program);
        host.cgroup = self.home.as_deref().map(facts);
        host
    }
}

/// A program, its arguments and streams, and the sandbox it will run in.
#[derive(Debug)]
pub struct Command {
    sandbox: Sandbox,
    invocation: Invocation,
    stdio: [Stdio; 3],
    /// Other descriptors, by the number that they have inside.
    passed: BTreeMap<RawFd, Passed>,
    noise: bool,
    hold_signals: bool,
    pub(crate) wanted: Wanted,
    /// Where the plan comes from, instead of a look at the machine.
    prepared: Option<Arc<Cache>>,
    /// Who launches it, where somebody waits to.
    workers: Option<Arc<Workers>>,
    /// What the last plan was made from: given back with this, and not while the program
    /// begins.
    host: Option<Host>,
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
        self.pass(fd, Passed::Own)
    }

    /// Gives the program a descriptor with this number (3 or higher), whatever the
    /// number is in the calling process.
    pub fn fd_as(&mut self, number: RawFd, descriptor: impl Into<Descriptor>) -> &mut Command {
        self.pass(number, Passed::As(descriptor.into()))
    }

    fn pass(&mut self, number: RawFd, passed: Passed) -> &mut Command {
        self.passed.insert(number, passed);
        self.invocation.descriptors = self.passed.keys().copied().collect();
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

    /// Blocks in the thread that starts the program, for good, what
    /// [`Child::wait_forwarding_signals`] receives. For a process that has nothing to do but wait
    /// and say what happened: a signal that comes after exec, and before the wait, is
    /// forwarded by it, and one that comes after the wait must not end the process before its
    /// last word. Before exec it ends the launch, and the process as it always would.
    #[doc(hidden)]
    pub fn hold_signals(&mut self) -> &mut Command {
        self.hold_signals = true;
        self
    }

    /// Looks at the machine and makes the plan, for many runs of this program with these
    /// arguments. Streams, descriptors, copies and [`Command::noise`] are each run's own.
    pub fn prepare(&self) -> Result<Prepared, Error> {
        Prepared::new(&self.sandbox, &self.invocation)
    }

    pub(crate) fn prepared(
        sandbox: &Sandbox,
        invocation: Invocation,
        cache: Arc<Cache>,
    ) -> Command {
        let mut command = sandbox.command(&invocation.program);
        command.invocation = invocation;
        command.prepared = Some(cache);
        command
    }

    /// A worker of the pool launches it, if it comes to the plan of the pool: the program and
    /// arguments that were prepared, and perhaps more of them.
    pub fn launched_by(&mut self, pool: &Pool) -> &mut Command {
        self.workers = Some(Arc::clone(pool.workers()));
        self
    }

    /// What would be done, without doing it.
    pub fn plan(&self) -> Result<Plan, Error> {
        self.resolved()
            .map(|found| Arc::unwrap_or_clone(found.plan))
    }

    fn resolved(&self) -> Result<Planned, Error> {
        let (plan, host) = match &self.prepared {
            Some(prepared) => (prepared.plan(&self.invocation)?, None),
            None => {
                let host = self.sandbox.probe(&self.invocation.program);
                let plan = Plan::resolve(&self.sandbox.policy, &host, &self.invocation)?;
                (plan.into(), Some(host))
            }
        };
        self.check_streams(&plan)?;
        Ok(Planned {
            plan: self.wanted.planned(plan)?,
            host,
            worker: None,
            pool_of: None,
        })
    }

    /// The plan, of a pool's where one of its workers launches it.
    fn planned(&self) -> Result<Planned, Error> {
        let hired = match &self.workers {
            Some(workers) => workers.take()?,
            None => None,
        };
        if let Some(taken) = hired
            && let Some(plan) = taken.made.plan_of(&self.invocation)
        {
            self.check_streams(&plan)?;
            return Ok(Planned {
                plan: self.wanted.planned(plan)?,
                host: None,
                worker: Some(taken.worker),
                pool_of: Some(taken.made),
            });
        }
        let mut planned = self.resolved()?;
        if let Some(helper) = &self.sandbox.helper {
            planned.worker = Worker::for_one_run(helper, &planned.plan)?;
        }
        Ok(planned)
    }

    /// Starts the program, every layer of the policy in force. On an error it was
    /// not executed and nothing is left behind.
    ///
    /// Makes no change to the calling process: no signal handler, no child that
    /// `wait(-1)` could see (but for a [`Sandbox::helper`]), no descriptor that survives an exec.
    pub fn spawn(&mut self) -> Result<Child, Error> {
        let Planned {
            plan,
            host,
            worker,
            pool_of,
        } = self.planned()?;
        let copies = self.wanted.opened(&plan)?;
        let departures = self.wanted.departures()?;
        let opened = self.open(&plan)?;
        let terminal = self.invocation.tty.then(|| {
            tty::size(0)
                .or_else(|| tty::size(1))
                .unwrap_or(DEFAULT_SIZE)
        });
        let request = Request {
            plan: &plan,
            stdio: opened.stdio.each_ref().map(AsRawFd::as_raw_fd),
            keep: opened.others.iter().map(AsRawFd::as_raw_fd).collect(),
            terminal,
            home: self.sandbox.home(),
            arrivals: &self.wanted.arrivals(&copies),
            hold: self.hold_signals.then_some(FRONT_END),
        };
        let by_worker = worker.as_ref().map(|worker| warm::launch(&request, worker));
        let launched = match by_worker {
            Some(Ok(launched)) => launched,
            Some(Err(Unlaunched::Refused(refusal))) => return Err(refusal.into()),
            Some(Err(Unlaunched::Nothing)) | None => launch::launch(&request)?,
        };
        let ends = opened.ends;
        // Our copies of the program's ends: kept, they would hide its end.
        drop((opened.stdio, opened.others, opened.held));
        let mut child = Child::new(launched, plan, ends, departures)?;
        if self.noise {
            child.measure_noise();
        }
        self.host = host;
        if let (Some(made), Some(worker)) = (pool_of, worker) {
            worker.stand_by(made.plan(), self.sandbox.home());
        }
        Ok(child)
    }
}

/// What one run is to be.
struct Planned {
    plan: Arc<Plan>,
    /// What it was made from, where nobody had made one.
    host: Option<Host>,
    /// Who launches it, where that is a worker.
    worker: Option<Arc<Worker>>,
    /// What that worker launches also after this run.
    pool_of: Option<Arc<Made>>,
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

fn refuse(message: String) -> Error {
    Error::Refused(Refusal::new(message))
}
