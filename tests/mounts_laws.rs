//! Laws of the mount plan, over random file maps on random host trees.

mod mounts_host;

use mounts_host::draw::{all_paths, map, path, tree};
use mounts_host::naive::{Naive, Seen};
use mounts_host::paper::Paper;
use mounts_host::{Node, Tree, host, nothing};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sandbox::host::PathFact;
use sandbox::host::paths::DEVICES;
use sandbox::plan::mounts::{ResolvedFiles, Thing, resolve};
use sandbox::plan::{Mounts, Op, landlock};
use sandbox::policy::{Access, Content, FileRule, InsidePath, Network, Policy};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

const CASES: u32 = 2_500;
/// Of the law that all else follows from.
const MANY: u32 = 10_000;

fn plan(rules: &BTreeMap<PathBuf, FileRule>, tree: &Tree) -> Option<(Mounts, ResolvedFiles)> {
    let mut policy = Policy::default();
    for (at, rule) in rules {
        policy
            .files
            .insert(InsidePath::new(at).unwrap(), rule.clone());
    }
    let devices = DEVICES.iter().map(|name| Path::new("/dev").join(name));
    let paths = all_paths("/h", 5).into_iter().chain(all_paths("/i", 5));
    let host = tree.host(paths.chain(devices));
    resolve(&policy, &host, OsStr::new("x")).ok()
}

/// Fails where too few maps were accepted, so that no law holds for want of examples.
/// `SANDBOX_TEST_LAWS=100` draws a hundred times as many.
fn law<S: Strategy>(strategy: S, cases: u32, at_least: u32, test: impl Fn(S::Value) -> Option<()>) {
    let times = std::env::var("SANDBOX_TEST_LAWS").map_or(1, |times| times.parse().unwrap());
    let (cases, at_least) = (cases * times, at_least * times);
    let accepted = Cell::new(0);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&strategy, |value| {
            if test(value).is_some() {
                accepted.set(accepted.get() + 1);
            }
            Ok(())
        })
        .unwrap();
    assert!(
        accepted.get() >= at_least,
        "only {} of {cases} maps were accepted",
        accepted.get()
    );
}

fn real(tree: &Tree, path: &Path) -> Option<PathBuf> {
    match tree.fact(path) {
        PathFact::Found(found) => Some(found.real),
        _ => None,
    }
}

/// The rules that name something, by the words of the file format alone. For
/// trees without links.
fn effective(rules: &BTreeMap<PathBuf, FileRule>, tree: &Tree) -> BTreeMap<PathBuf, FileRule> {
    let mut kept: BTreeMap<PathBuf, FileRule> = BTreeMap::new();
    for (at, rule) in rules {
        let above = at
            .ancestors()
            .skip(1)
            .find_map(|path| kept.get_key_value(path));
        let there = match (&rule.content, above) {
            (Content::Host(source), _) => tree.get(source).is_some(),
            (Content::Nothing, Some((above, over))) => match &over.content {
                Content::Host(source) => tree
                    .get(&source.join(at.strip_prefix(above).unwrap()))
                    .is_some(),
                _ => true,
            },
            _ => true,
        };
        if there {
            kept.insert(at.clone(), rule.clone());
        }
    }
    kept
}

#[test]
fn the_most_specific_rule_wins() {
    law((tree(false), map()), MANY, 1_000, |(tree, rules)| {
        let (_, files) = plan(&rules, &tree)?;
        let kept = effective(&rules, &tree);
        for path in all_paths("/h", 5).into_iter().chain(all_paths("/i", 4)) {
            let naive = path
                .ancestors()
                .find_map(|ancestor| kept.get(ancestor))
                .map(|rule| rule.access);
            assert_eq!(files.access_at(&path), naive, "{}", path.display());
        }
        Some(())
    });
}

