//! What is typed and what is answered: exit codes, help, plan, check, policy.
//! It must not need a file on the machine beyond `/bin/sh` and coreutils.

use crate::support::{self, Scratch, code, complaint, sandbox, shell};
use crate::{MARK, refused, sentence, succeeds};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

#[test]
fn the_exit_code_is_the_programs_own() {
    for expected in [0, 1, 3, 124, 255] {
        let script = format!("exit {expected}");
        let output = support::run(sandbox().args(["--", "/bin/sh", "-c", &script]));
        assert_eq!(code(&output), expected, "{}", complaint(&output));
        assert_eq!(complaint(&output), "");
    }
}

#[test]
fn a_signal_is_128_and_its_number() {
    for (name, expected) in [("KILL", 137), ("TERM", 143), ("SEGV", 139)] {
        let script = format!("kill -{name} $$");
        let output = support::run(sandbox().args(["--", "/bin/sh", "-c", &script]));
        assert_eq!(code(&output), expected, "{}", complaint(&output));
    }
}

#[test]
fn a_time_limit_is_124() {
    let busy = "while :; do :; done";
    let mut command = sandbox();
    command.args([
        "--cpu-time=1s",
        "--wall-time=30s",
        "--",
        "/bin/sh",
        "-c",
        busy,
    ]);
    assert_eq!(code(&support::run(&mut command)), 124);
    let mut command = sandbox();
    command.args(["--wall-time=300ms", "--", "/bin/sleep", "30"]);
    assert_eq!(code(&support::run(&mut command)), 124);
}

#[test]
fn arguments_reach_the_program_byte_for_byte() {
    let bytes = OsStr::from_bytes(b"\xff\x1b --help");
    let script = "printf '%s|' \"$@\"";
    let mut command = sandbox();
    command.args(["run", "/bin/sh", "-c", script, "sh"]).args([
        bytes,
        OsStr::new(""),
        OsStr::new("--"),
        OsStr::new("-v"),
    ]);
    let output = support::run(&mut command);
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    assert_eq!(output.stdout, b"\xff\x1b --help||--|-v|");
}

#[test]
fn standard_input_reaches_the_program() {
    let script = "echo passed | \"$SANDBOX\" -- /bin/cat";
    assert_eq!(succeeds(&mut shell(script)), "passed\n");
}

#[test]
fn mistakes_in_the_arguments_are_125() {
    let scratch = Scratch::new();
    let echo = ["--", "/bin/echo", MARK];
    for (options, culprit) in [
        (&["--memmory=1MiB"][..], "`--memmory`"),
        (&["--memory=64M"], "`--memory`"),
        (&["--memory=0"], "`--memory`"),
        (&["--processes=18446744073709551615"], "`--processes`"),
        (&["--wall-time=10"], "`--wall-time`"),
        (&["--network=internet"], "`--network`"),
        (&["--weaken=host-network"], "`--weaken`"),
        (&["--weaken=no-seccomp=because"], "`--weaken`"),
        (&["--network=host"], "host-network"),
        (&["--fd=1"], "`--fd`"),
        (&["--user=0"], "`--user`"),
        (&["--cwd=/a/../b"], "`--cwd`"),
        (&["--policy=strict", "--policy=agent"], "`--policy`"),
        (&["--read=/usr", "--write=/usr"], "`--write`"),
        (&["--tty=yes"], "`--tty`"),
        (&["--policy="], "policy"),
        (&["--read="], "`--read`"),
    ] {
        refused(&scratch, sandbox().args(options).args(echo), 125, culprit);
    }
    refused(&scratch, &mut sandbox(), 125, "no program is named");
    refused(
        &scratch,
        sandbox().arg("check"),
        125,
        "no policy file is named",
    );
    refused(
        &scratch,
        sandbox().args(["-v", "plan", "/bin/true"]),
        125,
        "`plan`",
    );
    refused(
        &scratch,
        sandbox().args(["policy", "strikt"]),
        125,
        "`strikt`",
    );
}

#[test]
fn a_program_may_be_called_like_a_subcommand() {
    let scratch = Scratch::new();
    let message = refused(&scratch, sandbox().args(["--", "check"]), 127, "check");
    assert!(!message.contains("policy file"), "{message}");
}

