//! podman, rootless, with a directory as its root and no network.

use super::{Job, oci};
use crate::launch::Launch;
use crate::place::Place;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sandbox::plan::Op;
use std::error::Error;
use std::fs;
use std::path::Path;

pub const LACKS: &str = "no Landlock, no time namespace, no filter of arguments; uid 0 inside; \
    its root is a directory that is there already; `/proc` and `/dev` as it makes them; runs \
    a monitor and its database beside";

/// With the runtime it comes with, which needs no control group but refuses a machine
/// that has both versions of them; and with runc, which is the other way round.
pub const WAYS: [&[&str]; 2] = [&[], &["--runtime", "runc"]];

pub fn launch(podman: &Path, job: &Job, way: &[&str]) -> Result<Launch, Box<dyn Error>> {
    let plan = &job.plan;
    let state = job.place.state().join("podman");
    if !state.exists() {
        fs::create_dir(&state)?;
        oci::root(&state.join("rootfs"), plan)?;
    }
    let filter = state.join("seccomp.json");
    fs::write(&filter, oci::filter(job).to_string())?;
    let mut launch = Launch::new(podman);
    launch.arg("--root").arg(state.join("storage"));
    launch.arg("--runroot").arg(state.join("run"));
    launch.args(["--storage-driver", "vfs", "--events-backend", "none"]);
    launch.args(["--cgroup-manager", "cgroupfs"]).args(way);
    launch.args(["run", "--rm", "--network", "none", "--log-driver", "none"]);
    if way.is_empty() {
        launch.args(["--cgroups", "disabled"]);
    }
    launch.args(["--pid", "private", "--ipc", "private", "--uts", "private"]);
    launch.args([
        "--read-only",
        "--read-only-tmpfs=false",
        "--cap-drop",
        "all",
    ]);
    launch.args(["--security-opt", "no-new-privileges"]);
    launch.arg("--security-opt");
    launch.arg(format!("seccomp={}", filter.display()));
    launch.args(["--hostname", &plan.hostname]);
    for limit in &plan.limits.rlimits {
        // In a user namespace of several ids it counts all that its owner runs.
        if limit.name != "nproc" {
            launch.arg("--ulimit");
            launch.arg(format!("{}={}:{}", limit.name, limit.soft, limit.hard));
        }
    }
    for (name, value) in &plan.env {
        launch.arg("--env");
        launch.arg(format!("{}={}", name.display(), value.display()));
    }
    for op in &plan.mounts.ops {
        mount(&mut launch, op);
    }
    launch.arg("--workdir").arg(&plan.cwd);
    launch.arg("--rootfs").arg(state.join("rootfs"));
    launch.args(job.command());
    oci::runtime_directory(&mut launch, job);
    Ok(launch)
}

fn mount(launch: &mut Launch, op: &Op) {
    let at = op.at();
    if at.starts_with("/dev") {
        return;
    }
    match op {
        Op::Tmpfs {
            bytes,
            mode,
            attributes,
            ..
        } => {
            let flags = oci::flags(attributes).join(",");
            launch.arg("--tmpfs").arg(format!(
                "{}:{flags},nosuid,nodev,size={bytes},mode={mode:o}",
                at.display()
            ));
        }
        Op::Bind {
            source, attributes, ..
        } => {
            let flags = oci::flags(attributes).join(",");
            launch.arg("--volume").arg(format!(
                "{}:{}:{flags},nosuid,nodev",
                source.display(),
                at.display()
            ));
        }
        _ => {}
    }
}

/// Dropped, it ends the process that podman leaves to hold its namespace, which the
/// same user may.
pub struct End(pub Place);

impl Drop for End {
    fn drop(&mut self) {
        let file = self.0.state().join("libpod/tmp/pause.pid");
        let pid = fs::read_to_string(file)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        if let Some(pid) = pid {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
