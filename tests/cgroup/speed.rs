//! Whole runs under `cpu-max`, `cpu-weight` and `io-max`: what the group is set to, that
//! the kernel keeps it, and that a run without the controller is none.

use super::runs::{ground, recorded, within};
use super::support;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
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

/// The groups that one `sandbox` made and has not removed. Those of other tests come and
/// go beside them.
pub fn groups_of(parent: &Path, maker: u32) -> Vec<PathBuf> {
    let name = format!("sandbox-{maker}-");
    let entries = fs::read_dir(parent).unwrap().flatten();
    let its = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&name));
    its.map(|entry| entry.path()).collect()
}

/// Files of a run's group while the program runs.
fn files(options: &[&str], names: &[&str]) -> Vec<String> {
    let parent = ground().unwrap();
    let mut command = support::sandbox();
    let script = "echo; exec sleep 60";
    command.args(options).args(["--", "/bin/sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0u8];
    child.stdout.take().unwrap().read_exact(&mut line).unwrap();
    let found = groups_of(&parent, child.id());
    let [group] = &found[..] else {
        panic!("{found:?}");
    };
    let read = |name: &&str| fs::read_to_string(group.join(name)).unwrap();
    let texts = names.iter().map(read).collect();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    assert!(groups_of(&parent, child.id()).is_empty());
    texts
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
