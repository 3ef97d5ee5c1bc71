//! Copying in: sources, modes, owners, what is there already.

use super::*;
use sandbox::transfer::Existing;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

fn replacing() -> In {
    In {
        existing: Existing::Replace,
        ..In::default()
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn bytes_become_a_file_with_its_directories() {
    let world = World::new();
    let copied = world.write("a/b/c.txt", b"1 2\n", &In::default()).unwrap();
    assert_eq!((copied.files, copied.bytes, copied.directories), (1, 4, 2));
    assert_eq!(fs::read(world.inside("a/b/c.txt")).unwrap(), b"1 2\n");
}

#[test]
fn nothing_is_a_file_too() {
    let world = World::new();
    world.write("empty", b"", &In::default()).unwrap();
    assert_eq!(fs::read(world.inside("empty")).unwrap(), b"");
}

#[test]
fn a_name_need_not_be_utf_8() {
    let world = World::new();
    let name = Path::new(std::ffi::OsStr::from_bytes(b"\xff\xfe\n"));
    world.write(name, b"x", &In::default()).unwrap();
    assert_eq!(world.read(name, &Out::default()).unwrap().0, b"x");
}

#[test]
fn the_mode_is_the_one_asked_for_and_the_owner_the_caller() {
    let world = World::new();
    for asked in [0o600, 0o755, 0o777, 0o444] {
        let name = format!("{asked:o}");
        let options = In {
            mode: asked,
            ..In::default()
        };
        world.write(&name, b"x", &options).unwrap();
        let path = world.inside(&name);
        assert_eq!(mode(&path), asked);
        let owner = fs::metadata(&path).unwrap().uid();
        assert_eq!(owner, nix::unistd::geteuid().as_raw());
    }
}

#[test]
fn no_set_id_bit_can_be_asked_for() {
    let world = World::new();
    for asked in [0o4755, 0o2755, 0o1755, 0o10644] {
        let options = In {
            mode: asked,
            ..In::default()
        };
        let error = world.write("f", b"x", &options).unwrap_err();
        assert_eq!(error.problem, Problem::BadMode { mode: asked });
    }
    assert!(!world.inside("f").exists());
}

#[test]
fn an_open_file_is_copied_from_where_it_stands() {
    let world = World::new();
    let mut file = fs::File::create_new(world.outside("f")).unwrap();
    file.write_all(b"0123456789").unwrap();
    let mut file = fs::File::open(world.outside("f")).unwrap();
    file.seek(SeekFrom::Start(4)).unwrap();
    copy_in(
        &world.inside,
        "f",
        Source::File(file.as_fd()),
        &In::default(),
    )
    .unwrap();
    assert_eq!(fs::read(world.inside("f")).unwrap(), b"456789");
}

#[test]
fn a_pipe_is_a_source() {
    let world = World::new();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(&[7; 300_000]).unwrap());
    let source = Source::File(reader.as_fd());
    let copied = copy_in(&world.inside, "f", source, &In::default()).unwrap();
    writing.join().unwrap();
    assert_eq!(copied.bytes, 300_000);
    assert_eq!(fs::read(world.inside("f")).unwrap(), [7; 300_000]);
}

#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    let world = World::new();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK);
    nix::fcntl::fcntl(&reader, flags).unwrap();
    let writing = std::thread::spawn(move || {
        for _ in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(2));
            writer.write_all(b"part").unwrap();
        }
    });
    let source = Source::File(reader.as_fd());
    let copied = copy_in(&world.inside, "f", source, &In::default());
    drop(reader);
    assert_eq!(copied.unwrap().bytes, 80);
    writing.join().unwrap();
}

#[test]
fn an_endless_source_ends_at_the_limit_and_leaves_nothing() {
    let world = World::new();
    let zero = fs::File::open("/dev/zero").unwrap();
    let limits = Limits {
        file_bytes: 1 << 20,
        ..Limits::default()
    };
    let options = In {
        limits,
        ..In::default()
    };
    let source = Source::File(zero.as_fd());
    let error = copy_in(&world.inside, "f", source, &options).unwrap_err();
    assert_eq!(error.problem, Problem::TooLarge { limit: 1 << 20 });
    assert_eq!(fs::read_dir(world.inside("")).unwrap().count(), 0);
}

#[test]
fn a_path_is_a_source_also_behind_a_link() {
    let world = World::new();
    fs::write(world.outside("f"), "x").unwrap();
    symlink("f", world.outside("link")).unwrap();
    for name in ["f", "link"] {
        let path = world.outside(name);
        copy_in(&world.inside, name, Source::Path(&path), &In::default()).unwrap();
        assert_eq!(fs::read(world.inside(name)).unwrap(), b"x");
        assert!(world.inside(name).symlink_metadata().unwrap().is_file());
    }
}

#[test]
fn a_file_that_says_it_is_empty_is_read_all_the_same() {
    let world = World::new();
    let source = Source::Path(Path::new("/proc/version"));
    copy_in(&world.inside, "v", source, &In::default()).unwrap();
    let expected = fs::read("/proc/version").unwrap();
    assert_eq!(fs::read(world.inside("v")).unwrap(), expected);
}

