//! What is no run: a place that cannot take or give files, a source that is none, a target that is taken.

use super::*;

#[test]
fn a_place_that_the_program_may_not_write_takes_nothing() {
    let world = World::new();
    let hint = "\nhint: copy into a tmpfs or a tree that the policy makes writable, or show the file with `--read HOST:INSIDE`";
    let why = "it lies where the program may not write";
    for inside in [
        "/usr/in".to_owned(),
        "/dev/in".to_owned(),
        format!("{}/in", world.work()),
    ] {
        let option = format!("--copy-in=in.txt:{inside}");
        let said = world.refused(&["--read=WORK", &option]);
        assert_eq!(said, format!("cannot copy `{inside}` in: {why}{hint}"));
    }
    assert!(!world.exists("work/in"));
}

#[test]
fn a_place_that_is_not_visible_takes_and_gives_nothing() {
    let world = World::new();
    for inside in ["/root/x", "/home/x", "/etc/shadow", "/nowhere"] {
        let said = world.refused(&[&format!("--copy-in=in.txt:{inside}")]);
        assert_eq!(
            said,
            format!("cannot copy `{inside}` in: it is not visible inside")
        );
        let said = world.refused(&[&format!("--copy-out={inside}:out")]);
        assert_eq!(
            said,
            format!("cannot copy `{inside}` out: it is not visible inside")
        );
    }
    assert_eq!(world.names(), ["in.txt", "work"]);
}

#[test]
fn a_hidden_place_takes_and_gives_nothing() {
    let world = World::new();
    world.scratch.directory("work/hidden");
    world.scratch.file("work/hidden/f", "secret", 0o644);
    let options = ["--write=WORK", "--hide=WORK/hidden"];
    let inside = format!("{}/hidden/f", world.work());
    let said = world.refused(&[options[0], options[1], &format!("--copy-out={inside}:out")]);
    assert_eq!(
        said,
        format!("cannot copy `{inside}` out: it is hidden by the policy")
    );
    let said = world.refused(&[
        options[0],
        options[1],
        &format!("--copy-in=in.txt:{inside}2"),
    ]);
    assert_eq!(
        said,
        format!("cannot copy `{inside}2` in: it is hidden by the policy")
    );
    assert!(!world.exists("work/hidden/f2"));
}

#[test]
fn a_path_inside_is_absolute_and_does_not_climb() {
    let world = World::new();
    let hint = "\nhint: the path inside begins with `/`, and has no `..`";
    let said = world.refused(&["--copy-in=in.txt:/tmp/../etc/x"]);
    assert_eq!(
        said,
        format!("cannot copy `/tmp/../etc/x` in: it must not contain `..`{hint}")
    );
    let said = world.refused(&["--copy-out=out:out"]);
    assert_eq!(
        said,
        format!("cannot copy `out` out: it must be absolute{hint}")
    );
}

#[test]
fn an_option_that_is_no_pair_is_a_mistake() {
    let world = World::new();
    for (option, form) in [("--copy-in", "HOST:INSIDE"), ("--copy-out", "INSIDE:HOST")] {
        for spec in ["x", ":x", "x:", ":"] {
            let said = world.refused(&[option, spec]);
            assert_eq!(said, format!("`{option}` is wrong: `{spec}` is not {form}"));
        }
    }
    let said = world.refused(&["--copy-max=64M"]);
    assert_eq!(
        said,
        "`--copy-max` is wrong: `64M` has no unit of size; did you mean `64MiB`?"
    );
}

