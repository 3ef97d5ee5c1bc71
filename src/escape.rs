//! Makes foreign text printable on one line: control and invisible characters, bad UTF-8.
//! It must never hide a difference: two texts that differ print differently.
//!
//! A terminal obeys escape sequences, and a reader believes what he sees: the
//! right-to-left override has hidden permissions before (CVE-2023-28101).

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

/// The text itself, for the middle of a sentence.
pub fn plain(text: impl AsRef<OsStr>) -> String {
    escaped(text.as_ref(), None)
}

/// The text in backticks: paths, names, options.
pub fn tick(text: impl AsRef<OsStr>) -> String {
    format!("`{}`", escaped(text.as_ref(), Some('`')))
}

/// The text in double quotes: values and contents.
pub fn quote(text: impl AsRef<OsStr>) -> String {
    format!("\"{}\"", escaped(text.as_ref(), Some('"')))
}

/// Is this a character that a reader does not see, or that moves what he sees?
///
/// Control characters, and Unicode's format characters: zero width, line and
/// paragraph separators, bidirectional controls, interlinear marks, tags.
pub fn deceptive(c: char) -> bool {
    // All that is ASCII but its control characters, and most of what is asked about.
    if matches!(c, ' '..='~') {
        return false;
    }
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn escaped(text: &OsStr, delimiter: Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            push(&mut out, c, delimiter);
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn push(out: &mut String, c: char, delimiter: Option<char>) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        c if Some(c) == delimiter => {
            out.push('\\');
            out.push(c);
        }
        c if deceptive(c) => {
            let _ = match c.is_ascii() {
                true => write!(out, "\\x{:02x}", u32::from(c)),
                false => write!(out, "\\u{{{:x}}}", u32::from(c)),
            };
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_spelt_out() {
        assert_eq!(plain("plain täxt, 日本"), "plain täxt, 日本");
        assert_eq!(plain("a\u{1b}[2Jb\nc\td\r"), "a\\x1b[2Jb\\nc\\td\\r");
        assert_eq!(plain("\u{7f}\u{85}\u{9b}"), "\\x7f\\u{85}\\u{9b}");
        assert_eq!(plain("abc\u{202e}fdp.exe"), "abc\\u{202e}fdp.exe");
        assert_eq!(plain("a\u{200b}b\u{e0041}"), "a\\u{200b}b\\u{e0041}");
        assert_eq!(plain(OsStr::from_bytes(b"a\xff\xc3b")), "a\\xff\\xc3b");
        assert_eq!(plain("a\0b"), "a\\x00b");
    }

    #[test]
    fn a_delimiter_inside_cannot_end_the_quotation() {
        assert_eq!(tick("a`b\"c"), "`a\\`b\"c`");
        assert_eq!(quote("a`b\"c"), "\"a`b\\\"c\"");
    }

    #[test]
    fn texts_that_differ_print_differently() {
        assert_ne!(plain("a\nb"), plain("a\\nb"));
        assert_ne!(plain(OsStr::from_bytes(b"\xff")), plain("\\xff"));
        assert_ne!(plain("\u{202e}"), plain("\\u{202e}"));
    }
}
