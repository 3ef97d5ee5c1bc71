//! Which tests a batch has: files by pattern or from a list, and what each is called.
//! It must not run a test twice, nor two under one name.

use super::args::Tests;
use super::failure::Failure;
use sandbox::escape::tick;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// One test.
#[derive(Debug, PartialEq, Eq)]
pub struct Test {
    /// The file's name, without `.in`.
    pub name: OsString,
    /// The file.
    pub path: PathBuf,
}

/// The tests in order: patterns as they were given, in each by name, byte by byte; a
/// list as it is written.
pub fn find(asked: &Tests) -> Result<Vec<Test>, Failure> {
    let mut tests = Vec::new();
    for pattern in &asked.input {
        let before = tests.len();
        matching(Path::new(pattern), &mut tests)?;
        if tests.len() == before {
            return Err(Failure::new(format!("no file matches {}", tick(pattern))));
        }
    }
    if let Some(list) = &asked.list {
        let text = fs::read(list)
            .map_err(|error| Failure::io(format!("cannot read {}", tick(list)), &error))?;
        let lines = text.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        tests.extend(lines.map(|line| test(PathBuf::from(OsStr::from_bytes(line)))));
    }
    if tests.is_empty() {
        return Err(Failure::new("no test is named")
            .hint("name files with `--in 'tests/*.in'`, or a list of them with `--list FILE`"));
    }
    let mut names = BTreeSet::new();
    for test in &tests {
        if !names.insert(&test.name) {
            let name = tick(&test.name);
            return Err(Failure::new(format!("two tests are called {name}"))
                .hint("a test is called like its file without `.in`, whatever the directory"));
        }
    }
    Ok(tests)
}

fn test(path: PathBuf) -> Test {
    let file = path.file_name().unwrap_or(path.as_os_str());
    let name = file
        .as_bytes()
        .strip_suffix(b".in")
        .filter(|name| !name.is_empty())
        .map_or(file, OsStr::from_bytes);
    Test {
        name: name.to_owned(),
        path,
    }
}

/// `*` and `?` mean something in the last part of the path only.
fn matching(pattern: &Path, tests: &mut Vec<Test>) -> Result<(), Failure> {
    let last = pattern.file_name().unwrap_or_default().as_bytes();
    if !last.contains(&b'*') && !last.contains(&b'?') {
        tests.push(test(pattern.to_owned()));
        return Ok(());
    }
    let directory = pattern.parent().unwrap_or(Path::new(""));
    let listed = match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    };
    let cannot = || format!("cannot list {}", tick(listed));
    let mut names = Vec::new();
    for entry in fs::read_dir(listed).map_err(|error| Failure::io(cannot(), &error))? {
        let entry = entry.map_err(|error| Failure::io(cannot(), &error))?;
        let name = entry.file_name().into_vec();
        // As in a shell.
        let hidden = name.starts_with(b".") && !last.starts_with(b".");
        if !hidden && fits(last, &name) {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort();
    tests.extend(names.into_iter().map(|name| test(directory.join(name))));
    Ok(())
}

/// Does the name fit the pattern? Linear in each: of several `*` only the last is tried
/// again.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut within) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while within < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, within));
                at += 1;
            }
            Some(b'?') => (at, within) = (at + 1, within + 1),
            Some(byte) if name.get(within) == Some(byte) => (at, within) = (at + 1, within + 1),
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, within) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn a_pattern_fits_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.in", "01.in", true),
            ("*.in", ".in", true),
            ("*.in", "01.ans", false),
            ("?.in", "1.in", true),
            ("?.in", "01.in", false),
            ("a*b*c", "axxbxbxc", true),
            ("a*b*c", "axxbxbx", false),
            ("*", "", true),
            ("**", "x", true),
            ("x", "", false),
            ("", "x", false),
        ] {
            let answer = fits(pattern.as_bytes(), name.as_bytes());
            assert_eq!(answer, expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_is_all_stars_takes_no_longer() {
        assert!(!fits(&b"*a".repeat(200), &[b'b'; 100_000]));
    }

    #[test]
    fn a_test_is_called_like_its_file() {
        for (path, name) in [
            ("tests/01.in", "01"),
            ("x.y.in", "x.y"),
            ("a/b", "b"),
            (".in", ".in"),
            ("in", "in"),
        ] {
            assert_eq!(test(PathBuf::from(path)).name, name);
        }
    }
}
