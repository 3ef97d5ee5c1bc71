//! Checks single values, the same for the policy file and the command line.
//!
//! Every function is pure and answers a mistake with a sentence; where the value
//! stood is the caller's to say.

use super::error::quote;
use super::rates;
use super::syscalls::{self, Standing};
use super::units::{parse_bytes, parse_count, parse_duration};
use super::{Cap, Enforcement, Full, Limits, Network};
use crate::cpulist;
use std::time::Duration;

/// Words of `[network] mode`.
pub(super) const NETWORKS: [&str; 3] = ["none", "loopback", "host"];

/// A word of `[network] mode`.
pub(super) fn network(word: &str) -> Option<Network> {
    match word {
        "none" => Some(Network::None),
        "loopback" => Some(Network::Loopback),
        "host" => Some(Network::Host),
        _ => None,
    }
}

/// Words of `limits.enforcement`.
pub(super) const ENFORCEMENTS: [&str; 2] = ["best", "kernel"];

/// A word of `limits.enforcement`.
pub(super) fn enforcement(word: &str) -> Option<Enforcement> {
    let mut all = Enforcement::ALL.into_iter();
    all.find(|enforcement| enforcement.name() == word)
}

/// Words of what happens when a stream is full.
pub(super) const FULL: [&str; 3] = ["kill", "truncate", "drain"];

/// A word of what happens when a stream is full.
pub(super) fn full(word: &str) -> Option<Full> {
    Full::ALL.into_iter().find(|full| full.name() == word)
}

/// A uid or gid inside.
pub(super) fn id(key: &str, number: u64) -> Result<u32, String> {
    match u32::try_from(number) {
        Ok(0) => Err(format!(
            "`{key}` must not be 0: programs behave as if they were root, and inside they never are"
        )),
        // (uid_t) -1 means "no change" to setresuid(2) and chown(2).
        Ok(u32::MAX) | Err(_) => Err(format!("`{key}` must be between 1 and 4294967294")),
        Ok(id) => Ok(id),
    }
}

/// `FIRST-LAST`.
pub(super) fn id_range(text: &str) -> Result<(u32, u32), String> {
    let wrong = || {
        format!(
            "{} is no range of ids; write `FIRST-LAST` with 1 <= FIRST <= LAST <= 4294967293",
            quote(text)
        )
    };
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    // `u32::from_str` takes a sign.
    let number = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
        true => part.parse::<u32>().map_err(|_| wrong()),
        false => Err(wrong()),
    };
    let (first, last) = (number(first)?, number(last)?);
    if first == 0 || last > u32::MAX - 2 || first > last {
        return Err(wrong());
    }
    Ok((first, last))
}

/// Processors that a mask of the kernel's usual size has (CPU_SETSIZE).
const MOST_CPUS: u32 = 1024;

/// A list of processors as `taskset -c` takes it, `0-3,5`, in order; `none` for no
/// list.
pub(super) fn cpus(text: &str) -> Result<Option<Vec<u32>>, String> {
    if text == "none" {
        return Ok(None);
    }
    let wrong = || {
        format!(
            "{} is no list of processors; write numbers and ranges below {MOST_CPUS}, such as `0-3,5`",
            quote(text)
        )
    };
    match cpulist::parse(text) {
        Some(cpus) if cpus.last().is_some_and(|last| *last < MOST_CPUS) => {
            Ok(Some(cpus.into_iter().collect()))
        }
        _ => Err(wrong()),
    }
}

/// A host name: what sethostname(2) takes (64 bytes) and every resolver too.
pub(super) fn hostname(name: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&name.len());
    if !fits
        || !name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    {
        return Err(format!(
            "{} is no host name; use 1 to 64 of the characters A-Z a-z 0-9 `.` `-`",
            quote(name)
        ));
    }
    Ok(name.to_owned())
}

/// The name of an environment variable.
pub(super) fn variable(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(String::from("the name of a variable is empty"));
    }
    if name.contains(['=', '\0']) {
        return Err(format!(
            "{} is no name of a variable: it contains `=` or NUL",
            quote(name)
        ));
    }
    Ok(())
}

/// The value of an environment variable.
pub(super) fn variable_value(name: &str, value: &str) -> Result<(), String> {
    match value.contains('\0') {
        true => Err(format!("the value of {} contains a NUL byte", quote(name))),
        false => Ok(()),
    }
}

/// The name of a system call or a group of them.
pub(super) fn syscall(name: &str) -> Result<(), String> {
    let bare = name.strip_prefix('@').unwrap_or(name);
    let known = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if bare.is_empty() || !bare.bytes().all(known) {
        return Err(format!(
            "{} is no name of a system call, nor `@group`",
            quote(name)
        ));
    }
    if syscalls::is_known(name) {
        return Ok(());
    }
    let kind = match name.starts_with('@') {
        true => "group of system calls",
        false => "system call",
    };
    let meant = syscalls::nearest(name).map(|near| format!("; did you mean `{near}`?"));
    let meant = meant.unwrap_or_default();
    Err(format!("unknown {kind} {}{meant}", quote(name)))
}

