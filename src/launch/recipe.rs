//! What is the same in every run of a plan, turned into memory: every string and every
//! number the child will need but for those of one run ([`super::image`]).
//!
//! It adds nothing to the plan, and holds no descriptor of one run. It can be written
//! down for another process of ours, which trusts who wrote it.

use super::renewed;
use crate::host::normal::within;
use crate::plan::{Attributes, CpuBy, MemoryBy, Op, Plan, ProcessesBy, Rlimit};
use crate::policy::Network;
use crate::policy::units::nanoseconds;
use seccompiler::sock_filter;
use serde::{Deserialize, Serialize};
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicI32, AtomicU64};

/// The child knows these types of the plan, and no other.
pub(crate) use crate::plan::{Identity, MountAttributes};

/// What every run of a plan needs.
#[derive(Serialize, Deserialize)]
pub(crate) struct Recipe {
    /// uid and gid inside.
    pub(crate) ids: (u32, u32),
    /// `size=` and `nr_inodes=` of the root tmpfs.
    pub(crate) root: TmpfsOptions,
    /// The new root, operation by operation.
    pub(crate) ops: Vec<ImageOp>,
    /// Positions of those that each run makes for itself where the others stand already
    /// ([`super::renewed`]).
    pub(crate) renewed: Vec<usize>,
    /// Positions of those of them that do not stand at all.
    pub(crate) absent: Vec<usize>,
    /// Which network.
    pub(crate) network: Network,
    /// Host name inside.
    pub(crate) hostname: Vec<u8>,
    /// Working directory inside.
    pub(crate) cwd: CString,
    /// Resource limits.
    pub(crate) rlimits: Vec<Rlimit>,
    /// Process attributes.
    pub(crate) attributes: Attributes,
    /// The processors to run on, where they are named.
    pub(crate) cpus: Vec<u32>,
    /// Landlock: inside path → rights. `None` without a domain.
    pub(crate) rules: Option<Vec<(CString, u64)>>,
    /// The system call filter.
    #[serde(with = "program")]
    pub(crate) filter: Vec<sock_filter>,
    /// The same for where pid 1 can listen.
    #[serde(with = "program::perhaps")]
    pub(crate) listening: Option<Vec<sock_filter>>,
    /// Wall-time limit, nanoseconds.
    pub(crate) wall_time_ns: Option<u64>,
    /// What pid 1 watches.
    pub(crate) watch: Watch,
    /// Paths tried in order.
    pub(crate) candidates: Vec<CString>,
    /// `argv[0]`.
    pub(crate) name: CString,
    /// The whole environment, `NAME=value`.
    pub(crate) env: Vec<CString>,
}

/// What pid 1 watches while the program runs.
#[derive(Serialize, Deserialize)]
pub(crate) struct Watch {
    /// A procfs of its own is needed.
    pub(crate) procfs: bool,
    /// A perf event is needed.
    pub(crate) perf: bool,
    /// Processor time limit, nanoseconds.
    pub(crate) cpu_limit_ns: Option<u64>,
    /// Processors that can be used at the same time.
    pub(crate) cpus: u32,
    /// Nanoseconds of a clock tick (`_SC_CLK_TCK`).
    pub(crate) tick_ns: u64,
    /// Memory limit, bytes, where pid 1 is what keeps it.
    pub(crate) memory: Option<u64>,
}

/// Options of a tmpfs as the strings fsconfig takes.
#[derive(Serialize, Deserialize)]
pub(crate) struct TmpfsOptions {
    pub(crate) size: CString,
    pub(crate) inodes: CString,
    pub(crate) mode: CString,
}

/// [`Op`] with C strings; `at` is relative to the new root (`.` for itself).
#[derive(Serialize, Deserialize)]
pub(crate) enum ImageOp {
    Directory {
        at: CString,
        mode: u32,
    },
    File {
        at: CString,
        text: Vec<u8>,
        mode: u32,
    },
    Symlink {
        at: CString,
        target: CString,
    },
    Tmpfs {
        at: CString,
        options: TmpfsOptions,
        attributes: MountAttributes,
        /// Where what it holds counts for the memory limit, and pid 1 adds it up.
        counted: Option<CountedTmpfs>,
    },
    Bind {
        at: CString,
        source: Source,
        attributes: MountAttributes,
        device: bool,
    },
    Pin {
        at: CString,
        attributes: MountAttributes,
    },
    Mask {
        at: CString,
        directory: bool,
    },
    Cover {
        at: CString,
        text: Vec<u8>,
    },
    Proc {
        at: CString,
        only_pids: bool,
    },
    Devpts {
        at: CString,
    },
    Seal {
        at: CString,
    },
}

