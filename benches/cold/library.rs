//! A launch by the library from a caller that has much memory, or little, with a pool's
//! worker, a helper or without: the caller is a process of its own, a copy of this program, that does
//! a run when it is told to.
//!
//! Its figures are of `command().spawn()` to the end of `wait()`: no program but the run's is
//! started and no policy is read in them.

use sandbox::policy::{Context, Policy};
use sandbox::{Pool, Sandbox, Stdio};
use std::error::Error;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command};
use std::time::{Duration, Instant};

/// The word that makes this program such a caller.
pub const WORD: &str = "--caller";
/// What makes a big one, in MiB.
pub const BIG: usize = 512;

/// Who launches for a caller.
#[derive(Clone, Copy)]
pub enum By {
    /// Itself.
    Caller,
    /// A pool's worker, which is this program too.
    Worker,
    /// A helper for each run, which is this program too.
    Helper,
}

impl By {
    /// As the caller is told.
    fn word(self) -> &'static str {
        match self {
            By::Caller => "itself",
            By::Worker => "worker",
            By::Helper => "helper",
        }
    }
}

/// This program, which is a worker when its first word says so.
const HELPER: &str = "/proc/self/exe";

/// The other end: a caller and the pipes to it.
pub struct Caller {
    process: Child,
    told: ChildStdin,
    answers: ChildStdout,
}

impl Caller {
    /// One with so many MiB resident, beside its own.
    pub fn start(own: &Path, program: &Path, mib: usize, by: By) -> Result<Caller, Box<dyn Error>> {
        let mut process = Command::new(own)
            .args([WORD, &mib.to_string(), by.word()])
            .arg(program)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()?;
        let told = process.stdin.take().ok_or("no pipe")?;
        let answers = process.stdout.take().ok_or("no pipe")?;
        Ok(Caller {
            process,
            told,
            answers,
        })
    }

    /// One run.
    pub fn time(&mut self) -> Result<Duration, Box<dyn Error>> {
        let mut answer = [0; 8];
        self.told.write_all(&[0])?;
        self.answers
            .read_exact(&mut answer)
            .map_err(|_| "the caller ended; its message is above")?;
        Ok(Duration::from_nanos(u64::from_ne_bytes(answer)))
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // Its end of file comes with the drop of the pipe, which is later than this.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The caller's own life.
pub fn serve(words: &[String]) -> Result<(), Box<dyn Error>> {
    let [mib, by, program] = words else {
        return Err("a caller wants a size, who launches and a program".into());
    };
    let memory = resident(mib.parse()?)?;
    let context = Context::current();
    let policy = Policy::load(OsStr::new("strict"), &context)?;
    let mut sandbox = Sandbox::new(policy)?;
    if by == By::Helper.word() {
        sandbox = sandbox.helper(HELPER);
    }
    let prepared = sandbox.command(program).prepare()?;
    let pool = match by == By::Worker.word() {
        true => Some(Pool::new(&prepared, HELPER, NonZero::<usize>::MIN)?),
        false => None,
    };
    let (mut told, mut answers) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut byte = [0; 1];
    while told.read(&mut byte)? == 1 {
        let start = Instant::now();
        let mut command = pool
            .as_ref()
            .map_or_else(|| prepared.command(), Pool::command);
        let report = command
            .stdin(Stdio::Null)
            .stdout(Stdio::Null)
            .spawn()?
            .wait()?;
        let time = start.elapsed().as_nanos() as u64;
        if report.verdict.name() != "ok" {
            return Err(format!("the run ended with {}", report.verdict.name()).into());
        }
        answers.write_all(&time.to_ne_bytes())?;
        answers.flush()?;
    }
    // Kept until here, and not to be guessed away.
    std::hint::black_box(&memory);
    Ok(())
}

/// So much memory in small pages, each written to.
fn resident(mib: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    // With huge pages a copy of the page table would be a five-hundredth of it.
    nix::sys::prctl::set_thp_disable(true)?;
    let mut memory = vec![0; mib << 20];
    for page in memory.iter_mut().step_by(4096) {
        *page = 1;
    }
    Ok(memory)
}
