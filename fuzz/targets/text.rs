//! Foreign text on its way to a terminal or into the record.
//!
//! Nothing deceptive gets through, and nothing is lost: what is shown can be read back.

use super::bytes::printable;
use sandbox::escape::{deceptive, plain, quote, tick};
use sandbox::report::incomplete;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The input is the text.
pub fn check(data: &[u8]) {
    let text = OsStr::from_bytes(data);
    for (shown, delimiter) in [
        (plain(text), None),
        (tick(text), Some('`')),
        (quote(text), Some('"')),
    ] {
        assert!(!shown.chars().any(deceptive), "{shown:?}");
        let inner = match delimiter {
            None => shown.as_str(),
            Some(c) => {
                let inner = shown.strip_prefix(c).and_then(|rest| rest.strip_suffix(c));
                inner.expect("the delimiters")
            }
        };
        assert_eq!(read_back(inner, delimiter), data, "{shown}");
    }
    let lossy = String::from_utf8_lossy(data);
    let line = incomplete(Some((125, &lossy)));
    printable(&line);
    assert_eq!(line.find('\n'), Some(line.len() - 1));
    let record: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!(record["error"], *lossy);
}

/// The bytes that an escaped text stands for; the delimiter never stands alone.
fn read_back(shown: &str, delimiter: Option<char>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = shown.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            assert_ne!(Some(c), delimiter, "it ends the quotation");
            bytes.extend(c.to_string().bytes());
            continue;
        }
        match rest.next().expect("something after a backslash") {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'x' => {
                let digits: String = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).expect("two digits"));
            }
            'u' => {
                assert_eq!(rest.next(), Some('{'));
                let digits: String = rest.by_ref().take_while(|c| *c != '}').collect();
                let number = u32::from_str_radix(&digits, 16).expect("digits");
                let c = char::from_u32(number).expect("a character");
                bytes.extend(c.to_string().bytes());
            }
            c => bytes.extend(c.to_string().bytes()),
        }
    }
    bytes
}
