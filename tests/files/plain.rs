//! What goes in arrives and what comes out is what was written, in a tmpfs and in a host tree.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

#[test]
fn a_file_goes_in_and_its_answer_comes_out() {
    let world = World::new();
    let options = ["--copy-in=in.txt:/tmp/in", "--copy-out=/tmp/out:out.txt"];
    let ran = world.run(&options, "read a b </tmp/in; echo $((a + b)) >/tmp/out");
    let ran = ran.quietly(0);
    assert_eq!(ran.copies(), [("in", "copied", 4), ("out", "copied", 2)]);
    assert_eq!(ran.record["verdict"], "ok");
    assert_eq!(world.read("out.txt"), "3\n");
    assert_eq!(world.names(), ["in.txt", "out.txt", "work"]);
}

#[test]
fn directories_on_the_way_are_made() {
    let world = World::new();
    let options = [
        "--copy-in=in.txt:/tmp/a/b/in",
        "--copy-out=/tmp/a/b/in:out.txt",
    ];
    world
        .run(&options, "echo more >>/tmp/a/b/in; ls /tmp/a")
        .quietly(0);
    assert_eq!(world.read("out.txt"), "1 2\nmore\n");
}

#[test]
fn what_goes_in_belongs_to_the_user_inside() {
    let world = World::new();
    let options = ["--copy-in=in.txt:/tmp/d/in", "--user=4321"];
    let ran = world.run(
        &options,
        "stat -c '%u:%g %a' /tmp/d /tmp/d/in; rm /tmp/d/in",
    );
    assert_eq!(ran.quietly(0).stdout, "4321:4321 755\n4321:4321 644\n");
}

#[test]
fn a_bound_directory_takes_and_gives_files() {
    let world = World::new();
    let options = [
        "--write=WORK",
        "--copy-in=in.txt:WORK/in",
        "--copy-out=WORK/out:out.txt",
        "--cwd=WORK",
    ];
    world.run(&options, "cat in in >out").quietly(0);
    assert_eq!(world.read("out.txt"), "1 2\n1 2\n");
    assert_eq!(world.read("work/in"), "1 2\n");
    let facts = fs::metadata(world.path("work/in")).unwrap();
    assert_eq!(facts.uid(), support::uid());
}

#[test]
fn a_readable_directory_gives_files() {
    let world = World::new();
    world.scratch.file("work/f", "given\n", 0o644);
    let options = ["--read=WORK", "--copy-out=WORK/f:out.txt"];
    world.run(&options, "exit 0").quietly(0);
    assert_eq!(world.read("out.txt"), "given\n");
}

#[test]
fn a_tree_goes_in_and_another_comes_out() {
    let world = World::new();
    world.scratch.directory("tree");
    world.scratch.directory("tree/d");
    world.scratch.file("tree/a", "a", 0o644);
    world.scratch.file("tree/d/b", "bb", 0o755);
    let options = ["--copy-in=tree:/tmp/t", "--copy-out=/tmp/t/:copy"];
    let script = "cd /tmp/t; cat a d/b; mkdir e; echo new >e/c; rm a; ln -s d l; mkfifo p";
    let ran = world.run(&options, script).quietly(0);
    assert_eq!(ran.stdout, "abb");
    assert_eq!(ran.copies(), [("in", "copied", 3), ("out", "copied", 6)]);
    // The link and the FIFO.
    assert_eq!(ran.record["files"][1]["skipped"], 2);
    assert_eq!(world.read("copy/e/c"), "new\n");
    assert_eq!(world.read("copy/d/b"), "bb");
    let mode = |name: &str| fs::metadata(world.path(name)).unwrap().permissions().mode();
    assert_eq!(mode("copy/d/b") & 0o777, 0o755);
    assert_eq!(mode("copy/e/c") & 0o777, 0o644);
    for absent in ["copy/a", "copy/l", "copy/p"] {
        assert!(!world.exists(absent), "{absent}");
    }
}

