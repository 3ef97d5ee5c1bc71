//! What holds for every input: the parser answers, its answers are printable, and
//! what it accepts keeps the promises of the types.

use super::files::Scratch;
use super::{context, inside};
use proptest::prelude::*;
use sandbox::policy::syscalls::expand;
use sandbox::policy::{BUILTIN, Content, Error, Network, Policy, Weaken};
use std::path::Component;

/// Parses, and checks what holds for any answer.
fn answer(text: &str) -> Result<(), TestCaseError> {
    match Policy::parse(text, "x.toml", &context()) {
        Ok(policy) => sound(&policy),
        Err(error) => presentable(text, &error),
    }
}

fn presentable(text: &str, error: &Error) -> Result<(), TestCaseError> {
    let shown = error.to_string();
    let controls = shown.chars().any(|c| c.is_control() && c != '\n');
    prop_assert!(!controls, "{shown:?}");
    prop_assert!(shown.lines().count() <= 4, "{shown}");
    prop_assert!(!error.message.is_empty() && !error.message.contains('\n'));
    prop_assert!(!error.message.ends_with('.'));
    if error.file == "x.toml" {
        let line = text.split('\n').nth(error.line - 1).unwrap();
        prop_assert_eq!(error.source_line.as_str(), line.trim_end_matches('\r'));
        prop_assert!(error.column >= 1 && error.column <= line.chars().count() + 1);
    }
    Ok(())
}

fn sound(policy: &Policy) -> Result<(), TestCaseError> {
    for (path, rule) in &policy.files {
        let mut parts = path.as_path().components();
        prop_assert_eq!(parts.next(), Some(Component::RootDir));
        prop_assert!(parts.all(|part| matches!(part, Component::Normal(_))));
        match &rule.content {
            Content::Host(host) => {
                prop_assert!(host.is_absolute());
                prop_assert!(!host.components().any(|part| part == Component::ParentDir));
            }
            // Zero is "unlimited" to tmpfs.
            Content::Tmpfs { bytes, inodes } => prop_assert!(*bytes > 0 && *inodes > 0),
            Content::Dev { shm_bytes } => prop_assert!(*shm_bytes > 0),
            Content::Nothing => prop_assert!(!rule.access.writes() && !rule.access.executes()),
            _ => {}
        }
    }
    let process = &policy.process;
    prop_assert!(![0, u32::MAX].contains(&process.user));
    prop_assert!(![0, u32::MAX].contains(&process.group));
    let (first, last) = process.host_ids;
    prop_assert!(0 < first && first <= last && last < u32::MAX - 1);
    for (name, value) in &process.env {
        prop_assert!(!name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    }
    let limits = &policy.limits;
    let numbers = [
        limits.memory,
        limits.processes,
        limits.output.map(|cap| cap.most),
        limits.stdout.map(|cap| cap.most),
        limits.stderr.map(|cap| cap.most),
        limits.file_size,
        limits.open_files,
        limits.stack,
    ];
    // Neither zero nor RLIM_INFINITY.
    prop_assert!(
        numbers
            .iter()
            .flatten()
            .all(|n| (1..=i64::MAX as u64).contains(n))
    );
    prop_assert!(
        limits
            .cpu_max
            .is_none_or(|quota| (1000..=1_000_000_000).contains(&quota))
    );
    prop_assert!(
        limits
            .cpu_weight
            .is_none_or(|weight| (1..=10_000).contains(&weight))
    );
    for rates in limits.io_max.values() {
        let bytes = [rates.read_bytes, rates.write_bytes];
        let requests = [rates.reads, rates.writes];
        // The kernel takes the largest number of 32 bits for no limit.
        prop_assert!(
            bytes
                .iter()
                .flatten()
                .all(|n| (1..=i64::MAX as u64).contains(n))
        );
        prop_assert!(
            requests
                .iter()
                .flatten()
                .all(|n| (1..u64::from(u32::MAX)).contains(n))
        );
        prop_assert!(bytes.iter().chain(&requests).any(Option::is_some));
    }
    for time in [limits.cpu_time, limits.wall_time].into_iter().flatten() {
        prop_assert!(!time.is_zero() && time.as_nanos() <= i64::MAX as u128);
    }
    prop_assert!(
        policy
            .weaken
            .values()
            .all(|reason| !reason.trim().is_empty())
    );
    let explained = policy.weaken.contains_key(&Weaken::HostNetwork);
    prop_assert!(policy.network != Network::Host || explained);
    prop_assert!(policy.validate().is_ok());
    super::written::returns(policy)
}

/// One edit of a text: at a place, so many characters become others.
#[derive(Debug, Clone)]
struct Edit {
    place: prop::sample::Index,
    removed: usize,
    added: String,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let pieces = prop_oneof![
        Just(String::new()),
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            "\"",
            "'",
            "\n",
            "[",
            "]",
            "{",
            "}",
            "=",
            ".",
            "..",
            "/",
            "~",
            "$",
            "\0",
            "\\u0000",
            "none",
            "true",
            "0",
            "-1",
            "18446744073709551616",
            "0x7fffffffffffffff",
            "1e9",
            "nan",
            "1979-05-27",
            "[[files]]",
            "access",
            "tmpfs",
            "\u{202e}",
            "\x1b",
        ])
        .prop_map(String::from),
    ];
    let edit = (any::<prop::sample::Index>(), 0usize..6, pieces);
    let edit = edit.prop_map(|(place, removed, added)| Edit {
        place,
        removed,
        added,
    });
    prop::collection::vec(edit, 1..5)
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for edit in edits {
        let start = edit.place.index(letters.len() + 1);
        let end = (start + edit.removed).min(letters.len());
        letters.splice(start..end, edit.added.chars());
    }
    letters.into_iter().collect()
}

