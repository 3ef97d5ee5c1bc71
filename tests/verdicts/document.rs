//! The table as a document, for people: it must be what the tests hold.
//! It must not write the document unless it is asked to.

use crate::table;
use std::path::Path;

const HEAD: &str = "\
# What is said of which program

Every program of this table is run by `cargo test --test verdicts` under `strict`, with these
options or these lines added to the policy, and its record must say this and nothing else. The
words are those of the record (see the README); `any` stands where two things happen at once
and either may be first, which the verdict does not depend on.
";

const COLUMNS: &str = "\
| the program | under | verdict | exit code | `exit` | `killed_by` | `limits_hit` |
|---|---|---|---|---|---|---|
";

fn text() -> String {
    let mut text = String::from(HEAD);
    for (subject, cases) in table::by_subject() {
        text.push_str(&format!("\n## {subject}\n\n{COLUMNS}"));
        text.extend(cases.iter().map(crate::case::Case::row));
    }
    text
}

fn place() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verdicts.md")
}

#[test]
fn the_document_is_the_table() {
    // Some rows are of one architecture.
    if cfg!(not(target_arch = "x86_64")) {
        return crate::support::skip("x86_64", "is what the document is of");
    }
    let written = std::fs::read_to_string(place()).unwrap();
    assert!(
        written == text(),
        "docs/verdicts.md is old: `cargo test --test verdicts -- --ignored write_the_document`"
    );
}

#[test]
#[ignore = "writes docs/verdicts.md"]
fn write_the_document() {
    std::fs::write(place(), text()).unwrap();
}
