//! What the results of a virtual machine come to, by `table.sh`: made-up results, and what is said of each.
//! It must not boot anything.

use super::support::Scratch;
use std::process::Command;

/// What is said of a job that ended with `code` after it had printed `text`.
fn judged(code: u8, text: &str) -> String {
    let scratch = Scratch::new();
    scratch.file("results", text, 0o644);
    // No test of this file is listed to fail or to be skipped anywhere.
    let script = ". tests/kernels/table.sh; judge_job 6.1 99-madeup \"$@\"";
    let output = Command::new("bash")
        .args(["-Eeuo", "pipefail", "-c", script, "bash"])
        .arg(code.to_string())
        .arg(scratch.join("results"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A test that runs itself again, as its own output shows.
const WITHIN: &str = "
running 1 test
test helper ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.01s

";

fn results(failed: bool) -> String {
    let (second, result, counts) = match failed {
        false => ("ok", "ok", "2 passed; 0 failed"),
        true => ("FAILED", "FAILED", "1 passed; 1 failed"),
    };
    format!(
        "running 3 tests\ntest first ... ok\n{WITHIN}test second ... {second}\ntest third ... ignored\n\n\
         test result: {result}. {counts}; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s\n"
    )
}

#[test]
fn of_what_passed_nothing_is_said() {
    assert_eq!(judged(0, &results(false)), "");
}

#[test]
fn a_test_that_failed_is_named() {
    let said = judged(101, &results(true));
    assert!(said.contains("kernel 6.1: madeup: second fails"), "{said}");
}

#[test]
fn less_than_was_announced_is_no_whole_run() {
    let whole = results(false);
    let cut = whole.split("test second").next().unwrap();
    for text in [
        cut,
        "running 0 tests\n",
        "",
        &whole.replace("3 tests", "4 tests"),
    ] {
        let said = judged(0, text);
        assert!(said.contains("not a whole run of tests"), "{text}: {said}");
    }
}

#[test]
fn an_end_that_no_test_explains_is_said() {
    let said = judged(134, &results(false));
    assert!(
        said.contains("exit code 134 without a failed test"),
        "{said}"
    );
}

#[test]
fn a_skip_that_nobody_expects_is_said() {
    let said = judged(0, &format!("skip: no such thing here\n{}", results(false)));
    assert!(
        said.contains("skips, and is not listed: no such thing here"),
        "{said}"
    );
}
