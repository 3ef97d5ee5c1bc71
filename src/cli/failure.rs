//! Why nothing was run, or the run is worth nothing: a message and an exit code.
//! It must not lose the hint of an error on the way.

use sandbox::escape;
use std::io;

/// A message for standard error and the exit code that goes with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// One sentence; hints on lines of their own. Already escaped.
    pub message: String,
    /// 125, 126 or 127.
    pub code: u8,
}

impl Failure {
    /// Exit code 125.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            code: 125,
        }
    }

    /// With advice.
    pub fn hint(mut self, hint: impl AsRef<str>) -> Failure {
        self.message.push_str("\nhint: ");
        self.message.push_str(hint.as_ref());
        self
    }

    /// What could not be done, and the system's reason.
    pub fn io(what: impl Into<String>, error: &io::Error) -> Failure {
        Failure::new(format!("{}: {}", what.into(), reason(error)))
    }
}

/// The system's words without Rust's `(os error 2)`.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.rsplit_once(" (os error ")) {
        (Some(_), Some((words, _))) => escape::plain(words),
        _ => escape::plain(&text),
    }
}

impl From<sandbox::Error> for Failure {
    fn from(error: sandbox::Error) -> Failure {
        Failure {
            code: error.exit_code(),
            message: error.to_string(),
        }
    }
}

impl From<sandbox::policy::Error> for Failure {
    fn from(error: sandbox::policy::Error) -> Failure {
        Failure::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_follows_the_colon_and_the_hint_has_its_line() {
        let error = io::Error::from_raw_os_error(libc::ENOSPC);
        let failure = Failure::io("cannot write `x`", &error).hint("make room");
        assert_eq!(failure.code, 125);
        assert_eq!(
            failure.message,
            "cannot write `x`: No space left on device\nhint: make room"
        );
        assert_eq!(reason(&io::Error::other("a\u{1b}b")), "a\\x1bb");
    }
}
