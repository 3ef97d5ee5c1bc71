//! flatpak, CVE-2021-43860 and CVE-2023-28101: escape sequences hid what a program was allowed.
//! It must not judge what is said, only that no foreign byte of it reaches a terminal.

use crate::support::{self, Scratch};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::Command;

/// Sequences that clear a line, move up and rename the window; C1 controls; a new line
/// that speaks for `sandbox`; bidirectional and invisible characters; bad UTF-8.
const HOSTILE: [&[u8]; 6] = [
    b"a\x1b[2K\x1b[1A\x1b]0;t\x07z",
    "a\u{9b}2K\u{85}\u{90}z".as_bytes(),
    b"a\nsandbox: all is well\r\x08\x7f",
    "a\u{202e}dapxe\u{2066}\u{200b}\u{feff}z".as_bytes(),
    b"a\xff\xfe\xc3\x1bz",
    "a\u{2028}layers\u{e0041}z".as_bytes(),
];

/// What a terminal obeys or a reader does not see; not asked of the code under test.
fn deceptive(c: char) -> bool {
    let hidden = ['\u{200b}', '\u{2028}', '\u{2029}', '\u{feff}'];
    let turned = ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    let tags = ('\u{e0000}'..='\u{e007f}').contains(&c);
    c.is_control() || hidden.contains(&c) || turned || tags
}

/// As an option can be given: no NUL, and no `:` or `=` in it that is not meant.
fn joined(before: &str, hostile: &[u8], after: &str) -> OsString {
    OsString::from_vec([before.as_bytes(), hostile, after.as_bytes()].concat())
}

/// Runs it, and expects every output to be of printable lines of `sandbox`'s own making.
#[track_caller]
fn harmless(command: &mut Command, what: &str) -> (i32, String) {
    let output = support::run(command);
    for (name, bytes) in [("output", &output.stdout), ("error", &output.stderr)] {
        let text = std::str::from_utf8(bytes);
        let text = text.unwrap_or_else(|_| panic!("{what}: {name} is no UTF-8: {bytes:?}"));
        if let Some(c) = text.chars().find(|c| deceptive(*c) && *c != '\n') {
            panic!("{what}: {c:?} in {name}: {text:?}");
        }
        let forged = text
            .lines()
            .any(|line| line.starts_with("sandbox: all is well"));
        assert!(!forged, "{what}: {text}");
    }
    let all = [output.stdout.as_slice(), &output.stderr].concat();
    (support::code(&output), String::from_utf8(all).unwrap())
}

fn sandbox(words: &[&OsStr]) -> Command {
    let mut command = support::sandbox();
    command.args(words);
    command
}

#[test]
fn cve_2021_43860_no_name_reaches_the_terminal_raw() {
    let scratch = Scratch::new();
    let [dash, truth, verbose, plan] = ["--", "/bin/true", "-v", "plan"].map(OsStr::new);
    let mut said = 0;
    for hostile in HOSTILE {
        let name = OsStr::from_bytes(hostile);
        let path = joined("/usr/", hostile, "");
        let real = scratch.path().join(name);
        std::fs::create_dir_all(&real).unwrap();
        let mapped = joined(scratch.path().to_str().unwrap(), b"/", "");
        let read = OsString::from_vec([b"--read=", mapped.as_bytes(), hostile].concat());
        let variable = joined("--env=A", hostile, "=b");
        let value = joined("--env=A=", hostile, "");
        let cases: Vec<Vec<&OsStr>> = vec![
            vec![dash, name],
            vec![dash, &path],
            vec![&path],
            vec![plan, dash, name],
            vec![plan, &read, dash, truth, name],
            vec![plan, &value, dash, truth],
            vec![plan, &variable, dash, truth],
            vec![verbose, &read, &value, dash, truth, name],
            vec![verbose, &variable, dash, truth],
            vec![OsStr::new("check"), name],
            vec![OsStr::new("check"), &path],
            vec![OsStr::new("policy"), name],
            vec![name, name],
        ];
        for words in &cases {
            let (_, text) = harmless(&mut sandbox(words), &format!("{words:?}"));
            said += usize::from(text.contains('a'));
        }
        for option in [
            "policy",
            "read",
            "exec",
            "write",
            "write-exec",
            "hide",
            "tmpfs",
            "cwd",
            "user",
            "hostname",
            "fd",
            "network",
            "memory",
            "processes",
            "cpu-time",
            "wall-time",
            "output",
            "file-size",
            "open-files",
            "weaken",
            "report",
            "env",
            "no-such-option",
        ] {
            for middle in ["=", "=/", "=/x:", "=A="] {
                let word = joined(&format!("--{option}{middle}"), hostile, "");
                let words = [&word, dash, truth];
                let (_, text) = harmless(&mut sandbox(&words), &format!("{words:?}"));
                said += usize::from(text.starts_with("sandbox: "));
            }
        }
    }
    // Most of them are mistakes that are complained about.
    assert!(said > 300, "{said}");
}

