//! What a program finds in each row, so that no figure stands for layers that are not
//! there: `cargo bench --bench cold -- --probe`. It measures nothing, and fails when a
//! floor shows a program anything else than the sandbox that is divided by it.

use crate::rows::{Row, Started};
use std::error::Error;
use std::fs;

/// The shell and its words. It prints what the kernel says of a process in the row.
pub const WORDS: [&str; 3] = ["/bin/sh", "-c", SCRIPT];
const SCRIPT: &str = "echo uid=$(id -u)
echo root=$(echo /*)
readlink /proc/self/ns/cgroup /proc/self/ns/ipc /proc/self/ns/mnt /proc/self/ns/net \
    /proc/self/ns/pid /proc/self/ns/time /proc/self/ns/user /proc/self/ns/uts
echo mounts=$(wc -l < /proc/self/mountinfo)
grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
sed -n 's/  */ /g;s/^Max //p' /proc/self/limits
cut -d' ' -f5,6 /proc/self/mountinfo | sort
echo pid=$$";

/// What each row shows, and whether sandboxes and their floors show the same.
pub fn show(rows: &mut [Row]) -> Result<(), Box<dyn Error>> {
    let mut shown: Vec<(String, String, String)> = Vec::new();
    for row in rows {
        let Started::Process(launch) = &mut row.started else {
            continue;
        };
        let told = told(&launch.output()?);
        println!("{}\n    {told}", row.name);
        shown.push((row.name.clone(), row.floor.clone(), told));
    }
    for (name, floor, told) in &shown {
        let floors = shown.iter().find(|(other, ..)| other == floor);
        let Some((_, _, least)) = floors.filter(|_| name.starts_with("sandbox")) else {
            continue;
        };
        if without_pid(told) != without_pid(least) {
            return Err(format!("`{floor}` has not the layers of `{name}`").into());
        }
    }
    Ok(())
}

/// In a floor the program is pid 1.
fn without_pid(told: &str) -> Vec<&str> {
    let lines = told.lines().map(str::trim);
    lines.filter(|line| !line.starts_with("pid=")).collect()
}

/// Its answers in one line, with the namespaces that are not this process's.
fn told(said: &str) -> String {
    let mut own = Vec::new();
    let mut other = Vec::new();
    for line in said.lines() {
        match line.split_once(":[") {
            Some((kind, _)) => {
                let here = fs::read_link(format!("/proc/self/ns/{kind}"));
                if here.is_ok_and(|here| here.as_os_str() != line) {
                    own.push(kind);
                }
            }
            None => other.push(line.replace('\t', " ")),
        }
    }
    format!(
        "namespaces: {}\n    {}",
        own.join(" "),
        other.join("\n    ")
    )
}
