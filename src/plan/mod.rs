//! What will be done: `Policy` × `Host` → [`Plan`], pure, total, deterministic.
//!
//! One file per layer. A plan is complete: the launcher adds descriptors and
//! memory, never a decision. What cannot be put in force is a [`Refusal`].

pub mod landlock;
pub mod mounts;
pub mod seccomp;
mod attributes;
mod env;
mod ids;
mod limits;
mod shares;
mod text;
mod transfers;

pub use shares::{Share, Shares};
pub use transfers::{Copies, Place};

use crate::host::Host;
use crate::policy::{Cap, Network, Policy, Weaken};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that will be done, in the order of [`crate::step::Step`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// User and group ids, inside and outside.
    pub ids: Ids,
    /// The new root, operation by operation.
    pub mounts: Mounts,
    /// Network mode.
    pub network: Network,
    /// Host name inside.
    pub hostname: String,
    /// Working directory inside.
    pub cwd: PathBuf,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Limits.
    pub limits: Limits,
    /// Process attributes.
    pub attributes: Attributes,
    /// The processors it is bound to (sched_setaffinity(2)); empty is no bond.
    pub cpus: Vec<u32>,
    /// The Landlock domain; `None` only under `weaken.no-landlock`.
    pub landlock: Option<Landlock>,
    /// The system call filter.
    pub seccomp: Seccomp,
    /// The program's file on the host, when it was named by path: only for messages.
    pub host_program: Option<PathBuf>,
    /// The program gets a pty of its own.
    pub tty: bool,
    /// Descriptors that it gets besides 0, 1 and 2, in ascending order.
    pub descriptors: Vec<RawFd>,
    /// What is executed.
    pub program: Program,
    /// Weakenings that took effect, with the author's reason.
    pub weakened: Vec<(Weaken, String)>,
    /// Files that are copied in and out; none unless [`Plan::with_copies`] was asked.
    pub copies: Copies,
}

impl Plan {
    /// What follows from a policy on a machine, or why nothing does. Pure: the same
    /// three arguments give the same plan.
    pub fn resolve(policy: &Policy, host: &Host, invocation: &Invocation) -> Result<Plan, Refusal> {
        if !host.seccomp {
            return Err(Refusal::new(
                "this kernel takes no system call filter (CONFIG_SECCOMP_FILTER), or a filter around this process refuses seccomp(2)",
            )
            .hint("there is no weaker form: run on a kernel, or in a container, that has it"));
        }
        let (mounts, files) = mounts::resolve(policy, host, &invocation.program)?;
        let mut weakened = network_weakened(policy)?;
        let (attributes, no_control) = attributes::resolve(policy, host)?;
        for token in files.weakened.iter().copied().chain(no_control) {
            let reason = policy.weaken.get(&token).cloned();
            weakened.push((token, reason.unwrap_or_default()));
        }
        let landlock = landlock::resolve(&files, policy.network, host.landlock_abi);
        if landlock.is_none() {
            weakened.push((Weaken::NoLandlock, without_landlock(policy)?));
        }
        abstract_sockets_out_of_reach(policy.network, landlock.as_ref())?;
        let env = env::resolve(&policy.process, host);
        let cwd = working_directory(policy, host, &files);
        let path = env.iter().find(|(name, _)| name == "PATH");
        let candidates = mounts::candidates(
            &invocation.program,
            path.map(|(_, value)| value.as_os_str()),
            &cwd,
            host,
        );
        let by_path = invocation.program.as_encoded_bytes().contains(&b'/');
        Ok(Plan {
            ids: ids::resolve(policy, host)?,
            mounts,
            network: policy.network,
            hostname: policy.process.hostname.clone(),
            cwd,
            env,
            limits: limits::resolve(&policy.limits, host, attributes::parallel(policy, host))?,
            attributes,
            cpus: attributes::cpus(policy, host)?,
            landlock,
            seccomp: seccomp::resolve(
                &attributes::syscalls(policy),
                policy.network,
                invocation.tty,
            )?,
            host_program: by_path.then(|| host.cwd.join(&invocation.program)),
            tty: invocation.tty,
            descriptors: invocation.descriptors.clone(),
            program: Program {
                name: invocation.program.clone(),
                args: invocation.args.clone(),
                candidates,
            },
            weakened,
            copies: Copies::default(),
        })
    }
}

