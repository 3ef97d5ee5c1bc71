//! What passes through `sandbox`: constant memory, readers that are slow, gone or merged.
//! It must not hang: every wait here is bounded.

use super::{Recorded, recorded, support};
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

/// Much more than a pipe holds, and than `sandbox` needs.
const MUCH: u64 = 1 << 30;

/// The most that `sandbox` was in memory, KiB.
fn largest(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

/// Peak memory of the front end while so many bytes pass, and what was seen of them.
fn passing(limit: &str, bytes: u64, to: Stdio) -> (u64, serde_json::Value) {
    let place = Recorded::new();
    let mut child = place
        .command()
        .args([
            "--stdout-limit",
            limit,
            "--cpu-time",
            "none",
            "--wall-time",
            "none",
            "--",
        ])
        .args([
            "/bin/sh",
            "-c",
            "head -c \"$0\" /dev/zero; echo over >&2; exec sleep 60",
        ])
        .arg(bytes.to_string())
        .stdout(to)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let reading = child.stdout.take().map(|mut output| {
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()).unwrap())
    });
    super::expect(&mut child.stderr.take().unwrap(), "over\n");
    let peak = largest(child.id());
    // SAFETY: a child of ours that nobody has waited for.
    unsafe { libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGTERM) };
    super::wait(child);
    if let Some(reading) = reading {
        assert_eq!(reading.join().unwrap(), bytes);
    }
    (peak, place.report()["stdout"].clone())
}

#[test]
fn a_gibibyte_passes_in_constant_memory() {
    let null = || Stdio::from(File::options().write(true).open("/dev/null").unwrap());
    let file = || {
        let scratch = support::Scratch::new();
        // A file that is gone when it is closed, on whatever /tmp is.
        Stdio::from(File::create(scratch.join("out")).unwrap())
    };
    let (least, _) = passing("2GiB", 1, Stdio::piped());
    let all = |bytes: u64| json!({"bytes_seen": bytes, "bytes_kept": bytes, "truncated": false});
    for (to, bytes) in [(Stdio::piped(), MUCH), (null(), MUCH), (file(), 64 << 20)] {
        let (peak, seen) = passing("2GiB", bytes, to);
        assert!(
            peak < least + 1024,
            "{peak} KiB, and {least} KiB for one byte"
        );
        assert_eq!(seen, all(bytes));
    }
    let (peak, seen) = passing("1KiB:drain", MUCH, null());
    assert!(
        peak < least + 1024,
        "{peak} KiB, and {least} KiB for one byte"
    );
    assert_eq!(
        seen,
        json!({"bytes_seen": MUCH, "bytes_kept": 1024, "truncated": true})
    );
}

