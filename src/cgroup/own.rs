//! Which group this process is in, and where its directory is: `/proc/self/cgroup` read
//! against the table of mounts. It changes nothing.

use super::Controllers;
use super::failure::Failure;
use super::group::Group;
use crate::escape::tick;
use crate::mountinfo;
use crate::sys::whole;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Where this process stands in the tree of cgroup v2.
#[derive(Debug)]
pub(super) struct Place {
    /// The top of what is mounted.
    pub(super) top: Group,
    /// Our own group below that; empty when it is the top.
    pub(super) below: PathBuf,
    /// Is the top the whole tree as this process may see it?
    pub(super) is_root: bool,
    /// Controllers that a hierarchy of cgroup v1 has, so that v2 has not.
    pub(super) taken_by_v1: Controllers,
}

impl Place {
    /// Looks.
    pub(super) fn find() -> Result<Place, Failure> {
        let groups = groups()?;
        let own = own_in(&groups)?;
        if let Some(place) = usual(&own, &groups) {
            return Ok(place);
        }
        let table = whole::read(c"/proc/self/mountinfo").map_err(|errno| {
            let error = io::Error::from(errno);
            Failure::new(format!("cannot read `/proc/self/mountinfo`: {error}"))
        })?;
        let mounts = mounts(&table);
        if mounts.is_empty() {
            return Err(Failure::new("cgroup v2 is mounted nowhere")
                .hint("mount it: `mount -t cgroup2 none /sys/fs/cgroup`"));
        }
        let mut last = None;
        for (at, root) in mounts {
            let place = below(&own, &root).and_then(|below| {
                Ok(Place {
                    top: Group::open(&at)?,
                    below,
                    is_root: root == Path::new("/"),
                    taken_by_v1: parse_taken(&groups),
                })
            });
            match place {
                Ok(place) => return Ok(place),
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| Failure::new("cgroup v2 is mounted nowhere")))
    }

    /// Our own group.
    pub(super) fn own(&self) -> Result<Group, Failure> {
        self.group(&self.below)
    }

    /// The groups above our own, nearest first.
    pub(super) fn above(&self) -> impl Iterator<Item = &Path> {
        self.below.ancestors().skip(1)
    }

    /// A group below the top.
    pub(super) fn group(&self, below: &Path) -> Result<Group, Failure> {
        let opened = match below.as_os_str().is_empty() {
            true => self.top.again(),
            false => self.top.below(below),
        };
        let path = self.top.path().join(below);
        opened.map_err(|errno| Failure::because(format_args!("open {}", tick(path)), errno))
    }
}

/// The whole tree at one of the two places where everybody has it: the table of mounts, long
/// on some machines, would say nothing more.
fn usual(own: &Path, groups: &[u8]) -> Option<Place> {
    // In another namespace paths begin elsewhere. This one has a fixed number (PROC_CGROUP_INIT_INO
    // in the kernel's include/linux/proc_ns.h).
    const FIRST_NAMESPACE: u64 = 0xefff_fffb;
    let namespace = nix::sys::stat::stat("/proc/self/ns/cgroup").ok()?;
    if namespace.st_ino != FIRST_NAMESPACE {
        return None;
    }
    let top = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .find_map(|at| Group::open(Path::new(at)).ok())
        .filter(Group::is_topmost)?;
    Some(Place {
        below: below(own, Path::new("/")).ok()?,
        top,
        is_root: true,
        taken_by_v1: parse_taken(groups),
    })
}

/// The path of our own group, as `/proc/self/cgroup` says it now.
pub(super) fn own_path() -> Result<PathBuf, Failure> {
    own_in(&groups()?)
}

fn groups() -> Result<Vec<u8>, Failure> {
    whole::read(c"/proc/self/cgroup").map_err(|errno| {
        let error = io::Error::from(errno);
        Failure::new(format!("cannot read `/proc/self/cgroup`: {error}"))
    })
}

fn own_in(groups: &[u8]) -> Result<PathBuf, Failure> {
    parse_own(groups).ok_or_else(|| {
        Failure::new("`/proc/self/cgroup` has no line for cgroup v2: the kernel has none")
    })
}

/// The path in the line `0::`.
fn parse_own(text: &[u8]) -> Option<PathBuf> {
    let line = text
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"0::"))?;
    line.starts_with(b"/")
        .then(|| PathBuf::from(OsStr::from_bytes(line)))
}

/// Controllers that a hierarchy of cgroup v1 has, so that v2 has not.
pub(super) fn taken_by_v1() -> Controllers {
    parse_taken(&groups().unwrap_or_default())
}

