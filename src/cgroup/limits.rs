//! Limits of a leaf, written and read back. It rounds nothing itself, and takes no value
//! for set that the kernel does not show afterwards.

use super::Controllers;
use super::failure::Failure;
use super::group::Group;
use crate::cpulist;
use crate::escape::{quote, tick};
use crate::sys::Errno;
use std::collections::BTreeSet;

/// What a leaf may use. A field that is `None` (or empty) is left as the kernel made it:
/// without limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// `memory.max`, bytes; the kernel keeps whole pages.
    pub memory: Option<u64>,
    /// `memory.swap.max`, bytes. Not to be asked for: with `memory` it is 0. In an answer,
    /// `None` means that the kernel counts no swap for groups (`swapaccount=0`).
    pub swap: Option<u64>,
    /// `pids.max`: processes and threads.
    pub processes: Option<u64>,
    /// `cpu.max`.
    pub cpu: Option<CpuMax>,
    /// `cpu.weight`, 1 to 10000; 100 is the kernel's own.
    pub cpu_weight: Option<u32>,
    /// `cpuset.cpus`: numbers of processors.
    pub cpus: BTreeSet<u32>,
    /// `io.max`, one entry for each device.
    pub io: Vec<IoMax>,
}

/// Processor time in each period, over all processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuMax {
    /// Microseconds, at least 1000.
    pub quota_us: u64,
    /// Microseconds, 1000 to 1000000.
    pub period_us: u64,
}

/// Most that is read from and written to one device each second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IoMax {
    /// Major number of a whole disk.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Bytes read.
    pub read_bytes: Option<u64>,
    /// Bytes written.
    pub write_bytes: Option<u64>,
    /// Requests to read.
    pub reads: Option<u64>,
    /// Requests to write.
    pub writes: Option<u64>,
}

impl Limits {
    /// The controllers that these limits need.
    pub fn controllers(&self) -> Controllers {
        let needed = [
            (self.memory.is_some(), Controllers::MEMORY),
            (self.processes.is_some(), Controllers::PIDS),
            (
                self.cpu.is_some() || self.cpu_weight.is_some(),
                Controllers::CPU,
            ),
            (!self.cpus.is_empty(), Controllers::CPUSET),
            (!self.io.is_empty(), Controllers::IO),
        ];
        let needed = needed.into_iter().filter(|(asked, _)| *asked);
        needed.fold(Controllers::NONE, |all, (_, one)| all | one)
    }
}

pub(super) fn set(group: &Group, has: Controllers, limits: &Limits) -> Result<Limits, Failure> {
    let missing = limits.controllers() - has;
    if !missing.is_empty() {
        return Err(Failure::new(format!(
            "{} has no controller for: {missing}",
            group.tick()
        )));
    }
    let mut held = Limits::default();
    if let Some(bytes) = limits.memory {
        held.memory = Some(memory(group, bytes)?);
        exact(group, "memory.oom.group", "1")?;
        held.swap = swap(group)?;
    }
    if let Some(most) = limits.processes {
        exact(group, "pids.max", &most.to_string())?;
        held.processes = Some(most);
    }
    if let Some(max) = limits.cpu {
        exact(
            group,
            "cpu.max",
            &format!("{} {}", max.quota_us, max.period_us),
        )?;
        held.cpu = Some(max);
    }
    if let Some(weight) = limits.cpu_weight {
        exact(group, "cpu.weight", &weight.to_string())?;
        held.cpu_weight = Some(weight);
    }
    if !limits.cpus.is_empty() {
        held.cpus = cpus(group, &limits.cpus)?;
    }
    for max in &limits.io {
        held.io.push(io(group, *max)?);
    }
    Ok(held)
}

/// Whole pages, rounded down.
fn memory(group: &Group, bytes: u64) -> Result<u64, Failure> {
    let kept = written(group, "memory.max", &bytes.to_string())?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    let page = page
        .ok()
        .flatten()
        .and_then(|page| u64::try_from(page).ok());
    let whole = bytes - bytes % page.unwrap_or(4096).max(1);
    match super::counters::number(kept.as_bytes()) {
        Some(now) if now == bytes || now == whole => Ok(now),
        _ => Err(kept_another(group, "memory.max", &bytes.to_string(), &kept)),
    }
}

/// No swap; `None` where the kernel does not count it for groups.
fn swap(group: &Group) -> Result<Option<u64>, Failure> {
    match group.read("memory.swap.max") {
        Err(Errno::ENOENT) => Ok(None),
        _ => exact(group, "memory.swap.max", "0").map(|()| Some(0)),
    }
}

