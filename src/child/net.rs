//! Step `net`: loopback and host name, the last uses of CAP_NET_ADMIN and
//! CAP_SYS_ADMIN.

use super::Failure;
use super::stage::{Named, Rooted, Stage};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::process;

pub(super) fn configure(stage: Stage<Rooted>, image: &Image<'_>) -> Result<Stage<Named>, Failure> {
    process::set_hostname(&image.hostname).map_err(Failure::at(Step::Net, 0))?;
    process::set_domainname(b"(none)").map_err(Failure::at(Step::Net, 1))?;
    if image.loopback() {
        process::loopback_up().map_err(Failure::at(Step::Net, 2))?;
    }
    Ok(stage.next())
}
