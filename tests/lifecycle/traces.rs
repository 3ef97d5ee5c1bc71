//! Many runs, in a row and at once, leave the machine as it was.
//! It must not look at processes that other tests started: each run carries a word of its own.

use super::{marked, marker};
use crate::support::{self, Scratch, code};
use std::fs;
use std::process::Stdio;

const IN_A_ROW: u32 = 300;
const AT_ONCE: u32 = 50;

/// What must be equal before and after.
fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

#[test]
fn runs_in_a_row_leave_nothing() {
    let scratch = Scratch::new();
    let home = scratch.directory("home");
    let work = scratch.directory("home/work");
    scratch.directory("home/work/.git");
    scratch.directory("home/work/.git/hooks");
    scratch.file("home/work/.git/config", "[core]\n", 0o644);
    let marker = marker();
    let before = (scratch.listing(), mounts());
    for number in 0..IN_A_ROW {
        let mut command = support::sandbox();
        // Nothing of the environment of whoever runs the tests: CARGO_HOME and its
        // like name directories that the ordinary user may not be able to enter.
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &home)
            .current_dir(&work);
        // The policy with the most rules every few runs, a short one otherwise.
        if number % 10 == 0 {
            command.args(["--policy", "agent"]);
        }
        let output = support::run(command.args(["--", "/bin/sh", "-c", "exit 3", &marker]));
        assert_eq!(code(&output), 3, "{}", support::complaint(&output));
    }
    assert_eq!(marked(&marker), [""; 0]);
    assert_eq!(scratch.listing(), before.0);
    assert_eq!(mounts(), before.1);
}

#[test]
fn runs_at_once_leave_nothing() {
    let scratch = Scratch::new();
    let work = scratch.directory("work");
    let marker = marker();
    let before = (scratch.listing(), mounts());
    let children: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            support::sandbox()
                .arg("--write")
                .arg(&work)
                .args(["--read", "/etc/hostname", "--hide"])
                // The same absent name in one shared directory, fifty times.
                .arg("/usr/share/absent")
                .args(["--", "/bin/sh", "-c", &format!("sleep 0.2; exit {number}")])
                .arg(&marker)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for (number, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(number as i32),
            "{}",
            support::complaint(&output)
        );
    }
    assert_eq!(marked(&marker), [""; 0]);
    assert_eq!(scratch.listing(), before.0);
    assert_eq!(mounts(), before.1);
}

#[test]
fn no_descriptor_of_the_caller_or_of_sandbox_is_inherited() {
    let script = "exec 5</etc/passwd 9</etc/group; \"$SANDBOX\" --fd 9 -- /bin/ls -1 /proc/self/fd";
    let output = support::run(&mut support::shell(script));
    let text = String::from_utf8(output.stdout).unwrap();
    // 3 is the directory that `ls` lists.
    assert_eq!(text, "0\n1\n2\n3\n9\n", "{:?}", output.stderr);
}
