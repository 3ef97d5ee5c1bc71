//! Reads the words of a run without the parser of arguments, which takes a tenth of a
//! launch to learn of fifty options that are not there.
//!
//! It must take nothing that the parser would refuse or understand in another way:
//! whatever it is not sure of it leaves to it. A test holds the two against each other.

use super::args::Run;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Where the value of an option goes.
enum Slot<'r> {
    Flag(&'r mut bool),
    Text(&'r mut Option<String>),
    Texts(&'r mut Vec<String>),
    Word(&'r mut Option<OsString>),
    Words(&'r mut Vec<OsString>),
}

/// The run that the words after the program's own name ask for; `None` is no answer.
pub fn run(words: &[OsString]) -> Option<Run> {
    let mut run = Run::default();
    let mut rest = words;
    loop {
        let (word, after) = rest.split_first()?;
        rest = after;
        let bytes = word.as_bytes();
        if bytes == b"--" {
            break;
        }
        let Some(option) = bytes.strip_prefix(b"-") else {
            run.words.words = vec![word.clone()];
            break;
        };
        let (name, given) = match option.iter().position(|byte| *byte == b'=') {
            // `-p=x` is for the parser to understand.
            Some(at) if option.first() == Some(&b'-') => {
                (option.get(..at)?, Some(option.get(at + 1..)?))
            }
            _ => (option, None),
        };
        let slot = slot(&mut run, std::str::from_utf8(name).ok()?)?;
        if let Slot::Flag(flag) = slot {
            if given.is_some() || std::mem::replace(flag, true) {
                return None;
            }
            continue;
        }
        let value = match given {
            Some(value) => OsStr::from_bytes(value),
            None => {
                let (value, after) = rest.split_first()?;
                rest = after;
                // It may be an option, and its value forgotten.
                (!value.as_bytes().starts_with(b"-")).then_some(value)?
            }
        };
        put(slot, value)?;
    }
    // Where the program's name looks like an option, the parser has the last word.
    run.words.words.extend_from_slice(rest);
    let program = run.words.words.first()?;
    (!program.as_bytes().starts_with(b"-")).then_some(run)
}

/// Puts a value where it goes; `None` where it would be the second, or is empty.
fn put(slot: Slot<'_>, value: &OsStr) -> Option<()> {
    if value.is_empty() {
        return None;
    }
    match slot {
        Slot::Text(place @ None) => *place = Some(value.to_str()?.to_owned()),
        Slot::Word(place @ None) => *place = Some(value.to_owned()),
        Slot::Texts(places) => places.push(value.to_str()?.to_owned()),
        Slot::Words(places) => places.push(value.to_owned()),
        Slot::Text(_) | Slot::Word(_) | Slot::Flag(_) => return None,
    }
    Some(())
}

/// The place of an option, named without its first dash.
fn slot<'r>(run: &'r mut Run, name: &str) -> Option<Slot<'r>> {
    let Run { setup, copies, .. } = run;
    let (files, process, limits) = (&mut setup.files, &mut setup.process, &mut setup.limits);
    Some(match name {
        "p" | "-policy" => Slot::Word(&mut setup.policy.policy),
        "-weaken" => Slot::Texts(&mut setup.policy.weaken),
        "-read" => Slot::Texts(&mut files.read),
        "-exec" => Slot::Texts(&mut files.exec),
        "-write" => Slot::Texts(&mut files.write),
        "-write-exec" => Slot::Texts(&mut files.write_exec),
        "-tmpfs" => Slot::Texts(&mut files.tmpfs),
        "-hide" => Slot::Texts(&mut files.hide),
        "-env" => Slot::Texts(&mut process.env),
        "-cwd" => Slot::Text(&mut process.cwd),
        "-user" => Slot::Text(&mut process.user),
        "-hostname" => Slot::Text(&mut process.hostname),
        "-cpus" => Slot::Text(&mut process.cpus),
        "-stdin" => Slot::Word(&mut process.stdin),
        "-stdout" => Slot::Word(&mut process.stdout),
        "-stderr" => Slot::Word(&mut process.stderr),
        "-fd" => Slot::Words(&mut process.fd),
        "-tty" => Slot::Flag(&mut process.tty),
        "-network" => Slot::Text(&mut setup.network.network),
        "-cgroup" => Slot::Word(&mut limits.cgroup),
        "-memory" => Slot::Text(&mut limits.memory),
        "-processes" => Slot::Text(&mut limits.processes),
        "-cpu-time" => Slot::Text(&mut limits.cpu_time),
        "-wall-time" => Slot::Text(&mut limits.wall_time),
        "-output" => Slot::Text(&mut limits.output),
        "-stdout-limit" => Slot::Text(&mut limits.stdout_limit),
        "-stderr-limit" => Slot::Text(&mut limits.stderr_limit),
        "-file-size" => Slot::Text(&mut limits.file_size),
        "-open-files" => Slot::Text(&mut limits.open_files),
        "-cpu-max" => Slot::Text(&mut limits.cpu_max),
        "-cpu-weight" => Slot::Text(&mut limits.cpu_weight),
        "-copy-in" => Slot::Texts(&mut copies.copy_in),
        "-copy-out" => Slot::Texts(&mut copies.copy_out),
        "-copy-max" => Slot::Text(&mut copies.copy_max),
        "-copy-total" => Slot::Text(&mut copies.copy_total),
        "-copy-truncate" => Slot::Flag(&mut copies.copy_truncate),
        "-copy-replace" => Slot::Flag(&mut copies.copy_replace),
        "-report" => Slot::Word(&mut run.output.report),
        "-noise" => Slot::Flag(&mut run.output.noise),
        "v" | "-verbose" => Slot::Flag(&mut run.output.verbose),
        "-by-worker" => Slot::Flag(&mut run.by_worker),
        "-report-format" => Slot::Text(&mut run.format.report_format),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Plain;
    use clap::{CommandFactory, Parser};
    use proptest::prelude::*;

    fn parsed(words: &[OsString]) -> Result<Run, clap::Error> {
        let own = OsString::from("sandbox");
        let words = std::iter::once(&own).chain(words);
        Plain::try_parse_from(words).map(|Plain { run }| run)
    }

    /// What it takes, the parser takes for the same.
    fn agree(words: &[OsString]) -> bool {
        let Some(quick) = run(words) else {
            return false;
        };
        let parsed = parsed(words).unwrap_or_else(|why| panic!("{words:?}: {why}"));
        assert_eq!(format!("{quick:?}"), format!("{parsed:?}"), "{words:?}");
        true
    }

    #[test]
    fn every_option_is_taken_for_what_it_is() {
        for option in Plain::command().get_arguments() {
            let Some(long) = option.get_long().filter(|long| *long != "help") else {
                continue;
            };
            let takes_value = option.get_action().takes_values();
            let short = option.get_short().map(|short| format!("-{short}"));
            for name in short.into_iter().chain([format!("--{long}")]) {
                let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
                let line = match takes_value {
                    true => format!("{name} some:value -- ls -l"),
                    false => format!("{name} ls -l -- {name}"),
                };
                assert!(agree(&words(&line)), "{line}");
                if takes_value && name.starts_with("--") {
                    assert!(agree(&words(&format!("{name}=some=-value ls"))), "{name}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_parser() {
        for line in [
            "",
            "--",
            "--help",
            "-h",
            "-V",
            "--version x",
            "--nonsense x",
            "--memory",
            "--memory 1",
            "--memory -v x",
            "--memory= x",
            "--memory 1 --memory 2 x",
            "--tty=yes x",
            "-vv x",
            "-pstrict x",
            "-p=strict x",
            "--tty --tty x",
            "-- -x",
            "-- -- x",
            "- x",
            "--policy",
        ] {
            let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
            assert!(run(&words).is_none(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn the_parser_says_the_same(words in prop::collection::vec(
            prop_oneof![
                "--(memory|policy|read|fd|tty|noise|report|copy-in|stdout)",
                "--(memory|policy|read|tty)=[a-z=,-]{0,3}",
                "-{0,3}[pvhx=]{0,2}",
                "[a-z=-]{0,2}",
                Just(String::from("--")),
            ],
            0..6,
        )) {
            let words: Vec<_> = words.into_iter().map(OsString::from).collect();
            agree(&words);
        }
    }
}
