//! `sandbox pair`: two programs joined by pipes, and the record of both.
//! It must not take a word of one program for another's.
//!
//! Three parts with `:` between them: options for both, then each program with options of
//! its own. The second `:` is the last that means anything.

use super::args::{self, PairBoth, PairHead, PairSide};
use super::failure::Failure;
use super::record::{self, Record};
use super::streams::Streams;
use super::{cgroup, settings, usage};
use clap::Parser;
use clap::error::ErrorKind;
use sandbox::Command;
use sandbox::escape::tick;
use sandbox::pair::{EndWith, Pair, PairReport, incomplete};
use sandbox::policy::Policy;
use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Stands between the parts, unless `--separator` comes first.
const SEPARATOR: &str = ":";

/// The arguments after the word `pair`.
#[derive(Debug)]
struct Asked {
    head: PairHead,
    solution: PairBoth,
    interactor: PairBoth,
}

/// Runs both; the exit code is the one of the record.
pub fn pair(words: &[OsString]) -> Result<u8, Failure> {
    let asked = match read(words)? {
        Read::Asked(asked) => asked,
        Read::Answered(code) => return Ok(code),
    };
    let streams = streams(&asked)?;
    let record = match &asked.head.output.report {
        Some(place) => {
            let passed = streams.each_ref().map(Streams::inherited).concat();
            Some(Record::open(place, &passed, &incomplete(None))?)
        }
        None => None,
    };
    match play(&asked, &streams) {
        Ok(report) => {
            if asked.head.output.verbose {
                report.text().lines().for_each(super::complain);
            }
            for (part, side) in [
                ("solution", &report.solution),
                ("interactor", &report.interactor),
            ] {
                if let Some(error) = &side.error {
                    super::complain(&format!("{part}: {error}"));
                }
            }
            if let Some(record) = record {
                record.finish(&report.json())?;
            }
            Ok(report.exit_code())
        }
        Err(failure) => {
            if let Some(record) = record {
                record.give_up(&incomplete(Some((failure.code, &failure.message))));
            }
            Err(failure)
        }
    }
}

/// What each side finds behind its descriptors, but for standard input and output.
fn streams(asked: &Asked) -> Result<[Streams; 2], Failure> {
    let sides = [&asked.solution, &asked.interactor].map(|side| &side.setup.process);
    for (taken, option) in [
        (sides.iter().any(|side| side.tty), "--tty"),
        (sides.iter().any(|side| side.stdin.is_some()), "--stdin"),
        (sides.iter().any(|side| side.stdout.is_some()), "--stdout"),
    ] {
        if taken {
            return Err(Failure::new(
                "the standard input and output of a pair are the programs' own: they talk to each other there",
            )
            .hint(format!("leave `{option}` out")));
        }
    }
    let read = |side, part| {
        let streams = Streams::read(side).map_err(of(part))?;
        streams.check_inherited().map_err(of(part))?;
        Ok::<_, Failure>(streams)
    };
    let [solution, interactor] = sides;
    let streams = [read(solution, "solution")?, read(interactor, "interactor")?];
    if streams[0].shares_error_file(&streams[1]) {
        return Err(Failure::new(
            "both programs would write their standard error over the other's in one file",
        )
        .hint("give each an own `--stderr`, after the `:` before it"));
    }
    Ok(streams)
}

/// Both programs under their policies.
fn commands(asked: &Asked, streams: &[Streams; 2]) -> Result<[Command; 2], Failure> {
    let sides = [&asked.solution, &asked.interactor];
    let parts = ["solution", "interactor"];
    let policy = |at: usize| settings::policy(&sides[at].setup).map_err(of(parts[at]));
    let policies = [policy(0)?, policy(1)?];
    let option = |at: usize| sides[at].setup.limits.cgroup.as_deref();
    let home = |at: usize, policies: &[&Policy]| match cgroup::home(option(at), policies) {
        Ok(home) => Ok(home.map(Arc::new)),
        Err(failure) => Err(of(parts[at])(failure)),
    };
    let homes = match option(0) == option(1) {
        true => {
            let shared = home(0, &policies.each_ref())?;
            [shared.clone(), shared]
        }
        false => [home(0, &[&policies[0]])?, home(1, &[&policies[1]])?],
    };
    let mut commands = Vec::with_capacity(2);
    let settled = homes
        .into_iter()
        .zip(policies)
        .zip(sides)
        .zip(streams)
        .zip(parts);
    for ((((home, policy), side), streams), part) in settled {
        let command = settings::command_in(home, policy, &side.setup, &side.words.words);
        let mut command = command.map_err(of(part))?;
        command.noise(asked.head.output.noise);
        streams.apply(&mut command).map_err(of(part))?;
        commands.push(command);
    }
    Ok(commands.try_into().expect("there are two sides"))
}

fn play(asked: &Asked, streams: &[Streams; 2]) -> Result<PairReport, Failure> {
    let game = &asked.head.game;
    let [solution, interactor] = commands(asked, streams)?;
    let mut pair = Pair::new(solution, interactor);
    pair.end_with(match (game.end_both, game.end_solution) {
        (true, _) => EndWith::Either,
        (false, true) => EndWith::Interactor,
        (false, false) => EndWith::Nobody,
    });
    if let Some((file, limit)) = transcript(game)? {
        pair.transcript(file, limit);
    }
    // For the programs, once both are there; a launch that hangs can be interrupted.
    pair.hold_signals();
    Ok(pair.spawn()?.wait_forwarding_signals()?)
}

