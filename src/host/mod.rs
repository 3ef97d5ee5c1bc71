//! What this machine offers: read-only facts, serialisable.
//!
//! "Landlock ABI 2, no speculation control" is a JSON file in a test. Nothing
//! here decides anything; deciding is [`crate::plan`].

pub mod git;
pub mod paths;
pub(crate) mod disks;
pub(crate) mod mountinfo;
pub(crate) mod normal;
mod look;
mod path_facts;
pub(crate) mod kernel;

pub use disks::DiskFact;
pub use kernel::resource;
pub(crate) use mountinfo::mount_points;
pub use path_facts::PathFacts;

use crate::policy::{Content, Policy};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Facts about the machine and the caller that a plan depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Effective uid of the caller.
    pub uid: u32,
    /// Effective gid of the caller.
    pub gid: u32,
    /// The caller is root of a user namespace, not of the machine.
    #[serde(default)]
    pub namespace_root: Option<NamespaceRoot>,
    /// Supplementary groups of the caller.
    #[serde(default)]
    pub groups: Vec<u32>,
    /// `landlock_create_ruleset(2)` version; 0 where there is none.
    pub landlock_abi: u32,
    /// `CONFIG_SECCOMP_FILTER` is there and may be used.
    pub seccomp: bool,
    /// PR_GET_MDWE answers (Linux 6.3).
    pub mdwe: bool,
    /// PR_SCHED_CORE answers (Linux 5.14, CONFIG_SCHED_CORE, SMT).
    pub core_scheduling: bool,
    /// PR_GET_SPECULATION_CTRL for store bypass, then indirect branch; negative errno on failure.
    pub speculation: [i32; 2],
    /// Working directory of the caller.
    pub cwd: PathBuf,
    /// The running executable, which no program may replace.
    #[serde(default)]
    pub exe: Option<PathBuf>,
    /// Names in `/proc` that are no process, in order; a directory's name ends
    /// in `/` (only when the policy asks for `proc+facts`).
    pub proc_entries: Vec<String>,
    /// Processors this process may run on.
    pub cpus: u32,
    /// Their numbers, asked only where the policy names some.
    #[serde(default)]
    pub cpu_numbers: Vec<u32>,
    /// A perf event may count a task's processor time (perf_event_open(2)).
    #[serde(default)]
    pub perf: bool,
    /// What a control group for one run is good for; `None` where none can be made.
    #[serde(default)]
    pub cgroup: Option<Cgroup>,
    /// Values of the variables named by `pass-env`, where the caller has them.
    pub env: BTreeMap<String, OsString>,
    /// Hard limits of the caller by resource number: nobody can ask for more.
    pub hard_limits: BTreeMap<u32, u64>,
    /// What stands at each host path the policy speaks of.
    pub paths: PathFacts,
    /// Which disk each path of `io-max` is on.
    #[serde(default)]
    pub disks: BTreeMap<PathBuf, DiskFact>,
}

impl Host {
    /// Looks at this machine with the eyes of one policy and program: only what
    /// the plan will ask about.
    pub fn probe(policy: &Policy, program: &OsStr) -> Host {
        let mut host = Host::kernel_facts(policy);
        let by_path = program.as_encoded_bytes().contains(&b'/');
        let path = by_path.then(|| Path::new(program));
        host.paths = paths::facts_beside(policy, path, &host.cwd, host.exe.as_deref());
        host.disks = disks::facts(policy);
        let facts = |content: &Content| matches!(content, Content::Proc { facts: true });
        if policy.files.values().any(|rule| facts(&rule.content)) {
            host.proc_entries = paths::proc_entries();
        }
        host
    }
}

/// Controllers of cgroup v2 that a group for one run has. Without any it still
/// counts processor time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// `memory.max`, `memory.peak`.
    pub memory: bool,
    /// `pids.max`.
    pub pids: bool,
    /// `cpu.max`, `cpu.weight`.
    pub cpu: bool,
    /// `io.max`.
    pub io: bool,
    /// `cpuset.cpus`.
    pub cpuset: bool,
}

/// uid 0 of a user namespace other than the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceRoot {
    /// Who that is in the namespace around it.
    pub outside: u32,
    /// `user.max_user_namespaces` here.
    pub max_user_namespaces: Option<u64>,
}

/// What stands at a host path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathFact {
    /// Something is there.
    Found(Found),
    /// Nothing is there.
    Missing {
        /// The deepest ancestor that exists, symbolic links resolved.
        nearest: PathBuf,
    },
    /// It cannot be looked at: the errno, e.g. EACCES, ELOOP.
    Unreadable(i32),
}

/// Something at a host path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The path with every symbolic link resolved.
    pub real: PathBuf,
    /// The text of the link when the path itself is a symbolic link.
    pub link: Option<PathBuf>,
    /// What `real` is.
    pub kind: Kind,
    /// Device and inode of `real`, so that the child can tell it opened the same.
    pub dev: u64,
    /// Inode number of `real`.
    pub ino: u64,
    /// Permission bits of `real`.
    pub mode: u32,
    /// Owner of `real`.
    pub uid: u32,
    /// Group of `real`.
    pub gid: u32,
    /// The symbolic links that lead from the path to `real`, each by a path
    /// whose parent has none.
    #[serde(default)]
    pub via: Vec<PathBuf>,
    /// Mounts around or below `real` that show the kernel rather than files
    /// (proc, sysfs, cgroup2, …): mount point and file system type.
    #[serde(default)]
    pub kernel_fs: Vec<(PathBuf, String)>,
    /// Content of a small git file that was asked for.
    #[serde(default)]
    pub text: Option<String>,
}

/// File types a rule can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A character or block device.
    Device,
    /// A socket.
    Socket,
    /// A FIFO.
    Fifo,
}
