//! What is no regular file under its own name: each kind is refused in its own word, at once.

use super::*;
use sandbox::transfer::Kind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::net::UnixListener;

#[test]
fn a_missing_name() {
    let world = World::new();
    assert_eq!(world.refused("f"), Problem::Missing);
    assert_eq!(world.refused("d/f"), Problem::Missing);
}

#[test]
fn a_symbolic_link_wherever_it_leads() {
    let world = World::new();
    world.put("d/f", "x");
    symlink("d/f", world.inside("near")).unwrap();
    symlink(world.secret(), world.inside("far")).unwrap();
    symlink("nowhere", world.inside("dangling")).unwrap();
    symlink("loop", world.inside("loop")).unwrap();
    symlink("d", world.inside("directory")).unwrap();
    symlink("/", world.inside("root")).unwrap();
    symlink("/proc/self/exe", world.inside("magic")).unwrap();
    for name in ["near", "far", "dangling", "loop", "directory", "magic"] {
        assert_eq!(world.refused(name), Problem::SymbolicLink, "{name}");
    }
    for name in ["directory/f", "root/etc/passwd", "loop/f", "dangling/f"] {
        assert_eq!(world.refused(name), Problem::SymbolicLink, "{name}");
    }
}

#[test]
fn the_link_on_the_way_is_named() {
    let world = World::new();
    world.put("d/f", "x");
    symlink(".", world.inside("d/link")).unwrap();
    let error = world.read("d/link/f", &Out::default()).unwrap_err();
    assert_eq!(error.path, Path::new("d/link"));
    assert_eq!(error.asked, Path::new("d/link/f"));
}

#[test]
fn a_magic_link_of_proc() {
    let proc = Root::open("/proc").unwrap();
    let here = format!("{}/task/{}", std::process::id(), std::process::id());
    let names = ["cwd", "exe", "root/etc/passwd", "fd/0", "root"];
    for name in names.map(|name| format!("{here}/{name}")) {
        let target = Target::Memory(&mut Vec::new());
        let error = copy_out(&proc, &name, target, &Out::default()).unwrap_err();
        assert_eq!(error.problem, Problem::SymbolicLink, "{name}");
    }
}

#[test]
fn a_fifo_is_not_opened() {
    let world = World::new();
    make_fifo(&world.inside("fifo"));
    let writer = || {
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).custom_flags(libc::O_NONBLOCK);
        options.open(world.inside("fifo"))
    };
    assert_eq!(world.refused("fifo"), Problem::NotRegular(Kind::Fifo));
    assert_eq!(writer().unwrap_err().raw_os_error(), Some(libc::ENXIO));
    // With both ends open, somebody who reads would get this.
    let mut options = fs::OpenOptions::new();
    let options = options.read(true).custom_flags(libc::O_NONBLOCK);
    let mut reader = options.open(world.inside("fifo")).unwrap();
    std::io::Write::write_all(&mut writer().unwrap(), b"kept").unwrap();
    assert_eq!(world.refused("fifo"), Problem::NotRegular(Kind::Fifo));
    let mut read = String::new();
    std::io::Read::read_to_string(&mut reader, &mut read).unwrap();
    assert_eq!(read, "kept");
}

#[test]
fn a_socket() {
    let world = World::new();
    let _listener = UnixListener::bind(world.inside("socket")).unwrap();
    assert_eq!(world.refused("socket"), Problem::NotRegular(Kind::Socket));
}

#[test]
fn a_device() {
    let dev = Root::open("/dev").unwrap();
    for name in ["null", "zero", "tty"] {
        let target = Target::Memory(&mut Vec::new());
        let error = copy_out(&dev, name, target, &Out::default()).unwrap_err();
        assert_eq!(error.problem, Problem::NotRegular(Kind::CharacterDevice));
        assert_eq!(error.go_judge_type(), "CopyOutNotRegularFile");
    }
}

#[test]
fn a_directory_is_no_file() {
    let world = World::new();
    world.put("d/f", "x");
    assert_eq!(world.refused("d"), Problem::IsDirectory);
    assert_eq!(world.refused("d/"), Problem::IsDirectory);
    assert_eq!(world.refused("."), Problem::IsDirectory);
}

#[test]
fn a_file_is_no_directory() {
    let world = World::new();
    world.put("f", "x");
    make_fifo(&world.inside("fifo"));
    assert_eq!(world.refused("f/g"), Problem::NotDirectory);
    assert_eq!(world.refused("fifo/g"), Problem::NotDirectory);
    for name in ["f", "fifo"] {
        let error = world.tree(name, &Out::default()).unwrap_err();
        assert_eq!(error.problem, Problem::NotDirectory);
    }
    assert_eq!(fs::read_dir(world.outside("")).unwrap().count(), 0);
}

#[test]
fn a_hard_link_unless_allowed() {
    let world = World::new();
    world.put("f", "x");
    fs::hard_link(world.inside("f"), world.inside("g")).unwrap();
    fs::hard_link(world.secret(), world.inside("s")).unwrap();
    for name in ["f", "g", "s"] {
        assert_eq!(world.refused(name), Problem::HardLink { links: 2 });
    }
    let (bytes, _) = world.read("g", &with_hard_links()).unwrap();
    assert_eq!(bytes, b"x");
    fs::remove_file(world.inside("f")).unwrap();
    world.read("g", &Out::default()).unwrap();
}

#[test]
fn another_mount() {
    let root = Root::open("/").unwrap();
    for name in ["proc", "proc/version"] {
        let target = Target::Memory(&mut Vec::new());
        let error = copy_out(&root, name, target, &Out::default()).unwrap_err();
        assert_eq!(error.problem, Problem::MountPoint, "{name}");
        assert_eq!(error.path, Path::new("proc"));
    }
}

#[test]
fn a_leased_file_is_not_waited_for() {
    let world = World::new();
    world.put("f", "x");
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).open(world.inside("f")).unwrap();
    let fd = file.as_raw_fd();
    const F_SETSIG: libc::c_int = 10; // missing from the libc crate
    // SAFETY: fcntl with numbers passes no memory; the file is open. SIGURG, which
    // nobody minds, tells of the lease being broken, instead of SIGIO, which ends.
    let leased = unsafe {
        libc::fcntl(fd, F_SETSIG, libc::SIGURG) == 0
            && libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK) == 0
    };
    assert!(leased, "{}", std::io::Error::last_os_error());
    assert_eq!(world.refused("f"), Problem::Busy);
    drop(file);
    world.read("f", &Out::default()).unwrap();
}

#[test]
fn a_path_that_leads_elsewhere() {
    let world = World::new();
    world.put("d/f", "x");
    world.secret();
    assert_eq!(world.refused(""), Problem::EmptyPath);
    assert_eq!(world.refused("/"), Problem::AbsolutePath);
    assert_eq!(world.refused(world.inside("d/f")), Problem::AbsolutePath);
    assert_eq!(world.refused("../secret"), Problem::ParentInPath);
    assert_eq!(world.refused("d/../d/f"), Problem::ParentInPath);
    assert_eq!(world.refused("d/f/.."), Problem::ParentInPath);
    assert_eq!(world.refused("f\0g"), Problem::NulInPath);
    assert_eq!(world.refused("a".repeat(256)), Problem::NameTooLong);
    assert_eq!(world.refused("a".repeat(255)), Problem::Missing);
    assert_eq!(
        world.refused("d/".repeat(33)),
        Problem::TooDeep { limit: 32 }
    );
    world.read("./d//f", &Out::default()).unwrap();
}
