//! Step `ids`: waits for the parent's id maps, and takes the ids.

use super::Failure;
use super::stage::{Cloned, Mapped, Stage};
use crate::launch::image::{Image, Standing};
use crate::step::Step;
use crate::sys::{Errno, fd, process, socket};
use crate::wire::{FRAME_BYTES, Frame};

pub(super) fn enter(stage: Stage<Cloned>, image: &Image<'_>) -> Result<Stage<Mapped>, Failure> {
    match &image.standing {
        None => wait_for_maps(image)?,
        Some(standing) => write_maps(standing).map_err(Failure::at(Step::Ids, 10))?,
    }
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
    write_offsets(image)?;
    // Entered at once: a process may share memory only within one time namespace,
    // and the program's process shares pid 1's until exec.
    let namespace = match &image.standing {
        None => fd::open_read(c"/proc/self/ns/time_for_children"),
        Some(standing) => fd::open_read_in(standing.proc, c"self/ns/time_for_children"),
    };
    let namespace = namespace.map_err(Failure::at(Step::Ids, 6))?;
    let entered = process::enter_namespace(namespace, libc::CLONE_NEWTIME);
    fd::close(namespace);
    entered.map_err(Failure::at(Step::Ids, 7))?;
    if let Some(standing) = &image.standing {
        fd::close(standing.proc);
    }
    Ok(stage.next())
}

fn wait_for_maps(image: &Image<'_>) -> Result<(), Failure> {
    let mut buffer = [0; FRAME_BYTES];
    let bytes =
        socket::receive(image.control, &mut buffer, true).map_err(Failure::at(Step::Ids, 0))?;
    // End of file: the parent is gone, and with it the reason to exist.
    match buffer.get(..bytes).and_then(Frame::decode) {
        Some(Frame::Go) => Ok(()),
        _ => Err(Failure::at(Step::Ids, 0)(Errno::EPIPE)),
    }
}

/// A process may map the one id that it has itself (user_namespaces(7)).
fn write_maps(standing: &Standing) -> Result<(), Errno> {
    // A copy of a worker, which changed its user namespace and so is not dumpable.
    process::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0)?;
    let [uids, gids] = &standing.maps;
    fd::write_in_proc(standing.proc, c"self/setgroups", b"deny")?;
    fd::write_in_proc(standing.proc, c"self/gid_map", gids.to_bytes())?;
    fd::write_in_proc(standing.proc, c"self/uid_map", uids.to_bytes())
}

fn write_offsets(image: &Image<'_>) -> Result<(), Failure> {
    let offsets = match &image.standing {
        None => fd::open_proc(c"self/timens_offsets"),
        Some(standing) => fd::open_in_proc(standing.proc, c"self/timens_offsets"),
    };
    let offsets = offsets.map_err(Failure::at(Step::Ids, 4))?;
    let written = fd::write_all(offsets, image.time_offsets.to_bytes());
    fd::close(offsets);
    written.map_err(Failure::at(Step::Ids, 5))
}
