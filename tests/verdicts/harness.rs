//! Runs rows of the table as the ordinary user, and compares the record with the row.
//! It must not take a record that is not there, or not complete, for an answer.

use crate::case::{Caller, Case, End, Expected, What};
use crate::inside::{HERE, NAME, SLOWER, slower};
use crate::support::{self, Scratch};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The test that a caller of the library is.
const CALLER: &str = "harness::call";
const CALLED: &str = "VERDICT_CASE";
const MARK: &str = "record: ";

/// Runs these rows some at a time; fails with every row that came out otherwise.
pub fn hold(cases: &[Case]) {
    let wrong = rounds(cases, 1, 3);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Runs every row this often; what came out otherwise.
pub fn rounds(cases: &[Case], rounds: usize, at_once: usize) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (round, at) = (number / cases.len(), number % cases.len());
                    if round >= rounds {
                        return;
                    }
                    if at == 0 && rounds > 1 {
                        println!("round {round}");
                    }
                    // An odd stride: neighbours differ from round to round.
                    let case = &cases[(at + round * 7) % cases.len()];
                    if let Err(why) = try_case(case) {
                        let why = format!("round {round}, {}: {why}", case.name);
                        println!("{why}");
                        wrong.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

/// One row, once.
fn try_case(case: &Case) -> Result<(), String> {
    let run = std::panic::catch_unwind(|| run(case));
    let (exit_code, record) = run.map_err(|_| String::from("the run could not be made"))?;
    crate::schema::valid(&record)?;
    compare(&case.expected, exit_code, &record)
        .map_err(|what| format!("{what}: {exit_code} {record}"))
}

fn compare(expected: &Expected, exit_code: i32, record: &Value) -> Result<(), String> {
    let same = |what: &str, is: &Value, right: Value| match *is == right {
        true => Ok(()),
        false => Err(format!("{what} is {is} and not {right}")),
    };
    if exit_code != i32::from(expected.code) {
        return Err(format!(
            "the exit code is {exit_code} and not {}",
            expected.code
        ));
    }
    same("complete", &record["complete"], json!(expected.executed))?;
    if !expected.executed {
        return same("exit_code", &record["exit_code"], json!(expected.code));
    }
    same("verdict", &record["verdict"], json!(expected.verdict))?;
    same("limits_hit", &record["limits_hit"], json!(expected.hit))?;
    let end = match expected.exit {
        Some(End::Code(code)) => Some((json!(code), Value::Null)),
        Some(End::Signal(number)) => Some((Value::Null, json!(number))),
        None => None,
    };
    if let Some((code, signal)) = end {
        let right = json!({"code": code, "signal": signal, "core": false});
        same("exit", &record["exit"], right)?;
    }
    if let Some(by) = expected.killed_by {
        same("killed_by", &record["killed_by"], json!(by))?;
    }
    if expected.verdict == "violation" {
        let name = &record["violation"]["syscall"];
        same("violation.syscall", name, json!(expected.syscall))?;
    }
    if let Some(idle) = expected.idle {
        // On a slow machine a start alone may use a tenth of the time. Then the word must still
        // be what the record's own numbers say.
        let used = |name: &str| record[name].as_u64().unwrap_or(u64::MAX);
        let idle = idle && (slower() == 1 || used("cpu_ns") < used("wall_ns") / 10);
        same("idle", &record["idle"], json!(idle))?;
    }
    Ok(())
}

/// The exit code and the record.
fn run(case: &Case) -> (i32, Value) {
    let scratch = Scratch::new();
    if let What::Called(..) = case.what {
        return called(case);
    }
    let place = scratch.join("record.json");
    let mut command = support::sandbox();
    command.arg("--report").arg(&place).args(options(case));
    if !case.policy.is_empty() {
        command.arg("--policy").arg(policy(case, &scratch));
    }
    let show = |command: &mut Command, file: &std::path::Path| {
        command
            .arg("--exec")
            .arg(format!("{}:{HERE}", file.display()));
    };
    match &case.what {
        What::File(content, mode) => show(&mut command, &scratch.file("program", content(), *mode)),
        What::Directory => show(&mut command, &scratch.directory("program")),
        What::Missing => {}
        _ => show(&mut command, support::myself()),
    }
    command.arg("--env").arg(format!("{NAME}={}", case.name));
    command.arg("--env").arg(format!("{SLOWER}={}", slower()));
    command.args(["--", HERE]);
    let code = match case.what {
        What::Signalled(_, number) => signalled(&mut command, number),
        _ => support::code(&support::run(&mut command)),
    };
    let text = std::fs::read_to_string(&place).unwrap();
    (code, serde_json::from_str(&text).unwrap())
}

/// The row's options, with more time on a slow machine.
fn options(case: &Case) -> Vec<String> {
    let mut options: Vec<String> = case.options.iter().map(|word| (*word).to_owned()).collect();
    if slower() == 1 {
        return options;
    }
    // What `strict` has, where the row has no other.
    for (limit, of_strict) in [("--cpu-time", "10s"), ("--wall-time", "30s")] {
        if !case.options.contains(&limit) {
            options.extend([limit.to_owned(), of_strict.to_owned()]);
        }
    }
    for at in 1..options.len() {
        let is_time = ["--cpu-time", "--wall-time"].contains(&options[at - 1].as_str());
        let number = options[at].find(|c: char| !c.is_ascii_digit());
        let (number, unit) = options[at].split_at(number.unwrap_or(0));
        if let (true, Ok(number)) = (is_time, number.parse::<u64>()) {
            options[at] = format!("{}{unit}", number * slower());
        }
    }
    options
}

fn policy(case: &Case, scratch: &Scratch) -> std::path::PathBuf {
    let text = format!("version = 1\nextends = [\"strict\"]\n{}", case.policy);
    scratch.file("policy.toml", text, 0o644)
}

/// Runs to the end; `sandbox` gets the signal once the program runs.
fn signalled(command: &mut Command, number: i32) -> i32 {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    // From then on it is for the program; before, it ends `sandbox` in its launch.
    while !blocks(child.id(), number) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::try_from(number).unwrap()).unwrap();
    let status = child.wait_with_output().unwrap();
    support::code(&status)
}

/// Is the signal blocked in this process (proc(5), SigBlk)?
fn blocks(pid: u32, number: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (number - 1) & 1 == 1
}

/// Another process is the caller of the library: this one may be root's.
fn called(case: &Case) -> (i32, Value) {
    let mut command = support::again();
    command
        .args([
            CALLER,
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CALLED, &case.name);
    let output = support::run(&mut command);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix(MARK));
    let (code, record) = line
        .and_then(|line| line.split_once(' '))
        .unwrap_or_else(|| panic!("no record: {text} {}", support::complaint(&output)));
    (code.parse().unwrap(), serde_json::from_str(record).unwrap())
}

#[test]
#[ignore = "a caller of the library; the other tests start it"]
fn call() {
    use sandbox::policy::{Context, Policy};
    let name = std::env::var(CALLED).expect("the name of a row");
    let cases = crate::table::all();
    let case = cases.iter().find(|case| case.name == name).unwrap();
    let What::Called(_, caller) = case.what else {
        panic!("`{name}` needs no caller");
    };
    let text = format!(
        "version = 1\nextends = [\"strict\"]\n[files]\n\"{HERE}\" = {{ from = {:?}, access = \"exec\" }}\n\
         [process.env]\n{NAME} = {name:?}\n{}",
        std::env::current_exe().unwrap(),
        case.policy
    );
    let policy = Policy::parse(&text, "row", &Context::current()).unwrap();
    let mut command = sandbox::Sandbox::new(policy).unwrap().command(HERE);
    let mut child = command.stdout(sandbox::Stdio::Piped).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut [0]).unwrap();
    match caller {
        Caller::Kill => child.kill().unwrap(),
        Caller::Signal(number) => child.signal(number).unwrap(),
    }
    let report = child.wait().unwrap();
    print!("\n{MARK}{} {}", report.exit_code(), report.json());
}
