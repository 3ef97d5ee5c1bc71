//! What calls cost where a program runs, once it does: `cargo bench --bench cold --
//! --inside`. Beside no sandbox, the floor with the same layers, and bubblewrap.

use crate::place::Place;
use crate::rows::{self, APART, BARE, BUBBLEWRAP, Row, Started};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

/// How often each row is started; they take turns.
const TURNS: usize = 15;
const SANDBOX: &str = "sandbox, strict";

/// Nanoseconds of each call, one for each turn, in the order in which they are measured.
type Calls = Vec<(String, Vec<f64>)>;

/// Measures, and gives the table.
pub fn table(place: &Place) -> Result<String, Box<dyn Error>> {
    let program = place.program("inside").ok_or("it was not compiled")?;
    let program = program.to_str().ok_or("the name is not UTF-8")?;
    let mut rows = rows::all(place, &[program])?;
    rows.retain(|row| {
        row.name.starts_with(BUBBLEWRAP) || [BARE, SANDBOX, APART].contains(&&*row.name)
    });
    let mut measured: BTreeMap<String, Calls> = BTreeMap::new();
    for turn in 0..TURNS {
        let number = rows.len();
        for position in 0..number {
            let row = &mut rows[(turn + position) % number];
            note(measured.entry(row.name.clone()).or_default(), row)?;
        }
    }
    let mut text = String::from("| | ");
    let calls = measured.get(BARE).ok_or("no row without a sandbox")?;
    for (call, _) in calls {
        write!(text, "{call} | ")?;
    }
    let rule = "--:|".repeat(calls.len());
    writeln!(text, "\n|---|{rule}")?;
    let floor = measured.get(APART);
    for row in &rows {
        let calls = &measured[&row.name];
        let cells = calls
            .iter()
            .map(|(_, times)| format!("{:.0}", median(times)));
        writeln!(
            text,
            "| {} | {} |",
            row.name,
            cells.collect::<Vec<_>>().join(" | ")
        )?;
    }
    if let (Some(floor), Some(ours)) = (floor, measured.get(SANDBOX)) {
        let ratios = ours.iter().zip(floor);
        let cells =
            ratios.map(|((_, ours), (_, floor))| format!("{:.2}", median(ours) / median(floor)));
        writeln!(
            text,
            "| `sandbox` to its floor | {} |",
            cells.collect::<Vec<_>>().join(" | ")
        )?;
    }
    Ok(text)
}

/// One run of a row, and what it printed.
fn note(calls: &mut Calls, row: &mut Row) -> Result<(), Box<dyn Error>> {
    let Started::Process(launch) = &mut row.started else {
        return Ok(());
    };
    for (position, line) in launch.output()?.lines().enumerate() {
        let (call, ns) = line.split_once(' ').ok_or("a line without a number")?;
        if calls.len() == position {
            calls.push((call.to_owned(), Vec::new()));
        }
        calls[position].1.push(ns.parse()?);
    }
    Ok(())
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