#[test]
fn bytes_from_pipe_to_pipe_do_not_pass_through_the_process() {
    // What /proc counts are read(2) and write(2) and their like, with splice(2) in
    // neither: a copy would show in both.
    let place = Recorded::new();
    let mut child = place
        .command()
        .args(["--stdout-limit", "1GiB", "--"])
        .args([
            "/bin/sh",
            "-c",
            "head -c 50000000 /dev/zero; echo over >&2; exec sleep 60",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let reading = std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    super::expect(&mut child.stderr.take().unwrap(), "over\n");
    let text = std::fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap();
    let count = |name| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    assert!(
        count("rchar:") < 25_000_000 && count("wchar:") < 25_000_000,
        "{text}"
    );
    // SAFETY: a child of ours that nobody has waited for.
    unsafe { libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGTERM) };
    super::wait(child);
    assert_eq!(reading.join().unwrap().unwrap(), 50_000_000);
}

#[test]
fn where_splice_is_refused_bytes_are_copied() {
    // socat and others hand out sockets; a file opened to append refuses splice(2) too.
    let scratch = support::Scratch::new();
    let path = scratch.file("log", "before\n", 0o644);
    let place = Recorded::new();
    let output = support::run_as_is(
        place
            .command()
            .args(["--stdout-limit", "1MiB", "--", "/bin/echo", "after"])
            .stdout(File::options().append(true).open(&path).unwrap()),
    );
    assert_eq!(support::code(&output), 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\nafter\n");
    assert_eq!(place.report()["stdout"]["bytes_kept"], 6);
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut command = support::sandbox();
    command.args([
        "--stdout-limit",
        "1MiB",
        "--",
        "/usr/bin/head",
        "-c",
        "300000",
        "/dev/zero",
    ]);
    let child = command
        .stdout(std::os::fd::OwnedFd::from(theirs))
        .spawn()
        .unwrap();
    drop(command);
    let mut seen = Vec::new();
    ours.read_to_end(&mut seen).unwrap();
    assert_eq!(seen.len(), 300_000);
    assert_eq!(super::wait(child), 0);
}

#[test]
fn a_reader_that_is_gone_ends_the_program_and_not_sandbox() {
    for limits in [
        &["--stdout-limit", "1GiB"][..],
        &[
            "--stdout-limit",
            "1GiB:truncate",
            "--stderr-limit",
            "1GiB:drain",
        ],
        &["--output", "1GiB:drain"],
    ] {
        let place = Recorded::new();
        let script = format!(
            "\"$SANDBOX\" --report {} {} -- /usr/bin/yes | head -n 1; exit 0",
            place.place().display(),
            limits.join(" ")
        );
        let output = support::run(&mut support::shell(&script));
        assert_eq!(output.stdout, b"y\n");
        assert_eq!(support::complaint(&output), "");
        let report = place.report();
        assert_eq!(report["exit"], super::signalled(13), "{limits:?}");
        let count = |name| report["stdout"][name].as_u64().unwrap();
        assert!(count("bytes_seen") >= count("bytes_kept"));
    }
}

#[test]
fn merged_streams_keep_their_order_with_and_without_a_limit() {
    let script = "i=0; while [ $i -lt 5000 ]; do echo $i; echo $((i+1)) >&2; i=$((i+2)); done";
    let wanted: String = (0..5_000).map(|number| format!("{number}\n")).collect();
    for limits in [
        &[][..],
        &["--stdout-limit", "1MiB"],
        &["--output", "1MiB:drain"],
    ] {
        let (output, report) = recorded(&[&["--stderr", "stdout"], limits].concat(), script);
        assert!(output.stdout == wanted.as_bytes(), "{limits:?}");
        assert_eq!(output.stderr, b"");
        assert!(report["stderr"].is_null());
        if !limits.is_empty() {
            assert_eq!(report["stdout"]["bytes_seen"], wanted.len());
        }
    }
}

#[test]
fn a_limit_of_standard_error_alone_needs_a_stream_of_its_own() {
    for options in [&["--stderr", "stdout"][..], &["--tty"]] {
        let output = support::run(support::sandbox().args(options).args([
            "--stderr-limit",
            "1KiB",
            "--",
            "/bin/true",
        ]));
        assert_eq!(support::code(&output), 125);
        let said = support::complaint(&output);
        assert!(said.contains("`limits.stderr` cannot be kept"), "{said}");
    }
}

#[test]
fn closed_streams_end_and_the_run_goes_on() {
    let script = "exec 2>&-; sleep 0.1; head -c 100000 /dev/zero; exec >&-; sleep 0.1; exit 3";
    let (output, report) = recorded(&["--output", "1MiB"], script);
    assert_eq!((output.stdout.len(), output.stderr.len()), (100_000, 0));
    assert_eq!(report["exit"], super::exited(3));
    assert_eq!(report["stderr"]["bytes_seen"], 0);
    assert_eq!(report["stdout"]["bytes_seen"], 100_000);
}

#[test]
fn a_terminal_is_standard_output() {
    let tty = |limit: &str, script: &str| {
        let place = Recorded::new();
        let mut command: Command = place.command();
        command.args([
            "--tty",
            "--stdout-limit",
            limit,
            "--",
            "/bin/sh",
            "-c",
            script,
        ]);
        let output = support::run(&mut command);
        (output, place.report())
    };
    // A terminal writes a carriage return before each line feed.
    let (output, report) = tty("6", "echo 1234; exit 3");
    assert_eq!(output.stdout, b"1234\r\n");
    assert_eq!(report["exit"], super::exited(3));
    assert_eq!(
        report["stdout"],
        json!({"bytes_seen": 6, "bytes_kept": 6, "truncated": false})
    );
    assert!(report["stderr"].is_null());
    let (output, report) = tty("5", "echo 1234 >&2; sleep 60");
    assert_eq!(output.stdout, b"1234\r");
    assert_eq!(report["verdict"], "output");
    let (output, report) = tty("5:drain", "echo 1234; echo 5678; exit 3");
    assert_eq!(output.stdout, b"1234\r");
    assert_eq!(report["exit"], super::exited(3));
    assert_eq!(report["stdout"]["bytes_seen"], 12);
    let (output, report) = tty("5:truncate", "yes | head -n 100000; sleep 60");
    assert_eq!(output.stdout, b"y\r\ny\r");
    assert_eq!(
        report["exit"],
        super::signalled(1),
        "the terminal was hung up"
    );
    assert_eq!(report["verdict"], "signal");
}
