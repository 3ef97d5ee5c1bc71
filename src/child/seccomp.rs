//! Step `seccomp`: the filter, last, so that it covers only exec and the program.

use super::Failure;
use super::stage::{Filtered, Stage, Verified};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::{Errno, Result, process, seccomp};
use std::sync::atomic::Ordering::Relaxed;

pub(super) fn attach(
    stage: Stage<Verified>,
    image: &Image<'_>,
) -> std::result::Result<Stage<Filtered>, Failure> {
    // Signals were blocked since before the clone. Unblocked here and not after,
    // so that the filter need not allow it.
    process::set_signal_mask(0).map_err(Failure::at(Step::Seccomp, 0))?;
    // Nothing but exec comes after the filter, and it need not allow to ask for the time.
    image.found.began.store(process::monotonic_ns(), Relaxed);
    filter(image).map_err(Failure::at(Step::Seccomp, 1))?;
    Ok(stage.next())
}

fn filter(image: &Image<'_>) -> Result<()> {
    if let Some(listening) = &image.listening {
        match seccomp::attach_listening(listening) {
            // pid 1 has this descriptor too: it shares the table until exec.
            Ok(listener) => {
                image.found.listener.store(listener, Relaxed);
                return Ok(());
            }
            // Somebody around us listens already, and the kernel takes one listener.
            // Then these calls kill by themselves, and which it was is not known.
            Err(Errno::EBUSY) => {}
            Err(errno) => return Err(errno),
        }
    }
    seccomp::attach(&image.filter)
}
