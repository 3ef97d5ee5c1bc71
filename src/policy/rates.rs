//! `cpu-max`, `cpu-weight` and `io-max`: limits of speed, which nothing keeps but a
//! controller of cgroup v2. Reads them, from a policy and from an option, and writes
//! them back.
//!
//! It never rounds, and looks at no disk: which one a path means is the host's to say.

use super::context::{Caller, Unresolved};
use super::error::{Error, Source, quote};
use super::table::{Key, Shape, Table, Value, entries};
use super::units::{parse_bytes, size};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The period that `cpu-max` is kept in, microseconds: the kernel's own default.
pub const CPU_PERIOD_US: u64 = 100_000;

/// One hundredth of a processor: the kernel takes no quota below a millisecond.
const LEAST_CPU_US: u64 = 1000;
/// More processors than any kernel is built for (CONFIG_NR_CPUS).
const MOST_CPUS: u64 = 10_000;
/// Digits after the point: microseconds in a period.
const PLACES: usize = 5;

/// The kernel keeps requests in 32 bits, and takes the largest of them for no limit.
const MOST_REQUESTS: u64 = u32::MAX as u64 - 1;

const RATES: [&str; 4] = ["read-bytes", "write-bytes", "reads", "writes"];

/// A disk that `io-max` speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disk {
    /// `"MAJOR:MINOR"`: the numbers of a whole disk, as `lsblk` and
    /// `/proc/self/mountinfo` have them.
    Number(u32, u32),
    /// The disk below the file system that this host path is on; where the path is a
    /// block device, that one. Absolute and normalised.
    Of(PathBuf),
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disk::Number(major, minor) => write!(f, "{major}:{minor}"),
            Disk::Of(path) => path.display().fmt(f),
        }
    }
}

/// The most that is read from and written to a disk in each second; `None` is without
/// limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IoRates {
    /// Bytes read.
    pub read_bytes: Option<u64>,
    /// Bytes written.
    pub write_bytes: Option<u64>,
    /// Requests to read.
    pub reads: Option<u64>,
    /// Requests to write.
    pub writes: Option<u64>,
}

/// Microseconds of a decimal number of processors in each [`CPU_PERIOD_US`].
pub(super) fn cpu_max(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "{} is no number of processors; write a decimal with at most {PLACES} places, such as `1.5`",
            quote(text)
        )
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let part = match part.trim_end_matches('0') {
        // `1.` is no number, `1.0` is.
        "" if digits(part) => "0",
        part => part,
    };
    if !digits(whole) || !digits(part) || part.len() > PLACES {
        return Err(wrong());
    }
    let part: u64 = format!("{part:0<PLACES$}").parse().map_err(|_| wrong())?;
    let whole: Option<u64> = whole.parse().ok();
    whole
        .and_then(|whole| whole.checked_mul(CPU_PERIOD_US)?.checked_add(part))
        .filter(|quota| (LEAST_CPU_US..=MOST_CPUS * CPU_PERIOD_US).contains(quota))
        .ok_or_else(|| {
            format!(
                "`cpu-max` must be between 0.01 and {MOST_CPUS} processors; write \"none\" for no limit"
            )
        })
}

/// A number of processors as [`cpu_max`] reads it.
pub(crate) fn processors(quota_us: u64) -> String {
    let (whole, part) = (quota_us / CPU_PERIOD_US, quota_us % CPU_PERIOD_US);
    match part {
        0 => whole.to_string(),
        part => format!("{whole}.{part:0>PLACES$}")
            .trim_end_matches('0')
            .to_owned(),
    }
}

/// `cpu.weight`.
pub(super) fn cpu_weight(number: u64) -> Result<u32, String> {
    match u32::try_from(number) {
        Ok(weight @ 1..=10_000) => Ok(weight),
        _ => Err(String::from("`cpu-weight` must be between 1 and 10000")),
    }
}

/// Lays one `io-max` over what is known so far: each disk that it names anew, or all
/// away with `"none"`.
pub(super) fn io_max(
    known: &mut BTreeMap<Disk, IoRates>,
    source: &Source,
    context: &Caller,
    key: &Key,
    value: &Value,
) -> Result<(), Error> {
    let table = match value.shape {
        Shape::Table(table) => table,
        Shape::String("none") => {
            known.clear();
            return Ok(());
        }
        _ => return Err(source.mistyped(key, value, "a table of disks or \"none\"")),
    };
    let mut named = Vec::new();
    for (key, value) in entries(table) {
        let disk = disk(source, context, &key)?;
        // `/home` and `/home/`.
        if named.contains(&disk) {
            let message = format!("{} is named twice", quote(&disk.to_string()));
            return Err(source.error(key.at, message));
        }
        match value.shape {
            Shape::Table(table) => {
                known.insert(disk.clone(), rates(source, &key, &value, table)?);
            }
            Shape::String("none") => {
                known.remove(&disk);
            }
            _ => {
                let wanted = "a table such as { read-bytes = \"10MiB\" }, or \"none\"";
                return Err(source.mistyped(&key, &value, wanted));
            }
        }
        named.push(disk);
    }
    Ok(())
}

