//! Reads typed values out of a parsed TOML document, each mistake with its place.
//!
//! It knows types and spelling only; what a key means is not decided here.

use super::error::{Error, Source, quote};
use super::suggest::nearest;
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table as written, in the order of the file, so that the first mistake of the
/// file is the one that is reported.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table<'t>(Vec<(Name<'t>, Value<'t>)>);

/// A key as written: unescaped, and its place.
pub(super) type Name<'t> = (Cow<'t, str>, Range<usize>);

/// A value as written, with its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value<'t> {
    /// What it is.
    pub shape: Shape<'t>,
    /// Where it stands; of a dotted table, where its key does.
    pub at: Range<usize>,
}

/// The kinds of values, numbers as they were written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape<'t> {
    String(Cow<'t, str>),
    /// Digits with their sign, and their base.
    Integer(Cow<'t, str>, u32),
    Float(Cow<'t, str>),
    Boolean(bool),
    Datetime,
    Array(Vec<Value<'t>>),
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
pub(super) fn entries<'t>(
    table: &'t Table<'t>,
) -> impl Iterator<Item = (Key<'t>, &'t Value<'t>)> + Clone {
    table.0.iter().map(|((name, at), value)| {
        let at = at.clone();
        (Key { name, at }, value)
    })
}

impl<'t> Table<'t> {
    /// Of entries in the order of the file.
    pub fn new(entries: Vec<(Name<'t>, Value<'t>)>) -> Table<'t> {
        Table(entries)
    }

    /// From a text of any author.
    pub fn parse(text: &'t str) -> Result<Table<'t>, toml::de::Error> {
        DeTable::parse(text).map(|document| Table::from(document.into_inner()))
    }
}

impl<'t> From<DeTable<'t>> for Table<'t> {
    fn from(table: DeTable<'t>) -> Table<'t> {
        let entries = table.into_iter().map(|(key, value)| {
            let at = key.span();
            ((key.into_inner(), at), Value::from(value))
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|((_, at), _)| at.start);
        Table(entries)
    }
}

impl<'t> From<Spanned<DeValue<'t>>> for Value<'t> {
    fn from(value: Spanned<DeValue<'t>>) -> Value<'t> {
        let at = value.span();
        let shape = match value.into_inner() {
            DeValue::String(text) => Shape::String(text),
            DeValue::Integer(number) => {
                Shape::Integer(number.as_str().to_owned().into(), number.radix())
            }
            DeValue::Float(number) => Shape::Float(number.as_str().to_owned().into()),
            DeValue::Boolean(yes) => Shape::Boolean(yes),
            DeValue::Datetime(_) => Shape::Datetime,
            DeValue::Array(items) => Shape::Array(items.into_iter().map(Value::from).collect()),
            DeValue::Table(table) => Shape::Table(Table::from(table)),
        };
        Value { shape, at }
    }
}

impl Source<'_> {
    /// A string.
    pub fn string<'t>(&self, key: &Key, value: &'t Value) -> Result<&'t str, Error> {
        match &value.shape {
            Shape::String(text) => Ok(text),
            _ => Err(self.mistyped(key, value, "a string")),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &Key, value: &Value) -> Result<bool, Error> {
        match &value.shape {
            Shape::Boolean(yes) => Ok(*yes),
            _ => Err(self.mistyped(key, value, "true or false")),
        }
    }

    /// A whole number that is not negative.
    pub fn count(&self, key: &Key, value: &Value) -> Result<u64, Error> {
        let Shape::Integer(text, radix) = &value.shape else {
            return Err(self.mistyped(key, value, "a whole number"));
        };
        if text.starts_with('-') {
            return Err(self.error(
                value.at.clone(),
                format!("{} must not be negative", quote(key.name)),
            ));
        }
        u64::from_str_radix(text, *radix)
            .ok()
            .filter(|number| i64::try_from(*number).is_ok())
            .ok_or_else(|| {
                let message = format!("{} is more than 2^63 - 1", quote(key.name));
                self.error(value.at.clone(), message)
            })
    }

    /// A table, `[header]` or `{ inline }`.
    pub fn table<'t>(&self, key: &Key, value: &'t Value<'t>) -> Result<&'t Table<'t>, Error> {
        match &value.shape {
            Shape::Table(table) => Ok(table),
            _ => Err(self.mistyped(key, value, "a table")),
        }
    }

    /// An array of strings, each with its place.
    pub fn strings<'t>(
        &self,
        key: &Key,
        value: &'t Value<'t>,
    ) -> Result<Vec<(&'t str, Range<usize>)>, Error> {
        let Shape::Array(array) = &value.shape else {
            return Err(self.mistyped(key, value, "an array of strings"));
        };
        array
            .iter()
            .map(|item| match &item.shape {
                Shape::String(text) => Ok((&**text, item.at.clone())),
                _ => Err(self.mistyped(key, item, "an array of strings")),
            })
            .collect()
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
