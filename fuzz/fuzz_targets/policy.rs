//! The policy parser on arbitrary text, alone and through `extends` between files.
//!
//! It checks that an answer comes and can be printed, never what the answer is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandbox::policy::{Context, Error, Policy};
use std::path::PathBuf;
use std::sync::LazyLock;

/// A directory of this process, for the files that extend each other. On
/// `/dev/shm` where there is one: the fuzzer writes it thousands of times a second.
static SCRATCH: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = match memory.is_dir() {
        true => memory,
        false => std::env::temp_dir(),
    };
    let path = parent.join(format!("sandbox-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a scratch directory");
    path
});

fn check(answer: Result<Policy, Error>) {
    match answer {
        Ok(policy) => policy.validate().expect("a policy that was read is valid"),
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}

// The input is up to four files, separated by form feeds: a.toml b.toml c.toml
// d.toml. The first is also parsed as a text.
fuzz_target!(|data: &[u8]| {
    let context = Context {
        cwd: SCRATCH.clone(),
        home: Some(PathBuf::from("/home/u")),
        env: [(String::from("SET"), String::from("/set"))].into(),
    };
    let parts: Vec<&[u8]> = data.splitn(4, |byte| *byte == b'\x0c').collect();
    if let Ok(text) = std::str::from_utf8(parts[0]) {
        check(Policy::parse(text, "a.toml", &context));
    }
    for (position, name) in ["a.toml", "b.toml", "c.toml", "d.toml"].iter().enumerate() {
        let part = parts.get(position).copied().unwrap_or_default();
        std::fs::write(SCRATCH.join(name), part).expect("a scratch file");
    }
    check(Policy::load("a.toml".as_ref(), &context));
});
