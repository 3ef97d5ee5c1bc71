//! The user's own proof: tries, inside their policy on their machine, what a
//! program might try, and says what is closed, granted and open.
//!
//! It isolates nothing and repairs nothing. What is right is taken from the
//! policy as its author wrote it and from lists of its own, so that a mistake of
//! the planner shows. It proves what it tried and no more.

mod calls;
#[doc(hidden)]
pub mod dangers;
mod files;
mod inside;
mod interview;
mod outside;
mod process;
mod question;
mod text;

pub use inside::answer_questions;
pub use question::State;

use crate::host::paths::lexical;
use crate::plan::Refusal;
use crate::policy::{Access, Content, FileRule, InsidePath, Policy};
use crate::report::{Layer, Weakened};
use crate::{Error, Sandbox};
use outside::Baits;
use question::{Expect, Question};
use serde::Serialize;
use std::ffi::OsString;
use std::fs;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

/// What was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Every question with its answer, grouped by subject.
    pub findings: Vec<Finding>,
    /// Every isolation step as confirmed, in order.
    pub layers: Vec<Layer>,
    /// What the policy weakened by name.
    pub weakened: Vec<Weakened>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it belongs to.
    pub subject: &'static str,
    /// What was tried; printable.
    pub what: String,
    /// How it stands.
    pub state: State,
    /// What came of it, or by which rule it is granted; printable.
    pub answer: String,
}

impl Audit {
    /// How many findings have this state.
    pub fn count(&self, state: State) -> usize {
        let found = self.findings.iter();
        found.filter(|finding| finding.state == state).count()
    }
}

/// The program that asks, and how it is told to: it calls [`answer_questions`]
/// when it is started with these arguments.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Its file on the host.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// Where the asker stands inside, whatever the policy.
const INSIDE: &str = "/sandbox-audit";

/// Audits a policy, with the descriptors that would be passed on.
///
/// The asker, and the libraries it is linked to where no rule shows them, are
/// added to the policy for the time of the audit.
///
/// # Errors
/// A policy that is refused here, or one under which the asker itself cannot run.
pub fn audit(mut policy: Policy, asker: &Asker, fds: &[RawFd]) -> Result<Audit, Error> {
    let asked = policy.clone();
    let program = admit(&mut policy, asker)?;
    // How fast it may go opens and closes nothing, and there is no group here to keep it.
    let limits = &mut policy.limits;
    (limits.cpu_max, limits.cpu_weight) = (None, None);
    limits.io_max.clear();
    let sandbox = Sandbox::new(policy.clone())?;
    let baits = Baits::lay().map_err(|error| outside("open a socket to be tried", &error))?;
    let leaked = outside::leaked_directory()
        .map_err(|error| outside("open a directory to be left open", &error))?;
    let mut command = sandbox.command(program);
    command.args(&asker.args);
    for fd in fds {
        command.fd(*fd);
    }
    let plan = command.plan()?;
    let mut questions = process::questions(&asked, &plan, &baits, fds);
    questions.extend(files::questions(&policy, &plan, &outside::objects()));
    questions.extend(calls::questions(&asked)?);
    let (answers, report) = interview::interview(&mut command, &questions)?;
    drop((baits, leaked));
    let findings = questions.iter().zip(&answers);
    Ok(Audit {
        findings: findings
            .map(|(question, answer)| finding(question, answer))
            .collect(),
        layers: report.layers,
        weakened: report.weakened,
    })
}

fn finding(question: &Question, answer: &question::Answer) -> Finding {
    let state = question.expect.judge(answer);
    Finding {
        subject: question.subject,
        what: question.what.clone(),
        state,
        answer: match (&question.expect, state) {
            (Expect::Granted(words), State::Granted) => words.clone(),
            (expect, State::Open) => expect.difference(answer),
            _ => answer.words(),
        },
    }
}

/// Makes the asker visible, and of its libraries what no rule shows; where it is then.
fn admit(policy: &mut Policy, asker: &Asker) -> Result<PathBuf, Error> {
    let program = fs::canonicalize(&asker.program)
        .map_err(|error| outside("find the program of the audit itself", &error))?;
    let at = |path: &Path| InsidePath::new(lexical(path)).map_err(Refusal::new);
    let own = |source: &Path| FileRule {
        content: Content::Host(source.to_owned()),
        access: Access::Exec,
        optional: false,
        git: false,
        follows: false,
        origin: String::from("the audit itself"),
    };
    for library in libraries(&fs::read("/proc/self/maps").unwrap_or_default()) {
        if library == program {
            continue;
        }
        // A program names its loader by another path than the one it has.
        let names = LOADER_DIRECTORIES.iter().filter_map(|directory| {
            let path = Path::new(directory).join(library.file_name()?);
            (fs::canonicalize(&path).ok()? == library).then_some(path)
        });
        for path in names.chain([library.clone()]) {
            if nearest(policy, &path).is_none() {
                policy.files.insert(at(&path)?, own(&library));
            }
        }
    }
    // Where it is visible and may be executed a second name for it would only be
    // another thing to explain.
    let visible = nearest(policy, &program).is_some_and(|rule| {
        rule.access.executes()
            && matches!(&rule.content, Content::Host(source) if program.starts_with(source))
    });
    if visible {
        return Ok(program);
    }
    policy.files.insert(at(Path::new(INSIDE))?, own(&program));
    Ok(PathBuf::from(INSIDE))
}

/// Where the psABIs put the dynamic loader.
const LOADER_DIRECTORIES: [&str; 2] = ["/lib64", "/lib"];

/// The most specific rule for a path inside.
fn nearest<'p>(policy: &'p Policy, path: &Path) -> Option<&'p FileRule> {
    path.ancestors()
        .filter_map(|above| InsidePath::new(above).ok())
        .find_map(|at| policy.files.get(&at))
}

/// The files of which code is mapped into this process: the program, its
/// libraries and the loader (proc_pid_maps(5)).
fn libraries(maps: &[u8]) -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let mut found: Vec<PathBuf> = maps
        .split(|byte| *byte == b'\n')
        .filter(|line| line.windows(6).any(|part| part == b" r-xp "))
        .filter_map(|line| {
            let at = line.iter().position(|byte| *byte == b'/')?;
            Some(PathBuf::from(std::ffi::OsStr::from_bytes(&line[at..])))
        })
        .collect();
    found.dedup();
    found
}

fn outside(what: &str, error: &std::io::Error) -> Error {
    Error::Refused(Refusal::new(format!("cannot {what}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_what_is_mapped_to_be_executed() {
        let maps = b"55d0-55d1 r--p 00000000 08:01 12 /usr/bin/x\n\
            55d1-55d2 r-xp 00001000 08:01 12 /usr/bin/x\n\
            7f00-7f01 r-xp 00001000 08:01 13                 /usr/lib/libc.so.6\n\
            7f02-7f03 rw-p 00000000 00:00 0 \n\
            7ffd-7ffe r-xp 00000000 00:00 0                          [vdso]\n";
        assert_eq!(
            libraries(maps),
            [
                PathBuf::from("/usr/bin/x"),
                PathBuf::from("/usr/lib/libc.so.6")
            ]
        );
    }
}
