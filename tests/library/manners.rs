//! Streams, errors, killing and signalling, as `std::process::Command` does them.
//! It must not look at the caller's state; that is `caller`'s question.

use super::{alone, shell, strict};
use sandbox::Stdio;
use sandbox::report::{KilledBy, Verdict};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};

#[test]
fn piped_streams_are_the_childs_fields() {
    alone("manners::piped_streams_are_the_childs_fields", || {
        for limit in [None, Some((1 << 20).into())] {
            let mut command = strict(|policy| policy.limits.output = limit).command("/bin/sh");
            let mut child = command
                .args(["-c", "cat; echo problem >&2; exit 3"])
                .stdin(Stdio::Piped)
                .stdout(Stdio::Piped)
                .stderr(Stdio::Piped)
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(b"text").unwrap();
            let (mut output, mut error) =
                (child.stdout.take().unwrap(), child.stderr.take().unwrap());
            let waiting = std::thread::spawn(move || child.wait().unwrap());
            let mut text = String::new();
            output.read_to_string(&mut text).unwrap();
            error.read_to_string(&mut text).unwrap();
            let report = waiting.join().unwrap();
            assert_eq!(text, "textproblem\n");
            assert_eq!((report.exit.code, report.verdict), (Some(3), Verdict::Exit));
            assert_eq!(report.exit_code(), 3);
            assert_eq!(
                [report.stdout, report.stderr].map(|output| Some(output?.bytes_kept)),
                [limit.map(|_| 4), limit.map(|_| 8)]
            );
        }
    });
}

/// A program that says no more may still listen: its reader must not wait for its end.
#[test]
fn the_end_of_a_stream_comes_before_the_end_of_the_program() {
    alone(
        "manners::the_end_of_a_stream_comes_before_the_end_of_the_program",
        || {
            for limit in [None, Some((1 << 20).into())] {
                let mut command = strict(|policy| policy.limits.output = limit).command("/bin/sh");
                let mut child = command
                    .args(["-c", "echo text; exec >&-; read line; exit 4"])
                    .stdin(Stdio::Piped)
                    .stdout(Stdio::Piped)
                    .spawn()
                    .unwrap();
                let mut input = child.stdin.take().unwrap();
                let mut output = child.stdout.take().unwrap();
                let waiting = std::thread::spawn(move || child.wait().unwrap());
                let mut text = String::new();
                output.read_to_string(&mut text).unwrap();
                assert_eq!(text, "text\n");
                input.write_all(b"go on\n").unwrap();
                assert_eq!(waiting.join().unwrap().exit.code, Some(4));
            }
        },
    );
}

#[test]
fn null_and_descriptors_are_streams_too() {
    alone("manners::null_and_descriptors_are_streams_too", || {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let report = shell("test -z \"$(cat)\" && echo to the pipe && echo nobody >&2")
            .stdin(Stdio::Null)
            .stdout(Stdio::Fd(writer.into()))
            .stderr(Stdio::Null)
            .spawn()
            .unwrap()
            .wait()
            .unwrap();
        assert_eq!(report.exit.code, Some(0));
        // The command is gone, and with it the last writing end.
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "to the pipe\n");
    });
}

#[test]
fn a_command_can_be_spawned_again() {
    alone("manners::a_command_can_be_spawned_again", || {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = shell("echo line");
        command.stdout(Stdio::Fd(writer.into()));
        for _ in 0..3 {
            assert_eq!(
                command.spawn().unwrap().wait().unwrap().verdict,
                Verdict::Ok
            );
        }
        drop(command);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "line\nline\nline\n");
    });
}

#[test]
fn errors_say_why_and_carry_the_exit_code() {
    alone("manners::errors_say_why_and_carry_the_exit_code", || {
        let sandbox = strict(|_| {});
        let fails = |program: &str| {
            let Err(error) = sandbox.command(program).spawn() else {
                panic!("{program} was started");
            };
            (error.exit_code(), error.to_string())
        };
        let (code, message) = fails("no-such-program");
        assert_eq!(code, 127, "{message}");
        assert!(message.contains("`no-such-program`"), "{message}");
        let (code, message) = fails("/no/such/program");
        assert_eq!(code, 127, "{message}");
        assert!(message.contains("`/no/such/program`"), "{message}");
        let (code, message) = fails("/etc/passwd");
        assert_eq!(code, 126, "{message}");
        let (code, message) = fails("/usr");
        assert_eq!(code, 126, "{message}");
        let mut command = sandbox.command("/bin/true");
        let error = command.arg("a\0b").spawn().err().unwrap();
        assert_eq!(error.exit_code(), 125);
        assert!(error.to_string().contains("NUL"), "{error}");
        let error = sandbox.command("/bin/true").fd(1).spawn().err().unwrap();
        assert!(error.to_string().contains("descriptor 1"), "{error}");
        let error = sandbox.command("/bin/true").fd(999).spawn().err().unwrap();
        assert!(error.to_string().contains("descriptor 999"), "{error}");
    });
}

