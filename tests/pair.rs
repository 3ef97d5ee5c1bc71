//! `sandbox pair`: what two programs say to each other, how they end, and that nobody waits for ever.
//! It must not run as root, and must not count on timing but for generous bounds.

#![cfg(feature = "cli")]

#[path = "pair/ends.rs"]
mod ends;
#[path = "pair/floods.rs"]
mod floods;
#[path = "pair/killed.rs"]
mod killed;
#[path = "pair/options.rs"]
mod options;
#[path = "support/schema.rs"]
mod schema;
mod support;
#[path = "pair/talk.rs"]
mod talk;
#[path = "pair/transcript.rs"]
mod transcript;

use serde_json::Value;
use std::fs;
use std::process::{Command, Output};
use support::Scratch;

/// Once as plain descriptors, once with output that is counted on its way.
const BOTH: [&[&str]; 2] = [&[], &["--output", "64MiB"]];

/// `sandbox pair` with options for both, and a shell script for each side.
fn pair(options: &[&str], solution: &str, interactor: &str) -> Command {
    let mut command = support::sandbox();
    command.arg("pair").args(options);
    for script in [solution, interactor] {
        command.args([":", "--", "/bin/sh", "-c", script]);
    }
    command
}

/// Runs a pair; its output and its record, which must be complete.
fn recorded(options: &[&str], solution: &str, interactor: &str) -> (Output, Value) {
    let scratch = Scratch::new();
    let place = scratch.join("pair.json");
    let mut all = vec!["--report", place.to_str().unwrap()];
    all.extend(options);
    let output = support::run(&mut pair(&all, solution, interactor));
    let text = fs::read_to_string(&place)
        .unwrap_or_else(|error| panic!("{error}: {}", support::complaint(&output)));
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(record["complete"], true, "{text}");
    valid(&record).unwrap();
    (output, record)
}

/// Is it a record of a pair, as the schemas say?
fn valid(record: &Value) -> Result<(), String> {
    let [pair, run] = [sandbox::pair::SCHEMA, sandbox::report::SCHEMA]
        .map(|text| serde_json::from_str::<Value>(text).unwrap());
    schema::check(&[&pair, &run], record)
}

/// What went to the interactor, to the solution, and was drained on either way.
fn bytes(record: &Value) -> [u64; 4] {
    [
        "to_interactor",
        "to_solution",
        "drained_to_interactor",
        "drained_to_solution",
    ]
    .map(|name| record["bytes"][name].as_u64().unwrap())
}

/// The verdicts of solution and interactor.
fn verdicts(record: &Value) -> [&str; 2] {
    ["solution", "interactor"].map(|side| record[side]["verdict"].as_str().unwrap())
}
