//! Lines, names, files and exit codes of `sandbox batch`.
//! It must not care which test ends first.

use super::Tests;
use crate::support::{self, Scratch, code, complaint};
use serde_json::Value;
use std::fs;

fn printed(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn each_test_has_its_input_its_output_and_its_line() {
    let tests = Tests::new(&["1 2\n", "30 4\n", "5 5\n"]);
    let output = tests.shell(&[], "read a b; echo $((a + b))");
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    assert_eq!(printed(&output), "01: ok\n02: ok\n03: ok\n");
    assert_eq!(
        ["01", "02", "03"].map(|name| tests.output(name)),
        ["3\n", "34\n", "10\n"]
    );
    let records = tests.records();
    let names: Vec<&str> = records
        .iter()
        .map(|record| record["test"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["01", "02", "03"]);
    for record in &records {
        assert_eq!(record["complete"], true);
        assert_eq!(record["verdict"], "ok");
        assert_eq!(record["version"], sandbox::report::VERSION);
        let layers = record["layers"].as_array().unwrap();
        assert_eq!(layers.len(), sandbox::step::Step::ALL.len());
    }
}

#[test]
fn lines_are_in_the_order_of_the_tests_whoever_ends_first() {
    let tests = Tests::new(&["1\n", "0\n", "0.3\n", "0\n", "0.1\n"]);
    let output = tests.shell(&["--jobs", "5"], "read time; sleep $time");
    assert_eq!(printed(&output), "01: ok\n02: ok\n03: ok\n04: ok\n05: ok\n");
    let records = tests.records();
    let names: Vec<&Value> = records.iter().map(|record| &record["test"]).collect();
    assert_eq!(names, ["01", "02", "03", "04", "05"]);
}

#[test]
fn the_exit_code_says_whether_all_are_ok() {
    let tests = Tests::new(&["0\n", "3\n", "0\n"]);
    let output = tests.shell(&[], "read code; exit $code");
    assert_eq!(code(&output), 1);
    assert_eq!(printed(&output), "01: ok\n02: exit\n03: ok\n");
    let output = tests.shell(&["--wall-time", "300ms"], "sleep 600");
    assert_eq!(code(&output), 1);
    assert_eq!(
        printed(&output),
        "01: wall-time\n02: wall-time\n03: wall-time\n"
    );
}

#[test]
fn stop_on_failure_starts_nothing_more_and_loses_no_line() {
    let tests = Tests::new(&["0\n", "3\n", "0\n", "0\n"]);
    let output = tests.shell(&["--stop-on-failure"], "read code; exit $code");
    assert_eq!(code(&output), 1);
    assert_eq!(
        printed(&output),
        "01: ok\n02: exit\n03: not run\n04: not run\n"
    );
    let records = tests.records();
    assert_eq!(records.len(), 4);
    assert_eq!(records[1]["verdict"], "exit");
    assert_eq!(records[3]["complete"], false);
    assert_eq!(records[3]["test"], "04");
    assert!(!tests.place.join("out").join("03.out").exists());
}

#[test]
fn a_test_that_cannot_be_run_is_a_line_and_the_exit_code() {
    let tests = Tests::new(&["0\n", "0\n"]);
    let list = tests.place.file(
        "list",
        format!(
            "{0}/in/01.in\n{0}/in/absent.in\n{0}/in\n{0}/in/02.in\n",
            tests.place.path().display()
        ),
        0o644,
    );
    let mut command = support::sandbox();
    command
        .arg("batch")
        .arg("--list")
        .arg(list)
        .arg("--report")
        .arg(tests.report());
    let output = support::run(command.args(["--", "/bin/true"]));
    assert_eq!(code(&output), 125);
    assert_eq!(
        printed(&output),
        "01: ok\nabsent: not run\nin: not run\n02: ok\n"
    );
    let records = tests.records();
    assert_eq!(records[1]["exit_code"], 125);
    assert!(
        records[1]["error"]
            .as_str()
            .unwrap()
            .contains("No such file")
    );
    assert!(records[2]["error"].as_str().unwrap().contains("directory"));
    let mut command = tests.command(&[]);
    let output = support::run(command.args(["--", "/no/such"]));
    assert_eq!(code(&output), 127, "{}", complaint(&output));
}

#[test]
fn without_out_the_output_is_dropped_and_counted_where_it_has_a_limit() {
    let tests = Tests::new(&["x"]);
    let mut command = support::sandbox();
    command
        .arg("batch")
        .arg("--in")
        .arg(tests.pattern())
        .arg("--report")
        .arg(tests.report());
    command.args(["--output", "1MiB", "--", "/bin/sh", "-c", "echo 12345"]);
    let output = support::run(&mut command);
    assert_eq!(printed(&output), "01: ok\n");
    assert_eq!(tests.records()[0]["stdout"]["bytes_seen"], 6);
}

#[test]
fn an_output_that_is_a_link_is_not_followed() {
    let tests = Tests::new(&["x"]);
    let precious = tests.place.file("precious", "precious", 0o644);
    std::os::unix::fs::symlink(&precious, tests.place.join("out").join("01.out")).unwrap();
    let output = tests.shell(&[], "echo x");
    assert_eq!(code(&output), 125);
    assert!(complaint(&output).contains("a symbolic link is on the way"));
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
}

#[test]
fn older_output_and_records_are_replaced() {
    let tests = Tests::new(&["x"]);
    tests.place.file("out/01.out", "y".repeat(1000), 0o644);
    tests.place.file("report.jsonl", "y".repeat(100_000), 0o644);
    assert_eq!(code(&tests.shell(&[], "cat")), 0);
    assert_eq!(tests.output("01"), "x");
    assert_eq!(tests.records().len(), 1);
}

#[test]
fn mistakes_are_125_and_run_nothing() {
    let tests = Tests::new(&["x"]);
    let place = Scratch::new();
    let pattern = tests.pattern();
    let pattern = pattern.to_str().unwrap();
    let same = place.directory("in").join("01.in");
    fs::write(&same, "x").unwrap();
    let nothing = place.join("*.in");
    for (line, expected) in [
        (&[][..], "no test is named"),
        (&["--in", nothing.to_str().unwrap()], "no file matches"),
        (
            &["--in", pattern, "--in", same.to_str().unwrap()],
            "two tests are called `01`",
        ),
        (
            &["--in", pattern, "--out", "/no/such"],
            "`/no/such` is no directory",
        ),
        (
            &["--in", pattern, "--jobs", "0"],
            "option `--jobs` cannot be `0`",
        ),
        (&["--in", pattern, "--tty"], "a batch has no terminal"),
        (
            &["--in", pattern, "--fd", "5"],
            "its tests would share them",
        ),
        (
            &["--in", pattern, "--stdout", "x"],
            "its tests would share them",
        ),
        (
            &["--in", pattern, "--report-format", "isolate"],
            "unknown option `--report-format`",
        ),
        (
            &["--in", pattern, "--copy-out", "/tmp/x:x"],
            "unknown option `--copy-out`",
        ),
        (&["--in", pattern, "--memory", "x"], "`--memory` is wrong"),
        (&["--list", "/no/such"], "cannot read `/no/such`"),
    ] {
        let mut command = support::sandbox();
        command
            .arg("batch")
            .args(line)
            .args(["--", "/bin/sh", "-c", "echo ran >&2"]);
        let output = support::run(&mut command);
        assert_eq!(code(&output), 125, "{line:?} {}", complaint(&output));
        assert!(
            complaint(&output).contains(expected),
            "{}",
            complaint(&output)
        );
        assert!(!complaint(&output).contains("ran\n"));
    }
}

#[test]
fn sigkill_of_a_batch_leaves_its_finished_lines_and_no_process() {
    let tests = Tests::new(&["0\n", "600\n", "0\n"]);
    let marker = format!("batch-mark-{}-", std::process::id());
    let mut child = tests
        .command(&[])
        .args(["--", "/bin/sh", "-c", "read time; sleep $time; :", &marker])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0; 7];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    assert_eq!(&line, b"01: ok\n");
    child.kill().unwrap();
    child.wait().unwrap();
    let start = std::time::Instant::now();
    while left(&marker) {
        assert!(start.elapsed().as_secs() < 20, "a process is left");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let records = tests.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["verdict"], "ok");
}

fn left(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default());
    let mut lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.any(|line| line.contains(marker))
}