#[test]
fn help_is_grouped_and_fits_a_terminal() {
    let help = succeeds(sandbox().arg("--help"));
    let groups: Vec<&str> = help.lines().filter(|line| line.ends_with(':')).collect();
    assert_eq!(
        groups,
        [
            "Commands:",
            "Policy:",
            "Files:",
            "Process:",
            "Network:",
            "Limits:",
            "Copies:",
            "Output:"
        ]
    );
    for line in help.lines() {
        assert!(line.chars().count() <= 90, "{line}");
    }
    for of in ["pair", "batch"] {
        let help = succeeds(sandbox().args([of, "--help"]));
        for line in help.lines() {
            assert!(line.chars().count() <= 90, "{line}");
        }
    }
    let version = succeeds(sandbox().arg("--version"));
    assert_eq!(version, format!("sandbox {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn plan_says_what_would_be_done_and_does_nothing() {
    let scratch = Scratch::new();
    scratch.file("marker.sh", "#!/bin/sh\necho EXECUTED > made\n", 0o755);
    let before = scratch.listing();
    let plan = || {
        let mut command = sandbox();
        command.current_dir(scratch.path());
        succeeds(command.args(["plan", "--write=.", "--", "./marker.sh", "a\x1b[2Jb"]))
    };
    let text = plan();
    assert!(text.starts_with("steps\n  1 sanitize (parent)\n"), "{text}");
    for line in [
        "mounts",
        "landlock",
        "seccomp",
        "  argument 1: \"a\\x1b[2Jb\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(plan(), text, "the text is not stable");
    assert_eq!(scratch.listing(), before);
}

#[test]
fn plan_refuses_what_run_refuses() {
    let scratch = Scratch::new();
    let mut command = sandbox();
    command.args(["plan", "--read=./missing", "--", "/bin/echo", MARK]);
    refused(&scratch, &mut command, 125, "missing");
    refused(
        &scratch,
        sandbox().args(["plan", "--", "./none"]),
        127,
        "none",
    );
}

#[test]
fn check_says_ok_or_why_not_and_goes_on() {
    let scratch = Scratch::new();
    scratch.file("good.toml", "version = 1\nextends = [\"strict\"]\n", 0o644);
    scratch.file("bad.toml", "version = 1\nmemmory = 1\n", 0o644);
    let mut command = sandbox();
    command.current_dir(scratch.path());
    let output = support::run(command.args(["check", "bad.toml", "good.toml"]));
    assert_eq!(code(&output), 125);
    assert_eq!(output.stdout, b"good.toml: ok\n");
    let message = sentence(&output, 125);
    assert!(
        message.starts_with("sandbox: bad.toml:2:1: unknown key `memmory`\n"),
        "{message}"
    );
    let mut command = sandbox();
    command.current_dir(scratch.path());
    assert_eq!(
        succeeds(command.args(["check", "./good.toml"])),
        "./good.toml: ok\n"
    );
    // A file, also when it is called like a built-in policy.
    refused(&scratch, sandbox().args(["check", "strict"]), 125, "strict");
}

#[test]
fn policy_lists_and_prints_what_can_be_checked() {
    let list = succeeds(sandbox().arg("policy"));
    let scratch = Scratch::new();
    for name in [
        "base",
        "strict",
        "compile",
        "agent",
        "judge",
        "judge-compile",
    ] {
        let start = format!("{name} ");
        assert!(list.lines().any(|line| line.starts_with(&start)), "{list}");
        let text = succeeds(sandbox().args(["policy", name]));
        scratch.file(&format!("{name}.toml"), text, 0o644);
        let mut command = sandbox();
        command.current_dir(scratch.path()).arg("check");
        succeeds(command.arg(format!("{name}.toml")));
    }
}

/// What is printed means the same, for whoever reads it, wherever it lies.
#[test]
fn a_resolved_policy_stands_alone() {
    let scratch = Scratch::new();
    scratch.directory("home");
    scratch.file("part.toml", "version = 1\nextends = [\"strict\"]\n", 0o644);
    let text = "version = 1\nextends = [\"part.toml\"]\n[files]\n\"~\" = \"read\"\n[limits]\nmemory = \"none\"\n";
    scratch.file("whole.toml", text, 0o644);
    let home = scratch.join("home");
    let policy = |words: &[&str]| {
        let mut command = sandbox();
        command.env("HOME", &home).current_dir(scratch.path());
        succeeds(command.arg("policy").args(words))
    };
    let resolved = policy(&["--resolved", "whole.toml"]);
    assert!(!resolved.contains("extends"), "{resolved}");
    let line = format!("{:?} = {{ from = {:?}, access = \"read\" }}\n", home, home);
    assert!(resolved.contains(&line), "{resolved}");
    assert!(resolved.contains("\nmemory = \"none\"\n"), "{resolved}");
    let other = Scratch::new();
    other.file("flat.toml", &resolved, 0o644);
    let plan = |path: &std::path::Path, home: &std::path::Path| {
        let mut command = sandbox();
        command
            .env("HOME", home)
            .current_dir("/")
            .args(["plan", "--policy"]);
        succeeds(command.arg(path).args(["--", "/bin/true"]))
    };
    assert_eq!(
        plan(&other.join("flat.toml"), OsStr::new("/elsewhere").as_ref()),
        plan(&scratch.join("whole.toml"), &home)
    );
    // Once more changes nothing, and a built-in name is known here too.
    let again = policy(&["--resolved", other.join("flat.toml").to_str().unwrap()]);
    assert_eq!(again, resolved);
    assert!(policy(&["strict", "--resolved"]).contains("\nmemory = \"1GiB\"\n"));

    let named = "no policy is named";
    refused(
        &scratch,
        sandbox().args(["policy", "--resolved"]),
        125,
        named,
    );
    let mut command = sandbox();
    command.args(["policy", "--resolved", "/nowhere/x.toml"]);
    refused(&scratch, &mut command, 125, "`/nowhere/x.toml`");
}

#[test]
fn output_that_cannot_be_written_is_no_panic() {
    let full = "cannot write to standard output: No space left on device";
    let broken = "cannot write to standard output: Broken pipe";
    for words in [
        &["--help"][..],
        &["policy", "strict"],
        &["plan", "--", "/bin/true"],
    ] {
        let device = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let mut command = sandbox();
        command.args(words).stdout(device).stderr(Stdio::piped());
        let message = sentence(&support::run_as_is(&mut command), 125);
        assert!(message.contains(full), "{words:?}: {message}");

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = sandbox();
        command.args(words).stdout(writer).stderr(Stdio::piped());
        let message = sentence(&support::run_as_is(&mut command), 125);
        assert!(message.contains(broken), "{words:?}: {message}");
    }
}

#[test]
fn verbose_is_for_people_and_on_standard_error() {
    let output = support::run(sandbox().args(["-v", "--", "/bin/echo", "hello"]));
    let text = complaint(&output);
    assert_eq!(code(&output), 0, "{text}");
    assert_eq!(output.stdout, b"hello\n");
    for line in [
        "sandbox: seccomp: ",
        "sandbox: landlock: ",
        "sandbox: verdict: ok",
    ] {
        assert!(
            text.lines().any(|found| found.starts_with(line)),
            "{line}\n{text}"
        );
    }
}
