//! Step `limits`: resource limits and process attributes, inherited for ever.

use super::Failure;
use super::stage::{Limited, Split, Stage};
use crate::launch::image::Image;
use crate::step::Step;
use crate::sys::process;

/// Items beyond the plan's limits.
pub(crate) const ITEM_MDWE: usize = 0x1_0000;
pub(crate) const ITEM_SPECULATION: usize = 0x1_0001;
pub(crate) const ITEM_CORE_SCHEDULING: usize = 0x1_0003;
pub(crate) const ITEM_CPUS: usize = 0x1_0004;
pub(crate) const ITEM_ASLR: usize = 0x1_0005;

pub(super) fn set(stage: Stage<Split>, image: &Image<'_>) -> Result<Stage<Limited>, Failure> {
    for (item, limit) in image.rlimits.iter().enumerate() {
        process::set_limit(limit.resource, limit.soft, limit.hard)
            .map_err(Failure::at(Step::Limits, item))?;
    }
    if let Some(cpus) = &image.processors {
        nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), cpus)
            .map_err(Failure::at(Step::Limits, ITEM_CPUS))?;
    }
    let attributes = &image.attributes;
    if !attributes.aslr {
        process::fix_addresses().map_err(Failure::at(Step::Limits, ITEM_ASLR))?;
    }
    if attributes.core_scheduling {
        process::prctl(
            process::PR_SCHED_CORE,
            process::PR_SCHED_CORE_CREATE,
            0,
            0,
            0,
        )
        .map_err(Failure::at(Step::Limits, ITEM_CORE_SCHEDULING))?;
    }
    for (control, wanted) in attributes.speculation.iter().enumerate() {
        if *wanted {
            process::prctl(
                process::PR_SET_SPECULATION_CTRL,
                control as libc::c_ulong,
                process::PR_SPEC_FORCE_DISABLE,
                0,
                0,
            )
            .map_err(Failure::at(Step::Limits, ITEM_SPECULATION + control))?;
        }
    }
    if attributes.mdwe {
        // PR_MDWE_REFUSE_EXEC_GAIN, kept across exec.
        process::prctl(process::PR_SET_MDWE, 1, 0, 0, 0)
            .map_err(Failure::at(Step::Limits, ITEM_MDWE))?;
    }
    Ok(stage.next())
}
