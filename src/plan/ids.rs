//! Layer ids: one uid, one gid, never 0 on the host.

use super::{Ids, Outside, Refusal};
use crate::host::Host;
use crate::policy::Policy;

/// The single id map.
pub(super) fn resolve(policy: &Policy, host: &Host) -> Result<Ids, Refusal> {
    let process = &policy.process;
    let outside = if host.uid == 0 {
        let (first, last) = process.host_ids;
        if first == 0 || first > last {
            return Err(Refusal::new(format!(
                "the range of host ids {first}-{last} is empty or contains 0 (process.host-ids)"
            )));
        }
        Outside::Range { first, last }
    } else if host.gid == 0 {
        return Err(Refusal::new(
            "the caller's group is root's (gid 0), and the program would keep it",
        )
        .hint("start `sandbox` with an ordinary group, for example by `setpriv --regid`"));
    } else {
        Outside::Caller {
            uid: host.uid,
            gid: host.gid,
        }
    };
    Ok(Ids {
        uid: process.user,
        gid: process.group,
        outside,
    })
}
