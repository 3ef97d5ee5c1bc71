//! `sandbox run`, also without the word: runs a program, writes the record.
//! It must not start anything before it knows that the record can be written.

use super::args;
use super::copies;
use super::failure::Failure;
use super::record::Record;
use super::settings;
use sandbox::report::{Report, incomplete};

/// Runs the program; the exit code is the one of the record.
pub fn run(run: &args::Run) -> Result<u8, Failure> {
    // Before the record is opened: else `--fd 3` would name the record itself.
    for fd in &run.setup.process.fd {
        if !sandbox::is_inherited_fd(*fd) {
            return Err(Failure::new(format!("descriptor {fd} is not open"))
                .hint(format!("open it: `{fd}<file` or `{fd}>file`")));
        }
    }
    let record = match &run.output.report {
        Some(place) => Some(Record::open(place, &run.setup.process.fd)?),
        None => None,
    };
    match launch(run) {
        Ok(report) => {
            if run.output.verbose {
                for line in report.text().lines() {
                    super::complain(line);
                }
            }
            for error in report.files.iter().filter_map(|file| file.error.as_ref()) {
                super::complain(&error.to_string());
            }
            if let Some(record) = record {
                record.finish(&report.json())?;
            }
            Ok(report.exit_code())
        }
        Err(failure) => {
            if let Some(record) = record {
                let text = incomplete(Some((failure.code, &failure.message)));
                // The first failure is the one that the exit code stands for.
                if let Err(second) = record.finish(&text) {
                    super::complain(&second.message);
                }
            }
            Err(failure)
        }
    }
}

fn launch(run: &args::Run) -> Result<Report, Failure> {
    let mut command = settings::command(&run.setup, &run.words.words)?;
    copies::apply(&run.copies, &mut command)?;
    command.noise(run.output.noise);
    let child = command.spawn()?;
    // Not before: a launch that hangs can be interrupted.
    sandbox::hold_forwarded_signals()
        .map_err(|error| Failure::io("cannot hold signals for the program", &error))?;
    Ok(child.wait_forwarding_signals()?)
}
