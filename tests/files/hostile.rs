//! What a program leaves to be copied that is not what it seems: nothing of the host comes with it.

use super::*;

const SECRET: &str = "what nobody asked for";

/// The run's code, what was said, and the kind in the record, with nothing made outside.
fn spoilt(world: &World, options: &[&str], script: &str) -> (i32, String, String) {
    let before = world.names();
    let ran = world.run(options, script);
    assert_eq!(world.names(), before, "{script}");
    let kind = ran.record["files"][0]["kind"].as_str().unwrap().to_owned();
    (ran.code, ran.stderr, kind)
}

#[test]
fn a_link_is_not_followed() {
    let world = World::new();
    world.scratch.file("secret", SECRET, 0o644);
    let secret = world.path("secret");
    for script in [
        "ln -s /etc/passwd /tmp/x",
        "ln -s /proc/self/fd/0 /tmp/x",
        &format!("ln -s {} /tmp/x", secret.display()),
        "ln -s x /tmp/x",
    ] {
        let (code, said, kind) = spoilt(&world, &["--copy-out=/tmp/x:x"], script);
        assert_eq!((code, kind.as_str()), (125, "symbolic-link"), "{script}");
        assert_eq!(
            said,
            "sandbox: cannot copy `/tmp/x` out: it is a symbolic link\n\
             hint: name the file itself: links are never followed\n"
        );
    }
}

#[test]
fn a_link_on_the_way_is_not_followed() {
    let world = World::new();
    for script in [
        "ln -s / /tmp/d",
        "mkdir /tmp/e; ln -s e /tmp/d; echo x >/tmp/e/etc",
    ] {
        let (_, said, kind) = spoilt(&world, &["--copy-out=/tmp/d/etc:x"], script);
        assert_eq!(kind, "symbolic-link");
        assert!(
            said.contains("cannot copy `/tmp/d/etc` out: `/tmp/d` is a symbolic link"),
            "{said}"
        );
    }
}

#[test]
fn a_link_in_place_of_a_bound_directory_s_file_is_not_followed() {
    let world = World::new();
    world.scratch.file("secret", SECRET, 0o644);
    let script = format!("ln -s {} x", world.path("secret").display());
    let options = ["--write=WORK", "--cwd=WORK", "--copy-out=WORK/x:x"];
    let (code, _, kind) = spoilt(&world, &options, &script);
    assert_eq!((code, kind.as_str()), (125, "symbolic-link"));
}

#[test]
fn what_is_no_file_is_named() {
    let world = World::new();
    for (script, kind) in [
        ("mkfifo /tmp/x", "not-regular"),
        ("mkdir /tmp/x", "is-directory"),
        (
            "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/tmp/x\")'",
            "not-regular",
        ),
    ] {
        if script.starts_with("python3") && support::installed("python3").is_none() {
            continue;
        }
        let (code, _, found) = spoilt(&world, &["--copy-out=/tmp/x:x"], script);
        assert_eq!((code, found.as_str()), (125, kind), "{script}");
    }
    let said = world.refused(&["--copy-out=/dev/zero:x"]);
    assert_eq!(said, "cannot copy `/dev/zero` out: it is a device");
}

#[test]
fn a_hard_link_comes_out_of_a_tmpfs_and_not_out_of_a_host_tree() {
    let world = World::new();
    let script = "echo x >a; ln a b";
    world
        .run(&["--cwd=/tmp", "--copy-out=/tmp/b:b"], script)
        .quietly(0);
    assert_eq!(world.read("b"), "x\n");
    let options = ["--write=WORK", "--cwd=WORK", "--copy-out=WORK/b:c"];
    let (code, said, kind) = spoilt(&world, &options, script);
    assert_eq!((code, kind.as_str()), (125, "hard-link"));
    assert!(said.contains("has 2 hard links"), "{said}");
}

