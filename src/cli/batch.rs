//! `sandbox batch`: one program, many inputs, each in a sandbox of its own; a line for
//! each in the order of the tests.
//! It must not let one test see what another did, nor lose a test that was not run.

use super::args;
use super::failure::Failure;
use super::record::{self, Lines};
use super::settings;
use super::streams::Streams;
use super::tests::{self, Test};
use sandbox::report::{Report, Verdict, incomplete, named};
use sandbox::{Pool, Prepared, Stdio};
use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// What launches the tests.
enum Launcher {
    Pool(Pool),
    /// One launch after the other, each from the beginning.
    Cold(Prepared),
}

impl Launcher {
    fn new(prepared: Prepared, batch: &args::Batch, count: usize) -> Launcher {
        // A worker is worth what two launches cost.
        if count < FEW {
            return Launcher::Cold(prepared);
        }
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let jobs = batch.tests.jobs;
        let workers = NonZero::new(processors.min(jobs)).unwrap_or(NonZero::<usize>::MIN);
        match Pool::new(&prepared, settings::OURSELVES, workers) {
            Ok(pool) => Launcher::Pool(pool),
            // The same layers, only slower: no reason to stop or to be loud.
            Err(why) => {
                if batch.output.verbose {
                    super::complain(&format!("each test is launched from the beginning: {why}"));
                }
                Launcher::Cold(prepared)
            }
        }
    }

    fn command(&self) -> sandbox::Command {
        match self {
            Launcher::Pool(pool) => pool.command(),
            Launcher::Cold(prepared) => prepared.command(),
        }
    }
}

/// So many tests are worth a worker.
const FEW: usize = 2;

/// What became of one test.
type Outcome = Result<Report, Failure>;

/// 0 when every test is ok, 1 when one is not; 125 to 127 when one could not be run.
pub fn batch(batch: &args::Batch) -> Result<u8, Failure> {
    let process = &batch.setup.process;
    let streams = Streams::read(process)?;
    if process.tty || streams != Streams::default() {
        return Err(Failure::new(
            "a batch has no terminal, and its streams and descriptors are not redirected: \
             its tests would share them",
        )
        .hint("leave out `--tty`, `--fd`, `--stdin`, `--stdout` and `--stderr`; `--out` keeps the output of each test"));
    }
    let tests = tests::find(&batch.tests)?;
    let out = batch.tests.out.as_deref().map(Path::new);
    if let Some(directory) = out.filter(|directory| !directory.is_dir()) {
        let name = sandbox::escape::tick(directory);
        return Err(
            Failure::new(format!("{name} is no directory")).hint("`--out` wants one that is there")
        );
    }
    let mut lines = match &batch.output.report {
        Some(place) => Some(Lines::open(place)?),
        None => None,
    };
    let prepared = settings::command(&batch.setup, &batch.words.words)?.prepare()?;
    let launcher = Launcher::new(prepared, batch, tests.len());
    let mut code = 0;
    let mut say = |test: &Test, outcome: Option<Outcome>| -> Result<(), Failure> {
        let name = test.name.to_string_lossy();
        let (text, word) = match &outcome {
            Some(Ok(report)) => (report.json(), report.verdict.name()),
            Some(Err(failure)) => (
                incomplete(Some((failure.code, &failure.message))),
                "not run",
            ),
            None => (incomplete(None), "not run"),
        };
        code = worst(code, outcome.as_ref());
        if let Some(lines) = &mut lines {
            lines.write(&named(&name, &text))?;
        }
        let escaped = sandbox::escape::plain(&*name);
        if batch.output.verbose
            && let Some(Ok(report)) = &outcome
        {
            for line in report.text().lines() {
                super::complain(&format!("{escaped}: {line}"));
            }
        }
        let failed = match &outcome {
            Some(Err(failure)) => Some(&failure.message),
            Some(Ok(report)) => report.error.as_ref(),
            None => None,
        };
        if let Some(message) = failed {
            super::complain(&format!("{escaped}: {message}"));
        }
        super::print(&format!("{escaped}: {word}\n"))
    };
    each(batch, &tests, &launcher, &mut say)?;
    if let Some(lines) = lines {
        lines.finish()?;
    }
    Ok(code)
}

/// Runs the tests, `jobs` at a time, and says what became of each in their order.
fn each(
    batch: &args::Batch,
    tests: &[Test],
    launcher: &Launcher,
    say: &mut impl FnMut(&Test, Option<Outcome>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let out = batch.tests.out.as_deref().map(Path::new);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    let work = |sender: mpsc::Sender<(usize, Outcome)>| {
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(test) = tests.get(number) else {
                break;
            };
            let outcome = run(launcher, test, out, batch.output.noise);
            let good = matches!(&outcome, Ok(report) if report.verdict == Verdict::Ok);
            if batch.tests.stop_on_failure && !good {
                stop.store(true, Ordering::Relaxed);
            }
            if sender.send((number, outcome)).is_err() {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..batch.tests.jobs.min(tests.len()) {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        let said = in_order(tests, receiver, say);
        // Where nobody is told any more, nothing more is started.
        stop.store(said.is_err(), Ordering::Relaxed);
        said
    })
}

fn in_order(
    tests: &[Test],
    receiver: mpsc::Receiver<(usize, Outcome)>,
    say: &mut impl FnMut(&Test, Option<Outcome>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut early: BTreeMap<usize, Outcome> = BTreeMap::new();
    let mut due = tests.iter().enumerate().peekable();
    for (number, outcome) in receiver {
        early.insert(number, outcome);
        while let Some((number, test)) = due.peek() {
            let Some(outcome) = early.remove(number) else {
                break;
            };
            say(test, Some(outcome))?;
            due.next();
        }
    }
    // What was stopped before it began.
    due.try_for_each(|(number, test)| say(test, early.remove(&number)))
}

fn run(launcher: &Launcher, test: &Test, out: Option<&Path>, noise: bool) -> Outcome {
    let name = sandbox::escape::tick(&test.path);
    let input = File::open(&test.path)
        .map_err(|error| Failure::io(format!("cannot open the test {name}"), &error))?;
    let mut command = launcher.command();
    command.stdin(input).noise(noise);
    match out {
        None => command.stdout(Stdio::Null),
        Some(directory) => {
            let mut file = test.name.clone();
            file.push(".out");
            command.stdout(record::create(&directory.join(file), "the output")?)
        }
    };
    Ok(command.spawn()?.wait()?)
}

/// A test that could not be run comes before one that failed, and the first before others.
fn worst(so_far: u8, outcome: Option<&Outcome>) -> u8 {
    match (so_far, outcome) {
        (code @ 125.., _) => code,
        (_, Some(Err(failure))) => failure.code,
        (code, Some(Ok(report))) if report.verdict == Verdict::Ok => code,
        _ => 1,
    }
}
