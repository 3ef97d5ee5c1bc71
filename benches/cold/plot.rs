//! A plot of medians, with a whisker to the 99th percentile, as SVG written by hand: it
//! needs no font, script or colour of its reader, and follows a dark page.

use crate::table::Figures;
use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
/// Where the bars begin, and how much is left of the width for the axis.
const LEFT: f64 = 210.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 34.0;
const LINE: f64 = 24.0;
const BAR: f64 = 14.0;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1f2328}\
.s{fill:#59636e}.g{stroke:#d1d9e0}.w{stroke:#59636e;stroke-width:1.5}\
.o{fill:#0969da}.f{fill:#8c959f}.p{fill:#bf8700}\
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.s{fill:#9198a1}.g{stroke:#3d444d}\
.w{stroke:#9198a1}.o{fill:#4493f8}.f{fill:#656c76}.p{fill:#d29922}}";

/// From the fastest to the slowest.
pub fn svg(figures: &[Figures], about: &str) -> String {
    let mut rows: Vec<&Figures> = figures.iter().collect();
    rows.sort_by(|one, other| one.median.total_cmp(&other.median));
    let axis = Axis::of(&rows);
    let bottom = TOP + LINE * rows.len() as f64;
    let height = bottom + 44.0;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\
         \n<title>Time of a launch: median, and 99th percentile</title>\n<style>{STYLE}</style>"
    );
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"18\" class=\"s\">one launch in milliseconds: median, \
         whisker to the 99th percentile{}</text>",
        if axis.logarithmic {
            ", logarithmic"
        } else {
            ""
        }
    );
    for (value, label) in axis.ticks() {
        let x = axis.x(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{bottom}\" class=\"g\"/>\
             <text x=\"{x:.1}\" y=\"{}\" class=\"s\" text-anchor=\"middle\">{label}</text>",
            TOP - 6.0,
            bottom + 16.0
        );
    }
    for (position, row) in rows.iter().enumerate() {
        bar(&mut svg, &axis, row, TOP + LINE * position as f64);
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" class=\"s\">{}</text>\n</svg>",
        bottom + 36.0,
        escape(about)
    );
    svg
}

fn bar(svg: &mut String, axis: &Axis, row: &Figures, top: f64) {
    let class = match row.name.split([',', ' ']).next() {
        Some("sandbox" | "library" | "helper" | "pool") => "o",
        Some("floor" | "no") => "f",
        _ => "p",
    };
    let (end, p99) = (axis.x(row.median), axis.x(row.p99));
    let middle = top + BAR / 2.0;
    let baseline = middle + 4.5;
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{LEFT}\" y=\"{top}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\" class=\"{class}\"/>",
        LEFT - 8.0,
        escape(&row.name),
        (end - LEFT).max(1.0)
    );
    let _ = writeln!(
        svg,
        "<path d=\"M{end:.1} {middle}H{p99:.1}M{p99:.1} {}v8\" class=\"w\" fill=\"none\"/>\
         <text x=\"{:.1}\" y=\"{baseline}\">{}</text>",
        middle - 4.0,
        p99 + 6.0,
        three_digits(row.median)
    );
}

struct Axis {
    logarithmic: bool,
    least: f64,
    most: f64,
}

impl Axis {
    fn of(rows: &[&Figures]) -> Axis {
        let least = rows.iter().map(|row| row.median).fold(f64::MAX, f64::min);
        let most = rows.iter().map(|row| row.p99).fold(0.0, f64::max);
        // Where one row would hide all others.
        let logarithmic = most > 20.0 * least;
        Axis {
            logarithmic,
            least: if logarithmic {
                // A bar has to begin somewhere: at the decade below the shortest.
                10_f64.powf((least * 0.8).log10().floor())
            } else {
                0.0
            },
            most,
        }
    }

    fn x(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value / self.least).log10() / (self.most / self.least).log10()
        } else {
            value / self.most
        };
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let mut ticks = Vec::new();
        if self.logarithmic {
            let mut value = self.least;
            while value <= self.most {
                ticks.push((value, value.to_string()));
                value *= 10.0;
            }
        } else {
            for step in 0..=4 {
                let value = self.most * f64::from(step) / 4.0;
                ticks.push((value, three_digits(value)));
            }
        }
        ticks
    }
}

fn three_digits(value: f64) -> String {
    match value {
        0.0..0.995 => format!("{value:.2}"),
        0.995..9.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
