//! The plan as text: what `sandbox plan` prints, stable from run to run.
//! It must not show less than is done, and must not decide anything.
//!
//! One line per decision, in the order of [`Step::ALL`], so that two plans can
//! be compared with `diff`. Device and inode numbers are left out: the child
//! checks them, but they differ between machines and tell a reader nothing.

use super::{Limits, MountAttributes, Mounts, Op, Outside, Plan, Rlimit, Shares};
use crate::escape::{plain, quote, tick};
use crate::policy::{CPU_PERIOD_US, Full, Network, processors};
use crate::step::{By, Step};
use std::ffi::OsStr;
use std::fmt::{Display, Formatter, Result};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Names of `handled_access_fs` by bit, `linux/landlock.h` as of Landlock ABI 9.
const LANDLOCK_FS: [&str; 17] = [
    "execute",
    "write-file",
    "read-file",
    "read-dir",
    "remove-dir",
    "remove-file",
    "make-char",
    "make-dir",
    "make-reg",
    "make-sock",
    "make-fifo",
    "make-block",
    "make-sym",
    "refer",
    "truncate",
    "ioctl-dev",
    "resolve-unix",
];
/// Names of `handled_access_net` by bit (Landlock ABI 4).
const LANDLOCK_NET: [&str; 2] = ["bind-tcp", "connect-tcp"];
/// Names of `scoped` by bit (Landlock ABI 6).
const LANDLOCK_SCOPED: [&str; 2] = ["abstract-unix-socket", "signal"];

/// Line-oriented and stable: a section per step that has content, its lines
/// indented by two spaces. All foreign text is escaped.
impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        steps(f)?;
        self.ids(f)?;
        self.mounts.write(f)?;
        self.net(f)?;
        caps(f)?;
        self.limits.write(f)?;
        self.attributes(f)?;
        writeln!(f, "no-new-privs\n  set")?;
        self.landlock(f)?;
        self.seccomp(f)?;
        self.exec(f)?;
        self.weakened(f)?;
        self.copies.write(f)
    }
}

fn steps(f: &mut Formatter<'_>) -> Result {
    writeln!(f, "steps")?;
    for (position, step) in Step::ALL.iter().enumerate() {
        let by = match step.by() {
            By::Parent => "parent",
            By::Init => "init",
            By::Payload => "payload",
        };
        writeln!(f, "  {} {} ({by})", position + 1, step.name())?;
    }
    Ok(())
}

impl Plan {
    fn ids(&self, f: &mut Formatter<'_>) -> Result {
        let ids = self.ids;
        writeln!(f, "ids")?;
        writeln!(f, "  inside: uid {}, gid {}", ids.uid, ids.gid)?;
        match ids.outside {
            Outside::Caller { uid, gid } => {
                writeln!(f, "  outside: uid {uid}, gid {gid} (the caller)")?;
            }
            Outside::Range { first, last } => writeln!(
                f,
                "  outside: one unused uid and gid from {first} to {last} (started by root)"
            )?,
        }
        writeln!(f, "  setgroups: denied")
    }

    fn net(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "net")?;
        writeln!(
            f,
            "  network: {}",
            match self.network {
                Network::None => "none (a namespace of its own, nothing up)",
                Network::Loopback => "loopback (a namespace of its own, `lo` up)",
                Network::Host => "host (the host's own network)",
            }
        )?;
        writeln!(f, "  hostname: {}", tick(&self.hostname))
    }

    fn attributes(&self, f: &mut Formatter<'_>) -> Result {
        let on = |set: bool| if set { "on" } else { "off" };
        let [store, branch] = self.attributes.speculation;
        writeln!(f, "attributes")?;
        writeln!(
            f,
            "  memory-deny-write-execute: {}",
            on(self.attributes.mdwe)
        )?;
        writeln!(f, "  speculation, store bypass: {}", mitigation(store))?;
        writeln!(f, "  speculation, indirect branch: {}", mitigation(branch))?;
        writeln!(
            f,
            "  core-scheduling: {}",
            on(self.attributes.core_scheduling)
        )?;
        let addresses = on(self.attributes.aslr);
        writeln!(f, "  address randomisation: {addresses}")?;
        let cpus: Vec<String> = self.cpus.iter().map(u32::to_string).collect();
        match cpus.is_empty() {
            true => writeln!(f, "  processors: any"),
            false => writeln!(f, "  processors: {}", cpus.join(",")),
        }
    }

    fn landlock(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "landlock")?;
        let Some(landlock) = &self.landlock else {
            return writeln!(f, "  none (weakened)");
        };
        writeln!(f, "  abi: {}", landlock.abi)?;
        let rows = [
            ("files", landlock.handled_fs, &LANDLOCK_FS[..]),
            ("network", landlock.handled_net, &LANDLOCK_NET),
            ("scoped", landlock.scoped, &LANDLOCK_SCOPED),
        ];
        for (what, bits, names) in rows {
            writeln!(f, "  {what}: {}", bit_names(bits, names))?;
        }
        for (position, (path, rights)) in landlock.rules.iter().enumerate() {
            let rights = bit_names(*rights, &LANDLOCK_FS);
            writeln!(f, "  {position} allow {}: {rights}", tick(path))?;
        }
        Ok(())
    }

    fn seccomp(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "seccomp")?;
        writeln!(f, "  instructions: {}", self.seccomp.program.len())?;
        for line in &self.seccomp.answers.lines() {
            writeln!(f, "  {}", plain(line))?;
        }
        Ok(())
    }

    fn exec(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "exec")?;
        writeln!(f, "  program: {}", quote(&self.program.name))?;
        for (position, argument) in self.program.args.iter().enumerate() {
            writeln!(f, "  argument {}: {}", position + 1, quote(argument))?;
        }
        for candidate in &self.program.candidates {
            writeln!(f, "  try {}", tick(candidate))?;
        }
        writeln!(f, "  cwd: {}", tick(&self.cwd))?;
        for number in &self.descriptors {
            writeln!(f, "  descriptor {number}: passed on")?;
        }
        for (name, value) in &self.env {
            writeln!(f, "  env {}={}", plain(name), quote(value))?;
        }
        Ok(())
    }

    fn weakened(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "weakened")?;
        if self.weakened.is_empty() {
            return writeln!(f, "  nothing");
        }
        for (token, reason) in &self.weakened {
            writeln!(f, "  {}, because {}", token.name(), quote(reason))?;
        }
        Ok(())
    }
}

