//! Looks at every host path that the file map speaks of, and records what stands there.
//!
//! It decides nothing and follows no policy: a path that cannot be looked at is
//! a fact like any other, and judging facts is the planner's work.

use super::mountinfo::{Mount, mounts};
use super::normal::normal;
use super::{Found, Kind, PathFact, PathFacts, git};
use crate::policy::{Content, Policy};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

pub(crate) use super::normal::{above, rest, upwards, within};

/// Device nodes of the minimal `/dev`, by name.
pub const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

/// Symbolic links followed before giving up, as the kernel does (ELOOP, path_resolution(7)).
pub const MAX_LINKS: usize = 40;

/// Facts about every host path that planning `policy` may ask about.
///
/// These are: each source, and each path that is hidden; for a rule below another, its position inside the
/// tree that the other one binds; the policy files; the program (`program` as
/// typed, when it contains a slash, relative to `cwd`); the device nodes; the
/// running executable, where a source contains it; and what `git = "protect"` has to know.
pub fn facts(policy: &Policy, program: Option<&Path>, cwd: &Path) -> PathFacts {
    let mut prober = Prober::new(mounts());
    for path in &policy.sources {
        prober.look(path);
        if let Some(parent) = path.parent() {
            prober.look(parent);
        }
    }
    let mut inside: BTreeSet<OsString> = BTreeSet::new();
    let mut links: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut trees: Vec<(PathBuf, PathBuf)> = Vec::new();
    for (at, rule) in &policy.files {
        let at = at.as_path();
        inside.insert(at.into());
        match &rule.content {
            Content::Host(source) => {
                let Some(found) = prober.find(source) else {
                    continue;
                };
                let real = found.real.clone();
                if let (Some(text), true) = (&found.link, source == at) {
                    links.push((at.to_path_buf(), text.clone()));
                }
                if rule.git {
                    for path in git::wanted(&real) {
                        prober.look_git(&path);
                        // Those that become rules are trees for rules below them.
                        trees.push((path.clone(), path.clone()));
                        // A rule on the work tree may hold the repository too.
                        inside.insert(path.clone().into());
                        if let Ok(rest) = path.strip_prefix(&real) {
                            inside.insert(at.join(rest).into());
                        }
                    }
                }
                trees.push((at.to_path_buf(), real));
            }
            Content::Symlink(text) => links.push((at.to_path_buf(), text.clone())),
            // What it hides may have a second name.
            Content::Nothing => prober.look(at),
            Content::Dev { .. } => {
                for name in DEVICES {
                    prober.look(&Path::new("/dev").join(name));
                }
            }
            _ => {}
        }
    }
    if let Some(program) = program {
        let path = cwd.join(program);
        inside.insert(lexical(&path).into());
        if let Some(found) = prober.find(&path) {
            inside.insert(found.real.clone().into());
        }
    }
    if let Ok(exe) = std::env::current_exe()
        && trees.iter().any(|(_, real)| within(&exe, real))
    {
        prober.look(&exe);
    }
    for path in through_links(inside, &links) {
        let path = Path::new(&path);
        for (at, real) in &trees {
            if let Some(rest) = rest(path, at)
                && !rest.as_os_str().is_empty()
            {
                prober.look(&real.join(rest));
            }
        }
    }
    PathFacts::of_spellings(prober.facts)
}

/// Names in the host's `/proc` that are no process, sorted; a directory's name
/// ends in `/`. Empty where `/proc` cannot be listed.
pub fn proc_entries() -> Vec<String> {
    let entries = loop {
        match fs::read_dir("/proc") {
            Ok(entries) => break entries,
            // Of all that the standard library opens, only a directory is not
            // opened again by itself.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Vec::new(),
        }
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let mut name = entry.file_name().into_string().ok()?;
            if name.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                name.push('/');
            }
            Some(name)
        })
        .collect();
    names.sort();
    names
}

/// `path` with `.` and `..` taken away by their text alone; symbolic links are
/// not looked at. `..` at the root stays at the root.
pub fn lexical(path: &Path) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => {
                normal.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    normal
}

/// Where the link text `target`, found at `link`, points by its text alone.
pub fn link_target(link: &Path, target: &Path) -> PathBuf {
    lexical(&link.parent().unwrap_or(Path::new("/")).join(target))
}

/// The paths, and every further name they get when a prefix of them is one of `links`.
fn through_links(
    mut paths: BTreeSet<OsString>,
    links: &[(PathBuf, PathBuf)],
) -> BTreeSet<OsString> {
    let mut fresh: Vec<OsString> = paths.iter().cloned().collect();
    for _ in 0..MAX_LINKS {
        let mut next = Vec::new();
        for path in &fresh {
            for (at, text) in links {
                if let Some(rest) = rest(Path::new(path), at)
                    && !rest.as_os_str().is_empty()
                {
                    let other = link_target(at, text).join(rest).into_os_string();
                    if paths.insert(other.clone()) {
                        next.push(other);
                    }
                }
            }
        }
        if next.is_empty() {
            break;
        }
        fresh = next;
    }
    paths
}

struct Prober {
    mounts: Vec<Mount>,
    facts: BTreeMap<OsString, PathFact>,
    /// Directories that are no symbolic link, and neither is anything above them.
    plain: BTreeSet<OsString>,
}

impl Prober {
    fn new(mounts: Vec<Mount>) -> Prober {
        Prober {
            mounts,
            facts: BTreeMap::new(),
            plain: BTreeSet::new(),
        }
    }

    /// Looks at a path, once.
    fn look(&mut self, path: &Path) {
        if self.facts.contains_key(path.as_os_str()) {
            return;
        }
        let mut fact = self.probe(path);
        if let PathFact::Found(found) = &mut fact {
            found.kernel_fs = self.kernel_fs(&found.real);
        }
        self.facts.insert(path.as_os_str().to_os_string(), fact);
    }

