//! Breaks one layer at a time and sees that a test fails: the proof that the proofs can fail.
//! It must not touch this tree; each mutation is made in a copy below the target directory.
//!
//! The mutations are many compilations, so only that they still apply is tested with the rest:
//! `cargo test --test mutations -- --ignored --nocapture` carries them out (`MUTATION=text` those
//! whose name contains it).

use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One layer broken.
#[derive(Debug, Deserialize)]
struct Mutation {
    /// What is broken, in words.
    name: String,
    /// The file, from the top of the tree.
    file: String,
    /// What stands there, once.
    from: String,
    /// What stands there instead.
    to: String,
    /// Test files, of which one must fail.
    tests: Vec<String>,
}

#[derive(Deserialize)]
struct List {
    mutation: Vec<Mutation>,
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn mutations() -> Vec<Mutation> {
    let text = fs::read_to_string(top().join("tests/mutations/list.toml")).unwrap();
    let list: List = toml::from_str(&text).unwrap();
    list.mutation
}

/// The text of a file with the mutation in it.
fn mutated(mutation: &Mutation) -> String {
    let text = fs::read_to_string(top().join(&mutation.file)).unwrap();
    let name = &mutation.name;
    assert_eq!(
        text.matches(&mutation.from).count(),
        1,
        "{name}: {}",
        mutation.file
    );
    text.replace(&mutation.from, &mutation.to)
}

#[test]
fn every_mutation_applies() {
    let mutations = mutations();
    assert!(mutations.len() >= 30, "{}", mutations.len());
    for mutation in &mutations {
        let after = mutated(mutation);
        let before = fs::read_to_string(top().join(&mutation.file)).unwrap();
        assert_ne!(before, after, "{}", mutation.name);
        for test in mutation.tests.iter().filter(|test| *test != "lib") {
            let file = top().join(format!("tests/{test}.rs"));
            assert!(file.is_file(), "{}: {}", mutation.name, file.display());
        }
    }
}

#[test]
#[ignore = "compiles the project once for each mutation"]
fn every_mutation_is_caught() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutations");
    let tree = place.join("tree");
    let _ = fs::remove_dir_all(&tree);
    copy(top(), &tree);
    let wanted = std::env::var("MUTATION").unwrap_or_default();
    let mut missed = Vec::new();
    for mutation in mutations() {
        if !mutation.name.contains(&wanted) {
            continue;
        }
        let file = tree.join(&mutation.file);
        let before = fs::read_to_string(&file).unwrap();
        fs::write(&file, mutated(&mutation)).unwrap();
        let caught = failures(&tree, &place.join("target"), &mutation.tests);
        fs::write(&file, before).unwrap();
        println!("{}: {}", mutation.name, summary(&caught));
        if caught.is_empty() {
            missed.push(mutation.name);
        }
    }
    assert!(missed.is_empty(), "nothing failed with: {missed:#?}");
}

fn summary(caught: &[String]) -> String {
    match caught {
        [] => String::from("NOT CAUGHT"),
        [one] => one.clone(),
        [first, second, ..] => format!("{} tests, among them {first}, {second}", caught.len()),
    }
}

/// The names of the tests that fail; a tree that does not compile is an error.
fn failures(tree: &Path, target: &Path, tests: &[String]) -> Vec<String> {
    let cargo = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.arg("test").current_dir(tree);
        command.env("CARGO_TARGET_DIR", target);
        // Half of the time goes into it, and nobody looks.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        // Else the inner compiler is told what the outer one was.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_BIN_") {
                command.env_remove(name);
            }
        }
        for test in tests {
            match test.as_str() {
                "lib" => command.arg("--lib"),
                test => command.args(["--test", test]),
            };
        }
        command.args(more).output().unwrap()
    };
    let built = cargo(&["--no-run", "--quiet"]);
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(
        built.status.success(),
        "the mutation does not compile:\n{said}"
    );
    let ran = cargo(&["--no-fail-fast", "--", "--skip", "mutation"]);
    let text = String::from_utf8_lossy(&ran.stdout);
    let failed = text
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    failed.map(String::from).collect()
}

/// Everything but what was built and what is hidden.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let hidden = name.as_encoded_bytes().starts_with(b".");
        if hidden || name == "target" {
            continue;
        }
        let place: PathBuf = to.join(&name);
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &place),
            false => {
                fs::copy(entry.path(), place).unwrap();
            }
        }
    }
}
