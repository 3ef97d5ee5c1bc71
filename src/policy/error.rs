//! Decides how a mistake in a policy is shown: file, line, column, the line
//! itself with a caret, and what would help.
//!
//! It never prints foreign text raw: whatever could move a cursor or reorder
//! characters is escaped.

use crate::escape::deceptive;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// A mistake in a policy, or a policy that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The policy file as it was named; empty when the mistake is in no file
    /// (a policy that cannot be opened, a value from the command line).
    pub file: String,
    /// Line, counted from 1; 0 when `file` is empty.
    pub line: usize,
    /// Column in characters, counted from 1; 0 when `file` is empty.
    pub column: usize,
    /// The line as it stands in the file, control characters and all.
    pub source_line: String,
    /// What is wrong: one sentence, no final period, already escaped.
    pub message: String,
    /// What would help, when we know.
    pub hint: Option<String>,
}

impl Error {
    /// A mistake that is in no file.
    pub(super) fn plain(message: impl Into<String>) -> Error {
        Error {
            file: String::new(),
            line: 0,
            column: 0,
            source_line: String::new(),
            message: message.into(),
            hint: None,
        }
    }

    /// With advice.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            let file = escape(&self.file);
            write!(f, "{file}:{}:{}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)?;
        if !self.source_line.is_empty() {
            let (shown, caret) = excerpt(&self.source_line, self.column);
            write!(f, "\n    {shown}\n    {:caret$}^", "")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// A policy text and its name: what turns byte offsets into places.
pub(super) struct Source<'a> {
    /// The name shown to people.
    pub name: Cow<'a, str>,
    /// The same as messages have it in their middle.
    escaped: Cow<'a, str>,
    /// The whole text.
    pub text: &'a str,
    /// Offset of the first byte of each line, so that a place costs a binary
    /// search and not a walk over a megabyte.
    starts: Cow<'a, [usize]>,
}

impl<'a> Source<'a> {
    /// Indexes the lines.
    pub fn new(name: &'a str, text: &'a str) -> Source<'a> {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Source {
            name: name.into(),
            escaped: escape(name).into(),
            text,
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    /// The same with the lines indexed already, and a name that hides nothing.
    pub fn indexed(name: &'a str, text: &'a str, starts: &'a [usize]) -> Source<'a> {
        Source {
            name: name.into(),
            escaped: name.into(),
            text,
            starts: starts.into(),
        }
    }

    /// A mistake at a byte range of the text.
    pub fn error(&self, at: Range<usize>, message: impl Into<String>) -> Error {
        let mut offset = at.start.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.line(offset);
        let start = self.starts[line - 1];
        Error {
            file: self.name.clone().into_owned(),
            line,
            column: self.text[start..offset].chars().count() + 1,
            source_line: self.source_line(line).to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    /// The line, counted from 1, that holds this byte offset.
    pub fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// A line without its end.
    pub fn source_line(&self, line: usize) -> &'a str {
        let start = self.starts[line - 1];
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }

    /// `strict.toml:12`, for messages that come later than reading.
    pub fn origin(&self, offset: usize) -> String {
        let mut origin = String::with_capacity(self.escaped.len() + 8);
        origin.push_str(&self.escaped);
        origin.push(':');
        push_number(&mut origin, self.line(offset));
        origin
    }
}

/// Every rule has its place written: without the machinery of formatting.
fn push_number(text: &mut String, number: usize) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

/// Foreign text made harmless to print: control characters and the characters
/// that reorder or hide others are written as escapes.
pub(super) fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut shown, c| {
            if !deceptive(c) {
                shown.push(c);
            } else {
                shown.extend(c.escape_default());
            }
            shown
        })
}

/// Foreign text escaped, cut to a readable length, in backticks.
pub(super) fn quote(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("`{}…`", escape(&text[..end])),
        None => format!("`{}`", escape(text)),
    }
}

/// What of a line is shown, and how many columns stand left of the caret.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    const BEFORE: usize = 60;
    const SHOWN: usize = 120;
    let target = column.saturating_sub(1);
    let first = if target > SHOWN - 20 {
        target - BEFORE
    } else {
        0
    };
    let mut shown = String::new();
    let mut caret = 0;
    if first > 0 {
        shown.push('…');
        caret = 1;
    }
    let mut rest = line.chars().skip(first);
    for (position, c) in rest.by_ref().take(SHOWN).enumerate() {
        // A tab would push the caret out of its column.
        let piece = match c {
            '\t' => String::from(" "),
            c if !deceptive(c) => c.to_string(),
            c => c.escape_default().to_string(),
        };
        if first + position < target {
            caret += piece.chars().count();
        }
        shown.push_str(&piece);
    }
    if rest.next().is_some() {
        shown.push('…');
    }
    (shown, caret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_column() {
        let text = "version = 1\n\tmemmory = \"1\x1b[31m\"\n";
        let source = Source::new("x.toml", text);
        let at = text.find("memmory").unwrap();
        let error = source.error(at..at + 7, "no such key").hint("try again");
        assert_eq!(
            error.to_string(),
            "x.toml:2:2: no such key\n     memmory = \"1\\u{1b}[31m\"\n     ^\nhint: try again"
        );
        assert_eq!(error.source_line, "\tmemmory = \"1\x1b[31m\"");
    }

    #[test]
    fn any_offset_has_a_place() {
        let text = "é\r\n\nx";
        let source = Source::new("x", text);
        for offset in 0..20 {
            let error = source.error(offset..offset, "m");
            assert!(error.line >= 1 && error.line <= 3 && error.column >= 1);
        }
        assert_eq!(source.error(0..0, "m").source_line, "é");
        assert_eq!(source.line(text.len()), 3);
    }

    #[test]
    fn an_origin_is_a_name_and_a_line() {
        let text = "\n".repeat(1_000_000);
        let source = Source::new("a\u{202e}b", &text);
        assert_eq!(source.origin(0), "a\\u{202e}b:1");
        assert_eq!(source.origin(9), "a\\u{202e}b:10");
        assert_eq!(source.origin(text.len()), "a\\u{202e}b:1000001");
    }

    #[test]
    fn a_long_line_is_cut_around_the_column() {
        let line = format!("{}HERE{}", "a".repeat(100_000), "b".repeat(100_000));
        let (shown, caret) = excerpt(&line, 100_001);
        assert!(shown.chars().count() <= 122);
        assert_eq!(
            shown.chars().skip(caret).take(4).collect::<String>(),
            "HERE"
        );
    }

    #[test]
    fn nothing_that_moves_the_cursor_gets_through() {
        assert_eq!(escape("a\x1b[2J\u{202e}b\n"), "a\\u{1b}[2J\\u{202e}b\\n");
        assert_eq!(quote(&"x".repeat(100)), format!("`{}…`", "x".repeat(80)));
    }
}
