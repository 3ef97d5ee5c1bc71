//! The load: a pool, and threads that each start a run when the one before has ended.

use sandbox::policy::{Context, Policy};
use sandbox::{Pool, Sandbox, Stdio};
use std::error::Error;
use std::ffi::OsStr;
use std::io::Read;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The word that makes this program the load.
pub const WORD: &str = "--load";
const INTERVAL: Duration = Duration::from_secs(5);
/// Runs that wait while memory is looked at.
const WAITING: usize = 64;

/// Microseconds to exec, and to the end.
type Times = Vec<(u64, u64)>;

pub fn serve(words: &[String]) -> Result<(), Box<dyn Error>> {
    let [seconds, threads, rest, program] = words else {
        return Err("a load wants seconds, threads, milliseconds and a program".into());
    };
    let (seconds, threads): (u64, usize) = (seconds.parse()?, threads.parse()?);
    let rest = Duration::from_millis(rest.parse()?);
    let policy = Policy::load(OsStr::new("strict"), &Context::current())?;
    let sandbox = Sandbox::new(policy)?;
    let workers = NonZero::new(threads).ok_or("no threads")?;
    let pool_of = |words: &[&str]| -> Result<Pool, Box<dyn Error>> {
        let (program, arguments) = words.split_first().ok_or("no program")?;
        let prepared = sandbox.command(program).args(arguments).prepare()?;
        Ok(Pool::new(&prepared, "/proc/self/exe", workers)?)
    };
    sustain(&pool_of(&[program])?, seconds, threads, rest)?;
    wait(&pool_of(&["sleep", "1000"])?)
}

fn sustain(
    pool: &Pool,
    seconds: u64,
    threads: usize,
    rest: Duration,
) -> Result<(), Box<dyn Error>> {
    let times: Mutex<Times> = Mutex::new(Vec::new());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let runs = || -> Result<(), String> {
            while !over.load(Ordering::Relaxed) {
                let one = run(pool)?;
                times.lock().map_err(|_| "a thread panicked")?.push(one);
                std::thread::sleep(rest);
            }
            Ok(())
        };
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(runs)).collect();
        let start = Instant::now();
        let mut last = start;
        while start.elapsed() < Duration::from_secs(seconds)
            && all.iter().all(|one| !one.is_finished())
        {
            let left = Duration::from_secs(seconds).saturating_sub(start.elapsed());
            std::thread::sleep(INTERVAL.min(left));
            let now = std::mem::take(&mut *times.lock().map_err(|_| "a thread panicked")?);
            let rate = now.len() as f64 / last.elapsed().as_secs_f64();
            last = Instant::now();
            let (exec, end) = now.into_iter().unzip();
            println!(
                "{:>6} {rate:>7.0} {} {}",
                start.elapsed().as_secs(),
                summary(exec),
                summary(end)
            );
        }
        over.store(true, Ordering::Relaxed);
        for one in all {
            one.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })
}

/// One run, from the request on.
fn run(pool: &Pool) -> Result<(u64, u64), String> {
    let start = Instant::now();
    let mut command = pool.command();
    command.stdin(Stdio::Null).stdout(Stdio::Null);
    let child = command.spawn().map_err(|error| error.to_string())?;
    let exec = start.elapsed().as_micros() as u64;
    let report = child.wait().map_err(|error| error.to_string())?;
    match report.verdict.name() {
        "ok" => Ok((exec, start.elapsed().as_micros() as u64)),
        other => Err(format!("a run ended with {other}")),
    }
}

/// Median, 99th percentile and longest, in milliseconds.
fn summary(mut times: Vec<u64>) -> String {
    times.sort_unstable();
    let at = |percent: usize| {
        times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)))
    };
    let [median, p99, most] =
        [50, 99, 100].map(|percent| *at(percent).unwrap_or(&0) as f64 / 1000.0);
    format!("{median:>9.3} {p99:>6.3} {most:>7.3}")
}

/// Many runs that do nothing, until whoever looks at them has seen enough.
fn wait(pool: &Pool) -> Result<(), Box<dyn Error>> {
    let mut waiting = Vec::new();
    for _ in 0..WAITING {
        let mut command = pool.command();
        command.stdin(Stdio::Null).stdout(Stdio::Null);
        waiting.push(command.spawn()?);
    }
    println!("waiting {WAITING}");
    let _ = std::io::stdin().lock().read(&mut [0; 1])?;
    // Dropped, they are killed.
    Ok(())
}
