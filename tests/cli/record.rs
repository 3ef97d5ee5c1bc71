//! `--report` from outside: the record's fields, and what stands in its way.
//! It must not judge the numbers, only that they are there and say where they come from.

use crate::support::{self, Scratch, code, complaint, sandbox, shell};
use crate::{MARK, refused, sentence};
use sandbox::step::Step;
use serde_json::Value;
use std::fs;

fn read(path: &std::path::Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_record_has_facts_layers_and_a_verdict() {
    let scratch = Scratch::new();
    let mut command = sandbox();
    command.current_dir(scratch.path());
    command.args(["--report=r.json", "--", "/bin/sh", "-c", "echo out; exit 3"]);
    let output = support::run(&mut command);
    assert_eq!(code(&output), 3, "{}", complaint(&output));
    assert_eq!(output.stdout, b"out\n");
    let record = read(&scratch.join("r.json"));
    assert_eq!(record["version"], 2);
    assert_eq!(record["complete"], true);
    assert_eq!(record["exit"]["code"], 3);
    assert_eq!(record["exit"]["signal"], Value::Null);
    assert_eq!(record["killed_by"], Value::Null);
    assert_eq!(record["verdict"], "exit");
    assert!(support::given_up(&record).is_empty(), "{record}");
    for number in [
        "cpu_ns",
        "user_ns",
        "sys_ns",
        "wall_ns",
        "memory_peak_bytes",
    ] {
        assert!(record[number].is_u64(), "{number}: {record}");
    }
    for source in ["cpu_source", "memory_source"] {
        assert!(record[source].is_string(), "{source}: {record}");
    }
    let order: Vec<&str> = Step::ALL.iter().map(|step| step.name()).collect();
    let layers = record["layers"].as_array().unwrap();
    let positions: Vec<usize> = layers
        .iter()
        .map(|layer| layer["step"].as_str().unwrap())
        .map(|step| order.iter().position(|name| *name == step).unwrap())
        .collect();
    assert!(positions.is_sorted(), "{record}");
    for layer in ["ids", "mounts", "caps", "landlock", "seccomp"] {
        assert!(
            layers.iter().any(|found| found["step"] == layer),
            "{layer}: {record}"
        );
    }
}

#[test]
fn limits_and_signals_are_told_apart() {
    let scratch = Scratch::new();
    for (options, script, by, verdict) in [
        (
            &["--wall-time=300ms"][..],
            "sleep 30",
            Some("wall"),
            "wall-time",
        ),
        (
            &["--cpu-time=1s"],
            "while :; do :; done",
            Some("cpu"),
            "cpu-time",
        ),
        (&[], "kill -KILL $$", None, "signal"),
        (&[], "exit 0", None, "ok"),
    ] {
        let mut command = sandbox();
        command.current_dir(scratch.path()).arg("--report=r.json");
        command.args(options).args(["--", "/bin/sh", "-c", script]);
        support::run(&mut command);
        let record = read(&scratch.join("r.json"));
        assert_eq!(
            record["killed_by"],
            serde_json::json!(by),
            "{script}: {record}"
        );
        assert_eq!(record["verdict"], verdict, "{script}: {record}");
    }
}

#[test]
fn a_descriptor_takes_the_record_and_the_program_does_not_see_it() {
    let scratch = Scratch::new();
    let script = "\"$SANDBOX\" --report fd:3 -- /bin/sh -c 'echo x >&3' 3>r.json";
    let output = support::run(shell(script).current_dir(scratch.path()));
    assert_ne!(code(&output), 0, "descriptor 3 is open inside");
    assert_eq!(read(&scratch.join("r.json"))["complete"], true);
    let script = "\"$SANDBOX\" --report fd:3 -- /bin/echo out 3>&1 >/dev/null | cat";
    let output = support::run(shell(script).current_dir(scratch.path()));
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record["verdict"], "ok");
}

