//! The command line from outside: exit codes, messages, the record, and nothing done on bad input.
//! It must not look at what holds inside the sandbox; that is the jail's question.

#![cfg(feature = "cli")]

#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/formats.rs"]
mod formats;
#[path = "cli/record.rs"]
mod record;
#[path = "cli/redirect.rs"]
mod redirect;
#[path = "cli/speed.rs"]
mod speed;
mod support;
#[path = "cli/words.rs"]
mod words;

use std::process::{Command, Output};
use support::{Scratch, code, complaint};

/// What a program that must not run would print.
const MARK: &str = "EXECUTED";

/// Runs in the directory and expects a refusal: the exit code, one sentence
/// that names the culprit, nothing executed, nothing changed in the directory.
fn refused(scratch: &Scratch, command: &mut Command, expected: i32, culprit: &str) -> String {
    let before = scratch.listing();
    let output = support::run(command.current_dir(scratch.path()));
    let message = sentence(&output, expected);
    assert!(
        message.contains(culprit),
        "`{culprit}` is not in:\n{message}"
    );
    assert_eq!(scratch.listing(), before, "something was left behind");
    message
}

/// The message of a refusal, in the form that all messages have.
fn sentence(output: &Output, expected: i32) -> String {
    let message = complaint(output);
    assert_eq!(code(output), expected, "{message}");
    let executed = String::from_utf8_lossy(&output.stdout);
    assert!(!executed.contains(MARK), "it was executed\n{message}");
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default();
    assert!(first.starts_with("sandbox: "), "{message}");
    assert!(!first.ends_with('.'), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    assert!(!message.contains("os error"), "{message}");
    for line in lines {
        // Advice, or the line of the policy with its caret.
        let known = line.starts_with("hint: ") || line.starts_with("    ");
        assert!(known, "a second sentence:\n{message}");
    }
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!message.contains(control), "{message:?}");
    message
}

/// Expects success; standard output.
fn succeeds(command: &mut Command) -> String {
    let output = support::run(command);
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    String::from_utf8(output.stdout).unwrap()
}
