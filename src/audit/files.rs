//! Questions to the file layers: is any object of the host visible that no rule
//! names, and does every mount have the flags that its rule asks for?
//!
//! It compares objects, not names: what stands at a path inside is the host's own
//! if it has the same device and inode. Rules are read from the policy as its
//! author wrote them, not from the plan.

use super::nearest;
use super::outside::Object;
use super::question::{Ask, Expect, Question};
use crate::escape::tick;
use crate::host::paths::DEVICES;
use crate::plan::{Op, Plan};
use crate::policy::{Access, Content, FileRule, Policy};
use std::fs;
use std::path::{Path, PathBuf};

/// `LANDLOCK_ACCESS_FS_RESOLVE_UNIX` (Landlock ABI 9): connecting to a socket by
/// its path is a right of its own.
const RESOLVE_UNIX: u64 = 1 << 16;

pub(super) fn questions(policy: &Policy, plan: &Plan, objects: &[Object]) -> Vec<Question> {
    let grants = Grants::of(policy);
    let connects = plan
        .landlock
        .as_ref()
        .is_none_or(|domain| domain.handled_fs & RESOLVE_UNIX == 0);
    let mut questions = Vec::new();
    for (at, rule) in &policy.files {
        questions.extend(rule_questions(at.as_path(), rule));
    }
    for object in objects {
        questions.extend(object_question(&grants, object, connects));
    }
    for op in &plan.mounts.ops {
        questions.extend(mount_question(policy, op));
    }
    questions.extend([
        flags(Path::new("/"), READ_ONLY | NOSUID | NODEV),
        Question {
            subject: "mounts",
            what: String::from("none but the planned ones"),
            ask: Ask::MountPoints,
            expect: Expect::Among(mount_points(plan)),
        },
    ]);
    for (path, ask) in KERNEL_FILES {
        questions.push(Question {
            subject: "files that show or change the kernel",
            what: format!(
                "{} {}",
                if *ask == 'r' { "read" } else { "write" },
                tick(path)
            ),
            ask: match ask {
                'r' => Ask::Read(path.into()),
                _ => Ask::Write(path.into()),
            },
            expect: Expect::Failure,
        });
    }
    questions
}

/// Whatever the policy: a `proc` of any kind has none of these, and pid 1 is ours.
#[rustfmt::skip]
const KERNEL_FILES: &[(&str, char)] = &[
    ("/proc/1/mem", 'r'), ("/proc/1/environ", 'r'), ("/proc/1/maps", 'r'),
    ("/proc/1/root", 'r'), ("/proc/1/cwd", 'r'), ("/proc/1/exe", 'r'), ("/proc/1/fd", 'r'),
    ("/proc/kcore", 'r'), ("/proc/kmsg", 'r'), ("/proc/kallsyms", 'r'), ("/proc/keys", 'r'),
    ("/proc/config.gz", 'r'), ("/proc/modules", 'r'), ("/proc/timer_list", 'r'),
    ("/proc/sysrq-trigger", 'w'), ("/proc/sys/kernel/core_pattern", 'w'),
    ("/proc/sys/kernel/modprobe", 'w'), ("/proc/sys/vm/drop_caches", 'w'),
    ("/proc/sys/fs/binfmt_misc/register", 'w'), ("/proc/self/oom_score_adj", 'w'),
    ("/proc/self/uid_map", 'w'), ("/proc/self/setgroups", 'w'),
    ("/sys/kernel/uevent_helper", 'w'), ("/sys/fs/cgroup/cgroup.procs", 'w'),
    ("/sys/fs/cgroup", 'r'), ("/sys/kernel/debug", 'r'), ("/sys/kernel/security", 'r'),
    ("/dev/mem", 'r'), ("/dev/kmsg", 'r'), ("/dev/kvm", 'r'), ("/dev/fuse", 'r'),
    ("/dev/net/tun", 'r'), ("/dev/vda", 'r'), ("/dev/sda", 'r'), ("/dev/nvme0n1", 'r'),
];

/// What the author wrote, on purpose, and what it does not include.
fn rule_questions(at: &Path, rule: &FileRule) -> Vec<Question> {
    let path = at.as_os_str().to_owned();
    let (shown, origin) = (tick(at), crate::escape::plain(&rule.origin));
    let hidden = rule.access == Access::None || rule.content == Content::Nothing;
    let refused = |subject, verb: &str, ask| Question {
        subject,
        what: format!("{verb} {shown} ({origin})"),
        ask,
        expect: Expect::Failure,
    };
    if hidden {
        return vec![refused(
            "paths that the policy hides",
            "read",
            Ask::Read(path),
        )];
    }
    let mut questions = Vec::new();
    let granted = match &rule.content {
        Content::Host(source) if source == at => Some(String::new()),
        Content::Host(source) => Some(format!(" (from {})", tick(source))),
        Content::Tmpfs { .. } => Some(String::from(" (empty, in memory)")),
        _ => None,
    };
    if let Some(from) = granted {
        questions.push(Question {
            subject: "files",
            what: format!("{shown}{from}"),
            ask: Ask::Look(path.clone()),
            expect: Expect::Granted(format!("`{}` by {origin}", rule.access.name())),
        });
    }
    // A link, and what `proc` and `dev` make, lead elsewhere.
    let made = matches!(
        rule.content,
        Content::Symlink(_) | Content::Proc { .. } | Content::Dev { .. }
    );
    if !rule.access.writes() && !made {
        questions.push(refused(
            "paths that the policy does not let write",
            "write",
            Ask::Write(path),
        ));
    }
    questions
}

