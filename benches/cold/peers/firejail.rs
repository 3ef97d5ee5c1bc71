//! firejail without a profile, with options of the plan's meaning.

use super::Job;
use crate::launch::Launch;
use std::error::Error;
use std::path::Path;

pub const LACKS: &str = "set-uid root; the host's root with directories hidden, not one of its \
    own; no user namespace, no cgroup namespace, no time namespace; no Landlock, no filter of \
    arguments, no limit of memory or elapsed time (its own \
    looks once a second); starts the program by a shell";

/// Directories of the host that are not of the plan. firejail cannot show only
/// what is named, outside of a few directories.
const HIDDEN: [&str; 8] = [
    "/boot", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/sys",
];

pub fn launch(firejail: &Path, job: &Job) -> Result<Launch, Box<dyn Error>> {
    let plan = &job.plan;
    let mut launch = Launch::new(firejail);
    launch.args(["--quiet", "--noprofile", "--net=none", "--ipc-namespace"]);
    launch.args(["--caps.drop=all", "--nonewprivs", "--private-dev"]);
    launch.args(["--private-tmp", "--noexec=/tmp", "--disable-mnt"]);
    // The program lies below /var, which would be empty there, and noexec.
    launch.args(["--keep-var-tmp", "--writable-var", "--read-only=/var"]);
    launch.arg("--private-etc=alternatives,ld.so.cache,ssl,passwd,group,nsswitch.conf");
    launch.arg(format!("--hostname={}", plan.hostname));
    for directory in HIDDEN {
        launch.arg(format!("--blacklist={directory}"));
    }
    for limit in &plan.limits.rlimits {
        if matches!(limit.name, "nproc" | "fsize" | "nofile" | "cpu") {
            launch.arg(format!("--rlimit-{}={}", limit.name, limit.hard));
        }
    }
    launch.arg(format!("--seccomp.keep={}", job.calls.join(",")));
    launch.arg("--").args(job.command());
    launch.env("HOME", job.place.state());
    Ok(launch)
}
