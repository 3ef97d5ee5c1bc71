//! A file system in memory below a tree of the host's, whose owner renames the directory
//! that it is mounted in while the program runs: what it holds still counts.
//! It must not ask what the program sees; `tests/advisories/swapped.rs` does.

use super::{Recorded, expect};
use crate::support::Scratch;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Stdio;

/// Runs a script whose directory is the file system in memory, with the directory above
/// it renamed before the script goes on. The exit code and the record.
fn renamed(script: &str) -> (i32, serde_json::Value) {
    let host = Scratch::new();
    let tree = host.directory("tree");
    host.directory("tree/planned");
    host.directory("tree/planned/in");
    let text = format!(
        "version = 1\nextends = [\"strict\"]\n[files]\n\
         \"/x\" = {{ from = \"{}\", access = \"write\" }}\n\
         \"/x/planned/in\" = {{ tmpfs = \"64MiB\", inodes = 10 }}\n",
        tree.display()
    );
    let policy = host.file("p.toml", text, 0o644);
    let place = Recorded::new();
    let mut command = place.command();
    command.arg("--policy").arg(policy);
    command.args(["--cgroup", "none", "--memory", "32MiB"]);
    let script = format!("cd /x/planned/in; echo ready; read go; {script}");
    command.args(["--", "/bin/sh", "-c", &script]);
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = streams.spawn().unwrap();
    expect(child.stdout.as_mut().unwrap(), "ready");
    fs::rename(tree.join("planned"), tree.join("away")).unwrap();
    // Another file system, which holds nothing of the program's.
    symlink("/dev", tree.join("planned")).unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"go\n").unwrap();
    let code = super::wait(child);
    (code, place.report())
}

#[test]
fn what_a_renamed_file_system_in_memory_holds_still_counts() {
    let (code, record) = renamed("head -c 48M /dev/zero > file; sleep 600");
    assert_eq!(record["verdict"], "memory", "{record}");
    assert_eq!(code, 137);
}

#[test]
fn a_run_below_a_renamed_directory_ends_as_any_other() {
    let (code, record) = renamed("head -c 8M /dev/zero > file; exit 3");
    assert_eq!((code, &record["verdict"]), (3, &"exit".into()), "{record}");
}
