//! Before the program's process exists: the parent is given the directories beneath which
//! it copies files, as they are seen from here, and says when the program may start.
//!
//! It copies nothing and opens nothing but places: what is masked or not visible inside
//! is so for the parent too. Without copies nothing is asked and nobody waits.

use super::Failure;
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{Errno, fd, socket};
use std::ffi::CStr;

/// Items of step `payload`: the parent's word, and from the second on each directory.
pub(crate) const ITEM_COPIED: usize = 0x1000;
pub(crate) const ITEM_PLACE: usize = 0x1001;

/// Called without any capability: what the ids alone cannot reach stays out of reach.
pub(super) fn exchange(image: &Image<'_>) -> Result<(), Failure> {
    if image.roots.is_empty() {
        return Ok(());
    }
    for (position, root) in image.roots.iter().enumerate() {
        give(image, root).map_err(Failure::at(Step::Payload, ITEM_PLACE + position))?;
    }
    super::wait_for_go(image).map_err(Failure::at(Step::Payload, ITEM_COPIED))
}

fn give(image: &Image<'_>, root: &CStr) -> Result<(), Errno> {
    let place = fd::open_path(libc::AT_FDCWD, root, false)?;
    let given = socket::send_descriptor(image.control, place);
    fd::close(place);
    given
}