fn network_weakened(policy: &Policy) -> Result<Vec<(Weaken, String)>, Refusal> {
    if policy.network != Network::Host {
        return Ok(Vec::new());
    }
    match policy.weaken.get(&Weaken::HostNetwork) {
        Some(reason) => Ok(vec![(Weaken::HostNetwork, reason.clone())]),
        None => Err(
            Refusal::new("the host's network is asked for without a reason").hint(
                "say why: `host-network = \"…\"` in `[weaken]`, or `--weaken host-network=…`",
            ),
        ),
    }
}

/// Abstract sockets belong to the network namespace, and no mount hides them: in
/// the host's, a session bus or display server may listen on one and do for the
/// program what the sandbox refuses.
fn abstract_sockets_out_of_reach(
    network: Network,
    landlock: Option<&Landlock>,
) -> Result<(), Refusal> {
    let scoped = ::landlock::Scope::AbstractUnixSocket as u64;
    let kept_out = landlock.is_some_and(|landlock| landlock.scoped & scoped != 0);
    match network {
        Network::Host if !kept_out => Err(Refusal::new(
            "with the host's network, this kernel cannot keep the program from the abstract sockets of other programs (Landlock ABI 6, Linux 6.12)",
        )
        .hint("use `loopback`, or run on a kernel that has it")),
        _ => Ok(()),
    }
}

fn without_landlock(policy: &Policy) -> Result<String, Refusal> {
    policy
        .weaken
        .get(&Weaken::NoLandlock)
        .cloned()
        .ok_or_else(|| {
            Refusal::new(
                "this kernel has no Landlock (Linux 5.13 with CONFIG_SECURITY_LANDLOCK, and `landlock` in the `lsm=` boot parameter), or a filter around this process refuses its calls",
            )
            .hint("run on a kernel that has it, or accept the mounts alone: `no-landlock = \"why\"` in `[weaken]`")
        })
}

/// The policy's directory, or the caller's own where it is visible, or `/`.
fn working_directory(policy: &Policy, host: &Host, files: &mounts::ResolvedFiles) -> PathBuf {
    match &policy.process.cwd {
        Some(cwd) => cwd.as_path().to_owned(),
        None => files
            .visible(&host.cwd)
            .unwrap_or_else(|| PathBuf::from("/")),
    }
}

/// What is to be run, as the caller typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// A path (with a `/`) or a name for the sandbox's PATH.
    pub program: OsString,
    /// Arguments after `argv[0]`.
    pub args: Vec<OsString>,
    /// A pty of its own.
    pub tty: bool,
    /// Descriptors besides 0, 1 and 2, in ascending order.
    pub descriptors: Vec<RawFd>,
}

/// The single id map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// uid inside.
    pub uid: u32,
    /// gid inside.
    pub gid: u32,
    /// Who the program is on the host.
    pub outside: Outside,
}

/// Who the program is on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// The unprivileged caller.
    Caller {
        /// Effective uid of the caller, never 0.
        uid: u32,
        /// Effective gid of the caller.
        gid: u32,
    },
    /// Started by root: an unused id from this range, chosen at launch.
    Range {
        /// First id.
        first: u32,
        /// Last id.
        last: u32,
    },
}

/// The new root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounts {
    /// `size=` of the root tmpfs, bytes.
    pub root_bytes: u64,
    /// `nr_inodes=` of the root tmpfs.
    pub root_inodes: u64,
    /// What is made in it, in order. The position is a status frame's `item`.
    pub ops: Vec<Op>,
}