/// The policy's own words: names, reasons, values, in errors, plans and on `--verbose`.
#[test]
fn cve_2023_28101_no_word_of_a_policy_reaches_the_terminal_raw() {
    let scratch = Scratch::new();
    let project = scratch.directory("project");
    for (number, hostile) in HOSTILE.into_iter().enumerate() {
        let Ok(text) = std::str::from_utf8(hostile) else {
            continue;
        };
        // Written as TOML has it, so that the value holds the very characters.
        let quoted: String = text
            .chars()
            .map(|c| format!("\\U{:08X}", u32::from(c)))
            .collect();
        for (kind, body) in [
            (
                "reason",
                format!(
                    "[files]\n\"/x\" = {{ tmpfs = \"1MiB\", inodes = 9, reason = \"{quoted}\" }}\n"
                ),
            ),
            (
                "weaken",
                format!("[network]\nmode = \"host\"\n[weaken]\nhost-network = \"{quoted}\"\n"),
            ),
            (
                "path",
                format!("[files]\n\"/x/{quoted}\" = {{ tmpfs = \"1MiB\", inodes = 9 }}\n"),
            ),
            (
                "link",
                format!("[files]\n\"/l\" = {{ symlink = \"{quoted}\" }}\n"),
            ),
            (
                "text",
                format!("[files]\n\"/t\" = {{ text = \"{quoted}\" }}\n"),
            ),
            (
                "source",
                format!("[files]\n\"/s\" = {{ from = \"/{quoted}\", access = \"read\" }}\n"),
            ),
            ("env", format!("[process.env]\nA = \"{quoted}\"\n")),
            ("name", format!("[process.env]\n\"{quoted}\" = \"b\"\n")),
            ("pass", format!("[process]\npass-env = [\"{quoted}\"]\n")),
            ("host", format!("[process]\nhostname = \"{quoted}\"\n")),
            ("cwd", format!("[process]\ncwd = \"/{quoted}\"\n")),
            ("key", format!("\"{quoted}\" = 1\n")),
            ("token", format!("[weaken]\n\"{quoted}\" = \"r\"\n")),
            ("call", format!("[syscalls]\nallow = [\"{quoted}\"]\n")),
            ("size", format!("[limits]\nmemory = \"{quoted}\"\n")),
            ("raw", format!("[limits] # {text}\nmemory = \"{text}\"\n")),
            ("base", format!("[files]\n\"/x\" = \"{quoted}\"\n")),
        ] {
            let body = format!("version = 1\nextends = [\"strict\"]\n{body}");
            let body = if kind == "key" {
                format!("version = 1\n\"{quoted}\" = 1\n")
            } else {
                body
            };
            let policy = scratch.file(&format!("{kind}-{number}.toml"), body, 0o644);
            let report = scratch.join("report.json");
            let _ = std::fs::remove_file(&report);
            for words in [
                vec!["check", policy.to_str().unwrap()],
                vec![
                    "plan",
                    "--policy",
                    policy.to_str().unwrap(),
                    "--",
                    "/bin/true",
                ],
                vec![
                    "-v",
                    "--report",
                    report.to_str().unwrap(),
                    "--policy",
                    policy.to_str().unwrap(),
                    "--",
                    "/bin/true",
                ],
            ] {
                let mut command = support::sandbox();
                command.current_dir(&project).args(&words);
                harmless(&mut command, &format!("{kind} {words:?}"));
            }
            // The record is read at terminals too.
            let record = std::fs::read_to_string(&report).unwrap_or_default();
            let bad = record.chars().find(|c| deceptive(*c) && *c != '\n');
            assert_eq!(bad, None, "{kind}: {record}");
        }
    }
}

/// The reason that hid the permissions is shown, spelt out, at each place that shows it.
#[test]
fn cve_2023_28101_a_hostile_reason_is_spelt_out() {
    let scratch = Scratch::new();
    let report = scratch.join("report.json");
    let reason = joined("--weaken=host-network=", HOSTILE[0], "");
    for words in [
        vec!["plan"],
        vec!["-v", "--report", report.to_str().unwrap()],
    ] {
        let mut command = support::sandbox();
        command.args(words).args(["--network=host"]).arg(&reason);
        let (code, text) = harmless(command.args(["--", "/bin/true"]), "a reason");
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(r"a\x1b[2K\x1b[1A\x1b]0;t\x07z"), "{text}");
    }
    let record = std::fs::read_to_string(&report).unwrap();
    assert!(
        record.contains(r"a\u001b[2K\u001b[1A\u001b]0;t\u0007z"),
        "{record}"
    );
}
