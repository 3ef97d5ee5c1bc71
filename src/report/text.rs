//! The record for a person, as `-v` prints it.
//! It must not say anything that the record does not hold.

use super::{FileOutcome, Noise, Report};
use crate::escape;

impl Report {
    /// One line per layer, then how each limit is kept and which were hit, output,
    /// weakenings, times, memory, processes, exit and verdict. Every line ends with
    /// a line feed; foreign text is escaped.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for layer in &self.layers {
            lines.push(format!("{}: {}", layer.step, escape::plain(&layer.detail)));
        }
        for held in &self.limits {
            let (limit, most, by) = (held.limit, held.most, &held.by);
            lines.push(format!("limit: {limit} {most} {}, by {by}", held.unit));
        }
        for weakened in &self.weakened {
            let reason = escape::quote(&weakened.reason);
            lines.push(format!("weakened: {}, because {reason}", weakened.token));
        }
        for hit in &self.limits_hit {
            lines.push(format!("limit hit: {}", hit.name()));
        }
        lines.extend(self.files.iter().map(FileOutcome::text));
        for (stream, output) in [("stdout", self.stdout), ("stderr", self.stderr)] {
            let Some(output) = output else { continue };
            let cut = if output.truncated { ", truncated" } else { "" };
            lines.push(format!(
                "{stream}: {} bytes written, {} passed on{cut}",
                output.bytes_seen, output.bytes_kept
            ));
        }
        lines.push(format!(
            "time: {} s elapsed, {} s processor (from {}; {} s user, {} s system)",
            seconds(self.wall_ns),
            seconds(self.cpu_ns),
            self.cpu_source,
            seconds(self.user_ns),
            seconds(self.sys_ns),
        ));
        lines.push(format!(
            "memory: {} bytes at most (from {})",
            self.memory_peak_bytes, self.memory_source
        ));
        if let Some(peak) = self.processes_peak {
            let source = self.processes_source.unwrap_or("unknown");
            lines.push(format!("processes: {peak} at most (from {source})"));
        }
        if let Some(noise) = &self.noise {
            lines.push(noise.words());
        }
        if let Some(violation) = &self.violation {
            lines.push(format!("violation: {}", violation.words()));
        }
        if let Some(by) = self.killed_by {
            let idle = if self.idle { ", idle" } else { "" };
            lines.push(format!("killed by: {}{idle}", by.name()));
        }
        if let Some(error) = &self.error {
            lines.push(format!("error: {error}"));
        }
        lines.push(format!("end: {}", self.exit.words()));
        lines.push(format!("verdict: {}", self.computed().name()));
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }
}

impl Noise {
    fn words(&self) -> String {
        let known = |number: Option<u64>| number.map_or("unknown".into(), |n| n.to_string());
        let time = |ns: Option<u64>| ns.map_or("unknown".into(), seconds);
        format!(
            "noise: steal {} s, processor pressure {} s, {} slowed for heat, {} to {} kHz, {} forced switches",
            time(self.steal_ns),
            time(self.pressure_ns),
            known(self.thermal_throttles),
            known(self.frequency_lowest_khz),
            known(self.frequency_highest_khz),
            self.forced_switches
        )
    }
}

/// Seconds with all nine decimals: the number is exact.
fn seconds(nanoseconds: u64) -> String {
    const PER_SECOND: u64 = 1_000_000_000;
    format!(
        "{}.{:09}",
        nanoseconds / PER_SECOND,
        nanoseconds % PER_SECOND
    )
}
