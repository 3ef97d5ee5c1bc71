//! One run of `strict`, seen from three sides: its record, its plan, and `/proc/self` inside.
//! It must not conclude anything; `layers` does.

use crate::support::{self, Scratch, code, complaint};
use serde_json::Value;
use std::fs;
use std::process::Output;

/// What a program inside asks the kernel about itself, each answer under its name.
const QUESTIONS: &str = "
for file in status uid_map gid_map setgroups mountinfo; do
    echo \"== $file\"; cat /proc/self/$file
done
for kind in user mnt pid net ipc uts cgroup time; do
    echo \"== $kind\"; readlink /proc/self/ns/$kind
done";

/// A run that was carried out.
pub struct Evidence {
    pub record: Value,
    plan: String,
    inside: String,
}

/// Runs `strict` with these options; the refusal's two lines if it was refused.
pub fn of(options: &[&str]) -> Result<Evidence, String> {
    let scratch = Scratch::new();
    let place = scratch.join("record.json");
    let mut command = support::sandbox();
    command.args(options).arg("--report").arg(&place);
    let output = support::run(command.args(["--", "/bin/sh", "-c", QUESTIONS]));
    if code(&output) == 125 {
        return Err(refusal(&output));
    }
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let record = serde_json::from_str(&fs::read_to_string(place).unwrap()).unwrap();
    let inside = String::from_utf8(output.stdout).unwrap();

    let mut command = support::sandbox();
    let plan = support::run(command.arg("plan").args(options).args(["--", "/bin/sh"]));
    assert_eq!(code(&plan), 0, "{}", complaint(&plan));
    Ok(Evidence {
        record,
        plan: String::from_utf8(plan.stdout).unwrap(),
        inside,
    })
}

/// Sentence and hint of a refusal, which must have both, and nothing executed.
pub fn refusal(output: &Output) -> String {
    let message = complaint(output);
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(output.stdout, b"", "it was executed");
    let [sentence, hint] = lines[..] else {
        panic!("not a sentence and a hint: {message}");
    };
    assert!(hint.starts_with("hint: "), "{message}");
    let sentence = sentence.strip_prefix("sandbox: ");
    format!("{}\n{hint}", sentence.expect("a sentence of sandbox"))
}

impl Evidence {
    /// Every step that the record confirms.
    pub fn steps(&self) -> Vec<&str> {
        let layers = self.record["layers"].as_array().unwrap();
        let names = layers.iter().map(|layer| layer["step"].as_str());
        names.collect::<Option<_>>().unwrap()
    }

    /// What the record says of a step.
    pub fn detail(&self, step: &str) -> &str {
        let layers = self.record["layers"].as_array().unwrap();
        let layer = layers.iter().find(|layer| layer["step"] == step);
        let layer = layer.unwrap_or_else(|| panic!("the record has no step {step}"));
        layer["detail"].as_str().unwrap()
    }

    /// The tokens that the policy gave up in this run.
    pub fn weakened(&self) -> Vec<&str> {
        let list = self.record["weakened"].as_array().unwrap();
        list.iter().map(|w| w["token"].as_str().unwrap()).collect()
    }

    /// A line `  KEY: VALUE` of a section of the plan.
    pub fn planned(&self, section: &str, key: &str) -> &str {
        let mut lines = self.plan.lines().skip_while(|line| *line != section);
        let start = format!("  {key}: ");
        lines
            .by_ref()
            .skip(1)
            .take_while(|line| line.starts_with(' '))
            .find_map(|line| line.strip_prefix(&start))
            .unwrap_or_else(|| panic!("the plan has no `{key}` in `{section}`"))
    }

    /// The lines that the kernel gave inside under a name.
    pub fn inside(&self, name: &str) -> Vec<&str> {
        let start = format!("== {name}");
        let lines = self.inside.lines().skip_while(|line| **line != start);
        let lines: Vec<&str> = lines
            .skip(1)
            .take_while(|line| !line.starts_with("== "))
            .collect();
        assert!(!lines.is_empty(), "no `{name}` inside");
        lines
    }

    /// A field of `/proc/self/status` inside; `None` where the kernel has none.
    pub fn status(&self, field: &str) -> Option<&str> {
        let start = format!("{field}:");
        let lines = self.inside("status");
        let value = lines.iter().find_map(|line| line.strip_prefix(&start));
        value.map(str::trim)
    }
}
