//! Bad policies, bad paths, bad programs, closed streams: one sentence, nothing executed, nothing left.
//! It must not accept a message that does not name the culprit.

use crate::support::{self, Scratch, sandbox, shell};
use crate::{MARK, refused, sentence};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

/// `sandbox OPTION… -- /bin/echo EXECUTED`.
fn echo(options: &[&str]) -> Command {
    let mut command = sandbox();
    command.args(options).args(["--", "/bin/echo", MARK]);
    command
}

#[test]
fn a_policy_that_cannot_be_read() {
    let scratch = Scratch::new();
    scratch.file("secret.toml", "version = 1\n", 0o000);
    scratch.file("latin1.toml", b"version = 1\n# caf\xe9\n", 0o644);
    scratch.file("nul.toml", b"version = 1\n\0", 0o644);
    scratch.file("empty.toml", "", 0o644);
    scratch.directory("directory.toml");
    nix::unistd::mkfifo(&scratch.join("fifo.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Sparse: the size is what it says, the disk is not used.
    let large = fs::File::create(scratch.join("large.toml")).unwrap();
    large.set_len(100 << 20).unwrap();
    symlink("loop.toml", scratch.join("loop.toml")).unwrap();
    for name in [
        "missing.toml",
        "secret.toml",
        "latin1.toml",
        "nul.toml",
        "empty.toml",
        "directory.toml",
        "fifo.toml",
        "large.toml",
        "loop.toml",
        "/dev/zero",
        "/dev/full",
    ] {
        refused(&scratch, &mut echo(&["--policy", name]), 125, name);
        refused(&scratch, sandbox().args(["check", name]), 125, name);
    }
    refused(
        &scratch,
        &mut echo(&["--policy=secret.toml"]),
        125,
        "Permission denied",
    );
    refused(&scratch, &mut echo(&["--policy=latin1.toml"]), 125, "UTF-8");
    refused(&scratch, &mut echo(&["--policy=strikt"]), 125, "strikt");
}

#[test]
fn a_policy_that_extends_itself() {
    let scratch = Scratch::new();
    let policy = |name, other| {
        let text = format!("version = 1\nextends = [\"{other}\"]\n");
        scratch.file(name, text, 0o644)
    };
    policy("self.toml", "self.toml");
    policy("a.toml", "./b.toml");
    policy("b.toml", "./a.toml");
    policy("gone.toml", "nowhere.toml");
    refused(
        &scratch,
        &mut echo(&["--policy=self.toml"]),
        125,
        "self.toml",
    );
    refused(&scratch, &mut echo(&["--policy=a.toml"]), 125, "b.toml");
    refused(
        &scratch,
        &mut echo(&["--policy=gone.toml"]),
        125,
        "nowhere.toml",
    );
}

#[test]
fn a_policy_with_a_mistake_shows_its_line() {
    let scratch = Scratch::new();
    for (text, culprit) in [
        (
            "version = 1\n[limits]\nmemmory = \"1MiB\"\n",
            "p.toml:3:1: ",
        ),
        (
            "version = 1\n[files]\n\"/a\\u0000b\" = \"read\"\n",
            "p.toml:3:1: ",
        ),
        (
            "version = 1\n[files]\n\"/a/../b\" = \"read\"\n",
            "p.toml:3:1: ",
        ),
        ("version = 1\n[files]\n\"a\" = \"read\"\n", "p.toml:3:1: "),
        ("version = 1\n[files]\n\"/a\" = \"red\"\n", "p.toml:3:"),
        ("version = 1\n[limits\n", "p.toml:2:"),
        ("version = 2\n", "p.toml:1:"),
        ("version = 1\n\"\\u001b[2J\" = 1\n", "p.toml:2:1: "),
    ] {
        scratch.file("p.toml", text, 0o644);
        refused(&scratch, &mut echo(&["--policy=p.toml"]), 125, culprit);
    }
}

#[test]
fn a_path_that_cannot_be_had() {
    let scratch = Scratch::new();
    symlink("loop", scratch.join("loop")).unwrap();
    scratch.directory("closed");
    scratch.file("closed/file", "", 0o644);
    let locked = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    fs::set_permissions(scratch.join("closed"), locked).unwrap();
    for options in [
        ["--read=./missing:/x", "missing"],
        ["--write=./missing:/x", "missing"],
        ["--read=./loop:/x", "loop"],
        ["--read=./closed/file:/x", "closed"],
        ["--read=/usr:/x/../y", "/x/../y"],
        ["--read=/usr:relative", "relative"],
    ] {
        // The listing cannot look into `closed` unless root takes it.
        if support::root() {
            refused(&scratch, &mut echo(&options[..1]), 125, options[1]);
        } else {
            let mut command = echo(&options[..1]);
            let output = support::run(command.current_dir(scratch.path()));
            let message = sentence(&output, 125);
            assert!(message.contains(options[1]), "{message}");
        }
    }
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(scratch.join("closed"), open).unwrap();
}

/// What the launcher calls once the filter is loaded, asked of the compiled filter
/// before anything is started.
#[test]
fn a_policy_under_which_nothing_could_be_started() {
    let scratch = Scratch::new();
    let policy = |name: &str, syscalls: &str| {
        let text = format!("version = 1\nextends = [\"strict\"]\n[syscalls]\n{syscalls}\n");
        scratch.file(name, text, 0o644)
    };
    for (name, syscalls, call) in [
        ("none.toml", "allow = []", "execve"),
        ("deny.toml", "deny = [\"execve\"]", "execve"),
        ("kill.toml", "kill = [\"execve\"]", "execve"),
        ("write.toml", "kill = [\"write\"]", "write"),
        ("close.toml", "deny = [\"close\"]", "close"),
        (
            "exit.toml",
            "deny = [\"@process\"]\nallow = [\"@io\"]",
            "execve",
        ),
        ("group.toml", "deny = [\"exit_group\"]", "exit_group"),
    ] {
        let path = policy(name, syscalls);
        let path = path.to_str().unwrap();
        let culprit = format!(
            "the policy's filter does not allow `{call}`, which starting the program needs"
        );
        for words in [&["run"][..], &["plan"]] {
            let mut command = support::sandbox();
            command
                .args(words)
                .args(["--policy", path, "--", "/bin/echo", MARK]);
            refused(&scratch, &mut command, 125, &culprit);
        }
    }
    // The same with a refusal that starting does not need.
    let path = policy("enough.toml", "allow = [\"@default\"]\ndeny = [\"ptrace\"]");
    let mut command = support::sandbox();
    command.arg("--policy").arg(path).args(["--", "/bin/true"]);
    assert_eq!(support::code(&support::run(&mut command)), 0);
}

#[test]
fn a_policy_that_the_program_may_write() {
    let scratch = Scratch::new();
    let text = "version = 1\nextends = [\"strict\"]\n";
    scratch.file("p.toml", text, 0o644);
    refused(
        &scratch,
        &mut echo(&["--policy=p.toml", "--write=."]),
        125,
        "p.toml",
    );
    // The same directory by another name.
    let here = format!("--write={}:/elsewhere", scratch.path().display());
    refused(
        &scratch,
        &mut echo(&["--policy=p.toml", &here]),
        125,
        "p.toml",
    );
    // Also one that another policy extends.
    scratch.directory("inner");
    scratch.file(
        "inner/q.toml",
        "version = 1\nextends = [\"../p.toml\"]\n",
        0o644,
    );
    scratch.directory("writable");
    let moved = scratch.file("writable/p.toml", text, 0o644);
    let extends = format!("version = 1\nextends = [\"{}\"]\n", moved.display());
    scratch.file("inner/r.toml", extends, 0o644);
    let options = ["--policy=inner/r.toml", "--write=writable"];
    refused(&scratch, &mut echo(&options), 125, "writable/p.toml");
}

/// A 64-bit ELF executable for this machine type, of nothing but its header.
fn elf(machine: u16) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    for half in [2, machine] {
        header.extend(half.to_le_bytes());
    }
    header.extend(1u32.to_le_bytes());
    header.resize(64, 0);
    header
}

#[test]
fn a_program_that_cannot_be_executed() {
    const EM_S390: u16 = 22;
    let scratch = Scratch::new();
    scratch.file("plain", "#!/bin/sh\necho EXECUTED\n", 0o644);
    scratch.file("foreign", elf(EM_S390), 0o755);
    // No shell takes over what the kernel does not know.
    scratch.file("text", "echo EXECUTED\n", 0o755);
    scratch.file("empty", "", 0o755);
    scratch.file(
        "orphan",
        "#!/nonexistent/interpreter\necho EXECUTED\n",
        0o755,
    );
    scratch.directory("directory");
    symlink("loop", scratch.join("loop")).unwrap();
    nix::unistd::mkfifo(&scratch.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for name in [
        "plain",
        "foreign",
        "text",
        "empty",
        "orphan",
        "directory",
        "loop",
        "fifo",
    ] {
        let program = format!("./{name}");
        refused(&scratch, sandbox().args(["--", &program]), 126, name);
    }
}

#[test]
fn a_program_that_is_not_there() {
    let scratch = Scratch::new();
    symlink("nowhere", scratch.join("dangling")).unwrap();
    for name in [
        "./missing",
        "./dangling",
        "/nonexistent/program",
        "no-such-program-anywhere",
    ] {
        let culprit = name.trim_start_matches("./");
        refused(&scratch, sandbox().args(["--", name]), 127, culprit);
    }
    refused(&scratch, sandbox().args(["--", ""]), 127, "empty");
    refused(
        &scratch,
        sandbox().args(["--", "./a\u{1b}[2J\u{202e}b"]),
        127,
        "",
    );
}

#[test]
fn a_closed_standard_stream() {
    let scratch = Scratch::new();
    for (closing, culprit) in [
        ("<&-", "standard input is closed"),
        (">&-", "standard output is closed"),
        ("<&- >&-", "is closed"),
    ] {
        for words in [
            "-- /bin/echo EXECUTED",
            "plan -- /bin/echo EXECUTED",
            "policy",
        ] {
            let script = format!("exec \"$SANDBOX\" {words} {closing}");
            refused(&scratch, &mut shell(&script), 125, culprit);
        }
    }
    // There is nowhere left to say it; the exit code does.
    let before = scratch.listing();
    let mut command = shell("exec \"$SANDBOX\" -- /bin/echo EXECUTED 2>&-");
    let output = support::run(command.current_dir(scratch.path()));
    assert_eq!(support::code(&output), 125);
    assert!(output.stdout.is_empty());
    assert_eq!(scratch.listing(), before);
}
