//! The rows of the table: what is started, and what is said of it.

use crate::floor;
use crate::launch::{Launch, Used};
use crate::library::{self, By, Caller};
use crate::peers::{self, Job, bubblewrap, firejail, hakoniwa, oci, podman};
use crate::place::{Place, find};
use sandbox::Sandbox;
use sandbox::plan::Plan;
use sandbox::policy::{Context, Policy};
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The shipped policies that a program is run under.
const POLICIES: [&str; 4] = ["strict", "compile", "agent", "judge"];

/// Rows that others are divided by.
pub const BARE: &str = "no sandbox";
pub const FLOOR: &str = "floor, strict";
/// The same with a process for pid 1, as `sandbox` has.
pub const APART: &str = "floor, strict, pid 1 apart";
pub const BUBBLEWRAP: &str = "bubblewrap";

/// One row.
pub struct Row {
    pub name: String,
    /// What it has not, or otherwise, of the layers of `strict`.
    pub lacks: String,
    /// The floor with its layers.
    pub floor: String,
    /// It takes part in every so many turns.
    pub every: usize,
    pub started: Started,
    pub times: Vec<Duration>,
    pub used: Vec<Used>,
}

/// What does the run.
pub enum Started {
    Process(Launch),
    Library(Caller),
}

impl Row {
    fn new(name: &str, lacks: &str, launch: Launch) -> Row {
        Row {
            name: name.into(),
            lacks: lacks.into(),
            floor: FLOOR.into(),
            every: 1,
            started: Started::Process(launch),
            times: Vec::new(),
            used: Vec::new(),
        }
    }

    pub fn time(&mut self) -> Result<Duration, Box<dyn Error>> {
        match &mut self.started {
            Started::Process(launch) => launch.time(),
            Started::Library(caller) => caller.time(),
        }
        .map_err(|error| format!("{}: {error}", self.name).into())
    }
}

