//! Runtimes that take a bundle: crun and runc, rootless, with a `config.json` made from
//! the plan.

use super::Job;
use crate::launch::Launch;
use sandbox::plan::{MountAttributes, Op, Plan};
use serde_json::{Value, json};
use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

pub const LACKS: &str = "no Landlock, no time namespace, no control group, no filter of \
    arguments; uid 0 inside (rootless, one id); its root is a directory that is there \
    already; the program is pid 1";

/// The directory of bundles, one for each runtime, and its root file system.
pub fn bundle(job: &Job, name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let bundle = job.place.state().join(name);
    if !bundle.exists() {
        fs::create_dir_all(&bundle)?;
        root(&bundle.join("rootfs"), &job.plan)?;
    }
    fs::write(bundle.join("config.json"), config(job)?.to_string())?;
    Ok(bundle)
}

pub fn crun(crun: &Path, job: &Job) -> Result<Launch, Box<dyn Error>> {
    let bundle = bundle(job, "crun")?;
    let mut launch = Launch::new(crun);
    launch.arg("--root").arg(bundle.join("run"));
    launch.arg("--cgroup-manager=disabled");
    launch.arg("run").arg("--bundle").arg(&bundle).arg("cold");
    runtime_directory(&mut launch, job);
    Ok(launch)
}

pub fn runc(runc: &Path, job: &Job) -> Result<Launch, Box<dyn Error>> {
    let bundle = bundle(job, "runc")?;
    let mut launch = Launch::new(runc);
    launch.arg("--root").arg(bundle.join("run"));
    launch.args(["--rootless", "true"]);
    launch.arg("run").arg("--bundle").arg(&bundle).arg("cold");
    runtime_directory(&mut launch, job);
    Ok(launch)
}

pub fn runtime_directory(launch: &mut Launch, job: &Job) {
    launch.env("XDG_RUNTIME_DIR", job.place.state());
    launch.env("HOME", job.place.state());
}

/// What the plan makes in its own root, as files on the disk; mount points included.
pub fn root(rootfs: &Path, plan: &Plan) -> Result<(), Box<dyn Error>> {
    fs::create_dir(rootfs)?;
    for op in &plan.mounts.ops {
        let at = rootfs.join(op.at().strip_prefix("/")?);
        if in_memory(op.at(), plan) {
            continue;
        }
        match op {
            Op::Directory { mode, .. } => {
                fs::create_dir_all(&at)?;
                fs::set_permissions(at, Permissions::from_mode(*mode))?;
            }
            Op::File { text, mode, .. } => {
                fs::write(&at, text)?;
                fs::set_permissions(at, Permissions::from_mode(*mode))?;
            }
            Op::Symlink { target, .. } => symlink(target, at)?,
            _ => {}
        }
    }
    Ok(())
}

/// Is it below a tmpfs of the plan, and made anew with it?
fn in_memory(at: &Path, plan: &Plan) -> bool {
    plan.mounts.ops.iter().any(|op| {
        let Op::Tmpfs { at: around, .. } = op else {
            return false;
        };
        at != around && at.starts_with(around)
    })
}

fn config(job: &Job) -> Result<Value, Box<dyn Error>> {
    let plan = &job.plan;
    let env: Vec<String> = plan
        .env
        .iter()
        .map(|(name, value)| format!("{}={}", name.display(), value.display()))
        .collect();
    let rlimits: Vec<Value> = plan
        .limits
        .rlimits
        .iter()
        .map(|limit| {
            let name = format!("RLIMIT_{}", limit.name.to_uppercase());
            json!({ "type": name, "soft": limit.soft, "hard": limit.hard })
        })
        .collect();
    let arguments: Vec<_> = job
        .command()
        .into_iter()
        .map(|word| word.display().to_string())
        .collect();
    let none: [&str; 0] = [];
    let namespaces = ["pid", "network", "ipc", "uts", "mount", "user", "cgroup"]
        .map(|kind| json!({ "type": kind }));
    let one = |host: u32| json!([{ "containerID": 0, "hostID": host, "size": 1 }]);
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": arguments,
            "env": env,
            "cwd": plan.cwd,
            "capabilities": {
                "bounding": none, "effective": none, "permitted": none,
                "inheritable": none, "ambient": none,
            },
            "rlimits": rlimits,
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": plan.hostname,
        "mounts": mounts(plan)?,
        "linux": {
            "uidMappings": one(nix::unistd::geteuid().as_raw()),
            "gidMappings": one(nix::unistd::getegid().as_raw()),
            "namespaces": namespaces,
            "seccomp": filter(job),
        },
    }))
}

/// The allowed calls by name, as a runtime compiles them in every run.
pub fn filter(job: &Job) -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": libc::ENOSYS,
        "architectures": [],
        "syscalls": [{ "names": job.calls, "action": "SCMP_ACT_ALLOW" }],
    })
}

fn mounts(plan: &Plan) -> Result<Vec<Value>, Box<dyn Error>> {
    let dev = Path::new("/dev");
    let mut mounts = Vec::new();
    for op in &plan.mounts.ops {
        let (kind, source, mut options) = match op {
            Op::Tmpfs {
                bytes,
                inodes,
                mode,
                attributes,
                ..
            } => {
                let mut options = flags(attributes);
                options.push(format!("size={bytes}"));
                options.push(format!("nr_inodes={inodes}"));
                options.push(format!("mode={mode:o}"));
                ("tmpfs", "tmpfs".into(), options)
            }
            Op::Proc { only_pids, .. } => {
                let mut options = vec!["ro".into(), "noexec".into(), "hidepid=invisible".into()];
                options.extend(only_pids.then(|| "subset=pid".into()));
                ("proc", "proc".into(), options)
            }
            Op::Devpts { .. } => {
                let options = ["noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
                ("devpts", "devpts".into(), options.map(String::from).into())
            }
            // The runtimes bind devices of their own choice, the same.
            other if other.at().starts_with(dev) => continue,
            Op::Bind {
                source, attributes, ..
            } => {
                let mut options = flags(attributes);
                options.push("rbind".into());
                ("bind", source.clone(), options)
            }
            Op::Directory { .. } | Op::File { .. } | Op::Symlink { .. } | Op::Seal { .. } => {
                continue;
            }
            other => return Err(format!("no entry of `mounts` for {other:?}").into()),
        };
        options.push("nosuid".into());
        if kind != "devpts" {
            options.push("nodev".into());
        }
        mounts.push(json!({
            "destination": op.at(), "type": kind, "source": source, "options": options,
        }));
    }
    Ok(mounts)
}

pub fn flags(attributes: &MountAttributes) -> Vec<String> {
    let mut flags = vec![String::from(if attributes.read_only { "ro" } else { "rw" })];
    flags.extend(attributes.no_exec.then(|| "noexec".into()));
    flags
}
