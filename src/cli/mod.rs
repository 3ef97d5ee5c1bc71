//! The command line: parses, calls the library, prints, chooses the exit code.
//! It must not isolate anything itself, and uses the public API only.

mod args;
mod audit;
mod batch;
mod cgroup;
mod check;
mod copies;
mod failure;
mod pair;
mod plan;
mod policy;
mod quick;
mod record;
mod run;
mod settings;
mod streams;
mod tests;
mod usage;

use args::{Action, Cli, Plain, SchemaOf};
use clap::Parser;
use failure::Failure;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Write, stderr, stdout};
use std::os::fd::AsFd;
use std::process::ExitCode;

/// Does what the arguments of this process say.
pub fn main() -> ExitCode {
    sandbox::take_file_size_limit_as_error();
    let words: Vec<OsString> = std::env::args_os().collect();
    match act(&words) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            complain(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn act(words: &[OsString]) -> Result<u8, Failure> {
    refuse_borrowed_rights()?;
    refuse_closed_streams()?;
    // Three parts, each with options: not for one parser.
    if let Some((word, rest)) = words.get(1..).and_then(<[OsString]>::split_first)
        && word == "pair"
    {
        return pair::pair(rest);
    }
    // What neither takes, neither answers: the whole parser has the words.
    if !words.get(1).is_some_and(usage::is_subcommand)
        && let Some(run) = plain(words)
    {
        usage::refuse_misplaced_subcommand(words, &run.words.words)?;
        return run::run(&run);
    }
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => return usage::answer(&error),
    };
    match cli.action {
        Some(Action::Run(run)) => run::run(&run),
        Some(Action::Plan(plan)) => plan::plan(&plan),
        Some(Action::Audit(audit)) => audit::audit(&audit),
        Some(Action::Batch(batch)) => batch::batch(&batch),
        Some(Action::Pair(pair)) => pair::pair(&pair.words),
        Some(Action::AuditInside) => audit::inside(),
        Some(Action::PoolWorker) => Ok(sandbox::Pool::serve()),
        Some(Action::Check(check)) => check::check(&check.files),
        Some(Action::Policy(policy)) => policy::policy(&policy),
        Some(Action::Schema(schema)) => print(match schema.of {
            SchemaOf::Run => sandbox::report::SCHEMA,
            SchemaOf::Pair => sandbox::pair::SCHEMA,
        })
        .map(|()| 0),
        None => {
            usage::refuse_misplaced_subcommand(words, &cli.run.words.words)?;
            run::run(&cli.run)
        }
    }
}

/// A run without the word `run`, as most are.
fn plain(words: &[OsString]) -> Option<args::Run> {
    let quick = words.get(1..).and_then(quick::run);
    quick.or_else(|| Some(Plain::try_parse_from(words).ok()?.run))
}

/// Installed set-user-id, it would open files for its caller with the rights of the
/// binary's owner: policies, sources, the record (the lesson of CVE-2020-5291).
fn refuse_borrowed_rights() -> Result<(), Failure> {
    match sandbox::raised_by_its_file() {
        false => Ok(()),
        true => Err(Failure::new(
            "the binary of `sandbox` has a set-user-id or set-group-id bit or file capabilities, and must not",
        )
        .hint("it needs none: `chmod ug-s` and `setcap -r` take them away")),
    }
}

/// A program that finds descriptor 0, 1 or 2 closed gets the next file it opens
/// there, and writes its messages into it.
fn refuse_closed_streams() -> Result<(), Failure> {
    let (name, redirection) = match sandbox::stdio_closed_at_start() {
        None => return Ok(()),
        Some(0) => ("input", "</dev/null"),
        Some(1) => ("output", ">/dev/null"),
        Some(_) => ("error", "2>/dev/null"),
    };
    Err(Failure::new(format!("standard {name} is closed"))
        .hint(format!("redirect it instead: `{redirection}`")))
}

/// Writes to standard output. Not `print!`: that panics on a closed pipe, and
/// the buffer behind it takes a descriptor that is not writable for success.
fn print(text: &str) -> Result<(), Failure> {
    let written = stdout()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|fd| File::from(fd).write_all(text.as_bytes()));
    written.map_err(|error| Failure::io("cannot write to standard output", &error))
}

/// Writes a message to standard error. When that fails there is nobody left to
/// tell; the exit code still says it.
fn complain(message: &str) {
    let _ = stderr().write_all(format!("sandbox: {message}\n").as_bytes());
}

/// The number in `fd:N`; `None` for anything else.
fn descriptor(text: &OsStr) -> Option<&str> {
    text.to_str()?.strip_prefix("fd:")
}
