//! Real programs under the shipped policies, unmodified: what they print, to the letter.
//! It must not skip quietly: what is missing is named, and fails if SANDBOX_TEST_REQUIRE lists it.

#![cfg(feature = "cli")]

#[path = "programs/build.rs"]
mod build;
#[path = "programs/git.rs"]
mod git;
#[path = "programs/languages.rs"]
mod languages;
#[path = "programs/shell.rs"]
mod shell;
mod support;

use std::path::Path;
use std::process::Command;
use support::{Scratch, installed, skip};

/// The command line `sandbox --policy POLICY -- WORDS`, in a directory.
fn under(policy: &str, directory: &Path, words: &[&str]) -> Command {
    let mut command = support::sandbox();
    command.current_dir(directory);
    command.args(["--policy", policy, "--"]).args(words);
    command
}

/// Expects success, an exact standard output and nothing on standard error.
#[track_caller]
fn prints(command: &mut Command, expected: &str) {
    let output = support::run(command);
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = support::complaint(&output);
    assert_eq!(support::code(&output), 0, "{text}\n{complaint}");
    assert_eq!(text, expected, "{complaint}");
    assert_eq!(complaint, "");
}

/// Expects success; standard output.
#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = support::run(command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = support::complaint(&output);
    assert_eq!(support::code(&output), 0, "{text}\n{complaint}");
    text
}

/// One line of output of a program under `strict`, which sees no directory of
/// the host's.
#[track_caller]
fn strictly(words: &[&str], expected: &str) {
    let scratch = Scratch::new();
    prints(&mut under("strict", scratch.path(), words), expected);
    assert!(scratch.listing().is_empty());
}

#[test]
fn what_is_required_and_missing_fails() {
    // Asked of a process of its own: the environment belongs to all tests here.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_program_that_nobody_has", "--ignored"])
        .env("SANDBOX_TEST_REQUIRE", "other, no-such-program")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    let why = "no-such-program is not installed, and SANDBOX_TEST_REQUIRE names it";
    assert!(text.contains(why), "{text}");
}

#[test]
#[ignore = "fails where it is required, which another test expects"]
fn a_program_that_nobody_has() {
    assert_eq!(installed("no-such-program"), None);
}
