//! The shipped policies, embedded: their texts, and each read when this is compiled.
//!
//! Nothing is decided here; the texts lie in `policies/`.

use super::shipped::{File, Item, count, escaped, items, line_starts, lines, unescaped};

/// One file, read.
macro_rules! shipped {
    ($file:literal) => {{
        const TEXT: &str = include_str!(concat!("../../policies/", $file, ".toml"));
        static ITEMS: [Item; count(TEXT)] = items(TEXT);
        static UNESCAPED: [u8; escaped(TEXT)] = unescaped(TEXT, &ITEMS);
        static STARTS: [usize; lines(TEXT)] = line_starts(TEXT);
        File {
            name: concat!($file, ".toml"),
            text: TEXT,
            items: &ITEMS,
            unescaped: match str::from_utf8(&UNESCAPED) {
                Ok(said) => said,
                Err(_) => panic!("escapes do not end a character early"),
            },
            starts: &STARTS,
        }
    }};
}

static STRICT: File = shipped!("strict");
static BASE: File = shipped!("base");
static COMPILE: File = shipped!("compile");
static AGENT: File = shipped!("agent");
static JUDGE: File = shipped!("judge");
static JUDGE_COMPILE: File = shipped!("judge-compile");

/// Every built-in policy: name and text.
pub const BUILTIN: &[(&str, &str)] = &[
    ("strict", STRICT.text),
    ("base", BASE.text),
    ("compile", COMPILE.text),
    ("agent", AGENT.text),
    ("judge", JUDGE.text),
    ("judge-compile", JUDGE_COMPILE.text),
];

/// In the same order.
static READ: [&File; BUILTIN.len()] = [&STRICT, &BASE, &COMPILE, &AGENT, &JUDGE, &JUDGE_COMPILE];

/// The text of a built-in policy.
pub fn builtin(name: &str) -> Option<&'static str> {
    position(name).map(|at| BUILTIN[at].1)
}

/// A built-in policy as [`Document::parse`](super::table::Document::parse) reads it,
/// without parsing; it is called like its file.
pub(super) fn read(name: &str) -> Option<&'static File> {
    position(name).map(|at| READ[at])
}

fn position(name: &str) -> Option<usize> {
    BUILTIN.iter().position(|(known, _)| *known == name)
}

/// The names, for messages.
pub(super) fn names() -> Vec<&'static str> {
    BUILTIN.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::error::Source;
    use super::super::table::{Document, Shape, Table, Value, entries};
    use super::*;

    /// Everything in a table, one line for each key and value.
    fn listed(table: Table, lines: &mut Vec<String>) {
        for (key, value) in entries(table) {
            lines.push(format!("{} {:?}", key.name, key.at));
            list(&value, lines);
        }
    }

    fn list(value: &Value, lines: &mut Vec<String>) {
        lines.push(format!("{:?}", value.at));
        match value.shape {
            Shape::Table(table) => {
                lines.push(String::from("{"));
                listed(table, lines);
                lines.push(String::from("}"));
            }
            Shape::Array(array) => {
                lines.push(String::from("["));
                array.items().for_each(|item| list(&item, lines));
                lines.push(String::from("]"));
            }
            single => lines.push(format!("{single:?}")),
        }
    }

    #[test]
    fn what_was_read_when_this_was_compiled_is_what_the_parser_reads() {
        for (name, text) in BUILTIN {
            let file = read(name).unwrap();
            let source = file.source();
            let document = Document::parse(text).unwrap();
            let (mut compiled, mut parsed) = (Vec::new(), Vec::new());
            listed(file.table(), &mut compiled);
            listed(Table::Parsed(&document), &mut parsed);
            assert_eq!(compiled, parsed, "{name}");
            let called = format!("{name}.toml");
            let known = Source::new(&called, text);
            assert_eq!((&source.name, source.text), (&known.name, known.text));
            for offset in 0..=text.len() {
                assert_eq!(source.line(offset), known.line(offset), "{name} {offset}");
                assert_eq!(source.origin(offset), known.origin(offset), "{name}");
            }
        }
    }
}
