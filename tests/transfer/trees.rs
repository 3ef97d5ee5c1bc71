//! Whole directories, both ways.

use super::*;
use sandbox::transfer::{Existing, Kind};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

fn small(change: impl FnOnce(&mut Limits)) -> Out {
    let mut options = Out::default();
    change(&mut options.limits);
    options
}

#[test]
fn a_tree_comes_out_with_its_files_and_directories() {
    let world = World::new();
    world.put("t/a", "1");
    world.put("t/d/e/b", "22");
    fs::create_dir(world.inside("t/empty")).unwrap();
    let copied = world.tree("t", &Out::default()).unwrap();
    assert_eq!((copied.files, copied.bytes, copied.directories), (2, 3, 4));
    assert_eq!((copied.entries, copied.skipped), (5, 0));
    assert_eq!(fs::read(world.outside("t/a")).unwrap(), b"1");
    assert_eq!(fs::read(world.outside("t/d/e/b")).unwrap(), b"22");
    assert!(world.outside("t/empty").is_dir());
}

#[test]
fn a_tree_may_be_the_root_itself() {
    let world = World::new();
    world.put("d/f", "x");
    let copied = world.tree(".", &Out::default()).unwrap();
    assert_eq!((copied.files, copied.directories), (1, 1));
    assert_eq!(fs::read(world.outside("d/f")).unwrap(), b"x");
}

#[test]
fn what_is_no_file_is_skipped_and_named() {
    let world = World::new();
    world.put("t/d/f", "x");
    symlink(world.secret(), world.inside("t/d/far")).unwrap();
    symlink("/", world.inside("t/root")).unwrap();
    make_fifo(&world.inside("t/fifo"));
    let copied = world.tree("t", &Out::default()).unwrap();
    let mut skipped = copied.skipped_names;
    skipped.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        ("d/far".into(), Kind::Link),
        ("fifo".into(), Kind::Fifo),
        ("root".into(), Kind::Link),
    ];
    assert_eq!(skipped, expected);
    assert_eq!((copied.files, copied.skipped), (1, 3));
    assert_eq!(fs::read_dir(world.outside("t")).unwrap().count(), 1);
}

#[test]
fn only_the_first_skipped_names_are_kept() {
    let world = World::new();
    fs::create_dir(world.inside("t")).unwrap();
    for number in 0..40 {
        symlink("x", world.inside(format!("t/{number}"))).unwrap();
    }
    let copied = world.tree("t", &Out::default()).unwrap();
    assert_eq!((copied.skipped, copied.skipped_names.len()), (40, 16));
}

#[test]
fn a_hard_link_in_a_tree_is_refused_unless_allowed() {
    let world = World::new();
    world.put("t/f", "x");
    fs::hard_link(world.inside("t/f"), world.inside("t/g")).unwrap();
    let error = world.tree("t", &Out::default()).unwrap_err();
    assert_eq!(error.kind(), "hard-link");
    let copied = world.tree("t", &with_hard_links()).unwrap();
    assert_eq!(copied.files, 2);
    assert_eq!(fs::read(world.outside("t/f")).unwrap(), b"x");
    assert_eq!(fs::read(world.outside("t/g")).unwrap(), b"x");
}

#[test]
fn too_many_names() {
    let world = World::new();
    for number in 0..20 {
        world.put(format!("t/{number}"), "x");
    }
    let at = |entries| small(|limits| limits.entries = entries);
    let error = world.tree("t", &at(19)).unwrap_err();
    assert_eq!(error.problem, Problem::TooManyEntries { limit: 19 });
    fs::remove_dir_all(world.outside("t")).unwrap();
    assert_eq!(world.tree("t", &at(20)).unwrap().files, 20);
}

#[test]
fn too_deep() {
    let world = World::new();
    world.put("t/1/2/3/f", "x");
    let at = |depth| small(|limits| limits.depth = depth);
    let error = world.tree("t", &at(2)).unwrap_err();
    assert_eq!(error.problem, Problem::TooDeep { limit: 2 });
    assert_eq!(error.path, Path::new("t/1/2/3"));
    fs::remove_dir_all(world.outside("t")).unwrap();
    world.tree("t", &at(3)).unwrap();
}

#[test]
fn deeper_than_any_path_is_long() {
    let world = World::new();
    let name = "d".repeat(200);
    let mut here = Root::open(world.inside("")).unwrap();
    for _ in 0..40 {
        let file = Path::new(&name).join("f");
        copy_in(&here, file, Source::Bytes(b"x"), &In::default()).unwrap();
        let proc = format!("/proc/self/fd/{}", descriptor(&here));
        here = Root::open(Path::new(&proc).join(&name)).unwrap();
    }
    let options = small(|limits| limits.depth = 40);
    assert_eq!(world.tree(".", &options).unwrap().files, 40);
    let target = Target::NewTree(&world.outside, Path::new("again"));
    let error = copy_out(&world.inside, ".", target, &Out::default()).unwrap_err();
    assert_eq!(error.problem, Problem::TooDeep { limit: 32 });
}

/// The number of a root's descriptor, as the kernel shows it to this process.
fn descriptor(root: &Root) -> i32 {
    use std::os::fd::{AsFd, AsRawFd};
    root.as_fd().as_raw_fd()
}

#[test]
fn too_many_bytes_in_all() {
    let world = World::new();
    for number in 0..10 {
        world.put(format!("t/{number}"), [7; 100]);
    }
    let at = |bytes| small(|limits| limits.total_bytes = bytes);
    let error = world.tree("t", &at(999)).unwrap_err();
    assert_eq!(error.problem, Problem::TooMuch { limit: 999 });
    fs::remove_dir_all(world.outside("t")).unwrap();
    assert_eq!(world.tree("t", &at(1000)).unwrap().bytes, 1000);
}

