//! Step `seccomp`: the filter, last, so that it covers only exec and the program.

use super::Failure;
use super::stage::{Filtered, Stage, Verified};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{process, seccomp};

pub(super) fn attach(stage: Stage<Verified>, image: &Image) -> Result<Stage<Filtered>, Failure> {
    // Signals were blocked since before the clone. Unblocked here and not after,
    // so that the filter need not allow it.
    process::set_signal_mask(0).map_err(Failure::at(Step::Seccomp, 0))?;
    seccomp::attach(&image.filter).map_err(Failure::at(Step::Seccomp, 1))?;
    Ok(stage.next())
}
