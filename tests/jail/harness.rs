//! Runs one check, inside the sandbox or outside as the same user, and reads its one answer.
//! It must not take silence, a refusal of the sandbox or a second answer for an answer.

use crate::calls::here;
use crate::{ALL, support};
use std::path::Path;
use std::process::{Command, Output};

/// One question to the kernel; the answer is an errno's name, `open` for a call
/// that was carried out, or a word of the check's own.
pub struct Check {
    pub name: &'static str,
    /// Asks; runs in a process of its own.
    pub run: fn() -> String,
    /// What an ordinary user gets outside, where that is asked.
    pub outside: Option<&'static str>,
}

/// A table of checks: `name: OUTSIDE => INSIDE, ask;` makes a test as well, with
/// `_` where the answer outside depends on the machine, and options of the
/// sandbox after `with`. `name, ask;` is a check that tests written by hand use.
macro_rules! checks {
    ($($name:ident $(: $outside:tt => $inside:literal $(with [$($option:expr),+])?)?, $run:expr;)*) => {
        /// What can be asked here.
        pub const CHECKS: &[$crate::harness::Check] = &[$($crate::harness::Check {
            name: stringify!($name),
            run: $run,
            outside: checks!(@outside $($outside)?),
        }),*];

        $($(
            #[test]
            fn $name() {
                let options: &[&str] = &[$($($option),+)?];
                $crate::harness::expect(stringify!($name), checks!(@outside $outside), $inside, options);
            }
        )?)*
    };
    (@outside) => { None };
    (@outside _) => { None };
    (@outside $answer:literal) => { Some($answer) };
}

/// Where the checks are inside, whatever the policy.
pub const INSIDE: &str = "/check";

/// The test that [`Check::run`] is called from.
const ENTRY: &str = "harness::ask";
const NAME: &str = "JAIL_CHECK";
const ARGUMENT: &str = "JAIL_ARGUMENT";
const PLACE: &str = "JAIL_PLACE";
const MARK: &str = "answer: ";

/// Asks outside (where an answer is expected) and inside.
pub fn expect(name: &str, outside: Option<&str>, inside: &str, options: &[&str]) {
    if let Some(outside) = outside {
        agree(&format!("{name} outside"), &free(name, ""), outside);
    }
    agree(name, &jailed(name, "", options), inside);
}

/// Fails unless there is an answer and it is the expected one.
pub fn agree(what: &str, answer: &Result<String, String>, expected: &str) {
    match answer {
        Ok(answer) => assert_eq!(answer, expected, "{what}"),
        Err(why) => panic!("{what}: {why}"),
    }
}

/// The answer under `strict` and these options.
pub fn jailed(name: &str, argument: &str, options: &[&str]) -> Result<String, String> {
    let mut command = inside(name, argument, options);
    // `agent` shows the directory it is started in, which cannot be the root.
    let project = options.contains(&"agent").then(support::Scratch::new);
    if let Some(project) = &project {
        command.current_dir(project.path());
    }
    outcome(&support::run(&mut command))
}

/// The answer outside, as the same user.
pub fn free(name: &str, argument: &str) -> Result<String, String> {
    let mut command = support::again();
    let place = support::Scratch::new();
    command
        .args(words())
        .env(NAME, name)
        .env(ARGUMENT, argument)
        .env(PLACE, place.path());
    outcome(&support::run(&mut command))
}

/// The command that asks inside.
pub fn inside(name: &str, argument: &str, options: &[&str]) -> Command {
    let mut command = support::sandbox();
    command.args(options).arg("--exec");
    command.arg(format!("{}:{INSIDE}", support::myself().display()));
    command.args(["--env", &format!("{NAME}={name}")]);
    command.args(["--env", &format!("{ARGUMENT}={argument}")]);
    command.args(["--env", &format!("{PLACE}=/tmp")]);
    command.args(["--", INSIDE]).args(words());
    command
}

/// Standard output of a program of the system under `strict` and these options.
pub fn prints(options: &[&str], program: &[&str]) -> String {
    let mut command = support::sandbox();
    command.args(options).arg("--").args(program);
    let output = support::run(&mut command);
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn words() -> [&'static str; 5] {
    [
        ENTRY,
        "--exact",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]
}

/// The one answer of a run: what it printed and then ended well, or the signal
/// that ended it before it could.
pub fn outcome(output: &Output) -> Result<String, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let answers: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix(MARK))
        .collect();
    let code = support::code(output);
    match answers[..] {
        [answer] if code == 0 => Ok(answer.to_owned()),
        [] if code > 128 => Ok(signal(code - 128)),
        _ => Err(format!(
            "exit code {code} and {} answers\n{text}\n{}",
            answers.len(),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// `SIGSYS`, as an answer.
pub fn signal(number: i32) -> String {
    let known = nix::sys::signal::Signal::try_from(number);
    known.map_or_else(|_| format!("signal {number}"), |signal| signal.to_string())
}

/// What the outer test hands to the check.
pub fn argument() -> String {
    std::env::var(ARGUMENT).unwrap()
}

/// An empty directory that the check may write to.
pub fn place() -> String {
    std::env::var(PLACE).unwrap()
}

/// The check of this name.
pub fn find(name: &str) -> Option<&'static Check> {
    ALL.iter()
        .copied()
        .flatten()
        .find(|check| check.name == name)
}

/// Fails unless the run was refused with this sentence, as it must be on a kernel
/// that lacks what was asked for.
pub fn refused(answer: &Result<String, String>, sentence: &str) {
    let why = answer.as_ref().expect_err("it was not refused");
    assert!(
        why.starts_with("exit code 125 ") && why.contains(sentence),
        "{why}"
    );
}

/// The running kernel's Landlock ABI.
pub fn landlock_abi() -> i64 {
    // LANDLOCK_CREATE_RULESET_VERSION, for which nothing else may be passed.
    here(libc::SYS_landlock_create_ruleset, [0, 0, 1, 0, 0, 0])
}

/// Is it there for this user outside? What is not installed cannot be asked for.
pub fn there(path: &str) -> bool {
    Path::new(path).exists()
}

#[test]
#[ignore = "asks one check; the other tests run it inside the sandbox"]
fn ask() {
    let name = std::env::var(NAME).expect("the name of a check");
    let check = find(&name).unwrap_or_else(|| panic!("no check `{name}`"));
    let answer = (check.run)();
    // The harness has written the beginning of a line.
    println!("\n{MARK}{answer}");
}