/// The same through links, for what mounts make of it: three answers to one
/// question, by the words, by the operations, and (`mounts_real.rs`) by the kernel.
#[test]
fn the_most_specific_rule_wins_through_links() {
    let (checked, through_links) = (Cell::new(0u64), Cell::new(0u64));
    law((tree(true), map()), MANY, 1_000, |(tree, rules)| {
        let (mounts, _) = plan(&rules, &tree)?;
        let naive = Naive::new(&rules, &tree);
        let paper = Paper::after(&mounts, &tree);
        for path in all_paths("/h", 4).into_iter().chain(all_paths("/i", 4)) {
            let (said, done) = (naive.at(&path), paper.at(&path));
            assert_eq!(said, done, "{}\n{tree:#?}\n{rules:#?}", path.display());
            if said != Seen::Nothing {
                let linked = real(&tree, &path).is_some_and(|real| real != path);
                checked.set(checked.get() + 1);
                through_links.set(through_links.get() + u64::from(linked));
            }
        }
        Some(())
    });
    let counts = (checked.get(), through_links.get());
    assert!(counts.0 > 10_000 && counts.1 > 500, "{counts:?}");
}

fn allows(wide: Access, narrow: Access) -> bool {
    (wide != Access::None || narrow == Access::None)
        && (wide.writes() || !narrow.writes())
        && (wide.executes() || !narrow.executes())
}

/// At the path that a rule names, links followed, there is never more than it allows:
/// also where it adds nothing to what is around it, and no mount is made for it. For maps
/// in which everything has its host's name: elsewhere links can mean something else inside.
#[test]
fn no_rule_is_exceeded_at_its_own_path() {
    let seen = Cell::new(0u32);
    law((tree(true), map()), MANY, 1_000, |(tree, mut rules)| {
        rules.retain(|at, rule| {
            if let Content::Host(source) = &mut rule.content {
                source.clone_from(at);
            }
            at.starts_with("/h") && matches!(rule.content, Content::Host(_) | Content::Nothing)
        });
        // What a link leads to is bound under the link's name where that is in no tree.
        let renamed = |at: &PathBuf| {
            let around = at.ancestors().skip(1).find_map(|above| rules.get(above));
            rules[at].content != Content::Nothing
                && real(&tree, at).is_some_and(|real| real != *at)
                && around.is_none_or(|around| around.content == Content::Nothing)
        };
        if rules.keys().any(renamed) {
            return None;
        }
        let (mounts, _) = plan(&rules, &tree)?;
        let paper = Paper::after(&mounts, &tree);
        for (at, rule) in &rules {
            // Optional, hidden and missing, or a link to nowhere.
            if real(&tree, at).is_none() {
                continue;
            }
            let done = paper.at(at);
            assert!(
                !paper.exceeds(at, rule.access),
                "{}: {done:?}\n{tree:#?}\n{rules:#?}",
                at.display()
            );
            seen.set(seen.get() + u32::from(done != Seen::Nothing));
        }
        Some(())
    });
    assert!(seen.get() > 1_000, "{}", seen.get());
}

#[test]
fn a_further_restriction_never_widens() {
    let extra = (prop_oneof![path("/h", 4), path("/i", 4)], any::<bool>());
    law(
        (tree(true), map(), extra),
        CASES,
        250,
        |(tree, rules, (at, hide))| {
            let (_, before) = plan(&rules, &tree)?;
            let mut more = rules.clone();
            if more.contains_key(&at) {
                return None;
            }
            let new = if hide {
                nothing()
            } else {
                // The same file, read-only.
                let (above, over) = at.ancestors().find_map(|path| rules.get_key_value(path))?;
                let Content::Host(source) = &over.content else {
                    return None;
                };
                // Through a link it may be hidden already, and would be shown.
                if !allows(before.access_at(&at)?, Access::Read) {
                    return None;
                }
                let source = real(&tree, source)?.join(at.strip_prefix(above).unwrap());
                host(source.to_str().unwrap(), Access::Read)
            };
            more.insert(at, new);
            // A rule behind a link speaks of what that leads to while it is shown, and of its
            // own path alone where the link is hidden: what it had narrowed is as before.
            let naive = Naive::new(&more, &tree);
            let linked =
                |path: &Path| matches!(tree.get(path), Some(Node::Link(_))) || naive.is_link(path);
            if more.keys().any(|at| at.ancestors().any(linked)) {
                return None;
            }
            let (_, after) = plan(&more, &tree)?;
            for path in all_paths("/h", 5).into_iter().chain(all_paths("/i", 5)) {
                let wide = before.access_at(&path).unwrap_or(Access::None);
                let narrow = after.access_at(&path).unwrap_or(Access::None);
                assert!(
                    allows(wide, narrow),
                    "{}: {wide:?} {narrow:?}",
                    path.display()
                );
            }
            Some(())
        },
    );
}

