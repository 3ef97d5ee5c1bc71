//! What was said between two programs, as text that a person reads and a program can
//! take apart again.
//!
//! It holds nothing back and waits for nobody: what cannot be written is not written,
//! and the record says so.

use crate::sys::Errno;
use serde::Serialize;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    Solution,
    Interactor,
}

/// The file of [`super::Pair::transcript`], and what became of it.
///
/// One line for each line, or part of one, that was said:
///
/// ```text
/// 1204377 < 5 3\n
/// 1391842 > 8\n
/// ```
///
/// The time is nanoseconds of CLOCK_MONOTONIC since the first of the two programs was seen
/// to be executed, taken when the relay read it. `>` is what the solution wrote, `<` what the
/// interactor wrote, also what nobody was there to read. The rest of the line is what
/// was said: printable ASCII as it is, but `\\` for a backslash; `\n`, `\r`, `\t`; any
/// other byte as `\xNN`. A line without `\n` at its end is a part, and goes on in the
/// next of the same direction. The last line is `# cut` when the limit did not let more
/// in.
#[derive(Debug, Serialize)]
pub struct Transcript {
    #[serde(skip)]
    file: File,
    #[serde(skip)]
    limit: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// More was said than the limit let in, or than could be written.
    pub cut: bool,
    /// Why it could not be written.
    pub error: Option<String>,
}

const CUT: &str = "# cut\n";

impl Transcript {
    pub(super) fn new(file: File, limit: u64) -> Transcript {
        Transcript {
            file,
            limit,
            bytes: 0,
            cut: false,
            error: None,
        }
    }

    /// Notes what was read at `at_ns`.
    pub(super) fn note(&mut self, at_ns: u64, speaker: Speaker, said: &[u8]) {
        for part in said.split_inclusive(|byte| *byte == b'\n') {
            if self.cut {
                return;
            }
            let line = line(at_ns, speaker, part);
            // Room for the last line is kept until it is needed.
            let whole = self.bytes + (line.len() + CUT.len()) as u64;
            match whole <= self.limit {
                true => self.write(&line),
                false => self.close(),
            }
        }
    }

    fn close(&mut self) {
        self.cut = true;
        if self.bytes + CUT.len() as u64 <= self.limit {
            self.write(CUT);
        }
    }

    fn write(&mut self, text: &str) {
        match self.file.write_all(text.as_bytes()) {
            Ok(()) => self.bytes += text.len() as u64,
            Err(error) => {
                self.cut = true;
                let errno = error.raw_os_error().map(Errno::from_raw);
                self.error = Some(match errno {
                    Some(errno) => errno.desc().to_owned(),
                    None => error.to_string(),
                });
            }
        }
    }
}

fn line(at_ns: u64, speaker: Speaker, said: &[u8]) -> String {
    let direction = match speaker {
        Speaker::Solution => '>',
        Speaker::Interactor => '<',
    };
    let mut line = format!("{at_ns} {direction} ");
    for byte in said {
        match byte {
            b'\\' => line.push_str("\\\\"),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            b' '..=b'~' => line.push(char::from(*byte)),
            byte => {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    fn written(limit: u64, said: &[(Speaker, &[u8])]) -> (String, Transcript) {
        let path = std::env::temp_dir().join(format!(
            "transcript-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let mut file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        std::fs::remove_file(path).unwrap();
        let mut transcript = Transcript::new(file.try_clone().unwrap(), limit);
        for (number, (speaker, said)) in said.iter().enumerate() {
            transcript.note(number as u64, *speaker, said);
        }
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        (text, transcript)
    }

    #[test]
    fn every_byte_has_one_spelling_and_every_line_its_own() {
        let (text, transcript) = written(
            1000,
            &[
                (Speaker::Interactor, b"5 3\nx"),
                (Speaker::Solution, b"\\ \t\r\x00\x7f\xffn\n"),
            ],
        );
        assert_eq!(
            text,
            "0 < 5 3\\n\n0 < x\n1 > \\\\ \\t\\r\\x00\\x7f\\xffn\\n\n"
        );
        assert_eq!(transcript.bytes, text.len() as u64);
        assert!(!transcript.cut && transcript.error.is_none());
    }

    #[test]
    fn the_file_is_never_longer_than_its_limit() {
        let said: &[(Speaker, &[u8])] = &[
            (Speaker::Solution, b"first\n"),
            (Speaker::Solution, b"second\n"),
        ];
        for limit in 0..40 {
            let (text, transcript) = written(limit, said);
            assert!(text.len() as u64 <= limit, "{text:?}");
            assert_eq!(transcript.cut, limit < 31, "{limit} {text:?}");
            let marked = text.ends_with("# cut\n");
            assert_eq!(marked, (6..31).contains(&limit), "{limit} {text:?}");
        }
    }

    #[test]
    fn a_file_that_takes_nothing_is_no_end_of_the_game() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut transcript = Transcript::new(full, 1000);
        transcript.note(0, Speaker::Solution, b"one\ntwo\n");
        assert!(transcript.cut);
        assert_eq!(transcript.error.as_deref(), Some("No space left on device"));
        assert_eq!(transcript.bytes, 0);
    }
}