#[test]
fn a_refused_run_has_an_incomplete_record_that_says_why() {
    let scratch = Scratch::new();
    let mut command = sandbox();
    command.current_dir(scratch.path());
    command.args(["--report=r.json", "--", "/nonexistent/program"]);
    let message = sentence(&support::run(&mut command), 127);
    let record = read(&scratch.join("r.json"));
    assert_eq!(record["complete"], false);
    assert_eq!(record["exit_code"], 127);
    let error = record["error"].as_str().unwrap();
    assert_eq!(message, format!("sandbox: {error}\n"));
}

#[test]
fn a_place_that_cannot_take_the_record_is_found_before_the_run() {
    let scratch = Scratch::new();
    scratch.file("precious", "precious", 0o644);
    scratch.file("locked", "locked", 0o444);
    std::os::unix::fs::symlink("precious", scratch.join("link")).unwrap();
    scratch.directory("directory");
    for (place, culprit) in [
        ("/dev/full", "No space left on device"),
        ("link", "symbolic link"),
        ("directory", "`directory`"),
        ("directory/none/r.json", "No such file or directory"),
        ("locked", "Permission denied"),
        ("", "No such file or directory"),
        ("fd:1", "standard streams"),
        ("fd:9", "`fd:9`"),
        ("fd:x", "`fd:x`"),
    ] {
        let mut command = sandbox();
        command.args(["--report", place, "--", "/bin/echo", MARK]);
        refused(&scratch, &mut command, 125, culprit);
    }
    let script = "exec \"$SANDBOX\" --report fd:3 -- /bin/echo EXECUTED 3</dev/null";
    refused(&scratch, &mut shell(script), 125, "not open for writing");
    let script = "exec \"$SANDBOX\" --report fd:3 -- /bin/echo EXECUTED 3>/dev/full";
    refused(&scratch, &mut shell(script), 125, "No space left on device");
    let script = "exec \"$SANDBOX\" --report fd:3 --fd 3 -- /bin/echo EXECUTED 3>/dev/null";
    refused(&scratch, &mut shell(script), 125, "`--fd`");
}

/// SIGXFSZ would end `sandbox` without a word.
#[test]
fn a_caller_whose_files_may_not_grow_is_told() {
    let scratch = Scratch::new();
    let script = "ulimit -f 0; exec \"$SANDBOX\" --report record -- /bin/echo EXECUTED";
    let output = support::run(shell(script).current_dir(scratch.path()));
    let message = complaint(&output);
    assert_eq!(support::code(&output), 125, "{message}");
    assert!(message.contains("File too large"), "{message}");
    assert!(output.stdout.is_empty());
    assert!(!scratch.join("record").exists());
}

#[test]
fn a_full_disk_leaves_an_older_record_as_it_was_and_no_new_one() {
    // A file system of one page, in a namespace of the test's own.
    let script = "set -e; mkdir m; mount -t tmpfs -o size=4k none m; printf old > m/old
        for name in old new; do
            code=0; \"$SANDBOX\" --report m/$name -- /bin/echo EXECUTED || code=$?
            echo $code
        done
        ls m; cat m/old";
    let scratch = Scratch::new();
    scratch.file("script", script, 0o644);
    let outer = "exec unshare --user --map-root-user --mount /bin/sh ./script";
    let output = support::run(shell(outer).current_dir(scratch.path()));
    let message = complaint(&output);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "125\n125\nold\nold",
        "{message}"
    );
    assert_eq!(
        message.matches("No space left on device").count(),
        2,
        "{message}"
    );
}

#[test]
fn a_program_cannot_forge_its_record() {
    let scratch = Scratch::new();
    let script = "rm r.json; echo '{\"verdict\":\"ok\"}' > r.json";
    let mut command = sandbox();
    command.current_dir(scratch.path());
    command.args([
        "--write=.",
        "--cwd=.",
        "--report=r.json",
        "--",
        "/bin/sh",
        "-c",
        script,
    ]);
    let message = sentence(&support::run(&mut command), 125);
    assert!(message.contains("replaced or removed"), "{message}");
}
