//! Step `root`: the new root becomes the root, the old one is detached.

use super::Failure;
use super::stage::{Mounted, Rooted, Stage};
use crate::step::Step;
use crate::sys::{fd, mount};

pub(super) fn enter(stage: Stage<Mounted>) -> Result<Stage<Rooted>, Failure> {
    // The working directory is the new root since it was built.
    mount::pivot_here().map_err(Failure::at(Step::Root, 0))?;
    mount::detach_here().map_err(Failure::at(Step::Root, 1))?;
    fd::change_directory(c"/").map_err(Failure::at(Step::Root, 2))?;
    Ok(stage.next())
}
