//! The house is as the design draws it: who may use whom, where `unsafe` stands, what is documented.
//! It must not judge by eye; each rule is in `tidy/rules.rs` and is tried there on a sample that breaks it.

#[path = "tidy/claims.rs"]
mod claims;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use sandbox::step::{By, Step};
use source::Source;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn directories_use_what_the_table_allows() {
    hold(&sources(&["src"]), rules::imports);
}

#[test]
fn unsafe_stands_in_sys_and_says_why() {
    hold(&sources(&["src"]), rules::unsafety);
}

#[test]
fn the_child_neither_allocates_nor_panics() {
    hold(&sources(&["src"]), rules::child_words);
}

#[test]
fn every_file_opens_with_what_it_does() {
    hold(&sources(&EVERYWHERE), rules::opening);
}

#[test]
fn no_file_is_too_long() {
    hold(&sources(&EVERYWHERE), rules::length);
}

#[test]
fn the_modules_of_the_child_stand_in_the_order_of_the_steps() {
    let Some(child) = read("src/child/mod.rs") else {
        return skip("src/child/mod.rs");
    };
    let steps: Vec<&str> = Step::ALL
        .into_iter()
        .filter(|step| step.by() != By::Parent)
        .map(Step::name)
        .collect();
    report(rules::child_order(
        &Source::new("src/child/mod.rs", child),
        &steps,
    ));
}

#[test]
fn the_readme_has_the_steps_in_order() {
    let Some(readme) = read("README.md") else {
        return skip("README.md");
    };
    report(rules::step_table(&readme, &Step::ALL.map(Step::name)));
}

#[test]
fn security_has_the_steps_in_order() {
    let Some(security) = read("SECURITY.md") else {
        return skip("SECURITY.md");
    };
    report(rules::step_table(&security, &Step::ALL.map(Step::name)));
}

#[test]
fn every_claim_has_a_test() {
    let Some(security) = read("SECURITY.md") else {
        return skip("SECURITY.md");
    };
    let claims = claims::rows(&security).len();
    assert!(claims >= 40, "only {claims} claims");
    report(claims::untested(&security, read));
}

#[cfg(feature = "cli")]
#[test]
fn the_readme_names_every_option() {
    let Some(readme) = read("README.md") else {
        return skip("README.md");
    };
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .arg("--help")
        .output()
        .unwrap();
    assert!(help.status.success(), "{help:?}");
    report(rules::options(
        &String::from_utf8(help.stdout).unwrap(),
        &readme,
    ));
}

#[test]
fn every_policy_is_built_in() {
    let mut files = Vec::new();
    for path in list(&top().join("policies")) {
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(!files.is_empty(), "policies/ is empty");
    report(rules::policies(&files, sandbox::policy::BUILTIN));
}

const EVERYWHERE: [&str; 5] = ["src", "tests", "examples", "benches", "fuzz"];

fn hold(sources: &[Source], rule: fn(&Source) -> Vec<String>) {
    assert!(sources.len() > 5, "the source was not found");
    report(sources.iter().flat_map(rule).collect());
}

fn report(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn skip(what: &str) {
    println!("skip: {what} is not there");
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> Option<String> {
    match fs::read_to_string(top().join(path)) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{path}: {error}"),
    }
}

/// Every Rust file below these directories. A file that another one declares
/// for tests only has no code to judge, as tests inside a file have none.
fn sources(directories: &[&str]) -> Vec<Source> {
    let mut paths: Vec<PathBuf> = directories
        .iter()
        .map(|directory| top().join(directory))
        .filter(|directory| directory.is_dir())
        .flat_map(|directory| list(&directory))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    paths.sort();
    let name = |path: &Path| {
        path.strip_prefix(top())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let mut sources: Vec<Source> = paths
        .iter()
        .map(|path| Source::new(name(path), fs::read_to_string(path).unwrap()))
        .collect();
    let tests: Vec<String> = sources.iter().flat_map(Source::test_files).collect();
    for source in &mut sources {
        if tests.contains(&source.path) {
            source.code.clear();
        }
    }
    sources
}

/// Files below a directory, without `target` and hidden ones.
fn list(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        match path.is_dir() {
            true => files.extend(list(&path)),
            false => files.push(path),
        }
    }
    files
}
