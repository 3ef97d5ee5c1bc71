//! Step `no-new-privs`: setuid bits and file capabilities gain nothing.

use super::Failure;
use super::stage::{Limited, Settled, Stage};
use crate::step::Step;
use crate::sys::process;

pub(super) fn set(stage: Stage<Limited>) -> Result<Stage<Settled>, Failure> {
    process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        .map_err(Failure::at(Step::NoNewPrivs, 0))?;
    Ok(stage.next())
}
