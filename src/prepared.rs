//! One plan for many runs: the machine is looked at and the filter compiled once, and
//! every run after that begins with the launch.
//!
//! It must not go stale in a way that shows more than a plan made now would. What a
//! plan names is identified by the child in each run, and refused when it is another
//! (ESTALE). What a plan does not name because it was not there, nobody would identify:
//! so that is looked at before each run.

use crate::cgroup::Home;
use crate::host::{Host, PathFact, disks};
use crate::plan::{Invocation, Op, Plan};
use crate::policy::{Content, Policy};
use crate::sys::process;
use crate::{Command, Error, Sandbox};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A program under a policy, ready to be run many times, from several threads at once.
/// Nothing of a run is kept for the next: each has namespaces, files and counts of its
/// own.
///
/// The policy, the working directory, the variables passed on and the program are those
/// of the moment of [`Command::prepare`]. A file that is replaced afterwards, the
/// program's among them, is refused: prepare again.
///
/// ```no_run
/// # use sandbox::{Sandbox, Stdio};
/// # fn judge(sandbox: &Sandbox, tests: Vec<std::fs::File>) -> Result<(), sandbox::Error> {
/// let prepared = sandbox.command("./solution").prepare()?;
/// for test in tests {
///     let report = prepared.command().stdin(test).stdout(Stdio::Null).spawn()?.wait()?;
///     println!("{}", report.verdict.name());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Prepared {
    cache: Arc<Cache>,
    invocation: Invocation,
}

impl Prepared {
    pub(crate) fn new(sandbox: &Sandbox, invocation: &Invocation) -> Result<Prepared, Error> {
        let mut invocation = invocation.clone();
        // Each run says anew what it passes on.
        invocation.descriptors.clear();
        Ok(Prepared {
            cache: Arc::new(Cache::new(sandbox, &invocation)?),
            invocation,
        })
    }

    pub(crate) fn cache(&self) -> Arc<Cache> {
        Arc::clone(&self.cache)
    }

    /// One run: the program with the arguments it was prepared with, to which more can
    /// be added, and the caller's standard streams.
    pub fn command(&self) -> Command {
        let (sandbox, invocation) = (&self.cache.sandbox, self.invocation.clone());
        Command::prepared(sandbox, invocation, Arc::clone(&self.cache))
    }
}

/// What was found and planned, for the commands of one [`Prepared`].
#[derive(Debug)]
pub(crate) struct Cache {
    sandbox: Sandbox,
    /// Says when a file system was mounted or unmounted since it was asked last
    /// (proc_pid_mountinfo(5)); opened before the first look.
    mounts: Option<File>,
    made: Mutex<Arc<Made>>,
}

/// What was found and planned at one time.
#[derive(Debug)]
pub(crate) struct Made {
    host: Host,
    invocation: Invocation,
    plan: Arc<Plan>,
}

impl Cache {
    fn new(sandbox: &Sandbox, invocation: &Invocation) -> Result<Cache, Error> {
        let mounts = File::open("/proc/self/mountinfo").ok();
        let made = Made::now(sandbox, invocation)?;
        Ok(Cache {
            sandbox: sandbox.clone(),
            mounts,
            made: Mutex::new(Arc::new(made)),
        })
    }

    /// Where control groups can be made.
    pub(crate) fn home(&self) -> Option<&Home> {
        self.sandbox.home()
    }

    /// The plan of one run.
    pub(crate) fn plan(&self, invocation: &Invocation) -> Result<Arc<Plan>, Error> {
        let made = self.current()?;
        if let Some(plan) = made.plan_of(invocation) {
            return Ok(plan);
        }
        // A terminal, say: another plan, on the same machine.
        let policy = self.sandbox.policy();
        Ok(Plan::resolve(policy, &made.host, invocation)?.into())
    }

    /// What was made, or what is made now because it would come out differently.
    pub(crate) fn current(&self) -> Result<Arc<Made>, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked in any case: each answer is given once.
        let mounted = self.mounts_changed();
        if mounted || !still_true(&made.host, self.sandbox.policy()) {
            *made = Arc::new(Made::now(&self.sandbox, &made.invocation)?);
        }
        Ok(Arc::clone(&made))
    }

    fn mounts_changed(&self) -> bool {
        let Some(mounts) = &self.mounts else {
            return true;
        };
        let mut fds = [process::polled(mounts.as_raw_fd(), libc::POLLPRI)];
        process::poll(&mut fds, Some(0)).is_err() || fds.iter().any(|fd| fd.revents != 0)
    }
}

impl Made {
    fn now(sandbox: &Sandbox, invocation: &Invocation) -> Result<Made, Error> {
        let host = sandbox.probe(&invocation.program);
        let plan = Plan::resolve(sandbox.policy(), &host, invocation)?;
        Ok(Made {
            host,
            invocation: invocation.clone(),
            plan: Arc::new(plan),
        })
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan with other arguments and descriptors, which nothing else depends on; `None`
    /// where more is asked otherwise.
    pub(crate) fn plan_of(&self, invocation: &Invocation) -> Option<Arc<Plan>> {
        let own = &self.invocation;
        let same = (&invocation.program, invocation.tty) == (&own.program, own.tty);
        same.then(|| {
            let mut plan = Arc::clone(&self.plan);
            if (&plan.program.args, &plan.descriptors)
                != (&invocation.args, &invocation.descriptors)
            {
                let plan = Arc::make_mut(&mut plan);
                plan.program.args.clone_from(&invocation.args);
                plan.descriptors.clone_from(&invocation.descriptors);
            }
            plan
        })
    }

    /// Is every file and directory that is shown still the one that was found? In a cold
    /// launch the child asks; where a root stands nobody else would.
    pub(crate) fn sources_are_the_same(&self) -> bool {
        self.plan.mounts.ops.iter().all(|op| match op {
            Op::Bind {
                source, identity, ..
            } => fs::symlink_metadata(source)
                .is_ok_and(|found| (found.dev(), found.ino()) == (identity.dev, identity.ino)),
            _ => true,
        })
    }
}

/// Would a look at the machine find the same, but for what the child identifies?
fn still_true(host: &Host, policy: &Policy) -> bool {
    // These are found by listing directories and reading files.
    let listed = policy
        .files
        .values()
        .any(|rule| rule.git || matches!(rule.content, Content::Proc { facts: true }));
    !listed
        && same_caller(host)
        && host
            .disks
            .iter()
            .all(|(path, disk)| disks::below(path) == *disk)
        && host
            .paths
            .iter()
            .all(|(path, fact)| still_there(path, fact))
}

fn same_caller(host: &Host) -> bool {
    let groups = process::groups().unwrap_or_default();
    host.uid == nix::unistd::geteuid().as_raw()
        && host.gid == nix::unistd::getegid().as_raw()
        && groups == host.groups
}

fn still_there(path: &Path, fact: &PathFact) -> bool {
    match fact {
        // What is hidden or protected if it exists may exist by now.
        PathFact::Missing { .. } => fs::metadata(path).is_err(),
        // A link may lead elsewhere, and the child opens what it led to.
        PathFact::Found(found) if !found.via.is_empty() => fs::metadata(path)
            .is_ok_and(|facts| (facts.dev(), facts.ino()) == (found.dev, found.ino)),
        PathFact::Found(_) => true,
        PathFact::Unreadable(_) => false,
    }
}
