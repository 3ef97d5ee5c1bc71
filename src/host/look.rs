//! Looks at a host path: what stands there, and which symbolic links lead there.
//!
//! It chooses no path, and does not say what follows from what it finds.

use super::normal::{above, normal, rest, upwards};
use super::paths::MAX_LINKS;
use super::{Found, Kind, PathFact};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What was looked at.
#[derive(Default)]
pub(super) struct Names {
    /// Names that are no symbolic link, and neither is anything above them.
    seen: Vec<(PathBuf, Node)>,
}

/// What a name stands for.
#[derive(Clone, Copy)]
struct Node {
    /// `None` is a symbolic link.
    kind: Option<Kind>,
    dev: u64,
    ino: u64,
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Node {
    /// Looks, and follows no link at the end.
    fn at(path: &Path) -> io::Result<Node> {
        let metadata = fs::symlink_metadata(path)?;
        let file_type = metadata.file_type();
        let kind = if file_type.is_dir() {
            Some(Kind::Directory)
        } else if file_type.is_file() {
            Some(Kind::File)
        } else if file_type.is_char_device() || file_type.is_block_device() {
            Some(Kind::Device)
        } else if file_type.is_socket() {
            Some(Kind::Socket)
        } else if file_type.is_fifo() {
            Some(Kind::Fifo)
        } else {
            None
        };
        Ok(Node {
            kind,
            dev: metadata.dev(),
            ino: metadata.ino(),
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
        })
    }
}

impl Names {
    /// What stands at `path`. One look for each name on the way, and none at those
    /// that earlier looks went through; [`probe`] does the rest.
    pub(super) fn probe(&mut self, path: &Path) -> PathFact {
        if !normal(path) {
            return probe(path);
        }
        match self.walk(path) {
            Walk::Absent(fact) => fact,
            Walk::Plain(node) if node.kind.is_some() => {
                found(path.to_path_buf(), None, Vec::new(), node)
            }
            Walk::Plain(_) => self.through_link(path).unwrap_or_else(|| probe(path)),
            Walk::Link(at) => {
                let behind = self.behind_link(path, at);
                behind.unwrap_or_else(|| probe(path))
            }
        }
    }

    /// What lies behind the first link on the way, `/bin` of `/bin/sh`, where its text
    /// leads straight there.
    fn behind_link(&mut self, path: &Path, at: &Path) -> Option<PathFact> {
        let target = above(at)?.join(fs::read_link(at).ok()?);
        let real = target.join(rest(path, at)?);
        if !normal(&target) || !normal(&real) {
            return None;
        }
        match self.walk(&real) {
            Walk::Plain(node) if node.kind.is_some() => {
                let via = vec![at.to_path_buf()];
                Some(found(real, None, via, node))
            }
            _ => None,
        }
    }

    /// A link whose text leads straight to what it means, such as `/bin` → `usr/bin`.
    fn through_link(&mut self, path: &Path) -> Option<PathFact> {
        let text = fs::read_link(path).ok()?;
        let target = above(path)?.join(&text);
        if !normal(&target) {
            return None;
        }
        match self.walk(&target) {
            Walk::Plain(node) if node.kind.is_some() => {
                let via = vec![path.to_path_buf()];
                Some(found(target, Some(text), via, node))
            }
            _ => None,
        }
    }

    /// Looks at every name of a normal path that was not seen yet, from the root on.
    fn walk<'p>(&mut self, path: &'p Path) -> Walk<'p> {
        if let Some(node) = self.seen(path) {
            return Walk::Plain(node);
        }
        let mut last = Path::new("/");
        let mut names: Vec<&Path> = Vec::new();
        for name in upwards(path).skip(1).take_while(|name| *name != "/") {
            if self.seen(name).is_some() {
                last = name;
                break;
            }
            names.push(name);
        }
        while let Some(name) = names.pop() {
            match Node::at(name) {
                Ok(node) if node.kind.is_none() => return Walk::Link(name),
                Ok(node) => self.seen.push((name.to_path_buf(), node)),
                Err(error) => return Walk::Absent(nothing(&error, || last.to_path_buf())),
            }
            last = name;
        }
        match Node::at(path) {
            Ok(node) => {
                if node.kind.is_some() {
                    self.seen.push((path.to_path_buf(), node));
                }
                Walk::Plain(node)
            }
            Err(error) => Walk::Absent(nothing(&error, || last.to_path_buf())),
        }
    }

    fn seen(&self, path: &Path) -> Option<Node> {
        // What lies in one directory is looked at one after the other.
        let same = |(name, _): &&(PathBuf, Node)| name.as_os_str() == path.as_os_str();
        self.seen.iter().rev().find(same).map(|(_, node)| *node)
    }
}

/// Where looking at the names of a path ended.
enum Walk<'p> {
    /// At its end, with no symbolic link on the way.
    Plain(Node),
    /// At a symbolic link on the way: this one.
    Link(&'p Path),
    /// At a name that is not there or cannot be looked at, with no link before it.
    Absent(PathFact),
}

