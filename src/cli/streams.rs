//! `--stdin`, `--stdout`, `--stderr` and `--fd`: what the program finds behind its
//! descriptors. Files are opened here, with the caller's rights, before anything starts.
//! It must not open anything before every word is understood.

use super::args;
use super::failure::Failure;
use sandbox::escape::tick;
use sandbox::{Command, Stdio};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

/// Every redirection that was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Streams {
    stdin: Option<OsString>,
    stdout: Option<OsString>,
    stderr: Option<OsString>,
    descriptors: Vec<Descriptor>,
}

/// One `--fd`.
#[derive(Debug, PartialEq, Eq)]
struct Descriptor {
    number: i32,
    /// `None`: the one that is open here under this number.
    file: Option<(OsString, Mode)>,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Read,
    /// Made where it is not there, emptied where it is.
    Write,
    Both,
    Append,
}

/// What `--stderr` takes for "where standard output goes"; a file of that name is
/// `./stdout`.
const MERGED: &str = "stdout";

/// The word of each.
const MODES: [(&str, Mode); 4] = [
    ("ro", Mode::Read),
    ("wo", Mode::Write),
    ("rw", Mode::Both),
    ("append", Mode::Append),
];

impl Streams {
    /// Understands the options.
    pub fn read(process: &args::Process) -> Result<Streams, Failure> {
        for (name, file) in [
            ("--stdin", &process.stdin),
            ("--stdout", &process.stdout),
            ("--stderr", &process.stderr),
        ] {
            if process.tty && file.is_some() {
                return Err(Failure::new(format!(
                    "`{name}` and `--tty` exclude each other: the terminal takes the place of the streams"
                )));
            }
        }
        let mut descriptors: Vec<Descriptor> = Vec::new();
        for spec in &process.fd {
            let descriptor = descriptor(spec)?;
            let number = descriptor.number;
            if descriptors.iter().any(|other| other.number == number) {
                return Err(Failure::new(format!(
                    "`--fd` is wrong: descriptor {number} is named twice"
                )));
            }
            descriptors.push(descriptor);
        }
        Ok(Streams {
            stdin: process.stdin.clone(),
            stdout: process.stdout.clone(),
            stderr: process.stderr.clone(),
            descriptors,
        })
    }

    /// The open descriptors of this process that the program gets.
    pub fn inherited(&self) -> Vec<i32> {
        let inherited = self.descriptors.iter().filter(|fd| fd.file.is_none());
        inherited.map(|fd| fd.number).collect()
    }

    /// Are these open? To be asked before this process opens files of its own, which
    /// could take their numbers.
    pub fn check_inherited(&self) -> Result<(), Failure> {
        let mut inherited = self.inherited().into_iter();
        match inherited.find(|number| !sandbox::is_inherited_fd(*number)) {
            None => Ok(()),
            Some(number) => Err(Failure::new(format!("descriptor {number} is not open"))
                .hint(format!("open it: `{number}<file` or `{number}>file`"))),
        }
    }

    /// Is a file to be opened, or a stream to be led elsewhere?
    pub fn redirect(&self) -> bool {
        let files = self.descriptors.iter().any(|fd| fd.file.is_some());
        files
            || [&self.stdin, &self.stdout, &self.stderr]
                .into_iter()
                .any(Option::is_some)
    }

    /// Would two programs write over each other's standard error?
    pub fn shares_error_file(&self, other: &Streams) -> bool {
        let file = self.stderr.as_ref().filter(|path| *path != MERGED);
        file.is_some() && file == other.stderr.as_ref()
    }

    /// For a plan, which opens nothing: what there would be, and no file of it.
    pub fn announce(&self, command: &mut Command) {
        if self.stdin.is_some() {
            command.stdin(Stdio::Null);
        }
        if self.stdout.is_some() {
            command.stdout(Stdio::Null);
        }
        match &self.stderr {
            Some(path) if path == MERGED => command.stderr(Stdio::MergeStdout),
            Some(_) => command.stderr(Stdio::Null),
            None => command,
        };
        for descriptor in &self.descriptors {
            command.fd(descriptor.number);
        }
    }