enum Mount {
    Own,
    Host { source: PathBuf, writable: bool },
    Closed,
}

/// Does the operations one by one on paper, as the kernel would.
fn replay(mounts: &Mounts, tree: &Tree) {
    let mut made: BTreeSet<PathBuf> = BTreeSet::from(["/".into()]);
    let mut on: BTreeMap<PathBuf, Mount> = BTreeMap::from([("/".into(), Mount::Own)]);
    let covering = |on: &BTreeMap<PathBuf, Mount>, path: &Path| -> PathBuf {
        path.ancestors()
            .find(|ancestor| on.contains_key(*ancestor))
            .unwrap()
            .to_path_buf()
    };
    let seals = mounts
        .ops
        .iter()
        .position(|op| matches!(op, Op::Seal { .. }));
    for (position, op) in mounts.ops.iter().enumerate() {
        let at = &op.at().to_owned();
        assert!(at.is_absolute() && !at.components().any(|part| part == Component::ParentDir));
        assert_eq!(seals.unwrap() <= position, matches!(op, Op::Seal { .. }));
        match op {
            Op::Directory { .. } | Op::File { .. } | Op::Symlink { .. } => {
                let parent = at.parent().unwrap();
                assert!(made.contains(parent), "no parent for {op:?}");
                assert!(
                    matches!(on[&covering(&on, parent)], Mount::Own),
                    "made outside our own tmpfs: {op:?}"
                );
                assert!(made.insert(at.clone()), "twice: {op:?}");
                continue;
            }
            Op::Seal { .. } => {
                assert!(matches!(on[at], Mount::Own), "{op:?}");
                continue;
            }
            _ => {}
        }
        // A mount needs something to stand on, and hides nothing mounted before.
        assert!(
            !on.keys().any(|other| other != at && other.starts_with(at)),
            "{op:?}"
        );
        let below = covering(&on, at);
        let pin = match &on[&below] {
            Mount::Own => {
                assert!(made.contains(at), "nothing to mount on: {op:?}");
                None
            }
            Mount::Closed => panic!("mounted on a mask: {op:?}"),
            Mount::Host { source, writable } => {
                assert_ne!(below, *at, "mounted twice: {op:?}");
                let position = source.join(at.strip_prefix(&below).unwrap());
                match tree.get(&position) {
                    None => panic!("nothing on the host to mount on: {op:?}"),
                    Some(Node::Link(_)) => panic!("mounted on a link: {op:?}"),
                    Some(node) => {
                        let directory = *node == Node::Directory;
                        match op {
                            Op::Bind { identity, .. } => assert_eq!(identity.directory, directory),
                            Op::Mask {
                                directory: wants, ..
                            } => assert_eq!(*wants, directory),
                            Op::Cover { .. } => assert!(!directory),
                            _ => assert!(directory),
                        }
                    }
                }
                if *writable {
                    // Rename is stopped by mount points only.
                    assert_eq!(at.parent().unwrap(), below, "can be renamed away: {op:?}");
                }
                Some(Mount::Host {
                    source: position,
                    writable: *writable,
                })
            }
        };
        let mount = match op {
            Op::Bind {
                source, attributes, ..
            } => {
                assert_eq!(real(tree, source).as_ref(), Some(source), "{op:?}");
                Mount::Host {
                    source: source.clone(),
                    writable: !attributes.read_only,
                }
            }
            Op::Pin { .. } => pin.unwrap_or(Mount::Own),
            Op::Tmpfs { .. } => {
                made.insert(at.clone());
                Mount::Own
            }
            _ => Mount::Closed,
        };
        on.insert(at.clone(), mount);
    }
    assert_eq!(mounts.ops.last(), Some(&Op::Seal { at: "/".into() }));
}

