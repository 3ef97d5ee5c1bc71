//! Started by root: the run becomes an unused unprivileged host id first.
//!
//! The id is claimed for the length of the run, the clone happens in a thread
//! that already is that id, and the trees the program may write are id-mapped, so
//! that files keep their owner on the host. Root's own credentials never reach
//! the child.

use super::explain;
use crate::escape::tick;
use crate::plan::{Identity as Found, Op, Plan, Refusal};
use crate::sys::{Errno, fd, mount, process, socket};
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// A host id that belongs to this run alone.
pub(crate) struct Identity {
    uid: u32,
    /// Holds the claim: an abstract socket name, which the kernel forgets when the
    /// last process that holds it ends, however it ends.
    _claim: OwnedFd,
}

impl Identity {
    /// Takes an id from the range that no account, no group and no other run
    /// uses.
    pub(super) fn claim(first: u32, last: u32) -> Result<Identity, Refusal> {
        let span = u64::from(last - first) + 1;
        // A start of its own for each run, so that runs rarely meet.
        let start = process::monotonic_ns() ^ (u64::from(std::process::id()) << 20);
        for step in 0..span.min(4096) {
            let uid = first + u32::try_from((start.wrapping_add(step)) % span).unwrap_or(0);
            if account_exists(uid) {
                continue;
            }
            let name = format!("sandbox-host-id-{uid}");
            let claimed = socket::claim_abstract_name(name.as_bytes())
                .map_err(explain::parent("claim a host id"))?;
            if let Some(claim) = claimed {
                return Ok(Identity { uid, _claim: claim });
            }
        }
        Err(Refusal::new(format!(
            "no unused host id between {first} and {last}: each is an account or belongs to another run"
        ))
        .hint("widen `host-ids` in `[process]`"))
    }

    /// The id, for user and group alike.
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// Runs `make` in a thread that has this id, no supplementary group and no
    /// capability on the host. Ids are a thread's own in the kernel; the rest of
    /// the process stays what it was.
    pub(super) fn during<T: Send>(
        &self,
        make: impl FnOnce() -> Result<T, Errno> + Send,
    ) -> Result<T, Errno> {
        let dumpable = process::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0)?;
        let made = std::thread::scope(|scope| {
            let in_thread = || {
                let make = || {
                    process::drop_groups()?;
                    process::set_ids(self.uid, self.uid)?;
                    make()
                };
                (process::thread(), make())
            };
            // Not `scope.spawn`, which panics where no thread can be had.
            let made = std::thread::Builder::new()
                .spawn_scoped(scope, in_thread)
                .map_err(|error| errno_of(&error))?;
            let (thread, made) = made.join().map_err(|_| Errno::EIO)?;
            // A joined thread has not quite ended, and its end must not be taken for
            // this process's by a child that asks for a signal then.
            while process::has_thread(thread) {
                std::thread::sleep(std::time::Duration::from_micros(20));
            }
            made
        });
        // The thread's change of ids made the whole process undumpable. Only what
        // was plainly dumpable (1) becomes it again: 2 is readable by root alone.
        if dumpable == 1 {
            process::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0)?;
        }
        made
    }

    /// Detached copies of every bound tree, cloned with root's sight. Those the
    /// program may write map their owner to this id.
    pub(super) fn clone_trees(&self, plan: &Plan) -> Result<Vec<(usize, OwnedFd)>, Refusal> {
        let mut maps = Vec::new();
        let mut trees = Vec::new();
        for (position, op) in plan.mounts.ops.iter().enumerate() {
            let Op::Bind {
                source,
                identity,
                attributes,
                device,
                ..
            } = op
            else {
                continue;
            };
            let tree = clone_tree(source, identity).map_err(|errno| {
                Refusal::new(format!("cannot take {}: {}", tick(source), errno.desc()))
            })?;
            // A file of its own (the program, most often) may be private to its
            // owner; a read-only tree shows what everybody may read.
            if !device && (!attributes.read_only || !identity.directory) {
                self.map_owner(&tree, source, identity.owner, &mut maps)?;
            }
            trees.push((position, tree));
        }
        Ok(trees)
    }

    fn map_owner(
        &self,
        tree: &OwnedFd,
        source: &Path,
        owner: (u32, u32),
        maps: &mut Vec<((u32, u32), OwnedFd)>,
    ) -> Result<(), Refusal> {
        let known = maps.iter().position(|(of, _)| *of == owner);
        let map = match known {
            Some(position) => position,
            None => {
                let namespace = user_namespace(owner, self.uid)
                    .map_err(explain::parent("make a user namespace for an id map"))?;
                maps.push((owner, namespace));
                maps.len() - 1
            }
        };
        mount::set_id_map(tree.as_raw_fd(), maps[map].1.as_raw_fd()).map_err(|errno| {
            Refusal::new(format!(
                "cannot let the program write {} as host id {}: its file system takes no id map: {}",
                tick(source),
                self.uid,
                errno.desc()
            ))
            .hint("start `sandbox` as the ordinary user who owns the files, or copy them to a file system that supports id-mapped mounts (ext4, xfs, btrfs, tmpfs from Linux 6.3)")
        })
    }
}

