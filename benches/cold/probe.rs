//! What a program finds in each row, so that no figure stands for layers that are not
//! there: `cargo bench --bench cold -- --probe`. It measures nothing.

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
readlink /proc/self/fd/0 >/dev/null
echo pid=$$ open-files=$(ulimit -n)";

/// One line for each row.
pub fn show(rows: &mut [Row]) -> Result<(), Box<dyn Error>> {
    for row in rows {
        let Started::Process(launch) = &mut row.started else {
            continue;
        };
        let said = launch.output()?;
        println!("{}\n    {}", row.name, told(&said));
    }
    Ok(())
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