/// A word of `allow` that no policy can allow: why, and what to do about it.
pub(super) fn allowable(name: &str) -> Result<(), (String, String)> {
    // Every group is made of calls that one can allow.
    if name.starts_with('@') {
        return Ok(());
    }
    let (reason, answer) = match syscalls::standing(name) {
        Some(Standing::Refused { reason }) => (reason, "EPERM"),
        Some(Standing::Unknown { reason }) => (reason, "ENOSYS"),
        Some(Standing::Allowable { .. }) | None => return Ok(()),
    };
    Err((
        format!("no policy can allow {}: {reason}", quote(name)),
        format!("remove it from `allow`; it answers {answer}"),
    ))
}

/// Why a weakening was asked for.
pub(super) fn reason(token: &str, reason: &str) -> Result<(), String> {
    match reason.trim().is_empty() {
        true => Err(format!("`{token}` needs a reason; the report repeats it")),
        false => Ok(()),
    }
}

/// What a limit is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Bytes.
    Bytes,
    /// Bytes on a stream, and what happens past them.
    Stream,
    /// Time.
    Time,
    /// Things.
    Count,
    /// Processors, and parts of one.
    Processors,
}

impl Unit {
    /// What to write.
    pub fn wanted(self) -> &'static str {
        match self {
            Unit::Bytes => "a size such as \"64MiB\" or \"none\"",
            Unit::Stream => "a size such as \"64MiB\", a table or \"none\"",
            Unit::Time => "a duration such as \"10s\" or \"none\"",
            Unit::Count => "a whole number or \"none\"",
            Unit::Processors => "a number of processors such as 1.5, or \"none\"",
        }
    }
}

/// The unit of a limit.
pub(super) fn limit_unit(name: &str) -> Unit {
    match name {
        "cpu-time" | "wall-time" => Unit::Time,
        "processes" | "open-files" | "cpu-weight" => Unit::Count,
        "cpu-max" => Unit::Processors,
        "output" | "stdout" | "stderr" => Unit::Stream,
        _ => Unit::Bytes,
    }
}

/// The limits that are of streams.
pub(super) fn cap_slot<'l>(limits: &'l mut Limits, name: &str) -> Option<&'l mut Option<Cap>> {
    match name {
        "output" => Some(&mut limits.output),
        "stdout" => Some(&mut limits.stdout),
        "stderr" => Some(&mut limits.stderr),
        _ => None,
    }
}

/// The size of a cap.
pub(super) fn cap_bytes(name: &str, text: &str) -> Result<u64, String> {
    match parse_bytes(text)? {
        0 => Err(no_zero(name)),
        bytes => Ok(bytes),
    }
}

fn no_zero(name: &str) -> String {
    format!("`{name}` must not be 0; write \"none\" for no limit")
}

/// Sets one limit by its name in the file format; `none` takes it away.
pub(super) fn set_limit(limits: &mut Limits, name: &str, text: &str) -> Result<(), String> {
    let none = text == "none";
    let zero = || Err(no_zero(name));
    match name {
        "cpu-max" => {
            limits.cpu_max = match none {
                true => None,
                false => Some(rates::cpu_max(text)?),
            };
            return Ok(());
        }
        "cpu-weight" => {
            limits.cpu_weight = match none {
                true => None,
                false => Some(rates::cpu_weight(parse_count(text)?)?),
            };
            return Ok(());
        }
        _ => {}
    }
    if limit_unit(name) == Unit::Time {
        let time = match none {
            true => None,
            false => Some(parse_duration(text)?),
        };
        if time == Some(Duration::ZERO) {
            return zero();
        }
        match name {
            "cpu-time" => limits.cpu_time = time,
            _ => limits.wall_time = time,
        }
        return Ok(());
    }
    if let Some(slot) = cap_slot(limits, name) {
        *slot = match none {
            true => None,
            false => Some(Cap::from(cap_bytes(name, text)?)),
        };
        return Ok(());
    }
    let number = match limit_unit(name) {
        _ if none => None,
        Unit::Count => Some(parse_count(text)?),
        _ => Some(parse_bytes(text)?),
    };
    if number == Some(0) {
        return zero();
    }
    let slot = match name {
        "memory" => &mut limits.memory,
        "processes" => &mut limits.processes,
        "file-size" => &mut limits.file_size,
        "open-files" => &mut limits.open_files,
        "stack" => &mut limits.stack,
        _ => return Err(format!("{} is no limit", quote(name))),
    };
    *slot = number;
    Ok(())
}

/// Bytes of a tmpfs or of `/dev/shm`. `size=0` means *unlimited* to tmpfs(5).
pub(super) fn tmpfs_bytes(text: &str) -> Result<u64, String> {
    match parse_bytes(text)? {
        0 => Err(String::from(
            "a tmpfs of 0 bytes would have no limit at all",
        )),
        bytes => Ok(bytes),
    }
}

/// Inodes of a tmpfs. `nr_inodes=0` means *unlimited* to tmpfs(5).
pub(super) fn tmpfs_inodes(number: u64) -> Result<u64, String> {
    match number {
        0 => Err(String::from(
            "a tmpfs of 0 inodes would have no limit at all",
        )),
        number => Ok(number),
    }
}

/// One inode for 16 KiB, as most file systems are made: each inode costs about
/// 1 KiB of kernel memory that `size=` does not count.
pub(super) fn default_inodes(bytes: u64) -> u64 {
    (bytes / 16_384).clamp(64, 1 << 20)
}
