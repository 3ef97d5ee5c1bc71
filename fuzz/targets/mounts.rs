//! The mount planner: any file map on any made-up host.
//!
//! Either a refusal that can be shown, or operations that do on paper what the file
//! map says, and no more; the Landlock domain agrees with them. On trees without
//! links the map is also what a naive reading of the rules says.

#[path = "../../tests/mounts_host/mod.rs"]
mod mounts_host;
#[path = "mounts_paper.rs"]
mod paper;

use super::bytes::{Bytes, printable};
use mounts_host::paper::Paper as Root;
use mounts_host::{Node, Tree, rule};
use sandbox::host::paths::DEVICES;
use sandbox::host::{Host, PathFact};
use sandbox::plan::mounts::{ResolvedFiles, resolve};
use sandbox::plan::{Invocation, Mounts, Plan, landlock};
use sandbox::policy::{Access, Content, FileRule, InsidePath, Network, Policy, Weaken};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The two names of an input: plain ones, prefixes of each other, deceptive ones.
const NAMES: [[&[u8]; 2]; 6] = [
    [b"a", b"b"],
    [b"a", b"a-b"],
    [b"..a", b".b"],
    [b"\xff", b"a b\n"],
    ["\u{202e}".as_bytes(), "\u{3164}".as_bytes()],
    [b"bin", b"x:y`"],
];

const ACCESSES: [Access; 4] = [Access::Read, Access::Exec, Access::Write, Access::WriteExec];

/// What one input says.
struct Case {
    tree: Tree,
    policy: Policy,
    host: Host,
    program: PathBuf,
    /// Nothing but what the naive reading knows.
    simple: bool,
    /// Make the whole plan too.
    whole: bool,
    /// Inside paths to look at.
    probes: Vec<PathBuf>,
}

/// The input is choices: names, a tree, rules, a host.
pub fn check(data: &[u8]) {
    let case = draw(&mut Bytes(data));
    let Case { policy, host, .. } = &case;
    let program = case.program.as_os_str();
    let answer = resolve(policy, host, program);
    match &answer {
        Ok((mounts, files)) => hold(&case, mounts, files),
        Err(refusal) => {
            printable(&refusal.to_string());
            assert!(matches!(refusal.exit_code, 125..=127));
        }
    }
    // Much slower, and most of it is not about mounts.
    if !case.whole {
        return;
    }
    let invocation = Invocation {
        program: program.to_os_string(),
        args: Vec::new(),
        tty: false,
        descriptors: Vec::new(),
    };
    match Plan::resolve(policy, host, &invocation) {
        Ok(plan) => {
            let (mounts, _) = answer.expect("a plan has mounts");
            assert_eq!(plan.mounts, mounts, "resolved twice");
            printable(&plan.to_string());
        }
        Err(refusal) => printable(&refusal.to_string()),
    }
}

