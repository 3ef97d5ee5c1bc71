//! Every way in which a policy can be made stricter, one step at a time.
//!
//! It must not take a step that lets the program do anything more.

use crate::draw;
use crate::mounts_host::naive::Naive;
use crate::mounts_host::{Node, Tree};
use proptest::prelude::*;
use proptest::sample::Index;
use sandbox::policy::{
    Access, Cap, Content, Disk, Full, InsidePath, Limits, Network, Policy, Weaken,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One step.
#[derive(Debug, Clone)]
pub enum Restriction {
    /// `none` at a path without a rule.
    Hide(PathBuf),
    /// What a rule shows one or two names below its path, only to read.
    OnlyRead(Index, PathBuf),
    /// A rule that allows something goes, and lies below no other.
    Remove(Index),
    /// Less access by the same rule.
    Narrow(Index, Access),
    /// A limit, and what it is lowered by.
    Limit(usize, u64),
    Network,
    /// A token goes.
    Strong(Index),
    Deny(String),
    Kill(String),
    /// One word of `allow` goes.
    Disallow(Index),
    /// One of the switches that take something away.
    Switch(usize),
    /// A variable is no longer let through.
    Unpass(Index),
}

/// Any.
pub fn restriction() -> impl Strategy<Value = Restriction> {
    let index = any::<Index>;
    let path = || {
        let (h, i) = (
            crate::mounts_host::draw::path("/h", 4),
            crate::mounts_host::draw::path("/i", 4),
        );
        prop_oneof![h, i]
    };
    let narrow = prop::sample::select(vec![
        Access::None,
        Access::Read,
        Access::Exec,
        Access::Write,
    ]);
    let below = prop::sample::select(vec!["a", "b", "a/a", "b/a", "a/b"]).prop_map(PathBuf::from);
    prop_oneof![
        2 => path().prop_map(Restriction::Hide),
        5 => (index(), below).prop_map(|(at, below)| Restriction::OnlyRead(at, below)),
        2 => index().prop_map(Restriction::Remove),
        4 => (index(), narrow).prop_map(|(at, access)| Restriction::Narrow(at, access)),
        1 => (0..13usize, 1..1u64 << 40).prop_map(|(which, less)| Restriction::Limit(which, less)),
        1 => Just(Restriction::Network),
        1 => index().prop_map(Restriction::Strong),
        1 => draw::word().prop_map(Restriction::Deny),
        1 => draw::word().prop_map(Restriction::Kill),
        1 => index().prop_map(Restriction::Disallow),
        1 => (0..3usize).prop_map(Restriction::Switch),
        1 => index().prop_map(Restriction::Unpass),
    ]
}

impl Restriction {
    /// Every [`Restriction::kind`].
    pub const KINDS: [&str; 12] = [
        "hide",
        "only read",
        "remove",
        "narrow",
        "limit",
        "network",
        "strong",
        "deny",
        "kill",
        "disallow",
        "switch",
        "unpass",
    ];

    pub fn kind(&self) -> &'static str {
        let number = match self {
            Restriction::Hide(_) => 0,
            Restriction::OnlyRead(..) => 1,
            Restriction::Remove(_) => 2,
            Restriction::Narrow(..) => 3,
            Restriction::Limit(..) => 4,
            Restriction::Network => 5,
            Restriction::Strong(_) => 6,
            Restriction::Deny(_) => 7,
            Restriction::Kill(_) => 8,
            Restriction::Disallow(_) => 9,
            Restriction::Switch(_) => 10,
            Restriction::Unpass(_) => 11,
        };
        Restriction::KINDS[number]
    }

    /// The stricter policy; `None` where there is nothing to take away.
    pub fn apply(&self, policy: &Policy, tree: &Tree) -> Option<Policy> {
        let mut policy = policy.clone();
        match self {
            Restriction::Hide(at) => {
                let at = InsidePath::new(at).unwrap();
                if policy.files.contains_key(&at) {
                    return None;
                }
                policy.files.insert(at, crate::mounts_host::nothing());
            }
            Restriction::OnlyRead(at, below) => {
                let at = nth(policy.files.keys(), at)?.as_path().join(below);
                only_read(&mut policy, tree, &at)?;
            }
            Restriction::Remove(at) => {
                let at = nth(policy.files.keys(), at)?.clone();
                remove(&mut policy, tree, &at)?;
            }
            Restriction::Narrow(at, access) => {
                let at = nth(policy.files.keys(), at)?.clone();
                if second_name(&policy, tree, &at) {
                    return None;
                }
                let rule = policy.files.get_mut(&at)?;
                let allowed = |access: Access| (access.writes(), access.executes());
                let (write, execute) = allowed(rule.access);
                let (less, least) = allowed(*access);
                let host = matches!(rule.content, Content::Host(_));
                if !host || *access == rule.access || (less && !write) || (least && !execute) {
                    return None;
                }
                rule.access = *access;
                if *access == Access::None {
                    rule.content = Content::Nothing;
                }
            }
            Restriction::Limit(which, less) => limit(&mut policy.limits, *which, *less),
            Restriction::Network => {
                policy.network = match policy.network {
                    Network::Host => Network::Loopback,
                    Network::Loopback => Network::None,
                    Network::None => return None,
                }
            }
            Restriction::Strong(at) => {
                let token: Weaken = *nth(policy.weaken.keys(), at)?;
                policy.weaken.remove(&token);
            }
            Restriction::Deny(word) => policy.syscalls.deny.push(word.clone()),
            Restriction::Kill(word) => policy.syscalls.kill.push(word.clone()),
            Restriction::Disallow(at) => {
                let allow = &mut policy.syscalls.allow;
                allow.remove(at.index(allow.len()));
            }
            Restriction::Switch(which) => {
                let process = &mut policy.process;
                let switches = [
                    &mut process.mdwe,
                    &mut process.speculation,
                    &mut process.core_scheduling,
                ];
                for (number, switch) in switches.into_iter().enumerate() {
                    if number == *which {
                        *switch = true;
                    }
                }
            }
            Restriction::Unpass(at) => {
                let passed = &mut policy.process.pass_env;
                if passed.is_empty() {
                    return None;
                }
                passed.remove(at.index(passed.len()));
            }
        }
        Some(policy)
    }
}

