//! `sandbox plan`: prints what would be done.
//! It must not do any of it.

use super::args;
use super::copies;
use super::failure::Failure;
use super::settings;
use super::streams::Streams;

/// The plan's text on standard output.
pub fn plan(plan: &args::Plan) -> Result<u8, Failure> {
    let streams = Streams::read(&plan.setup.process)?;
    let mut command = settings::command(&plan.setup, &plan.words.words)?;
    streams.announce(&mut command);
    copies::apply(&plan.copies, &mut command)?;
    super::print(&command.plan()?.to_string())?;
    Ok(0)
}
