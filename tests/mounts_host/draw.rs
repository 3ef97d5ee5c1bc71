//! What the laws of the mounts draw: host trees below `/h`, and file maps over `/h` and `/i`.
//!
//! The alphabet is small, so that rules and files meet. It judges nothing.

use super::{Node, Tree, host, nothing, rule, tmpfs};
use proptest::prelude::*;
use sandbox::policy::{Access, Content, FileRule};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Paths of up to `depth` names, below `base`.
pub fn all_paths(base: &str, depth: usize) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(base)];
    let mut last = paths.clone();
    for _ in 0..depth {
        last = last
            .iter()
            .flat_map(|path| ["a", "b"].map(|name| path.join(name)))
            .collect();
        paths.extend(last.iter().cloned());
    }
    paths
}

/// One of them.
pub fn path(base: &'static str, depth: usize) -> impl Strategy<Value = PathBuf> {
    prop::collection::vec(prop::sample::select(vec!["a", "b"]), 0..=depth).prop_map(move |names| {
        names
            .iter()
            .fold(PathBuf::from(base), |path, name| path.join(name))
    })
}

/// Directories, files and, where asked for, symbolic links: relative and absolute
/// ones, such as lead up, nowhere, and in circles.
pub fn tree(links: bool) -> impl Strategy<Value = Tree> {
    let node = prop_oneof![
        5 => Just(Node::Directory),
        2 => Just(Node::File(0o755, None)),
        if links { 3 } else { 0 } => prop_oneof![
            path("/h", 3),
            Just(PathBuf::from("a")),
            Just(PathBuf::from("b/a")),
            Just(PathBuf::from("../b")),
            Just(PathBuf::from("/h/../../h/a")),
        ].prop_map(Node::Link),
    ];
    prop::collection::vec((path("/h", 4), node), 2..14).prop_map(|nodes| {
        let mut tree = Tree::new(&["/h/"]);
        for (path, node) in nodes {
            // Only below directories, and never in place of something else.
            let free = path
                .ancestors()
                .skip(1)
                .all(|parent| matches!(tree.get(parent), None | Some(Node::Directory)));
            if free && tree.get(&path).is_none() {
                tree.put(&path, node);
            }
        }
        tree
    })
}

/// What a rule for the host's files may allow.
pub fn access() -> impl Strategy<Value = Access> {
    prop::sample::select(vec![
        Access::Read,
        Access::Exec,
        Access::Write,
        Access::WriteExec,
    ])
}

/// Half of the host rules name the place they stand at.
fn file_rule() -> impl Strategy<Value = (PathBuf, FileRule)> {
    let at = prop_oneof![3 => path("/h", 4), 1 => path("/i", 3)];
    (at, path("/h", 3), access(), 0..10u8, any::<bool>()).prop_map(
        |(at, other, access, choice, optional)| {
            let mut rule = match choice {
                0..=4 if at.starts_with("/h") => host(at.to_str().unwrap(), access),
                0..=5 => host(other.to_str().unwrap(), access),
                6 | 7 => nothing(),
                8 => tmpfs(access),
                _ => rule(Content::Text(String::from("x")), Access::Read),
            };
            rule.optional = optional;
            (at, rule)
        },
    )
}

/// A file map.
pub fn map() -> impl Strategy<Value = BTreeMap<PathBuf, FileRule>> {
    prop::collection::vec(file_rule(), 1..7).prop_map(|rules| rules.into_iter().collect())
}

/// The rule as the file format has words for it: a tmpfs there can be written.
pub fn sayable(mut rule: FileRule) -> FileRule {
    if matches!(rule.content, Content::Tmpfs { .. }) {
        rule.access = match rule.access.executes() {
            true => Access::WriteExec,
            false => Access::Write,
        };
    }
    rule
}

/// The same with `/h` somewhere else.
pub fn moved(path: &Path, h: &Path) -> PathBuf {
    match path.strip_prefix("/h") {
        Ok(rest) if rest.as_os_str().is_empty() => h.to_owned(),
        Ok(rest) => h.join(rest),
        Err(_) => path.to_owned(),
    }
}
