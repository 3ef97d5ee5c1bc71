//! Reads the shipped policies when this is compiled: parsing them with every launch
//! was a quarter of what it did before the clone.
//!
//! It is no reader of TOML for anybody else: it knows what the shipped files use, and
//! whatever else they might use one day does not compile. A test holds what it makes
//! against what the parser makes.

use super::table::{Shape, Table, Value};
use std::borrow::Cow;
use std::ops::Range;

/// One key with its value, or one item of an array, in the order of the file. Places
/// in the text and no references: those would be relocated with every start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    kind: Kind,
    /// How many tables and arrays it lies in.
    depth: u8,
    /// Where the key stands; empty in an array.
    key: Place,
    /// Where the value stands, or the header of a table.
    value: Place,
}

/// First byte, and the first that is not of it.
type Place = (u16, u16);

#[derive(Debug, Clone, Copy)]
enum Kind {
    String,
    Integer,
    Boolean,
    Array,
    Table,
}

const NOTHING: Item = Item {
    kind: Kind::Table,
    depth: 0,
    key: (0, 0),
    value: (0, 0),
};

/// How many items a text has.
pub(super) const fn count(text: &str) -> usize {
    read::<0>(text).1
}

/// Every item of a text.
pub(super) const fn items<const N: usize>(text: &str) -> [Item; N] {
    let (items, count) = read(text);
    assert!(count == N);
    items
}

/// How many lines a text has, an empty last one counted.
pub(super) const fn lines(text: &str) -> usize {
    let (mut lines, mut at) = (1, 0);
    while at < text.len() {
        lines += (text.as_bytes()[at] == b'\n') as usize;
        at += 1;
    }
    lines
}

/// Where each line begins.
pub(super) const fn line_starts<const N: usize>(text: &str) -> [usize; N] {
    let mut starts = [0; N];
    let (mut line, mut at) = (0, 0);
    while at < text.len() {
        at += 1;
        if text.as_bytes()[at - 1] == b'\n' {
            line += 1;
            starts[line] = at;
        }
    }
    starts
}

/// The first `N` items, and how many there are.
const fn read<const N: usize>(text: &str) -> ([Item; N], usize) {
    assert!(text.len() < u16::MAX as usize);
    let text = text.as_bytes();
    let mut found = Found {
        items: [NOTHING; N],
        count: 0,
    };
    // The header that keys stand under, and how deep that makes them.
    let (mut header, mut depth): (&[u8], u8) = (b"", 0);
    let mut at = blank(text, 0, true);
    while at < text.len() {
        if text[at] == b'[' {
            let start = at as u16;
            let (mut first, mut deep) = (at + 1, 0);
            at = key(text, first);
            let name = text.split_at(at).0.split_at(first).1;
            if text[at] == b'.' {
                if !same(name, header) {
                    let place = (first as u16, at as u16);
                    found.add(Kind::Table, 0, place, place);
                }
                (first, deep) = (at + 1, 1);
                at = key(text, first);
            }
            header = name;
            assert!(text[at] == b']');
            let place = (start, at as u16 + 1);
            found.add(Kind::Table, deep, (first as u16, at as u16), place);
            depth = deep + 1;
            at += 1;
        } else {
            at = pair(text, at, depth, &mut found);
        }
        at = blank(text, at, false);
        assert!(at == text.len() || text[at] == b'\n', "one thing on a line");
        at = blank(text, at, true);
    }
    (found.items, found.count)
}

struct Found<const N: usize> {
    items: [Item; N],
    count: usize,
}

impl<const N: usize> Found<N> {
    const fn add(&mut self, kind: Kind, depth: u8, key: Place, value: Place) {
        if self.count < N {
            self.items[self.count] = Item {
                kind,
                depth,
                key,
                value,
            };
        }
        self.count += 1;
    }

    /// Says where a table or array ends, once that is known.
    const fn close(&mut self, item: usize, end: usize) {
        if item < N {
            self.items[item].value.1 = end as u16;
        }
    }
}

/// `key = value`; where it ends.
const fn pair<const N: usize>(text: &[u8], start: usize, depth: u8, found: &mut Found<N>) -> usize {
    let end = key(text, start);
    let equals = blank(text, end, false);
    assert!(text[equals] == b'=');
    let place = (start as u16, end as u16);
    value(text, blank(text, equals + 1, false), depth, place, found)
}