#[test]
fn the_root_of_a_mount_is_a_tree_too() {
    let world = World::new();
    world.scratch.directory("empty");
    let options = ["--copy-out=/tmp/:empty"];
    world.run(&options, "echo x >/tmp/x").quietly(0);
    assert_eq!(world.read("empty/x"), "x\n");
}

#[test]
fn the_policys_own_links_lead_there() {
    let world = World::new();
    let policy = "version = 1\nextends = [\"strict\"]\n[files]\n\"/box\" = { symlink = \"tmp\" }\n";
    world.scratch.file("p.toml", policy, 0o644);
    let options = [
        "-p",
        "p.toml",
        "--copy-in=in.txt:/box/in",
        "--copy-out=/box/out:out.txt",
    ];
    world.run(&options, "cp /tmp/in /tmp/out").quietly(0);
    assert_eq!(world.read("out.txt"), "1 2\n");
}

#[test]
fn what_is_optional_may_be_missing() {
    let world = World::new();
    let options = [
        "--copy-out=/tmp/a?:a",
        "--copy-out=/tmp/b?:b",
        "--copy-out=/tmp/no/?:c",
    ];
    let ran = world.run(&options, "echo b >/tmp/b").quietly(0);
    let kinds = [
        ("out", "absent", 0),
        ("out", "copied", 2),
        ("out", "absent", 0),
    ];
    assert_eq!(ran.copies(), kinds);
    assert_eq!(world.names(), ["b", "in.txt", "work"]);
}

#[test]
fn what_is_missing_is_said_and_is_no_success() {
    let world = World::new();
    let options = ["--copy-out=/tmp/a:a", "--copy-out=/tmp/b:b"];
    for (end, code, verdict) in [(0, 125, "ok"), (7, 7, "exit")] {
        let ran = world.run(&options, &format!("echo b >/tmp/b; exit {end}"));
        assert_eq!(ran.code, code);
        assert_eq!(
            ran.stderr,
            "sandbox: cannot copy `/tmp/a` out: it does not exist\n"
        );
        assert_eq!(ran.record["verdict"], verdict);
        assert_eq!(ran.record["complete"], true);
        assert_eq!(ran.copies(), [("out", "missing", 0), ("out", "copied", 2)]);
        let error = "cannot copy `/tmp/a` out: it does not exist";
        assert_eq!(ran.record["files"][0]["error"], error);
        fs::remove_file(world.path("b")).unwrap();
    }
}

#[test]
fn a_run_without_copies_has_none_in_its_record() {
    let world = World::new();
    let ran = world.run(&[], "exit 0").quietly(0);
    assert_eq!(ran.record["files"], serde_json::json!([]));
}

#[test]
fn the_plan_shows_each_copy() {
    let world = World::new();
    let mut command = support::sandbox();
    command.arg("plan");
    let options = [
        "--write=WORK",
        "--copy-in=in.txt:/tmp/a/in",
        "--copy-out=WORK/out:o",
    ];
    let options = options.map(|word| word.replace("WORK", &world.work()));
    command.args(options).arg("/bin/true");
    let output = support::run(&mut command);
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let work = world.work();
    let section = format!(
        "copies\n  \
         at most 268435456 bytes in each direction\n  \
         `/tmp/a/in` in, before the program starts: beneath `/tmp`, a tmpfs of its own\n  \
         `{work}/out` out, when everything inside has ended: beneath `{work}`, the host's\n"
    );
    assert!(text.ends_with(&section), "{text}");
}

#[test]
fn the_verbose_text_has_a_line_for_each() {
    let world = World::new();
    let options = ["-v", "--copy-in=in.txt:/tmp/in", "--copy-out=/tmp/no?:o"];
    let ran = world.run(&options, "exit 0");
    for line in [
        "sandbox: copied in: `/tmp/in`, 4 bytes in 1 files: copied\n",
        "sandbox: copied out: `/tmp/no`, 0 bytes in 0 files: absent\n",
    ] {
        assert!(ran.stderr.contains(line), "{}", ran.stderr);
    }
}
