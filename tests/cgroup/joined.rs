//! Several runs of one process: one home, a group for each run.

use super::{delegated, support};
use serde_json::Value;
use support::{Scratch, code, complaint};

/// Enough for a shell that counts where every instruction is emulated.
const PATIENT: [&str; 4] = ["--cpu-time", "100s", "--wall-time", "300s"];

/// Who counted the processor time of each.
fn sources(records: &[&Value]) -> Vec<String> {
    let source = |record: &&Value| record["cpu_source"].as_str().unwrap().to_owned();
    records.iter().map(source).collect()
}

#[test]
fn the_sides_of_a_pair_have_a_group_each() {
    if delegated().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let place = scratch.join("pair.json");
    let mut command = support::sandbox();
    command.arg("pair").arg("--report").arg(&place);
    command.args(PATIENT);
    for burn in ["i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", "cat"] {
        command.args([":", "/bin/sh", "-c", burn]);
    }
    let output = support::run(&mut command);
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let text = std::fs::read_to_string(&place).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    let (solution, interactor) = (&record["solution"], &record["interactor"]);
    assert_eq!(sources(&[solution, interactor]), ["cgroup", "cgroup"]);
    // What one of them used is not the other's.
    let used = |record: &Value| record["cpu_ns"].as_u64().unwrap();
    assert!(used(solution) > 2 * used(interactor), "{record}");
}

#[test]
fn the_tests_of_a_batch_have_a_group_each() {
    if delegated().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let place = scratch.join("tests.jsonl");
    for (name, text) in [("1.in", "100000"), ("2.in", "1"), ("3.in", "1")] {
        scratch.file(name, text, 0o644);
    }
    let mut command = support::sandbox();
    command.arg("batch");
    command.args(["--jobs", "2", "--in"]);
    command
        .arg(scratch.join("*.in"))
        .arg("--report")
        .arg(&place)
        .args(PATIENT);
    let script = "read n; i=0; while [ $i -lt $n ]; do i=$((i+1)); done";
    command.args(["--", "/bin/sh", "-c", script]);
    let output = support::run(&mut command);
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let text = std::fs::read_to_string(&place).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let records: Vec<Value> = lines.collect();
    let all: Vec<&Value> = records.iter().collect();
    assert_eq!(sources(&all), ["cgroup"; 3]);
    let used = |at: usize| all[at]["cpu_ns"].as_u64().unwrap();
    assert!(used(0) > 2 * used(1) && used(0) > 2 * used(2), "{text}");
}
