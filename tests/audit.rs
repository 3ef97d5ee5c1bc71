//! `sandbox audit`: what it calls closed was tried, what it calls open is, and it can tell them apart.
//! It must not repeat the boundary tests; whether a boundary holds is theirs to say.

#![cfg(feature = "cli")]

mod support;

use serde_json::Value;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Output, Stdio};
use support::{Scratch, code, complaint};

fn audit(options: &[&str]) -> Output {
    let project = Scratch::new();
    let mut command = support::sandbox();
    command
        .arg("audit")
        .args(options)
        .current_dir(project.path());
    support::run(&mut command)
}

/// The JSON of an audit that ended with this code.
fn found(options: &[&str], expected: i32) -> Value {
    let output = audit(&[options, &["--json"]].concat());
    assert_eq!(code(&output), expected, "{}", complaint(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `what: answer` of the findings with this state.
fn with(audit: &Value, state: &str) -> Vec<String> {
    let findings = audit["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["state"] == state)
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap();
            format!("{}: {}", text("what"), text("answer"))
        })
        .collect()
}

fn policy(scratch: &Scratch, text: &str) -> String {
    let text = format!("version = 1\n{text}");
    let path = scratch.file("p.toml", text, 0o644);
    path.to_str().unwrap().to_owned()
}

#[test]
fn shipped_policies_are_closed() {
    for name in ["strict", "compile", "agent", "judge", "judge-compile"] {
        let audit = found(&["--policy", name], 0);
        assert_eq!(with(&audit, "open"), [""; 0], "{name}");
        assert_eq!(with(&audit, "unknown"), [""; 0], "{name}");
        assert!(audit["closed"].as_u64().unwrap() > 1000, "{name}");
        let steps = audit["layers"].as_array().unwrap().len();
        assert_eq!(steps, sandbox::step::Step::ALL.len(), "{name}");
        let counted: u64 = ["closed", "granted", "unknown", "open"]
            .iter()
            .map(|state| audit[state].as_u64().unwrap())
            .sum();
        assert_eq!(counted, audit["findings"].as_array().unwrap().len() as u64);
    }
}

#[test]
fn the_text_says_the_same() {
    let output = audit(&[]);
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("confirmed  sanitize, "), "{text}");
    assert!(text.contains("\nclosed     mounts: "), "{text}");
    assert!(
        text.contains("\ngranted    files: `/usr`: `exec` by base.toml:"),
        "{text}"
    );
    assert!(text.ends_with(" 0 unknown, 0 open\n"), "{text}");
    let every = String::from_utf8(audit(&["-v"]).stdout).unwrap();
    let keyctl = "\nclosed     system calls that reach beyond the program: keyctl: EPERM\n";
    assert!(every.contains(keyctl) && !text.contains("keyctl"));
}

#[test]
fn what_the_policy_opens_is_granted_by_name() {
    let scratch = Scratch::new();
    let directory = scratch.directory("data");
    let rule = format!("{}:/data", directory.display());
    let audit = found(&["--write", &rule, "--env", "HOME"], 0);
    let granted = with(&audit, "granted");
    let path = directory.display();
    for expected in [
        format!("`/data` (from `{path}`): `write` by --write"),
        String::from("`/tmp` (empty, in memory): `write` by strict.toml:8"),
        String::from("`HOME`: the caller's, by `pass-env`"),
    ] {
        assert!(granted.contains(&expected), "{expected}: {granted:#?}");
    }
}

#[test]
fn the_hosts_network_is_granted_and_named() {
    let audit = found(
        &["--network", "host", "--weaken", "host-network=to test it"],
        0,
    );
    let granted = with(&audit, "granted");
    let expected = "the host's network: `mode = \"host\"` in `[network]`";
    assert!(granted.iter().any(|line| line == expected), "{granted:#?}");
    assert_eq!(audit["weakened"][0]["token"], "host-network");
}

/// A policy author who makes a directory readable does not think of its sockets.
#[test]
fn a_socket_in_a_readable_tree_is_open() {
    let scratch = Scratch::new();
    let directory = scratch.directory("run");
    let socket = directory.join("daemon.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    scratch.give_away("run/daemon.sock");
    let read = directory.to_str().unwrap();
    if landlock_abi() >= 9 {
        return assert_eq!(with(&found(&["--read", read], 0), "open"), [""; 0]);
    }
    let open = with(&found(&["--read", read], 1), "open");
    assert_eq!(
        open,
        [format!("connect to `{}`: it was done", socket.display())]
    );
    // Hidden, it is closed again.
    let hide = socket.to_str().unwrap();
    assert_eq!(
        with(&found(&["--read", read, "--hide", hide], 0), "open"),
        [""; 0]
    );
}

fn landlock_abi() -> i64 {
    // SAFETY: with a null pointer and a length of 0 the call only tells its version.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1) }
}

#[test]
fn calls_that_kill_are_tried_all_the_same() {
    let scratch = Scratch::new();
    let text = "extends = [\"strict\"]\n[syscalls]\nkill = [\"bpf\", \"sched_yield\"]\n";
    let audit = found(&["--policy", &policy(&scratch, text)], 0);
    let closed = with(&audit, "closed");
    for expected in ["bpf: SIGSYS", "sched_yield: SIGSYS", "keyctl: EPERM"] {
        assert!(closed.iter().any(|line| line == expected), "{expected}");
    }
}

#[test]
fn a_policy_without_libraries_can_be_audited() {
    let scratch = Scratch::new();
    let text = "[syscalls]\nallow = [\"@default\"]\n[limits]\nwall-time = \"30s\"\n";
    let audit = found(&["--policy", &policy(&scratch, text)], 0);
    let granted = with(&audit, "granted");
    let itself = granted
        .iter()
        .filter(|line| line.ends_with("`exec` by the audit itself"));
    assert!(itself.count() >= 1, "{granted:#?}");
    // Without a procfs it cannot be said which processes and mounts there are.
    assert_eq!(audit["unknown"], 2, "{:#?}", with(&audit, "unknown"));
}

#[test]
fn a_limit_in_the_middle_ends_no_audit() {
    let small = ["--output", "10KiB", "--processes", "1", "--open-files", "8"];
    let audit = found(&small, 0);
    assert_eq!(with(&audit, "unknown"), [""; 0]);
}

#[test]
fn what_cannot_be_audited_is_an_error() {
    let scratch = Scratch::new();
    let deaf = "extends = [\"strict\"]\n[syscalls]\nkill = [\"read\"]\n";
    for (options, message) in [
        (vec!["--tty"], "an audit has no terminal\nhint: "),
        (
            vec!["--policy", "none-such"],
            "no policy `none-such`\nhint: ",
        ),
        (
            vec!["--read", "/no/such/path"],
            "(rule --read): no such file",
        ),
        (
            vec!["--policy", &policy(&scratch, deaf)],
            "the program of the audit cannot run under this policy: it kills for read",
        ),
    ] {
        let output = audit(&options);
        let said = complaint(&output);
        assert_eq!(code(&output), 125, "{said}");
        assert!(said.contains(message), "{said}");
        assert_eq!(output.stdout, b"");
    }
}

#[test]
fn names_from_the_machine_are_escaped() {
    let scratch = Scratch::new();
    let directory = scratch.directory("\u{1b}[2Jnever\u{202e}");
    for more in [&[][..], &["-v"], &["--json"]] {
        let output = audit(&[&["--read", directory.to_str().unwrap()], more].concat());
        assert_eq!(code(&output), 0, "{}", complaint(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("never"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}

/// The same questions to the same program without a sandbox: a question that
/// cannot be answered "it was done" would prove nothing.
#[test]
fn outside_the_same_questions_are_answered_otherwise() {
    let scratch = Scratch::new();
    let file = scratch.file("f", "", 0o644);
    let path = |path: &Path| {
        use std::os::unix::ffi::OsStrExt;
        format!("{{\"Unix\":{:?}}}", path.as_os_str().as_bytes())
    };
    let call = |number: i64, first: u64| format!("{{\"Call\":[{number},[{first},0,0,0,0,0]]}}");
    let pid = std::process::id();
    let segment = "{\"Segment\":-1}";
    for (question, answer) in [
        (call(libc::SYS_unshare, 0), "\"Done\""),
        (call(libc::SYS_keyctl, 0xff), "{\"Errno\":95}"),
        (call(libc::SYS_clone, 17), "\"Done\""),
        (format!("{{\"Read\":{}}}", path(&file)), "\"Done\""),
        (format!("{{\"Write\":{}}}", path(&file)), "\"Done\""),
        (
            format!("{{\"Write\":{}}}", path(scratch.path())),
            "\"Done\"",
        ),
        (format!("{{\"MayWrite\":{}}}", path(&file)), "\"Done\""),
        (
            format!("{{\"Look\":{}}}", path(Path::new("/no/such"))),
            "{\"Errno\":2}",
        ),
        (String::from("{\"Tcp\":1}"), "{\"Errno\":111}"),
        (
            String::from("{\"Abstract\":\"sandbox-nobody\"}"),
            "{\"Errno\":111}",
        ),
        (String::from(segment), "{\"Errno\":22}"),
        (
            format!("{{\"Signal\":{}}}", 4_000_000 + pid),
            "{\"Errno\":3}",
        ),
        (String::from("\"Nothing\""), "\"NotHere\""),
    ] {
        assert_eq!(answers(&question), format!("{answer}\n"), "{question}");
    }
    assert!(answers("\"Attributes\"").contains("seccomp 0"));
    assert!(answers("\"Processes\"").contains(&format!("\"{pid}\"")));
    assert!(answers("\"MountPoints\"").contains("\"/proc\""));
}

/// What the program of the audit answers outside.
fn answers(question: &str) -> String {
    let mut command = support::sandbox();
    command.arg("audit-inside").stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{question}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{question}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_no_question_ends_the_program() {
    let mut command = support::sandbox();
    command.arg("audit-inside").stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{{\"Open\":3}}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 125);
    assert!(complaint(&output).starts_with("sandbox: cannot answer the questions of an audit: "));
}
