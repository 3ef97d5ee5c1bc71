//! `sandbox batch`: one line for each test, and nothing that one test leaves for the next.
//! It must not run as root, and must not ask what is closed anyway; `jail` does.

#![cfg(feature = "cli")]

#[path = "batch/leaks.rs"]
mod leaks;
#[path = "batch/lines.rs"]
mod lines;
#[path = "support/schema.rs"]
mod schema;
mod support;

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use support::Scratch;

/// A directory with tests, and one for what they write.
struct Tests {
    place: Scratch,
}

impl Tests {
    /// Tests with this content, in this order: `01.in`, `02.in` and so on.
    fn new(inputs: &[&str]) -> Tests {
        let place = Scratch::new();
        place.directory("in");
        place.directory("out");
        for (number, input) in inputs.iter().enumerate() {
            place.file(&format!("in/{:02}.in", number + 1), input, 0o644);
        }
        Tests { place }
    }

    fn pattern(&self) -> PathBuf {
        self.place.join("in").join("*.in")
    }

    fn report(&self) -> PathBuf {
        self.place.join("report.jsonl")
    }

    /// `sandbox batch` over all of them, with records and output, and these options.
    fn command(&self, options: &[&str]) -> Command {
        let mut command = support::sandbox();
        command.arg("batch").arg("--in").arg(self.pattern());
        command.arg("--report").arg(self.report());
        command.arg("--out").arg(self.place.join("out"));
        command.args(options);
        command
    }

    /// Runs a shell script over all of them.
    fn shell(&self, options: &[&str], script: &str) -> Output {
        support::run(self.command(options).args(["--", "/bin/sh", "-c", script]))
    }

    /// The records, a line each.
    fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.report()).unwrap();
        let described = serde_json::from_str(sandbox::report::SCHEMA).unwrap();
        let record = |line| {
            let record = serde_json::from_str(line).unwrap();
            schema::check(&[&described], &record).unwrap();
            record
        };
        text.lines().map(record).collect()
    }

    /// What a test wrote on its standard output.
    fn output(&self, name: &str) -> String {
        let path = self.place.join("out").join(format!("{name}.out"));
        fs::read_to_string(path).unwrap()
    }
}
