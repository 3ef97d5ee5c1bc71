//! Whole runs in a group of their own, beside this process's: what the kernel keeps and
//! counts there, what the record says, and that nothing is left.

use super::speed::groups_of;
use super::{delegated, groups, helper, support};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use support::{Scratch, code, complaint};

const INSIDE: &str = "/helper";

/// A helper of this test program, inside, with the record.
pub fn recorded(options: &[&str], name: &str, setting: &str) -> (i32, Value) {
    let scratch = Scratch::new();
    let place = scratch.join("r.json");
    let mut command = support::sandbox();
    command.arg("--report").arg(&place).args(options);
    within(&mut command, name, setting);
    let output = support::run(&mut command);
    let text = std::fs::read_to_string(&place).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(record["complete"], true, "{text}{}", complaint(&output));
    (code(&output), record)
}

pub fn within(command: &mut Command, name: &str, setting: &str) {
    let program = format!("{}:{INSIDE}", support::myself().display());
    command.args(["--exec", &program, "--env", setting, "--", INSIDE]);
    command.args(helper::words(name).split(' '));
}

/// What keeps a limit, as the record says.
fn by<'r>(record: &'r Value, limit: &str) -> &'r str {
    let limits = record["limits"].as_array().unwrap();
    let held = limits.iter().find(|held| held["limit"] == limit).unwrap();
    held["by"].as_str().unwrap()
}

/// The controllers that groups beside ours have; `None` says so and ends the test.
pub fn ground() -> Option<std::path::PathBuf> {
    delegated()?.parent().map(Path::to_owned)
}

#[test]
fn a_run_has_a_group_of_its_own_and_leaves_none() {
    let Some(parent) = ground() else { return };
    let ours = |groups: &std::collections::BTreeSet<std::path::PathBuf>| {
        let name = |path: &&std::path::PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(&format!("sandbox-{}-", std::process::id()))
        };
        groups.iter().filter(name).count()
    };
    let mut command = support::sandbox();
    command.args(["--", "/bin/sleep", "60"]);
    let mut child = command.spawn().unwrap();
    let its = |groups: std::collections::BTreeSet<std::path::PathBuf>| {
        let name = format!("sandbox-{}-", child.id());
        let mut names = groups.iter().filter_map(|path| path.file_name());
        names.any(|found| found.to_string_lossy().starts_with(&name))
    };
    super::tree::until("the group is there", || its(groups(&parent)));
    // SIGKILL: it cannot clean up itself.
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    child.wait().unwrap();
    let name = format!("sandbox-{}-", child.id());
    // The next run there collects it.
    super::tree::until("the group is collected", || {
        let (exit, _) = recorded(&[], "burn", "BURN_MS=0");
        assert_eq!(exit, 0);
        let left = groups(&parent);
        let mut names = left.iter().filter_map(|path| path.file_name());
        !names.any(|found| found.to_string_lossy().starts_with(&name))
    });
    assert_eq!(ours(&groups(&parent)), 0);
}

#[test]
fn the_kernel_keeps_the_limits_and_the_record_says_so() {
    if ground().is_none() {
        return;
    }
    let (exit, record) = recorded(&["--memory", "64MiB"], "touch", "TOUCH_BYTES=1000");
    assert_eq!(exit, 0, "{record}");
    assert_eq!(by(&record, "memory"), "memory.max");
    assert_eq!(by(&record, "processes"), "pids.max");
    assert_eq!(by(&record, "cpu-time"), "cgroup");
    assert_eq!(record["cpu_source"], "cgroup");
    assert_eq!(record["oom_kills"], 0);
    assert_eq!(record["processes_denied"], 0);
}

