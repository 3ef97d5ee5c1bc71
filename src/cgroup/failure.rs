//! What could not be done, as sentences: what, on which object, why, and a hint.
//! It decides nothing.

use super::{Controllers, Origin};
use crate::sys::Errno;
use std::fmt;

/// One thing that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What, on which object, why.
    pub message: String,
    /// What would help, when we know.
    pub hint: Option<String>,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            hint: None,
        }
    }

    /// "cannot WHAT: the kernel's words".
    pub(super) fn because(what: impl fmt::Display, errno: Errno) -> Failure {
        Failure::new(format!("cannot {what}: {}", errno.desc()))
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// A way to a home that did not lead there, or led to less than was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which way.
    pub origin: Origin,
    /// Why it did not.
    pub failure: Failure,
}

/// No home, or none with what is needed: every way that was tried, and why it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// What is needed and not to be had; empty when not even a group without
    /// controllers can be made.
    pub missing: Controllers,
    /// In the order in which they were tried.
    pub attempts: Vec<Attempt>,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.missing.is_empty() {
            true => f.write_str("no control group can be made")?,
            false => write!(f, "no control group can be made with: {}", self.missing)?,
        }
        for Attempt { origin, failure } in &self.attempts {
            write!(f, "\n  {}: {}", origin.words(), failure.message)?;
        }
        // Once each: two ways often fail for one reason.
        let mut said: Vec<&str> = Vec::new();
        for hint in self
            .attempts
            .iter()
            .filter_map(|at| at.failure.hint.as_deref())
        {
            if !said.contains(&hint) {
                write!(f, "\nhint: {hint}")?;
                said.push(hint);
            }
        }
        Ok(())
    }
}

impl std::error::Error for Unavailable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_named_and_a_hint_is_said_once() {
        let attempt = |origin| Attempt {
            origin,
            failure: Failure::because("make a group below `/x`", Errno::EACCES).hint("do it"),
        };
        let text = Unavailable {
            missing: Controllers::MEMORY | Controllers::PIDS,
            attempts: vec![attempt(Origin::Sibling), attempt(Origin::Systemd)],
        }
        .to_string();
        assert_eq!(
            text,
            "no control group can be made with: memory, pids\n  \
             beside our own group: cannot make a group below `/x`: Permission denied\n  \
             a scope of systemd: cannot make a group below `/x`: Permission denied\n\
             hint: do it"
        );
    }
}
