//! The ways to a home, each asked by a process that sits where it leads somewhere.
//! Who must not be moved is not, and what is not ours is left alone.

use super::helper::Answer;
use super::tree::{Sleeper, Tree, children, hand_on, shell_in};
use sandbox::cgroup::{Controllers, Home, Search, Wanted};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const THREE: &[(&str, &str)] = &[("FIND_CONTROLLERS", "memory, pids, cpu")];
const MOVING: &[(&str, &str)] = &[
    ("FIND_CONTROLLERS", "memory, pids, cpu"),
    ("FIND_MOVING", "1"),
];
const NOTHING: &[(&str, &str)] = &[("FIND_CONTROLLERS", "none")];

fn three() -> Controllers {
    Controllers::MEMORY | Controllers::PIDS | Controllers::CPU
}

/// A tree with `middle/own`, which is given, and everything handed on as far as there; for who
/// closes `middle` then, which does not keep root out.
fn two_deep() -> Option<(Tree, PathBuf)> {
    let tree = Tree::with(three())?;
    if super::support::root() {
        super::support::skip("an ordinary user", "is needed: root may write anywhere");
        return None;
    }
    let own = tree.group("middle/own");
    hand_on(tree.path(), three());
    hand_on(&tree.path().join("middle"), three());
    Some((tree, own))
}

