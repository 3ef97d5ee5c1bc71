//! `sandbox run`, also without the word: runs a program, writes the record.
//! It must not start anything before it knows that the record can be written.

use super::args;
use super::copies;
use super::failure::Failure;
use super::record::Record;
use super::settings;
use super::streams::Streams;
use sandbox::Pool;
use sandbox::escape::tick;
use sandbox::report::{Format, Report};
use std::num::NonZero;

/// Runs the program; the exit code is the one of the record.
pub fn run(run: &args::Run) -> Result<u8, Failure> {
    // Before the record is opened: else `--fd 3` would name the record itself.
    let streams = Streams::read(&run.setup.process)?;
    streams.check_inherited()?;
    let format = format(run.format.report_format.as_deref())?;
    let record = match (&run.output.report, &run.format.report_format) {
        (Some(place), _) => {
            let placeholder = format.incomplete(None);
            Some(Record::open(place, &streams.inherited(), &placeholder)?)
        }
        (None, Some(_)) => {
            return Err(
                Failure::new("`--report-format` is given, and no `--report`")
                    .hint("say where the record goes: `--report FILE` or `--report fd:N`"),
            );
        }
        (None, None) => None,
    };
    match launch(run, &streams) {
        Ok(report) => {
            if run.output.verbose {
                for line in report.text().lines() {
                    super::complain(line);
                }
            }
            for error in report.files.iter().filter_map(|file| file.error.as_ref()) {
                super::complain(&error.to_string());
            }
            if let Some(error) = &report.error {
                super::complain(error);
            }
            if let Some(record) = record {
                record.finish(&format.complete(&report))?;
            }
            Ok(report.exit_code())
        }
        Err(failure) => {
            if let Some(record) = record {
                record.give_up(&format.incomplete(Some((failure.code, &failure.message))));
            }
            Err(failure)
        }
    }
}

/// What `--report-format` names; ours where it names none.
fn format(name: Option<&str>) -> Result<Format, Failure> {
    let Some(name) = name else {
        return Ok(Format::Sandbox);
    };
    Format::named(name).ok_or_else(|| {
        let known = Format::ALL.map(Format::name).join(", ");
        Failure::new(format!(
            "option `--report-format` cannot be {}: not one of {known}",
            tick(name)
        ))
    })
}

fn launch(run: &args::Run, streams: &Streams) -> Result<Report, Failure> {
    let mut command = settings::command(&run.setup, &run.words.words)?;
    copies::apply(&run.copies, &mut command)?;
    command.noise(run.output.noise);
    let pool = match run.by_worker {
        true => Pool::new(
            &command.prepare()?,
            settings::OURSELVES,
            NonZero::<usize>::MIN,
        )
        .ok(),
        false => None,
    };
    if let Some(pool) = &pool {
        command.launched_by(pool);
    }
    streams.apply(&mut command)?;
    // For the program, once it is there; a launch that hangs can be interrupted.
    command.hold_signals();
    let report = command.spawn()?.wait_forwarding_signals()?;
    // This process ends now. Giving back piece by piece what the kernel takes back as a
    // whole would touch a dozen pages that were not written to since the clone. A worker
    // is not given back by the kernel: its next run has a control group, which stays.
    if pool.is_none() {
        std::mem::forget(command);
    }
    Ok(report)
}
