//! Programs people use at a terminal: an editor, a REPL, a monitor, a shell, under `agent`.
//! It must not pass where one of them is not installed without saying so.

use super::{CTRL_D, Outer, tty};
use crate::support::Scratch;
use std::path::Path;

/// A home, a project in it, and the program in a window there; `None` when it is
/// not installed.
fn agent(program: &[&str]) -> Option<(Scratch, Outer)> {
    if !Path::new(program[0]).exists() {
        println!("skip: {} is not installed", program[0]);
        return None;
    }
    let scratch = Scratch::new();
    let home = scratch.directory("home");
    let project = scratch.directory("home/project");
    let mut command = tty();
    command
        .env("HOME", home)
        .env("TERM", "xterm")
        .current_dir(project);
    command.args(["--policy", "agent", "--"]).args(program);
    Some((scratch, Outer::start(command)))
}

#[test]
fn python_repl() {
    let Some((_scratch, mut outer)) = agent(&["/usr/bin/python3", "-q"]) else {
        return;
    };
    outer.expect(">>> ");
    outer.type_in("print('sum', 20 + 22)\n");
    outer.expect("sum 42");
    outer.expect(">>> ");
    outer.type_in("import os; os.get_terminal_size()\n");
    outer.expect("columns=80, lines=24");
    outer.expect(">>> ");
    outer.type_in(CTRL_D);
    assert_eq!(outer.wait(), 0);
}

#[test]
fn vim_edits_and_quits() {
    let Some((scratch, mut outer)) = agent(&["/usr/bin/vim", "-u", "NONE", "-N", "file"]) else {
        return;
    };
    outer.expect("file");
    outer.settle();
    outer.type_in("isome text\x1b:wq\r");
    assert_eq!(outer.wait(), 0);
    assert_eq!(outer.settings(), outer.before);
    let text = std::fs::read_to_string(scratch.join("home/project/file")).unwrap();
    assert_eq!(text, "some text\n");
}

#[test]
fn top_shows_and_quits() {
    let Some((_scratch, mut outer)) = agent(&["/usr/bin/top", "-b", "-n1"]) else {
        return;
    };
    outer.expect("PID");
    outer.expect("top");
    assert_eq!(outer.wait(), 0);
    let (_scratch, mut outer) = agent(&["/usr/bin/top"]).unwrap();
    outer.expect("PID");
    outer.settle();
    outer.type_in("q");
    assert_eq!(outer.wait(), 0);
    assert_eq!(outer.settings(), outer.before);
}

#[test]
fn a_shell_in_the_project() {
    let Some((scratch, mut outer)) = agent(&["/bin/bash", "--norc", "-i"]) else {
        return;
    };
    outer.expect("$ ");
    outer.type_in("echo note > note; tty; ls\n");
    outer.expect("/dev/pts/0");
    outer.expect("note");
    outer.type_in("exit 4\n");
    assert_eq!(outer.wait(), 4);
    assert_eq!(
        std::fs::read_to_string(scratch.join("home/project/note")).unwrap(),
        "note\n"
    );
}