/// What stands at a path, by the kernel's own resolution.
fn probe(path: &Path) -> PathFact {
    let link_metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return absent(path, &error),
    };
    let link = match link_metadata.file_type().is_symlink() {
        true => match fs::read_link(path) {
            Ok(text) => Some(text),
            Err(error) => return absent(path, &error),
        },
        false => None,
    };
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) => return absent(path, &error),
    };
    let via = match real == path {
        true => Vec::new(),
        // Where somebody swaps names between two looks, the links seen need not be
        // those that led there, and a link that leads there must not go unseen.
        false => match links_on_the_way(path) {
            (walked, via) if walked == real => via,
            _ => return PathFact::Unreadable(libc::ELOOP),
        },
    };
    match Node::at(&real) {
        Ok(node) => found(real, link, via, node),
        Err(error) => absent(path, &error),
    }
}

fn found(real: PathBuf, link: Option<PathBuf>, via: Vec<PathBuf>, node: Node) -> PathFact {
    let Some(kind) = node.kind else {
        // It was swapped for a symbolic link between two looks.
        return PathFact::Unreadable(libc::ELOOP);
    };
    PathFact::Found(Found {
        real,
        link,
        kind,
        dev: node.dev,
        ino: node.ino,
        mode: node.mode,
        uid: node.uid,
        gid: node.gid,
        via,
        kernel_fs: Vec::new(),
        text: None,
    })
}

fn absent(path: &Path, error: &io::Error) -> PathFact {
    nothing(error, || {
        path.ancestors()
            .skip(1)
            .find_map(|ancestor| fs::canonicalize(ancestor).ok())
            .unwrap_or_else(|| PathBuf::from("/"))
    })
}

fn nothing(error: &io::Error, nearest: impl FnOnce() -> PathBuf) -> PathFact {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => PathFact::Missing { nearest: nearest() },
        Some(errno) => PathFact::Unreadable(errno),
        None => PathFact::Unreadable(libc::EIO),
    }
}

/// Where `path` leads, and every symbolic link that is read on the way, each by a
/// path whose parent has none.
fn links_on_the_way(path: &Path) -> (PathBuf, Vec<PathBuf>) {
    let mut links = Vec::new();
    let mut done = PathBuf::from("/");
    let mut todo: Vec<OsString> = Vec::new();
    let push = |todo: &mut Vec<OsString>, path: &Path| {
        todo.extend(
            path.components()
                .rev()
                .map(|component| component.as_os_str().to_os_string()),
        );
    };
    push(&mut todo, path);
    while let Some(name) = todo.pop() {
        match name.as_bytes() {
            b"/" => done = PathBuf::from("/"),
            b"." => {}
            b".." => {
                done.pop();
            }
            _ => {
                let next = done.join(&name);
                match fs::read_link(&next) {
                    Ok(text) if links.len() < MAX_LINKS => {
                        links.push(next);
                        push(&mut todo, &text);
                    }
                    _ => done = next,
                }
            }
        }
    }
    (done, links)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_tree_is_looked_at() {
        let base = std::env::temp_dir().join(format!("paths-{}", std::process::id()));
        fs::create_dir_all(base.join("dir")).unwrap();
        let base = fs::canonicalize(base).unwrap();
        fs::write(base.join("dir/file"), "x").unwrap();
        std::os::unix::fs::symlink("dir", base.join("link")).unwrap();
        fs::create_dir(base.join("dir/deep")).unwrap();
        fs::write(base.join("dir/deep/file"), "x").unwrap();
        std::os::unix::fs::symlink("../dir", base.join("dir/up")).unwrap();
        std::os::unix::fs::symlink(base.join("dir"), base.join("absolute")).unwrap();
        std::os::unix::fs::symlink("../dir/deep", base.join("dir/dots")).unwrap();
        std::os::unix::fs::symlink("loop", base.join("loop")).unwrap();
        std::os::unix::fs::symlink("dir/../link/file", base.join("winding")).unwrap();
        std::os::unix::fs::symlink("no/where", base.join("nowhere")).unwrap();
        // The quick way says what the kernel's own resolution says.
        let mut names = Names::default();
        for name in [
            "",
            "dir",
            "dir/file",
            "dir/file/x",
            "dir/none",
            "dir/no/where",
            "link",
            "link/file",
            "link/none",
            "link/deep/file",
            "link/deep",
            "link/up",
            "absolute/file",
            "absolute/dots/file",
            "loop",
            "loop/x",
            "winding",
            "nowhere",
            "dir/../dir",
            "dir/",
        ] {
            let path = base.join(name);
            assert_eq!(names.probe(&path), probe(&path), "{name}");
        }
        let PathFact::Found(found) = probe(&base.join("link/file")) else {
            panic!("not found");
        };
        assert_eq!(found.real, base.join("dir/file"));
        assert_eq!(found.link, None);
        assert_eq!(found.via, [base.join("link")]);
        assert_eq!(found.kind, Kind::File);
        let PathFact::Found(found) = probe(&base.join("link")) else {
            panic!("not found");
        };
        assert_eq!(found.link, Some(PathBuf::from("dir")));
        assert_eq!(
            probe(&base.join("dir/no/where")),
            PathFact::Missing {
                nearest: base.join("dir")
            }
        );
        assert_eq!(probe(&base.join("loop")), PathFact::Unreadable(libc::ELOOP));
        fs::remove_dir_all(base).unwrap();
    }
}
