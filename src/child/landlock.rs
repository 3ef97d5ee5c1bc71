//! Step `landlock`: the rules are added here, inside, because they name inodes
//! and some of these exist only since the new root does.

use super::Failure;
use super::stage::{Confined, Settled, Stage};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{Errno, fd, landlock};
use std::os::fd::RawFd;

/// The item of the restriction itself, beyond the rules.
pub(crate) const ITEM_RESTRICT: usize = 0x1_0000;

/// Adds the rules. This needs nothing of the program, and so comes before there is one.
pub(super) fn name(image: &Image<'_>) -> Result<(), Failure> {
    let Some(rules) = &image.rules else {
        return Ok(());
    };
    let ruleset = ruleset(image)?;
    for (item, (path, rights)) in rules.iter().enumerate() {
        let added = fd::open_path(libc::AT_FDCWD, path, false).and_then(|place| {
            let added = landlock::add_rule(ruleset, place, *rights);
            fd::close(place);
            added
        });
        added.map_err(Failure::at(Step::Landlock, item))?;
    }
    Ok(())
}

pub(super) fn restrict(
    stage: Stage<Settled>,
    image: &Image<'_>,
) -> Result<Stage<Confined>, Failure> {
    // Only under `weaken.no-landlock`; the parent knows and reports it.
    if image.rules.is_some() {
        let ruleset = ruleset(image)?;
        landlock::restrict_self(ruleset).map_err(Failure::at(Step::Landlock, ITEM_RESTRICT))?;
        fd::close(ruleset);
    }
    Ok(stage.next())
}

fn ruleset(image: &Image<'_>) -> Result<RawFd, Failure> {
    let ruleset = image.ruleset.ok_or(Errno::EBADF);
    ruleset.map_err(Failure::at(Step::Landlock, ITEM_RESTRICT))
}
