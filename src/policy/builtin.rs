//! The shipped policies, embedded: their texts, and each read when this is compiled.
//!
//! Nothing is decided here; the texts lie in `policies/`.

use super::error::Source;
use super::shipped::{Item, count, items, line_starts, lines, table};
use super::table::Table;

/// Text, items and line starts of one file.
macro_rules! shipped {
    ($file:literal) => {{
        const TEXT: &str = include_str!(concat!("../../policies/", $file, ".toml"));
        static ITEMS: [Item; count(TEXT)] = items(TEXT);
        static STARTS: [usize; lines(TEXT)] = line_starts(TEXT);
        (TEXT, &ITEMS, &STARTS)
    }};
}

/// A text, what is in it, and where its lines begin.
type Shipped = (&'static str, &'static [Item], &'static [usize]);

const STRICT: Shipped = shipped!("strict");
const BASE: Shipped = shipped!("base");
const COMPILE: Shipped = shipped!("compile");
const AGENT: Shipped = shipped!("agent");
const JUDGE: Shipped = shipped!("judge");
const JUDGE_COMPILE: Shipped = shipped!("judge-compile");

/// Every built-in policy: name and text.
pub const BUILTIN: &[(&str, &str)] = &[
    ("strict", STRICT.0),
    ("base", BASE.0),
    ("compile", COMPILE.0),
    ("agent", AGENT.0),
    ("judge", JUDGE.0),
    ("judge-compile", JUDGE_COMPILE.0),
];

/// In the same order.
static READ: [Shipped; BUILTIN.len()] = [STRICT, BASE, COMPILE, AGENT, JUDGE, JUDGE_COMPILE];

/// The text of a built-in policy.
pub fn builtin(name: &str) -> Option<&'static str> {
    position(name).map(|at| BUILTIN[at].1)
}

/// A built-in policy as [`Table::parse`] reads it, without parsing; it is
/// called like its file.
pub(super) fn read(name: &str) -> Option<(Source<'static>, Table<'static>)> {
    let (text, items, starts) = READ[position(name)?];
    let source = Source::indexed(format!("{name}.toml"), text, starts);
    Some((source, table(text, items)))
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
    use super::*;

    #[test]
    fn what_was_read_when_this_was_compiled_is_what_the_parser_reads() {
        for (name, text) in BUILTIN {
            let (source, document) = read(name).unwrap();
            assert_eq!(document, Table::parse(text).unwrap(), "{name}");
            let known = Source::new(format!("{name}.toml"), text);
            assert_eq!((&source.name, source.text), (&known.name, known.text));
            for offset in 0..=text.len() {
                assert_eq!(source.line(offset), known.line(offset), "{name} {offset}");
            }
        }
    }
}