    /// Opens the files, and gives everything to the command.
    pub fn apply(&self, command: &mut Command) -> Result<(), Failure> {
        if let Some(path) = &self.stdin {
            command.stdin(open(path, Mode::Read, "standard input")?);
        }
        if let Some(path) = &self.stdout {
            command.stdout(open(path, Mode::Write, "standard output")?);
        }
        match &self.stderr {
            Some(path) if path == MERGED => {
                command.stderr(Stdio::MergeStdout);
            }
            Some(path) => {
                command.stderr(open(path, Mode::Write, "standard error")?);
            }
            None => {}
        }
        for Descriptor { number, file } in &self.descriptors {
            match file {
                None => command.fd(*number),
                Some((path, mode)) => {
                    let file = open(path, *mode, &format!("descriptor {number}"))?;
                    command.fd_as(*number, file)
                }
            };
        }
        Ok(())
    }
}

/// `N`, or `N=FILE` with how to open it. A name may have colons of its own.
fn descriptor(spec: &OsStr) -> Result<Descriptor, Failure> {
    let wrong = |why: &str| Failure::new(format!("`--fd` is wrong: {}: {why}", tick(spec)));
    let bytes = spec.as_bytes();
    let equals = bytes.iter().position(|byte| *byte == b'=');
    let (number, file) = match equals {
        None => (bytes, None),
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
    };
    let number = std::str::from_utf8(number).ok();
    // `i32::from_str` takes a sign.
    let number = number.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number: i32 = number
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| wrong("it does not begin with the number of a descriptor"))?;
    if number < 3 {
        return Err(wrong("0 to 2 are the standard streams")
            .hint("redirect them with `--stdin`, `--stdout` and `--stderr`"));
    }
    let file = match file {
        None => None,
        Some(file) => {
            let (path, mode) = path_and_mode(file);
            if path.is_empty() {
                return Err(wrong("the name of the file is empty"));
            }
            Some((OsStr::from_bytes(path).to_owned(), mode))
        }
    };
    Ok(Descriptor { number, file })
}

fn path_and_mode(file: &[u8]) -> (&[u8], Mode) {
    for (word, mode) in MODES {
        let path = file.strip_suffix(word.as_bytes());
        if let Some(path) = path.and_then(|path| path.strip_suffix(b":")) {
            return (path, mode);
        }
    }
    (file, Mode::Read)
}

fn open(path: &OsStr, mode: Mode, what: &str) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    match mode {
        Mode::Read => options.read(true),
        Mode::Write => options.write(true).create(true).truncate(true),
        Mode::Both => options.read(true).write(true).create(true),
        Mode::Append => options.append(true).create(true),
    };
    // A terminal must not become this process's own.
    let opened = options.mode(0o644).custom_flags(libc::O_NOCTTY).open(path);
    opened.map_err(|error| Failure::io(format!("cannot open {} for {what}", tick(path)), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_a_number_and_maybe_a_file() {
        let read = |text: &str| descriptor(OsStr::new(text)).unwrap();
        let file = |path: &str, mode| Some((OsString::from(path), mode));
        let table = [
            ("3", 3, None),
            ("4=x", 4, file("x", Mode::Read)),
            ("5=x:ro", 5, file("x", Mode::Read)),
            ("6=x:wo", 6, file("x", Mode::Write)),
            ("7=x:rw", 7, file("x", Mode::Both)),
            ("8=a=b:append", 8, file("a=b", Mode::Append)),
            ("9=a:b", 9, file("a:b", Mode::Read)),
            ("10=a:rw:ro", 10, file("a:rw", Mode::Read)),
        ];
        for (text, number, file) in table {
            assert_eq!(read(text), Descriptor { number, file }, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "x",
            "2",
            "0=x",
            "-3",
            "+3",
            "3=",
            "3=:rw",
            "99999999999",
            "=x",
        ] {
            let message = descriptor(OsStr::new(text)).unwrap_err().message;
            assert!(message.starts_with("`--fd` is wrong: "), "{message}");
        }
    }
}
