//! Many runs at once from a multi-threaded tokio program: each is spawned and awaited on a blocking thread.
//! It must not block the threads that drive the other tasks.
//!
//! ```console
//! $ cargo run --release --example async_tokio -- 100
//! ```
//!
//! It prints one line of JSON and exits 0 when every run gave what it should.

use sandbox::policy::{Context, Policy};
use sandbox::{Sandbox, Stdio};
use std::ffi::OsStr;
use std::io::Read;
use std::process::ExitCode;
use std::time::Instant;
use tokio::task::{JoinSet, spawn_blocking};

/// Runs at the same time; more wait for their turn.
const AT_ONCE: usize = 16;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<ExitCode, Failure> {
    let runs = match std::env::args().nth(1) {
        Some(number) => number.parse()?,
        None => 100,
    };
    tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(AT_ONCE)
        .build()?
        .block_on(all(runs))
}

async fn all(runs: u32) -> Result<ExitCode, Failure> {
    let start = Instant::now();
    // Read once, shared by all: a `Sandbox` is cheap to clone.
    let sandbox = Sandbox::new(Policy::load(OsStr::new("strict"), &Context::current())?)?;
    let mut tasks = JoinSet::new();
    for number in 0..runs {
        let sandbox = sandbox.clone();
        tasks.spawn(async move { spawn_blocking(move || one(&sandbox, number)).await });
    }
    let mut right = 0;
    while let Some(task) = tasks.join_next().await {
        right += u32::from(task???);
    }
    println!(
        "{}",
        serde_json::json!({
            "runs": runs,
            "right": right,
            "elapsed_ms": u64::try_from(start.elapsed().as_millis())?,
        })
    );
    Ok(match right == runs {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// One run: did the program write the number that it was given?
fn one(sandbox: &Sandbox, number: u32) -> Result<bool, Failure> {
    let mut child = sandbox
        .command("echo")
        .arg(number.to_string())
        .stdin(Stdio::Null)
        .stdout(Stdio::Piped)
        .spawn()?;
    let mut written = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut written)?;
    }
    let report = child.wait()?;
    Ok(report.exit_code() == 0 && written == format!("{number}\n"))
}
