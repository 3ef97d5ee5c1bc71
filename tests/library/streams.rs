//! What a caller can make of the program's descriptors: memory, bytes, pipes, files, any number.
//! It must not look at the limits of the policy; `lifecycle` does.

use super::{alone, shell, strict};
use sandbox::report::Verdict;
use sandbox::{Captured, Command, Descriptor, Stdio};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};

fn captured(command: &mut Command) -> Captured {
    command.spawn().unwrap().wait_with_output().unwrap()
}

fn refused(command: &mut Command) -> String {
    let error = command.spawn().err().expect("it was started");
    assert_eq!(error.exit_code(), 125);
    error.to_string()
}

/// A file of its own with this text, not yet read.
fn file(text: &str) -> File {
    let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
    let mut file = File::from(nix::sys::memfd::memfd_create(c"text", flags).unwrap());
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn memory_holds_what_was_written_and_no_more_than_asked() {
    alone(
        "streams::memory_holds_what_was_written_and_no_more_than_asked",
        || {
            for (most, kept) in [
                (1 << 20, 300_000),
                (300_000, 300_000),
                (299_999, 299_999),
                (0, 0),
            ] {
                let done = captured(
                    shell("head -c 300000 /dev/zero; printf problem >&2; exit 3")
                        .stdout(Stdio::Memory { most })
                        .stderr(Stdio::Memory { most: 1 << 20 }),
                );
                assert!(done.stdout == vec![0; kept], "{}", done.stdout.len());
                assert_eq!(done.stderr, b"problem");
                // Memory that is full is no limit of the policy.
                assert_eq!(
                    (done.report.exit.code, done.report.verdict),
                    (Some(3), Verdict::Exit)
                );
                let stdout = done.report.stdout.unwrap();
                assert_eq!(
                    (stdout.bytes_seen, stdout.bytes_kept),
                    (300_000, kept as u64)
                );
                assert_eq!(stdout.truncated, kept < 300_000);
                assert_eq!(done.report.stderr.unwrap().bytes_seen, 7);
                assert!(done.descriptors.is_empty());
            }
        },
    );
}

#[test]
fn a_limit_of_the_policy_holds_for_memory_too() {
    alone(
        "streams::a_limit_of_the_policy_holds_for_memory_too",
        || {
            let limited = |limit: &str| {
                let mut command =
                    strict(|policy| policy.set_stdout(limit).unwrap()).command("/bin/sh");
                command.args(["-c", "head -c 300000 /dev/zero; exit 3"]);
                captured(command.stdout(Stdio::Memory { most: 5000 }))
            };
            let done = limited("4000:drain");
            assert_eq!((done.stdout.len(), done.report.exit.code), (4000, Some(3)));
            let done = limited("6000:drain");
            assert_eq!((done.stdout.len(), done.report.exit.code), (5000, Some(3)));
            let done = limited("6000");
            assert_eq!(
                (done.stdout.len(), done.report.verdict),
                (5000, Verdict::Output)
            );
        },
    );
}

#[test]
fn merged_streams_are_one_in_the_order_of_writing() {
    alone(
        "streams::merged_streams_are_one_in_the_order_of_writing",
        || {
            let script =
                "i=0; while [ $i -lt 2000 ]; do echo $i; echo $((i+1)) >&2; i=$((i+2)); done";
            let wanted: String = (0..2_000).map(|number| format!("{number}\n")).collect();
            let done = captured(
                shell(script)
                    .stdout(Stdio::Memory { most: 1 << 20 })
                    .stderr(Stdio::MergeStdout),
            );
            assert!(done.stdout == wanted.as_bytes());
            assert_eq!((done.stderr.len(), done.report.stderr), (0, None));
            let mut child = shell(script)
                .stdout(Stdio::Piped)
                .stderr(Stdio::MergeStdout)
                .spawn()
                .unwrap();
            let (mut output, mut text) = (child.stdout.take().unwrap(), String::new());
            output.read_to_string(&mut text).unwrap();
            assert!(text == wanted && child.stderr.is_none());
            assert_eq!(child.wait().unwrap().verdict, Verdict::Ok);
        },
    );
}

#[test]
fn bytes_are_an_input_that_ends() {
    alone("streams::bytes_are_an_input_that_ends", || {
        let memory = || Stdio::Memory { most: 1 << 20 };
        let text: Vec<u8> = (0..500_000u32).map(|at| (at % 251) as u8).collect();
        let mut command = shell("cat");
        command
            .stdin(Stdio::Bytes(text.clone().into()))
            .stdout(memory());
        // As often as it is spawned.
        for _ in 0..2 {
            assert!(captured(&mut command).stdout == text);
        }
        let none = captured(
            shell("cat; echo over")
                .stdin(Stdio::Bytes([].into()))
                .stdout(memory()),
        );
        assert_eq!(none.stdout, b"over\n");
        // Not read, and not read any more: neither holds anybody up.
        for script in [
            "exit 3",
            "exec <&-; sleep 0.1; exit 3",
            "head -c 5 >/dev/null; exit 3",
        ] {
            let done = captured(shell(script).stdin(Stdio::Bytes(text.clone().into())));
            assert_eq!(done.report.exit.code, Some(3), "{script}");
        }
    });
}

#[test]
fn a_descriptor_has_the_number_that_was_asked_for() {
    alone(
        "streams::a_descriptor_has_the_number_that_was_asked_for",
        || {
            let script = "cat <&3; cat <&4; cat <&9; cat <&7; for fd in /proc/self/fd/*; do echo ${fd##*/}; done";
            // The numbers in the caller: 3 and 4 are taken by something else, and some are
            // taken by each other's files.
            let _taken: Vec<File> = (0..4).map(|_| File::open("/dev/null").unwrap()).collect();
            let mut files: Vec<OwnedFd> = ["c", "a", "d", "b"]
                .map(|text| OwnedFd::from(file(text)))
                .into();
            let numbers: Vec<_> = files.iter().map(AsRawFd::as_raw_fd).collect();
            let mut command = shell(script);
            command.stdout(Stdio::Memory { most: 1000 });
            for (number, name) in [(4, "b"), (7, "d"), (3, "a"), (9, "c")] {
                let at = ["c", "a", "d", "b"]
                    .iter()
                    .position(|text| *text == name)
                    .unwrap();
                let fd = std::mem::replace(&mut files[at], File::open("/dev/null").unwrap().into());
                command.fd_as(number, fd);
            }
            command.fd_as(27, Descriptor::Null);
            let done = captured(&mut command);
            // The directory that the shell reads has a number too: the first that is free.
            let said = String::from_utf8(done.stdout).unwrap();
            let (files, rest) = said.split_at(4);
            assert_eq!(files, "abcd", "{said}, from {numbers:?}");
            let mut open: Vec<&str> = rest.split_whitespace().collect();
            open.sort_unstable_by_key(|number| number.parse::<i32>().unwrap());
            open.retain(|number| *number != "5");
            assert_eq!(open, ["0", "1", "2", "3", "4", "7", "9", "27"], "{said}");
        },
    );
}

#[test]
fn two_descriptors_can_change_places() {
    alone("streams::two_descriptors_can_change_places", || {
        let (one, other) = (file("one"), file("other"));
        let (low, high) = (one.as_raw_fd(), other.as_raw_fd());
        let done = captured(
            shell(&format!("cat <&{low}; printf ' '; cat <&{high}"))
                .fd_as(high, one)
                .fd_as(low, other)
                .stdout(Stdio::Memory { most: 100 }),
        );
        assert_eq!(String::from_utf8(done.stdout).unwrap(), "other one");
    });
}

#[test]
fn any_number_can_be_a_pipe_memory_bytes_or_nothing() {
    alone(
        "streams::any_number_can_be_a_pipe_memory_bytes_or_nothing",
        || {
            let mut child = shell(
                "cat <&5 >&6; exec 6>&-; cat <&7 >&8; printf lost >&9; test -z \"$(cat <&9)\" && exit 3",
            )
            .fd_as(5, Descriptor::ToProgram)
            .fd_as(6, Descriptor::FromProgram)
            .fd_as(7, Descriptor::Bytes(vec![b'x'; 200_000].into()))
            .fd_as(8, Descriptor::Memory { most: 150_000 })
            .fd_as(9, Descriptor::Null)
            .spawn()
            .unwrap();
            let (mut to, mut from) = (child.take_pipe(5).unwrap(), child.take_pipe(6).unwrap());
            assert!(child.take_pipe(5).is_none() && child.take_pipe(7).is_none());
            to.write_all(b"through").unwrap();
            drop(to);
            let mut text = String::new();
            from.read_to_string(&mut text).unwrap();
            assert_eq!(text, "through");
            let done = child.wait_with_output().unwrap();
            assert_eq!(done.report.exit.code, Some(3));
            assert_eq!(done.descriptors.keys().collect::<Vec<_>>(), [&8]);
            assert!(done.descriptors[&8] == vec![b'x'; 150_000]);
            assert_eq!((done.report.stdout, done.report.stderr), (None, None));
        },
    );
}

#[test]
fn waiting_closes_what_nobody_took() {
    alone("streams::waiting_closes_what_nobody_took", || {
        let mut command = shell("cat <&5; cat; exit 3");
        command.fd_as(5, Descriptor::ToProgram).stdin(Stdio::Piped);
        assert_eq!(command.spawn().unwrap().wait().unwrap().exit.code, Some(3));
    });
}

#[test]
fn what_makes_no_sense_or_leads_out_is_refused() {
    alone(
        "streams::what_makes_no_sense_or_leads_out_is_refused",
        || {
            let memory = || Stdio::Memory { most: 1 };
            let bytes = || Stdio::Bytes([].into());
            let directory = || File::open("/usr").unwrap();
            for (said, want) in [
                (
                    refused(shell("").stdin(memory())),
                    "standard input cannot be kept in memory",
                ),
                (
                    refused(shell("").stdin(Stdio::MergeStdout)),
                    "standard input cannot be standard output",
                ),
                (
                    refused(shell("").stdout(Stdio::MergeStdout)),
                    "standard output cannot be itself",
                ),
                (
                    refused(shell("").stdout(bytes())),
                    "standard output cannot be bytes to read",
                ),
                (
                    refused(shell("").stderr(bytes())),
                    "standard error cannot be bytes to read",
                ),
                (
                    refused(shell("").stdout(memory()).tty(true)),
                    "standard output cannot be redirected",
                ),
                (
                    refused(shell("").fd_as(2, Descriptor::Null)),
                    "descriptor 2 is a standard stream",
                ),
                (
                    refused(shell("").fd_as(-1, Descriptor::Null)),
                    "descriptor -1 is a standard stream",
                ),
                (
                    refused(shell("").fd_as(9, directory())),
                    "descriptor 9 is a directory",
                ),
                (
                    refused(shell("").stdin(directory())),
                    "standard input is a directory",
                ),
                (
                    refused(shell("").fd_as(1 << 30, Descriptor::Null)),
                    "cannot pass descriptor 1073741824",
                ),
            ] {
                assert!(said.contains(want), "{said}");
            }
        },
    );
}

#[test]
fn a_broken_pipe_does_not_reach_a_caller_that_would_die_of_it() {
    alone(
        "streams::a_broken_pipe_does_not_reach_a_caller_that_would_die_of_it",
        || {
            use nix::sys::signal::{SigHandler, Signal, signal};
            // SAFETY: the default action is no handler; this process runs this test alone.
            unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
            let (reader, writer) = std::io::pipe().unwrap();
            let mut command = strict(|policy| policy.set_output("1GiB").unwrap()).command("yes");
            let child = command.stdout(OwnedFd::from(writer)).spawn().unwrap();
            drop((reader, command));
            let report = child.wait().unwrap();
            assert_eq!(report.exit.signal, Some(13));
            assert_eq!(report.stdout.unwrap().bytes_kept, 0);
            // Nor does a program that reads none of its input.
            let mut command = shell("exit 3");
            command.stdin(Stdio::Bytes(vec![0; 1 << 20].into()));
            assert_eq!(command.spawn().unwrap().wait().unwrap().exit.code, Some(3));
        },
    );
}