/// A file system in memory, by what the child found.
#[derive(Serialize, Deserialize)]
pub(crate) struct CountedTmpfs {
    /// Where it is inside.
    pub(crate) at: CString,
    /// Somebody may rename a directory on the way there, and then decides where the path
    /// leads: the descriptor is that of the mount, and opened before the program runs. One
    /// of any other is opened when the program no longer shares the table.
    pub(crate) may_move: bool,
    /// A descriptor of it, -1 until then.
    pub(crate) place: AtomicI32,
    /// `st_dev` of what it holds.
    pub(crate) device: AtomicU64,
}

/// Where a bound tree comes from.
#[derive(Serialize, Deserialize)]
pub(crate) enum Source {
    /// The child opens it, and must find this there.
    Path(CString, Identity),
    /// The parent, being root, cloned it already: a detached tree.
    Tree(RawFd),
}

impl Recipe {
    /// From a plan; `trees` are what root cloned already, by position in its operations.
    /// A string with a NUL byte is an error: the text of it.
    pub(crate) fn new(plan: &Plan, trees: &[(usize, RawFd)]) -> Result<Recipe, String> {
        let env = plan.env.iter().map(|(name, value)| {
            let mut variable = OsString::with_capacity(name.len() + 1 + value.len());
            variable.push(name);
            variable.push("=");
            variable.push(value);
            c_string(&variable)
        });
        let polled = matches!(plan.limits.memory, Some((_, MemoryBy::Polled)));
        let counted = polled.then(|| renewed::writable_tmpfs(&plan.mounts.ops));
        let (renewed, absent) = renewed::positions(&plan.mounts.ops);
        let ops = plan.mounts.ops.iter().enumerate().map(|(position, op)| {
            let tree = trees.iter().find(|(of, _)| *of == position);
            let mut op_image = image_op(op, tree.map(|(_, fd)| *fd))?;
            if let Some(counted) = &counted {
                count(&mut op_image, op, &plan.mounts.ops, counted)?;
            }
            Ok::<_, String>(op_image)
        });
        let rules = plan.landlock.as_ref().map(|landlock| {
            let rules = landlock.rules.iter();
            let rules = rules.map(|(path, rights)| Ok((c_string(path)?, *rights)));
            rules.collect::<Result<Vec<_>, String>>()
        });
        Ok(Recipe {
            ids: (plan.ids.uid, plan.ids.gid),
            root: tmpfs_options(plan.mounts.root_bytes, plan.mounts.root_inodes, 0o755),
            ops: ops.collect::<Result<_, _>>()?,
            renewed,
            absent,
            network: plan.network,
            hostname: plan.hostname.clone().into_bytes(),
            cwd: c_string(&plan.cwd)?,
            rlimits: plan.limits.rlimits.clone(),
            attributes: plan.attributes,
            cpus: plan.cpus.clone(),
            rules: rules.transpose()?,
            filter: plan.seccomp.program.clone(),
            listening: plan.seccomp.listening.clone(),
            wall_time_ns: plan.limits.wall_time.map(nanoseconds),
            watch: watch(plan),
            candidates: c_strings(&plan.program.candidates)?,
            name: c_string(&plan.program.name)?,
            env: env.collect::<Result<_, _>>()?,
        })
    }
}

/// What follows from the limits for pid 1.
fn watch(plan: &Plan) -> Watch {
    let limits = &plan.limits;
    let memory = match limits.memory {
        Some((bytes, MemoryBy::Polled)) => Some(bytes),
        _ => None,
    };
    let counted = matches!(limits.processes, Some((_, ProcessesBy::Namespace)));
    let cpu = limits.cpu_time.map(|_| limits.cpu_by);
    Watch {
        // Beside a perf event too: not everything stays in its sight.
        procfs: memory.is_some() || counted || matches!(cpu, Some(CpuBy::Perf | CpuBy::Seen)),
        // Where memory is watched it also tells when nothing can have grown.
        perf: limits.cpu_by == CpuBy::Perf && (cpu.is_some() || memory.is_some()),
        cpu_limit_ns: limits.cpu_time.map(nanoseconds),
        cpus: limits.cpus,
        tick_ns: crate::sys::process::tick_ns(),
        memory,
    }
}

pub(super) fn c_string(text: impl AsRef<OsStr>) -> Result<CString, String> {
    let text = text.as_ref();
    CString::new(text.as_bytes()).map_err(|_| text.to_string_lossy().into_owned())
}

/// As C strings; an error is the text of the one with a NUL byte.
pub(super) fn c_strings<T: AsRef<OsStr>>(texts: &[T]) -> Result<Vec<CString>, String> {
    texts.iter().map(c_string).collect()
}

/// An inside path as seen from the new root's descriptor.
fn relative(at: &Path) -> Result<CString, String> {
    let bytes = at.as_os_str().as_bytes();
    match bytes.strip_prefix(b"/").unwrap_or(bytes) {
        b"" => Ok(c".".to_owned()),
        rest => c_string(OsStr::from_bytes(rest)),
    }
}