/// A policy of known keys and values that may or may not go together.
fn assembled() -> impl Strategy<Value = String> {
    let keys = vec![
        "user",
        "group",
        "hostname",
        "cwd",
        "env",
        "pass-env",
        "speculation",
        "host-ids",
        "mode",
        "memory",
        "processes",
        "cpu-time",
        "stack",
        "cpu-max",
        "cpu-weight",
        "io-max",
        "output",
        "stdout",
        "allow",
        "deny",
        "kill",
        "host-network",
        "no-landlock",
        "'/x'",
        "'/x/'",
        "'~/y'",
        "'.'",
        "'$SET'",
        "'$UNSET'",
        "'/a/../b'",
        "memory-deny-write-execute",
        "core-scheduling",
    ];
    let values = vec![
        "0",
        "1",
        "4294967295",
        "-1",
        "true",
        "''",
        "'none'",
        "'host'",
        "'10s'",
        "'0s'",
        "'64MiB'",
        "'mitigate'",
        "'read'",
        "'proc'",
        "'dev'",
        "'1-2'",
        "'/x'",
        "'.'",
        "[]",
        "['read']",
        "['A', 'B=C']",
        "{}",
        "{ A = 'b' }",
        "{ access = 'read' }",
        "{ tmpfs = '1MiB' }",
        "{ tmpfs = '1MiB', inodes = 0 }",
        "{ from = '$UNSET', access = 'exec', optional = true }",
        "{ access = 'write', git = 'protect' }",
        "{ text = 'x', reason = 'y' }",
        "{ dev = true, shm = '1kB' }",
        "{ symlink = 'x' }",
        "{ most = '1KiB' }",
        "{ most = 7, full = 'drain' }",
        "{ most = '0B', full = 'kill' }",
        "{ full = 'truncate' }",
        "{ synthetic = 'hosts' }",
        "0.5",
        "1.000001",
        "'2.50'",
        "{ '8:0' = { read-bytes = '1MiB', writes = 7 } }",
        "{ '/x' = { reads = 1 }, '8:1' = 'none' }",
        "{ '8:0' = { writes = 0 } }",
    ];
    let sections = vec![
        "files", "process", "network", "limits", "syscalls", "weaken",
    ];
    let entry = (prop::sample::select(keys), prop::sample::select(values));
    let section = (
        prop::sample::select(sections),
        prop::collection::vec(entry, 0..3),
    );
    prop::collection::vec(section, 0..4).prop_map(|sections| {
        let mut text = String::from("version = 1\n");
        for (name, entries) in sections {
            text.push_str(&format!("[{name}]\n"));
            for (key, value) in entries {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text
    })
}

fn names() -> impl Strategy<Value = Vec<String>> {
    let known = [
        "@default",
        "@files",
        "ptrace",
        "read",
        "openat",
        "vmsplice",
        "personality",
    ];
    let known = known.into_iter().filter(|name| expand(name).is_ok());
    let known: Vec<_> = known.map(String::from).collect();
    prop::collection::vec(prop::sample::select(known), 0..5)
}

proptest! {
    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        answer(&text)?;
        answer(&format!("version = 1\n{text}"))?;
    }

    #[test]
    fn shipped_policies_survive_any_edit(which in 0..BUILTIN.len(), edits in edits()) {
        answer(&edited(BUILTIN[which].1, &edits))?;
    }

    #[test]
    fn known_keys_with_any_value_have_an_answer(text in assembled(), edits in edits()) {
        answer(&text)?;
        answer(&edited(&text, &edits))?;
    }

    /// Extending a policy can never take one of its refusals away, nor add a
    /// path that neither names.
    #[test]
    fn refusals_are_inherited(deny in names(), kill in names(), more in names(), allow in names()) {
        // Nothing may allow this one.
        let allow: Vec<_> = allow.into_iter().filter(|name| name != "ptrace").collect();
        let scratch = Scratch::new();
        scratch.write("a.toml", format!(
            "version = 1\n[files]\n'/a' = 'none'\n[syscalls]\ndeny = {deny:?}\nkill = {kill:?}\n"
        ));
        scratch.write("b.toml", format!(
            "version = 1\nextends = ['a.toml']\n[files]\n'/b' = 'read'\n[syscalls]\nallow = {allow:?}\ndeny = {more:?}\nkill = []\n"
        ));
        let policy = scratch.load("b.toml").unwrap();
        for name in deny.iter().chain(&more) {
            prop_assert!(policy.syscalls.deny.contains(name));
        }
        for name in &kill {
            prop_assert!(policy.syscalls.kill.contains(name));
        }
        prop_assert!(policy.syscalls.allow.iter().all(|name| allow.contains(name)));
        let paths: Vec<_> = policy.files.keys().cloned().collect();
        prop_assert_eq!(paths, [inside("/a"), inside("/b")]);
    }
}
