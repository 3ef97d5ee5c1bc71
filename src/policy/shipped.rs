//! Reads the shipped policies when this is compiled: parsing them with every launch
//! was a quarter of what it did before the clone.
//!
//! It is no reader of TOML for anybody else: it knows what the shipped files use, and
//! whatever else they might use one day does not compile. A test holds what it makes
//! against what the parser makes.

use super::error::Source;
use super::table::{Array, Key, Shape, Table, Value};
use std::ops::Range;

/// One key with its value, or one item of an array, in the order of the file. Places
/// in the text and no references: those would be relocated with every start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    kind: Kind,
    /// How many tables and arrays it lies in.
    depth: u8,
    /// How many items lie in it, and in those.
    inside: u16,
    /// Where the key stands; empty in an array.
    key: Place,
    /// Where the value stands, or the header of a table.
    value: Place,
}

/// First byte, and the first that is not of it.
type Place = (u16, u16);

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Says what stands between its quotes.
    String,
    /// Says something else, which stands here among what was unescaped.
    Escaped(Place),
    Integer,
    Boolean,
    Array,
    Table,
}

const NOTHING: Item = Item {
    kind: Kind::Table,
    depth: 0,
    inside: 0,
    key: (0, 0),
    value: (0, 0),
};

/// How many items a text has.
pub(super) const fn count(text: &str) -> usize {
    read::<0>(text).count
}

/// Every item of a text.
pub(super) const fn items<const N: usize>(text: &str) -> [Item; N] {
    let found = read(text);
    assert!(found.count == N);
    let mut items = found.items;
    let mut item = 0;
    while item < N {
        let mut end = item + 1;
        while end < N && items[end].depth > items[item].depth {
            end += 1;
        }
        items[item].inside = (end - item - 1) as u16;
        item += 1;
    }
    items
}

/// How many bytes the strings with escapes say.
pub(super) const fn escaped(text: &str) -> usize {
    read::<0>(text).unescaped
}

/// What the strings with escapes say, one after another.
pub(super) const fn unescaped<const N: usize>(text: &str, items: &[Item]) -> [u8; N] {
    let text = text.as_bytes();
    let mut said = [0; N];
    let (mut item, mut end) = (0, 0);
    while item < items.len() {
        if let Kind::Escaped(_) = items[item].kind {
            let mut at = items[item].value.0 as usize + 1;
            while at + 1 < items[item].value.1 as usize {
                said[end] = match text[at] {
                    b'\\' => {
                        at += 1;
                        match text[at] {
                            b'n' => b'\n',
                            b't' => b'\t',
                            other => other,
                        }
                    }
                    other => other,
                };
                at += 1;
                end += 1;
            }
        }
        item += 1;
    }
    assert!(end == N);
    said
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
const fn read<const N: usize>(text: &str) -> Found<N> {
    assert!(text.len() < u16::MAX as usize);
    let text = text.as_bytes();
    let mut found = Found {
        items: [NOTHING; N],
        count: 0,
        unescaped: 0,
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
    found
}

struct Found<const N: usize> {
    items: [Item; N],
    count: usize,
    /// Bytes that the strings with escapes say.
    unescaped: usize,
}

impl<const N: usize> Found<N> {
    const fn add(&mut self, kind: Kind, depth: u8, key: Place, value: Place) {
        if self.count < N {
            self.items[self.count] = Item {
                kind,
                depth,
                inside: 0,
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
        b'"' => {
            let end = string(text, start);
            let escapes = escapes(text, start, end);
            if escapes == 0 {
                (Kind::String, end)
            } else {
                let first = found.unescaped;
                found.unescaped += end - start - 2 - escapes;
                let place = (first as u16, found.unescaped as u16);
                (Kind::Escaped(place), end)
            }
        }
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
        b'"' => {
            let end = string(text, start);
            assert!(escapes(text, start, end) == 0);
            end
        }
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

/// How many escapes stand in a string.
const fn escapes(text: &[u8], start: usize, end: usize) -> usize {
    let (mut escapes, mut at) = (0, start);
    while at < end {
        if text[at] == b'\\' {
            escapes += 1;
            at += 1;
        }
        at += 1;
    }
    escapes
}

/// A string in double quotes, with no escape but those of [`unescaped`]; where it ends.
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

/// A text, and what was read of it.
#[derive(Debug)]
pub(super) struct File {
    /// The name and the text.
    pub name: &'static str,
    pub text: &'static str,
    /// What is in it.
    pub items: &'static [Item],
    /// What its strings with escapes say.
    pub unescaped: &'static str,
    /// Where its lines begin.
    pub starts: &'static [usize],
}

impl File {
    /// What turns offsets into places.
    pub fn source(&self) -> Source<'static> {
        Source::indexed(self.name, self.text, self.starts)
    }

    /// All of it as a table.
    pub fn table(&'static self) -> Table<'static> {
        let items = self.items;
        Table::Shipped(Items { file: self, items })
    }
}

/// What lies in one table or array: nothing is made of it before it is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Items {
    file: &'static File,
    items: &'static [Item],
}

impl Items {
    /// How many items there are, with those that lie in others.
    pub fn room(self) -> usize {
        self.items.len()
    }

    /// Takes the first as an entry of a table.
    pub fn entry<'t>(&mut self) -> Option<(Key<'t>, Value<'t>)> {
        let at = range(self.items.first()?.key);
        let name = self.file.text.get(at.clone()).unwrap_or_default();
        let name = match name.strip_prefix('"') {
            Some(quoted) => quoted.strip_suffix('"').unwrap_or_default(),
            None => name,
        };
        Some((Key { name, at }, self.value()?))
    }

    /// Takes the first as an item of an array.
    pub fn value<'t>(&mut self) -> Option<Value<'t>> {
        let Items { file, items } = *self;
        let (item, after) = items.split_first()?;
        let (inside, after) = after.split_at_checked(item.inside.into())?;
        let at = range(item.value);
        let written = file.text.get(at.clone()).unwrap_or_default();
        let own = Items {
            file,
            items: inside,
        };
        self.items = after;
        let shape = match item.kind {
            Kind::String => {
                let said = written.get(1..written.len().saturating_sub(1));
                Shape::String(said.unwrap_or_default())
            }
            Kind::Escaped(place) => {
                Shape::String(file.unescaped.get(range(place)).unwrap_or_default())
            }
            Kind::Integer => Shape::Integer(written, 10),
            Kind::Boolean => Shape::Boolean(written == "true"),
            Kind::Table => Shape::Table(Table::Shipped(own)),
            Kind::Array => Shape::Array(Array::Shipped(own)),
        };
        Some(Value { shape, at })
    }
}

fn range((first, end): Place) -> Range<usize> {
    first.into()..end.into()
}
