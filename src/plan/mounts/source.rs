//! Judges host sources: what may be bound at all, and how it is described.
//!
//! It knows nothing of where a source goes.

use super::quote;
use super::tree::Thing;
use crate::host::paths::within;
use crate::host::{Found, Kind};
use crate::plan::{Identity, Refusal};
use crate::policy::Access;
use std::path::Path;

/// A host file or tree as found.
pub(super) fn host_thing(found: &Found) -> Thing {
    Thing::Host {
        source: found.real.clone(),
        identity: Identity {
            dev: found.dev,
            ino: found.ino,
            directory: found.kind == Kind::Directory,
            owner: (found.uid, found.gid),
        },
        device: found.kind == Kind::Device,
    }
}

/// Refuses sources that show the machine rather than files.
pub(super) fn check_source(
    found: &Found,
    at: &Path,
    access: Access,
    origin: &str,
) -> Result<(), Refusal> {
    let real = &found.real;
    let refuse = |why: String| {
        Err(Refusal::new(format!(
            "cannot show {} at {} (rule {origin}): {why}",
            quote(real),
            quote(at)
        )))
    };
    for (tree, what, instead) in [
        ("/proc", "the host's processes and facts", "\"proc\""),
        ("/sys", "the host's devices and cgroups", "nothing"),
        ("/dev", "the host's devices", "\"dev\""),
    ] {
        let tree = Path::new(tree);
        if within(tree, real) || (within(real, tree) && found.kind != Kind::Device) {
            let relation = match real == tree {
                true => "it is",
                false if tree.starts_with(real) => "it contains",
                false => "it belongs to",
            };
            return refuse(format!("{relation} {}, {what}", quote(tree))).map_err(|refusal| {
                match tree.starts_with(real) && real == Path::new("/") {
                    true => refusal.hint("name the directories that the program needs, one by one"),
                    false => refusal.hint(format!("a sandbox gets its own by {instead}")),
                }
            });
        }
    }
    if found.kind == Kind::Device {
        return match real.starts_with("/dev") {
            true => Ok(()),
            false => refuse(String::from("it is a device node outside `/dev`")),
        };
    }
    if let Some((mount, kind)) = found.kernel_fs.first() {
        return refuse(format!(
            "a {kind} file system is mounted at {}",
            quote(mount)
        ));
    }
    if found.kind == Kind::Socket && !access.writes() {
        return refuse(String::from(
            "it is a socket, and a read-only mount does not stop connect(2)",
        ))
        .map_err(|refusal| refusal.hint("ask for `write` if the program may talk to it"));
    }
    Ok(())
}

/// What a rule wants to do, for messages.
pub(super) fn verb(access: Access) -> &'static str {
    match access {
        Access::None => "hide",
        Access::Read => "read",
        Access::Exec => "execute",
        Access::Write | Access::WriteExec => "write",
    }
}
