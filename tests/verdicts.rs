//! The verdicts: a table of programs, and what the record says of each, every time.
//! It must not count on timing: a limit is passed by far, or missed by far.
//!
//! `SANDBOX_VERDICT_SLOWER=5` gives every limit and every wait five times as long.
//! `docs/verdicts.md` is this table for people. Once with the other tests; a hundred times with
//! `SANDBOX_VERDICT_ROUNDS=100 cargo test --test verdicts -- --ignored rounds --nocapture`.

#![cfg(feature = "cli")]

#[path = "verdicts/case.rs"]
mod case;
#[path = "verdicts/document.rs"]
mod document;
#[path = "verdicts/forks.rs"]
mod forks;
#[path = "verdicts/harness.rs"]
mod harness;
#[path = "verdicts/inside.rs"]
mod inside;
#[path = "verdicts/schema.rs"]
mod schema;
mod support;
#[path = "verdicts/table/mod.rs"]
mod table;

#[test]
fn ends() {
    harness::hold(&table::ends::cases());
}

#[test]
fn signals() {
    harness::hold(&table::signals::cases());
}

#[test]
fn faults() {
    harness::hold(&table::faults::cases());
}

#[test]
fn elapsed_time() {
    harness::hold(&table::elapsed::cases());
}

#[test]
fn processor_time() {
    harness::hold(&table::processor::cases());
}

#[test]
fn memory() {
    harness::hold(&table::memory::cases());
}

#[test]
fn processes() {
    harness::hold(&table::processes::cases());
}

#[test]
fn output_and_files() {
    harness::hold(&table::output::cases());
}

#[test]
fn system_calls() {
    harness::hold(&table::calls::cases());
}

#[test]
fn starts() {
    harness::hold(&table::starts::cases());
}

#[test]
fn two_limits() {
    harness::hold(&table::two::cases());
}

#[test]
fn there_are_enough_and_each_has_a_name_of_its_own() {
    let cases = table::all();
    assert!(cases.len() >= 100, "{}", cases.len());
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len());
}

#[test]
#[ignore = "takes SANDBOX_VERDICT_ROUNDS times as long as the table"]
fn rounds() {
    let number = |name: &str, otherwise| match std::env::var(name) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => otherwise,
    };
    let rounds = number("SANDBOX_VERDICT_ROUNDS", 10);
    let at_once = number("SANDBOX_VERDICT_AT_ONCE", 4);
    let wanted = std::env::var("SANDBOX_VERDICT_ONLY").unwrap_or_default();
    let mut cases = table::all();
    cases.retain(|case| case.name.contains(&wanted));
    let wrong = harness::rounds(&cases, rounds, at_once);
    println!("{} programs, {rounds} times each", cases.len());
    assert!(
        wrong.is_empty(),
        "{} went wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