/// The group of a run that stood by was made before anybody wanted it.
#[test]
fn a_run_of_a_pool_has_a_group_of_its_own_and_leaves_none() {
    let Some(parent) = ground() else { return };
    let recorded = |bytes: u64| {
        let scratch = Scratch::new();
        let place = scratch.join("r.json");
        let mut command = support::sandbox();
        command.args(["--by-worker", "--memory", "64MiB", "--report"]);
        command.arg(&place);
        within(&mut command, "touch", &format!("TOUCH_BYTES={bytes}"));
        let mut child = command.spawn().unwrap();
        let maker = child.id();
        child.wait().unwrap();
        assert_eq!(groups_of(&parent, maker), [] as [std::path::PathBuf; 0]);
        let text = std::fs::read_to_string(&place).unwrap();
        let record: Value = serde_json::from_str(&text).unwrap();
        let layers = record["layers"].as_array().unwrap();
        let detail = |layer: &Value| layer["detail"].as_str().unwrap().to_owned();
        let details: Vec<_> = layers.iter().map(detail).collect();
        assert!(details.iter().any(|detail| detail.contains("; stood by")));
        assert_eq!(record["cpu_source"], "cgroup");
        assert_eq!(by(&record, "memory"), "memory.max");
        record
    };
    assert_eq!(recorded(1000)["verdict"], "ok");
    let over = recorded(128 << 20);
    assert_eq!(over["verdict"], "memory", "{over}");
    assert_eq!(recorded(1000)["oom_kills"], 0);
}

#[test]
fn the_peak_is_what_the_program_touched() {
    if ground().is_none() {
        return;
    }
    let peak = |bytes: u64| {
        let setting = format!("TOUCH_BYTES={bytes}");
        // An emulated machine takes its time for so many pages.
        let unhurried = ["--cpu-time", "none", "--wall-time", "none"];
        let options = [&["--memory", "256MiB"][..], &unhurried].concat();
        let (exit, record) = recorded(&options, "touch", &setting);
        assert_eq!(exit, 0, "{record}");
        (record["memory_source"] == "memory.peak")
            .then(|| record["memory_peak_bytes"].as_u64().unwrap())
    };
    // Its own pages are in memory by the second time.
    peak(0);
    let (Some(idle), Some(full)) = (peak(0), peak(100 << 20)) else {
        return println!("skip: this kernel has no memory.peak");
    };
    // The test program itself takes a little.
    assert!(idle < 4 << 20, "{idle}");
    let wrong = full.abs_diff((100 << 20) + idle);
    assert!(wrong <= 1 << 20, "{idle} {full}");
    assert!(full.abs_diff(100 << 20) <= 2 << 20, "{full}");
}

#[test]
fn more_memory_than_allowed_is_that_and_nothing_else() {
    if ground().is_none() {
        return;
    }
    let (exit, record) = recorded(&["--memory", "64MiB"], "touch", "TOUCH_BYTES=83886080");
    assert_eq!(exit, 137);
    assert_eq!(record["verdict"], "memory", "{record}");
    assert_eq!(record["limits_hit"], json!(["memory"]));
    assert!(record["oom_kills"].as_u64().unwrap() > 0);
    let (exit, record) = recorded(&["--memory", "64MiB"], "touch", "TOUCH_BYTES=50331648");
    assert_eq!((exit, &record["verdict"]), (0, &json!("ok")), "{record}");
}

#[test]
fn processor_time_is_counted_and_limited() {
    if ground().is_none() {
        return;
    }
    let (exit, record) = recorded(&[], "burn", "BURN_MS=1000");
    assert_eq!(exit, 0, "{record}");
    // It stops by its own clock, and starting and ending take a little.
    let used = record["cpu_ns"].as_u64().unwrap();
    assert!((990_000_000..1_300_000_000).contains(&used), "{used}");
    let (exit, record) = recorded(&["--cpu-time", "300ms"], "burn", "BURN_MS=60000");
    assert_eq!(exit, 124);
    assert_eq!(record["verdict"], "cpu-time", "{record}");
}

#[test]
fn nothing_but_the_kernel_is_what_there_is() {
    if ground().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let text = "version = 1\nextends = [\"strict\"]\n[limits]\nenforcement = \"kernel\"\n";
    let policy = scratch.file("p.toml", text, 0o644);
    let policy = policy.to_str().unwrap();
    let (exit, record) = recorded(&["--policy", policy], "touch", "TOUCH_BYTES=1");
    assert_eq!(exit, 0, "{record}");
    let mut command = support::sandbox();
    command.args(["--policy", policy, "--cgroup", "none"]);
    within(&mut command, "touch", "TOUCH_BYTES=1");
    let output = support::run(&mut command);
    assert_eq!(code(&output), 125);
    let said = complaint(&output);
    assert!(said.contains("`memory` kept by the kernel"), "{said}");
}