    /// Looks, and says what was found.
    fn find(&mut self, path: &Path) -> Option<&Found> {
        self.look(path);
        match self.facts.get(path.as_os_str()) {
            Some(PathFact::Found(found)) => Some(found),
            _ => None,
        }
    }

    fn look_git(&mut self, path: &Path) {
        self.look(path);
        if let Some(PathFact::Found(found)) = self.facts.get_mut(path.as_os_str()) {
            found.text = git::text(path);
        }
    }

    /// The mount that `real` lies on and those below it, where they show the kernel.
    fn kernel_fs(&self, real: &Path) -> Vec<(PathBuf, String)> {
        let mut around: Option<&Mount> = None;
        let mut special: Vec<(PathBuf, String)> = Vec::new();
        let mut add = |at: &Path, kind: Option<&str>| {
            if let Some(kind) = kind {
                special.push((at.to_path_buf(), kind.to_owned()));
            }
        };
        for mount in &self.mounts {
            let (at, kind) = mount;
            if within(real, at) {
                // Of two at the same place the later covers the earlier.
                if around.is_none_or(|(other, _)| other.as_os_str().len() <= at.as_os_str().len()) {
                    around = Some(mount);
                }
            } else if kind.is_some() && within(at, real) {
                add(at, *kind);
            }
        }
        if let Some((at, kind)) = around {
            add(at, *kind);
        }
        special.sort();
        special.dedup();
        special
    }

    /// What stands at `path`. One look for each name on the way, and none at the
    /// directories that earlier looks went through; [`probe`] does the rest.
    fn probe(&mut self, path: &Path) -> PathFact {
        if !normal(path) {
            return probe(path);
        }
        match self.walk(path) {
            Walk::Absent(fact) => fact,
            Walk::Plain(metadata) if !metadata.is_symlink() => {
                found(path.to_path_buf(), None, Vec::new(), &metadata)
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
            Walk::Plain(metadata) if !metadata.is_symlink() => {
                let via = vec![at.to_path_buf()];
                Some(found(real, None, via, &metadata))
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
            Walk::Plain(metadata) if !metadata.is_symlink() => Some(found(
                target,
                Some(text),
                vec![path.to_path_buf()],
                &metadata,
            )),
            _ => None,
        }
    }

    /// Looks at every name of a normal path, from the root on.
    fn walk<'p>(&mut self, path: &'p Path) -> Walk<'p> {
        let mut names: Vec<&Path> = upwards(path).skip(1).collect();
        names.pop(); // the root
        let mut last = Path::new("/");
        while let Some(directory) = names.pop() {
            if !self.plain.contains(directory.as_os_str()) {
                match fs::symlink_metadata(directory) {
                    Ok(metadata) if metadata.is_symlink() => return Walk::Link(directory),
                    Ok(metadata) if metadata.is_dir() => {
                        self.plain.insert(directory.as_os_str().to_os_string());
                    }
                    Ok(_) => {}
                    Err(error) => return Walk::Absent(nothing(&error, || last.to_path_buf())),
                }
            }
            last = directory;
        }
        match fs::symlink_metadata(path) {
            Ok(metadata) => Walk::Plain(metadata),
            Err(error) => Walk::Absent(nothing(&error, || last.to_path_buf())),
        }
    }
}

/// Where looking at the names of a path ended.
enum Walk<'p> {
    /// At its end, with no symbolic link on the way.
    Plain(fs::Metadata),
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
    let metadata = match fs::symlink_metadata(&real) {
        Ok(metadata) => metadata,
        Err(error) => return absent(path, &error),
    };
    found(real, link, via, &metadata)
}

fn found(
    real: PathBuf,
    link: Option<PathBuf>,
    via: Vec<PathBuf>,
    metadata: &fs::Metadata,
) -> PathFact {
    let file_type = metadata.file_type();
    let kind = if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_file() {
        Kind::File
    } else if file_type.is_char_device() || file_type.is_block_device() {
        Kind::Device
    } else if file_type.is_socket() {
        Kind::Socket
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else {
        // It was swapped for a symbolic link between two looks.
        return PathFact::Unreadable(libc::ELOOP);
    };
    PathFact::Found(Found {
        real,
        link,
        kind,
        dev: metadata.dev(),
        ino: metadata.ino(),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
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
    fn another_spelling_of_a_path_does_not_replace_its_fact() {
        let facts = [("/a//b/", 1), ("/a/b", 2), ("/a/b/", 3), ("/a/b/.", 4)];
        let facts = facts.map(|(path, errno)| (path.into(), PathFact::Unreadable(errno)));
        let kept = PathFacts::of_spellings(facts.into());
        let expected = [(PathBuf::from("/a/b"), PathFact::Unreadable(2))];
        assert_eq!(kept, expected.into());
    }

    #[test]
    fn the_text_of_a_path_is_normalised() {
        assert_eq!(lexical(Path::new("/a/./b/../c")), Path::new("/a/c"));
        assert_eq!(lexical(Path::new("/../../a")), Path::new("/a"));
        assert_eq!(
            link_target(Path::new("/usr/bin/x"), Path::new("../lib/y")),
            Path::new("/usr/lib/y")
        );
    }

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
        let mut prober = Prober::new(Vec::new());
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
            assert_eq!(prober.probe(&path), probe(&path), "{name}");
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

    #[test]
    fn proc_has_directories_and_files_but_no_process() {
        let names = proc_entries();
        assert!(names.iter().any(|name| name == "stat"));
        assert!(names.iter().any(|name| name == "sys/"));
        assert!(!names.iter().any(|name| name == "1" || name == "1/"));
    }
}
