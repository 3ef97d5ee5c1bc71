//! Masks and terminals: runc CVE-2025-31133 (the container's `/dev/null` swapped for a link, so that
//! a mask bound its target writable) and CVE-2025-52565 (`/dev/pts/N` swapped while it was bound).
//! It must not race; `swapped` does.

use crate::calls::{creatable, readable, told, writable};
use crate::harness::{argument, jailed};
use crate::outer::Outer;
use crate::support::{self, Scratch};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

checks! {
    cve_2025_31133_devices_are_devices: _ => "1:3 1:5 1:7 1:8 1:9 5:0", || {
        let names = ["null", "zero", "full", "random", "urandom", "tty"];
        names.map(|name| {
            let facts = fs::symlink_metadata(format!("/dev/{name}")).unwrap();
            let number = facts.rdev();
            let kind = if facts.mode() & libc::S_IFMT == libc::S_IFCHR { "" } else { "no device " };
            format!("{kind}{}:{}", libc::major(number), libc::minor(number))
        }).join(" ")
    };
    masked, || {
        let path = argument();
        let facts = fs::symlink_metadata(&path).unwrap();
        let kind = if facts.is_dir() { "directory" } else if facts.is_file() { "file" } else { "other" };
        let inner = format!("{path}/new");
        let write = match facts.is_dir() {
            true => creatable(&inner),
            false => writable(&path),
        };
        let mode = fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let device = fs::metadata("/").unwrap().dev() == facts.dev();
        let ours = if device { "ours" } else { "the host's" };
        format!("{kind} {:o} {} {write} {} {ours}", facts.mode() & 0o7777, readable(&path), told(mode))
    };
    own_terminal, || {
        let magic = |path: &str| {
            let path = crate::calls::path(path);
            let mut facts = std::mem::MaybeUninit::<libc::statfs>::zeroed();
            // SAFETY: the path is NUL-terminated, the facts are writable.
            assert_eq!(unsafe { libc::statfs(path.as_ptr(), facts.as_mut_ptr()) }, 0);
            // SAFETY: the kernel filled it.
            unsafe { facts.assume_init() }.f_type
        };
        let (held, named) = (fs::metadata("/proc/self/fd/0").unwrap(), fs::symlink_metadata("/dev/pts/0").unwrap());
        let same = (held.dev(), held.ino(), held.rdev()) == (named.dev(), named.ino(), named.rdev());
        format!("{:x} {same} {}:{} {}", magic("/dev/pts"), libc::major(held.rdev()), libc::minor(held.rdev()), crate::calls::names("/dev/pts"))
    };
}

/// A mask is an empty thing of the sandbox's own, neither `/dev/null` nor a file of the host's.
#[test]
fn cve_2025_31133_a_mask_is_bound_from_nothing_of_the_hosts() {
    let scratch = Scratch::new();
    let secret = scratch.file("secret", "s", 0o666);
    let directory = scratch.directory("hidden");
    fs::write(directory.join("key"), "k").unwrap();
    let before = scratch.listing();
    for (path, kind) in [(&secret, "file"), (&directory, "directory")] {
        for option in ["--read", "--write"] {
            let tree = scratch.path().to_str().unwrap();
            let path = path.to_str().unwrap();
            let answer = jailed("masked", path, &[option, tree, "--hide", path]);
            let expected = match kind {
                "file" => "file 0 EACCES EACCES EROFS ours",
                _ => "directory 0 EACCES EACCES EROFS ours",
            };
            assert_eq!(answer.as_deref(), Ok(expected), "{option} {kind}");
        }
    }
    assert_eq!(scratch.listing(), before);
}

/// What the tree itself calls `dev/null` has no part in it.
#[test]
fn cve_2025_31133_a_device_of_the_tree_is_no_source() {
    let scratch = Scratch::new();
    let victim = scratch.file("victim", "precious", 0o666);
    let tree = scratch.directory("tree");
    fs::create_dir(tree.join("dev")).unwrap();
    symlink(&victim, tree.join("dev/null")).unwrap();
    fs::write(tree.join("secret"), "s").unwrap();
    let script = "cat /work/secret; echo x >/work/secret; echo x >/dev/null && echo null; cat /work/dev/null";
    let tree = tree.to_str().unwrap();
    let mapped = format!("{tree}:/work");
    let output = support::run(support::sandbox().args([
        "--write",
        &mapped,
        "--hide",
        "/work/secret",
        "--",
        "/bin/sh",
        "-c",
        script,
    ]));
    assert_eq!(output.stdout, b"null\n", "{}", support::complaint(&output));
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn cve_2025_52565_the_terminal_is_one_of_a_new_devpts() {
    let command = crate::harness::inside("own_terminal", "", &["--tty"]);
    let mut outer = Outer::start(command);
    outer.expect("answer: 1cd1 true 136:0 0 ptmx\r\n");
    assert_eq!(outer.wait(), 0);
}

/// A tree that stands where the terminals would be is never taken for them.
#[test]
fn cve_2025_52565_a_tree_gives_no_terminal() {
    let scratch = Scratch::new();
    let victim = scratch.file("victim", "precious", 0o666);
    let tree = scratch.directory("tree");
    for name in ["0", "ptmx", "console", "tty"] {
        symlink(&victim, tree.join(name)).unwrap();
    }
    fs::create_dir(tree.join("pts")).unwrap();
    symlink(&victim, tree.join("pts/ptmx")).unwrap();
    let before = scratch.listing();
    for place in ["/dev", "/dev/pts"] {
        let mapped = format!("{}:{place}", tree.display());
        for option in ["--read", "--write"] {
            let mut command = support::sandbox();
            command.args([option, &mapped, "--tty", "--", "/bin/true"]);
            let message = crate::refused(&mut command);
            assert!(message.contains("cannot make a terminal"), "{message}");
        }
    }
    assert_eq!(scratch.listing(), before);
}