fn clone_tree(source: &Path, identity: &Found) -> Result<OwnedFd, Errno> {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(source.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    let place = fd::own(fd::open_path(libc::AT_FDCWD, &path, false)?);
    let stat = fd::stat(place.as_raw_fd())?;
    if (stat.st_dev, stat.st_ino) != (identity.dev, identity.ino) {
        return Err(Errno::ESTALE);
    }
    fd::above_stdio(fd::own(mount::clone_tree(place.as_raw_fd())?))
}

/// A user namespace in which the owner on disk appears as `uid` on the host. Only
/// its maps are of interest; the process that had to exist for it ends at once.
fn user_namespace(owner: (u32, u32), uid: u32) -> Result<OwnedFd, Errno> {
    let idler = super::clone::idler()?;
    map_namespace(idler.pid(), owner, uid)
}

fn map_namespace(pid: libc::pid_t, owner: (u32, u32), uid: u32) -> Result<OwnedFd, Errno> {
    let errno = |error: std::io::Error| errno_of(&error);
    let (user, group) = owner;
    write_proc(pid, "uid_map", &format!("{user} {uid} 1\n"))?;
    write_proc(pid, "gid_map", &format!("{group} {uid} 1\n"))?;
    let namespace = std::fs::File::open(format!("/proc/{pid}/ns/user")).map_err(errno)?;
    Ok(namespace.into())
}

/// Writes a file of a process's directory in `/proc`.
fn write_proc(pid: libc::pid_t, name: &str, text: &str) -> Result<(), Errno> {
    let path = CString::new(format!("{pid}/{name}")).map_err(|_| Errno::EINVAL)?;
    fd::write_proc(&path, text.as_bytes())
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Is the id an account or a group of this machine? The run takes the group of the
/// same number. Directory services are not asked (that would load their code into
/// this process); the default range lies above what they hand out.
fn account_exists(id: u32) -> bool {
    // Without a list nobody can vouch for the id; the claim alone must do.
    ["/etc/passwd", "/etc/group"]
        .iter()
        .filter_map(|list| std::fs::read_to_string(list).ok())
        .any(|list| names_id(&list, id))
}

/// Does a line of passwd(5) or group(5) have this id?
fn names_id(accounts: &str, id: u32) -> bool {
    accounts
        .lines()
        .filter_map(|line| line.split(':').nth(2))
        .any(|field| field.parse() == Ok(id))
}

#[cfg(test)]
mod tests {
    use super::names_id;

    #[test]
    fn the_third_field_is_the_uid() {
        let accounts = "root:x:0:0::/root:/bin/sh\nu:x:2000000000:7::/:/bin/sh\n";
        assert!(names_id(accounts, 2_000_000_000));
        assert!(!names_id(accounts, 7));
        assert!(!names_id("broken", 0));
    }
}