/// What is to be run in every row, as words; the first is a path.
pub type Words<'a> = &'a [&'a str];

/// Every row that this machine has, each tried once. What is missing is told.
pub fn all(place: &Place, words: Words) -> Result<Vec<Row>, Box<dyn Error>> {
    let (program, arguments) = words.split_first().ok_or("nothing to run")?;
    let mut bare = Launch::new(program);
    bare.args(arguments);
    let mut rows = vec![Row::new(BARE, "everything", bare)];
    for policy in POLICIES {
        match plan(place, policy, words) {
            Ok((_, plan)) => ours(&mut rows, place, policy, &plan, words)?,
            Err(error) => missing(policy, &error.to_string()),
        }
    }
    let (policy, strict) = plan(place, "strict", words)?;
    let job = Job {
        place: place.clone(),
        plan: strict,
        calls: peers::calls(&policy)?,
    };
    others(&mut rows, &job);
    rows.retain_mut(|row| {
        let Started::Process(launch) = &mut row.started else {
            return true;
        };
        match launch.output() {
            Ok(_) => true,
            Err(error) => {
                missing(&row.name, &error.to_string());
                false
            }
        }
    });
    Ok(rows)
}

/// The library's rows: runs of `program` by a caller that is small, and by one that is not,
/// the latter with a helper, and the same by workers of theirs.
pub fn library(rows: &mut Vec<Row>, place: &Place) -> Result<(), Box<dyn Error>> {
    let own = place.program("cold").ok_or("this program is not there")?;
    for (name, mib, by) in [
        ("library, small caller", 0, By::Caller),
        ("library, 512 MiB caller", library::BIG, By::Caller),
        ("helper, 512 MiB caller", library::BIG, By::Helper),
        ("pool, small caller", 0, By::Worker),
        ("pool, 512 MiB caller", library::BIG, By::Worker),
    ] {
        let mut caller = Caller::start(&own, &place.nothing(), mib, by)?;
        // The first run of a caller reads its pages in.
        if let Err(error) = caller.time() {
            missing(name, &error.to_string());
            continue;
        }
        let row = Row::new(
            name,
            "nothing; from `spawn` to the end of `wait`, in a process that runs already",
            Launch::new(&own),
        );
        rows.push(Row {
            started: Started::Library(caller),
            ..row
        });
    }
    Ok(())
}

/// The policy and its plan for these words.
pub fn plan(place: &Place, policy: &str, words: Words) -> Result<(Policy, Plan), Box<dyn Error>> {
    let context = Context {
        cwd: place.work(),
        // Not around the working directory, which some policies let it write to.
        home: Some(place.state()),
        ..Context::default()
    };
    let policy = Policy::load(OsStr::new(policy), &context)?;
    let (program, arguments) = words.split_first().ok_or("nothing to run")?;
    let sandbox = Sandbox::new(policy.clone())?;
    let plan = sandbox.command(program).args(arguments).plan()?;
    Ok((policy, plan))
}

/// Floors and sandboxes of one policy.
fn ours(
    rows: &mut Vec<Row>,
    place: &Place,
    policy: &str,
    plan: &Plan,
    words: Words,
) -> Result<(), Box<dyn Error>> {
    let floor = format!("floor, {policy}");
    match place.program("floor") {
        Some(program) => floors(rows, place, &program, policy, plan)?,
        None => missing(&floor, "it was not compiled"),
    }
    for (file, name) in [("sandbox", "sandbox"), ("sandbox-static", "sandbox static")] {
        let Some(program) = place.program(file) else {
            if policy == "strict" {
                missing(name, "SANDBOX_STATIC does not say where it is");
            }
            continue;
        };
        let mut launch = Launch::new(program);
        launch.args(["--policy", policy, "--"]).args(words);
        launch.env("HOME", place.state());
        let lacks = match policy {
            "strict" => "nothing",
            _ => "other mounts, limits and calls, as the policy says",
        };
        let row = Row::new(&format!("{name}, {policy}"), lacks, launch);
        rows.push(Row {
            floor: floor.clone(),
            ..row
        });
    }
    Ok(())
}

/// What the floor of this name reads.
pub fn plan_file(place: &Place, name: &str) -> PathBuf {
    place.state().join(name.replace([',', ' '], "-"))
}

/// The floors of one policy: each with its plan in a file.
pub fn floors(
    rows: &mut Vec<Row>,
    place: &Place,
    program: &Path,
    policy: &str,
    plan: &Plan,
) -> Result<(), Box<dyn Error>> {
    let checks = "no limit of time, memory or output, no report, no check that what was mounted is \
        what was planned";
    let mut one = |name: String, apart: bool, lacks: &str| -> Result<(), Box<dyn Error>> {
        let records = match floor::encode(plan, apart) {
            Ok(records) => records,
            Err(error) => {
                missing(&name, &error.to_string());
                return Ok(());
            }
        };
        let file = plan_file(place, &name);
        fs::write(&file, records)?;
        let mut launch = Launch::new(program);
        launch.arg(file);
        let row = Row::new(&name, lacks, launch);
        rows.push(Row {
            floor: name.clone(),
            ..row
        });
        Ok(())
    };
    let name = format!("floor, {policy}");
    one(
        name.clone(),
        false,
        &format!("{checks}; the program is pid 1"),
    )?;
    if policy == "strict" {
        one(APART.into(), true, checks)?;
    }
    Ok(())
}

/// Every other sandbox that is installed.
fn others(rows: &mut Vec<Row>, job: &Job) {
    type Make = fn(&Path, &Job) -> Result<Launch, Box<dyn Error>>;
    let each: [(&str, &str, &str, usize, Make); 5] = [
        (
            BUBBLEWRAP,
            "bwrap",
            bubblewrap::LACKS,
            1,
            bubblewrap::launch,
        ),
        ("crun", "crun", oci::LACKS, 1, oci::crun),
        (
            "hakoniwa",
            "hakoniwa",
            hakoniwa::LACKS,
            10,
            hakoniwa::launch,
        ),
        ("runc", "runc", oci::LACKS, 10, oci::runc),
        (
            "firejail",
            "firejail",
            firejail::LACKS,
            10,
            firejail::launch,
        ),
    ];
    for (name, file, lacks, every, make) in each {
        let Some(program) = job.place.program(file).or_else(|| find(file)) else {
            missing(name, "not installed");
            continue;
        };
        match make(&program, job) {
            Ok(launch) => rows.push(Row {
                every,
                ..Row::new(&versioned(name, &program, job), lacks, launch)
            }),
            Err(error) => missing(name, &error.to_string()),
        }
    }
    match find("podman") {
        Some(program) => rows.extend(one_way(&program, job)),
        None => missing("podman", "not installed"),
    }
}

/// podman in the first way that works.
fn one_way(program: &Path, job: &Job) -> Option<Row> {
    let name = versioned("podman", program, job);
    for way in podman::WAYS {
        let launch = podman::launch(program, job, way)
            .and_then(|mut launch| launch.output().map(|_| launch));
        match launch {
            Ok(launch) => {
                return Some(Row {
                    every: 10,
                    ..Row::new(&name, podman::LACKS, launch)
                });
            }
            Err(error) => missing(&format!("podman {}", way.join(" ")), &error.to_string()),
        }
    }
    None
}

/// The name with the version that the program says it has.
fn versioned(name: &str, program: &Path, job: &Job) -> String {
    let mut launch = Launch::new(program);
    launch.arg("--version");
    oci::runtime_directory(&mut launch, job);
    let said = launch.output().unwrap_or_default();
    let mut words = said.split_ascii_whitespace();
    match words.find(|word| word.starts_with(|first: char| first.is_ascii_digit())) {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    }
}

fn missing(what: &str, why: &str) {
    eprintln!("without {what}: {why}");
}
