//! By the library: from memory and open files to memory and open files, and typed outcomes.

use sandbox::policy::{Context, Policy};
use sandbox::report::{Report, Verdict};
use sandbox::transfer::{In, Limits, Out, Problem};
use sandbox::{Command, CopyIn, CopyOut, Sandbox, Stdio};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, Write};

/// A command of an ordinary user; `None` as root, where the library is not tried: what it
/// does there the binary does.
fn shell(script: &str) -> Command {
    let policy = Policy::load(OsStr::new("strict"), &Context::current()).unwrap();
    let mut command = Sandbox::new(policy).unwrap().command("/bin/sh");
    command.arg("-c").arg(script);
    command
        .stdin(Stdio::Null)
        .stdout(Stdio::Null)
        .stderr(Stdio::Null);
    command
}

fn run(command: &mut Command) -> Report {
    command.spawn().unwrap().wait().unwrap()
}

fn bytes(text: &str) -> CopyIn {
    CopyIn::Bytes(text.as_bytes().to_vec())
}

fn scratch_file(text: &str) -> File {
    let scratch = crate::support::Scratch::new();
    let path = scratch.file("f", text, 0o644);
    // Its name goes with the directory.
    File::options().read(true).write(true).open(path).unwrap()
}

#[test]
fn memory_goes_in_and_comes_out() {
    let mut command = shell("cat /tmp/a /tmp/link >/tmp/b");
    command.copy_in("/tmp/a", bytes("one\n"), In::default());
    command.copy_in("/tmp/link", CopyIn::Link("a".into()), In::default());
    command.copy_out("/tmp/b", CopyOut::Memory, Out::default());
    let report = run(&mut command);
    assert_eq!(report.verdict, Verdict::Ok);
    assert_eq!(report.files.len(), 3);
    assert_eq!(report.files[2].content.as_deref(), Some(&b"one\none\n"[..]));
    assert_eq!(report.files[2].copied.bytes, 8);
    assert!(!report.json().contains("one"), "{}", report.json());
    // A command may be run again, and has nothing of the run before.
    let again = run(&mut command);
    assert_eq!(again.files, report.files);
}

#[test]
fn open_files_go_in_from_their_position_and_take_what_comes_out() {
    let mut input = scratch_file("skipped and read");
    input.seek(std::io::SeekFrom::Start(12)).unwrap();
    let output = scratch_file("");
    let mut command = shell("tr a-z A-Z </tmp/a >/tmp/b");
    command.copy_in("/tmp/a", input.into(), In::default());
    let target = output.try_clone().unwrap();
    command.copy_out("/tmp/b", target.into(), Out::default());
    assert_eq!(run(&mut command).exit_code(), 0);
    let mut output = output;
    output.rewind().unwrap();
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "READ");
}

#[test]
fn a_pipe_is_read_to_its_end_before_the_start() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(&[b'x'; 200_000]).unwrap());
    let mut command = shell("test $(wc -c </tmp/a) = 200000");
    command.copy_in("/tmp/a", CopyIn::File(reader.into()), In::default());
    assert_eq!(run(&mut command).exit_code(), 0);
    writing.join().unwrap();
}

#[test]
fn what_failed_is_typed() {
    let mut command = shell("ln -s a /tmp/a; head -c 2000 /dev/zero >/tmp/b; echo c >/tmp/c");
    let small = Out {
        limits: Limits {
            file_bytes: 1000,
            ..Limits::default()
        },
        ..Out::default()
    };
    for path in ["/tmp/a", "/tmp/b", "/tmp/c"] {
        command.copy_out(path, CopyOut::Memory, small.clone());
    }
    let report = run(&mut command);
    let problems: Vec<Option<Problem>> = report
        .files
        .iter()
        .map(|file| file.error.as_ref().map(|error| error.problem))
        .collect();
    let limit = 1000;
    let expected = [
        Some(Problem::SymbolicLink),
        Some(Problem::TooLarge { limit }),
        None,
    ];
    assert_eq!(problems, expected);
    assert_eq!(report.files[1].content, None);
    assert_eq!(report.files[2].content.as_deref(), Some(&b"c\n"[..]));
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Ok, 125));
}

#[test]
fn a_child_that_is_dropped_copies_nothing() {
    let output = scratch_file("");
    let mut command = shell("echo x >/tmp/x; sleep 600");
    let target = output.try_clone().unwrap();
    command.copy_out("/tmp/x", target.into(), Out::default());
    drop(command.spawn().unwrap());
    assert_eq!(output.metadata().unwrap().len(), 0);
}

/// Set in the process that runs one test, so that no other opens anything meanwhile.
const ALONE: &str = "SANDBOX_TEST_ALONE";

#[test]
fn nothing_stays_open() {
    if std::env::var_os(ALONE).is_none() {
        let mut alone = crate::support::again();
        alone.args(["--exact", "library::nothing_stays_open", "--test-threads=1"]);
        let output = crate::support::run(alone.env(ALONE, "1"));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}"
        );
        return;
    }
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let once = || {
        let mut command = shell("exit 0");
        command.copy_in("/tmp/x", bytes("x"), In::default());
        command.copy_out("/tmp/x", CopyOut::Memory, Out::default());
        let child = command.spawn().unwrap();
        let during = open();
        let report = child.wait().unwrap();
        assert_eq!(report.files.len(), 2);
        drop(command.spawn().unwrap());
        let mut refused = shell("exit 0");
        refused.copy_in("/tmp/x/y", bytes("x"), In::default());
        refused.copy_in("/tmp/x", bytes("x"), In::default());
        assert!(refused.spawn().is_err());
        during
    };
    once();
    let before = open();
    for _ in 0..3 {
        assert!(once() > before);
        assert_eq!(open(), before);
    }
}