#[test]
fn nothing_is_made_in_a_host_tree_and_no_mount_can_be_renamed_away() {
    law((tree(true), map()), CASES, 250, |(tree, rules)| {
        let (mounts, files) = plan(&rules, &tree)?;
        assert_eq!(plan(&rules, &tree), Some((mounts.clone(), files)));
        replay(&mounts, &tree);
        Some(())
    });
}

#[test]
fn landlock_grants_no_writing_where_no_rule_does() {
    law((tree(true), map()), CASES, 250, |(tree, rules)| {
        let (_, files) = plan(&rules, &tree)?;
        for abi in 1..=9 {
            let domain = landlock::resolve(&files, Network::None, abi).unwrap();
            for (at, rights) in &domain.rules {
                assert_eq!(rights & !domain.handled_fs, 0);
                // WRITE_FILE and EXECUTE, landlock.h.
                let access = files.access_at(at).unwrap_or(Access::None);
                assert!(rights & 2 == 0 || access.writes());
                assert!(rights & 1 == 0 || access.executes());
            }
        }
        assert_eq!(landlock::resolve(&files, Network::None, 0), None);
        Some(())
    });
}

/// Whatever the rules are, each entry has the rights that a rule for each entry
/// alone would give it, with two exceptions that mean nothing there: reading
/// files in a directory of our own that holds none, and ioctl on devices where
/// the mount is nodev.
#[test]
fn shared_landlock_rules_grant_what_separate_ones_do() {
    const WRITE_FILE: u64 = 1 << 1;
    const READ_FILE: u64 = 1 << 2;
    const IOCTL_DEV: u64 = 1 << 15;
    let sum = |rules: &[(PathBuf, u64)], at: &Path| {
        let around = rules.iter().filter(|(path, _)| at.starts_with(path));
        around.fold(0, |sum, (_, rights)| sum | rights)
    };
    let dev = Just(FileRule {
        content: Content::Dev { shm_bytes: 4096 },
        access: Access::Write,
        optional: false,
        git: false,
        follows: false,
        origin: String::from("dev"),
    });
    let maps = (map(), proptest::option::of(dev), 1..=9u32);
    law(
        (tree(true), maps),
        CASES,
        250,
        |(mut tree, (mut rules, dev, abi))| {
            for name in DEVICES {
                tree.put(&Path::new("/dev").join(name), Node::Device);
            }
            if let Some(dev) = dev {
                rules.insert(PathBuf::from("/dev"), dev);
            }
            let (_, files) = plan(&rules, &tree)?;
            let domain = landlock::resolve(&files, Network::None, abi).unwrap();
            let separate = landlock::separate(&files, abi);
            assert!(domain.rules.len() <= separate.len());
            for (at, entry) in files.entries() {
                let (now, then) = (sum(&domain.rules, at), sum(&separate, at));
                let void = match &entry.thing {
                    Thing::Link(_) => u64::MAX,
                    Thing::Tmpfs { sealed: true, .. } => READ_FILE | WRITE_FILE | IOCTL_DEV,
                    Thing::Hidden => READ_FILE | IOCTL_DEV,
                    Thing::Host { device: true, .. } | Thing::Devpts => 0,
                    _ => IOCTL_DEV,
                };
                assert_eq!(now & !void, then & !void, "{at:?} {entry:?}");
                assert_eq!(then & !now, 0, "{at:?} {entry:?}");
            }
            Some(())
        },
    );
}
