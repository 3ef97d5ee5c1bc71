//! bubblewrap with the mounts of the plan, one option for each operation, and the
//! plan's own filter.

use super::Job;
use crate::floor::instruction;
use crate::launch::Launch;
use sandbox::plan::{MountAttributes, Op};
use std::error::Error;
use std::path::Path;

pub const LACKS: &str = "no Landlock, no time namespace, no resource limits, no speculation \
    control, no inode limits; `/dev` by its own option; a pid 1 that stays, as ours";

pub fn launch(bwrap: &Path, job: &Job) -> Result<Launch, Box<dyn Error>> {
    let plan = &job.plan;
    let mut launch = Launch::new(bwrap);
    launch.args(["--unshare-all", "--new-session", "--die-with-parent"]);
    launch.args(["--cap-drop", "ALL", "--clearenv"]);
    launch.args(["--hostname", &plan.hostname]);
    launch.args(["--uid", &plan.ids.uid.to_string()]);
    launch.args(["--gid", &plan.ids.gid.to_string()]);
    for op in &plan.mounts.ops {
        mount(&mut launch, op)?;
    }
    for (name, value) in &plan.env {
        launch.arg("--setenv").args([name, value]);
    }
    launch.arg("--chdir").arg(&plan.cwd);
    let filter: Vec<u8> = plan.seccomp.program.iter().flat_map(instruction).collect();
    let filter = launch.pass(&filter)?;
    launch.args(["--seccomp", &filter]);
    launch.arg("--").args(job.command());
    Ok(launch)
}

/// One operation of the plan as bubblewrap's options.
fn mount(launch: &mut Launch, op: &Op) -> Result<(), Box<dyn Error>> {
    let dev = Path::new("/dev");
    match op {
        // bubblewrap makes a `/dev` of the same content with one option.
        Op::Tmpfs { at, .. } if at == dev => launch.arg("--dev").arg(at),
        Op::Tmpfs {
            at, bytes, mode, ..
        } => launch
            .args(["--perms", &format!("{mode:04o}")])
            .args(["--size", &bytes.to_string()])
            .arg("--tmpfs")
            .arg(at),
        Op::Seal { at } => launch.arg("--remount-ro").arg(at),
        other if other.at().starts_with(dev) => launch,
        Op::Directory { at, mode } => launch
            .args(["--perms", &format!("{mode:04o}")])
            .arg("--dir")
            .arg(at),
        // Mount points are made by the mounts themselves.
        Op::File { text, .. } if text.is_empty() => launch,
        Op::File { at, text, mode } => {
            let content = launch.pass(text)?;
            launch
                .args(["--perms", &format!("{mode:04o}")])
                .args(["--file", &content])
                .arg(at)
        }
        Op::Symlink { at, target } => launch.arg("--symlink").args([target, at]),
        Op::Bind {
            at,
            source,
            attributes,
            ..
        } => launch.arg(bind(attributes)).args([source, at]),
        Op::Proc { at, .. } => launch.arg("--proc").arg(at),
        other => return Err(format!("bubblewrap has no option for {other:?}").into()),
    };
    Ok(())
}

fn bind(attributes: &MountAttributes) -> &'static str {
    match attributes.read_only {
        true => "--ro-bind",
        false => "--bind",
    }
}
