//! Looks at every host path that the file map speaks of, and records what stands there.
//!
//! It decides nothing and follows no policy: a path that cannot be looked at is
//! a fact like any other, and judging facts is the planner's work.

use super::look::Names;
use super::mountinfo::{Mount, mounts};
use super::normal::{joined, normal};
use super::{Found, PathFact, PathFacts, git};
use crate::policy::{Content, Policy};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
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
    let exe = std::env::current_exe().ok();
    facts_beside(policy, program, cwd, exe.as_deref())
}

/// The same, where `exe` is the running executable.
pub(super) fn facts_beside(
    policy: &Policy,
    program: Option<&Path>,
    cwd: &Path,
    exe: Option<&Path>,
) -> PathFacts {
    let mut prober = Prober::new(mounts());
    for path in &policy.sources {
        prober.look(path);
        if let Some(parent) = path.parent() {
            prober.look(parent);
        }
    }
    let mut inside: Vec<Cow<Path>> = Vec::with_capacity(policy.files.len() + 2);
    let mut links: Vec<(&Path, PathBuf)> = Vec::new();
    let mut trees: Vec<(Cow<Path>, PathBuf)> = Vec::with_capacity(policy.files.len());
    for (at, rule) in &policy.files {
        let at = at.as_path();
        inside.push(at.into());
        match &rule.content {
            Content::Host(source) => {
                let Some(found) = prober.find(source) else {
                    continue;
                };
                let real = found.real.clone();
                if let Some(text) = &found.link
                    && source == at
                {
                    links.push((at, text.clone()));
                }
                if rule.git {
                    for path in git::wanted(&real) {
                        prober.look_git(&path);
                        // Those that become rules are trees for rules below them.
                        trees.push((path.clone().into(), path.clone()));
                        // A rule on the work tree may hold the repository too.
                        if let Ok(rest) = path.strip_prefix(&real) {
                            inside.push(at.join(rest).into());
                        }
                        inside.push(path.into());
                    }
                }
                trees.push((at.into(), real));
            }
            Content::Symlink(text) => links.push((at, text.clone())),
            // What it hides may have a second name.
            Content::Nothing => {
                prober.look(at);
            }
            Content::Dev { .. } => {
                for name in DEVICES {
                    prober.look(&joined(Path::new("/dev"), Path::new(name)));
                }
            }
            _ => {}
        }
    }
    if let Some(program) = program {
        let path = cwd.join(program);
        inside.push(lexical(&path).into());
        if let Some(found) = prober.find(&path) {
            inside.push(found.real.clone().into());
        }
    }
    if let Some(exe) = exe
        && trees.iter().any(|(_, real)| within(exe, real))
    {
        prober.look(exe);
    }
    let others = through_links(&inside, &links);
    let inside = inside.iter().map(|path| &**path);
    for path in inside.chain(others.iter().map(Path::new)) {
        for (at, real) in &trees {
            if let Some(rest) = rest(path, at)
                && !rest.as_os_str().is_empty()
            {
                prober.look(&joined(real, rest));
            }
        }
    }
    PathFacts::of_spellings(prober.facts, prober.odd)
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
    if normal(path) {
        return path.to_path_buf();
    }
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

/// Every further name that the paths get when a prefix of them is one of `links`.
fn through_links(paths: &[Cow<Path>], links: &[(&Path, PathBuf)]) -> BTreeSet<OsString> {
    let mut names = BTreeSet::new();
    let mut fresh: Vec<Cow<Path>> = paths.iter().map(|path| Cow::Borrowed(&**path)).collect();
    for _ in 0..MAX_LINKS {
        let mut next = Vec::new();
        for path in &fresh {
            for (at, text) in links {
                if let Some(rest) = rest(path, at)
                    && !rest.as_os_str().is_empty()
                {
                    let other = link_target(at, text).join(rest);
                    if names.insert(other.clone().into_os_string()) {
                        next.push(other.into());
                    }
                }
            }
        }
        if next.is_empty() {
            break;
        }
        fresh = next;
    }
    names
}

struct Prober {
    mounts: Vec<Mount>,
    names: Names,
    facts: PathFacts,
    /// What was found at paths that are not normal, each as it was asked for.
    odd: BTreeMap<OsString, PathFact>,
}

impl Prober {
    fn new(mounts: Vec<Mount>) -> Prober {
        Prober {
            mounts,
            names: Names::default(),
            facts: PathFacts::default(),
            odd: BTreeMap::new(),
        }
    }

    /// Looks at a path, once.
    fn look(&mut self, path: &Path) -> &mut PathFact {
        let (names, mounts) = (&mut self.names, &self.mounts);
        let probe = || {
            let mut fact = names.probe(path);
            if let PathFact::Found(found) = &mut fact {
                found.kernel_fs = kernel_fs(mounts, &found.real);
            }
            fact
        };
        match normal(path) {
            true => self.facts.get_or_insert_with(path, probe),
            false => self.odd.entry(path.into()).or_insert_with(probe),
        }
    }

    /// Looks, and says what was found.
    fn find(&mut self, path: &Path) -> Option<&mut Found> {
        match self.look(path) {
            PathFact::Found(found) => Some(found),
            _ => None,
        }
    }

    fn look_git(&mut self, path: &Path) {
        if let Some(found) = self.find(path) {
            found.text = git::text(path);
        }
    }
}

/// The mount that `real` lies on and those below it, where they show the kernel.
fn kernel_fs(mounts: &[Mount], real: &Path) -> Vec<(PathBuf, String)> {
    let mut special: Vec<(PathBuf, String)> = Vec::new();
    let mut on_one = false;
    for (at, kind) in mounts {
        let Some(kind) = kind else { continue };
        if at.as_os_str().len() <= real.as_os_str().len() {
            on_one |= within(real, at);
        } else if within(at, real) {
            special.push((at.to_path_buf(), String::from(*kind)));
        }
    }
    if on_one {
        // Of two at the same place the later covers the earlier.
        let around = mounts.iter().filter(|(at, _)| within(real, at));
        if let Some((at, Some(kind))) = around.max_by_key(|(at, _)| at.as_os_str().len()) {
            special.push((at.to_path_buf(), String::from(*kind)));
        }
    }
    special.sort();
    special.dedup();
    special
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::mountinfo::parse_mountinfo;

    #[test]
    fn another_spelling_of_a_path_does_not_replace_its_fact() {
        let odd = [("/a//b/", 1), ("/a/b/", 3), ("/a/b/.", 4)];
        let odd = odd.map(|(path, errno)| (path.into(), PathFact::Unreadable(errno)));
        let fact = |errno| PathFacts::from([("/a/b".into(), PathFact::Unreadable(errno))]);
        let kept = PathFacts::of_spellings(fact(2), odd.clone().into());
        assert_eq!(kept, fact(2));
        let kept = PathFacts::of_spellings(PathFacts::default(), odd.into());
        assert_eq!(kept, fact(4));
    }

    #[test]
    fn the_innermost_mount_around_a_path_and_those_below_it_count() {
        let mounts = parse_mountinfo(
            b"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /sys rw - sysfs x rw\n\
              3 2 0:3 / /sys/x rw - tmpfs x rw\n4 1 0:4 / /a/p rw - proc x rw\n\
              5 1 0:4 / /a-b rw - proc x rw\n6 4 0:5 / /c rw - proc x rw\n\
              7 6 0:6 / /c rw - tmpfs x rw\n",
        );
        let found = |real: &str| {
            let mounts = kernel_fs(&mounts, Path::new(real));
            let found = mounts
                .iter()
                .map(|(at, kind)| format!("{}:{kind}", at.display()));
            found.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("/sys/y"), "/sys:sysfs");
        assert_eq!(found("/sys/x/y"), "");
        assert_eq!(found("/a"), "/a/p:proc");
        assert_eq!(found("/a/p"), "/a/p:proc");
        assert_eq!(found("/c/d"), "");
        assert_eq!(found("/"), "/a/p:proc /a-b:proc /c:proc /sys:sysfs");
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
    fn proc_has_directories_and_files_but_no_process() {
        let names = proc_entries();
        assert!(names.iter().any(|name| name == "stat"));
        assert!(names.iter().any(|name| name == "sys/"));
        assert!(!names.iter().any(|name| name == "1" || name == "1/"));
    }
}