/// One operation on the new root. Every `at` is an absolute inside path whose
/// parent an earlier operation made or a bound tree contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// mkdir in our own tmpfs.
    Directory {
        /// Where.
        at: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// A regular file in our own tmpfs: a mount point when empty.
    File {
        /// Where.
        at: PathBuf,
        /// Content.
        text: Vec<u8>,
        /// Permission bits.
        mode: u32,
    },
    /// symlink in our own tmpfs.
    Symlink {
        /// Where.
        at: PathBuf,
        /// Link text.
        target: PathBuf,
    },
    /// A fresh tmpfs on an existing directory.
    Tmpfs {
        /// Where.
        at: PathBuf,
        /// `size=`, bytes.
        bytes: u64,
        /// `nr_inodes=`.
        inodes: u64,
        /// Permission bits of its root.
        mode: u32,
        /// Flags beyond nosuid and nodev.
        attributes: MountAttributes,
    },
    /// A host file or tree on an existing mount point of the same kind.
    Bind {
        /// Where.
        at: PathBuf,
        /// Absolute host path without symbolic links.
        source: PathBuf,
        /// What the child must find there.
        identity: Identity,
        /// Flags beyond nosuid (and nodev, but for a device).
        attributes: MountAttributes,
        /// A device node: the one mount without nodev.
        device: bool,
    },
    /// An already visible directory bound onto itself, so that it cannot be
    /// renamed away from under a rule below it.
    Pin {
        /// Where.
        at: PathBuf,
        /// As the tree around it.
        attributes: MountAttributes,
    },
    /// An empty, inaccessible, read-only thing over something that is hidden.
    Mask {
        /// Where.
        at: PathBuf,
        /// Directory (else a file).
        directory: bool,
    },
    /// A file of our own tmpfs over something already visible.
    Cover {
        /// Where.
        at: PathBuf,
        /// Content.
        text: Vec<u8>,
    },
    /// A fresh procfs on an existing directory.
    Proc {
        /// Where.
        at: PathBuf,
        /// `subset=pid`: nothing but processes.
        only_pids: bool,
    },
    /// A fresh devpts on an existing directory.
    Devpts {
        /// Where.
        at: PathBuf,
    },
    /// The mount at this path becomes read-only; later operations on it would fail.
    Seal {
        /// Where.
        at: PathBuf,
    },
}

impl Op {
    /// The inside path that the operation is about.
    pub fn at(&self) -> &Path {
        match self {
            Op::Directory { at, .. }
            | Op::File { at, .. }
            | Op::Symlink { at, .. }
            | Op::Tmpfs { at, .. }
            | Op::Bind { at, .. }
            | Op::Pin { at, .. }
            | Op::Mask { at, .. }
            | Op::Cover { at, .. }
            | Op::Proc { at, .. }
            | Op::Devpts { at }
            | Op::Seal { at } => at,
        }
    }
}

/// Mount flags that differ from rule to rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountAttributes {
    /// MOUNT_ATTR_RDONLY.
    pub read_only: bool,
    /// MOUNT_ATTR_NOEXEC.
    pub no_exec: bool,
}

/// What the child must find when it opens a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `st_dev`.
    pub dev: u64,
    /// `st_ino`.
    pub ino: u64,
    /// A directory (else anything but one).
    pub directory: bool,
    /// Owner and group: what an id-mapped mount maps when started by root.
    pub owner: (u32, u32),
}

/// Limits in the form they are put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `setrlimit(2)`: resource number, soft and hard value.
    pub rlimits: Vec<Rlimit>,
    /// Bytes that everything inside may use together, and what keeps it to that.
    pub memory: Option<(u64, MemoryBy)>,
    /// Processes and threads, and what keeps to them.
    pub processes: Option<(u64, ProcessesBy)>,
    /// Kill everything that has used more than this.
    pub cpu_time: Option<Duration>,
    /// What counts processor time.
    pub cpu_by: CpuBy,
    /// Processors it can run on at the same time.
    pub cpus: u32,
    /// Kill everything this long after exec.
    pub wall_time: Option<Duration>,
    /// Of standard output and error together, what their own limits let pass.
    pub output: Option<Cap>,
    /// Of standard output, or of a terminal of its own.
    pub stdout: Option<Cap>,
    /// Of standard error.
    pub stderr: Option<Cap>,
    /// What only a control group keeps.
    pub shares: Shares,
}

