//! The documents say what the code says: step table, policy examples, links.
//! It must not judge style.

use sandbox::policy::{BUILTIN, Context, Policy};
use sandbox::step::{By, Step};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(top().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Blocks between fences of this kind.
fn blocks(document: &str, kind: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if line == format!("```{kind}") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push(block.join("\n") + "\n");
        }
    }
    found
}

#[test]
fn the_step_table_says_what_step_rs_says() {
    let readme = read("README.md");
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    for step in Step::ALL {
        let by = match step.by() {
            By::Parent => "parent",
            By::Init => "init",
            By::Payload => "payload",
        };
        let row = rows
            .iter()
            .find(|row| row.first() == Some(&step.name()) && row.len() == 4)
            .unwrap_or_else(|| panic!("no row for {}", step.name()));
        assert_eq!(row[1], by, "{}", step.name());
        assert_eq!(row[3], step.why_here(), "{}", step.name());
    }
}

#[test]
fn every_policy_in_the_readme_is_one() {
    let context = Context {
        cwd: PathBuf::from("/home/me/project"),
        home: Some(PathBuf::from("/home/me")),
        env: BTreeMap::new(),
    };
    let examples = blocks(&read("README.md"), "toml");
    assert!(!examples.is_empty());
    for example in examples {
        let policy = Policy::parse(&example, "README.md", &context)
            .unwrap_or_else(|error| panic!("{error}\n\n{example}"));
        policy.validate().unwrap();
    }
}

#[test]
fn every_shipped_policy_is_in_the_readme() {
    let readme = read("README.md");
    for (name, _) in BUILTIN {
        let row = format!("| `{name}` |");
        assert!(readme.contains(&row), "no row for {name}");
    }
}

#[test]
fn the_set_up_is_two_commands() {
    let readme = read("README.md");
    let commands = blocks(&readme, "sh");
    let lines: Vec<&str> = commands.iter().flat_map(|block| block.lines()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("cargo run --release -- "), "{lines:?}");
    assert_eq!(lines[1], "cargo test");
}

#[test]
fn links_lead_to_files() {
    let mut checked = 0;
    for name in [
        "README.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ] {
        for link in read(name).split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            assert!(top().join(target).exists(), "{name}: {target}");
            checked += 1;
        }
    }
    assert!(checked > 5, "{checked}");
}
