//! Asks the program inside, one question at a time, and starts another when one died.
//!
//! What comes out is foreign: one bounded line for each question, and its end.

use super::question::{Answer, Ask, Question};
use crate::plan::Refusal;
use crate::report::{KilledBy, Report};
use crate::{Command, Error, Stdio};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};

/// Longer than any answer.
const MOST_BYTES: u64 = 1 << 20;

/// The answers, and the record of the last run.
pub(super) fn interview(
    command: &mut Command,
    questions: &[Question],
) -> Result<(Vec<Answer>, Report), Error> {
    command.stdin(Stdio::Piped).stdout(Stdio::Piped);
    let mut answers = Vec::with_capacity(questions.len());
    loop {
        let before = answers.len();
        let (ready, report) = one_run(command, questions, &mut answers)?;
        if !ready {
            return Err(cannot_run(&report));
        }
        if answers.len() == questions.len() {
            return Ok((answers, report));
        }
        match (report.killed_by, report.exit.signal) {
            // By what it tried: that is the answer.
            (Some(KilledBy::Syscall), _) => answers.push(Answer::Killed(libc::SIGSYS)),
            (None, Some(signal)) => {
                answers.push(Answer::Killed(signal.into()));
            }
            // A limit in the middle; the rest is asked in another run.
            _ if answers.len() > before => {}
            // A limit, or an end, on nothing but this question.
            _ => answers.push(Answer::NotHere),
        }
    }
}

/// As many answers as come. Without a first one to a harmless question, nothing
/// that the run does is an answer.
fn one_run(
    command: &mut Command,
    questions: &[Question],
    answers: &mut Vec<Answer>,
) -> Result<(bool, Report), Error> {
    let mut child = command.spawn()?;
    let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Error::Refused(Refusal::new("the audit has no pipes")));
    };
    std::thread::scope(|scope| {
        // Output that has a limit comes only while somebody waits.
        let waiter = std::thread::Builder::new().spawn_scoped(scope, move || child.wait());
        let waiter = waiter.map_err(|error| super::outside("start a thread", &error))?;
        let mut from = BufReader::new(from);
        let ready = ask(&to, &mut from, &Ask::Nothing) == Some(Answer::NotHere);
        while ready && answers.len() < questions.len() {
            match ask(&to, &mut from, &questions[answers.len()].ask) {
                Some(answer) => answers.push(answer),
                None => break,
            }
        }
        drop((to, from));
        match waiter.join() {
            Ok(report) => Ok((ready, report?)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// `None` when no answer comes, or none that is one.
fn ask(mut to: &File, from: &mut BufReader<File>, question: &Ask) -> Option<Answer> {
    let mut line = serde_json::to_string(question).ok()?;
    line.push('\n');
    to.write_all(line.as_bytes()).ok()?;
    let mut answer = String::new();
    from.by_ref().take(MOST_BYTES).read_line(&mut answer).ok()?;
    let answer = serde_json::from_str(answer.strip_suffix('\n')?).ok()?;
    // A death is ours to tell, not for the dead.
    (!matches!(answer, Answer::Killed(_))).then_some(answer)
}

fn cannot_run(report: &Report) -> Error {
    let end = match &report.violation {
        Some(violation) => format!("it kills for {}", violation.words()),
        None => report.exit.words(),
    };
    Error::Refused(
        Refusal::new(format!(
            "the program of the audit cannot run under this policy: {end}"
        ))
        .hint("it needs what a small Rust program needs: a few MiB of memory and @default system calls; a dynamically linked one also its libraries"),
    )
}
