//! What became of each file that was copied in or out, in the record and for the library.
//! It must not put a file's content into the record.

use crate::escape;
use crate::transfer::{Copied, Direction, Error};
use serde::{Serialize, Serializer};
use std::path::PathBuf;

/// One copy, as it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOutcome {
    /// In or out.
    pub direction: Direction,
    /// The path inside, as it was asked for.
    pub inside: PathBuf,
    /// What was copied; after an error, before it.
    pub copied: Copied,
    /// Why it was not, or not wholly.
    pub error: Option<Error>,
    /// The content, where it was asked for in memory and there was any. Not in the JSON
    /// record.
    pub content: Option<Vec<u8>>,
}

impl FileOutcome {
    /// One stable word: `copied`, `truncated` (a file was cut), `absent` (optional, and not
    /// there), or what the trouble was ([`Error::kind`]).
    pub fn kind(&self) -> &'static str {
        match &self.error {
            Some(error) => error.kind(),
            None if !self.copied.found => "absent",
            None if self.copied.truncated > 0 => "truncated",
            None => "copied",
        }
    }

    fn way(&self) -> &'static str {
        match self.direction {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }

    /// One line for a person.
    pub(super) fn text(&self) -> String {
        let (way, inside) = (self.way(), escape::tick(&self.inside));
        let Copied { bytes, files, .. } = self.copied;
        format!(
            "copied {way}: {inside}, {bytes} bytes in {files} files: {}",
            self.kind()
        )
    }
}

impl Serialize for FileOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            direction: &'a str,
            inside: String,
            kind: &'a str,
            bytes: u64,
            files: u64,
            truncated: u64,
            skipped: u64,
            changed: bool,
            error: Option<String>,
        }
        let copied = &self.copied;
        Row {
            direction: self.way(),
            inside: escape::plain(&self.inside),
            kind: self.kind(),
            bytes: copied.bytes,
            files: copied.files,
            truncated: copied.truncated,
            skipped: copied.skipped,
            changed: copied.changed,
            error: self.error.as_ref().map(ToString::to_string),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::{Problem, Side, Stage};

    fn outcome() -> FileOutcome {
        FileOutcome {
            direction: Direction::Out,
            inside: PathBuf::from("/tmp/a\u{1b}"),
            copied: Copied {
                bytes: 3,
                files: 1,
                ..Copied::default()
            },
            error: None,
            content: Some(b"abc".to_vec()),
        }
    }

    #[test]
    fn the_content_stays_out_of_the_record() {
        let json = serde_json::to_string(&outcome()).unwrap();
        assert_eq!(
            json,
            r#"{"direction":"out","inside":"/tmp/a\\x1b","kind":"copied","bytes":3,"files":1,"truncated":0,"skipped":0,"changed":false,"error":null}"#
        );
        let line = "copied out: `/tmp/a\\x1b`, 3 bytes in 1 files: copied";
        assert_eq!(outcome().text(), line);
    }

    #[test]
    fn each_way_to_go_has_its_word() {
        let mut outcome = outcome();
        outcome.copied.truncated = 1;
        assert_eq!(outcome.kind(), "truncated");
        outcome.copied.found = false;
        assert_eq!(outcome.kind(), "absent");
        outcome.error = Some(Error {
            direction: Direction::Out,
            stage: Stage::Open,
            asked: "/tmp/a".into(),
            side: Side::Inside,
            path: "/tmp/a".into(),
            problem: Problem::Missing,
        });
        assert_eq!(outcome.kind(), "missing");
        let value = serde_json::to_value(&outcome).unwrap();
        assert_eq!(
            value["error"],
            "cannot copy `/tmp/a` out: it does not exist"
        );
    }
}
