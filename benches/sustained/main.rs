//! Runs a pool as fast as it goes, for a minute, and tells every few seconds how fast that
//! is and what the kernel holds: what declines or grows is seen. It asserts nothing.
//!
//! ```console
//! $ cargo bench --bench sustained                 # 60 seconds on every processor
//! $ cargo bench --bench sustained -- 10 1         # 10 seconds, one run at a time
//! $ cargo bench --bench sustained -- 10 1 5       # and 5 ms of rest between two
//! ```
//!
//! Started by root it runs the pool as another user (uid 65534), and tells also what only
//! root may ask: the kernel's objects and the memory of every process of the pool.

#[path = "../cold/elf.rs"]
mod elf;
mod kernel;
mod load;

use sandbox::Pool;
use std::error::Error;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

/// Who runs the pool when root asks: the kernel's overflow uid, owner of nothing.
const NOBODY: u32 = 65534;
const SECONDS: u64 = 60;

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sustained: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == Pool::WORKER) {
        std::process::exit(Pool::serve().into());
    }
    if let Some((load::WORD, words)) = words.split_first().map(|(one, all)| (&**one, all)) {
        return load::serve(words);
    }
    // `cargo bench` adds `--bench`; `cargo test --benches` does not, and is no
    // place to measure.
    if !words.iter().any(|word| word == "--bench") {
        println!("nothing is measured without `cargo bench`");
        return Ok(());
    }
    let mut numbers = words.iter().filter(|word| !word.starts_with("--"));
    let seconds = numbers.next().map_or(Ok(SECONDS), |word| word.parse())?;
    let all = std::thread::available_parallelism()?.get();
    let threads = numbers.next().map_or(Ok(all), |word| word.parse())?;
    let rest = numbers.next().map_or(Ok(0), |word| word.parse())?;
    watch(&Place::new()?, seconds, threads.max(1), rest)
}

/// Starts the load, and prints a row for each line that it says.
fn watch(place: &Place, seconds: u64, threads: usize, rest: u64) -> Result<(), Box<dyn Error>> {
    let mut command = Command::new(place.0.join("sustained"));
    command
        .args([load::WORD, &seconds.to_string(), &threads.to_string()])
        .arg(rest.to_string())
        .arg(place.0.join("nothing"))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut load = command.spawn()?;
    let mut told = load.stdin.take().ok_or("no pipe")?;
    let lines = BufReader::new(load.stdout.take().ok_or("no pipe")?).lines();
    let between = match rest {
        0 => String::new(),
        rest => format!(", {rest} ms after the one before"),
    };
    println!("`strict`, {threads} at a time{between}; milliseconds to exec, and to the end");
    println!(
        "{:>6} {:>7} {:>23} {:>23} {}",
        "second",
        "runs/s",
        "median    p99    most",
        "median    p99    most",
        kernel::HEADS
    );
    println!("{:>6} {:56}{}", "before", "", kernel::objects());
    let mut memory = String::new();
    for line in lines {
        let line = line?;
        match line.strip_prefix("waiting ") {
            None => println!("{line} {}", kernel::objects()),
            Some(waiting) => {
                memory = kernel::memory(place.0.join("sustained"), waiting.parse()?);
                told.write_all(&[0])?;
            }
        }
    }
    if !load.wait()?.success() {
        return Err("the load ended early; its message is above".into());
    }
    // What is torn down later is torn down by then.
    std::thread::sleep(std::time::Duration::from_secs(2));
    println!("{:>6} {:56}{}", "after", "", kernel::objects());
    println!("{memory}");
    Ok(())
}

/// A directory with what is executed; gone when it is dropped.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Place, Box<dyn Error>> {
        // Not in /tmp, which `strict` makes anew.
        let place = Place(format!("/var/tmp/sandbox-sustained-{}", std::process::id()).into());
        fs::create_dir(&place.0)?;
        fs::copy(std::env::current_exe()?, place.0.join("sustained"))?;
        fs::write(place.0.join("nothing"), elf::nothing())?;
        for path in [
            &place.0,
            &place.0.join("sustained"),
            &place.0.join("nothing"),
        ] {
            fs::set_permissions(path, Permissions::from_mode(0o755))?;
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("sustained: cannot remove `{}`: {error}", self.0.display());
        }
    }
}
