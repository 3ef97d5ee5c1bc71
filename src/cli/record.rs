//! Where `--report` writes: opened and tried before the run, filled after it.
//! It must not follow a link that an earlier run may have left, and must not
//! leave a record that says more than it knows.

use super::failure::{Failure, reason};
use nix::errno::Errno;
use nix::fcntl::{
    AT_FDCWD, FallocateFlags, FcntlArg, OFlag, OpenHow, ResolveFlag, fallocate, fcntl, openat2,
};
use nix::sys::stat::Mode;
use sandbox::escape::tick;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What is set aside before the run, so that a full disk is found while nothing
/// has been executed: more than any record of this version needs, with a few copies.
const RESERVED: usize = 16 * 1024;

/// An open place for the record.
#[derive(Debug)]
pub struct Record {
    file: File,
    /// How messages call it, in backticks.
    name: String,
    /// `None` when it is `fd:N`.
    path: Option<PathBuf>,
    /// Where the placeholder begins; `None` without one.
    placeholder: Option<u64>,
}

impl Record {
    /// Opens `FILE` or takes `fd:N`, and reserves room for the record.
    /// `passed` are the descriptors that the program gets; `placeholder` is what stands
    /// there until the record does, one that is not complete.
    ///
    /// Without links on the way (`openat2(2)`, Linux 5.6): whoever ran a program
    /// in a directory that it could write must not have his `report.json` lead
    /// to another file.
    pub fn open(place: &OsStr, passed: &[i32], placeholder: &str) -> Result<Record, Failure> {
        match super::descriptor(place) {
            Some(number) => Record::descriptor(number, passed, placeholder),
            None => Record::path(Path::new(place), placeholder),
        }
    }

    fn descriptor(text: &str, passed: &[i32], placeholder: &str) -> Result<Record, Failure> {
        let name = tick(format!("fd:{text}"));
        let cannot = |why: &str| Failure::new(format!("cannot write the report to {name}: {why}"));
        let number: i32 = text.parse().map_err(|_| {
            cannot("not the number of a descriptor").hint("a file of that name is `./fd:…`")
        })?;
        if (0..=2).contains(&number) {
            return Err(cannot("the standard streams belong to the program")
                .hint("open another one: `--report fd:3 3>report.json`"));
        }
        if passed.contains(&number) {
            return Err(cannot("`--fd` gives it to the program"));
        }
        let fd =
            sandbox::inherited_writable_fd(number).map_err(|error| match error.raw_os_error() {
                Some(libc::EBADF) => cannot("it is not open for writing")
                    .hint(format!("open it: `{number}>report.json`")),
                _ => cannot(&reason(&error)),
            })?;
        let mut record = Record {
            file: File::from(fd),
            name: name.clone(),
            path: None,
            placeholder: None,
        };
        let (at, length) = record.position().map_err(|error| cannot(&reason(&error)))?;
        if at.is_some_and(|at| at < length) {
            return Err(cannot("it stands in the middle of a file").hint(format!(
                "`{number}>report.json` empties it, `{number}>>report.json` appends"
            )));
        }
        record.reserve(at, placeholder)?;
        Ok(record)
    }

    /// Where the next write goes, and the length of the file. No position where
    /// a placeholder could not be replaced: outside regular files, and in append
    /// mode.
    fn position(&mut self) -> io::Result<(Option<u64>, u64)> {
        let facts = self.file.metadata()?;
        let flags = OFlag::from_bits_retain(fcntl(&self.file, FcntlArg::F_GETFL)?);
        if !facts.is_file() || flags.contains(OFlag::O_APPEND) {
            return Ok((None, facts.len()));
        }
        Ok((Some(self.file.stream_position()?), facts.len()))
    }

    fn path(path: &Path, placeholder: &str) -> Result<Record, Failure> {
        let name = tick(path);
        let (file, created) = open_at(path, "the report")?;
        let mut record = Record {
            file,
            name,
            path: Some(path.to_owned()),
            placeholder: None,
        };
        let reserved = record
            .check_kind()
            .and_then(|at| record.reserve(at, placeholder));
        if reserved.is_err() && created {
            record.remove();
        }
        reserved.map(|()| record)
    }

