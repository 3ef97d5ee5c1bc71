//! `--report-format` and `sandbox schema` from outside.
//! It must not judge each judge's words; the library's own tests do.

use crate::support::{self, Scratch, code, sandbox};
use crate::{MARK, refused, sentence, succeeds};
use serde_json::Value;
use std::fs;

/// The record of this script in this format, and the exit code.
fn record(format: &str, script: &str) -> (String, i32) {
    let scratch = Scratch::new();
    let mut command = sandbox();
    command.arg("--report").arg(scratch.join("record"));
    command.args(["--report-format", format, "--wall-time", "500ms"]);
    let output = support::run(command.args(["--", "/bin/sh", "-c", script]));
    let text = fs::read_to_string(scratch.join("record")).unwrap();
    (text, code(&output))
}

#[test]
fn a_run_is_told_in_each_judges_words() {
    let (text, _) = record("go-judge", "exit 3");
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["status"], "Nonzero Exit Status");
    assert_eq!(result["exitStatus"], 3);
    assert!(result["time"].as_u64().unwrap() > 0, "{text}");

    let (text, exit_code) = record("isolate", "sleep 60");
    assert!(text.starts_with("time:0."), "{text}");
    assert!(text.contains("\ntime-wall:0.5"), "{text}");
    assert!(
        text.contains("\nkilled:1\nstatus:TO\nmessage:Time limit exceeded (wall clock)\n"),
        "{text}"
    );
    // The words change, the exit code does not.
    assert_eq!(exit_code, 124);

    let (text, _) = record("domjudge", "exit 3");
    assert!(text.starts_with("exitcode: 3\nwall-time: 0."), "{text}");
    assert!(
        text.contains("\ntime-used: cpu-time\ntime-result: \nmemory-bytes: "),
        "{text}"
    );

    let (text, _) = record("dmoj", "kill -SEGV $$");
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["code"], "RTE");

    let (text, _) = record("sandbox", "exit 0");
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["verdict"], "ok");
}

#[test]
fn a_refused_run_is_a_failure_of_the_sandbox() {
    let scratch = Scratch::new();
    let mut command = sandbox();
    command.arg("--report").arg(scratch.join("meta"));
    command.args(["--report-format", "isolate", "--", "/nonexistent/program"]);
    sentence(&support::run(&mut command), 127);
    let meta = fs::read_to_string(scratch.join("meta")).unwrap();
    assert!(meta.starts_with("status:XX\nmessage:"), "{meta}");
    assert_eq!(meta.lines().count(), 2, "{meta}");
}

#[test]
fn a_format_that_does_not_exist_and_one_without_a_record() {
    let scratch = Scratch::new();
    let mut command = sandbox();
    command.args([
        "--report",
        "r",
        "--report-format",
        "json",
        "--",
        "/bin/echo",
        MARK,
    ]);
    let message = refused(&scratch, &mut command, 125, "`json`");
    assert!(
        message.contains("not one of sandbox, go-judge, isolate, domjudge, dmoj"),
        "{message}"
    );
    let mut command = sandbox();
    command.args(["--report-format", "isolate", "--", "/bin/echo", MARK]);
    refused(&scratch, &mut command, 125, "`--report`");
}

#[test]
fn the_schema_is_what_is_shipped() {
    let text = succeeds(sandbox().arg("schema"));
    assert_eq!(text, include_str!("../../schema/report.schema.json"));
    let text = succeeds(sandbox().args(["schema", "pair"]));
    assert_eq!(text, include_str!("../../schema/pair.schema.json"));
}
