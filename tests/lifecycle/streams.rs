//! Standard streams, with and without counting: end of file, broken pipes, floods, silence.
//! It must not hang: every wait here is bounded.

use super::{recorded, support};
use std::io::{Read, Write};
use std::process::Stdio;

/// Once as plain descriptors, once through the relay.
const BOTH: [&[&str]; 2] = [&[], &["--output", "64MiB"]];

#[test]
fn end_of_input_comes_through() {
    for options in BOTH {
        let mut child = support::sandbox()
            .args(options)
            .args(["--", "/bin/sh", "-c", "cat; echo over"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"some text\n").unwrap();
        drop(input);
        let mut text = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "some text\nover\n");
        assert_eq!(super::wait(child), 0);
    }
}

#[test]
fn a_program_that_reads_nothing_does_not_hold_anybody_up() {
    for options in BOTH {
        let mut child = support::sandbox()
            .args(options)
            .args(["--", "/bin/true"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // More than a pipe holds: the end of the program must break it.
        let error = input.write_all(&vec![b'x'; 4 << 20]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        assert_eq!(super::wait(child), 0);
    }
}

#[test]
fn a_reader_that_goes_away_is_a_broken_pipe_inside() {
    for options in BOTH {
        let mut child = support::sandbox()
            .args(options)
            .args(["--", "/usr/bin/yes"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut some = [0; 4];
        output.read_exact(&mut some).unwrap();
        assert_eq!(&some, b"y\ny\n");
        drop(output);
        // 128 + SIGPIPE, as without a sandbox.
        assert_eq!(super::wait(child), 141, "{options:?}");
    }
}

#[test]
fn both_streams_may_flood_at_once() {
    for options in BOTH {
        let script = "head -c 3000000 /dev/zero & head -c 3000000 /dev/zero >&2 & wait";
        let (output, report) = recorded(options, script);
        assert_eq!(support::code(&output), 0);
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (3_000_000, 3_000_000)
        );
        let counted = match options.is_empty() {
            true => serde_json::Value::Null,
            false => serde_json::json!(
                {"bytes_seen": 3_000_000, "bytes_kept": 3_000_000, "truncated": false}
            ),
        };
        assert_eq!(report["stdout"], counted);
        assert_eq!(report["stderr"], counted);
    }
}

#[test]
fn the_order_of_bytes_is_kept() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done";
    let (output, _) = recorded(&["--output", "1MiB"], script);
    let wanted: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    assert!(output.stdout == wanted.as_bytes());
}

#[test]
fn a_slow_reader_gets_everything() {
    let mut child = support::sandbox()
        .args(["--output", "64MiB", "--"])
        .args(["/usr/bin/head", "-c", "1000000", "/dev/zero"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut total = 0;
    let mut buffer = vec![0; 50_000];
    loop {
        std::thread::sleep(std::time::Duration::from_millis(5));
        match output.read(&mut buffer).unwrap() {
            0 => break,
            bytes => total += bytes,
        }
    }
    assert_eq!(total, 1_000_000);
    assert_eq!(super::wait(child), 0);
}

#[test]
fn counted_output_that_cannot_be_written_is_an_error_and_not_a_short_success() {
    // The program has ended by the time that anybody learns of the full disk.
    let full = std::fs::File::options().write(true).open("/dev/full");
    let output = support::run_as_is(
        support::sandbox()
            .args(["--output", "1MiB", "--", "/bin/echo", "lost"])
            .stdout(full.unwrap())
            .stderr(Stdio::piped()),
    );
    assert_eq!(support::code(&output), 125);
    assert_eq!(
        support::complaint(&output),
        "sandbox: cannot pass on what the program reads and writes: No space left on device\n"
    );
}
