//! Step `landlock`: the rules are added here, inside, because they name inodes
//! and some of these exist only since the new root does.

use super::Failure;
use super::stage::{Confined, Settled, Stage};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{fd, landlock};

/// The item of the restriction itself, beyond the rules.
pub(crate) const ITEM_RESTRICT: usize = 0x1_0000;

pub(super) fn restrict(stage: Stage<Settled>, image: &Image) -> Result<Stage<Confined>, Failure> {
    let Some(domain) = &image.landlock else {
        // Only under `weaken.no-landlock`; the parent knows and reports it.
        return Ok(stage.next());
    };
    for (item, (path, rights)) in domain.rules.iter().enumerate() {
        let added = fd::open_path(libc::AT_FDCWD, path, false).and_then(|place| {
            let added = landlock::add_rule(domain.ruleset, place, *rights);
            fd::close(place);
            added
        });
        added.map_err(Failure::at(Step::Landlock, item))?;
    }
    landlock::restrict_self(domain.ruleset).map_err(Failure::at(Step::Landlock, ITEM_RESTRICT))?;
    fd::close(domain.ruleset);
    Ok(stage.next())
}
