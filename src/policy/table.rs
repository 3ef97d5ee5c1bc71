//! Reads typed values out of a parsed TOML document, each mistake with its place.
//!
//! It knows types and spelling only; what a key means is not decided here.

use super::error::{Error, Source, quote};
use super::shipped::Items;
use super::suggest::nearest;
use std::borrow::Cow;
use std::ops::Range;
use std::slice;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table as written, in the order of the file, so that the first mistake of the
/// file is the one that is reported.
#[derive(Debug, Clone, Copy)]
pub(super) enum Table<'t> {
    /// Of a text that was parsed now.
    Parsed(&'t Document<'t>),
    /// Of one that was read when this was compiled.
    Shipped(Items),
}

/// The items of an array, likewise.
#[derive(Debug, Clone, Copy)]
pub(super) enum Array<'t> {
    Parsed(&'t [Node<'t>]),
    Shipped(Items),
}

/// A value as written, with its place.
#[derive(Debug, Clone)]
pub(super) struct Value<'t> {
    /// What it is.
    pub shape: Shape<'t>,
    /// Where it stands; of a dotted table, where its key does.
    pub at: Range<usize>,
}

/// The kinds of values, numbers as they were written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape<'t> {
    String(&'t str),
    /// Digits with their sign, and their base.
    Integer(&'t str, u32),
    Float(&'t str),
    Boolean(bool),
    Datetime,
    Array(Array<'t>),
    Table(Table<'t>),
}

/// A key as written, with its place.
#[derive(Debug, Clone)]
pub(super) struct Key<'t> {
    /// The key, unescaped.
    pub name: &'t str,
    /// Where it stands.
    pub at: Range<usize>,
}

/// The entries of a table in the order of the file.
pub(super) fn entries<'t>(table: Table<'t>) -> Entries<'t> {
    match table {
        Table::Parsed(document) => Entries::Parsed(document.0.iter()),
        Table::Shipped(items) => Entries::Shipped(items),
    }
}

#[derive(Debug, Clone)]
pub(super) enum Entries<'t> {
    Parsed(slice::Iter<'t, (Name<'t>, Node<'t>)>),
    Shipped(Items),
}

impl<'t> Iterator for Entries<'t> {
    type Item = (Key<'t>, Value<'t>);

    fn next(&mut self) -> Option<(Key<'t>, Value<'t>)> {
        match self {
            Entries::Parsed(entries) => {
                let ((name, at), node) = entries.next()?;
                let at = at.clone();
                Some((Key { name, at }, node.value()))
            }
            Entries::Shipped(items) => items.entry(),
        }
    }
}

impl<'t> Array<'t> {
    /// How many items it has; with arrays in it perhaps more.
    fn room(self) -> usize {
        match self {
            Array::Parsed(nodes) => nodes.len(),
            Array::Shipped(items) => items.room(),
        }
    }

    /// Its items in the order of the file.
    pub fn items(self) -> impl Iterator<Item = Value<'t>> {
        let (mut parsed, mut shipped) = match self {
            Array::Parsed(nodes) => (nodes.iter(), None),
            Array::Shipped(items) => ([].iter(), Some(items)),
        };
        std::iter::from_fn(move || match &mut shipped {
            Some(items) => items.value(),
            None => parsed.next().map(Node::value),
        })
    }
}

/// What was parsed: the entries of a table.
#[derive(Debug)]
pub(super) struct Document<'t>(Vec<(Name<'t>, Node<'t>)>);

/// A key as written: unescaped, and its place.
type Name<'t> = (Cow<'t, str>, Range<usize>);

/// A value that was parsed, with its place.
#[derive(Debug)]
pub(super) struct Node<'t> {
    kind: Kind<'t>,
    at: Range<usize>,
}