fn disk(source: &Source, context: &Caller, key: &Key) -> Result<Disk, Error> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if let Some((major, minor)) = key.name.split_once(':')
        && digits(major)
        && digits(minor)
    {
        // The kernel has 12 bits for the one and 20 for the other.
        return match (major.parse(), minor.parse()) {
            (Ok(major @ 0..0x1000), Ok(minor @ 0..0x10_0000)) => Ok(Disk::Number(major, minor)),
            _ => {
                let message = format!("{} is no number of a device", quote(key.name));
                let error = source.error(key.at.clone(), message);
                Err(error.hint("write `MAJOR:MINOR` as `lsblk` does, such as \"8:0\""))
            }
        };
    }
    let path = context.inside(key.name);
    let path = path.map(|path| Disk::Of(path.as_path().to_owned()));
    path.map_err(|why: Unresolved| {
        let error = source.error(key.at.clone(), why.message());
        error.hint("a disk is `MAJOR:MINOR`, such as \"8:0\", or a path on its file system")
    })
}

fn rates(source: &Source, key: &Key, value: &Value, table: Table) -> Result<IoRates, Error> {
    let mut rates = IoRates::default();
    for (inner, value) in entries(table) {
        let wrong = |why: String| source.error(value.at.clone(), why);
        let (slot, bytes) = match inner.name {
            "read-bytes" => (&mut rates.read_bytes, true),
            "write-bytes" => (&mut rates.write_bytes, true),
            "reads" => (&mut rates.reads, false),
            "writes" => (&mut rates.writes, false),
            _ => return Err(source.unknown(&inner, &RATES)),
        };
        let rate = match (value.shape, bytes) {
            (Shape::String(text), true) => parse_bytes(text).map_err(wrong)?,
            (Shape::Integer(..), _) => source.count(&inner, &value)?,
            (_, true) => {
                return Err(source.mistyped(&inner, &value, "a size such as \"10MiB\""));
            }
            (_, false) => return Err(source.mistyped(&inner, &value, "a whole number")),
        };
        let name = inner.name;
        *slot = Some(match rate {
            0 => {
                return Err(wrong(format!(
                    "`{name}` must not be 0; leave it out for no limit"
                )));
            }
            rate if !bytes && rate > MOST_REQUESTS => {
                return Err(wrong(format!("`{name}` is more than {MOST_REQUESTS}")));
            }
            rate => rate,
        });
    }
    if rates == IoRates::default() {
        let message = format!("{} says no limit", quote(key.name));
        let error = source.error(value.at.clone(), message);
        return Err(error.hint(
            "say at least one of `read-bytes`, `write-bytes`, `reads`, `writes`, each for one second",
        ));
    }
    Ok(rates)
}

/// The right side of one disk, as [`rates`] reads it; `string` writes a string of TOML.
pub(super) fn written(rates: &IoRates, string: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let IoRates {
        read_bytes,
        write_bytes,
        reads,
        writes,
    } = *rates;
    let bytes = |rate: Option<u64>| rate.map(|rate| string(&size(rate)));
    let count = |rate: Option<u64>| rate.map(|rate| rate.to_string());
    let values = [
        bytes(read_bytes),
        bytes(write_bytes),
        count(reads),
        count(writes),
    ];
    RATES
        .into_iter()
        .zip(values)
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_of_processors_is_exact() {
        for (text, quota) in [
            ("1", 100_000),
            ("0.5", 50_000),
            ("0.01", 1000),
            ("1.50", 150_000),
            ("2.0", 200_000),
            ("0.12345", 12_345),
            ("10000", 1_000_000_000),
        ] {
            assert_eq!(cpu_max(text), Ok(quota), "{text}");
        }
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1e2", "0.123456", "1,5", "inf", "nan", "١",
        ] {
            let why = cpu_max(text).unwrap_err();
            assert!(why.contains("is no number of processors"), "{text}: {why}");
        }
        for text in [
            "0",
            "0.0",
            "0.00999",
            "10000.00001",
            "18446744073709551616",
            "999999999999999",
        ] {
            let why = cpu_max(text).unwrap_err();
            assert!(why.contains("between 0.01 and 10000"), "{text}: {why}");
        }
    }

    #[test]
    fn a_weight_is_the_kernels() {
        assert_eq!(
            [1, 100, 10_000].map(cpu_weight),
            [Ok(1), Ok(100), Ok(10_000)]
        );
        for number in [0, 10_001, 1 << 32, u64::MAX] {
            assert!(cpu_weight(number).is_err(), "{number}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(quota in LEAST_CPU_US..=MOST_CPUS * CPU_PERIOD_US) {
            prop_assert_eq!(cpu_max(&processors(quota)), Ok(quota));
        }

        #[test]
        fn any_text_has_an_answer(text: String) {
            let _ = cpu_max(&text);
        }
    }
}
