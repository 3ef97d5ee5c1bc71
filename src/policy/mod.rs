//! What the user asked: the policy's types, and reading it from TOML.
//!
//! Nothing here looks at the machine beyond reading the policy files named; what
//! the machine offers is [`crate::host`], what follows from both is
//! [`crate::plan`].

// In the order a policy goes through them.
mod inside;
pub(crate) mod context;
mod open;
mod load;
mod table;
mod sections;
mod files;
mod values;
mod rates;
pub mod units;
mod overrides;
mod write;
mod builtin;
mod shipped;
pub mod syscalls;
mod suggest;
mod error;

pub use builtin::{BUILTIN, builtin};
pub use context::Context;
pub use error::Error;
pub use inside::InsidePath;
pub(crate) use rates::processors;
pub use rates::{CPU_PERIOD_US, Disk, IoRates};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A whole policy: one value per key of the file format, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Policy files this one was read from, without symbolic links, and every
    /// symbolic link that led to one (absolute paths; built-in policies are not
    /// listed). Any of them that the program may write is refused.
    pub sources: Vec<PathBuf>,
    /// The file map: inside path → what it is and what may be done there. The
    /// most specific path wins; what no rule covers does not exist.
    pub files: BTreeMap<InsidePath, FileRule>,
    /// `[process]`.
    pub process: Process,
    /// `[network] mode`.
    pub network: Network,
    /// `[limits]`.
    pub limits: Limits,
    /// `[syscalls]`.
    pub syscalls: Syscalls,
    /// `[weaken]`: token → the author's reason.
    pub weaken: BTreeMap<Weaken, String>,
}

impl Policy {
    /// Gives every rule without a source of its own the one that follows from the
    /// tree around it: under `"/work" = { from = "/home/u/p", … }` the rule
    /// `"/work/.git" = "read"` speaks of `/home/u/p/.git`, and with no host tree
    /// around it of `/work/.git`. Called whenever a rule was added; once more
    /// changes nothing.
    pub fn settle(&mut self) {
        // Where every named tree stands at its own place, what follows does too.
        if !self.files.iter().any(|(at, rule)| rule.is_displaced(at)) {
            for (at, rule) in &mut self.files {
                if let (true, Content::Host(source)) = (rule.follows, &mut rule.content)
                    && !at.is(source)
                {
                    *source = at.as_path().to_owned();
                }
            }
            return;
        }
        let following: Vec<InsidePath> = self
            .files
            .iter()
            .filter(|(_, rule)| rule.follows && matches!(rule.content, Content::Host(_)))
            .map(|(at, _)| at.clone())
            .collect();
        // Outer paths come before inner ones, so a tree is settled before what
        // follows it.
        for at in following {
            let source = self.source_around(&at);
            if let Some(rule) = self.files.get_mut(&at) {
                rule.content = Content::Host(source);
            }
        }
    }

    /// Where the host tree around `at` has it; `at` itself where there is none.
    fn source_around(&self, at: &InsidePath) -> PathBuf {
        let path = at.as_path();
        // What hides a part of a tree does not change whose part it is.
        let around = path
            .ancestors()
            .skip(1)
            .filter_map(|above| Some((above, self.files.get(above.as_os_str())?)))
            .find(|(_, rule)| rule.content != Content::Nothing);
        match around {
            Some((above, rule)) => match (&rule.content, path.strip_prefix(above)) {
                (Content::Host(source), Ok(rest)) => source.join(rest),
                _ => path.to_owned(),
            },
            None => path.to_owned(),
        }
    }

    /// The host's network, and nobody said why.
    fn unexplained_host_network(&self) -> bool {
        self.network == Network::Host && !self.weaken.contains_key(&Weaken::HostNetwork)
    }
}

/// The mistake that goes with it.
fn unexplained_host_network() -> Error {
    Error::plain("the host's network needs a reason: `weaken.host-network` is missing")
        .hint("write `host-network = \"why the program needs it\"` under `[weaken]`")
}

/// One rule of the file map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRule {
    /// What is found at the path.
    pub content: Content,
    /// What may be done there and below.
    pub access: Access,
    /// `optional = true`: a source that does not exist makes the rule vanish
    /// instead of refusing the run.
    pub optional: bool,
    /// `git = "protect"`: the tree is a git work tree; its hooks and
    /// configuration are read-only, and a linked work tree's repository is
    /// visible.
    pub git: bool,
    /// The rule is for the host's files and names no source
    /// (`"/work/.git/hooks" = "read"`): it speaks of what stands there, which
    /// [`Policy::settle`] finds out.
    pub follows: bool,
    /// Where the rule was written, for messages: `strict.toml:12`, `--read`.
    pub origin: String,
}

