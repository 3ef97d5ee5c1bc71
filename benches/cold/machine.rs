//! What every figure depends on: the machine, its kernel, and what was measured.

use crate::place::Place;
use std::fs;

/// Lines for above a table.
pub fn about(place: &Place, turns: usize) -> Vec<String> {
    let kernel = read("/proc/sys/kernel/osrelease");
    let cpus = std::thread::available_parallelism().map_or(0, |cpus| cpus.get());
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(':'))
        .map_or("an unnamed processor", |(_, name)| name.trim());
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let mut lines = vec![format!(
        "Linux {kernel}, {cpus} × {model}, {turns} interleaved turns, uid {}",
        nix::unistd::geteuid()
    )];
    lines.push(format!(
        "sandbox {}, {}; load average at the end {load}",
        env!("CARGO_PKG_VERSION"),
        sizes(place).join(", ")
    ));
    lines
}

/// How long the release binaries are.
fn sizes(place: &Place) -> Vec<String> {
    [("sandbox", "binary"), ("sandbox-static", "static binary")]
        .into_iter()
        .filter_map(|(file, name)| {
            let bytes = fs::metadata(place.program(file)?).ok()?.len();
            Some(format!(
                "{name} {:.2} MiB",
                bytes as f64 / f64::from(1 << 20)
            ))
        })
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}
