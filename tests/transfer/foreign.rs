//! A tmpfs of another user namespace, as a sandbox has one: reached by a descriptor alone.

use super::*;
use std::io::{BufRead, BufReader};

use std::process::{Child, Stdio};

/// Holds a tmpfs in namespaces of its own until dropped.
struct Holder(Child);

impl Holder {
    fn start(unshare: &str, world: &World) -> (Holder, Root) {
        let script = "mount -t tmpfs tmpfs inside && chmod 777 inside && mkdir inside/d && \
            echo hello >inside/d/f && ln -s / inside/root && echo ready && cat";
        let mut command = support::ordinary(unshare);
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .current_dir(world.scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let path = format!("/proc/{}/cwd/inside", child.id());
        let root = Root::open(path).unwrap();
        (Holder(child), root)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Its end of file.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_in_it_comes_out() {
    let Some(unshare) = support::installed("unshare") else {
        return;
    };
    let world = World::new();
    let (_holder, root) = Holder::start(&unshare, &world);
    let read = |name: &str| {
        let mut bytes = Vec::new();
        copy_out(&root, name, Target::Memory(&mut bytes), &Out::default())
            .map(|_| bytes)
            .map_err(|error| error.problem)
    };
    assert_eq!(read("d/f").unwrap(), b"hello\n");
    assert_eq!(read("root/etc/passwd"), Err(Problem::SymbolicLink));
    let target = Target::NewTree(&world.outside, Path::new("t"));
    let copied = copy_out(&root, ".", target, &Out::default()).unwrap();
    assert_eq!((copied.files, copied.skipped), (1, 1));
}

#[test]
fn what_goes_in_belongs_to_a_user_that_it_knows() {
    let Some(unshare) = support::installed("unshare") else {
        return;
    };
    let world = World::new();
    let (_holder, root) = Holder::start(&unshare, &world);
    let copied = copy_in(&root, "e/f", Source::Bytes(b"x"), &In::default());
    // Root of the host is nobody there.
    if support::root() {
        assert_eq!(copied.unwrap_err().problem, Problem::UnmappedOwner);
        return;
    }
    copied.unwrap();
    let mut bytes = Vec::new();
    copy_out(&root, "e/f", Target::Memory(&mut bytes), &Out::default()).unwrap();
    assert_eq!(bytes, b"x");
    // Not in what the tmpfs is mounted over.
    assert!(!world.inside("e").exists());
}