#[test]
fn a_source_that_cannot_be_read_refuses_the_run() {
    let world = World::new();
    nix::unistd::mkfifo(&world.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    world.scratch.give_away("fifo");
    for (source, why) in [
        ("absent", "does not exist"),
        ("fifo", "is a FIFO, and no regular file"),
        ("/dev/zero", "is a character device, and no regular file"),
    ] {
        let said = world.refused(&[&format!("--copy-in={source}:/tmp/x")]);
        assert_eq!(
            said,
            format!("cannot copy `/tmp/x` in: outside, `{source}` {why}")
        );
    }
}

#[test]
fn the_second_of_two_copies_in_that_fails_refuses_the_run() {
    let world = World::new();
    let said = world.refused(&["--copy-in=in.txt:/tmp/x", "--copy-in=in.txt:/tmp/x"]);
    assert_eq!(
        said,
        "cannot copy `/tmp/x` in: it exists already\nhint: ask for existing files to be replaced"
    );
    let options = [
        "--copy-in=in.txt:/tmp/x",
        "--copy-in=in.txt:/tmp/x",
        "--copy-replace",
    ];
    assert_eq!(world.run(&options, "cat /tmp/x").quietly(0).stdout, "1 2\n");
}

#[test]
fn a_tmpfs_that_is_full_refuses_the_run() {
    let world = World::new();
    world.scratch.file("big", vec![1; 200_000], 0o644);
    let said = world.refused(&["--tmpfs=/small:64KiB", "--copy-in=big:/small/x"]);
    assert_eq!(said, "cannot copy `/small/x` in: it finds no space left");
}

const REPLACE: &str =
    "\nhint: remove it first, or ask for existing files to be replaced (`--copy-replace`)";

#[test]
fn a_target_that_exists_refuses_the_run() {
    let world = World::new();
    let said = world.refused(&["--copy-out=/tmp/x:in.txt"]);
    assert_eq!(
        said,
        format!("cannot copy out to `in.txt`: it exists already{REPLACE}")
    );
    assert_eq!(world.read("in.txt"), "1 2\n");
    // A link that leads nowhere is there as well.
    std::os::unix::fs::symlink("nowhere", world.path("link")).unwrap();
    let said = world.refused(&["--copy-out=/tmp/x:link"]);
    assert_eq!(
        said,
        format!("cannot copy out to `link`: it exists already{REPLACE}")
    );
    world.scratch.directory("full");
    world.scratch.file("full/f", "f", 0o644);
    let said = world.refused(&["--copy-out=/tmp/:full"]);
    assert_eq!(
        said,
        format!("cannot copy out to `full`: it is not empty{REPLACE}")
    );
}

#[test]
fn a_target_that_is_to_be_replaced_is_so_at_the_end() {
    let world = World::new();
    world.scratch.file("keep", "kept", 0o644);
    std::os::unix::fs::symlink("keep", world.path("link")).unwrap();
    let options = [
        "--copy-replace",
        "--copy-out=/tmp/x:in.txt",
        "--copy-out=/tmp/x:link",
    ];
    world.run(&options, "echo new >/tmp/x").quietly(0);
    assert_eq!(world.read("in.txt"), "new\n");
    // The link itself, and not what it leads to.
    assert!(world.path("link").symlink_metadata().unwrap().is_file());
    assert_eq!(world.read("keep"), "kept");
    // What fails replaces nothing.
    let ran = world.run(&options, "exit 0");
    assert_eq!((ran.code, world.read("in.txt").as_str()), (125, "new\n"));
}

#[test]
fn a_target_that_cannot_be_made_refuses_the_run() {
    let world = World::new();
    for (target, why) in [
        (
            "work",
            "cannot copy out to `work`: it is a directory\nhint: name the file that is to be made in it",
        ),
        (
            "no/x",
            "cannot copy into the directory of `no/x`: No such file or directory",
        ),
        (
            "in.txt/x",
            "cannot copy into the directory of `in.txt/x`: Not a directory",
        ),
        ("..", "cannot copy out to `..`: it names no file"),
    ] {
        assert_eq!(
            world.refused(&[&format!("--copy-out=/tmp/x:{target}")]),
            why
        );
    }
    let said = world.refused(&["--copy-out=/tmp/x/:in.txt"]);
    assert_eq!(said, "cannot copy out to `in.txt`: it is no directory");
}
