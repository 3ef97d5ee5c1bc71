//! A host file tree made of nothing, so that planning can be tested without one.
//!
//! It resolves paths as path_resolution(7) says and is not shared with the code
//! under test.
#![allow(dead_code)]

// The fuzz targets share this tree and draw from bytes, without proptest.
#[cfg(not(fuzzing))]
pub mod draw;
pub mod naive;
pub mod paper;

use sandbox::host::{Found, Host, Kind, PathFact};
use sandbox::plan::{MountAttributes, Op};
use sandbox::policy::{Access, Content, FileRule, InsidePath, Policy};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Directory,
    File(u32, Option<String>),
    Device,
    Socket,
    Link(PathBuf),
}

#[derive(Debug, Clone, Default)]
pub struct Tree(pub BTreeMap<PathBuf, Node>);

impl Tree {
    /// Lines such as `/a/b/`, `/a/f`, `/a/x*`, `/dev/null!`, `/bin -> usr/bin`, `/f = text`.
    pub fn new(lines: &[&str]) -> Tree {
        let mut tree = Tree::default();
        tree.0.insert("/".into(), Node::Directory);
        for line in lines {
            let (path, node) = if let Some((path, text)) = line.split_once(" -> ") {
                (path, Node::Link(text.into()))
            } else if let Some((path, text)) = line.split_once(" = ") {
                (path, Node::File(0o644, Some(text.to_string())))
            } else if let Some(path) = line.strip_suffix('/') {
                (path, Node::Directory)
            } else if let Some(path) = line.strip_suffix('*') {
                (path, Node::File(0o755, None))
            } else if let Some(path) = line.strip_suffix('!') {
                (path, Node::Device)
            } else if let Some(path) = line.strip_suffix('@') {
                (path, Node::Socket)
            } else {
                (*line, Node::File(0o644, None))
            };
            tree.put(Path::new(path), node);
        }
        tree
    }

    pub fn put(&mut self, path: &Path, node: Node) {
        for parent in path.ancestors().skip(1) {
            self.0
                .entry(parent.to_path_buf())
                .or_insert(Node::Directory);
        }
        self.0.insert(path.to_path_buf(), node);
    }

    pub fn get(&self, path: &Path) -> Option<&Node> {
        self.0.get(path)
    }

    pub fn fact(&self, path: &Path) -> PathFact {
        let mut via = Vec::new();
        let mut done = PathBuf::from("/");
        let mut todo: Vec<PathBuf> = pieces(path);
        while let Some(piece) = todo.pop() {
            if piece == Path::new("..") {
                done.pop();
                continue;
            }
            let next = done.join(&piece);
            match self.0.get(&next) {
                None => return PathFact::Missing { nearest: done },
                Some(Node::Link(text)) => {
                    if via.len() == 40 {
                        return PathFact::Unreadable(libc::ELOOP);
                    }
                    via.push(next);
                    if text.is_absolute() {
                        done = PathBuf::from("/");
                    }
                    todo.extend(pieces(text));
                }
                Some(_) => done = next,
            }
        }
        let (kind, mode, text) = match &self.0[&done] {
            Node::Directory => (Kind::Directory, 0o755, None),
            Node::File(mode, text) => (Kind::File, *mode, text.clone()),
            Node::Device => (Kind::Device, 0o666, None),
            Node::Socket => (Kind::Socket, 0o666, None),
            Node::Link(_) => unreachable!("links are followed"),
        };
        PathFact::Found(Found {
            ino: self.0.keys().position(|path| *path == done).unwrap() as u64 + 1,
            link: match self.0.get(path) {
                Some(Node::Link(text)) => Some(text.clone()),
                _ => None,
            },
            real: done,
            kind,
            dev: 1,
            mode,
            uid: 1000,
            gid: 1000,
            via,
            kernel_fs: Vec::new(),
            text,
        })
    }

    /// A host on which every path of the tree, and every path of `also`, was looked at.
    pub fn host(&self, also: impl IntoIterator<Item = PathBuf>) -> Host {
        let wanted: BTreeSet<PathBuf> = self.0.keys().cloned().chain(also).collect();
        let paths = wanted
            .into_iter()
            .map(|path| (path.clone(), self.fact(&path)))
            .collect();
        Host {
            namespace_root: None,
            uid: 1000,
            gid: 1000,
            groups: Vec::new(),
            landlock_abi: 7,
            seccomp: true,
            mdwe: true,
            core_scheduling: false,
            speculation: [0, 0],
            cwd: "/work".into(),
            exe: None,
            proc_entries: Vec::new(),
            cpus: 2,
            cpu_numbers: vec![0, 1],
            perf: true,
            cgroup: None,
            env: BTreeMap::new(),
            hard_limits: BTreeMap::new(),
            paths,
            disks: BTreeMap::new(),
        }
    }
}

fn pieces(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| PathBuf::from(part.as_os_str()))
        .collect()
}

pub fn rule(content: Content, access: Access) -> FileRule {
    FileRule {
        content,
        access,
        optional: false,
        git: false,
        follows: false,
        origin: String::from("test"),
    }
}

pub fn host(source: &str, access: Access) -> FileRule {
    rule(Content::Host(source.into()), access)
}

pub fn nothing() -> FileRule {
    rule(Content::Nothing, Access::None)
}

pub fn tmpfs(access: Access) -> FileRule {
    let content = Content::Tmpfs {
        bytes: 1 << 20,
        inodes: 100,
    };
    rule(content, access)
}

/// A policy whose rules' origins are their own paths.
pub fn policy(rules: Vec<(&str, FileRule)>) -> Policy {
    let mut policy = Policy::default();
    for (at, mut rule) in rules {
        rule.origin = format!("p.toml:{}", policy.files.len() + 1);
        policy.files.insert(InsidePath::new(at).unwrap(), rule);
    }
    policy
}

/// The operations, one a line.
pub fn text(ops: &[Op]) -> String {
    let mut out = String::new();
    for op in ops {
        let line = match op {
            Op::Directory { at, mode } => format!("directory {} {mode:o}", at.display()),
            Op::File { at, text, mode } => {
                format!(
                    "file {} {mode:o} {:?}",
                    at.display(),
                    String::from_utf8_lossy(text)
                )
            }
            Op::Symlink { at, target } => {
                format!("symlink {} -> {}", at.display(), target.display())
            }
            Op::Tmpfs {
                at,
                mode,
                attributes,
                ..
            } => {
                format!("tmpfs {} {mode:o}{}", at.display(), words(*attributes))
            }
            Op::Bind {
                at,
                source,
                attributes,
                device,
                ..
            } => format!(
                "bind {} from {}{}{}",
                at.display(),
                source.display(),
                words(*attributes),
                if *device { " device" } else { "" }
            ),
            Op::Pin { at, attributes } => format!("pin {}{}", at.display(), words(*attributes)),
            Op::Mask { at, directory } => format!(
                "mask {} {}",
                at.display(),
                if *directory { "directory" } else { "file" }
            ),
            Op::Cover { at, text } => {
                format!("cover {} {:?}", at.display(), String::from_utf8_lossy(text))
            }
            Op::Proc { at, only_pids } => format!("proc {} only-pids={only_pids}", at.display()),
            Op::Devpts { at } => format!("devpts {}", at.display()),
            Op::Seal { at } => format!("seal {}", at.display()),
        };
        writeln!(out, "{line}").unwrap();
    }
    out
}

fn words(attributes: MountAttributes) -> String {
    format!(
        " {}{}",
        if attributes.read_only { "ro" } else { "rw" },
        if attributes.no_exec { " noexec" } else { "" }
    )
}
