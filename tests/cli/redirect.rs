//! `--stdin`, `--stdout`, `--stderr`, `--fd` and the limits of streams, as they are typed.
//! It must not try what the limits do; that is `lifecycle`'s question.

use crate::support::{self, Scratch, code, sandbox, shell};
use crate::{refused, sentence, succeeds};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

fn read(scratch: &Scratch, name: &str) -> String {
    fs::read_to_string(scratch.join(name)).unwrap()
}

/// `sandbox` in the directory.
fn within(scratch: &Scratch, options: &[&str], script: &str) -> Command {
    let mut command = sandbox();
    command.args(options).args(["--", "/bin/sh", "-c", script]);
    command.current_dir(scratch.path());
    command
}

#[test]
fn files_are_the_streams() {
    // As descriptors that are passed on, and through the relay.
    for limits in [&[][..], &["--output", "1MiB"]] {
        let scratch = Scratch::new();
        scratch.file("in", "some text\n", 0o644);
        scratch.file("error", "something longer than what comes", 0o600);
        let options = ["--stdin", "in", "--stdout", "out", "--stderr", "error"];
        let mut command = within(
            &scratch,
            &[&options[..], limits].concat(),
            "cat; echo bad >&2",
        );
        assert_eq!(succeeds(&mut command), "");
        assert_eq!(read(&scratch, "out"), "some text\n");
        assert_eq!(read(&scratch, "error"), "bad\n");
        let mode = |name| fs::metadata(scratch.join(name)).unwrap().mode() & 0o777;
        // A new one has the usual mode, an old one keeps its own.
        assert_eq!((mode("out"), mode("error")), (0o644, 0o600));
    }
}

#[test]
fn standard_error_goes_where_standard_output_does() {
    let scratch = Scratch::new();
    let script = "echo 1; echo 2 >&2; echo 3; echo 4 >&2";
    let options = ["--stdout", "out", "--stderr", "stdout"];
    assert_eq!(succeeds(&mut within(&scratch, &options, script)), "");
    assert_eq!(read(&scratch, "out"), "1\n2\n3\n4\n");
    assert_eq!(
        succeeds(&mut within(&scratch, &["--stderr", "stdout"], script)),
        "1\n2\n3\n4\n"
    );
    // A file of that name is asked for by a path.
    succeeds(&mut within(&scratch, &["--stderr", "./stdout"], script));
    assert_eq!(read(&scratch, "stdout"), "2\n4\n");
}

#[test]
fn a_file_has_the_number_and_the_access_that_were_asked_for() {
    let scratch = Scratch::new();
    for name in ["a", "b", "c", "d:e"] {
        scratch.file(name, "before\n", 0o644);
    }
    let options = [
        "--fd=3=a",
        "--fd=4=b:wo",
        "--fd=5=c:append",
        "--fd=8=d:e:rw",
        "--fd=7=new:wo",
    ];
    let script = "cat <&3; echo after >&4; echo after >&5; cat <&8; echo after >&8; echo after >&7
        (echo x >&3) 2>/dev/null || echo only read
        cat <&4 2>/dev/null || echo only written
        exec 3<&- 4<&- 5<&- 7<&- 8<&-";
    let said = succeeds(&mut within(&scratch, &options, script));
    assert_eq!(said, "before\nbefore\nonly read\nonly written\n");
    assert_eq!(read(&scratch, "a"), "before\n");
    assert_eq!(read(&scratch, "b"), "after\n");
    assert_eq!(read(&scratch, "c"), "before\nafter\n");
    assert_eq!(read(&scratch, "d:e"), "before\nafter\n");
    assert_eq!(read(&scratch, "new"), "after\n");
}

#[test]
fn nothing_but_what_was_named_is_open_inside() {
    let scratch = Scratch::new();
    scratch.file("a", "", 0o644);
    // 3 is the record here, and the file inside.
    let script = "\"$SANDBOX\" --report fd:3 --fd 3=a --fd 5 --fd 4=a:rw --stdin a -- \
                  /bin/ls /proc/self/fd 3>report 5</dev/null";
    let mut command = shell(script);
    let said = succeeds(command.current_dir(scratch.path()));
    // The last one is the directory that `ls` reads.
    assert_eq!(said, "0\n1\n2\n3\n4\n5\n6\n");
    assert!(read(&scratch, "report").contains("\"verdict\":\"ok\""));
    assert_eq!(read(&scratch, "a"), "");
}