/// What the program can write there counts for the memory limit.
fn count(image: &mut ImageOp, op: &Op, ops: &[Op], writable: &[&Path]) -> Result<(), String> {
    if let (ImageOp::Tmpfs { counted, .. }, Op::Tmpfs { at, attributes, .. }) = (image, op)
        && !attributes.read_only
    {
        *counted = Some(CountedTmpfs {
            at: c_string(at)?,
            may_move: may_move(at, ops, writable),
            place: AtomicI32::new(-1),
            device: AtomicU64::new(0),
        });
    }
    Ok(())
}

/// Does it lie in a tree of the host's, or where the program can write?
fn may_move(at: &Path, ops: &[Op], writable: &[&Path]) -> bool {
    let around = |place: &Path| place.as_os_str() != at.as_os_str() && within(at, place);
    writable.iter().any(|place| around(place))
        || ops
            .iter()
            .any(|op| matches!(op, Op::Bind { at, .. } if around(at)))
}

fn image_op(op: &Op, tree: Option<RawFd>) -> Result<ImageOp, String> {
    Ok(match op {
        Op::Directory { at, mode } => ImageOp::Directory {
            at: relative(at)?,
            mode: *mode,
        },
        Op::File { at, text, mode } => ImageOp::File {
            at: relative(at)?,
            text: text.clone(),
            mode: *mode,
        },
        Op::Symlink { at, target } => ImageOp::Symlink {
            at: relative(at)?,
            target: c_string(target)?,
        },
        Op::Tmpfs {
            at,
            bytes,
            inodes,
            mode,
            attributes,
        } => ImageOp::Tmpfs {
            at: relative(at)?,
            options: tmpfs_options(*bytes, *inodes, *mode),
            attributes: *attributes,
            counted: None,
        },
        Op::Bind {
            at,
            source,
            identity,
            attributes,
            device,
        } => ImageOp::Bind {
            at: relative(at)?,
            source: match tree {
                Some(fd) => Source::Tree(fd),
                None => Source::Path(c_string(source)?, *identity),
            },
            attributes: *attributes,
            device: *device,
        },
        Op::Pin { at, attributes } => ImageOp::Pin {
            at: relative(at)?,
            attributes: *attributes,
        },
        Op::Mask { at, directory } => ImageOp::Mask {
            at: relative(at)?,
            directory: *directory,
        },
        Op::Cover { at, text } => ImageOp::Cover {
            at: relative(at)?,
            text: text.clone(),
        },
        Op::Proc { at, only_pids } => ImageOp::Proc {
            at: relative(at)?,
            only_pids: *only_pids,
        },
        Op::Devpts { at } => ImageOp::Devpts { at: relative(at)? },
        Op::Seal { at } => ImageOp::Seal { at: relative(at)? },
    })
}

fn tmpfs_options(bytes: u64, inodes: u64, mode: u32) -> TmpfsOptions {
    let text = |text: String| CString::new(text).expect("digits hold no NUL");
    TmpfsOptions {
        size: text(bytes.to_string()),
        inodes: text(inodes.to_string()),
        mode: text(format!("{mode:o}")),
    }
}

/// Instructions of a filter as plain numbers.
mod program {
    use seccompiler::sock_filter;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Plain = (u16, u8, u8, u32);

    fn plain(filter: &[sock_filter]) -> Vec<Plain> {
        let plain = |one: &sock_filter| (one.code, one.jt, one.jf, one.k);
        filter.iter().map(plain).collect()
    }

    fn filter(plain: Vec<Plain>) -> Vec<sock_filter> {
        let filter = |(code, jt, jf, k)| sock_filter { code, jt, jf, k };
        plain.into_iter().map(filter).collect()
    }

    pub(super) fn serialize<S: Serializer>(of: &[sock_filter], to: S) -> Result<S::Ok, S::Error> {
        plain(of).serialize(to)
    }

    pub(super) fn deserialize<'de, D>(from: D) -> Result<Vec<sock_filter>, D::Error>
    where
        D: Deserializer<'de>,
    {
        Vec::deserialize(from).map(filter)
    }

    /// The same where there may be none.
    pub(super) mod perhaps {
        use super::{Deserialize, Deserializer, Serialize, Serializer, filter, plain, sock_filter};

        type Program = Option<Vec<sock_filter>>;

        pub(crate) fn serialize<S: Serializer>(of: &Program, to: S) -> Result<S::Ok, S::Error> {
            of.as_deref().map(plain).serialize(to)
        }

        pub(crate) fn deserialize<'de, D>(from: D) -> Result<Program, D::Error>
        where
            D: Deserializer<'de>,
        {
            Ok(Option::deserialize(from)?.map(filter))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_new_root() {
        assert_eq!(relative(Path::new("/")).unwrap().as_c_str(), c".");
        assert_eq!(relative(Path::new("/a/b")).unwrap().as_c_str(), c"a/b");
    }
}