/// From lines such as `4:memory:/` or `3:cpu,cpuacct:/`.
fn parse_taken(text: &[u8]) -> Controllers {
    let names = text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let (number, names) = (fields.next()?, fields.next()?);
        (number != b"0").then(|| String::from_utf8_lossy(names).replace(',', " "))
    });
    let names = names.collect::<Vec<_>>().join(" ");
    // The older name of the controller.
    Controllers::parse(&names.replace("blkio", "io"))
}

/// Where cgroup v2 is mounted, and which group each mount shows.
fn mounts(table: &[u8]) -> Vec<(PathBuf, PathBuf)> {
    mountinfo::lines(table)
        .filter(|line| line.kind == b"cgroup2")
        .map(|line| (line.at.into_owned(), line.root.into_owned()))
        .collect()
}

/// Our own group below a mount's root; both as seen from this cgroup namespace.
fn below(own: &Path, root: &Path) -> Result<PathBuf, Failure> {
    let outside = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    if outside(own) {
        return Err(Failure::new(format!(
            "our own group {} is outside of our cgroup namespace",
            tick(own)
        ))
        .hint("enter the namespace and the group together: `nsenter -C` does not move a process"));
    }
    if outside(root) {
        return Err(Failure::new(format!(
            "cgroup v2 is mounted as another namespace sees it (its root is {} here), so our own group cannot be told",
            tick(root)
        ))
        .hint("mount cgroup v2 from inside the cgroup namespace"));
    }
    match own.strip_prefix(root) {
        Ok(below) => Ok(below.to_owned()),
        Err(_) => Err(Failure::new(format!(
            "our own group {} is not below {}, which is what is mounted of cgroup v2",
            tick(own),
            tick(root)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_line_of_v2_is_found_among_those_of_v1() {
        let hybrid = b"12:cpu,cpuacct:/a\n4:memory:/b\n3:blkio:/\n1:name=systemd:/c\n0::/d e:f\n";
        assert_eq!(parse_own(hybrid), Some(PathBuf::from("/d e:f")));
        assert_eq!(
            parse_taken(hybrid),
            Controllers::CPU | Controllers::MEMORY | Controllers::IO
        );
        assert_eq!(parse_own(b"0::/\n"), Some(PathBuf::from("/")));
        assert_eq!(parse_taken(b"0::/memory:memory:\n"), Controllers::NONE);
        assert_eq!(parse_own(b"4:memory:/b\n"), None);
        assert_eq!(parse_own(b"0::\n"), None);
    }

    #[test]
    fn only_mounts_of_v2_count_and_the_root_is_kept() {
        let table = b"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
            41 31 0:38 /a\\040b /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        assert_eq!(
            mounts(table),
            [(
                PathBuf::from("/sys/fs/cgroup/unified"),
                PathBuf::from("/a b")
            )]
        );
    }

    #[test]
    fn our_own_group_is_told_from_the_mounts_root() {
        let at = |own: &str, root: &str| below(Path::new(own), Path::new(root));
        let found = |own: &str, root: &str| at(own, root).unwrap();
        assert_eq!(found("/", "/"), Path::new(""));
        assert_eq!(found("/a/b", "/"), Path::new("a/b"));
        assert_eq!(found("/a/b", "/a"), Path::new("b"));
        for (own, root, why) in [
            ("/ab", "/a", "is not below"),
            ("/..", "/", "outside of our cgroup namespace"),
            ("/../b", "/", "outside of our cgroup namespace"),
            ("/a/../b", "/", "outside of our cgroup namespace"),
            ("/a", "/..", "another namespace"),
        ] {
            let failure = at(own, root).unwrap_err();
            assert!(failure.message.contains(why), "{own} {root}: {failure}");
        }
    }

    #[test]
    fn the_groups_above_end_at_the_top() {
        let paths: Vec<_> = Path::new("a/b/c").ancestors().skip(1).collect();
        assert_eq!(paths, [Path::new("a/b"), Path::new("a"), Path::new("")]);
        assert_eq!(Path::new("").ancestors().skip(1).count(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(text: Vec<u8>) {
            let _ = parse_own(&text);
            let _ = parse_taken(&text);
            for (_, root) in mounts(&text) {
                let _ = below(Path::new("/a"), &root);
            }
        }

        #[test]
        fn what_is_below_never_leads_up(own in "/[a./]{0,12}", root in "/[a./]{0,6}") {
            if let Ok(below) = below(Path::new(&own), Path::new(&root)) {
                prop_assert!(below.components().all(|part| matches!(part, Component::Normal(_))));
            }
        }
    }
}
