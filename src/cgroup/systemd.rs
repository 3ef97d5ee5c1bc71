//! A scope of our own from a service manager: systemd, over D-Bus. This process moves
//! there, which its caller allowed. It must not touch groups of the manager's.

use super::dbus::{Address, Connection, addresses};
use super::failure::Failure;
use super::marshal::{Call, Writer};
use super::own;
use crate::escape::tick;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a manager may take to answer, and then to move us. A busy one is better
/// waited for: a move that comes after we gave up would come during the run.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who may be there to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manager {
    address: Address,
    /// A bus wants to be greeted and told whom a call is for.
    bus: bool,
}

/// The managers that this process could ask, best first.
pub(super) fn managers() -> Vec<Manager> {
    let uid = nix::unistd::geteuid().as_raw();
    known(
        uid,
        std::env::var_os("XDG_RUNTIME_DIR"),
        std::env::var_os("DBUS_SESSION_BUS_ADDRESS"),
    )
}

fn known(uid: u32, runtime: Option<OsString>, bus: Option<OsString>) -> Vec<Manager> {
    let runtime = match runtime {
        Some(set) if set.as_bytes().starts_with(b"/") => PathBuf::from(set),
        // As pam_systemd makes it; a login by other means has it without being told.
        _ => PathBuf::from(format!("/run/user/{uid}")),
    };
    let at = |path: PathBuf, bus| {
        let path = path.into_os_string().into_vec();
        // sun_path of unix(7).
        let fits = path.len() < 108 && !path.contains(&0);
        let address = Address::Path(path);
        fits.then_some(Manager { address, bus })
    };
    let mut all = Vec::new();
    // root has a manager of its own too, but pid 1 is the one that is always there.
    if uid == 0 {
        all.extend(at(PathBuf::from("/run/systemd/private"), false));
    }
    all.extend(at(runtime.join("systemd/private"), false));
    let named = addresses(bus.unwrap_or_default().as_bytes());
    all.extend(
        named
            .into_iter()
            .map(|address| Manager { address, bus: true }),
    );
    let usual = at(runtime.join("bus"), true);
    all.extend(
        usual
            .filter(|usual| !all.contains(usual))
            .into_iter()
            .collect::<Vec<_>>(),
    );
    all
}

/// Asks the first manager that is there for a scope, and waits until this process is
/// in it.
pub(super) fn move_to_scope(managers: &[Manager]) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    let mut absent = None;
    for manager in managers {
        match Connection::open(&manager.address, end) {
            Ok(mut connection) => {
                let scope = format!("{}.scope", super::stale::fresh());
                talk(&mut connection, manager.bus, &scope)?;
                return arrive(&scope, Instant::now() + PATIENCE);
            }
            Err(failure) => {
                absent.get_or_insert(failure);
            }
        }
    }
    Err(absent.unwrap_or_else(|| Failure::new("there is no manager to ask")))
}

fn talk(connection: &mut Connection, bus: bool, scope: &str) -> Result<(), Failure> {
    if bus {
        connection.call(&Call {
            destination: Some("org.freedesktop.DBus"),
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "Hello",
            signature: "",
            body: Vec::new(),
        })?;
    }
    let call = Call {
        destination: bus.then_some("org.freedesktop.systemd1"),
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member: "StartTransientUnit",
        signature: "ssa(sv)a(sa(sv))",
        body: start_transient_unit(scope),
    };
    // The answer names a job that is not done yet.
    connection.call(&call).map(drop)
}

/// Name, mode, properties, no further units.
fn start_transient_unit(scope: &str) -> Vec<u8> {
    let mut body = Writer::default();
    body.string(scope).string("fail");
    body.array(8, |properties| {
        let text = |out: &mut Writer, key: &str, value: &str| {
            out.align(8).string(key).signature("s").string(value);
        };
        text(
            properties,
            "Description",
            "programs in a sandbox, a group for each run",
        );
        // Or a failed scope would stay, by name, until somebody resets it.
        text(properties, "CollectMode", "inactive-or-failed");
        properties.align(8).string("Delegate").signature("b").u32(1);
        // 0 is whoever calls, whatever his number is in the manager's pid namespace.
        properties.align(8).string("PIDs").signature("au");
        properties.array(4, |pids| {
            pids.u32(0);
        });
    });
    body.array(8, |_| {});
    body.bytes()
}

/// Waits until the kernel says that this process is in the scope.
fn arrive(scope: &str, end: Instant) -> Result<(), Failure> {
    let mut nap = Duration::from_micros(200);
    loop {
        if own::own_path()?.file_name() == Some(scope.as_ref()) {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Failure::new(format!(
                "the manager took the request for {} and has not moved this process there in time",
                tick(scope)
            ))
            .hint(format!(
                "see `systemctl --user status {scope}` and the journal"
            )));
        }
        std::thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
#[path = "systemd_tests.rs"]
mod tests;
