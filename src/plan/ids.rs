//! Layer ids: one uid, one gid, never 0 on the host.

use super::{Ids, Outside, Refusal};
use crate::host::Host;
use crate::policy::Policy;

/// The single id map.
pub(super) fn resolve(policy: &Policy, host: &Host) -> Result<Ids, Refusal> {
    let process = &policy.process;
    if let Some(root) = host.namespace_root {
        let refusal = Refusal::new(format!(
            "started as root of a user namespace (uid 0 here is uid {} outside), which can become no other host id",
            root.outside
        ));
        return Err(match root.max_user_namespaces {
            Some(0) => refusal.hint(
                "and no user namespace can be created here at all: set `user.max_user_namespaces` above 0 (sysctl), and start `sandbox` as an ordinary user",
            ),
            _ => refusal.hint(
                "start `sandbox` as an ordinary user there: `unshare --map-user=1000 --map-group=1000`, `podman run --user 1000`",
            ),
        });
    }
    let outside = if host.uid == 0 {
        let (first, last) = process.host_ids;
        if first == 0 || first > last {
            return Err(Refusal::new(format!(
                "the range of host ids {first}-{last} is empty or contains 0 (process.host-ids)"
            )));
        }
        Outside::Range { first, last }
    } else if host.groups.contains(&0) {
        return Err(Refusal::new(
            "root's group (gid 0) is among the caller's supplementary groups, and the program would keep it",
        )
        .hint("only who has CAP_SETGID can drop a group: start `sandbox` as a user who is not in it"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_of_a_namespace_is_refused_with_what_is_missing() {
        let host = |most| Host {
            namespace_root: Some(crate::host::NamespaceRoot {
                outside: 1001,
                max_user_namespaces: most,
            }),
            ..Host::default()
        };
        for (most, word) in [(Some(0), "max_user_namespaces"), (Some(9), "--map-user")] {
            let refusal = resolve(&Policy::default(), &host(most)).unwrap_err();
            assert!(refusal.message.contains("uid 0 here is uid 1001 outside"));
            assert!(refusal.hint.unwrap().contains(word));
        }
    }

    #[test]
    fn a_group_of_root_is_refused_as_primary_and_as_supplementary() {
        let caller = |gid, groups: &[u32]| Host {
            uid: 1000,
            gid,
            groups: groups.to_vec(),
            ..Host::default()
        };
        let resolve = |host: &Host| resolve(&Policy::default(), host);
        assert!(resolve(&caller(1000, &[1000, 4])).is_ok());
        for (host, word) in [
            (caller(0, &[]), "group is root's"),
            (caller(1000, &[4, 0]), "supplementary"),
        ] {
            let message = resolve(&host).unwrap_err().message;
            assert!(message.contains(word), "{message}");
        }
    }
}