fn draw(bytes: &mut Bytes) -> Case {
    let names = *bytes.pick(&NAMES);
    let mut simple = true;
    let mut tree = Tree::new(&["/h/", "/i/"]);
    for name in DEVICES {
        tree.put(&Path::new("/dev").join(name), Node::Device);
    }
    for _ in 0..bytes.below(14) {
        let at = path(bytes, "/h", names);
        let node = match bytes.below(10) {
            0..=3 => Node::Directory,
            4 | 5 => Node::File(0o644, None),
            6 => Node::File(0o755, None),
            7 => Node::Socket,
            _ => Node::Link(link(bytes, names)),
        };
        let mut free = at.ancestors().skip(1);
        let free = free.all(|parent| matches!(tree.get(parent), None | Some(Node::Directory)));
        if free && tree.get(&at).is_none() {
            simple &= !matches!(node, Node::Link(_));
            tree.put(&at, node);
        }
    }
    let mut policy = Policy::default();
    for _ in 0..=bytes.below(7) {
        let base = ["/h", "/h", "/h", "/i", "/proc", "/dev", "/"][bytes.below(7)];
        let at = path(bytes, base, names);
        let (rule, plain) = file_rule(bytes, &at, names);
        simple &= plain;
        policy
            .files
            .insert(InsidePath::new(&at).expect("an inside path"), rule);
    }
    policy.settle();
    let bases = [("/h", 5), ("/i", 4), ("/proc", 1), ("/dev", 1), ("/", 1)];
    let known = enumerate(&bases, names);
    let whole = bytes.once_in(6);
    let mut program = PathBuf::from("x");
    if bytes.once_in(3) {
        program = path(bytes, "/h", names);
        simple = false;
    }
    let mut host = tree.host(known.iter().cloned());
    if bytes.once_in(3) {
        host.exe = Some(path(bytes, "/h", names)).filter(|exe| tree.get(exe).is_some());
        simple &= host.exe.is_none();
    }
    if bytes.once_in(3) {
        policy.sources.push(path(bytes, "/h", names));
    }
    if bytes.once_in(3) {
        policy.process.cwd = InsidePath::new(path(bytes, "/h", names)).ok();
    }
    if bytes.once_in(3) {
        let at = path(bytes, "/h", names);
        if let Some(PathFact::Found(found)) = host.paths.get_mut(&at) {
            found.kernel_fs.push((at.clone(), String::from("proc")));
            simple = false;
        }
    }
    policy.network = *bytes.pick(&[Network::None, Network::Loopback, Network::Host]);
    if bytes.once_in(2) {
        let reason = String::from_utf8_lossy(bytes.some(8)).into_owned();
        policy.weaken = Weaken::ALL.map(|token| (token, reason.clone())).into();
    }
    policy.syscalls.allow.push(String::from("@default"));
    host.landlock_abi = bytes.below(11) as u32;
    host.cwd = path(bytes, "/h", names);
    host.cpus = bytes.below(20) as u32;
    host.proc_entries = [
        "cpuinfo", "meminfo", "self", "stat", "sys/", "kcore", "version", "loadavg",
    ]
    .map(String::from)
    .into();
    let mut probes = known;
    probes.retain(|path| path.components().count() <= 5);
    Case {
        tree,
        policy,
        host,
        program,
        simple,
        whole,
        probes,
    }
}

fn path(bytes: &mut Bytes, base: &str, names: [&[u8]; 2]) -> PathBuf {
    let shape = bytes.byte();
    let depth = usize::from(shape & 3) + usize::from(shape & 4 != 0);
    let step = |path: PathBuf, bit: usize| {
        path.join(OsStr::from_bytes(names[usize::from(shape >> 3 >> bit & 1)]))
    };
    (0..depth).fold(PathBuf::from(base), step)
}

/// At most two names below the base.
fn shallow(path: PathBuf) -> PathBuf {
    path.components().take(4).collect()
}

fn link(bytes: &mut Bytes, names: [&[u8]; 2]) -> PathBuf {
    let name = Path::new(OsStr::from_bytes(names[bytes.below(2)]));
    match bytes.below(5) {
        0 => name.to_path_buf(),
        1 => Path::new("..").join(name),
        2 => Path::new("/h/../../h").join(name),
        3 => path(bytes, "/i", names),
        _ => path(bytes, "/h", names),
    }
}

/// A rule, and whether the naive reading knows its content.
fn file_rule(bytes: &mut Bytes, at: &Path, names: [&[u8]; 2]) -> (FileRule, bool) {
    let access = *bytes.pick(&ACCESSES);
    let (content, access, plain) = match bytes.below(16) {
        0..=4 => (Content::Host(at.to_path_buf()), access, true),
        5 | 6 => (
            Content::Host(shallow(path(bytes, "/h", names))),
            access,
            true,
        ),
        7 | 8 => (Content::Nothing, Access::None, true),
        9 => (
            Content::Tmpfs {
                bytes: 1 << 20,
                inodes: 100,
            },
            access,
            true,
        ),
        10 => (Content::Text(String::from("x\u{1b}")), Access::Read, true),
        11 => (Content::Symlink(link(bytes, names)), Access::Read, false),
        12 => (
            Content::Proc {
                facts: bytes.once_in(2),
            },
            Access::Read,
            false,
        ),
        13 => (Content::Dev { shm_bytes: 4096 }, Access::Write, false),
        14 => (Content::Hosts, Access::Read, true),
        _ => (Content::Passwd, Access::Read, true),
    };
    let mut rule = rule(content, access);
    let flags = bytes.byte();
    rule.optional = flags & 1 != 0;
    rule.follows = flags & 2 != 0 && matches!(&rule.content, Content::Host(source) if source == at);
    rule.origin = String::from("p.toml:1");
    (rule, plain)
}

