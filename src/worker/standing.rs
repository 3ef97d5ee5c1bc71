//! The root that stands for many runs: built once, by a process in namespaces of its own,
//! whose user and mount namespace the worker then enters.
//!
//! After it the worker sees nothing of the host's files, and can open none.

use super::{Held, Why, say};
use crate::launch::clone;
use crate::launch::image::{Clocks, Descriptors, Image, Particulars};
use crate::step::Step;
use crate::sys::{fd, process, socket};
use crate::wire::{FRAME_BYTES, Frame, MESSAGE_ROOM};
use std::os::fd::{AsRawFd, OwnedFd};

/// Builds the root of the recipe, and makes it the worker's own.
pub(super) fn enter(held: &mut Held) -> Result<(), Why> {
    let pair = || socket::pair().map_err(|errno| say("make a socket", errno));
    let (status, its_status) = pair()?;
    let (control, its_control) = pair()?;
    // It has the ids of the host, so that nobody is root in what the worker owns: files of
    // the kernel that belong to that root would be the program's, which is who the worker is.
    let inside = std::mem::replace(&mut held.recipe.ids, held.ids);
    let image = Image::prepare(
        &held.recipe,
        &held.provisions,
        &Descriptors {
            status: its_status.as_raw_fd(),
            control: its_control.as_raw_fd(),
            parent: held.caller.as_raw_fd(),
            stdio: Some([its_status.as_raw_fd(); 3]),
            keep: Vec::new(),
            ruleset: None,
            cpu_stat: None,
            memory_current: None,
            others: Vec::new(),
        },
        Particulars {
            keep: Vec::new(),
            roots: Vec::new(),
            terminal: None,
            standing: None,
            outside: held.ids,
            clocks: Clocks::now(),
        },
    );
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID;
    let builder = clone::builder(&image, flags).map_err(|errno| say("make a process", errno))?;
    // One that is still open would hide that the builder has ended.
    for end in [its_status, its_control] {
        fd::let_go(end).map_err(|errno| say("leave the sockets to it", errno))?;
    }
    socket::send(control.as_raw_fd(), &Frame::Go.encode())
        .map_err(|errno| say("speak to it", errno))?;
    confirmed(&status)?;
    let both = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;
    let gone = || String::from("the process is gone");
    let pidfd = builder.keep().ok_or_else(gone)?;
    process::enter_namespace(pidfd.pidfd().as_raw_fd(), both)
        .map_err(|errno| say("enter the root", errno))?;
    pidfd.end();
    fd::change_directory(c"/").map_err(|errno| say("enter the root", errno))?;
    held.recipe.ids = inside;
    Ok(())
}

/// Waits for the one message that says that the root stands.
fn confirmed(status: &OwnedFd) -> Result<(), Why> {
    let mut buffer = [0; MESSAGE_ROOM];
    let bytes = socket::receive(status.as_raw_fd(), &mut buffer, true)
        .map_err(|errno| say("hear of the root", errno))?;
    let mut frames = buffer.get(..bytes).unwrap_or_default().chunks(FRAME_BYTES);
    let mut next = || frames.next().and_then(Frame::decode);
    match (next(), next()) {
        (
            Some(Frame::Done {
                step: Step::Mounts, ..
            }),
            Some(Frame::Done {
                step: Step::Root, ..
            }),
        ) => Ok(()),
        // The second, where one message says that all was well before.
        (Some(failed @ Frame::Failed { .. }), _) | (_, Some(failed @ Frame::Failed { .. })) => {
            Err(Why::Failed(failed))
        }
        _ => Err(String::from("the root was not built").into()),
    }
}
