//! Limits of speed: `cpu-max`, `cpu-weight`, `io-max`. Only a controller of cgroup v2
//! keeps them, so that without it there is no plan, whatever `enforcement` accepts.

use super::Refusal;
use crate::escape::tick;
use crate::host::{DiskFact, Host};
use crate::policy::{self, CPU_PERIOD_US, Disk, IoRates};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::path::Path;

/// What the run's group is set to before anything is started in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shares {
    /// `cpu.max`: microseconds in each [`CPU_PERIOD_US`].
    pub cpu_max: Option<u64>,
    /// `cpu.weight`.
    pub cpu_weight: Option<u32>,
    /// `io.max`, by the major and minor number of a whole disk.
    pub io_max: BTreeMap<(u32, u32), IoRates>,
}

/// One of these limits, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The policy's key.
    pub limit: &'static str,
    /// Its value in `unit`.
    pub most: u64,
    /// What is counted.
    pub unit: &'static str,
    /// The file of the group; with several values in one, which.
    pub by: String,
}

impl Shares {
    /// Each value, and the file that keeps it.
    pub fn each(&self) -> Vec<Share> {
        let share = |limit, most, unit, by: &str| Share {
            limit,
            most,
            unit,
            by: by.to_owned(),
        };
        let mut all = Vec::new();
        all.extend(self.cpu_max.map(|quota_us| {
            let ns = quota_us.saturating_mul(1_000_000_000 / CPU_PERIOD_US);
            share("cpu-max", ns, "ns/s", "cpu.max")
        }));
        let weight = self.cpu_weight.map(u64::from);
        all.extend(weight.map(|weight| share("cpu-weight", weight, "weight", "cpu.weight")));
        for ((major, minor), rates) in &self.io_max {
            let disk = |name: &str| format!("io.max {major}:{minor} {name}");
            for (rate, unit, name) in [
                (rates.read_bytes, "bytes/s", "rbps"),
                (rates.write_bytes, "bytes/s", "wbps"),
                (rates.reads, "requests/s", "riops"),
                (rates.writes, "requests/s", "wiops"),
            ] {
                all.extend(rate.map(|rate| share("io-max", rate, unit, &disk(name))));
            }
        }
        all
    }
}

/// What the group will be set to, or which controller is not there for it.
pub(super) fn resolve(limits: &policy::Limits, host: &Host) -> Result<Shares, Refusal> {
    let (cpu, io) = match host.cgroup {
        Some(cgroup) => (cgroup.cpu, cgroup.io),
        None => (false, false),
    };
    for (asked, key, controller, there) in [
        (limits.cpu_max.is_some(), "cpu-max", "cpu", cpu),
        (limits.cpu_weight.is_some(), "cpu-weight", "cpu", cpu),
        (!limits.io_max.is_empty(), "io-max", "io", io),
    ] {
        if asked && !there {
            return Err(without(key, controller, host.cgroup.is_some()));
        }
    }
    let mut io_max: BTreeMap<_, IoRates> = BTreeMap::new();
    for (disk, rates) in &limits.io_max {
        let number = match disk {
            Disk::Number(major, minor) => (*major, *minor),
            Disk::Of(path) => below(path, host)?,
        };
        // Two paths may be on one disk: the smaller of both holds both promises.
        let known = io_max.entry(number).or_default();
        *known = IoRates {
            read_bytes: smaller(known.read_bytes, rates.read_bytes),
            write_bytes: smaller(known.write_bytes, rates.write_bytes),
            reads: smaller(known.reads, rates.reads),
            writes: smaller(known.writes, rates.writes),
        };
    }
    Ok(Shares {
        cpu_max: limits.cpu_max,
        cpu_weight: limits.cpu_weight,
        io_max,
    })
}

