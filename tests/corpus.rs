//! Replays every input that fuzzing kept, without a fuzzer and without nightly.
//!
//! The bodies are the fuzz targets' own. It draws nothing new: `fuzz/run` does.

#[path = "../fuzz/targets/bpf.rs"]
mod bpf;
#[path = "../fuzz/targets/bytes.rs"]
mod bytes;
#[path = "../fuzz/targets/frames.rs"]
mod frames;
#[path = "../fuzz/targets/host.rs"]
mod host;
#[path = "../fuzz/targets/mounts.rs"]
mod mounts;
#[path = "../fuzz/targets/options.rs"]
mod options;
#[path = "../fuzz/targets/policy.rs"]
mod policy;
#[path = "../fuzz/targets/seccomp.rs"]
mod seccomp;
#[path = "../fuzz/targets/text.rs"]
mod text;
#[path = "../fuzz/targets/valid.rs"]
mod valid;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

type Check = fn(&[u8]);

const TARGETS: [(&str, Check); 8] = [
    ("bpf", bpf::check),
    ("frames", frames::check),
    ("host", host::check),
    ("mounts", mounts::check),
    ("options", options::check),
    ("policy", policy::check),
    ("seccomp", seccomp::check),
    ("text", text::check),
];

/// The fewest seeds of a target: with less, nobody fuzzed it.
const FEWEST: usize = 5;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a directory, in order; none where there is no such directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn replay(name: &str) {
    let (_, check) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let seeds = files(&top().join("fuzz/seeds").join(name));
    assert!(seeds.len() >= FEWEST, "{name} has {} seeds", seeds.len());
    let found = files(&top().join("fuzz/regressions").join(name));
    for file in seeds.iter().chain(&found) {
        let input = fs::read(file).unwrap();
        let answer = catch_unwind(AssertUnwindSafe(|| check(&input)));
        assert!(answer.is_ok(), "{name} fails on {}", file.display());
    }
    // The boundaries of "no input".
    for input in [&[][..], &[0], &[255], &[0; 200], &[255; 200]] {
        check(input);
    }
}

#[test]
fn filters_and_their_second_machine() {
    replay("bpf");
}

#[test]
fn frames_and_their_sequence() {
    replay("frames");
}

#[test]
fn what_the_host_and_git_say() {
    replay("host");
}

#[test]
fn mount_plans_on_paper() {
    replay("mounts");
}

#[test]
fn values_of_options() {
    replay("options");
}

#[test]
fn policies_and_what_they_extend() {
    replay("policy");
}

#[test]
fn filters_and_their_meaning() {
    replay("seccomp");
}

#[test]
fn text_and_what_is_shown_of_it() {
    replay("text");
}

/// A target that is fuzzed is replayed, and the other way round.
#[test]
fn every_target_is_here() {
    let manifest = fs::read_to_string(top().join("fuzz/Cargo.toml")).unwrap();
    let mut built: Vec<&str> = manifest
        .lines()
        .filter_map(|line| {
            line.strip_prefix("path = \"fuzz_targets/")?
                .strip_suffix(".rs\"")
        })
        .collect();
    built.sort();
    assert_eq!(built, TARGETS.map(|(name, _)| name));
    let stems = |directory: &str| -> Vec<String> {
        let files = files(&top().join("fuzz").join(directory));
        let stems = files
            .iter()
            .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned());
        stems.collect()
    };
    assert_eq!(stems("fuzz_targets"), built);
    for directory in ["seeds", "regressions"] {
        for name in stems(directory) {
            assert!(
                built.contains(&name.as_str()),
                "{directory}/{name} is of no target"
            );
        }
    }
}

/// What is found is kept small enough to be read and cloned.
#[test]
fn the_corpus_is_small() {
    let mut total = (0, 0);
    for (name, _) in TARGETS {
        for directory in ["seeds", "regressions"] {
            for file in files(&top().join("fuzz").join(directory).join(name)) {
                let bytes = fs::metadata(&file).unwrap().len();
                assert!(bytes <= 16 * 1024, "{} has {bytes} bytes", file.display());
                total = (total.0 + 1, total.1 + bytes);
            }
        }
    }
    assert!(total.0 <= 600 && total.1 <= 400 * 1024, "{total:?}");
}
