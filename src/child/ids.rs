//! Step `ids`: maps one uid and one gid, and takes them; the time namespace.

use super::Failure;
use super::stage::{Cloned, Mapped, Stage};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{Errno, fd, process};
use std::os::fd::RawFd;

/// The item of a map that cannot be written: `setgroups`, `gid_map`, `uid_map`.
pub(crate) const ITEM_MAPS: usize = 10;

pub(super) fn enter(stage: Stage<Cloned>, image: &Image<'_>) -> Result<Stage<Mapped>, Failure> {
    // Whoever orders a worker has done before what the parent does until this word.
    if image.standing.is_none() {
        super::wait_for_go(image).map_err(Failure::at(Step::Ids, 0))?;
    }
    // The host's, once for all; where the root stands already it is not to be seen from here.
    let proc = match &image.standing {
        None => fd::procfs().map_err(Failure::at(Step::Ids, ITEM_MAPS))?,
        Some(standing) => standing.proc,
    };
    write_maps(image, proc)?;
    let (uid, gid) = image.ids;
    process::set_ids(uid, gid).map_err(Failure::at(Step::Ids, 1))?;
    // Changing ids made the process undumpable, and its files in /proc root's.
    process::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0).map_err(Failure::at(Step::Ids, 2))?;
    // From here on this process waits for nothing but the parent's next word, and for
    // the kernel, where it may wait long: for a file system that does not answer, or,
    // while the program's process shares its memory, for that one. It cannot see the
    // parent end then, so the kernel ends it, until `reap` watches. (The thread that
    // cloned is in `launch` until then, so that its end is the parent's; taking the
    // ids above would have undone this.)
    process::prctl(
        libc::PR_SET_PDEATHSIG,
        libc::SIGKILL as libc::c_ulong,
        0,
        0,
        0,
    )
    .map_err(Failure::at(Step::Ids, 8))?;
    // It may have ended before there was a signal for it.
    if process::is_readable(image.parent).map_err(Failure::at(Step::Ids, 8))? {
        return Err(Failure::at(Step::Ids, 0)(Errno::EPIPE));
    }
    // Its root is the group this process is in.
    if image.cpu_stat.is_some() {
        process::unshare(libc::CLONE_NEWCGROUP).map_err(Failure::at(Step::Ids, 9))?;
    }
    // A time namespace: its offsets can be written only before the first process
    // enters, and only while the host's /proc is still visible.
    process::unshare(libc::CLONE_NEWTIME).map_err(Failure::at(Step::Ids, 3))?;
    write_offsets(image, proc)?;
    // Entered at once: a process may share memory only within one time namespace,
    // and the program's process shares pid 1's until exec.
    let namespace =
        fd::open_read_in(proc, c"self/ns/time_for_children").map_err(Failure::at(Step::Ids, 6))?;
    let entered = process::enter_namespace(namespace, libc::CLONE_NEWTIME);
    fd::close(namespace);
    entered.map_err(Failure::at(Step::Ids, 7))?;
    fd::close(proc);
    Ok(stage.next())
}

/// A process may map the one id that it has itself (user_namespaces(7)).
fn write_maps(image: &Image<'_>, proc: RawFd) -> Result<(), Failure> {
    // A copy of what changed its ids or its user namespace is not dumpable, and its files in
    // /proc are root's.
    process::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0).map_err(Failure::at(Step::Ids, 2))?;
    let [uids, gids] = &image.maps;
    // In this order: no gid can be mapped before setgroups(2) is denied.
    let files = [
        (c"self/setgroups", c"deny"),
        (c"self/gid_map", gids.as_c_str()),
        (c"self/uid_map", uids.as_c_str()),
    ];
    for (position, (file, text)) in files.into_iter().enumerate() {
        fd::write_in_proc(proc, file, text.to_bytes())
            .map_err(Failure::at(Step::Ids, ITEM_MAPS + position))?;
    }
    Ok(())
}

fn write_offsets(image: &Image<'_>, proc: RawFd) -> Result<(), Failure> {
    let offsets = fd::open_in_proc(proc, c"self/timens_offsets");
    let offsets = offsets.map_err(Failure::at(Step::Ids, 4))?;
    let written = fd::write_all(offsets, image.time_offsets.to_bytes());
    fd::close(offsets);
    written.map_err(Failure::at(Step::Ids, 5))
}