    fn check_kind(&self) -> Result<Option<u64>, Failure> {
        let cannot = format!("cannot write the report to {}", self.name);
        let facts = self
            .file
            .metadata()
            .map_err(|error| Failure::io(&cannot, &error))?;
        let kind = facts.file_type();
        match (kind.is_file(), kind.is_char_device()) {
            (true, _) => Ok(Some(0)),
            (_, true) => Ok(None),
            _ => Err(not_regular(&cannot)),
        }
    }

    /// Writes the placeholder at this position. Where none can stand, a write of
    /// nothing at least finds `/dev/full`.
    fn reserve(&mut self, at: Option<u64>, placeholder: &str) -> Result<(), Failure> {
        self.placeholder = at;
        let written = match at {
            None => self.file.write(&[]).map(drop),
            Some(at) => self.set_aside(at).and_then(|()| {
                let mut text = placeholder.as_bytes().to_vec();
                let end = text.pop();
                text.resize(RESERVED - 1, b' ');
                text.extend(end);
                self.write_at(at, &text)
            }),
        };
        written.map_err(|error| self.failed(&error))
    }

    /// Asks for the room first, so that on a full disk an older record keeps its
    /// content. File systems that cannot (EOPNOTSUPP) say it when it is written.
    fn set_aside(&self, at: u64) -> io::Result<()> {
        let keep = FallocateFlags::FALLOC_FL_KEEP_SIZE;
        match fallocate(&self.file, keep, at as i64, RESERVED as i64) {
            Err(error @ (Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Replaces the placeholder by the record.
    pub fn finish(mut self, text: &str) -> Result<(), Failure> {
        let written = match self.placeholder {
            None => self.file.write_all(text.as_bytes()),
            Some(at) => self.write_at(at, text.as_bytes()),
        };
        written.map_err(|error| self.failed(&error))?;
        self.check_place()
    }

    /// The same for a run that failed, which is the failure that the exit code stands for.
    pub fn give_up(self, text: &str) {
        if let Err(second) = self.finish(text) {
            super::complain(&second.message);
        }
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::io(format!("cannot write the report to {}", self.name), error)
    }

    fn check_place(&self) -> Result<(), Failure> {
        match self.still_there() {
            true => Ok(()),
            false => Err(Failure::new(format!(
                "the report is not at {} any more: the program replaced or removed the file",
                self.name
            ))
            .hint("write it where the program may not write, or use `--report fd:N`")),
        }
    }

    /// Writes at this position and ends the file there.
    fn write_at(&mut self, at: u64, text: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(text)?;
        self.file.set_len(at + text.len() as u64)
    }

    /// Does the path still lead to the file that was written? A program that
    /// may write the directory could have put a forged record there.
    fn still_there(&self) -> bool {
        let same = |a: Metadata, b: Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
        match &self.path {
            None => true,
            Some(path) => match (self.file.metadata(), path.symlink_metadata()) {
                (Ok(open), Ok(named)) => same(open, named),
                _ => false,
            },
        }
    }

    fn remove(&self) {
        if let (Some(path), true) = (&self.path, self.still_there()) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Records of several runs, a line for each as soon as it is known.
#[derive(Debug)]
pub struct Lines(Record);

impl Lines {
    /// Opens it as a record is opened, empty.
    pub fn open(place: &OsStr) -> Result<Lines, Failure> {
        let mut record = Record::open(place, &[], "\n")?;
        if let Some(at) = record.placeholder.take() {
            let emptied = record.write_at(at, b"");
            emptied.map_err(|error| record.failed(&error))?;
        }
        Ok(Lines(record))
    }

    /// Adds a line.
    pub fn write(&mut self, line: &str) -> Result<(), Failure> {
        let written = self.0.file.write_all(line.as_bytes());
        written.map_err(|error| self.0.failed(&error))
    }

    /// To be called after the last line.
    pub fn finish(self) -> Result<(), Failure> {
        self.0.check_place()
    }
}

/// An empty file at this path, which may be an older one, for what messages call `what`.
/// Through no links, as a record.
pub fn create(path: &Path, what: &str) -> Result<File, Failure> {
    let cannot = format!("cannot write {what} to {}", tick(path));
    let (file, _) = open_at(path, what)?;
    let facts = file
        .metadata()
        .map_err(|error| Failure::io(&cannot, &error))?;
    if !facts.is_file() {
        return Err(Failure::new(format!("{cannot}: it is no regular file")));
    }
    file.set_len(0)
        .map_err(|error| Failure::io(&cannot, &error))?;
    Ok(file)
}

/// The same as [`open_or_create`], with a sentence for what goes wrong.
fn open_at(path: &Path, what: &str) -> Result<(File, bool), Failure> {
    let cannot = format!("cannot write {what} to {}", tick(path));
    open_or_create(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => {
            let failure = Failure::new(format!("{cannot}: a symbolic link is on the way"));
            match real(path) {
                Some(real) => failure.hint(format!(
                    "if the link is yours, name the file itself: {}",
                    tick(real)
                )),
                None => failure,
            }
        }
        Some(libc::ENXIO) => not_regular(&cannot),
        Some(libc::ENOSYS) => Failure::io(&cannot, &error)
            .hint("openat2 needs Linux 5.6; `--report fd:N` does without"),
        _ => Failure::io(&cannot, &error),
    })
}

/// The file, and whether it is new. Nothing in it is lost yet.
fn open_or_create(path: &Path) -> io::Result<(File, bool)> {
    let open = |more: OFlag, mode: Mode| {
        // O_NONBLOCK: a FIFO without a reader answers instead of waiting.
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | more;
        let how = OpenHow::new()
            .flags(flags)
            .mode(mode)
            .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
        loop {
            // On a file system of the network, or of a FUSE server, a signal interrupts it.
            match openat2(AT_FDCWD, path, how) {
                Err(Errno::EINTR) => {}
                other => return other.map(File::from),
            }
        }
    };
    let new = Mode::from_bits_truncate(0o666);
    match open(OFlag::O_CREAT | OFlag::O_EXCL, new) {
        Ok(file) => Ok((file, true)),
        Err(Errno::EEXIST) => Ok((open(OFlag::empty(), Mode::empty())?, false)),
        Err(error) => Err(error.into()),
    }
}

/// The path without links, also when its last part does not exist yet.
fn real(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Some(real);
    }
    let parent = match path.parent()? {
        parent if parent.as_os_str().is_empty() => Path::new("."),
        parent => parent,
    };
    Some(parent.canonicalize().ok()?.join(path.file_name()?))
}

fn not_regular(cannot: &str) -> Failure {
    Failure::new(format!("{cannot}: it is no regular file"))
        .hint("for a pipe or socket use `--report fd:N`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox::report::{Format, incomplete};
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A directory of its own, removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("record-{}-{name}", std::process::id()));
            fs::create_dir(&path).unwrap();
            // Where the temporary directory is behind a link.
            Scratch(path.canonicalize().unwrap())
        }
        fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn open(path: &Path) -> Result<Record, Failure> {
        Record::open(path.as_os_str(), &[], &incomplete(None))
    }

    #[test]
    fn the_placeholder_is_valid_and_the_record_replaces_all_of_it() {
        let scratch = Scratch::new("replaced");
        let file = scratch.file("r.json");
        let record = open(&file).unwrap();
        let placeholder = fs::read_to_string(&file).unwrap();
        assert_eq!(placeholder.len(), RESERVED);
        let value: serde_json::Value = serde_json::from_str(&placeholder).unwrap();
        assert_eq!(value["complete"], false);
        record.finish("{}\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "{}\n");
    }

    #[test]
    fn the_placeholder_of_another_judge_is_a_failure_of_ours() {
        let scratch = Scratch::new("formats");
        let file = scratch.file("meta");
        let text = Format::Isolate.incomplete(None);
        let record = Record::open(file.as_os_str(), &[], &text).unwrap();
        let placeholder = fs::read_to_string(&file).unwrap();
        assert_eq!(placeholder.len(), RESERVED);
        assert!(placeholder.starts_with("status:XX\nmessage:the run is not over"));
        record.finish("exitcode:0\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "exitcode:0\n");
    }

    #[test]
    fn a_longer_older_record_leaves_no_tail() {
        let scratch = Scratch::new("tail");
        let file = scratch.file("r.json");
        fs::write(&file, "x".repeat(3 * RESERVED)).unwrap();
        open(&file).unwrap().finish("{}\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "{}\n");
    }

    #[test]
    fn a_full_disk_is_found_before_the_run() {
        let failure = open(Path::new("/dev/full")).unwrap_err();
        assert_eq!(
            failure.message,
            "cannot write the report to `/dev/full`: No space left on device"
        );
    }

    #[test]
    fn links_are_not_followed_anywhere() {
        let scratch = Scratch::new("links");
        let (target, link) = (scratch.file("target"), scratch.file("link"));
        fs::write(&target, "precious").unwrap();
        symlink(&target, &link).unwrap();
        let message = open(&link).unwrap_err().message;
        let hint = format!("name the file itself: {}", tick(&target));
        assert!(
            message.contains("a symbolic link is on the way"),
            "{message}"
        );
        assert!(message.ends_with(&hint), "{message}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        symlink(&scratch.0, scratch.file("up")).unwrap();
        let message = open(&scratch.file("up/new")).unwrap_err().message;
        assert!(message.ends_with(&tick(scratch.file("new"))), "{message}");
        assert!(!scratch.file("new").exists());
        symlink("nowhere", scratch.file("dangling")).unwrap();
        assert!(open(&scratch.file("dangling")).is_err());
        assert!(!scratch.file("nowhere").exists());
    }

    #[test]
    fn what_is_no_file_is_refused_and_left_alone() {
        let scratch = Scratch::new("kinds");
        let fifo = scratch.file("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        for path in [&fifo, &scratch.0, &scratch.file("no/r.json")] {
            let failure = open(path).unwrap_err();
            assert_eq!(failure.code, 125);
            assert!(failure.message.starts_with("cannot write the report to "));
        }
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
    }

    #[test]
    fn a_record_that_was_replaced_during_the_run_is_no_success() {
        let scratch = Scratch::new("forged");
        let file = scratch.file("r.json");
        let record = open(&file).unwrap();
        fs::rename(&file, scratch.file("away")).unwrap();
        fs::write(&file, "forged").unwrap();
        let message = record.finish("{}\n").unwrap_err().message;
        assert!(message.contains("is not at"), "{message}");
        let record = open(&scratch.file("b.json")).unwrap();
        fs::remove_file(scratch.file("b.json")).unwrap();
        assert!(record.finish("{}\n").is_err());
    }

    #[test]
    fn a_descriptor_is_checked_before_the_run() {
        use std::os::fd::AsRawFd;
        let scratch = Scratch::new("fd");
        let by_number = |number: i32, passed: &[i32]| {
            let place = format!("fd:{number}");
            Record::open(OsStr::new(&place), passed, &incomplete(None))
        };
        let says = |number, passed: &[i32]| by_number(number, passed).unwrap_err().message;
        assert!(says(1, &[]).contains("the standard streams belong to the program"));
        assert!(says(1_000_000, &[]).contains("it is not open for writing"));
        fs::write(scratch.file("x"), "old").unwrap();
        let reader = File::open(scratch.file("x")).unwrap();
        assert!(says(reader.as_raw_fd(), &[]).contains("it is not open for writing"));
        let middle = File::options().write(true).open(scratch.file("x")).unwrap();
        assert!(says(middle.as_raw_fd(), &[]).contains("in the middle of a file"));
        assert!(
            says(middle.as_raw_fd(), &[middle.as_raw_fd()]).contains("gives it to the program")
        );
        let append = File::options()
            .append(true)
            .open(scratch.file("x"))
            .unwrap();
        by_number(append.as_raw_fd(), &[])
            .unwrap()
            .finish("{}\n")
            .unwrap();
        assert_eq!(fs::read_to_string(scratch.file("x")).unwrap(), "old{}\n");
        let fresh = File::create(scratch.file("y")).unwrap();
        by_number(fresh.as_raw_fd(), &[])
            .unwrap()
            .finish("{}\n")
            .unwrap();
        assert_eq!(fs::read_to_string(scratch.file("y")).unwrap(), "{}\n");
        let bad = Record::open(OsStr::new("fd:x"), &[], &incomplete(None))
            .unwrap_err()
            .message;
        assert!(bad.contains("not the number of a descriptor"), "{bad}");
    }
}