#[test]
fn what_is_too_large_is_left_out_wholly_and_what_was_finished_stays() {
    let world = World::new();
    world.put("t/small", "x");
    world.put("t/large", [7; 100]);
    let error = world.tree("t", &at_most(99)).unwrap_err();
    assert_eq!(error.kind(), "too-large");
    assert_eq!(error.path, Path::new("t/large"));
    assert!(!world.outside("t/large").exists());
    let truncating = Out {
        truncate: true,
        existing: Existing::Replace,
        ..at_most(99)
    };
    let copied = world.tree("t", &truncating).unwrap();
    assert_eq!((copied.files, copied.truncated, copied.bytes), (2, 1, 100));
}

#[test]
fn a_directory_that_exists_is_used_and_its_files_stay() {
    let world = World::new();
    world.put("t/d/new", "x");
    world.put("t/d/f", "new");
    fs::create_dir_all(world.outside("t/d")).unwrap();
    fs::write(world.outside("t/d/f"), "old").unwrap();
    let error = world.tree("t", &Out::default()).unwrap_err();
    assert_eq!(error.problem, Problem::Exists);
    assert_eq!(fs::read(world.outside("t/d/f")).unwrap(), b"old");
    let replacing = Out {
        existing: Existing::Replace,
        ..Out::default()
    };
    world.tree("t", &replacing).unwrap();
    assert_eq!(fs::read(world.outside("t/d/f")).unwrap(), b"new");
    assert_eq!(fs::read(world.outside("t/d/new")).unwrap(), b"x");
}

#[test]
fn a_link_in_the_target_is_not_entered() {
    let world = World::new();
    world.put("t/d/f", "x");
    fs::create_dir_all(world.outside("t")).unwrap();
    fs::create_dir(world.scratch.join("elsewhere")).unwrap();
    symlink("../../elsewhere", world.outside("t/d")).unwrap();
    let error = world.tree("t", &Out::default()).unwrap_err();
    assert_eq!(error.problem, Problem::SymbolicLink);
    let elsewhere = fs::read_dir(world.scratch.join("elsewhere")).unwrap();
    assert_eq!(elsewhere.count(), 0);
}

#[test]
fn a_tree_goes_in_with_what_may_be_executed() {
    let world = World::new();
    let from = world.outside("t");
    fs::create_dir_all(from.join("d")).unwrap();
    fs::write(from.join("d/run"), "x").unwrap();
    fs::write(from.join("data"), "x").unwrap();
    fs::set_permissions(from.join("d/run"), PermissionsExt::from_mode(0o6755)).unwrap();
    symlink("data", from.join("link")).unwrap();
    let options = In {
        keep_executable: true,
        ..In::default()
    };
    let copied = copy_in(&world.inside, "in/t", Source::Path(&from), &options).unwrap();
    assert_eq!(
        (copied.files, copied.directories, copied.skipped),
        (2, 3, 1)
    );
    let mode = |name: &str| {
        fs::metadata(world.inside(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    assert_eq!((mode("in/t/d/run"), mode("in/t/data")), (0o755, 0o644));
}

#[test]
fn a_tree_goes_from_one_root_to_another() {
    let world = World::new();
    world.put("t/d/f", "x");
    let copy = |from: &str, to: &str| {
        let source = Source::Beneath(&world.inside, Path::new(from));
        copy_in(&world.outside, to, source, &In::default()).unwrap()
    };
    assert_eq!(copy("t", "u").files, 1);
    assert_eq!(copy(".", "all").files, 1);
    assert_eq!(fs::read(world.outside("u/d/f")).unwrap(), b"x");
    assert_eq!(fs::read(world.outside("all/t/d/f")).unwrap(), b"x");
}

#[test]
fn a_tree_into_itself_ends() {
    let world = World::new();
    world.put("t/f", "x");
    let source = Source::Beneath(&world.inside, Path::new("t"));
    let error = copy_in(&world.inside, "t/copy", source, &In::default()).unwrap_err();
    assert_eq!(error.problem, Problem::TooDeep { limit: 32 });
}

#[test]
fn a_mount_in_a_tree_is_not_entered() {
    let Some(unshare) = support::installed("unshare") else {
        return;
    };
    let world = World::new();
    world.put("t/f", "x");
    fs::create_dir(world.inside("t/mounted")).unwrap();
    let script = r#"mount -t tmpfs tmpfs inside/t/mounted && echo secret >inside/t/mounted/f &&
        exec "$0" --exact trees::copies_the_tree_of_another_namespace --ignored"#;
    let mut command = support::ordinary(unshare);
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(support::myself())
        .current_dir(world.scratch.path());
    let output = support::run(&mut command);
    assert!(output.status.success(), "{output:?}");
    assert!(world.outside("t/f").exists());
    assert!(!world.outside("t/mounted").exists());
}

#[test]
#[ignore = "for the test above, which mounts something first"]
fn copies_the_tree_of_another_namespace() {
    let (inside, outside) = (
        Root::open("inside").unwrap(),
        Root::open("outside").unwrap(),
    );
    let target = Target::NewTree(&outside, Path::new("t"));
    let copied = copy_out(&inside, "t", target, &Out::default()).unwrap();
    assert_eq!(copied.skipped_names, [("mounted".into(), Kind::Mount)]);
}

#[test]
fn a_program_of_the_system_agrees() {
    let world = World::new();
    for number in 0..50 {
        world.put(format!("t/{}/{number}", number % 7), number.to_string());
    }
    world.tree("t", &Out::default()).unwrap();
    let mut diff = Command::new("diff");
    diff.arg("-r").args([world.inside("t"), world.outside("t")]);
    assert!(diff.status().unwrap().success());
}