/// The processors that it has then, those of the groups above among them.
fn cpus(group: &Group, wanted: &BTreeSet<u32>) -> Result<BTreeSet<u32>, Failure> {
    let list: Vec<String> = wanted.iter().map(u32::to_string).collect();
    let list = list.join(",");
    written(group, "cpuset.cpus", &list)?;
    let kept = read(group, "cpuset.cpus.effective")?;
    match cpulist::parse(kept.trim_end()) {
        Some(now) if now == *wanted => Ok(now),
        _ => Err(kept_another(group, "cpuset.cpus.effective", &list, &kept)
            .hint("a group above has only some of these processors, or one is offline")),
    }
}

fn io(group: &Group, max: IoMax) -> Result<IoMax, Failure> {
    let line = io_line(&max);
    let kept = written(group, "io.max", &line)?;
    // The kernel shows no line for a device without any limit.
    let none = io_fields(&max).iter().all(|(_, value)| value.is_none());
    match kept.lines().find_map(|kept| parse_io(kept, &max)) {
        Some(now) if now == max => Ok(now),
        None if none => Ok(max),
        _ => Err(kept_another(group, "io.max", &line, &kept)),
    }
}

fn io_fields(max: &IoMax) -> [(&'static str, Option<u64>); 4] {
    [
        ("rbps", max.read_bytes),
        ("wbps", max.write_bytes),
        ("riops", max.reads),
        ("wiops", max.writes),
    ]
}

fn io_line(max: &IoMax) -> String {
    let word = |value: Option<u64>| value.map_or(String::from("max"), |value| value.to_string());
    let fields = io_fields(max).map(|(key, value)| format!(" {key}={}", word(value)));
    format!("{}:{}{}", max.major, max.minor, fields.concat())
}

/// The line of this device.
fn parse_io(line: &str, of: &IoMax) -> Option<IoMax> {
    let mut words = line.split_ascii_whitespace();
    if words.next()? != format!("{}:{}", of.major, of.minor) {
        return None;
    }
    let mut found = IoMax {
        read_bytes: None,
        write_bytes: None,
        reads: None,
        writes: None,
        ..*of
    };
    for (key, value) in words.filter_map(|word| word.split_once('=')) {
        let field = match key {
            "rbps" => &mut found.read_bytes,
            "wbps" => &mut found.write_bytes,
            "riops" => &mut found.reads,
            "wiops" => &mut found.writes,
            _ => continue,
        };
        *field = match value {
            "max" => None,
            value => Some(value.parse().ok()?),
        };
    }
    Some(found)
}

fn exact(group: &Group, file: &str, value: &str) -> Result<(), Failure> {
    let kept = written(group, file, value)?;
    match kept.trim_end() == value {
        true => Ok(()),
        false => Err(kept_another(group, file, value, &kept)),
    }
}

/// What the file says after the value was written to it.
fn written(group: &Group, file: &str, value: &str) -> Result<String, Failure> {
    group.write(file, value).map_err(|errno| {
        let what = format!(
            "write {} to {}",
            quote(value),
            tick(group.path().join(file))
        );
        let failure = Failure::because(what, errno);
        match errno {
            Errno::EINVAL | Errno::ERANGE => failure
                .hint("the kernel takes no such value there: see cgroup-v2, \"Interface Files\""),
            // blkg_conf_open_bdev: no such device, or a part of one.
            Errno::ENODEV => failure.hint(
                "`io.max` takes the numbers of a whole disk, not of a part of it: `lsblk` prints them",
            ),
            _ => failure,
        }
    })?;
    read(group, file)
}

fn read(group: &Group, file: &str) -> Result<String, Failure> {
    group
        .read_text(file)
        .map_err(|errno| Failure::because(format!("read {}", tick(group.path().join(file))), errno))
}

fn kept_another(group: &Group, file: &str, asked: &str, kept: &str) -> Failure {
    Failure::new(format!(
        "{} holds {} after {} was written to it",
        tick(group.path().join(file)),
        quote(kept.trim_end()),
        quote(asked)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_limit_needs_its_controller() {
        assert_eq!(Limits::default().controllers(), Controllers::NONE);
        let limits = Limits {
            memory: Some(1),
            cpu_weight: Some(1),
            cpus: BTreeSet::from([0]),
            ..Limits::default()
        };
        assert_eq!(limits.controllers().to_string(), "memory, cpu, cpuset");
    }

    #[test]
    fn a_device_is_told_by_its_whole_number() {
        let of = IoMax {
            major: 8,
            minor: 1,
            read_bytes: Some(1),
            write_bytes: None,
            reads: Some(3),
            writes: None,
        };
        assert_eq!(io_line(&of), "8:1 rbps=1 wbps=max riops=3 wiops=max");
        assert_eq!(parse_io(&io_line(&of), &of), Some(of));
        assert_eq!(parse_io("8:16 rbps=1", &of), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_an_end(text: String) {
            let of = IoMax { major: 0, minor: 0, read_bytes: None, write_bytes: None, reads: None, writes: None };
            let _ = parse_io(&text, &of);
            let _ = parse_io(&format!("0:0 {text}"), &of);
        }
    }
}
