//! Copying one file out: targets, modes, optional names.

use super::*;
use sandbox::transfer::{Existing, Side};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};

fn to_file(world: &World, from: &str, to: &str, options: &Out) -> Result<Copied, Error> {
    let target = Target::NewFile(&world.outside, Path::new(to));
    copy_out(&world.inside, from, target, options)
}

#[test]
fn memory_gets_the_content_at_its_end() {
    let world = World::new();
    world.put("d/f", "second");
    let mut bytes = b"first ".to_vec();
    let target = Target::Memory(&mut bytes);
    let copied = copy_out(&world.inside, "d/f", target, &Out::default()).unwrap();
    assert_eq!((copied.found, copied.files, copied.bytes), (true, 1, 6));
    assert_eq!((copied.truncated, copied.changed), (0, false));
    assert_eq!(bytes, b"first second");
}

#[test]
fn an_open_file_gets_it_at_its_position() {
    let world = World::new();
    world.put("f", "second");
    let mut file = fs::File::create_new(world.outside("f")).unwrap();
    file.write_all(b"first and more").unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(6)).unwrap();
    let target = Target::File(file.as_fd());
    copy_out(&world.inside, "f", target, &Out::default()).unwrap();
    let read = fs::read_to_string(world.outside("f")).unwrap();
    assert_eq!(read, "first secondre");
}

#[test]
fn a_file_that_is_appended_to_gets_it_at_its_end() {
    let world = World::new();
    world.put("f", "second");
    fs::write(world.outside("f"), "first ").unwrap();
    let mut options = fs::OpenOptions::new();
    let file = options.append(true).open(world.outside("f")).unwrap();
    let target = Target::File(file.as_fd());
    copy_out(&world.inside, "f", target, &Out::default()).unwrap();
    let read = fs::read_to_string(world.outside("f")).unwrap();
    assert_eq!(read, "first second");
}

#[test]
fn a_pipe_that_does_not_block_gets_all_of_it() {
    let world = World::new();
    world.put("f", vec![7; 1 << 20]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let flags = nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK);
    nix::fcntl::fcntl(&writer, flags).unwrap();
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let target = Target::File(writer.as_fd());
    copy_out(&world.inside, "f", target, &Out::default()).unwrap();
    drop(writer);
    assert_eq!(reading.join().unwrap(), vec![7; 1 << 20]);
}

#[test]
fn a_new_file_has_the_mode_asked_for_and_never_more() {
    let world = World::new();
    world.put("f", "x");
    let set = |mode| fs::set_permissions(world.inside("f"), PermissionsExt::from_mode(mode));
    let mode = |to: &str, options: &Out| {
        to_file(&world, "f", to, options).unwrap();
        fs::metadata(world.outside(to))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    let executable = Out {
        keep_executable: true,
        ..Out::default()
    };
    let private = Out {
        mode: 0o600,
        ..executable.clone()
    };
    set(0o6755).unwrap();
    assert_eq!(mode("plain", &Out::default()), 0o644);
    assert_eq!(mode("executable", &executable), 0o755);
    assert_eq!(mode("private", &private), 0o700);
    set(0o644).unwrap();
    assert_eq!(mode("not executable", &executable), 0o644);
}

#[test]
fn a_new_file_replaces_nothing_unless_asked() {
    let world = World::new();
    world.put("f", "new");
    let secret = world.secret();
    symlink(&secret, world.outside("f")).unwrap();
    let error = to_file(&world, "f", "f", &Out::default()).unwrap_err();
    assert_eq!(
        (error.problem, error.side),
        (Problem::Exists, Side::Outside)
    );
    assert_eq!(error.go_judge_type(), "CopyOutCreateFile");
    let replacing = Out {
        existing: Existing::Replace,
        ..Out::default()
    };
    to_file(&world, "f", "f", &replacing).unwrap();
    assert_eq!(fs::read_to_string(world.outside("f")).unwrap(), "new");
    assert_eq!(fs::read_to_string(secret).unwrap(), SECRET);
}

#[test]
fn the_target_is_held_as_the_source_is() {
    let world = World::new();
    world.put("f", "x");
    symlink("../inside", world.outside("link")).unwrap();
    let problem = |to: &str| {
        let error = to_file(&world, "f", to, &Out::default()).unwrap_err();
        assert_eq!(error.side, Side::Outside);
        error.problem
    };
    assert_eq!(problem("link/g"), Problem::SymbolicLink);
    assert_eq!(problem("../g"), Problem::ParentInPath);
    assert_eq!(problem("/tmp/g"), Problem::AbsolutePath);
    assert_eq!(problem(""), Problem::EmptyPath);
    assert_eq!(problem("."), Problem::IsDirectory);
}

#[test]
fn a_source_that_is_refused_creates_nothing() {
    let world = World::new();
    make_fifo(&world.inside("fifo"));
    let large = fs::File::create_new(world.inside("large")).unwrap();
    large.set_len(1 << 40).unwrap();
    for name in ["fifo", "missing", "large"] {
        to_file(&world, name, "d/f", &Out::default()).unwrap_err();
    }
    assert_eq!(fs::read_dir(world.outside("")).unwrap().count(), 0);
}

#[test]
fn what_is_optional_may_be_missing_and_nothing_else() {
    let world = World::new();
    world.put("f", "x");
    make_fifo(&world.inside("fifo"));
    let optional = Out {
        optional: true,
        ..Out::default()
    };
    for name in ["missing", "no/such/directory"] {
        let (bytes, copied) = world.read(name, &optional).unwrap();
        assert_eq!((bytes.len(), copied.found, copied.files), (0, false, 0));
        assert_eq!(world.refused(name), Problem::Missing);
    }
    assert!(world.read("f", &optional).unwrap().1.found);
    for name in ["fifo", "f/g", "..", ""] {
        world.read(name, &optional).unwrap_err();
    }
    assert!(!world.tree("missing", &optional).unwrap().found);
}

#[test]
fn a_file_of_another_owner_is_refused_on_request() {
    let world = World::new();
    world.put("f", "x");
    let me = nix::unistd::geteuid().as_raw();
    let of = |owner| Out {
        owner: Some(owner),
        ..Out::default()
    };
    world.read("f", &of(me)).unwrap();
    let error = world.read("f", &of(me + 1)).unwrap_err();
    assert_eq!(error.problem, Problem::ForeignOwner { owner: me });
}

#[test]
fn what_may_not_be_read_is_denied() {
    // Root may read everything.
    if support::root() {
        return support::skip("a file without permissions", "is none to root");
    }
    let world = World::new();
    world.put("f", "x");
    world.put("d/f", "x");
    for name in ["f", "d"] {
        fs::set_permissions(world.inside(name), PermissionsExt::from_mode(0o000)).unwrap();
    }
    assert_eq!(world.refused("f"), Problem::Denied);
    assert_eq!(world.refused("d/f"), Problem::Denied);
    fs::set_permissions(world.inside("d"), PermissionsExt::from_mode(0o755)).unwrap();
}
