//! The questions that are put to every language: hello, 80 % and 120 % of the memory, a loop, a sleep.
//! It must not ask how long anything took; the limits are far from what the programs need.

use crate::support::{self, Scratch, complaint, installed};
use crate::table::Language;
use serde_json::Value;
use std::fs::{self, File};
use std::process::{Command, Output};

/// A program in a directory of its own, ready to run.
pub struct Program<'a> {
    language: &'a Language,
    tools: Vec<String>,
    place: Scratch,
}

/// What a run gave.
pub struct Run {
    pub output: Output,
    pub record: Value,
}

impl Run {
    /// The verdict, and everything one wants to know when it is the wrong one.
    pub fn expect(&self, question: &str, verdict: &str, printed: Option<&str>) -> Answer {
        let text = String::from_utf8_lossy(&self.output.stdout);
        let right = self.record["verdict"] == verdict && printed.is_none_or(|it| it == text);
        match right {
            true => Ok(()),
            false => Err(format!(
                "{question}: expected {verdict} {printed:?}, and it printed {text:?}\n{}\n{}",
                complaint(&self.output),
                self.record
            )),
        }
    }
}

/// Nothing, or what is wrong.
pub type Answer = Result<(), String>;

impl<'a> Program<'a> {
    /// The program, compiled where there is something to compile: under `compile`, to
    /// see that it can be, and under `judge-compile`, to be run. Nothing where a tool
    /// is not installed.
    pub fn compiled(language: &'a Language) -> Option<Program<'a>> {
        let tools: Option<Vec<String>> =
            language.tools.iter().map(|tool| installed(tool)).collect();
        let tools = tools?;
        let mut program = Program {
            language,
            tools,
            place: Scratch::new(),
        };
        for policy in ["compile", "judge-compile"] {
            program.place = Scratch::new();
            let (name, text) = language.source;
            program.place.file(name, text, 0o644);
            if !language.compile.is_empty() {
                let mut command = support::sandbox();
                // None of root's tool chains: an ordinary user could not execute them.
                command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
                command.args(["--policy", policy]);
                let run = program.end(&mut command, language.compile);
                let compiled = run.expect(&format!("compiled under {policy}"), "ok", None);
                compiled.unwrap_or_else(|why| panic!("{why}"));
            }
        }
        Some(program)
    }

    /// Runs the program under `judge`.
    pub fn asked(&self, options: &[&str], words: &[&str]) -> Run {
        let run = self.language.run;
        self.asked_as(run, support::sandbox(), options, words)
    }

    /// Runs it by another command line, started by `command`.
    pub fn asked_as(
        &self,
        run: &[&str],
        mut command: Command,
        options: &[&str],
        words: &[&str],
    ) -> Run {
        command.args(["--policy", "judge"]);
        command.args(self.language.options);
        if !self.language.is_native() {
            command.args(["--read", "."]);
        }
        self.end(command.args(options), &[run, words].concat())
    }

    fn end(&self, command: &mut Command, words: &[&str]) -> Run {
        let record = self.place.file("record", "", 0o644);
        let input = self.place.file("input", "19 23\n", 0o644);
        command.current_dir(self.place.path());
        command.stdin(File::open(input).unwrap());
        // By its whole name: what PATH finds first may be a version manager's wrapper.
        let tool = self.language.tools.iter().position(|it| *it == words[0]);
        let program = tool.map_or(words[0], |at| &self.tools[at]);
        command.arg("--report").arg(&record);
        let output = support::run(command.arg("--").arg(program).args(&words[1..]));
        let text = fs::read_to_string(record).unwrap();
        let record = serde_json::from_str(&text)
            .unwrap_or_else(|why| panic!("{why}: {text:?}\n{}", complaint(&output)));
        Run { output, record }
    }

    pub fn says_hello(&self) -> Answer {
        let run = self.asked(&[], &["hello"]);
        run.expect("hello", "ok", Some("hello 42\n"))
    }

    /// One, when it may use one: the caller's set of processors is the program's.
    pub fn sees_as_many_processors_as_it_may_use(&self) -> Answer {
        if !self.language.counts_processors {
            return Ok(());
        }
        let mut command = support::ordinary("taskset");
        command.args(["-c", &a_processor()]).arg(support::binary());
        let run = self.asked_as(self.language.run, command, &[], &["cpus"]);
        run.expect("processors", "ok", Some("1\n"))
    }

    /// The program fills its memory until the kernel's count of its own pages, the
    /// run-time's among them, has reached that part of the limit.
    pub fn may_use_four_fifths_of_its_memory(&self) -> Answer {
        let question = "80 % of the memory";
        let target = self.bytes() / 5 * 4;
        let run = self.filled(target, "1");
        run.expect(question, "ok", Some("filled\n"))?;
        // Else it would not have been 80 %. A page counter of the kernel may lag behind
        // by some pages for each processor.
        let peak = run.record["memory_peak_bytes"].as_u64().unwrap();
        match peak >= self.bytes() / 4 * 3 {
            true => Ok(()),
            false => Err(format!("{question}: it used no more than {peak} bytes")),
        }
    }

    pub fn may_not_use_six_fifths(&self) -> Answer {
        // Filled, it waits to be found out.
        let run = self.filled(self.bytes() / 5 * 6, "60");
        run.expect("120 % of the memory", "memory", None)
    }

    /// Runs it under its memory limit until it has that many bytes of its own, and
    /// waits.
    fn filled(&self, bytes: u64, seconds: &str) -> Run {
        let limit = format!("{}MiB", self.language.memory);
        let options = ["--memory", &limit, "--cpu-time=40s", "--wall-time=40s"];
        self.asked(&options, &["fill", &bytes.to_string(), seconds])
    }

    pub fn is_ended_when_it_loops(&self) -> Answer {
        let run = self.asked(&["--cpu-time=1s", "--wall-time=40s"], &["loop"]);
        run.expect("a loop", "cpu-time", Some(""))
    }

    pub fn is_ended_when_it_sleeps(&self) -> Answer {
        let run = self.asked(&["--wall-time=1s"], &["sleep"]);
        run.expect("a sleep", "wall-time", Some(""))
    }

    fn bytes(&self) -> u64 {
        self.language.memory << 20
    }
}

/// The number of a processor that this process may use.
fn a_processor() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .unwrap();
    let first = list.trim().split([',', '-']).next();
    first.unwrap().to_owned()
}
