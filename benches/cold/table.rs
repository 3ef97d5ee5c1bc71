//! Figures of each row, and the tables made of them.

use crate::rows::{BUBBLEWRAP, Row};
use std::fmt::Write as _;
use std::time::Duration;

/// What was measured of one row. Times are in milliseconds.
pub struct Figures {
    pub name: String,
    lacks: String,
    runs: usize,
    pub median: f64,
    pub p99: f64,
    cpu: Option<f64>,
    peak_kib: Option<u64>,
    /// The median, divided by that of its floor, and by bubblewrap's.
    to_floor: Option<f64>,
    to_bubblewrap: Option<f64>,
}

/// The figures of every row that ran.
pub fn figures(rows: &mut [Row]) -> Vec<Figures> {
    for row in rows.iter_mut() {
        row.times.sort();
    }
    let ran = || rows.iter().filter(|row| !row.times.is_empty());
    let median = |row: &Row| ms(row.times[row.times.len() / 2]);
    let to = |own: f64, found: Option<&Row>| found.map(|other| own / median(other));
    ran()
        .map(|row| Figures {
            name: row.name.clone(),
            lacks: row.lacks.clone(),
            runs: row.times.len(),
            median: median(row),
            // The smallest time that at least 99 in 100 do not exceed.
            p99: ms(row.times[(row.times.len() * 99).div_ceil(100) - 1]),
            cpu: mean(row.used.iter().map(|used| ms(used.cpu))),
            peak_kib: row.used.iter().map(|used| used.peak_kib).max(),
            to_floor: to(median(row), ran().find(|other| other.name == row.floor)),
            to_bubblewrap: to(
                median(row),
                ran().find(|other| other.name.starts_with(BUBBLEWRAP)),
            ),
        })
        .collect()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, number) = values.fold((0.0, 0_u32), |(sum, number), value| {
        (sum + value, number + 1)
    });
    (number > 0).then(|| sum / f64::from(number))
}

const HEADS: [&str; 8] = [
    "",
    "runs",
    "median ms",
    "p99 ms",
    "CPU ms",
    "peak RSS KiB",
    "to its floor",
    "to bubblewrap",
];

impl Figures {
    fn cells(&self) -> [String; 8] {
        let or = |value: Option<String>| value.unwrap_or_else(|| "–".into());
        let ratio = |value: Option<f64>| or(value.map(|value| format!("{value:.2}")));
        [
            self.name.clone(),
            self.runs.to_string(),
            format!("{:.3}", self.median),
            format!("{:.3}", self.p99),
            or(self.cpu.map(|cpu| format!("{cpu:.2}"))),
            or(self.peak_kib.map(|kib| kib.to_string())),
            ratio(self.to_floor),
            ratio(self.to_bubblewrap),
        ]
    }
}

/// For a terminal.
pub fn text(figures: &[Figures]) -> String {
    let mut lines = vec![HEADS.map(String::from)];
    lines.extend(figures.iter().map(Figures::cells));
    let width = |column: usize| {
        let cells = lines.iter().map(|cells| cells[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let mut text = String::new();
    for cells in &lines {
        for (column, cell) in cells.iter().enumerate() {
            let width = width(column);
            let _ = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

/// For docs/launch.md: the figures, then what each row lacks.
pub fn markdown(figures: &[Figures], about: &[String], plot: &str) -> String {
    let mut text = String::new();
    for line in about {
        let _ = writeln!(text, "{line}  ");
    }
    let _ = writeln!(text, "\n![Median time of a launch]({plot})\n");
    let _ = writeln!(
        text,
        "|{}|",
        HEADS.map(|head| format!(" {head} ")).join("|")
    );
    let _ = writeln!(text, "|---{}|", "|--:".repeat(HEADS.len() - 1));
    for row in figures {
        let _ = writeln!(text, "| {} |", row.cells().join(" | "));
    }
    let _ = writeln!(
        text,
        "\nWhat each row has not, or otherwise, of the layers of `sandbox` under `strict`:\n"
    );
    let _ = writeln!(text, "| | |\n|---|---|");
    let mut said: Vec<&str> = Vec::new();
    for row in figures {
        if said.contains(&row.lacks.as_str()) {
            continue;
        }
        said.push(&row.lacks);
        let names: Vec<&str> = figures
            .iter()
            .filter(|other| other.lacks == row.lacks)
            .map(|other| other.name.as_str())
            .collect();
        let _ = writeln!(text, "| {} | {} |", names.join("; "), row.lacks);
    }
    text
}

const BEGIN: &str = "<!-- begin: written by `benches/run`, not by hand -->\n";
const END: &str = "<!-- end -->\n";

/// The document with what stands between its two marks replaced.
pub fn splice(document: &str, made: &str) -> Result<String, String> {
    let split = |text: &'_ str, mark: &str| {
        let at = text
            .find(mark)
            .ok_or_else(|| format!("no line `{}`", mark.trim_end()))?;
        Ok::<_, String>((text[..at].to_owned(), text[at + mark.len()..].to_owned()))
    };
    let (before, rest) = split(document, BEGIN)?;
    let (_, after) = split(&rest, END)?;
    Ok(format!("{before}{BEGIN}\n{made}\n{END}{after}"))
}
