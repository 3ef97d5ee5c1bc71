//! The harness itself: a wrong answer, a check that did not run and a refused run are all failures.
//! It must not test a boundary; those are in the other files.

use crate::harness::{agree, expect, free, jailed, outcome};
use crate::{ALL, support};
use std::collections::BTreeSet;

checks! {
    selftest_answers: "yes" => "yes", || "yes".into();
    selftest_panics, || panic!("as it should");
    selftest_answers_twice, || "one\nanswer: two".into();
    selftest_dies, || std::process::abort();
    selftest_exits, || std::process::exit(0);
}

fn fails(test: impl FnOnce() + std::panic::UnwindSafe) {
    assert!(std::panic::catch_unwind(test).is_err(), "it passed");
}

#[test]
fn selftest_a_wrong_answer_fails() {
    agree("right", &jailed("selftest_answers", "", &[]), "yes");
    fails(|| expect("selftest_answers", None, "EPERM", &[]));
    fails(|| expect("selftest_answers", Some("open"), "yes", &[]));
}

#[test]
fn selftest_a_check_that_did_not_run_fails() {
    for name in [
        "selftest_no_such_check",
        "selftest_panics",
        "selftest_exits",
    ] {
        assert!(jailed(name, "", &[]).is_err(), "{name}");
        assert!(free(name, "").is_err(), "{name}");
    }
}

#[test]
fn selftest_two_answers_fail() {
    assert!(jailed("selftest_answers_twice", "", &[]).is_err());
}

#[test]
fn selftest_a_deadly_signal_is_an_answer_and_its_own() {
    agree("abort", &jailed("selftest_dies", "", &[]), "SIGABRT");
}

#[test]
fn selftest_a_refused_run_fails() {
    for options in [["--policy", "no-such-policy"], ["--read", "/no/such/path"]] {
        let why = jailed("selftest_answers", "", &options).unwrap_err();
        assert!(why.starts_with("exit code 125 "), "{why}");
    }
    let output = support::run(support::sandbox().args(["--", "/no/such/program"]));
    assert!(outcome(&output).is_err());
}

#[test]
fn selftest_names_are_unique_and_many_are_open_outside() {
    let all: Vec<_> = ALL.iter().copied().flatten().collect();
    let names: BTreeSet<_> = all.iter().map(|check| check.name).collect();
    assert_eq!(names.len(), all.len(), "two checks have one name");
    let open = all.iter().filter(|check| check.outside == Some("open"));
    assert!(
        open.count() >= 25,
        "too few checks can tell open from closed"
    );
}

/// A check that no test runs would look like one that holds.
#[test]
fn selftest_every_check_is_asked() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jail");
    let files = std::fs::read_dir(directory).unwrap();
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let source: String = texts.collect();
    for check in ALL.iter().copied().flatten() {
        // A row with expectations is a test; the others are named by one.
        let name = check.name;
        let asked =
            source.contains(&format!("    {name}: ")) || source.contains(&format!("\"{name}\""));
        assert!(asked, "nothing asks `{name}`");
    }
}

/// What this whole target is about: `tests/jail_warm.rs` would show nothing if its runs were
/// launched as those of `tests/jail.rs` are.
#[test]
fn a_worker_launches_where_it_should() {
    let mut command = support::sandbox();
    command.args(["--verbose", "--", "/bin/true"]);
    let output = support::run(&mut command);
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    let record = String::from_utf8(output.stderr).unwrap();
    let warm = record.contains("a root that stood");
    assert_eq!(warm, support::by_worker(), "{record}");
}