#[test]
fn kill_is_cancelled() {
    alone("manners::kill_is_cancelled", || {
        let mut child = shell("sleep 600").spawn().unwrap();
        child.kill().unwrap();
        let report = child.wait().unwrap();
        assert_eq!(report.killed_by, Some(KilledBy::Cancel));
        assert_eq!(report.verdict, Verdict::Cancelled);
        assert_eq!(report.exit_code(), 137);
        assert!(report.limits_hit.is_empty());
    });
}

#[test]
fn killing_what_has_ended_is_no_error_and_no_verdict() {
    alone(
        "manners::killing_what_has_ended_is_no_error_and_no_verdict",
        || {
            let mut child = shell("exit 6").spawn().unwrap();
            // Readable: everything inside has ended.
            wait_readable(child.as_fd());
            child.kill().unwrap();
            child.signal(15).unwrap();
            let report = child.wait().unwrap();
            assert_eq!((report.exit.code, report.killed_by), (Some(6), None));
        },
    );
}

#[test]
fn a_signal_reaches_the_program() {
    alone("manners::a_signal_reaches_the_program", || {
        let mut child = shell("trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done")
            .stdout(Stdio::Piped)
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut ready)
            .unwrap();
        child
            .signal(nix::sys::signal::Signal::SIGUSR1 as i32)
            .unwrap();
        assert_eq!(child.wait().unwrap().exit.code, Some(9));
    });
}

#[test]
fn dropping_kills() {
    alone("manners::dropping_kills", || {
        let mut child = shell("(sleep 600) & echo ready; sleep 600")
            .stdout(Stdio::Piped)
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut ready = [0; 6];
        output.read_exact(&mut ready).unwrap();
        drop(child);
        // Whoever held the other end is dead.
        assert_eq!(output.read(&mut ready).unwrap(), 0);
    });
}

#[test]
fn the_wall_time_limit_holds_while_nobody_waits() {
    alone(
        "manners::the_wall_time_limit_holds_while_nobody_waits",
        || {
            let mut command = strict(|policy| {
                policy.limits.wall_time = Some(std::time::Duration::from_millis(100));
            })
            .command("/bin/sleep");
            let child = command.arg("600").spawn().unwrap();
            wait_readable(child.as_fd());
            assert_eq!(child.wait().unwrap().verdict, Verdict::WallTime);
        },
    );
}

#[test]
fn a_program_that_ended_in_time_is_not_late_because_its_caller_is() {
    alone(
        "manners::a_program_that_ended_in_time_is_not_late_because_its_caller_is",
        || {
            let limit = std::time::Duration::from_millis(500);
            let mut command = strict(|policy| policy.limits.wall_time = Some(limit)).command("sh");
            let child = command.args(["-c", "exit 6"]).spawn().unwrap();
            wait_readable(child.as_fd());
            // Past the limit, and past what pid 1 is given on top of it.
            std::thread::sleep(limit + limit + limit);
            let report = child.wait().unwrap();
            assert_eq!((report.exit.code, report.killed_by), (Some(6), None));
        },
    );
}

#[test]
fn a_descriptor_can_be_let_through() {
    alone("manners::a_descriptor_can_be_let_through", || {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let number = writer.as_raw_fd();
        let report = shell(&format!("echo through >&{number}"))
            .fd(number)
            .spawn()
            .unwrap()
            .wait()
            .unwrap();
        assert_eq!(report.exit.code, Some(0));
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through\n");
    });
}

fn wait_readable(fd: std::os::fd::BorrowedFd<'_>) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    let ready = poll(&mut fds, PollTimeout::try_from(10_000).unwrap()).unwrap();
    assert_eq!(ready, 1, "nothing ended");
}
