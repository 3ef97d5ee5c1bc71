//! `sandbox audit`: what is closed, granted and open under a policy on this machine.
//! It must not call anything closed that was not tried.

use super::args;
use super::failure::Failure;
use super::settings;
use super::streams::Streams;
use sandbox::audit::{Asker, State, answer_questions, audit as ask};

/// The hidden subcommand by which this program asks from inside.
const INSIDE: &str = "audit-inside";

/// 0, or 1 when something is open that the policy does not grant.
pub fn audit(audit: &args::Audit) -> Result<u8, Failure> {
    let process = &audit.setup.process;
    if process.tty {
        return Err(Failure::new("an audit has no terminal")
            .hint("leave `--tty` out; what it grants is the ioctls of the terminal"));
    }
    let streams = Streams::read(process)?;
    if streams.redirect() {
        return Err(Failure::new(
            "an audit redirects nothing: it speaks to the program inside by its streams",
        )
        .hint("leave `--stdin`, `--stdout`, `--stderr` and `--fd N=FILE` out"));
    }
    streams.check_inherited()?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::io("cannot find the file of `sandbox` itself", &error))?;
    let asker = Asker {
        program,
        args: vec![INSIDE.into()],
    };
    let found = ask(
        settings::policy(&audit.setup)?,
        &asker,
        &streams.inherited(),
    )?;
    super::print(&match audit.findings.json {
        true => found.json(),
        false => found.text(audit.findings.verbose),
    })?;
    Ok(u8::from(found.count(State::Open) > 0))
}

/// What [`audit`] starts inside.
pub fn inside() -> Result<u8, Failure> {
    answer_questions()
        .map_err(|error| Failure::io("cannot answer the questions of an audit", &error))?;
    Ok(0)
}
