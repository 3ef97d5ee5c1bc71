//! hakoniwa's command with the mounts, the limits and the Landlock rules of the plan, as
//! far as it has options for them.

use super::Job;
use crate::launch::Launch;
use sandbox::plan::Op;
use std::error::Error;
use std::path::Path;

pub const LACKS: &str = "its own list of system calls (compiled in every run); keeps the \
    bounding set; no time namespace, no sizes of its file systems, fewer limits and Landlock rights; `/dev` and \
    `/proc` as it makes them; the directories of its root are the caller's, mode 0700";

pub fn launch(hakoniwa: &Path, job: &Job) -> Result<Launch, Box<dyn Error>> {
    let plan = &job.plan;
    let mut launch = Launch::new(hakoniwa);
    launch.args(["run", "--unshare-all", "--rootfs", "none"]);
    launch.args(["--hostname", &plan.hostname, "--devfs", "/dev"]);
    launch.args(["--uidmap", &plan.ids.uid.to_string()]);
    launch.args(["--gidmap", &plan.ids.gid.to_string()]);
    for op in &plan.mounts.ops {
        mount(&mut launch, op);
    }
    for (name, value) in &plan.env {
        launch.arg("--setenv");
        launch.arg(format!("{}={}", name.display(), value.display()));
    }
    for limit in &plan.limits.rlimits {
        if matches!(limit.name, "core" | "cpu" | "fsize" | "nofile") {
            launch.arg(format!("--limit-{}={}", limit.name, limit.hard));
        }
    }
    if let Some(wall) = plan.limits.wall_time {
        launch.arg(format!("--limit-walltime={}", wall.as_secs()));
    }
    landlock(&mut launch, job);
    launch.arg("--").args(job.command());
    launch.env("HOME", job.place.state());
    Ok(launch)
}

fn mount(launch: &mut Launch, op: &Op) {
    let at = op.at();
    if at.starts_with("/dev") {
        return;
    }
    match op {
        Op::Tmpfs { .. } => {
            launch.arg("--tmpfs").arg(at);
        }
        Op::Symlink { target, .. } => {
            launch.arg("--symlink");
            launch.arg(format!("{}:{}", target.display(), at.display()));
        }
        Op::Bind {
            source, attributes, ..
        } => {
            launch.arg(match attributes.read_only {
                true => "--bindmount-ro",
                false => "--bindmount-rw",
            });
            launch.arg(format!("{}:{}", source.display(), at.display()));
        }
        _ => {}
    }
}

/// Each tree with the access that the plan's mounts give it.
fn landlock(launch: &mut Launch, job: &Job) {
    let (mut read, mut write, mut execute) = (vec!["/proc"], vec!["/dev"], Vec::new());
    for op in &job.plan.mounts.ops {
        let (list, at) = match op {
            Op::Bind { at, attributes, .. } if !at.starts_with("/dev") => match attributes {
                attributes if !attributes.no_exec => (&mut execute, at),
                attributes if attributes.read_only => (&mut read, at),
                _ => (&mut write, at),
            },
            Op::Tmpfs { at, .. } if !at.starts_with("/dev") => (&mut write, at),
            _ => continue,
        };
        list.extend(at.to_str());
    }
    launch.arg("--landlock-restrict-all");
    launch.arg(format!("--landlock-fs-ro={}", read.join(",")));
    launch.arg(format!("--landlock-fs-rw={}", write.join(",")));
    launch.arg(format!("--landlock-fs-rx={}", execute.join(",")));
}