/// Nobody but root may make or move anything there any more.
fn close(group: &Path) {
    for file in ["cgroup.procs", "cgroup.subtree_control"] {
        fs::set_permissions(group.join(file), PermissionsExt::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(group, PermissionsExt::from_mode(0o555)).unwrap();
}

#[test]
fn beside_our_own_group() {
    let Some(tree) = Tree::with(three()) else {
        return;
    };
    let own = tree.group("own");
    let answer = Answer::from(&own, THREE);
    assert_eq!(answer.get("origin"), "sibling");
    assert_eq!(answer.get("controllers"), "memory, pids, cpu");
    assert_eq!(Path::new(answer.get("path")), tree.path());
    assert!(answer.get("own").ends_with("/own"), "it did not move");
    assert_eq!(tree.children(), ["own"]);
    // No more than was asked for is handed on.
    let handed_on = fs::read_to_string(tree.path().join("cgroup.subtree_control")).unwrap();
    let mut handed_on: Vec<&str> = handed_on.split_whitespace().collect();
    handed_on.sort_unstable();
    assert_eq!(handed_on, ["cpu", "memory", "pids"]);
}

#[test]
fn a_group_with_processes_is_passed_over_for_one_above() {
    let Some(tree) = Tree::with(three()) else {
        return;
    };
    let own = tree.group("middle/own");
    hand_on(tree.path(), three());
    let _sleeper = Sleeper::start(&tree.path().join("middle"));
    let answer = Answer::from(&own, THREE);
    assert_eq!(answer.get("origin"), "sibling");
    assert_eq!(Path::new(answer.get("path")), tree.path());
    let attempt = answer.get("attempt sibling:");
    assert!(
        attempt.ends_with("/middle` has processes in it, and so cannot hand on: memory, pids, cpu"),
        "{attempt}"
    );
}

/// Without any controller: wherever a group can be made, and nothing is enabled.
#[test]
fn nothing_is_enabled_that_nobody_asked_for() {
    let Some(tree) = Tree::new() else { return };
    let own = tree.group("own");
    let answer = Answer::from(&own, NOTHING);
    assert_eq!(answer.get("controllers"), "none");
    assert_eq!(Path::new(answer.get("path")), tree.path());
    let handed_on = fs::read_to_string(tree.path().join("cgroup.subtree_control")).unwrap();
    assert_eq!(handed_on.trim(), "");
}

#[test]
fn below_our_own_group_nobody_moves_unless_allowed() {
    let Some((tree, own)) = two_deep() else {
        return;
    };
    let sleeper = Sleeper::start(&own);
    close(&tree.path().join("middle"));

    let answer = Answer::from(&own, THREE);
    assert_eq!(answer.get("origin"), "own");
    assert_eq!(answer.get("controllers"), "none");
    assert!(answer.get("attempt sibling:").contains("Permission denied"));
    assert!(
        answer
            .get("attempt own:")
            .contains("cannot hand on: memory, pids, cpu")
    );
    let kind = fs::read_to_string(own.join("cgroup.type")).unwrap();
    assert_eq!(kind, "domain\n", "no threaded subtree was made of it");
    assert!(sleeper.group().ends_with("/own"));
    assert_eq!(children(&own), [""; 0]);

    let answer = Answer::from(&own, MOVING);
    assert_eq!(answer.get("origin"), "own");
    assert_eq!(answer.get("controllers"), "memory, pids, cpu");
    assert_eq!(Path::new(answer.get("path")), own);
    assert!(answer.get("own").ends_with("/own/front"));
    assert!(
        sleeper.group().ends_with("/own/front"),
        "{}",
        sleeper.group()
    );
    assert_eq!(children(&own), ["front"]);

    // From now on nobody has to move: the next sits beside the front.
    let answer = Answer::from(&own.join("front"), THREE);
    assert_eq!(answer.get("origin"), "sibling");
    assert_eq!(answer.get("controllers"), "memory, pids, cpu");
}

#[test]
fn what_was_moved_in_vain_goes_back() {
    let Some((tree, own)) = two_deep() else {
        return;
    };
    let sleeper = Sleeper::start(&own);
    close(&tree.path().join("middle"));
    // Room for the front and for no leaf beside it.
    fs::write(own.join("cgroup.max.descendants"), "1").unwrap();
    let answer = Answer::from(&own, MOVING);
    assert_eq!(answer.get("origin"), "own");
    assert_eq!(answer.get("controllers"), "none");
    assert!(
        answer.0.contains("cannot make a group below"),
        "{}",
        answer.0
    );
    assert!(answer.get("own").ends_with("/own"), "{}", answer.0);
    assert!(sleeper.group().ends_with("/own"));
    assert_eq!(children(&own), [""; 0]);
    let handed_on = fs::read_to_string(own.join("cgroup.subtree_control")).unwrap();
    assert_eq!(handed_on.trim(), "");
}

#[test]
fn many_at_once_find_the_same_place() {
    let Some((tree, own)) = two_deep() else {
        return;
    };
    close(&tree.path().join("middle"));
    let scratch = super::support::Scratch::new();
    std::thread::scope(|scope| {
        let ask = || {
            // All are inside before the first hands something on; then nobody gets in.
            let here = scratch.path().display();
            let wait = format!("echo >{here}/$$; while [ $(ls {here} | wc -l) -lt 6 ]; do :; done");
            let answer = Answer::after(&own, &wait, MOVING);
            assert_eq!(
                answer.get("controllers"),
                "memory, pids, cpu",
                "{}",
                answer.0
            );
        };
        for _ in 0..6 {
            scope.spawn(ask);
        }
    });
    assert_eq!(children(&own), ["front"]);
}

/// A cgroup namespace with a mount of its own, in user and mount namespaces: what a
/// container is to us.
fn in_container(group: &Path, settings: &[(&str, &str)]) -> Answer {
    let words = super::helper::words("find");
    // Where cgroup v2 is here, its mount covers the outer one.
    let script = format!(
        "exec unshare --user --map-root-user --mount --cgroup /bin/sh -c \
         'mount -t tmpfs none /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && \
         exec \"$HELPER\" {words}'"
    );
    let mut command = shell_in(group, &script);
    command.env("HELPER", std::env::current_exe().unwrap());
    command.env_remove("DBUS_SESSION_BUS_ADDRESS");
    command.env("XDG_RUNTIME_DIR", "/nonexistent");
    let output = super::support::run(command.envs(settings.iter().copied()));
    let said = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{complaint}");
    Answer(said)
}

#[test]
fn the_root_group_of_a_container() {
    let Some(tree) = Tree::new() else { return };
    let own = tree.group("container");
    let answer = in_container(&own, NOTHING);
    assert_eq!(answer.get("origin"), "root");
    assert_eq!(answer.get("own"), "/");
    assert_eq!(children(&own), [""; 0]);
}

#[test]
fn the_root_group_of_a_container_is_cleared_when_allowed() {
    let Some(tree) = Tree::with(three()) else {
        return;
    };
    let own = tree.group("container");
    hand_on(tree.path(), three());
    let answer = in_container(&own, THREE);
    assert_eq!(answer.get("controllers"), "none");
    assert_eq!(answer.get("own"), "/");
    let answer = in_container(&own, MOVING);
    assert_eq!(answer.get("origin"), "root");
    assert_eq!(answer.get("controllers"), "memory, pids, cpu");
    assert_eq!(answer.get("own"), "/front");
    assert_eq!(children(&own), ["front"]);
}

/// A mount that was made outside of the cgroup namespace shows groups by paths that
/// cannot be followed.
#[test]
fn the_mount_of_another_namespace_is_said_to_be_that() {
    let Some(tree) = Tree::new() else { return };
    let own = tree.group("own");
    let words = super::helper::words("find");
    let script = format!(
        "exec unshare --user --map-root-user --cgroup /bin/sh -c 'exec \"$HELPER\" {words}'"
    );
    let mut command = shell_in(&own, &script);
    command.env("HELPER", std::env::current_exe().unwrap());
    command.env("FIND_CONTROLLERS", "none");
    let output = super::support::run(&mut command);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("unavailable no control group can be made")
            && said.contains("as another namespace sees it"),
        "{said}"
    );
}

#[test]
fn a_unit_of_systemds_is_left_alone_until_it_is_delegated() {
    let Some(tree) = Tree::new() else { return };
    let own = tree.group("made.scope/own");
    let scope = tree.path().join("made.scope");
    let answer = Answer::from(&own, NOTHING);
    // Below our own group a leaf without controllers does no harm.
    assert_eq!(answer.get("origin"), "own");
    let attempt = answer.get("attempt sibling:");
    assert!(
        attempt.ends_with("is a unit of systemd, which has not delegated it"),
        "{attempt}"
    );
    delegate(&scope);
    let answer = Answer::from(&own, NOTHING);
    assert_eq!(answer.get("origin"), "sibling");
    assert_eq!(Path::new(answer.get("path")), scope);
    // The manager's own place is not, whatever it was delegated itself.
    tree.group("made.scope/init.scope");
    let answer = Answer::from(&own, NOTHING);
    assert_eq!(answer.get("origin"), "own");
    assert!(answer.get("attempt sibling:").ends_with("is systemd's"));
}

/// As systemd marks it.
fn delegate(group: &Path) {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(group.as_os_str().as_bytes()).unwrap();
    let (name, value) = (c"user.delegate", b"1");
    // SAFETY: path and name are NUL-terminated; pointer and length describe `value`.
    let set = unsafe {
        libc::setxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_controller_that_nobody_has_is_named_with_every_way() {
    let Some(tree) = Tree::new() else { return };
    let home = tree.home(Controllers::NONE);
    let failure = home.require(Controllers::IO).unwrap_err();
    assert_eq!(failure.missing, Controllers::IO);
    let text = failure.to_string();
    assert!(
        text.starts_with("no control group can be made with: io\n"),
        "{text}"
    );

    // The tree hands on nothing to a group below.
    let below = tree.group("below");
    let home = Home::find(&Search {
        wanted: Wanted::Directory(below),
        controllers: Controllers::MEMORY,
        ..Search::default()
    })
    .unwrap();
    let text = home.require(Controllers::MEMORY).unwrap_err().to_string();
    assert!(
        text.contains("the directory given: `") && text.contains("was not given: memory"),
        "{text}"
    );
    assert!(text.contains("\nhint: "), "{text}");
}

#[test]
fn a_directory_that_we_may_not_write_to_is_refused_by_name() {
    let Some(tree) = Tree::new() else { return };
    // Another's, or one that is gone.
    let gone = tree.path().join("gone");
    for (path, why) in [
        (gone.as_path(), "No such file or directory"),
        (Path::new("/sys"), "is not of cgroup v2"),
    ] {
        let failure = Home::find(&Search {
            wanted: Wanted::Directory(path.to_owned()),
            ..Search::default()
        });
        let text = failure.unwrap_err().to_string();
        assert!(
            text.contains(why) && text.contains(path.to_str().unwrap()),
            "{text}"
        );
    }
}