#[derive(Debug)]
enum Kind<'t> {
    String(Cow<'t, str>),
    Integer(String, u32),
    Float(String),
    Boolean(bool),
    Datetime,
    Array(Vec<Node<'t>>),
    Table(Document<'t>),
}

impl<'t> Document<'t> {
    /// From a text of any author.
    pub fn parse(text: &'t str) -> Result<Document<'t>, toml::de::Error> {
        DeTable::parse(text).map(|document| Document::from(document.into_inner()))
    }
}

impl<'t> From<DeTable<'t>> for Document<'t> {
    fn from(table: DeTable<'t>) -> Document<'t> {
        let entries = table.into_iter().map(|(key, value)| {
            let at = key.span();
            ((key.into_inner(), at), Node::from(value))
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|((_, at), _)| at.start);
        Document(entries)
    }
}

impl<'t> From<Spanned<DeValue<'t>>> for Node<'t> {
    fn from(value: Spanned<DeValue<'t>>) -> Node<'t> {
        let at = value.span();
        let kind = match value.into_inner() {
            DeValue::String(text) => Kind::String(text),
            DeValue::Integer(number) => Kind::Integer(number.as_str().to_owned(), number.radix()),
            DeValue::Float(number) => Kind::Float(number.as_str().to_owned()),
            DeValue::Boolean(yes) => Kind::Boolean(yes),
            DeValue::Datetime(_) => Kind::Datetime,
            DeValue::Array(items) => Kind::Array(items.into_iter().map(Node::from).collect()),
            DeValue::Table(table) => Kind::Table(Document::from(table)),
        };
        Node { kind, at }
    }
}

impl<'t> Node<'t> {
    fn value(&'t self) -> Value<'t> {
        let shape = match &self.kind {
            Kind::String(text) => Shape::String(text),
            Kind::Integer(text, radix) => Shape::Integer(text, *radix),
            Kind::Float(text) => Shape::Float(text),
            Kind::Boolean(yes) => Shape::Boolean(*yes),
            Kind::Datetime => Shape::Datetime,
            Kind::Array(items) => Shape::Array(Array::Parsed(items)),
            Kind::Table(table) => Shape::Table(Table::Parsed(table)),
        };
        let at = self.at.clone();
        Value { shape, at }
    }
}

impl Source<'_> {
    /// A string.
    pub fn string<'t>(&self, key: &Key, value: &Value<'t>) -> Result<&'t str, Error> {
        match value.shape {
            Shape::String(text) => Ok(text),
            _ => Err(self.mistyped(key, value, "a string")),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &Key, value: &Value) -> Result<bool, Error> {
        match value.shape {
            Shape::Boolean(yes) => Ok(yes),
            _ => Err(self.mistyped(key, value, "true or false")),
        }
    }

    /// A whole number that is not negative.
    pub fn count(&self, key: &Key, value: &Value) -> Result<u64, Error> {
        let Shape::Integer(text, radix) = value.shape else {
            return Err(self.mistyped(key, value, "a whole number"));
        };
        if text.starts_with('-') {
            return Err(self.error(
                value.at.clone(),
                format!("{} must not be negative", quote(key.name)),
            ));
        }
        u64::from_str_radix(text, radix)
            .ok()
            .filter(|number| i64::try_from(*number).is_ok())
            .ok_or_else(|| {
                let message = format!("{} is more than 2^63 - 1", quote(key.name));
                self.error(value.at.clone(), message)
            })
    }

    /// A table, `[header]` or `{ inline }`.
    pub fn table<'t>(&self, key: &Key, value: &Value<'t>) -> Result<Table<'t>, Error> {
        match value.shape {
            Shape::Table(table) => Ok(table),
            _ => Err(self.mistyped(key, value, "a table")),
        }
    }

    /// An array of strings, each with its place.
    pub fn strings<'t>(
        &self,
        key: &Key,
        value: &Value<'t>,
    ) -> Result<Vec<(&'t str, Range<usize>)>, Error> {
        let Shape::Array(array) = value.shape else {
            return Err(self.mistyped(key, value, "an array of strings"));
        };
        let mut strings = Vec::with_capacity(array.room());
        for item in array.items() {
            let Shape::String(text) = item.shape else {
                return Err(self.mistyped(key, &item, "an array of strings"));
            };
            strings.push((text, item.at));
        }
        Ok(strings)
    }

    /// A value of another type than the key takes.
    pub fn mistyped(&self, key: &Key, value: &Value, wanted: &str) -> Error {
        let found = match &value.shape {
            Shape::String(_) => "a string",
            Shape::Integer(..) => "an integer",
            Shape::Float(_) => "a float",
            Shape::Boolean(_) => "a boolean",
            Shape::Datetime => "a date",
            Shape::Array(_) => "an array",
            Shape::Table(_) => "a table",
        };
        let message = format!("{} must be {wanted}, not {found}", quote(key.name));
        // The place of a dotted table is its key's.
        self.error(value.at.clone(), message)
    }

    /// A key that this table does not have.
    pub fn unknown(&self, key: &Key, known: &[&str]) -> Error {
        self.unknown_word(&key.at, "key", key.name, known)
    }

    /// A word that is none of the known ones: with the nearest, or all of them.
    pub fn unknown_word(&self, at: &Range<usize>, what: &str, word: &str, known: &[&str]) -> Error {
        let word_quoted = quote(word);
        match nearest(word, known) {
            Some(meant) => self.error(
                at.clone(),
                format!("unknown {what} {word_quoted}; did you mean `{meant}`?"),
            ),
            None => {
                let list: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
                self.error(at.clone(), format!("unknown {what} {word_quoted}"))
                    .hint(format!("known here: {}", list.join(", ")))
            }
        }
    }
}
