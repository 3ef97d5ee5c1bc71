//! The transcript: every byte, in order, with its direction, within its limit.
//! It must not be judged by its times but for their order.

use super::pair;
use crate::support::{self, Scratch, code, complaint};
use std::fs;
use std::os::unix::fs::symlink;

/// What each side said, from the lines of a transcript; `true` when it was cut.
fn read(text: &str) -> (Vec<u8>, Vec<u8>, bool) {
    let (mut solution, mut interactor, mut before) = (Vec::new(), Vec::new(), 0);
    for line in text.lines() {
        if line == "# cut" {
            return (solution, interactor, true);
        }
        let mut parts = line.splitn(3, ' ');
        let at: u64 = parts.next().unwrap().parse().unwrap();
        assert!(before <= at, "{text}");
        before = at;
        let said = match parts.next() {
            Some(">") => &mut solution,
            Some("<") => &mut interactor,
            other => panic!("{other:?}: {text}"),
        };
        let mut bytes = parts.next().unwrap().bytes();
        while let Some(byte) = bytes.next() {
            said.push(match (byte, byte == b'\\') {
                (byte, false) => byte,
                _ => match bytes.next().unwrap() {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'\\' => b'\\',
                    b'x' => {
                        let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                        u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    other => panic!("\\{other}"),
                },
            });
        }
    }
    (solution, interactor, false)
}

#[test]
fn it_has_everything_that_was_said_in_order() {
    let place = Scratch::new();
    let file = place.join("said");
    let options = ["--transcript", file.to_str().unwrap()];
    let output = support::run(&mut pair(
        &options,
        "read x; printf 'a\\\\b\\t\\001\\377'; read y; echo end",
        "echo one; head -c 6 > /dev/null; echo two; cat",
    ));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let text = fs::read_to_string(&file).unwrap();
    let (solution, interactor, cut) = read(&text);
    assert_eq!(solution, b"a\\b\t\x01\xffend\n");
    // What it says after the end of the solution is drained, and noted all the same.
    assert_eq!(interactor, b"one\ntwo\nend\n");
    assert!(!cut);
    let directions: String = text
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(directions, "<><><", "{text}");
}

#[test]
fn it_ends_at_its_limit_and_the_game_goes_on() {
    let place = Scratch::new();
    let (file, record) = (place.join("said"), place.join("pair.json"));
    let output = support::run(&mut pair(
        &[
            "--transcript",
            file.to_str().unwrap(),
            "--transcript-limit",
            "1kB",
            "--report",
            record.to_str().unwrap(),
        ],
        "head -c 100000 /dev/zero",
        "wc -c >&2",
    ));
    assert_eq!(complaint(&output), "100000\n");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.len() <= 1000);
    assert!(read(&text).2, "{text}");
    let record: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
    assert_eq!(record["transcript"]["cut"], true);
    assert_eq!(record["transcript"]["bytes"], text.len());
}

#[test]
fn an_older_one_is_replaced_and_a_link_is_not_followed() {
    let place = Scratch::new();
    let old = place.file("said", "x".repeat(1000), 0o644);
    let options = ["--transcript", old.to_str().unwrap()];
    let output = support::run(&mut pair(&options, "exit 0", "exit 0"));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    assert_eq!(fs::read(&old).unwrap(), b"");
    let precious = place.file("precious", "precious", 0o644);
    symlink(&precious, place.join("link")).unwrap();
    let link = place.join("link");
    let output = support::run(&mut pair(
        &["--transcript", link.to_str().unwrap()],
        "exit 0",
        "exit 0",
    ));
    assert_eq!(code(&output), 125);
    assert!(complaint(&output).contains("a symbolic link is on the way"));
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
}
