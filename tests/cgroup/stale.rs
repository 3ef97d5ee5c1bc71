//! What a killed maker has left: the next one removes that, and nothing else.

use super::helper;
use super::tree::{Sleeper, Tree, shell_in, until};
use sandbox::cgroup::Controllers;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

#[test]
fn the_leaf_of_a_killed_maker_is_removed_by_the_next() {
    let Some(tree) = Tree::new() else { return };
    let home = tree.home(Controllers::NONE);
    let mine = home.leaf().unwrap();
    let other = Sleeper::start(&tree.group("sandbox-prod-0123456789abcdef"));

    let words = helper::words("find");
    let mut command = shell_in(&tree.group("maker"), &format!("exec \"$HELPER\" {words}"));
    let mut maker = command
        .env("HELPER", std::env::current_exe().unwrap())
        .env("FIND_CONTROLLERS", "none")
        .env("FIND_BELOW", tree.path())
        .env("FIND_AND_HOLD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(maker.stdout.take().unwrap()).lines();
    let held = lines.find_map(|line| Some(PathBuf::from(line.unwrap().strip_prefix("holding ")?)));
    let held = held.expect("the maker holds a leaf");
    // It is in use.
    assert_eq!(home.collect(), 0);
    assert!(held.is_dir());

    maker.kill().unwrap();
    maker.wait().unwrap();
    let lives = std::fs::read_to_string(held.join("cgroup.procs")).unwrap();
    assert_eq!(lives.lines().count(), 1, "its process lives on");
    // Searching is enough.
    until("the leaf is gone", || {
        drop(tree.home(Controllers::NONE));
        !held.exists()
    });
    assert!(mine.path().is_dir());
    let pid = lives.trim();
    until("its process is gone", || {
        !std::path::Path::new("/proc").join(pid).join("exe").exists()
    });
    assert!(!other.group().is_empty());
    drop(mine);
    assert_eq!(tree.children(), ["maker", "sandbox-prod-0123456789abcdef"]);
}

/// An empty one without a maker, as a maker leaves it that is killed at once.
#[test]
fn an_empty_leaf_without_a_maker_is_removed() {
    let Some(tree) = Tree::new() else { return };
    tree.group("sandbox-1-0123456789abcdef");
    let home = tree.home(Controllers::NONE);
    assert_eq!(tree.children(), [""; 0]);
    tree.group("sandbox-1-0123456789abcdef");
    tree.group("sandbox-2-0123456789abcdef");
    assert_eq!(home.collect(), 2);
    assert_eq!(tree.children(), [""; 0]);
}
