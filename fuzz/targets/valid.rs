//! What holds of every policy that was accepted, however it was written.

use super::bytes::printable;
use sandbox::plan::seccomp;
use sandbox::policy::{Access, Content, Policy, units};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};
use std::time::Duration;

/// Every value is one that the layers behind the parser rely on.
pub fn hold(policy: &Policy) {
    files(policy);
    let process = &policy.process;
    for id in [process.user, process.group] {
        assert!(id != 0 && id != u32::MAX, "id {id}");
    }
    let (first, last) = process.host_ids;
    assert!(0 < first && first <= last && last < u32::MAX - 1);
    assert!((1..=64).contains(&process.hostname.len()) && process.hostname.is_ascii());
    printable(&process.hostname);
    if let Some(cwd) = &process.cwd {
        normal(cwd.as_path());
    }
    for (name, value) in &process.env {
        assert!(!name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    }
    for name in &process.pass_env {
        assert!(!name.is_empty() && !name.contains(['=', '\0']));
    }
    limits(policy);
    for reason in policy.weaken.values() {
        assert!(!reason.trim().is_empty());
    }
    let mut again = policy.clone();
    again.settle();
    assert_eq!(again, *policy, "settling once more changes something");
}

#[allow(dead_code)] // Options do not speak of system calls.
/// Every word was known to the parser, so the planner knows it too.
pub fn calls(policy: &Policy) {
    if let Err(refusal) = seccomp::resolve(&policy.syscalls, policy.network, true) {
        printable(&refusal.to_string());
        let message = refusal.message;
        assert!(message.contains("does not allow `"), "{message}");
    }
}

fn files(policy: &Policy) {
    for (at, rule) in &policy.files {
        normal(at.as_path());
        assert!(!rule.origin.is_empty());
        match &rule.content {
            Content::Nothing => assert_eq!(rule.access, Access::None),
            Content::Host(source) => normal(source),
            Content::Tmpfs { bytes, inodes } => assert!(*bytes > 0 && *inodes > 0),
            Content::Dev { shm_bytes } => assert!(*shm_bytes > 0),
            Content::Symlink(target) => {
                let target = target.as_os_str().as_bytes();
                assert!(!target.is_empty() && !target.contains(&0));
            }
            _ => {}
        }
        assert!(!rule.git || matches!(rule.content, Content::Host(_)));
    }
}

fn limits(policy: &Policy) {
    let limits = &policy.limits;
    let numbers = [
        limits.memory,
        limits.processes,
        limits.output.map(|cap| cap.most),
        limits.stdout.map(|cap| cap.most),
        limits.stderr.map(|cap| cap.most),
        limits.file_size,
        limits.open_files,
        limits.stack,
    ];
    // Neither 0 nor near RLIM_INFINITY, which would be none.
    for number in numbers.into_iter().flatten() {
        assert!((1..=i64::MAX as u64).contains(&number), "{number}");
    }
    // The kernel takes neither less than a millisecond in each period, nor a weight of 0,
    // nor a rate of 0, and the largest number of 32 bits is no limit of requests.
    if let Some(quota) = limits.cpu_max {
        assert!((1000..=1_000_000_000).contains(&quota), "{quota}");
    }
    if let Some(weight) = limits.cpu_weight {
        assert!((1..=10_000).contains(&weight), "{weight}");
    }
    for rates in limits.io_max.values() {
        for bytes in [rates.read_bytes, rates.write_bytes].into_iter().flatten() {
            assert!((1..=i64::MAX as u64).contains(&bytes), "{bytes}");
        }
        for requests in [rates.reads, rates.writes].into_iter().flatten() {
            assert!((1..u64::from(u32::MAX)).contains(&requests), "{requests}");
        }
    }
    for time in [limits.cpu_time, limits.wall_time].into_iter().flatten() {
        assert!(time > Duration::ZERO && time.as_nanos() <= i64::MAX as u128);
    }
}

/// Absolute, and nothing in it that means another path.
pub fn normal(path: &Path) {
    let names = |part: Component| matches!(part, Component::RootDir | Component::Normal(_));
    assert!(
        path.is_absolute() && path.components().all(names),
        "{path:?}"
    );
    let rebuilt: std::path::PathBuf = path.components().collect();
    assert_eq!(rebuilt.as_os_str(), path.as_os_str());
    assert!(!path.as_os_str().as_bytes().contains(&0));
}

#[allow(dead_code)] // Only one target has bare amounts.
/// A size or a duration is refused in a sentence, or is what it says.
pub fn amounts(text: &str) {
    match units::parse_bytes(text) {
        Ok(bytes) => assert_eq!(units::parse_bytes(&format!("{bytes}B")), Ok(bytes)),
        Err(sentence) => printable(&sentence),
    }
    match units::parse_duration(text) {
        Ok(time) => {
            let millis = format!("{}ms", time.as_millis());
            assert_eq!(units::parse_duration(&millis), Ok(time));
        }
        Err(sentence) => printable(&sentence),
    }
}
