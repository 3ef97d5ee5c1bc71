//! Where copies lie, by operations made by hand.

use super::*;
use crate::plan::{Identity, MountAttributes};

fn attributes(read_only: bool) -> MountAttributes {
    MountAttributes {
        read_only,
        no_exec: true,
    }
}

fn bind(at: &str, read_only: bool, directory: bool) -> Op {
    Op::Bind {
        at: at.into(),
        source: Path::new("/host").join(at.trim_start_matches('/')),
        identity: Identity {
            dev: 1,
            ino: 2,
            directory,
            owner: (0, 0),
        },
        attributes: attributes(read_only),
        device: false,
    }
}

fn tmpfs(at: &str, mode: u32) -> Op {
    Op::Tmpfs {
        at: at.into(),
        bytes: 4096,
        inodes: 9,
        mode,
        attributes: attributes(false),
    }
}

fn directory(at: &str) -> Op {
    Op::Directory {
        at: at.into(),
        mode: 0o755,
    }
}

fn pin(at: &str) -> Op {
    Op::Pin {
        at: at.into(),
        attributes: attributes(false),
    }
}

fn link(at: &str, target: &str) -> Op {
    Op::Symlink {
        at: at.into(),
        target: target.into(),
    }
}

fn mounts() -> Mounts {
    let mask = |at: &str| Op::Mask {
        at: at.into(),
        directory: true,
    };
    let file = |at: &str| Op::File {
        at: at.into(),
        text: b"x".to_vec(),
        mode: 0o444,
    };
    let mut device = bind("/dev/null", false, false);
    if let Op::Bind { device, .. } = &mut device {
        *device = true;
    }
    Mounts {
        root_bytes: 0,
        root_inodes: 0,
        ops: vec![
            directory("/usr"),
            bind("/usr", true, true),
            link("/bin", "usr/bin"),
            link("/up", "../tmp/./x"),
            link("/loop", "/loop"),
            directory("/etc"),
            file("/etc/passwd"),
            directory("/tmp"),
            tmpfs("/tmp", 0o1777),
            directory("/tmp/a"),
            pin("/tmp/a"),
            bind("/tmp/a/tree", true, true),
            directory("/dev"),
            tmpfs("/dev", 0o755),
            device,
            directory("/dev/shm"),
            tmpfs("/dev/shm", 0o1777),
            Op::Devpts {
                at: "/dev/pts".into(),
            },
            Op::Proc {
                at: "/proc".into(),
                only_pids: true,
            },
            directory("/work"),
            bind("/work", false, true),
            pin("/work/deep"),
            mask("/work/deep/secret"),
            bind("/work/fixed", true, true),
            bind("/work/one", false, false),
            tmpfs("/work/passage", 0o111),
            bind("/work/passage/on", false, true),
            Op::Seal { at: "/dev".into() },
            Op::Seal { at: "/".into() },
        ],
    }
}

/// Root, path beneath it, whose, and whether it may be written.
fn found(direction: Direction, inside: &str) -> Result<(String, String, bool, bool), String> {
    let mounts = mounts();
    let (mount, path) =
        place(&mounts, direction, Path::new(inside)).map_err(|refusal| refusal.message)?;
    let text = |path: &Path| path.display().to_string();
    Ok((text(mount.at), text(&path), mount.own, mount.writable))
}

fn out(inside: &str) -> (String, String, bool, bool) {
    found(Direction::Out, inside).unwrap()
}

#[test]
fn the_deepest_mount_is_the_root() {
    let at = |root: &str, path: &str, own, writable| (root.into(), path.into(), own, writable);
    assert_eq!(out("/tmp/x/y"), at("/tmp", "x/y", true, true));
    assert_eq!(out("/tmp"), at("/tmp", ".", true, true));
    assert_eq!(out("/tmp/a/x"), at("/tmp/a", "x", true, true));
    assert_eq!(out("/tmp/ab"), at("/tmp", "ab", true, true));
    assert_eq!(out("/tmp/a/tree/x"), at("/tmp/a/tree", "x", false, false));
    assert_eq!(out("/work/x"), at("/work", "x", false, true));
    assert_eq!(out("/work/deep/x"), at("/work/deep", "x", false, true));
    assert_eq!(out("/work/fixed/x"), at("/work/fixed", "x", false, false));
    assert_eq!(
        out("/work/passage/on/x"),
        at("/work/passage/on", "x", false, true)
    );
    assert_eq!(out("/dev/x"), at("/dev", "x", true, false));
    assert_eq!(out("/dev/shm/x"), at("/dev/shm", "x", true, true));
}

#[test]
fn links_of_the_policy_are_followed() {
    assert_eq!(out("/bin/cat").1, "bin/cat");
    assert_eq!(out("/up/y").1, "x/y");
    let refused = found(Direction::Out, "/loop/x").unwrap_err();
    assert_eq!(
        refused,
        "cannot copy `/loop/x` out: it has too many symbolic links"
    );
}

#[test]
fn only_what_the_program_may_write_takes_files() {
    for (inside, takes) in [
        ("/tmp/x", true),
        ("/tmp/a/x", true),
        ("/work/deep/x", true),
        ("/dev/shm/x", true),
        ("/usr/x", false),
        ("/bin/x", false),
        ("/dev/x", false),
        ("/tmp/a/tree/x", false),
        ("/work/fixed/x", false),
    ] {
        let found = found(Direction::In, inside);
        match takes {
            true => assert!(found.is_ok(), "{inside}: {found:?}"),
            false => assert_eq!(
                found.unwrap_err(),
                format!("cannot copy `{inside}` in: it lies where the program may not write")
            ),
        }
    }
}

#[test]
fn what_is_not_visible_is_refused_in_so_many_words() {
    for (inside, why) in [
        ("/", "is not visible inside"),
        ("/etc", "is not visible inside"),
        ("/etc/shadow", "is not visible inside"),
        ("/home/x", "is not visible inside"),
        ("/work/passage/x", "is not visible inside"),
        ("/work/deep/secret", "is hidden by the policy"),
        ("/work/deep/secret/x", "is hidden by the policy"),
        ("/dev/null", "is a device"),
        ("/etc/passwd", "is a file that the policy makes"),
        ("/etc/passwd/x", "lies below a file that the policy makes"),
        (
            "/proc/1/mem",
            "lies in a file system of the kernel's, which holds no files",
        ),
        (
            "/dev/pts/0",
            "lies in a file system of the kernel's, which holds no files",
        ),
        (
            "/work/one",
            "is one file of the host's, and not in a directory that is visible",
        ),
        ("/tmp/../etc", "must not contain `..`"),
        ("tmp/x", "must be absolute"),
    ] {
        for (direction, way) in [(Direction::In, "in"), (Direction::Out, "out")] {
            assert_eq!(
                found(direction, inside).unwrap_err(),
                format!("cannot copy `{inside}` {way}: it {why}")
            );
        }
    }
}
