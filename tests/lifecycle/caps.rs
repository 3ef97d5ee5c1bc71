//! Limits of single streams: what each of them does at the limit and past it, on each stream.
//! It must not assert how much more than the limit was seen where that depends on who is faster.

use super::{Recorded, exited, recorded, signalled, support};
use serde_json::json;

/// The option, the redirection that leads to the stream, and its name in the record.
const STREAMS: [(&str, &str, &str); 2] = [
    ("--stdout-limit", ">&1", "stdout"),
    ("--stderr-limit", ">&2", "stderr"),
];

const ACTIONS: [&str; 4] = ["", ":kill", ":truncate", ":drain"];

/// Far more than any limit here and than pipes hold, and no more than a test can keep
/// when the limit is not kept.
const MUCH: &str = "head -c 10000000 /dev/zero";

fn written<'o>(output: &'o std::process::Output, stream: &str) -> &'o [u8] {
    match stream {
        "stdout" => &output.stdout,
        _ => &output.stderr,
    }
}

#[test]
fn one_byte_less_and_exactly_as_many_are_allowed() {
    for (option, to, stream) in STREAMS {
        for action in ACTIONS {
            for bytes in [4095, 4096] {
                let limit = format!("4096{action}");
                let script = format!("head -c {bytes} /dev/zero {to}; exit 4");
                let (output, report) = recorded(&[option, &limit], &script);
                assert_eq!(written(&output, stream).len(), bytes, "{limit}");
                assert_eq!(report["exit"], exited(4), "{limit}");
                assert_eq!(report["verdict"], "exit");
                assert_eq!(report["limits_hit"], json!([]));
                let all = json!({"bytes_seen": bytes, "bytes_kept": bytes, "truncated": false});
                assert_eq!(report[stream], all, "{limit}");
            }
        }
    }
}

#[test]
fn only_the_stream_that_has_a_limit_is_counted() {
    for (option, _, stream) in STREAMS {
        let (output, report) = recorded(&[option, "4"], "printf 1234; printf 5678 >&2");
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b"1234"[..], &b"5678"[..])
        );
        for (_, _, other) in STREAMS {
            assert_eq!(report[other].is_null(), other != stream, "{report}");
        }
    }
}

#[test]
fn one_byte_more_kills_everything() {
    for (option, to, stream) in STREAMS {
        for limit in ["4096", "4096:kill"] {
            let script = format!("head -c 4097 /dev/zero {to}; sleep 60");
            let (output, report) = recorded(&[option, limit], &script);
            assert_eq!(written(&output, stream).len(), 4096);
            assert_eq!(support::code(&output), 137);
            assert_eq!(report["verdict"], "output");
            assert_eq!(report["killed_by"], "output");
            assert_eq!(report["limits_hit"], json!(["output"]));
            let more = json!({"bytes_seen": 4097, "bytes_kept": 4096, "truncated": true});
            assert_eq!(report[stream], more);
        }
    }
}

#[test]
fn a_program_that_ended_before_anybody_looked_has_passed_the_limit_all_the_same() {
    for (option, to, _) in STREAMS {
        let script = format!("exec head -c 11 /dev/zero {to}");
        let (output, report) = recorded(&[option, "10"], &script);
        assert_eq!(report["verdict"], "output", "{report}");
        assert_ne!(support::code(&output), 0);
    }
}

#[test]
fn a_truncated_stream_is_a_broken_pipe_and_the_run_goes_on() {
    for (option, to, stream) in STREAMS {
        // The shell says 128 + SIGPIPE of its child, on the stream that is still there.
        let other = if stream == "stdout" { ">&2" } else { "" };
        let script = format!("{MUCH} {to}; echo $? {other}; exit 6");
        let (output, report) = recorded(&[option, "1000:truncate"], &script);
        assert_eq!(written(&output, stream), [0; 1000]);
        let rest = if stream == "stdout" {
            "stderr"
        } else {
            "stdout"
        };
        assert_eq!(written(&output, rest), b"141\n");
        assert_eq!(report["exit"], exited(6));
        assert_eq!(report["verdict"], "exit");
        assert_eq!(report["killed_by"], json!(null));
        assert_eq!(report["limits_hit"], json!([]));
        assert_eq!(report[stream]["bytes_kept"], 1000);
        assert_eq!(report[stream]["truncated"], true);
        assert!(report[stream]["bytes_seen"].as_u64().unwrap() > 1000);
    }
}

#[test]
fn a_program_that_sigpipe_ends_has_that_signal() {
    let (output, report) = recorded(
        &["--stdout-limit", "1000:truncate"],
        &format!("exec {MUCH}"),
    );
    assert_eq!(support::code(&output), 141);
    assert_eq!(report["exit"], signalled(13));
    assert_eq!(report["verdict"], "signal");
}

#[test]
fn a_program_that_ignores_sigpipe_gets_an_error_instead() {
    let script = "import os, signal
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
try:
    for _ in range(10000):
        os.write(1, bytes(1000))
except BrokenPipeError:
    os._exit(7)
";
    let (_, report) = recorded(
        &["--stdout-limit", "5000:truncate"],
        &format!("exec /usr/bin/python3 -c '{script}'"),
    );
    assert_eq!(report["exit"], exited(7), "{report}");
    assert_eq!(report["stdout"]["bytes_kept"], 5000);
}