#[test]
fn what_the_policy_hides_in_a_tree_does_not_come_out_with_it() {
    let world = World::new();
    world.scratch.directory("work/hidden");
    world.scratch.file("work/hidden/f", SECRET, 0o644);
    world.scratch.file("work/hidden-file", SECRET, 0o644);
    world.scratch.directory("work/fixed");
    world.scratch.file("work/fixed/f", "fixed", 0o644);
    let options = [
        "--write=WORK",
        "--cwd=WORK",
        "--hide=WORK/hidden",
        "--hide=WORK/hidden-file",
        "--read=WORK/fixed",
        "--copy-out=WORK/:all",
        "--copy-out=WORK/fixed/f:fixed",
    ];
    let ran = world.run(&options, "echo new >new").quietly(0);
    let copied: Vec<String> = fs::read_dir(world.path("all"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // Mounts of their own are skipped, also the one that may be read.
    assert_eq!(copied, ["new"]);
    assert_eq!(ran.record["files"][0]["skipped"], 3);
    assert_eq!(world.read("fixed"), "fixed");
}

#[test]
fn a_directory_around_something_hidden_gives_and_takes_files() {
    let world = World::new();
    world.scratch.directory("work/d");
    world.scratch.file("work/d/secret", SECRET, 0o644);
    let options = [
        "--write=WORK",
        "--cwd=WORK",
        "--hide=WORK/d/secret",
        "--copy-in=in.txt:WORK/d/in",
        "--copy-out=WORK/d/out:out",
        "--copy-out=WORK/d/:tree",
    ];
    world.run(&options, "cp d/in d/out").quietly(0);
    assert_eq!(world.read("out"), "1 2\n");
    assert!(!world.exists("tree/secret"));
}

#[test]
fn who_still_writes_is_dead_before_the_copy() {
    let world = World::new();
    let options = ["--copy-out=/tmp/a:a", "--copy-out=/tmp/b:b"];
    // The program ends when the other has begun; both files get the same numbers.
    let script = "mkfifo /tmp/p; \
        (exec 3>/tmp/p; i=0; while :; do i=$((i + 1)); echo $i >>/tmp/a; echo $i >>/tmp/b; \
            test $i != 50 || echo >&3; done) & \
        read x </tmp/p";
    let ran = world.run(&options, script).quietly(0);
    let (a, b) = (world.read("a"), world.read("b"));
    assert!(a.lines().count() >= 50);
    // Killed between two writes at the most.
    assert!(a.starts_with(&b) && a.lines().count() <= b.lines().count() + 1);
    assert_eq!(ran.record["files"][0]["changed"], false);
}

#[test]
fn a_run_that_was_ended_gives_its_files_too() {
    let world = World::new();
    let options = [
        "--wall-time=1s",
        "--copy-out=/tmp/x:x",
        "--copy-out=/tmp/y:y",
    ];
    let ran = world.run(&options, "echo x >/tmp/x; while :; do echo; done >/tmp/y");
    assert_eq!(ran.code, 124);
    assert_eq!(ran.record["verdict"], "wall-time");
    assert_eq!(world.read("x"), "x\n");
    let kind = ran.record["files"][1]["kind"].as_str().unwrap();
    assert!(["copied", "too-large"].contains(&kind), "{kind}");
    let ran = world.run(
        &["--copy-replace", "--copy-out=/tmp/x:x"],
        "echo y >/tmp/x; kill -KILL $$",
    );
    assert_eq!((ran.code, world.read("x").as_str()), (137, "y\n"));
}

#[test]
fn the_target_s_directory_is_held_whatever_becomes_of_its_name() {
    let world = World::new();
    world.scratch.directory("work/out");
    world.scratch.directory("elsewhere");
    let target = world.path("work/out/x");
    let out = format!("--copy-out=/tmp/x:{}", target.display());
    let elsewhere = world.path("elsewhere");
    let script = format!(
        "echo x >/tmp/x; mv out moved; ln -s {} out",
        elsewhere.display()
    );
    world
        .run(&["--write=WORK", "--cwd=WORK", &out], &script)
        .quietly(0);
    assert_eq!(world.read("work/moved/x"), "x\n");
    assert!(!world.exists("elsewhere/x"));
}

#[test]
fn nothing_of_a_copy_is_open_inside() {
    let world = World::new();
    let options = ["--copy-in=in.txt:/tmp/in", "--copy-out=/tmp/in:out"];
    let ran = world
        .run(&options, "ls /proc/self/fd; ls /proc/1/fd 2>/dev/null")
        .quietly(2);
    // Three streams, and the directory that is listed.
    assert_eq!(ran.stdout, "0\n1\n2\n3\n");
}
