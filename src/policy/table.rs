//! Reads typed values out of a parsed TOML document, each mistake with its place.
//!
//! It knows types and spelling only; what a key means is not decided here.

use super::error::{Error, Source, quote};
use super::suggest::nearest;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key as written, with its place.
#[derive(Debug, Clone)]
pub(super) struct Key<'t> {
    /// The key, unescaped.
    pub name: &'t str,
    /// Where it stands.
    pub at: Range<usize>,
}

/// A value as written, with its place.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// The entries of a table in the order of the file, so that the first mistake
/// of the file is the one that is reported.
pub(super) fn entries<'t>(table: &'t DeTable<'t>) -> Vec<(Key<'t>, &'t Value<'t>)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let name: &str = key.get_ref();
            let at = key.span();
            (Key { name, at }, value)
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.at.start);
    entries
}

impl Source<'_> {
    /// A string.
    pub fn string<'t>(&self, key: &Key, value: &'t Value) -> Result<&'t str, Error> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.mistyped(key, value, "a string")),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &Key, value: &Value) -> Result<bool, Error> {
        match value.get_ref() {
            DeValue::Boolean(yes) => Ok(*yes),
            _ => Err(self.mistyped(key, value, "true or false")),
        }
    }

    /// A whole number that is not negative.
    pub fn count(&self, key: &Key, value: &Value) -> Result<u64, Error> {
        let DeValue::Integer(number) = value.get_ref() else {
            return Err(self.mistyped(key, value, "a whole number"));
        };
        let text = number.as_str();
        if text.starts_with('-') {
            return Err(self.error(
                value.span(),
                format!("{} must not be negative", quote(key.name)),
            ));
        }
        u64::from_str_radix(text, number.radix())
            .ok()
            .filter(|number| i64::try_from(*number).is_ok())
            .ok_or_else(|| {
                let message = format!("{} is more than 2^63 - 1", quote(key.name));
                self.error(value.span(), message)
            })
    }

    /// A table, `[header]` or `{ inline }`.
    pub fn table<'t>(&self, key: &Key, value: &'t Value<'t>) -> Result<&'t DeTable<'t>, Error> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.mistyped(key, value, "a table")),
        }
    }

    /// An array of strings, each with its place.
    pub fn strings<'t>(
        &self,
        key: &Key,
        value: &'t Value<'t>,
    ) -> Result<Vec<(&'t str, Range<usize>)>, Error> {
        let DeValue::Array(array) = value.get_ref() else {
            return Err(self.mistyped(key, value, "an array of strings"));
        };
        array
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => Ok((&**text, item.span())),
                _ => Err(self.mistyped(key, item, "an array of strings")),
            })
            .collect()
    }

    /// A value of another type than the key takes.
    pub fn mistyped(&self, key: &Key, value: &Value, wanted: &str) -> Error {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        let message = format!("{} must be {wanted}, not {found}", quote(key.name));
        // The place of a dotted table is its key's.
        self.error(value.span(), message)
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
