//! How much is copied at most, and what is said past it. What is at a limit passes.

use super::*;

fn too_large(world: &World, options: &[&str], script: &str) -> (String, Value) {
    let ran = world.run(options, script);
    assert_eq!(ran.code, 125, "{}", ran.stderr);
    let message = ran
        .stderr
        .strip_prefix("sandbox: ")
        .unwrap()
        .trim_end()
        .to_owned();
    (message, ran.record["files"].clone())
}

#[test]
fn a_file_past_its_limit_is_not_copied() {
    let world = World::new();
    let options = ["--copy-max=1000", "--copy-out=/tmp/x:x"];
    world
        .run(&options, "head -c 1000 /dev/zero >/tmp/x")
        .quietly(0);
    assert_eq!(fs::metadata(world.path("x")).unwrap().len(), 1000);
    fs::remove_file(world.path("x")).unwrap();
    let (said, files) = too_large(&world, &options, "head -c 1001 /dev/zero >/tmp/x");
    assert_eq!(
        said,
        "cannot copy `/tmp/x` out: it has more bytes than the 1000 of one file\n\
         hint: raise the limit, or ask for a truncated copy"
    );
    assert_eq!(files[0]["kind"], "too-large");
    assert!(!world.exists("x"));
}

#[test]
fn a_file_may_be_cut_there() {
    let world = World::new();
    let options = ["--copy-max=4", "--copy-truncate", "--copy-out=/tmp/x:x"];
    let ran = world.run(&options, "echo 123456 >/tmp/x").quietly(0);
    assert_eq!(ran.copies(), [("out", "truncated", 4)]);
    assert_eq!(ran.record["files"][0]["truncated"], 1);
    assert_eq!(world.read("x"), "1234");
}

#[test]
fn all_files_together_have_a_limit() {
    let world = World::new();
    let options = [
        "--copy-total=10",
        "--copy-out=/tmp/a:a",
        "--copy-out=/tmp/b:b",
    ];
    let ran = world
        .run(&options, "echo 1234 >/tmp/a; echo 5678 >/tmp/b")
        .quietly(0);
    assert_eq!(ran.copies(), [("out", "copied", 5), ("out", "copied", 5)]);
    for name in ["a", "b"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    let script = "echo 1234 >/tmp/a; echo 56789 >/tmp/b";
    let (said, files) = too_large(&world, &options, script);
    let words = "cannot copy `/tmp/b` out: it has more bytes than are left of 10 in all";
    assert_eq!(said, words);
    assert_eq!(files[1]["kind"], "too-much");
    assert_eq!((world.exists("a"), world.exists("b")), (true, false));
}

#[test]
fn what_a_copy_that_failed_has_moved_counts() {
    let world = World::new();
    let options = [
        "--copy-total=1000",
        "--copy-out=/tmp/t/:t",
        "--copy-out=/tmp/x:x",
    ];
    // Whichever of the two comes first in the tree, 600 bytes of it are copied.
    let script = "mkdir /tmp/t; cd /tmp/t; for f in a b ../x; do head -c 600 /dev/zero >$f; done";
    let ran = world.run(&options, script);
    assert_eq!(
        ran.copies(),
        [("out", "too-much", 600), ("out", "too-much", 0)]
    );
}

#[test]
fn what_goes_in_has_the_same_limits() {
    let world = World::new();
    world
        .run(&["--copy-max=4", "--copy-in=in.txt:/tmp/x"], "exit 0")
        .quietly(0);
    let said = world.refused(&["--copy-max=3", "--copy-in=in.txt:/tmp/x"]);
    let words = "cannot copy `/tmp/x` in: outside, `in.txt` has more bytes than the 3 of one file";
    assert_eq!(said, words);
    let options = ["--copy-in=in.txt:/tmp/x", "--copy-in=in.txt:/tmp/y"];
    let said = world.refused(&["--copy-total=7", options[0], options[1]]);
    let words =
        "cannot copy `/tmp/y` in: outside, `in.txt` has more bytes than are left of 7 in all";
    assert_eq!(said, words);
    world
        .run(&["--copy-total=8", options[0], options[1]], "exit 0")
        .quietly(0);
}

#[test]
fn each_direction_has_a_total_of_its_own() {
    let world = World::new();
    let options = [
        "--copy-total=4",
        "--copy-in=in.txt:/tmp/x",
        "--copy-out=/tmp/x:x",
    ];
    world.run(&options, "exit 0").quietly(0);
}

#[test]
fn a_terabyte_of_nothing_is_refused_at_once() {
    let world = World::new();
    let options = ["--file-size=none", "--copy-out=/tmp/x:x"];
    let (said, files) = too_large(&world, &options, "truncate -s 1TiB /tmp/x");
    assert!(
        said.contains("has more bytes than the 67108864 of one file"),
        "{said}"
    );
    assert_eq!(files[0]["bytes"], 0);
    assert!(!world.exists("x"));
}

#[test]
fn a_hole_stays_one() {
    use std::os::unix::fs::MetadataExt;
    let world = World::new();
    let options = ["--copy-out=/tmp/x:x"];
    world
        .run(&options, "truncate -s 32MiB /tmp/x; echo end >>/tmp/x")
        .quietly(0);
    let facts = fs::metadata(world.path("x")).unwrap();
    assert_eq!(facts.len(), (32 << 20) + 4);
    assert!(facts.blocks() * 512 < 1 << 20, "{}", facts.blocks());
}