/// What keeps the memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryBy {
    /// The memory controller of cgroup v2: `memory.max`.
    Controller,
    /// pid 1, which looks at what everything inside uses.
    Polled,
}

/// What keeps the limit of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessesBy {
    /// The pids controller of cgroup v2: `pids.max`.
    Controller,
    /// RLIMIT_NPROC, which counts for the user namespace (Linux 5.14).
    Namespace,
}

/// What counts processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuBy {
    /// `cpu.stat` of a cgroup v2 of its own; needs no controller.
    Cgroup,
    /// A perf event: TASK_CLOCK, inherited (perf_event_open(2)).
    Perf,
    /// What was waited for (getrusage(2)) and what is seen in `/proc`.
    Seen,
}

impl MemoryBy {
    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            MemoryBy::Controller => "memory.max",
            MemoryBy::Polled => "polled",
        }
    }
}

impl ProcessesBy {
    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            ProcessesBy::Controller => "pids.max",
            ProcessesBy::Namespace => "RLIMIT_NPROC",
        }
    }
}

impl CpuBy {
    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            CpuBy::Cgroup => "cgroup",
            CpuBy::Perf => "perf",
            CpuBy::Seen => "rusage",
        }
    }
}

/// One resource limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// `RLIMIT_…` as the number of this architecture.
    pub resource: u32,
    /// Its name, lower case, without the prefix: `data`.
    #[serde(skip)]
    pub name: &'static str,
    /// Soft limit in the resource's own unit.
    pub soft: u64,
    /// Hard limit in the resource's own unit.
    pub hard: u64,
}

/// Process attributes beyond limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// PR_SET_MDWE.
    pub mdwe: bool,
    /// For store bypass, then indirect branch: must PR_SPEC_FORCE_DISABLE be set?
    pub speculation: [bool; 2],
    /// PR_SCHED_CORE_CREATE.
    pub core_scheduling: bool,
    /// ADDR_NO_RANDOMIZE is not set (personality(2)).
    pub aslr: bool,
}

/// The Landlock domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landlock {
    /// ABI of the running kernel.
    pub abi: u32,
    /// `handled_access_fs` as the kernel's bits.
    pub handled_fs: u64,
    /// `handled_access_net` as the kernel's bits.
    pub handled_net: u64,
    /// `scoped` as the kernel's bits.
    pub scoped: u64,
    /// Inside path → rights beneath it, kernel's bits. The position is a frame's `item`.
    pub rules: Vec<(PathBuf, u64)>,
}

/// The compiled filter and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seccomp {
    /// Classic BPF, ready to attach.
    pub program: Vec<seccompiler::sock_filter>,
    /// The same where pid 1 listens, is told of the calls that kill, and kills; `None`
    /// where no call does.
    pub listening: Option<Vec<seccompiler::sock_filter>>,
    /// What it answers, for `sandbox plan`.
    pub answers: seccomp::Answers,
}

/// What is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// As typed; `argv[0]`.
    pub name: OsString,
    /// Arguments after `argv[0]`.
    pub args: Vec<OsString>,
    /// Inside paths tried in order, as `execvp(3)` does.
    pub candidates: Vec<PathBuf>,
}

/// Why a policy cannot be put in force here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What, on which object, why: one sentence, no final period.
    pub message: String,
    /// What would help, when we know.
    pub hint: Option<String>,
    /// 125, or 126 and 127 when it is the program that cannot be run.
    pub exit_code: u8,
}

impl Refusal {
    /// A refusal with exit code 125.
    pub fn new(message: impl Into<String>) -> Refusal {
        Refusal {
            message: message.into(),
            hint: None,
            exit_code: 125,
        }
    }
    /// With advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Refusal {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}
