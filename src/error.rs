//! What can go wrong before the program runs, as sentences with an exit code.

use crate::plan::Refusal;
use crate::policy;

/// A policy that cannot be read, or a run that was refused. The program was not
/// executed.
#[derive(Debug)]
pub enum Error {
    /// The policy has an error.
    Policy(policy::Error),
    /// The policy is fine, and cannot be put in force here.
    Refused(Refusal),
}

impl Error {
    /// 125, or 126 and 127 when it is the program that cannot be run.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Policy(_) => 125,
            Error::Refused(refusal) => refusal.exit_code,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Policy(error) => error.fmt(f),
            Error::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<policy::Error> for Error {
    fn from(error: policy::Error) -> Error {
        Error::Policy(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Refused(refusal)
    }
}