#[test]
fn a_drained_stream_is_read_to_its_end_and_counted_exactly() {
    for (option, to, stream) in STREAMS {
        for bytes in [4097, 5_000_000] {
            let script = format!("head -c {bytes} /dev/zero {to} && exit 5");
            let (output, report) = recorded(&[option, "4096:drain"], &script);
            assert_eq!(written(&output, stream).len(), 4096);
            // `head` had no error.
            assert_eq!(report["exit"], exited(5));
            assert_eq!(report["verdict"], "exit");
            assert_eq!(report["limits_hit"], json!([]));
            let all = json!({"bytes_seen": bytes, "bytes_kept": 4096, "truncated": true});
            assert_eq!(report[stream], all);
        }
    }
}

#[test]
fn each_stream_has_its_own_end() {
    let (output, report) = recorded(
        &[
            "--stdout-limit",
            "1000:drain",
            "--stderr-limit",
            "10:truncate",
        ],
        &format!("head -c 30000 /dev/zero; {MUCH} >&2; head -c 30000 /dev/zero; exit 3"),
    );
    assert_eq!((output.stdout.len(), output.stderr.len()), (1000, 10));
    assert_eq!(report["exit"], exited(3));
    assert_eq!(
        report["stdout"],
        json!({"bytes_seen": 60_000, "bytes_kept": 1000, "truncated": true})
    );
    assert_eq!(report["stderr"]["bytes_kept"], 10);
}

#[test]
fn the_total_has_the_same_actions() {
    // Truncated: the stream that was below its share is closed as well.
    let (output, report) = recorded(
        &["--output", "1000:truncate"],
        &format!("head -c 400 /dev/zero; {MUCH} >&2; head -c 1 /dev/zero; exit $?"),
    );
    assert_eq!((output.stdout.len(), output.stderr.len()), (400, 600));
    assert_eq!(report["exit"], exited(141), "{report}");
    assert_eq!(report["verdict"], "exit");
    let (output, report) = recorded(
        &["--output", "1000:drain"],
        "head -c 400 /dev/zero; head -c 50000 /dev/zero >&2; head -c 7 /dev/zero; exit 3",
    );
    // Which of the two waiting pipes is emptied first is nobody's promise.
    assert_eq!(output.stdout.len() + output.stderr.len(), 1000);
    assert_eq!(report["exit"], exited(3));
    assert_eq!(
        [
            &report["stdout"]["bytes_seen"],
            &report["stderr"]["bytes_seen"]
        ],
        [&json!(407), &json!(50_000)]
    );
    assert_eq!(report["verdict"], "exit");
}

#[test]
fn the_total_counts_what_the_streams_let_pass() {
    let (output, report) = recorded(
        &["--output", "1000", "--stdout-limit", "900:drain"],
        "head -c 50000 /dev/zero; head -c 100 /dev/zero >&2; exit 3",
    );
    assert_eq!((output.stdout.len(), output.stderr.len()), (900, 100));
    assert_eq!(report["verdict"], "exit", "{report}");
    let (_, report) = recorded(
        &["--output", "1000", "--stdout-limit", "900:drain"],
        "head -c 50000 /dev/zero; head -c 101 /dev/zero >&2; sleep 60",
    );
    assert_eq!(report["verdict"], "output");
}

#[test]
fn both_streams_flood_and_input_is_not_read() {
    use std::io::Write;
    use std::process::Stdio;
    for action in ["truncate", "drain"] {
        let place = Recorded::new();
        let limit = format!("10000:{action}");
        let mut child = place
            .command()
            .args(["--stdout-limit", &limit, "--stderr-limit", &limit, "--"])
            .args(["/bin/sh", "-c"])
            .arg("head -c 3000000 /dev/zero & head -c 3000000 /dev/zero >&2 & wait; exit 3")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let typing = std::thread::spawn(move || input.write_all(&vec![b'x'; 4 << 20]));
        let output = child.wait_with_output().unwrap();
        assert!(typing.join().unwrap().is_err(), "nobody read it");
        assert_eq!((output.stdout.len(), output.stderr.len()), (10_000, 10_000));
        let report = place.report();
        assert_eq!(report["exit"], exited(3));
        if action == "drain" {
            assert_eq!(report["stdout"]["bytes_seen"], 3_000_000);
            assert_eq!(report["stderr"]["bytes_seen"], 3_000_000);
        }
    }
}

#[test]
fn every_limit_of_a_stream_is_named_with_what_keeps_it() {
    let options = [
        "--output=3MiB",
        "--stdout-limit=2MiB:drain",
        "--stderr-limit=1MiB",
    ];
    let (_, report) = recorded(&options, "exit 0");
    for (limit, most) in [
        ("output", 3 << 20),
        ("stdout", 2 << 20),
        ("stderr", 1 << 20),
    ] {
        let held = json!({"limit": limit, "most": most, "unit": "bytes", "by": "relay"});
        let all = report["limits"].as_array().unwrap();
        assert!(all.contains(&held), "{report}");
    }
}
