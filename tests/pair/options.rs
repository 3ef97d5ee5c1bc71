//! Options, records and refusals of `sandbox pair`.
//! It must not leave one side running when the other cannot start.

use super::{pair, recorded, valid};
use crate::support::{self, Scratch, code, complaint};
use serde_json::Value;
use std::fs;
use std::process::Command;

fn words(words: &[&str]) -> Command {
    let mut command = support::sandbox();
    command.arg("pair").args(words);
    command
}

#[test]
fn each_side_has_its_own_policy_and_limits() {
    let place = Scratch::new();
    let file = place.file("answers", "42\n", 0o644);
    let file = file.to_str().unwrap();
    let look = format!("cat {file} >&2 || echo closed >&2; ulimit -n >&2");
    let output = support::run(&mut words(&[
        "--open-files",
        "100",
        ":",
        "/bin/sh",
        "-c",
        &format!("cat; {look}"),
        ":",
        "--read",
        file,
        "--open-files",
        "50",
        "/bin/sh",
        "-c",
        &look,
    ]));
    let said = complaint(&output);
    assert!(said.starts_with("42\n50\n"), "{said}");
    assert!(said.ends_with("closed\n100\n"), "{said}");
}

#[test]
fn neither_sees_the_other() {
    let (output, _) = recorded(
        &[],
        "echo mine > /tmp/file; : > /dev/shm/file; echo go; cat",
        "read go; ls /tmp /dev/shm >&2; ls -d /proc/[0-9]* | wc -l >&2",
    );
    // The shell, `ls` and `wc`.
    let said = complaint(&output);
    let lines: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(lines[..2], ["/dev/shm:", "/tmp:"], "{said}");
    assert!(lines[2].parse::<u32>().unwrap() <= 3, "{said}");
}

#[test]
fn a_side_that_cannot_start_starts_neither() {
    let place = Scratch::new();
    let record = place.join("pair.json");
    let report = record.to_str().unwrap();
    for (line, expected) in [
        (["/no/such", "/bin/true"], 127),
        (["/bin/true", "/no/such"], 127),
        (["/etc/passwd", "/bin/true"], 126),
    ] {
        let [solution, interactor] = line;
        let output = support::run(&mut words(&[
            "--report", report, ":", solution, ":", interactor,
        ]));
        assert_eq!(code(&output), expected, "{}", complaint(&output));
        let text: Value = serde_json::from_str(&fs::read_to_string(&record).unwrap()).unwrap();
        assert_eq!(text["complete"], false);
        valid(&text).unwrap();
        assert_eq!(text["exit_code"], expected);
    }
}

#[test]
fn mistakes_are_125_and_say_where() {
    for (line, expected) in [
        (
            &[][..],
            "a pair is written in three parts, with `:` between them",
        ),
        (&["/bin/true"], "a pair is written in three parts"),
        (
            &[":", "--memory", "1X", "/bin/true", ":", "/bin/true"],
            "solution: `--memory` is wrong",
        ),
        (
            &[":", "/bin/true", ":", "--nonsense", "/bin/true"],
            "interactor: unknown option `--nonsense`",
        ),
        (
            &["--tty", ":", "/bin/true", ":", "/bin/true"],
            "hint: leave `--tty` out",
        ),
        (
            &[":", "--stdin", "x", "/bin/true", ":", "/bin/true"],
            "hint: leave `--stdin` out",
        ),
        (
            &[":", "/bin/true", ":", "--stdout", "x", "/bin/true"],
            "hint: leave `--stdout` out",
        ),
        (
            &["--stderr", "x", ":", "/bin/true", ":", "/bin/true"],
            "write their standard error over the other's in one file",
        ),
        (
            &[
                "--report-format",
                "isolate",
                ":",
                "/bin/true",
                ":",
                "/bin/true",
            ],
            "unknown option `--report-format`",
        ),
        (
            &["--fd", "77", ":", "/bin/true", ":", "/bin/true"],
            "descriptor 77 is not open",
        ),
        (
            &[
                "--transcript-limit",
                "x",
                ":",
                "/bin/true",
                ":",
                "/bin/true",
            ],
            "`--transcript-limit` is wrong",
        ),
    ] {
        let output = support::run(&mut words(line));
        assert_eq!(code(&output), 125, "{line:?}");
        assert!(
            complaint(&output).contains(expected),
            "{}",
            complaint(&output)
        );
    }
}

#[test]
fn help_is_printed_with_and_without_programs() {
    for line in [&["--help"][..], &["-h", ":", "a", ":", "b"]] {
        let output = support::run(&mut words(line));
        assert_eq!(code(&output), 0);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains("--end-both") && text.contains("--memory"),
            "{text}"
        );
    }
}

#[test]
fn verbose_names_the_side_of_each_line() {
    let output = support::run(&mut pair(&["-v"], "exit 0", "cat; sleep 0.5; exit 1"));
    let said = complaint(&output);
    for line in [
        "sandbox: solution: verdict: ok\n",
        "sandbox: interactor: verdict: exit\n",
        "sandbox: ended first: solution\n",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

/// The words that the record and its schema have, both ways.
#[test]
fn the_record_has_the_fields_of_its_schema() {
    let schema: Value = serde_json::from_str(sandbox::pair::SCHEMA).unwrap();
    let place = Scratch::new();
    let said = place.join("said");
    let (_, record) = recorded(
        &["--transcript", said.to_str().unwrap()],
        "echo x",
        "cat >&2",
    );
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let same = |definition: &str, value: &Value| {
        let definition = &schema["$defs"][definition];
        let mut required: Vec<String> =
            serde_json::from_value(definition["required"].clone()).unwrap();
        required.sort();
        assert_eq!(keys(value), required);
        assert_eq!(keys(&definition["properties"]), required);
        assert_eq!(definition["additionalProperties"], false);
    };
    same("complete", &record);
    same("sides", &record["ended_ns"]);
    same("sides", &record["started_ns"]);
    same("bytes", &record["bytes"]);
    same("transcript", &record["transcript"]);
    let firsts = &schema["$defs"]["complete"]["properties"]["first"]["enum"];
    assert!(firsts.as_array().unwrap().contains(&record["first"]));
}
