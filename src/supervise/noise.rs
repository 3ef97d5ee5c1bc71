//! How undisturbed the machine was during a run: what makes the same program take
//! longer the second time.
//!
//! It reads files of the host before and after, and judges nothing. What a machine
//! does not have is left out.

use crate::cpulist;
use crate::report::Noise;
use std::fs;
use std::path::Path;

/// The counters at one moment.
pub(super) struct Sample {
    /// Ticks that a hypervisor gave to others (proc(5), `/proc/stat`, steal).
    steal: Option<u64>,
    /// Microseconds in which somebody waited for a processor (`/proc/pressure/cpu`,
    /// Linux 4.20).
    pressure: Option<u64>,
    /// Times that a processor slowed down for heat.
    throttles: Option<u64>,
    /// kHz, one for each processor that says.
    frequencies: Vec<u64>,
}

impl Sample {
    /// Of these processors; of all where there are none.
    pub(super) fn take(cpus: &[u32]) -> Sample {
        let read = |path: &str| fs::read_to_string(path).ok();
        let cores = match cpus {
            [] => read("/sys/devices/system/cpu/online")
                .and_then(|text| cpulist::parse(text.trim()))
                .unwrap_or_default(),
            some => some.iter().copied().collect(),
        };
        let of_each = |file: &str| -> Vec<u64> {
            let place = Path::new("/sys/devices/system/cpu");
            let each = cores.iter().map(|cpu| place.join(format!("cpu{cpu}")));
            each.filter_map(|cpu| fs::read_to_string(cpu.join(file)).ok()?.trim().parse().ok())
                .collect()
        };
        let throttles = of_each("thermal_throttle/core_throttle_count");
        Sample {
            steal: read("/proc/stat").and_then(|text| steal(&text, cpus)),
            pressure: read("/proc/pressure/cpu").and_then(|text| pressure(&text)),
            throttles: (!throttles.is_empty()).then(|| throttles.iter().sum()),
            frequencies: of_each("cpufreq/scaling_cur_freq"),
        }
    }

    /// What happened between two moments.
    pub(super) fn until(&self, end: &Sample, tick_ns: u64, forced_switches: u64) -> Noise {
        let passed = |from: Option<u64>, to: Option<u64>, unit: u64| {
            Some(to?.saturating_sub(from?).saturating_mul(unit))
        };
        let both = || self.frequencies.iter().chain(&end.frequencies).copied();
        Noise {
            steal_ns: passed(self.steal, end.steal, tick_ns),
            pressure_ns: passed(self.pressure, end.pressure, 1_000),
            thermal_throttles: passed(self.throttles, end.throttles, 1),
            frequency_lowest_khz: both().min(),
            frequency_highest_khz: both().max(),
            forced_switches,
        }
    }
}

/// Sum of the steal fields: the eighth number of each `cpuN` line, or of the line
/// `cpu`, which is all of them.
fn steal(stat: &str, cpus: &[u32]) -> Option<u64> {
    let field = |name: &str| {
        let mut lines = stat.lines().map(str::split_whitespace);
        let mut words =
            lines.find_map(|mut words| (words.next() == Some(name)).then_some(words))?;
        words.nth(7)?.parse::<u64>().ok()
    };
    match cpus {
        [] => field("cpu"),
        some => some.iter().map(|cpu| field(&format!("cpu{cpu}"))).sum(),
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=12345`.
fn pressure(text: &str) -> Option<u64> {
    let some = text.lines().find(|line| line.starts_with("some "))?;
    let total = some
        .split(' ')
        .find_map(|word| word.strip_prefix("total="))?;
    total.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  10 0 3 900 5 0 1 70 0 0\ncpu0 6 0 1 450 2 0 1 30 0 0\ncpu1 4 0 2 450 3 0 0 40 0 0\nintr 5\n";

    #[test]
    fn steal_is_of_the_processors_named_or_of_all() {
        assert_eq!(steal(STAT, &[]), Some(70));
        assert_eq!(steal(STAT, &[1]), Some(40));
        assert_eq!(steal(STAT, &[0, 1]), Some(70));
        assert_eq!(steal(STAT, &[2]), None);
        assert_eq!(steal("cpu 1 2 3", &[]), None);
    }

    #[test]
    fn pressure_is_the_total_of_some() {
        let text = "some avg10=0.00 avg60=0.10 avg300=0.00 total=12345\nfull avg10=0.00 total=9\n";
        assert_eq!(pressure(text), Some(12345));
        assert_eq!(pressure("full total=9"), None);
    }

    #[test]
    fn what_one_of_both_moments_does_not_know_is_not_known() {
        let sample = |steal, frequencies: &[u64]| Sample {
            steal,
            pressure: Some(10),
            throttles: None,
            frequencies: frequencies.to_vec(),
        };
        let noise = sample(Some(2), &[800]).until(&sample(Some(5), &[900, 700]), 10, 3);
        assert_eq!((noise.steal_ns, noise.pressure_ns), (Some(30), Some(0)));
        assert_eq!(noise.frequency_lowest_khz, Some(700));
        assert_eq!(noise.frequency_highest_khz, Some(900));
        assert_eq!((noise.thermal_throttles, noise.forced_switches), (None, 3));
        assert_eq!(
            sample(None, &[])
                .until(&sample(Some(1), &[]), 10, 0)
                .steal_ns,
            None
        );
    }
}
