//! Step `caps`: every capability set emptied, securebits locked.

use super::Failure;
use super::stage::{Named, Stage, Uncapped};
use crate::step::Step;
use crate::sys::{Errno, Result, process};

/// SECBIT_NOROOT, NO_SETUID_FIXUP, NO_CAP_AMBIENT_RAISE and their locks, and
/// KEEP_CAPS locked off (capabilities(7)): being uid 0 means nothing, for ever.
pub(super) const SECUREBITS: libc::c_ulong = 0b1110_1111;

/// A bound for the loop over capabilities; Linux 6.18 knows 41.
pub(super) const MOST_CAPABILITIES: libc::c_ulong = 64;

pub(super) fn drop_all(stage: Stage<Named>) -> std::result::Result<Stage<Uncapped>, Failure> {
    empty().map_err(Failure::at(Step::Caps, 0))?;
    Ok(stage.next())
}

/// Empties all five sets, of pid 1 and so of everything it will start.
fn empty() -> Result<()> {
    // The bounding set first, and securebits: both need CAP_SETPCAP.
    for capability in 0..MOST_CAPABILITIES {
        match process::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) {
            Ok(_) => {}
            // Past the last capability of this kernel.
            Err(Errno::EINVAL) if capability > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    process::prctl(libc::PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0)?;
    process::prctl(
        libc::PR_CAP_AMBIENT,
        libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong,
        0,
        0,
        0,
    )?;
    process::drop_capabilities()
}