fn mitigation(forced: bool) -> &'static str {
    match forced {
        true => "force-disable",
        false => "as the kernel has it",
    }
}

/// What the launcher does to every program: not a choice, so not in the plan's
/// data, but part of what will be done.
fn caps(f: &mut Formatter<'_>) -> Result {
    writeln!(f, "caps")?;
    for set in [
        "effective",
        "permitted",
        "inheritable",
        "bounding",
        "ambient",
    ] {
        writeln!(f, "  {set}: empty")?;
    }
    writeln!(f, "  securebits: locked")
}

impl Mounts {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "mounts")?;
        writeln!(
            f,
            "  root: tmpfs, {}, {} inodes",
            bytes(self.root_bytes),
            self.root_inodes
        )?;
        for (position, op) in self.ops.iter().enumerate() {
            writeln!(f, "  {position} {}", describe(op))?;
        }
        Ok(())
    }
}

fn describe(op: &Op) -> String {
    let tick = |path: &Path| tick(path);
    match op {
        Op::Directory { at, mode } => format!("directory {}, mode {mode:04o}", tick(at)),
        Op::File { at, text, mode } => {
            format!("file {}, mode {mode:04o}, {}", tick(at), content(text))
        }
        Op::Symlink { at, target } => format!("symlink {} to {}", tick(at), tick(target)),
        Op::Tmpfs {
            at,
            bytes: size,
            inodes,
            mode,
            attributes,
        } => format!(
            "tmpfs {}, {}, {inodes} inodes, mode {mode:04o}, {} nosuid nodev",
            tick(at),
            bytes(*size),
            flags(*attributes)
        ),
        Op::Bind {
            at,
            source,
            identity,
            attributes,
            device,
        } => {
            let kind = match (identity.directory, device) {
                (true, _) => "directory",
                (false, true) => "device",
                (false, false) => "file",
            };
            let nodev = if *device { "" } else { " nodev" };
            format!(
                "bind {} from {}, {kind} of {}:{}, {} nosuid{nodev}",
                tick(at),
                tick(source),
                identity.owner.0,
                identity.owner.1,
                flags(*attributes)
            )
        }
        Op::Pin { at, attributes } => {
            format!("pin {}, {} nosuid nodev", tick(at), flags(*attributes))
        }
        Op::Mask { at, directory } => {
            let kind = if *directory { "directory" } else { "file" };
            format!("mask {}, empty {kind}", tick(at))
        }
        Op::Cover { at, text } => format!("cover {}, {}", tick(at), content(text)),
        Op::Proc { at, only_pids } => {
            let subset = if *only_pids { ", subset=pid" } else { "" };
            format!("proc {}{subset}", tick(at))
        }
        Op::Devpts { at } => format!("devpts {}", tick(at)),
        Op::Seal { at } => format!("seal {}, ro", tick(at)),
    }
}

fn flags(attributes: MountAttributes) -> String {
    let access = if attributes.read_only { "ro" } else { "rw" };
    let exec = if attributes.no_exec { "noexec" } else { "exec" };
    format!("{access} {exec}")
}

