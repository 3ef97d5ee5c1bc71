//! Measures what a cold launch costs, beside other sandboxes with the same layers, beside
//! the least that these layers can cost, and beside no sandbox at all. It asserts nothing
//! about time: it says what it measured.
//!
//! ```console
//! $ cargo bench --bench cold                      # 300 interleaved turns
//! $ cargo bench --bench cold -- 1000
//! $ cargo bench --bench cold -- --probe           # what a program finds in each row
//! $ cargo bench --bench cold -- --inside          # what calls cost inside
//! $ cargo bench --bench cold -- --rate            # floors in a loop, without a network
//! $ cargo bench --bench cold -- --write docs      # the tables and the plot of the page
//! ```
//!
//! `benches/run` installs the other sandboxes and does the last. How it is measured is
//! in docs/launch.md.
//!
//! Started by root it goes on as another user (uid 65534, or `SANDBOX_BENCH_USER=UID`).
//! `SANDBOX=FILE` measures that binary, `SANDBOX_STATIC=FILE` that one besides.

mod elf;
mod floor;
mod inside;
mod launch;
mod library;
mod machine;
mod peers;
mod place;
mod plot;
mod probe;
mod rate;
mod rows;
mod table;

use place::{Kept, Place};
use rows::{Row, Started};
use sandbox::Pool;
use std::error::Error;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Who measures when root asks: the kernel's overflow uid, owner of nothing.
const NOBODY: u32 = 65534;
const TURNS: usize = 300;
const WARM_UP: usize = 10;
/// Set for the copy that measures.
const PLACE: &str = "SANDBOX_BENCH_PLACE";
/// What it leaves in `state` for the one that asked.
const TABLE: &str = "table.md";
const PLOT: &str = "launch.svg";

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cold: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
struct Asked {
    turns: usize,
    probe: bool,
    inside: bool,
    rate: bool,
    write: Option<PathBuf>,
}

fn bench() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == Pool::WORKER) {
        std::process::exit(Pool::serve().into());
    }
    if let Some((library::WORD, words)) = words.split_first().map(|(one, all)| (&**one, all)) {
        return library::serve(words);
    }
    // `cargo bench` adds `--bench`; `cargo test --benches` does not, and is no
    // place to measure.
    if !words.iter().any(|word| word == "--bench") {
        println!("nothing is measured without `cargo bench`");
        return Ok(());
    }
    let asked = asked(&words)?;
    if let Some(place) = std::env::var_os(PLACE) {
        let place = Place::at(place);
        std::env::set_current_dir(place.work())?;
        let _end = peers::podman::End(place.clone());
        if asked.probe {
            return probe::show(&mut rows::all(&place, &probe::WORDS)?);
        }
        if asked.inside {
            print!("{}", inside::table(&place)?);
            return Ok(());
        }
        if asked.rate {
            print!("{}", rate::text(&place)?);
            return Ok(());
        }
        return measure(&place, &asked);
    }
    let sandbox = std::env::var_os("SANDBOX")
        .map_or(PathBuf::from(env!("CARGO_BIN_EXE_sandbox")), PathBuf::from);
    let kept = Kept::new(&sandbox)?;
    let place = &kept.0;
    let mut command = Command::new(place.path().join("cold"));
    command.args(&words).env(PLACE, place.path());
    if nix::unistd::geteuid().is_root() {
        let user = std::env::var("SANDBOX_BENCH_USER");
        let user = user.map_or(Ok(NOBODY), |user| user.parse())?;
        kept.give_to(user)?;
        command.uid(user).gid(user);
    }
    if !command.status()?.success() {
        return Err("nothing was measured".into());
    }
    match &asked.write {
        Some(directory) if !(asked.probe || asked.inside || asked.rate) => write(place, directory),
        _ => Ok(()),
    }
}

fn asked(words: &[String]) -> Result<Asked, Box<dyn Error>> {
    let mut asked = Asked {
        turns: TURNS,
        probe: false,
        inside: false,
        rate: false,
        write: None,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bench" => {}
            "--probe" => asked.probe = true,
            "--inside" => asked.inside = true,
            "--rate" => asked.rate = true,
            "--write" => {
                asked.write = Some(words.next().ok_or("--write wants a directory")?.into())
            }
            number => {
                let turns = number
                    .parse()
                    .map_err(|_| format!("`{number}` is no number of turns"));
                asked.turns = turns?;
            }
        }
    }
    match asked.turns {
        0 => Err("at least one turn is needed".into()),
        _ => Ok(asked),
    }
}

/// The page's table and plot, from what was left in the place.
fn write(place: &Place, directory: &Path) -> Result<(), Box<dyn Error>> {
    let page = directory.join("launch.md");
    let made = fs::read_to_string(place.state().join(TABLE))?;
    let text = table::splice(&fs::read_to_string(&page)?, &made)?;
    fs::write(page, text)?;
    fs::copy(place.state().join(PLOT), directory.join(PLOT))?;
    Ok(())
}

fn measure(place: &Place, asked: &Asked) -> Result<(), Box<dyn Error>> {
    let nothing = place.nothing();
    let nothing = nothing
        .to_str()
        .ok_or("the directory's name is not UTF-8")?;
    let mut rows = rows::all(place, &[nothing])?;
    rows::library(&mut rows, place)?;
    let usage = place.program("usage");
    turns(&mut rows, asked.turns, usage.as_deref())?;
    let figures = table::figures(&mut rows);
    let about = machine::about(place, asked.turns);
    for line in &about {
        println!("{line}");
    }
    print!("\n{}", table::text(&figures));
    fs::write(
        place.state().join(TABLE),
        table::markdown(&figures, &about, PLOT),
    )?;
    let foot = about.first().map_or("", String::as_str);
    fs::write(place.state().join(PLOT), plot::svg(&figures, foot))?;
    Ok(())
}

/// The rows take turns, so that whatever else the machine does meets all of them; each
/// turn begins with another, so that none always comes after the same.
fn turns(rows: &mut [Row], turns: usize, usage: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let number = rows.len();
    for turn in 0..WARM_UP + turns {
        let counted = turn.checked_sub(WARM_UP);
        for position in 0..number {
            let row = &mut rows[(turn + position) % number];
            if turn % row.every != 0 {
                continue;
            }
            let time = row.time()?;
            if counted.is_some() {
                row.times.push(time);
            }
            if row.every > 1 {
                // These leave work behind, which is not the next row's.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        let (Some(counted), Some(usage)) = (counted, usage) else {
            continue;
        };
        // A run of its own, for it costs what it measures with.
        for row in rows.iter_mut() {
            if counted % (10 * row.every.min(5)) != 0 {
                continue;
            }
            if let Started::Process(launch) = &mut row.started {
                let used = launch.usage(usage);
                let used = used.map_err(|error| format!("{}: {error}", row.name))?;
                row.used.push(used);
            }
        }
    }
    Ok(())
}
