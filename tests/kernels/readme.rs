//! The README's table of kernels is the one that the command writes: every row, every kernel, as expected.
//! It must not say what is in force; `tests/kernels/expected` does, and the command holds it against the kernels.

use crate::layers::names;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const KERNELS: [&str; 4] = ["5.10", "6.1", "6.12", "newest"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of the table in the section "Kernels", its rule of dashes left out.
fn table() -> Vec<Vec<String>> {
    let readme = read("README.md");
    let (_, section) = readme.split_once("\n## Kernels\n").expect("a section");
    let section = section.split("\n## ").next().unwrap();
    let cells = |line: &str| -> Option<Vec<String>> {
        let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(inner.split(" | ").map(str::to_owned).collect())
    };
    section.lines().filter_map(cells).collect()
}

/// `row NAME: STATE`, in order.
fn expected(kernel: &str) -> Vec<(String, String)> {
    let text = read(&format!("tests/kernels/expected/{kernel}"));
    let row = |line: &str| {
        let (name, state) = line.strip_prefix("row ")?.rsplit_once(": ")?;
        Some((name.to_owned(), state.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn every_row_is_expected_of_every_kernel() {
    for kernel in KERNELS {
        let rows = expected(kernel);
        let named: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(named, names(), "{kernel}");
        for (name, state) in &rows {
            let known = ["in force", "weakened", "refused"];
            assert!(known.contains(&state.as_str()), "{kernel}: {name}: {state}");
        }
    }
}

#[test]
fn the_table_is_whole_and_as_expected() {
    let table = table();
    let (head, rows) = table.split_first().expect("a table");
    assert_eq!(head.len(), 1 + KERNELS.len(), "{head:?}");
    for (kernel, title) in KERNELS.iter().zip(&head[1..]).take(3) {
        assert!(title.starts_with(&format!("{kernel}.")), "{title}");
    }
    let expected = KERNELS.map(|kernel| BTreeMap::from_iter(expected(kernel)));
    let (last, rows) = rows.split_last().expect("rows");
    assert_eq!(last[0], "tests passed");
    for passed in &last[1..] {
        assert!(
            passed.parse::<u32>().is_ok_and(|number| number > 0),
            "{passed}"
        );
    }
    let named: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(named, names());
    for row in rows {
        assert_eq!(row.len(), head.len(), "{row:?}");
        for (cell, expected) in row[1..].iter().zip(&expected) {
            let state = cell.split(" (").next().unwrap();
            assert_eq!(state, expected[&row[0]], "{}: {cell}", row[0]);
        }
    }
}
