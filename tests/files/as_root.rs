//! Started by root: copies go in as the run's host id, and come out of what is that id's.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// As root, in the caller's directory, where `private` is root's alone.
fn world() -> Option<World> {
    if !support::root() {
        println!("skip: needs root");
        return None;
    }
    let world = World::new();
    fs::write(world.path("private"), "root's\n").unwrap();
    fs::set_permissions(world.path("private"), PermissionsExt::from_mode(0o600)).unwrap();
    Some(world)
}

fn run(world: &World, options: &[&str], script: &str) -> Ran {
    let mut command = Command::new(support::binary());
    world.add(&mut command, options, script);
    world.ran(&support::run(&mut command))
}

#[test]
fn a_private_file_goes_in_and_is_the_programs() {
    let Some(world) = world() else { return };
    let options = ["--copy-in=private:/tmp/in", "--copy-out=/tmp/out:out"];
    let script = "stat -c %u:%a /tmp/in; cat /tmp/in >/tmp/out; chmod 600 /tmp/out";
    let ran = run(&world, &options, script).quietly(0);
    assert_eq!(ran.stdout, "1000:644\n");
    assert_eq!(world.read("out"), "root's\n");
    let facts = fs::metadata(world.path("out")).unwrap();
    assert_eq!((facts.uid(), facts.mode() & 0o777), (0, 0o644));
}

#[test]
fn a_tree_goes_in_and_out() {
    let Some(world) = world() else { return };
    world.scratch.directory("tree");
    world.scratch.file("tree/f", "f", 0o644);
    let options = ["--copy-in=tree:/tmp/t", "--copy-out=/tmp/t/:copy"];
    run(&world, &options, "echo g >>/tmp/t/f").quietly(0);
    assert_eq!(world.read("copy/f"), "fg\n");
}

#[test]
fn a_writable_tree_keeps_its_owner() {
    let Some(world) = world() else { return };
    let options = [
        "--write=WORK",
        "--cwd=WORK",
        "--copy-in=in.txt:WORK/in",
        "--copy-out=WORK/out:out",
    ];
    run(&world, &options, "cp in out").quietly(0);
    assert_eq!(world.read("out"), "1 2\n");
    for name in ["work/in", "work/out"] {
        assert_eq!(
            fs::metadata(world.path(name)).unwrap().uid(),
            support::ORDINARY,
            "{name}"
        );
    }
}

#[test]
fn a_file_of_somebody_else_does_not_come_out_of_a_writable_tree() {
    let Some(world) = world() else { return };
    fs::rename(world.path("private"), world.path("work/private")).unwrap();
    fs::write(world.path("work/public"), "root's\n").unwrap();
    let options = [
        "--write=WORK",
        "--copy-out=WORK/private:out",
        "--copy-out=WORK/public:out",
    ];
    let ran = run(&world, &options, "exit 0");
    assert_eq!(ran.code, 125, "{}", ran.stderr);
    let copies = [("out", "denied", 0), ("out", "foreign-owner", 0)];
    assert_eq!(ran.copies(), copies);
    assert!(!world.exists("out"));
}
