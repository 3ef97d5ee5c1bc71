//! A scope from a real service manager, asked over D-Bus: systemd as a user's manager, in
//! a group of the test's own. Where there is no systemd, or cgroup v1 beside v2, it says so.

use super::helper::Answer;
use super::tree::{Sleeper, Tree, children, hand_on, shell_in, until};
use crate::support::{Scratch, skip};
use sandbox::cgroup::Controllers;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

const SYSTEMD: &str = "/usr/lib/systemd/systemd";

/// A user's manager; ended with its tree.
struct Manager {
    child: Child,
    group: PathBuf,
    scratch: Scratch,
}

impl Manager {
    fn start(tree: &Tree) -> Option<Manager> {
        // It looks there to know that pid 1 is a systemd; the virtual machine's is not.
        if !Path::new(SYSTEMD).exists() || !Path::new("/run/systemd/system").exists() {
            skip("systemd", "is not here to be asked for a scope");
            return None;
        }
        if crate::delegated_to_us().is_none() {
            skip("systemd", "would want groups of cgroup v1 as well");
            return None;
        }
        let group = tree.group("manager");
        let scratch = Scratch::new();
        let units = scratch.directory("units");
        fs::write(units.join("default.target"), "[Unit]\n").unwrap();
        let run = scratch.directory("run");
        fs::set_permissions(&run, PermissionsExt::from_mode(0o700)).unwrap();
        let log = fs::File::create(scratch.join("log")).unwrap();
        let script = format!("exec {SYSTEMD} --user --log-target=console");
        let child = shell_in(&group, &script)
            .env_clear()
            .env("HOME", scratch.path())
            .env("PATH", "/usr/bin:/bin")
            .env("XDG_RUNTIME_DIR", &run)
            .env("SYSTEMD_UNIT_PATH", &units)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut manager = Manager {
            child,
            group,
            scratch,
        };
        let socket = run.join("systemd/private");
        while !socket.exists() {
            let ended = manager.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", manager.log());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Some(manager)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.scratch.join("log")).unwrap()
    }

    /// Asks for a home from a session of the manager's tree, as a shell's is.
    fn ask(&self, settings: &[(&str, &str)]) -> Answer {
        let session = self.group.join("login.scope");
        fs::create_dir_all(&session).unwrap();
        let run = self.scratch.join("run");
        let mut all = vec![("XDG_RUNTIME_DIR", run.to_str().unwrap())];
        all.extend(settings);
        Answer::from(&session, &all)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_scope_of_its_own_with_the_controllers_asked_for() {
    let wanted = Controllers::MEMORY | Controllers::PIDS;
    let Some(tree) = Tree::with(wanted) else {
        return;
    };
    hand_on(tree.path(), wanted);
    let Some(manager) = Manager::start(&tree) else {
        return;
    };
    let three = ("FIND_CONTROLLERS", "memory, pids");

    // Not without leave: what is there without moving has no controllers.
    let answer = manager.ask(&[three]);
    assert_eq!(answer.get("controllers"), "none");
    assert!(answer.get("own").ends_with("/login.scope"));
    assert!(answer.get("attempt sibling:").ends_with("is systemd's"));

    let answer = manager.ask(&[three, ("FIND_MOVING", "1")]);
    assert_eq!(answer.get("origin"), "systemd", "{}", answer.0);
    assert_eq!(answer.get("controllers"), "memory, pids");
    let home = Path::new(answer.get("path"));
    assert!(home.starts_with(&manager.group));
    assert_eq!(home.extension(), Some("scope".as_ref()));
    assert!(answer.get("own").ends_with(".scope/front"), "{}", answer.0);
    // With its last process the manager takes the scope away.
    until("the scope is gone", || !home.exists());
}

/// A second one beside the first: a scope for each, and neither disturbs the other.
#[test]
fn many_at_once_have_a_scope_each() {
    let Some(tree) = Tree::with(Controllers::PIDS) else {
        return;
    };
    hand_on(tree.path(), Controllers::PIDS);
    let Some(manager) = Manager::start(&tree) else {
        return;
    };
    let session = tree.group("manager/login.scope");
    let sleeper = Sleeper::start(&session);
    let settings = [("FIND_CONTROLLERS", "pids"), ("FIND_MOVING", "1")];
    let mut homes: Vec<String> = std::thread::scope(|scope| {
        let ask = || {
            let answer = manager.ask(&settings);
            assert_eq!(answer.get("origin"), "systemd", "{}", answer.0);
            answer.get("path").to_owned()
        };
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    homes.sort();
    homes.dedup();
    assert_eq!(homes.len(), 4);
    assert!(
        sleeper.group().ends_with("/login.scope"),
        "only who asked moved"
    );
    for home in &homes {
        until("the scope is gone", || !Path::new(home).exists());
    }
    let slice = Path::new(&homes[0]).parent().unwrap();
    assert!(!slice.exists() || children(slice).is_empty());
}
