//! Whole runs under `cpu-max`, `cpu-weight` and `io-max`: what the group is set to, that
//! the kernel keeps it, and that a run without the controller is none.

use super::runs::{ground, recorded, within};
use super::tree::until;
use super::{groups, support};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use support::{Scratch, code, complaint};

/// Options under which nothing but the limit of a test makes it end late.
const UNHURRIED: [&str; 4] = ["--cpu-time", "none", "--wall-time", "none"];

/// What the record says of one key.
fn held(record: &Value, key: &str) -> Vec<Value> {
    let limits = record["limits"].as_array().unwrap().iter();
    limits
        .filter(|held| held["limit"] == key)
        .cloned()
        .collect()
}

#[test]
fn half_a_processor_is_half_of_the_elapsed_time() {
    if ground().is_none() {
        return;
    }
    let options = [&["--cpu-max", "0.5"][..], &UNHURRIED].concat();
    let (exit, record) = recorded(&options, "burn", "BURN_MS=1000");
    assert_eq!(exit, 0, "{record}");
    let half = json!({"limit": "cpu-max", "most": 500_000_000, "unit": "ns/s", "by": "cpu.max"});
    assert_eq!(held(&record, "cpu-max"), [half]);
    let time = |key: &str| record[key].as_u64().unwrap();
    let (used, elapsed) = (time("cpu_ns"), time("wall_ns"));
    assert!(used >= 990_000_000, "{used}");
    // 50 ms in each 100 ms, whatever else the machine does: the first and the last of
    // them may be used up at once, and what a processor has in hand is a few ms more.
    assert!(used * 2 <= elapsed + 200_000_000, "{used} of {elapsed}");
}

/// The files of a run's group while it runs; what the record says is asked elsewhere.
fn files(options: &[&str], names: &[&str]) -> Vec<String> {
    let parent = ground().unwrap();
    let mut command = support::sandbox();
    command.args(options).args(["--", "/bin/sleep", "60"]);
    let mut child = command.spawn().unwrap();
    let name = format!("sandbox-{}-", child.id());
    let its = |group: &PathBuf| {
        let last = group.file_name().unwrap().to_string_lossy();
        // Not the one of the trial before it: a process lives in it.
        last.starts_with(&name)
            && fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|text| text != "")
    };
    let found = std::cell::OnceCell::new();
    until("the group is there", || {
        let group = groups(&parent).into_iter().find(its);
        // It may be gone again: the trial's.
        let texts = group.and_then(|group| {
            let texts = names
                .iter()
                .map(|name| fs::read_to_string(group.join(name)));
            texts.collect::<Result<Vec<_>, _>>().ok()
        });
        // Set before anything is started in it, but the trial's is never set.
        let set = texts.filter(|texts| {
            let plain = ["max 100000\n", "100\n", ""];
            texts.iter().any(|text| !plain.contains(&text.as_str()))
        });
        set.is_some_and(|texts| found.set(texts).is_ok())
    });
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    until("the group is gone", || {
        let name = |group: &PathBuf| group.file_name().unwrap().to_string_lossy().into_owned();
        !groups(&parent)
            .iter()
            .any(|group| name(group).starts_with(&format!("sandbox-{}-", pid)))
    });
    found.into_inner().unwrap()
}

#[test]
fn the_group_is_set_to_what_the_policy_says() {
    if ground().is_none() {
        return;
    }
    let options = ["--cpu-max", "1.5", "--cpu-weight", "33"];
    let texts = files(&options, &["cpu.max", "cpu.weight"]);
    assert_eq!(texts, ["150000 100000\n", "33\n"]);
    let (exit, record) = recorded(&["--cpu-weight", "33"], "burn", "BURN_MS=0");
    assert_eq!(exit, 0, "{record}");
    let weight = json!({"limit": "cpu-weight", "most": 33, "unit": "weight", "by": "cpu.weight"});
    assert_eq!(held(&record, "cpu-weight"), [weight]);
}

/// They alone make a group, where no other limit asks for one.
#[test]
fn a_weight_alone_makes_a_group() {
    if ground().is_none() {
        return;
    }
    let none = ["--memory", "none", "--processes", "none"];
    let options = [&["--cpu-weight", "7"][..], &none, &UNHURRIED].concat();
    assert_eq!(files(&options, &["cpu.weight"]), ["7\n"]);
}

/// The first disk of this machine: its name and numbers.
fn disk() -> Option<(String, String)> {
    let mut disks: Vec<_> = fs::read_dir("/sys/block").unwrap().flatten().collect();
    disks.sort_by_key(std::fs::DirEntry::file_name);
    let Some(disk) = disks.first() else {
        support::skip("disk", "is not to be had: /sys/block is empty");
        return None;
    };
    let number = fs::read_to_string(disk.path().join("dev")).unwrap();
    let name = disk.file_name().into_string().unwrap();
    Some((name, number.trim_end().to_owned()))
}

fn policy(scratch: &Scratch, disk: &str) -> String {
    let text = format!(
        "version = 1\nextends = [\"strict\"]\n[limits]\n\
         io-max = {{ \"{disk}\" = {{ read-bytes = \"1MiB\", writes = 5 }} }}\n"
    );
    let path = scratch.file("p.toml", &text, 0o644);
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_disk_is_limited_by_its_numbers_and_by_its_path() {
    if ground().is_none() {
        return;
    }
    let Some((name, number)) = disk() else { return };
    let path = format!("/dev/{name}");
    for disk in [&number, &path] {
        if !Path::new(&path).exists() && disk == &path {
            continue;
        }
        let scratch = Scratch::new();
        let policy = policy(&scratch, disk);
        let texts = files(&["--policy", &policy], &["io.max"]);
        let line = format!("{number} rbps=1048576 wbps=max riops=max wiops=5\n");
        assert_eq!(texts, [line], "{disk}");
        let (exit, record) = recorded(&["--policy", &policy], "burn", "BURN_MS=0");
        assert_eq!(exit, 0, "{record}");
        let share = |most: u64, unit: &str, rate: &str| {
            let by = format!("io.max {number} {rate}");
            json!({"limit": "io-max", "most": most, "unit": unit, "by": by})
        };
        let expected = [
            share(1 << 20, "bytes/s", "rbps"),
            share(5, "requests/s", "wiops"),
        ];
        assert_eq!(held(&record, "io-max"), expected, "{disk}");
    }
}

#[test]
fn a_disk_that_is_none_is_refused_with_the_kernels_answer() {
    if ground().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let mut command = support::sandbox();
    command.args(["--policy", &policy(&scratch, "4095:1048575")]);
    within(&mut command, "burn", "BURN_MS=0");
    let output = support::run(&mut command);
    let said = complaint(&output);
    assert_eq!(code(&output), 125, "{said}");
    assert!(
        said.contains("cannot write \"4095:1048575 rbps=1048576"),
        "{said}"
    );
    assert!(
        said.contains("hint: `io.max` takes the numbers of a whole disk"),
        "{said}"
    );
}