#[test]
fn what_cannot_be_opened_or_understood_is_refused_before_anything_starts() {
    let scratch = Scratch::new();
    scratch.directory("directory");
    scratch.file("secret", "", 0o000);
    let table: [(&[&str], &str); 18] = [
        (
            &["--stdin", "missing"],
            "cannot open `missing` for standard input",
        ),
        (
            &["--stdin", "secret"],
            "cannot open `secret` for standard input: Permission denied",
        ),
        (&["--stdin", "directory"], "standard input is a directory"),
        (
            &["--stdout", "directory"],
            "cannot open `directory` for standard output",
        ),
        (
            &["--stderr", "missing/x"],
            "cannot open `missing/x` for standard error",
        ),
        (
            &["--fd", "5=missing"],
            "cannot open `missing` for descriptor 5",
        ),
        (&["--fd", "5=directory"], "descriptor 5 is a directory"),
        (
            &["--fd", "5=missing:rwx"],
            "cannot open `missing:rwx` for descriptor 5",
        ),
        (&["--fd", "2"], "0 to 2 are the standard streams"),
        (
            &["--fd", "two"],
            "it does not begin with the number of a descriptor",
        ),
        (&["--fd", "5=:rw"], "the name of the file is empty"),
        (
            &["--fd", "5=secret", "--fd", "5=missing"],
            "descriptor 5 is named twice",
        ),
        (
            &["--tty", "--stdin", "/dev/null"],
            "`--stdin` and `--tty` exclude each other",
        ),
        (
            &["--stdout-limit", "1KiB:drian"],
            "unknown action `drian`; did you mean `drain`?",
        ),
        (
            &["--stderr-limit", "1K:drain"],
            "`--stderr-limit` is wrong: ",
        ),
        (&["--output", "0"], "must not be 0"),
        (&["--stdout-limt", "1KiB"], "did you mean `--stdout-limit`?"),
        (
            &["--stderr", "stdout", "--stderr-limit", "1KiB"],
            "`limits.stderr` cannot be kept",
        ),
    ];
    for (options, want) in table {
        let mut command = sandbox();
        command.args(options).args(["--", "/bin/echo", crate::MARK]);
        refused(&scratch, &mut command, 125, want);
    }
}

#[test]
fn a_plan_opens_nothing() {
    let scratch = Scratch::new();
    let mut command = sandbox();
    command.current_dir(scratch.path());
    let options = [
        "--stdin",
        "missing",
        "--stdout",
        "new",
        "--stderr",
        "other",
        "--fd",
        "7=third:wo",
    ];
    let limits = [
        "--output",
        "1MiB:truncate",
        "--stdout-limit",
        "1KiB:drain",
        "--stderr-limit",
        "5",
    ];
    command
        .arg("plan")
        .args(options)
        .args(limits)
        .args(["--", "/bin/true"]);
    let plan = succeeds(&mut command);
    for line in [
        "  descriptor 7: passed on",
        "  output: 1048576 bytes (1 MiB), then closed",
        "  stdout: 1024 bytes (1 KiB), then dropped",
        "  stderr: 5 bytes, then killed",
    ] {
        assert!(
            plan.lines().any(|known| known == line),
            "{line} is not in\n{plan}"
        );
    }
    assert!(scratch.listing().is_empty());
    let output = support::run(sandbox().args([
        "plan",
        "--stderr",
        "stdout",
        "--stderr-limit",
        "1KiB",
        "--",
        "/bin/true",
    ]));
    sentence(&output, 125);
}

#[test]
fn an_audit_redirects_nothing() {
    for option in [
        ["--stdin", "/dev/null"],
        ["--stderr", "stdout"],
        ["--fd", "5=/dev/null"],
    ] {
        let output = support::run(sandbox().arg("audit").args(option));
        assert!(sentence(&output, 125).contains("an audit redirects nothing"));
        assert_eq!(code(&output), 125);
    }
}