fn content(text: &[u8]) -> String {
    match text {
        [] => String::from("empty"),
        text => format!("{} bytes {}", text.len(), quote(OsStr::from_bytes(text))),
    }
}

impl Limits {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "limits")?;
        for limit in &self.rlimits {
            let unit = |value| in_unit(limit, value);
            match limit.soft == limit.hard {
                true => writeln!(f, "  rlimit {}: {}", limit.name, unit(limit.hard))?,
                false => writeln!(
                    f,
                    "  rlimit {}: {}, hard {}",
                    limit.name,
                    unit(limit.soft),
                    unit(limit.hard)
                )?,
            }
        }
        match self.memory {
            Some((most, by)) => writeln!(f, "  memory: {}, by {}", bytes(most), by.name())?,
            None => writeln!(f, "  memory: unlimited")?,
        }
        match self.processes {
            Some((most, by)) => writeln!(f, "  processes: {most}, by {}", by.name())?,
            None => writeln!(f, "  processes: unlimited")?,
        }
        match self.cpu_time {
            Some(time) => writeln!(f, "  cpu-time: {time:?}, counted by {}", self.cpu_by.name())?,
            None => writeln!(f, "  cpu-time: unlimited")?,
        }
        match self.wall_time {
            Some(time) => writeln!(f, "  wall-time: {time:?}")?,
            None => writeln!(f, "  wall-time: unlimited")?,
        }
        for (name, cap) in [
            ("output", self.output),
            ("stdout", self.stdout),
            ("stderr", self.stderr),
        ] {
            match cap {
                Some(cap) => writeln!(f, "  {name}: {}, {}", bytes(cap.most), past(cap.full))?,
                None => writeln!(f, "  {name}: unlimited")?,
            }
        }
        self.shares.write(f)
    }
}

impl Shares {
    /// As the lines that are written to the group's files.
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        match self.cpu_max {
            Some(quota) => writeln!(
                f,
                "  cpu-max: {} processors, {quota} us in each {CPU_PERIOD_US} us, by cpu.max",
                processors(quota)
            )?,
            None => writeln!(f, "  cpu-max: unlimited")?,
        }
        match self.cpu_weight {
            Some(weight) => writeln!(f, "  cpu-weight: {weight}, by cpu.weight")?,
            None => writeln!(f, "  cpu-weight: the kernel's own")?,
        }
        if self.io_max.is_empty() {
            writeln!(f, "  io-max: unlimited")?;
        }
        for ((major, minor), rates) in &self.io_max {
            let count = |name, rate: Option<u64>| Some(format!("{name} {}", rate?));
            let size = |name, rate: Option<u64>| Some(format!("{name} {}", bytes(rate?)));
            let rates = [
                size("read", rates.read_bytes),
                size("write", rates.write_bytes),
                count("reads", rates.reads),
                count("writes", rates.writes),
            ];
            let rates: Vec<String> = rates.into_iter().flatten().collect();
            let rates = rates.join(", ");
            writeln!(f, "  io-max {major}:{minor}: {rates} a second, by io.max")?;
        }
        Ok(())
    }
}

/// What happens past a stream's limit.
fn past(full: Full) -> &'static str {
    match full {
        Full::Kill => "then killed",
        Full::Truncate => "then closed",
        Full::Drain => "then dropped",
    }
}

/// A limit's value in the resource's own unit, `setrlimit(2)`.
fn in_unit(limit: &Rlimit, value: u64) -> String {
    // RLIM_INFINITY on every 64-bit Linux.
    if value == u64::MAX {
        return String::from("unlimited");
    }
    match limit.name {
        "as" | "core" | "data" | "fsize" | "memlock" | "msgqueue" | "rss" | "stack" => bytes(value),
        "cpu" => format!("{value} s"),
        "rttime" => format!("{value} us"),
        "nproc" => format!("{value} processes"),
        "nofile" => format!("{value} descriptors"),
        "sigpending" => format!("{value} signals"),
        "locks" => format!("{value} locks"),
        _ => value.to_string(),
    }
}

/// Bytes, exact, with the largest binary unit that is exact too.
fn bytes(value: u64) -> String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
        let whole = value >> shift;
        if whole != 0 && whole << shift == value {
            return format!("{value} bytes ({whole} {unit})");
        }
    }
    format!("{value} bytes")
}

/// The bits by name. A bit without one is shown by number: silence about a
/// right would be a lie.
fn bit_names(bits: u64, names: &[&str]) -> String {
    if bits == 0 {
        return String::from("none");
    }
    let mut words = Vec::new();
    for bit in 0..u64::BITS {
        if bits & (1 << bit) != 0 {
            match names.get(bit as usize) {
                Some(name) => words.push((*name).to_owned()),
                None => words.push(format!("bit-{bit}")),
            }
        }
    }
    words.join(" ")
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