/// A value; where it ends.
const fn value<const N: usize>(
    text: &[u8],
    start: usize,
    depth: u8,
    key: Place,
    found: &mut Found<N>,
) -> usize {
    let own = found.count;
    let (kind, end) = match text[start] {
        b'"' => (Kind::String, string(text, start)),
        b't' | b'f' => (Kind::Boolean, word(text, start)),
        b'1'..=b'9' => (Kind::Integer, word(text, start)),
        b'[' => {
            found.add(Kind::Array, depth, key, (start as u16, 0));
            let mut at = blank(text, start + 1, true);
            while text[at] != b']' {
                at = value(text, at, depth + 1, (0, 0), found);
                at = comma(text, at, b']');
            }
            found.close(own, at + 1);
            return at + 1;
        }
        b'{' => {
            found.add(Kind::Table, depth, key, (start as u16, 0));
            let mut at = blank(text, start + 1, true);
            while text[at] != b'}' {
                at = pair(text, at, depth + 1, found);
                at = comma(text, at, b'}');
            }
            found.close(own, at + 1);
            return at + 1;
        }
        _ => panic!("a value that the shipped policies have not had so far"),
    };
    found.add(kind, depth, key, (start as u16, end as u16));
    end
}

/// After a comma, or at the closing bracket.
const fn comma(text: &[u8], at: usize, close: u8) -> usize {
    let at = blank(text, at, true);
    match text[at] {
        b',' => blank(text, at + 1, true),
        other => {
            assert!(other == close);
            at
        }
    }
}

/// A key, bare or quoted; where it ends.
const fn key(text: &[u8], start: usize) -> usize {
    match text[start] {
        b'"' => string(text, start),
        _ => word(text, start),
    }
}

/// Letters, digits, `-` and `_`; where they end.
const fn word(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < text.len() && (text[at].is_ascii_alphanumeric() || matches!(text[at], b'-' | b'_')) {
        at += 1;
    }
    assert!(at > start);
    at
}

/// A string in double quotes, with no escape but those of [`unescape`]; where it ends.
const fn string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while text[at] != b'"' {
        assert!(text[at] >= b' ' && text[at] != 0x7f);
        if text[at] == b'\\' {
            at += 1;
            assert!(matches!(text[at], b'n' | b't' | b'"' | b'\\'));
        }
        at += 1;
    }
    assert!(
        at > start + 1 || text[at + 1] != b'"',
        "three quotes are another string"
    );
    at + 1
}

/// Behind blanks, and behind ends of lines where `lines`; comments are passed as well.
const fn blank(text: &[u8], mut at: usize, lines: bool) -> usize {
    while at < text.len() {
        match text[at] {
            b' ' | b'\t' => at += 1,
            b'\n' if lines => at += 1,
            b'#' => {
                while at < text.len() && text[at] != b'\n' {
                    at += 1;
                }
            }
            _ => break,
        }
    }
    at
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}

/// The items as a table.
pub(super) fn table(text: &'static str, items: &[Item]) -> Table<'static> {
    Table::new(entries(text, &mut &*items, 0))
}

type Entry = ((Cow<'static, str>, Range<usize>), Value<'static>);

/// Takes the items that lie at this depth, and what lies in them.
fn entries(text: &'static str, items: &mut &[Item], depth: u8) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(members(items, depth));
    while let Some((item, after)) = items.split_first().filter(|(item, _)| item.depth == depth) {
        *items = after;
        let at = range(item.key);
        let name = text.get(at.clone()).unwrap_or_default();
        let name = match name.starts_with('"') {
            true => unquoted(name),
            false => Cow::Borrowed(name),
        };
        entries.push(((name, at), value_of(text, *item, items)));
    }
    entries
}

fn value_of(text: &'static str, item: Item, items: &mut &[Item]) -> Value<'static> {
    let at = range(item.value);
    let written = text.get(at.clone()).unwrap_or_default();
    let shape = match item.kind {
        Kind::String => Shape::String(unquoted(written)),
        Kind::Integer => Shape::Integer(Cow::Borrowed(written), 10),
        Kind::Boolean => Shape::Boolean(written == "true"),
        Kind::Table => Shape::Table(Table::new(entries(text, items, item.depth + 1))),
        Kind::Array => {
            let inner = item.depth + 1;
            let mut array = Vec::with_capacity(members(items, inner));
            while let Some((item, after)) = items.split_first().filter(|(i, _)| i.depth == inner) {
                *items = after;
                array.push(value_of(text, *item, items));
            }
            Shape::Array(array)
        }
    };
    Value { shape, at }
}

/// How many items lie at this depth, up to the first that lies above it.
fn members(items: &[Item], depth: u8) -> usize {
    let inside = items.iter().take_while(|item| item.depth >= depth);
    inside.filter(|item| item.depth == depth).count()
}

fn range((first, end): Place) -> Range<usize> {
    first.into()..end.into()
}

/// What a string in double quotes says.
fn unquoted(written: &'static str) -> Cow<'static, str> {
    let inner = written.get(1..written.len().saturating_sub(1));
    let inner = inner.unwrap_or_default();
    match inner.contains('\\') {
        true => Cow::Owned(unescape(inner)),
        false => Cow::Borrowed(inner),
    }
}

fn unescape(inner: &str) -> String {
    let mut chars = inner.chars();
    let mut plain = String::with_capacity(inner.len());
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                other => other.unwrap_or(c),
            },
            c => c,
        });
    }
    plain
}
