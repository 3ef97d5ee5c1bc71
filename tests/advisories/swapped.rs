//! Races: runc CVE-2025-31133 and CVE-2025-52565 (a source swapped for a link), CVE-2024-45310 (files
//! made on the host through a rename), CVE-2026-41579 (a target swapped for a link).
//! Somebody renames as fast as he can while sandboxes start. No answer depends on who wins.

#[path = "../support/swapper.rs"]
mod swapper;

use crate::support::{self, Scratch};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use swapper::Swapper;

/// Sandboxes started against each kind of swap.
const RUNS: usize = 80;

/// A tree that an attacker may write, beside what he may not see.
struct Place {
    scratch: Scratch,
    tree: PathBuf,
}

impl Place {
    fn new() -> Place {
        let scratch = Scratch::new();
        let tree = scratch.directory("tree");
        scratch.directory("secret");
        scratch.directory("secret/in");
        scratch.file("secret/who", "secret", 0o666);
        scratch.file("secret/in/who", "secret", 0o666);
        scratch.directory("tree/planned");
        scratch.directory("tree/planned/in");
        scratch.file("tree/planned/who", "planned", 0o666);
        scratch.file("tree/planned/in/who", "planned", 0o666);
        scratch.file("tree/file", "planned", 0o666);
        symlink("../secret", tree.join("bait")).unwrap();
        symlink("../secret/who", tree.join("bait-file")).unwrap();
        Place { scratch, tree }
    }

    fn mapped(&self, source: &str) -> String {
        format!("{}:/x", self.tree.join(source).display())
    }
}

/// What happened: refused, or what was printed.
fn outcome(options: &[&str], words: &[&str]) -> Option<String> {
    let mut command = support::sandbox();
    let output = support::run(command.args(options).arg("--").args(words));
    let message = support::complaint(&output);
    match support::code(&output) {
        125 => {
            assert_eq!(output.stdout, b"", "{message}");
            None
        }
        0 => Some(String::from_utf8(output.stdout).unwrap()),
        code => panic!("{code}: {message}"),
    }
}

fn against(place: &Place, swapped: (&str, &str), source: &str, file: &str) {
    let tree = place.tree.to_str().unwrap();
    let mapped = place.mapped(source);
    let before = place.scratch.listing();
    let swapper = Swapper::start(place.tree.join(swapped.0), place.tree.join(swapped.1));
    let mut seen = [0, 0];
    for run in 0..RUNS {
        // As the next run of a guest that writes the tree in another one, and read-only.
        let access = ["--read", "--write"][run % 2];
        match outcome(&["--write", tree, access, &mapped], &["/bin/cat", file]) {
            None => seen[0] += 1,
            Some(text) => {
                assert_eq!(text, "planned", "{source} in run {run}");
                seen[1] += 1;
            }
        }
    }
    assert!(swapper.times() > 100, "{}", swapper.times());
    drop(swapper);
    assert!(
        seen.iter().all(|count| *count > 0),
        "refused and run: {seen:?}"
    );
    assert_eq!(place.scratch.listing(), before);
}

#[test]
fn cve_2025_31133_a_directory_swapped_for_a_link_is_planned_or_refused() {
    against(&Place::new(), ("planned", "bait"), "planned", "/x/who");
}

#[test]
fn cve_2025_31133_cve_2025_52565_a_file_swapped_for_a_link_is_planned_or_refused() {
    against(&Place::new(), ("file", "bait-file"), "file", "/x");
}

#[test]
fn cve_2025_31133_a_directory_above_the_source_swapped_for_a_link_is_planned_or_refused() {
    against(&Place::new(), ("planned", "bait"), "planned/in", "/x/who");
}

/// Mount points below a tree of the host's, while the directories that hold them are
/// swapped for links to where nobody may write: nothing appears there, not for a moment
/// that a listing afterwards could show, and nothing else is covered.
#[test]
fn cve_2024_45310_cve_2026_41579_a_target_swapped_for_a_link_makes_nothing_on_the_host() {
    let place = Place::new();
    let tree = place.tree.to_str().unwrap();
    let text = format!(
        "version = 1\nextends = [\"strict\"]\n[files]\n\
         \"/x\" = {{ from = \"{tree}\", access = \"write\" }}\n\
         \"/x/planned/in\" = {{ tmpfs = \"1MiB\", inodes = 10 }}\n\
         \"/x/planned/who\" = {{ text = \"made\" }}\n\
         \"/x/planned/absent/deep\" = {{ access = \"none\", optional = true }}\n\
         \"/x/file\" = \"none\"\n"
    );
    let policies = Scratch::new();
    let policy = policies.file("p.toml", text, 0o644);
    let policy = ["--policy", policy.to_str().unwrap()];
    let before = place.scratch.listing();
    let script = "cat /x/planned/who; ls -A /x/planned/in; cat /x/file 2>/dev/null; exit 0";
    let mut ran = 0;
    let swapper = Swapper::start(place.tree.join("planned"), place.tree.join("bait"));
    for _ in 0..RUNS {
        if let Some(text) = outcome(&policy, &["/bin/sh", "-c", script]) {
            // While it runs, a directory may be renamed over what the mounts cover: the
            // tree is the attacker's. What is beside it stays out of reach all the same.
            assert!(!text.contains("secret"), "{text}");
            ran += 1;
        }
    }
    assert!(swapper.times() > 100, "{}", swapper.times());
    drop(swapper);
    assert_eq!(place.scratch.listing(), before);
    println!("{ran} of {RUNS} were not refused");
    // Undisturbed, the same policy holds.
    let text = outcome(&policy, &["/bin/sh", "-c", script]);
    assert_eq!(text.as_deref(), Some("made"));
    assert_eq!(place.scratch.listing(), before);
    assert_eq!(
        fs::read(place.tree.join("planned/who")).unwrap(),
        b"planned"
    );
}