fn transcript(game: &args::Game) -> Result<Option<(File, u64)>, Failure> {
    let limit = sandbox::policy::units::parse_bytes(&game.transcript_limit)
        .map_err(|why| Failure::new(format!("`--transcript-limit` is wrong: {why}")))?;
    let open = |path| record::create(Path::new(path), "the transcript");
    Ok(match &game.transcript {
        Some(path) => Some((open(path)?, limit)),
        None => None,
    })
}

enum Read {
    Asked(Box<Asked>),
    /// Help was asked for and given.
    Answered(u8),
}

fn read(words: &[OsString]) -> Result<Read, Failure> {
    let (separator, words) = separator(words)?;
    let mut parts = words.splitn(3, |word| *word == separator);
    let (Some(head), Some(solution), Some(interactor)) = (parts.next(), parts.next(), parts.next())
    else {
        // `--help` needs no programs.
        return match PairHead::try_parse_from(words) {
            Err(error) if error.kind() == ErrorKind::DisplayHelp => {
                usage::answer(&error).map(Read::Answered)
            }
            _ => Err(Failure::new(format!(
                "a pair is written in three parts, with {} between them",
                tick(&separator)
            ))
            .hint("`sandbox pair [OPTIONS] : [OPTIONS] SOLUTION [ARG]… : [OPTIONS] INTERACTOR [ARG]…`")),
        };
    };
    let parsed = match PairHead::try_parse_from(head) {
        Ok(parsed) => parsed,
        Err(error) => {
            return usage::answer(&error)
                .map(Read::Answered)
                .map_err(of("options for both"));
        }
    };
    Ok(Read::Asked(Box::new(Asked {
        solution: side(head, solution).map_err(of("solution"))?,
        interactor: side(head, interactor).map_err(of("interactor"))?,
        head: parsed,
    })))
}

/// What stands between the parts, and the words after that was said.
fn separator(words: &[OsString]) -> Result<(OsString, &[OsString]), Failure> {
    match words {
        [option, separator, rest @ ..] if option == "--separator" => Ok((separator.clone(), rest)),
        [option] if option == "--separator" => {
            Err(Failure::new("option `--separator` needs a value"))
        }
        _ => Ok((SEPARATOR.into(), words)),
    }
}

/// One side's own words first, so that each mistake in them is found; then with those
/// for both before them, which they override.
fn side(head: &[OsString], own: &[OsString]) -> Result<PairBoth, Failure> {
    let refused = |error: clap::Error| match usage::answer(&error) {
        Err(failure) => failure,
        Ok(_) => Failure::new("help is given before the first `:`"),
    };
    PairSide::try_parse_from(own).map_err(refused)?;
    PairBoth::try_parse_from(head.iter().chain(own)).map_err(refused)
}

fn of(part: &'static str) -> impl Fn(Failure) -> Failure {
    move |failure| Failure {
        message: format!("{part}: {}", failure.message),
        ..failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn asked(line: &str) -> Asked {
        match read(&words(line)) {
            Ok(Read::Asked(asked)) => *asked,
            Ok(Read::Answered(_)) => panic!("help was not asked for"),
            Err(failure) => panic!("{}", failure.message),
        }
    }

    fn says(line: &str) -> String {
        match read(&words(line)) {
            Err(failure) => failure.message,
            Ok(_) => panic!("{line} was understood"),
        }
    }

    #[test]
    fn each_side_has_its_own_words() {
        let asked = asked("--report r : -- ./a --memory : --cwd /x ./b -- : -- y");
        assert_eq!(asked.head.output.report, Some("r".into()));
        assert_eq!(asked.solution.words.words, ["./a", "--memory"]);
        assert_eq!(asked.interactor.words.words, ["./b", "--", ":", "--", "y"]);
        assert_eq!(asked.interactor.setup.process.cwd.as_deref(), Some("/x"));
        assert_eq!(asked.solution.setup.process.cwd, None);
    }

    #[test]
    fn options_for_both_count_for_both_and_are_overridden() {
        let asked = asked(
            "--memory 1MiB --read /a -v : ./a : --memory 2MiB --read /b --policy compile ./b",
        );
        let (solution, interactor) = (&asked.solution.setup, &asked.interactor.setup);
        assert_eq!(solution.limits.memory.as_deref(), Some("1MiB"));
        assert_eq!(interactor.limits.memory.as_deref(), Some("2MiB"));
        assert_eq!(solution.files.read, ["/a"]);
        assert_eq!(interactor.files.read, ["/a", "/b"]);
        assert_eq!(solution.policy.policy, None);
        assert_eq!(interactor.policy.policy, Some("compile".into()));
        assert!(asked.head.output.verbose);
    }

    #[test]
    fn another_separator_frees_the_colon() {
        let asked = asked("--separator ++ -v ++ ./a : b ++ ./b ++ :");
        assert_eq!(asked.solution.words.words, ["./a", ":", "b"]);
        assert_eq!(asked.interactor.words.words, ["./b", "++", ":"]);
    }

    #[test]
    fn each_mistake_says_in_which_part_it_is() {
        assert!(says("./a").starts_with("a pair is written in three parts, with `:`"));
        assert!(says(": ./a").starts_with("a pair is written in three parts"));
        assert!(says(": : ./b").starts_with("solution: no program is named"));
        assert!(says(": ./a :").starts_with("interactor: no program is named"));
        assert!(says("./a : b : c").starts_with("options for both: unexpected argument `./a`"));
        assert!(says(": --report r ./a : b").starts_with("solution: unknown option `--report`"));
        assert!(
            says(": ./a : --user 1 --user 2 b")
                .starts_with("interactor: option `--user` is given twice")
        );
    }
}