impl FileRule {
    /// Does it show, at this place, a tree that has another on the host?
    fn is_displaced(&self, at: &InsidePath) -> bool {
        match &self.content {
            Content::Host(source) => !self.follows && !at.is(source),
            _ => false,
        }
    }
}

/// What is found at an inside path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: the path is hidden (`"none"`).
    Nothing,
    /// The file or tree at this absolute host path.
    Host(PathBuf),
    /// A fresh tmpfs, limited in bytes and inodes.
    Tmpfs {
        /// `size=` of the file system, bytes.
        bytes: u64,
        /// `nr_inodes=` of the file system.
        inodes: u64,
    },
    /// A small file with this text (`text = "…"`).
    Text(String),
    /// A symbolic link with this target (`symlink = "…"`).
    Symlink(PathBuf),
    /// `/etc/passwd` made from `[process]` (`synthetic = "passwd"`).
    Passwd,
    /// `/etc/group` made from `[process]` (`synthetic = "group"`).
    Group,
    /// `/etc/hosts` made from `[process] hostname` (`synthetic = "hosts"`).
    Hosts,
    /// `/etc/hostname` made from `[process] hostname` (`synthetic = "hostname"`).
    Hostname,
    /// A fresh procfs (`"proc"`); with `facts`, the few host-wide files that
    /// tools such as `top` need are present too, with made-up or harmless content.
    Proc {
        /// `"proc+facts"`.
        facts: bool,
    },
    /// A minimal `/dev` with a devpts and `/dev/shm` of its own (`"dev"`);
    /// `shm_bytes` limits the latter.
    Dev {
        /// `size=` of `/dev/shm`, bytes.
        shm_bytes: u64,
    },
}

/// What may be done at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Hidden.
    None,
    /// Read files, list directories.
    Read,
    /// Read and execute.
    Exec,
    /// Read, create, change and remove.
    Write,
    /// All of these.
    WriteExec,
}

impl Access {
    /// May files be changed or made?
    pub fn writes(self) -> bool {
        matches!(self, Access::Write | Access::WriteExec)
    }
    /// May files be executed?
    pub fn executes(self) -> bool {
        matches!(self, Access::Exec | Access::WriteExec)
    }
    /// The word of the file format.
    pub fn name(self) -> &'static str {
        match self {
            Access::None => "none",
            Access::Read => "read",
            Access::Exec => "exec",
            Access::Write => "write",
            Access::WriteExec => "write+exec",
        }
    }
}

/// `[process]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// uid inside (never the host's).
    pub user: u32,
    /// gid inside.
    pub group: u32,
    /// Host name inside.
    pub hostname: String,
    /// Working directory; `None` is the caller's own directory where it is
    /// visible inside, and `/` otherwise.
    pub cwd: Option<InsidePath>,
    /// Environment variables set inside.
    pub env: BTreeMap<String, String>,
    /// Names of variables let through from the caller where it has them; where
    /// it has not, the value in `env` counts, if there is one.
    pub pass_env: Vec<String>,
    /// `memory-deny-write-execute`: PR_SET_MDWE (Linux 6.3).
    pub mdwe: bool,
    /// `speculation = "mitigate"`: store bypass and indirect branches, PR_SET_SPECULATION_CTRL (Linux 4.17, 4.20).
    pub speculation: bool,
    /// `core-scheduling = true`: a core cookie of its own, PR_SCHED_CORE (Linux 5.14).
    pub core_scheduling: bool,
    /// `cpus = "0-1,3"`: the processors it runs on, in order, and no other; `None` is
    /// whatever the caller may run on.
    pub cpus: Option<Vec<u32>>,
    /// `aslr = true`: addresses are drawn anew for every program (personality(2)).
    pub aslr: bool,
    /// `host-ids = "FIRST-LAST"`: host uids that runs started by root take, one each.
    pub host_ids: (u32, u32),
}

impl Default for Process {
    fn default() -> Process {
        Process {
            user: 1000,
            group: 1000,
            hostname: String::from("sandbox"),
            cwd: None,
            env: BTreeMap::new(),
            pass_env: Vec::new(),
            mdwe: false,
            speculation: false,
            core_scheduling: false,
            cpus: None,
            aslr: true,
            // Above every range that useradd, systemd-nspawn, DynamicUser and
            // subordinate ids use by default, below 2^31.
            host_ids: (2_000_000_000, 2_000_065_535),
        }
    }
}

/// `[network] mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Network {
    /// A network namespace with nothing up; only AF_UNIX sockets.
    #[default]
    None,
    /// A network namespace of its own with `lo` up.
    Loopback,
    /// The host's network. Needs `weaken.host-network`.
    Host,
}