fn nth<T>(mut items: impl ExactSizeIterator<Item = T>, at: &Index) -> Option<T> {
    match items.len() {
        0 => None,
        count => items.nth(at.index(count)),
    }
}

/// A rule that allows something goes, where nothing is covered by another then.
pub fn remove(policy: &mut Policy, tree: &Tree, at: &InsidePath) -> Option<()> {
    let above = at.as_path().ancestors().skip(1);
    let covered = above
        .filter_map(|above| InsidePath::new(above).ok())
        .any(|above| policy.files.contains_key(&above));
    let hides = policy.files[at].access == Access::None;
    if covered || hides || second_name(policy, tree, at) {
        return None;
    }
    policy.files.remove(at);
    Some(())
}

/// Another rule may name a link to this tree, or one that this tree shows, and there are rules
/// in it. While the tree is shown under its own name the link is a link, and they hold
/// behind it; without that, what the link leads to has a name of its own, and they do not
/// speak of it. This is no restriction of the files, and no law is broken.
fn second_name(policy: &Policy, tree: &Tree, at: &InsidePath) -> bool {
    let mut paths = policy.files.keys().map(InsidePath::as_path);
    let inner = paths.any(|path| path != at.as_path() && path.starts_with(at.as_path()));
    let map = naive(policy, tree);
    let mut paths = policy.files.keys().map(InsidePath::as_path);
    inner && paths.any(|path| matches!(tree.get(path), Some(Node::Link(_))) || map.is_link(path))
}

fn naive<'t>(policy: &Policy, tree: &'t Tree) -> Naive<'t> {
    let rules = policy.files.iter();
    let rules = rules.map(|(at, rule)| (at.as_path().to_owned(), rule.clone()));
    Naive::new(&rules.collect(), tree)
}

/// The same file as the map shows there, and no more than to read it.
fn only_read(policy: &mut Policy, tree: &Tree, at: &Path) -> Option<()> {
    let inside = InsidePath::new(at).unwrap();
    if policy.files.contains_key(&inside) {
        return None;
    }
    let source = naive(policy, tree).source(at)?;
    let rule = crate::mounts_host::host(source.to_str().unwrap(), Access::Read);
    policy.files.insert(inside, rule);
    Some(())
}

/// Lowers a limit, or sets one where there is none.
fn limit(limits: &mut Limits, which: usize, less: u64) {
    let numbers = [
        &mut limits.memory,
        &mut limits.processes,
        &mut limits.file_size,
        &mut limits.open_files,
        &mut limits.stack,
    ];
    let lower = |limit: Option<u64>| match limit {
        Some(limit) => limit.saturating_sub(less).max(1),
        None => less,
    };
    for (number, limit) in numbers.into_iter().enumerate() {
        if number == which {
            *limit = Some(lower(*limit));
        }
    }
    let caps = [&mut limits.output, &mut limits.stdout, &mut limits.stderr];
    for (number, cap) in caps.into_iter().enumerate() {
        if number + 7 == which {
            let most = lower(cap.map(|cap| cap.most));
            // Or the stricter of two ends.
            let full = cap.map_or(Full::Drain, |cap| cap.full);
            let full = if less.is_multiple_of(2) {
                full
            } else {
                Full::Kill
            };
            *cap = Some(Cap { most, full });
        }
    }
    // Neither of the first two goes below what a policy can say.
    if which == 10 {
        limits.cpu_max = Some(lower(limits.cpu_max).clamp(1000, limits.cpu_max.unwrap_or(400_000)));
    }
    if which == 11 {
        let most = limits.cpu_weight.unwrap_or(100);
        let weight = u64::from(most).saturating_sub(less).max(1);
        limits.cpu_weight = u32::try_from(weight).ok();
    }
    if which == 12 {
        let rates = limits.io_max.entry(Disk::Number(8, 0)).or_default();
        rates.read_bytes = Some(lower(rates.read_bytes));
    }
    let times = [&mut limits.cpu_time, &mut limits.wall_time];
    for (number, limit) in times.into_iter().enumerate() {
        if number + 5 == which {
            let millis = limit.map(|limit| u64::try_from(limit.as_millis()).unwrap());
            let lower = lower(millis)
                .min(less.max(1))
                .min(millis.unwrap_or(u64::MAX));
            *limit = Some(Duration::from_millis(lower));
        }
    }
}
