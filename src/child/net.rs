//! Step `net`: the network namespace, loopback and host name, the last uses of
//! CAP_NET_ADMIN and CAP_SYS_ADMIN.

use super::Failure;
use super::stage::{Named, Rooted, Stage};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{Errno, fd, process, socket};
use crate::wire::FRAME_BYTES;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

pub(super) fn configure(stage: Stage<Rooted>, image: &Image<'_>) -> Result<Stage<Named>, Failure> {
    if image.standing.is_none() {
        enter_network(image)?;
    }
    process::set_hostname(&image.hostname).map_err(Failure::at(Step::Net, 0))?;
    process::set_domainname(b"(none)").map_err(Failure::at(Step::Net, 1))?;
    if image.loopback() {
        process::loopback_up().map_err(Failure::at(Step::Net, 2))?;
    }
    Ok(stage.next())
}

/// Waits for the parent's word, with which the namespace comes where the policy wants one.
fn enter_network(image: &Image<'_>) -> Result<(), Failure> {
    if !image.own_network() {
        return super::wait_for_go(image).map_err(Failure::at(Step::Net, 3));
    }
    let namespace = receive_network(image.control).map_err(Failure::at(Step::Net, 3))?;
    let entered = process::enter_namespace(namespace, libc::CLONE_NEWNET);
    fd::close(namespace);
    entered.map_err(Failure::at(Step::Net, 4))
}

fn receive_network(control: RawFd) -> Result<RawFd, Errno> {
    let mut room = [MaybeUninit::uninit(); FRAME_BYTES];
    // Who sends a descriptor sends it with this word and no other.
    let (_, [namespace]) = socket::receive_these(control, &mut room)?;
    Ok(namespace)
}