/// Nothing, where a rule grants the object and the question is only how much.
fn object_question(grants: &Grants<'_>, object: &Object, connects: bool) -> Option<Question> {
    let path = object.path.as_os_str().to_owned();
    match grants.access(&object.path) {
        None => Some(Question {
            subject: "objects of this machine that no rule names",
            what: tick(&object.path),
            ask: Ask::Look(path),
            expect: Expect::NotThis(object.dev, object.ino),
        }),
        Some(access) if object.socket && !access.writes() && connects => Some(Question {
            subject: "sockets of this machine in trees that may be read only",
            what: format!("connect to {}", tick(&object.path)),
            ask: Ask::MayWrite(path),
            expect: Expect::Failure,
        }),
        Some(_) => None,
    }
}

/// What the author's rules say of a path of the host.
struct Grants<'p> {
    policy: &'p Policy,
    /// Trees of the host, links resolved, and the rule that names each.
    trees: Vec<(PathBuf, &'p FileRule)>,
}

impl Grants<'_> {
    fn of(policy: &Policy) -> Grants<'_> {
        let tree = |rule: &FileRule| match rule {
            FileRule {
                content: Content::Host(source),
                ..
            } => fs::canonicalize(source).ok(),
            _ => None,
        };
        let trees = policy
            .files
            .values()
            .filter_map(|rule| Some((tree(rule)?, rule)));
        Grants {
            policy,
            trees: trees.collect(),
        }
    }

    /// What may be done with the object at this path of the host, links resolved;
    /// `None` where no rule names it.
    fn access(&self, path: &Path) -> Option<Access> {
        match nearest(self.policy, path).map(|rule| &rule.content) {
            Some(Content::Nothing) => return None,
            // The rule may stand anywhere; devices have their names in it.
            Some(Content::Dev { .. }) => {
                let device = path.file_name()?.to_str()?;
                return DEVICES.contains(&device).then_some(Access::Write);
            }
            _ => {}
        }
        let covering = self.trees.iter().filter(|(tree, _)| path.starts_with(tree));
        let (_, rule) = covering.max_by_key(|(tree, _)| tree.as_os_str().len())?;
        Some(rule.access)
    }
}

/// `ST_…` of statvfs(3).
const READ_ONLY: u64 = 1;
const NOSUID: u64 = 2;
const NODEV: u64 = 4;
const NOEXEC: u64 = 8;

fn flags(at: &Path, bits: u64) -> Question {
    Question {
        subject: "mounts",
        what: format!("the flags of {}", tick(at)),
        ask: Ask::MountFlags(at.as_os_str().to_owned()),
        expect: Expect::Bits(bits),
    }
}

/// The flags of a mount: those that the plan gives it, and those that the
/// author's rule asks for, should the plan be wrong.
fn mount_question(policy: &Policy, op: &Op) -> Option<Question> {
    let of = |attributes: &crate::plan::MountAttributes| {
        let read_only = if attributes.read_only { READ_ONLY } else { 0 };
        let no_exec = if attributes.no_exec { NOEXEC } else { 0 };
        NOSUID | read_only | no_exec
    };
    let (at, planned) = match op {
        Op::Bind {
            at,
            attributes,
            device: true,
            ..
        } => (at, of(attributes)),
        Op::Bind { at, attributes, .. } | Op::Pin { at, attributes } => {
            (at, of(attributes) | NODEV)
        }
        Op::Tmpfs { at, attributes, .. } => (at, of(attributes) | NODEV),
        Op::Mask { at, .. } | Op::Seal { at } | Op::Cover { at, .. } => {
            (at, READ_ONLY | NOSUID | NODEV)
        }
        Op::Proc { at, .. } => (at, NOSUID | NODEV | NOEXEC),
        Op::Devpts { at } => (at, NOSUID | NOEXEC),
        Op::Directory { .. } | Op::File { .. } | Op::Symlink { .. } => return None,
    };
    let asked = match nearest(policy, at) {
        Some(rule) if matches!(rule.content, Content::Host(_) | Content::Tmpfs { .. }) => {
            let read_only = if rule.access.writes() { 0 } else { READ_ONLY };
            let no_exec = if rule.access.executes() { 0 } else { NOEXEC };
            read_only | no_exec
        }
        _ => 0,
    };
    Some(flags(at, planned | asked))
}

fn mount_points(plan: &Plan) -> Vec<String> {
    let place = |op: &Op| match op {
        Op::Directory { .. } | Op::File { .. } | Op::Symlink { .. } | Op::Seal { .. } => None,
        _ => Some(op.at().display().to_string()),
    };
    let places = plan.mounts.ops.iter().filter_map(place);
    std::iter::once(String::from("/")).chain(places).collect()
}
