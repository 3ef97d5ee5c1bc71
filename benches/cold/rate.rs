//! How many runs a second the layers of `strict` leave room for: `cargo bench --bench cold --
//! --rate`. Floors, one after the other, for a pool to be held against.

use crate::place::Place;
use crate::rows::{self, APART};
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const SECONDS: u32 = 5;

/// Measures one at a time, and one on every processor.
pub fn text(place: &Place) -> Result<String, Box<dyn Error>> {
    let floor = place.program("floor").ok_or("it was not compiled")?;
    let nothing = place.nothing();
    let words = [nothing
        .to_str()
        .ok_or("the directory's name is not UTF-8")?];
    let (_, plan) = rows::plan(place, "strict", &words)?;
    // What the floor reads is written there.
    rows::floors(&mut Vec::new(), place, &floor, "strict", &plan)?;
    let all = std::thread::available_parallelism()?.get();
    let mut text = String::from(
        "`strict`, floors with pid 1 apart, without a network namespace, one after the other\n",
    );
    for at_once in [1, all] {
        let (runs, used_us) = rate(place, &floor, at_once)?;
        writeln!(
            text,
            "{at_once} at a time: {} runs/s, {:.2} ms of processor time each",
            runs / u64::from(SECONDS),
            used_us as f64 / 1e3 / runs.max(1) as f64,
        )?;
    }
    Ok(text)
}

/// How many runs there were, and what they used.
fn rate(place: &Place, floor: &Path, at_once: usize) -> Result<(u64, u64), Box<dyn Error>> {
    let start = |_| {
        Command::new(floor)
            .arg(rows::plan_file(place, APART))
            .arg(SECONDS.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
    };
    let started: Vec<_> = (0..at_once).map(start).collect::<Result<_, _>>()?;
    let mut sum = (0, 0);
    for child in started {
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("{APART}: {}", output.status).into());
        }
        let said = String::from_utf8(output.stdout)?;
        let (runs, used) = said.trim().split_once(' ').ok_or("no two numbers")?;
        sum = (sum.0 + runs.parse::<u64>()?, sum.1 + used.parse::<u64>()?);
    }
    Ok(sum)
}
