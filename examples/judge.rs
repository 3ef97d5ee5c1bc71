//! A judge: runs a program over an input with limits, compares what it writes, and prints a verdict as JSON.
//! It must not trust what it judges: input, output and program meet only inside the sandbox.
//!
//! ```console
//! $ printf '3\n1\n2\n' > input; printf '1\n2\n3\n' > expected
//! $ cargo run --release --example judge -- input expected /usr/bin/sort -n
//! ```
//!
//! It exits 0 when the program was judged, whatever the verdict, and 1 when it
//! could not be run.

use sandbox::policy::{Context, Policy};
use sandbox::report::{Report, Verdict};
use sandbox::{Sandbox, Stdio};
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::process::ExitCode;

/// What a program may write, bytes; one more is the verdict `output`.
const OUTPUT: u64 = 1 << 20;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [input, expected, program, arguments @ ..] = words.as_slice() else {
        eprintln!("usage: judge INPUT EXPECTED PROGRAM [ARG]...");
        return ExitCode::FAILURE;
    };
    match judge(input, expected, program, arguments) {
        Ok(verdict) => {
            println!("{verdict}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("judge: {error}");
            ExitCode::FAILURE
        }
    }
}

fn judge(
    input: &OsStr,
    expected: &OsStr,
    program: &OsStr,
    arguments: &[OsString],
) -> Result<serde_json::Value, Box<dyn Error>> {
    let expected = fs::read(expected)?;

    let mut policy = Policy::load(OsStr::new("strict"), &Context::current())?;
    policy.set_memory("256MiB")?;
    policy.set_cpu_time("2s")?;
    policy.set_wall_time("5s")?;
    policy.limits.stdout = Some(OUTPUT.into());

    let done = Sandbox::new(policy)?
        .command(program)
        .args(arguments)
        .stdin(File::open(input)?)
        .stdout(Stdio::Memory { most: OUTPUT })
        .stderr(Stdio::Null)
        .spawn()?
        .wait_with_output()?;
    let (report, written) = (done.report, done.stdout);

    Ok(serde_json::json!({
        "verdict": word(&report, written == expected),
        "cpu_ns": report.cpu_ns,
        "wall_ns": report.wall_ns,
        "memory_peak_bytes": report.memory_peak_bytes,
        "exit": report.exit,
    }))
}

/// The judge's word for it: the facts decide first, the output last.
fn word(report: &Report, same: bool) -> &'static str {
    match report.verdict {
        Verdict::Ok if same => "accepted",
        Verdict::Ok => "wrong-answer",
        Verdict::Exit | Verdict::Signal => "runtime-error",
        other => other.name(),
    }
}