#[test]
fn a_source_that_is_no_file_is_refused_unopened() {
    let world = World::new();
    make_fifo(&world.outside("fifo"));
    for path in [world.outside("fifo"), "/dev/null".into()] {
        let error = copy_in(&world.inside, "f", Source::Path(&path), &In::default()).unwrap_err();
        assert_eq!(error.kind(), "not-regular");
        assert_eq!(error.go_judge_type(), "CopyInOpenFile");
    }
}

#[test]
fn a_source_beneath_another_root_is_no_link() {
    let world = World::new();
    world.put("d/f", "x");
    symlink("d", world.inside("link")).unwrap();
    let copy = |from: &str| {
        let source = Source::Beneath(&world.inside, Path::new(from));
        copy_in(&world.outside, "f", source, &In::default())
    };
    assert_eq!(copy("link/f").unwrap_err().problem, Problem::SymbolicLink);
    assert_eq!(
        copy("../secret").unwrap_err().problem,
        Problem::ParentInPath
    );
    copy("d/f").unwrap();
    assert_eq!(fs::read(world.outside("f")).unwrap(), b"x");
}

#[test]
fn what_is_there_stays_unless_asked() {
    let world = World::new();
    world.put("f", "old");
    let error = world.write("f", b"new", &In::default()).unwrap_err();
    assert_eq!(error.problem, Problem::Exists);
    assert_eq!(fs::read(world.inside("f")).unwrap(), b"old");
    world.write("f", b"new", &replacing()).unwrap();
    assert_eq!(fs::read(world.inside("f")).unwrap(), b"new");
    assert_eq!(fs::read_dir(world.inside("")).unwrap().count(), 1);
}

#[test]
fn what_is_replaced_was_never_opened() {
    let world = World::new();
    let secret = world.secret();
    symlink(&secret, world.inside("link")).unwrap();
    fs::hard_link(&secret, world.inside("hard")).unwrap();
    make_fifo(&world.inside("fifo"));
    for name in ["link", "hard", "fifo"] {
        let error = world.write(name, b"new", &In::default()).unwrap_err();
        assert_eq!(error.problem, Problem::Exists, "{name}");
        world.write(name, b"new", &replacing()).unwrap();
        assert_eq!(fs::read(world.inside(name)).unwrap(), b"new");
        assert!(world.inside(name).symlink_metadata().unwrap().is_file());
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), SECRET);
}

#[test]
fn a_directory_is_never_replaced() {
    let world = World::new();
    world.put("full/f", "x");
    fs::create_dir(world.inside("empty")).unwrap();
    for name in ["full", "empty", "."] {
        let error = world.write(name, b"new", &replacing()).unwrap_err();
        assert_eq!(error.problem, Problem::IsDirectory, "{name}");
    }
    assert_eq!(fs::read(world.inside("full/f")).unwrap(), b"x");
    assert_eq!(fs::read_dir(world.inside("")).unwrap().count(), 2);
}

#[test]
fn a_link_on_the_way_is_refused() {
    let world = World::new();
    symlink("../outside", world.inside("link")).unwrap();
    symlink("nowhere", world.inside("dangling")).unwrap();
    for name in ["link/f", "link/d/f", "dangling/f"] {
        let error = world.write(name, b"x", &replacing()).unwrap_err();
        assert_eq!(error.problem, Problem::SymbolicLink, "{name}");
        assert_eq!(error.go_judge_type(), "CopyInCreateDir");
    }
    assert_eq!(fs::read_dir(world.outside("")).unwrap().count(), 0);
}

#[test]
fn a_file_on_the_way_is_no_directory() {
    let world = World::new();
    world.put("f", "x");
    let error = world.write("f/g", b"x", &replacing()).unwrap_err();
    assert_eq!(error.problem, Problem::NotDirectory);
}

#[test]
fn a_link_can_be_made_and_is_not_followed() {
    let world = World::new();
    let secret = world.secret();
    let link = |name: &str, text: &Path, options: &In| {
        copy_in(&world.inside, name, Source::Link(text), options)
    };
    link("d/link", &secret, &In::default()).unwrap();
    assert_eq!(fs::read_link(world.inside("d/link")).unwrap(), secret);
    let error = link("d/link", &secret, &In::default()).unwrap_err();
    assert_eq!(error.problem, Problem::Exists);
    assert_eq!(error.go_judge_type(), "Symlink");
    link("d/link", Path::new("../x"), &replacing()).unwrap();
    assert_eq!(
        fs::read_link(world.inside("d/link")).unwrap(),
        Path::new("../x")
    );
    assert_eq!(fs::read_to_string(secret).unwrap(), SECRET);
}

#[test]
fn a_root_is_a_directory() {
    let world = World::new();
    world.put("f", "x");
    let error = Root::open(world.inside("f")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));
    let file = fs::File::open(world.inside("f")).unwrap();
    let error = Root::new(file.into()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));
}

#[test]
fn a_root_that_lost_its_name_is_still_it() {
    let world = World::new();
    fs::rename(world.scratch.join("inside"), world.scratch.join("moved")).unwrap();
    symlink("outside", world.scratch.join("inside")).unwrap();
    world.write("f", b"x", &In::default()).unwrap();
    assert_eq!(fs::read(world.scratch.join("moved/f")).unwrap(), b"x");
    assert_eq!(fs::read_dir(world.outside("")).unwrap().count(), 0);
}