/// Every path of a few names below each base: what is known of the host. A map that
/// leads further is refused, for want of a fact.
fn enumerate(bases: &[(&str, usize)], names: [&[u8]; 2]) -> Vec<PathBuf> {
    let mut all = BTreeSet::new();
    for (base, depth) in bases {
        let mut last = vec![PathBuf::from(base)];
        for _ in 0..=*depth {
            let next = last
                .iter()
                .flat_map(|path| names.map(|name| path.join(OsStr::from_bytes(name))));
            let next = next.collect();
            all.extend(std::mem::replace(&mut last, next));
        }
    }
    all.into_iter().collect()
}

fn hold(case: &Case, mounts: &Mounts, files: &ResolvedFiles) {
    let paper = paper::replay(mounts, &case.tree);
    for path in case.probes.iter().chain(case.tree.0.keys()) {
        paper.agrees(path, files, &case.tree);
    }
    paper.keeps(&case.policy.sources, &case.tree);
    own_paths(case, mounts);
    for abi in [1 + case.host.landlock_abi % 9, 9] {
        let domain = landlock::resolve(files, case.policy.network, abi).expect("a domain");
        for (at, rights) in &domain.rules {
            assert_eq!(rights & !domain.handled_fs, 0);
            let access = files.access_at(at).unwrap_or(Access::None);
            assert!(
                rights & paper::WRITE_FILE == 0 || access.writes() || paper.own(at),
                "{at:?}"
            );
            assert!(rights & paper::EXECUTE == 0 || access.executes(), "{at:?}");
        }
    }
    let domain = landlock::resolve(files, case.policy.network, 7).expect("a domain");
    for path in &case.probes {
        paper.landlock_permits(path, files, &domain, &case.tree);
    }
    if case.simple {
        let kept = naive(&case.policy.files, &case.tree);
        for path in &case.probes {
            let above = path.ancestors().find_map(|above| kept.get(above));
            // No rule and "none" come to the same.
            let naive = above.map_or(Access::None, |rule| rule.access);
            let planned = files.access_at(path).unwrap_or(Access::None);
            assert_eq!(planned, naive, "{path:?}");
        }
    }
}

/// Where everything has its host's name, no rule is exceeded at the path that it names.
fn own_paths(case: &Case, mounts: &Mounts) {
    let rules = &case.policy.files;
    // What a link leads to would be bound under the link's name.
    let real = |path: &Path| match case.tree.fact(path) {
        PathFact::Found(found) => found.real == path,
        _ => true,
    };
    let own = |at: &InsidePath, rule: &FileRule| match &rule.content {
        Content::Host(source) => source == at.as_path() && real(source),
        content => *content == Content::Nothing,
    };
    if !rules.iter().all(|(at, rule)| own(at, rule)) {
        return;
    }
    let root = Root::after(mounts, &case.tree);
    for (at, rule) in rules {
        // An optional rule may speak of nothing.
        if let PathFact::Found(_) = case.tree.fact(at.as_path()) {
            assert!(!root.exceeds(at.as_path(), rule.access), "{at:?}: {rule:?}");
        }
    }
}

/// The rules that name something, by the words of the file format alone: an
/// optional source may be missing, and hiding what is not there says nothing.
fn naive<'r>(
    rules: &'r BTreeMap<InsidePath, FileRule>,
    tree: &Tree,
) -> BTreeMap<PathBuf, &'r FileRule> {
    let mut kept: BTreeMap<PathBuf, &FileRule> = BTreeMap::new();
    for (at, rule) in rules {
        let at = at.as_path();
        let above = at
            .ancestors()
            .skip(1)
            .find_map(|path| kept.get_key_value(path));
        let there = match (&rule.content, above) {
            (Content::Host(source), _) => tree.get(source).is_some(),
            (Content::Nothing, Some((above, over))) => match &over.content {
                Content::Host(source) => {
                    let rest = at.strip_prefix(above).expect("it is above");
                    tree.get(&source.join(rest)).is_some()
                }
                _ => true,
            },
            _ => true,
        };
        if there {
            kept.insert(at.to_path_buf(), rule);
        }
    }
    kept
}