/// `[limits]`; `None` is "not asked".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Processes and threads together.
    pub processes: Option<u64>,
    /// Processor time.
    pub cpu_time: Option<Duration>,
    /// Elapsed time from exec.
    pub wall_time: Option<Duration>,
    /// Bytes over standard output and error together, as far as the two below let
    /// them pass.
    pub output: Option<Cap>,
    /// Bytes on standard output; with a terminal of its own, on that.
    pub stdout: Option<Cap>,
    /// Bytes on standard error.
    pub stderr: Option<Cap>,
    /// Bytes a single file may grow to.
    pub file_size: Option<u64>,
    /// Descriptors per process.
    pub open_files: Option<u64>,
    /// Bytes of a main thread's stack.
    pub stack: Option<u64>,
    /// Processor time in each [`CPU_PERIOD_US`], microseconds: 150000 is one and a half
    /// processors. It, and the two below, nothing but a controller of cgroup v2 keeps;
    /// without it the run is refused, whatever `enforcement` says.
    pub cpu_max: Option<u64>,
    /// Share of the processors where others want them too, 1 to 10000; the kernel's own
    /// is 100.
    pub cpu_weight: Option<u32>,
    /// Most that is read and written each second, disk by disk.
    pub io_max: BTreeMap<Disk, IoRates>,
    /// What may keep the limits of the whole sandbox.
    pub enforcement: Enforcement,
}

/// How much may be written on a stream, and what happens past that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Bytes. Exactly as many are allowed.
    pub most: u64,
    /// What the first byte more leads to.
    pub full: Full,
}

impl From<u64> for Cap {
    /// One more byte, and everything is killed.
    fn from(most: u64) -> Cap {
        Cap {
            most,
            full: Full::Kill,
        }
    }
}

/// What happens when more is written than a [`Cap`] allows; the strictest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Full {
    /// `"kill"`: everything is killed.
    #[default]
    Kill,
    /// `"truncate"`: the stream is closed, so that the next write fails (SIGPIPE, or
    /// EPIPE); the run goes on.
    Truncate,
    /// `"drain"`: the rest is read, counted and dropped; the run goes on.
    Drain,
}

impl Full {
    /// All of them.
    pub const ALL: [Full; 3] = [Full::Kill, Full::Truncate, Full::Drain];

    /// The word of the file format.
    pub fn name(self) -> &'static str {
        match self {
            Full::Kill => "kill",
            Full::Truncate => "truncate",
            Full::Drain => "drain",
        }
    }
}

/// `limits.enforcement`: what may keep those limits of the whole sandbox that more than
/// one thing can keep (memory, processes, cpu-time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Enforcement {
    /// `"best"`: the kernel where it can, this program's own watching where not; the
    /// report names which.
    #[default]
    Best,
    /// `"kernel"`: counted by the kernel for everything inside, or refused.
    Kernel,
}

impl Enforcement {
    /// Both.
    pub const ALL: [Enforcement; 2] = [Enforcement::Best, Enforcement::Kernel];

    /// The word of the file format.
    pub fn name(self) -> &'static str {
        match self {
            Enforcement::Best => "best",
            Enforcement::Kernel => "kernel",
        }
    }
}

/// `[syscalls]`: names and `@groups`, not yet expanded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Syscalls {
    /// Allowed; anything else answers ENOSYS.
    pub allow: Vec<String>,
    /// Answers EPERM, also when allowed above.
    pub deny: Vec<String>,
    /// Kills the process, also when allowed or denied above.
    pub kill: Vec<String>,
}

/// A named weakening. There is no unnamed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weaken {
    /// `host-network`: the program shares the host's network.
    HostNetwork,
    /// `no-landlock`: run where the kernel has no Landlock.
    NoLandlock,
    /// `writable-git`: `git = "protect"` is accepted where it cannot hold whole.
    /// Where there is no repository the program may make one; in a plain one it
    /// may write `.git` itself, where names that do not exist yet (`commondir`)
    /// would make git read another configuration.
    WritableGit,
    /// `no-speculation-control`: run where the processor or the kernel gives a
    /// process no control over its speculation.
    NoSpeculationControl,
}

impl Weaken {
    /// Every token.
    pub const ALL: [Weaken; 4] = [
        Weaken::HostNetwork,
        Weaken::NoLandlock,
        Weaken::WritableGit,
        Weaken::NoSpeculationControl,
    ];
    /// The key under `[weaken]`.
    pub fn name(self) -> &'static str {
        match self {
            Weaken::HostNetwork => "host-network",
            Weaken::NoLandlock => "no-landlock",
            Weaken::WritableGit => "writable-git",
            Weaken::NoSpeculationControl => "no-speculation-control",
        }
    }
}
