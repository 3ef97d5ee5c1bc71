//! Step `root`: the new root becomes the root, the old one is detached.

use super::Failure;
use super::stage::{Mounted, Rooted, Stage};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{fd, mount};

pub(super) fn enter(stage: Stage<Mounted>, image: &Image<'_>) -> Result<Stage<Rooted>, Failure> {
    // A root that stands is this process's root since it was cloned. That it is
    // read-only is asked in step `verify`.
    if image.standing.is_some() {
        fd::change_directory(c"/").map_err(Failure::at(Step::Root, 2))?;
        return Ok(stage.next());
    }
    // The working directory is the new root since it was built.
    mount::pivot_here().map_err(Failure::at(Step::Root, 0))?;
    mount::detach_here().map_err(Failure::at(Step::Root, 1))?;
    fd::change_directory(c"/").map_err(Failure::at(Step::Root, 2))?;
    Ok(stage.next())
}