fn smaller(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

fn without(key: &str, controller: &str, group: bool) -> Refusal {
    let why = match group {
        true => "the group of the run has not that controller",
        false => "no control group is at hand",
    };
    Refusal::new(format!(
        "the policy wants `{key}`, which nothing keeps but the {controller} controller of cgroup v2, and {why}"
    ))
    .hint(format!(
        "run it where that controller is delegated, for example by `systemd-run --user --scope -p Delegate=yes`; or do without: `{key} = \"none\"`"
    ))
}

fn below(path: &Path, host: &Host) -> Result<(u32, u32), Refusal> {
    let what = format!("`io-max` cannot be kept for {}", tick(path));
    let why = match host.disks.get(path) {
        Some(DiskFact::Disk(major, minor)) => return Ok((*major, *minor)),
        Some(DiskFact::Untold(major, minor)) => format!(
            "it is on the block device {major}:{minor}, and `/sys` does not say whether that is a whole disk"
        ),
        Some(DiskFact::Unreadable(errno)) => Errno::from_raw(*errno).desc().to_owned(),
        Some(DiskFact::None) | None => String::from(
            "the kernel tells no disk by its file system (as of btrfs, overlayfs, tmpfs)",
        ),
    };
    Err(Refusal::new(format!("{what}: {why}")).hint(
        "name the disk by its numbers, such as `\"8:0\"`: `lsblk` prints them, and `df` what a file system is on",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Cgroup;
    use crate::policy::Enforcement;

    fn rates(read_bytes: u64, writes: Option<u64>) -> IoRates {
        IoRates {
            read_bytes: Some(read_bytes),
            writes,
            ..IoRates::default()
        }
    }

    fn host(cpu: bool, io: bool) -> Host {
        let disks = [
            ("/a", DiskFact::Disk(8, 16)),
            ("/b", DiskFact::Disk(8, 16)),
            ("/tmp", DiskFact::None),
            ("/odd", DiskFact::Untold(9, 1)),
            ("/gone", DiskFact::Unreadable(libc::ENOENT)),
        ];
        Host {
            cgroup: Some(Cgroup {
                cpu,
                io,
                ..Cgroup::default()
            }),
            disks: disks.map(|(path, disk)| (path.into(), disk)).into(),
            ..Host::default()
        }
    }

    fn on(disk: Disk) -> policy::Limits {
        policy::Limits {
            io_max: [(disk, rates(7, None))].into(),
            ..policy::Limits::default()
        }
    }

    #[test]
    fn each_key_needs_its_controller_however_little_is_accepted() {
        let none = policy::Limits::default;
        let asked = [
            (
                policy::Limits {
                    cpu_max: Some(1000),
                    ..none()
                },
                "cpu-max",
                "cpu",
                host(false, true),
            ),
            (
                policy::Limits {
                    cpu_weight: Some(1),
                    ..none()
                },
                "cpu-weight",
                "cpu",
                host(false, true),
            ),
            (on(Disk::Number(8, 0)), "io-max", "io", host(true, false)),
        ];
        for (limits, key, controller, lacking) in asked {
            assert_eq!(limits.enforcement, Enforcement::Best);
            for (host, why) in [
                (Host::default(), "no control group is at hand"),
                (lacking, "the group of the run has not that controller"),
            ] {
                let refusal = resolve(&limits, &host).unwrap_err();
                let message = format!(
                    "the policy wants `{key}`, which nothing keeps but the {controller} controller of cgroup v2, and {why}"
                );
                assert_eq!(refusal.message, message);
                assert!(
                    refusal
                        .hint
                        .unwrap()
                        .contains(&format!("`{key} = \"none\"`"))
                );
            }
            resolve(&limits, &host(true, true)).unwrap();
        }
        assert_eq!(resolve(&none(), &Host::default()), Ok(Shares::default()));
    }

    #[test]
    fn of_two_limits_for_one_disk_the_smaller_counts() {
        let limits = policy::Limits {
            io_max: [
                (Disk::Of("/a".into()), rates(7, None)),
                (Disk::Of("/b".into()), rates(9, Some(3))),
                (Disk::Number(8, 0), rates(5, None)),
            ]
            .into(),
            ..policy::Limits::default()
        };
        let plan = resolve(&limits, &host(false, true)).unwrap();
        let expected = [((8, 0), rates(5, None)), ((8, 16), rates(7, Some(3)))];
        assert_eq!(plan.io_max, expected.into());
    }

    #[test]
    fn a_path_without_a_disk_is_refused() {
        for (path, why) in [
            ("/tmp", "the kernel tells no disk by its file system"),
            (
                "/never-asked",
                "the kernel tells no disk by its file system",
            ),
            ("/odd", "it is on the block device 9:1"),
            ("/gone", "No such file or directory"),
        ] {
            let refusal = resolve(&on(Disk::Of(path.into())), &host(true, true)).unwrap_err();
            let start = format!("`io-max` cannot be kept for `{path}`: {why}");
            assert!(refusal.message.starts_with(&start), "{refusal}");
            assert!(refusal.hint.is_some());
        }
    }

    #[test]
    fn the_record_has_every_value_in_whole_numbers() {
        let shares = Shares {
            cpu_max: Some(50_000),
            cpu_weight: Some(33),
            io_max: [((8, 0), rates(7, Some(3)))].into(),
        };
        let found: Vec<_> = shares
            .each()
            .into_iter()
            .map(|share| (share.limit, share.most, share.unit, share.by))
            .collect();
        let row = |limit, most, unit, by: &str| (limit, most, unit, by.to_owned());
        assert_eq!(
            found,
            [
                row("cpu-max", 500_000_000, "ns/s", "cpu.max"),
                row("cpu-weight", 33, "weight", "cpu.weight"),
                row("io-max", 7, "bytes/s", "io.max 8:0 rbps"),
                row("io-max", 3, "requests/s", "io.max 8:0 wiops"),
            ]
        );
    }
}
