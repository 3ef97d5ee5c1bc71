//! Descriptors: 0 to 2 and those named by `--fd`, and none of them leads to the host's files.
//! It must not ask about limits on their number; `limits` does.

use crate::harness::{argument, inside, jailed, outcome, prints};
use crate::sockets::with_descriptor;
use crate::support::{self, Scratch};
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd};

checks! {
    open_descriptors, || {
        let mut numbers: Vec<i32> = (0..1024)
            // SAFETY: only asks for the flags of a number.
            .filter(|number| unsafe { libc::fcntl(*number, libc::F_GETFD) } != -1)
            .collect();
        numbers.sort_unstable();
        numbers.iter().map(i32::to_string).collect::<Vec<_>>().join(" ")
    };
    descriptor_text, || {
        let number: i32 = argument().parse().unwrap();
        let mut text = [0u8; 64];
        // SAFETY: nothing else in this process uses the descriptor.
        let mut file = unsafe { fs::File::from_raw_fd(number) };
        let bytes = std::io::Read::read(&mut file, &mut text).unwrap();
        String::from_utf8(text[..bytes].to_vec()).unwrap()
    };
}

/// The standard library opens none for itself.
#[test]
fn only_three_are_open() {
    assert_eq!(jailed("open_descriptors", "", &[]).as_deref(), Ok("0 1 2"));
}

/// As a program in C sees it; the fourth is the directory that is being read.
#[test]
fn ls_sees_three_and_its_own() {
    assert_eq!(prints(&[], &["/bin/ls", "/proc/self/fd"]), "0\n1\n2\n3\n");
}

/// A file that is open over exec in the caller and was not named.
#[test]
fn what_the_caller_left_open_is_closed() {
    let scratch = Scratch::new();
    let file = fs::File::open(scratch.file("secret", "s", 0o644)).unwrap();
    let number = file.as_raw_fd();
    let mut command = inside("open_descriptors", "", &[]);
    // SAFETY: fcntl(2) and dup2(2) are async-signal-safe.
    unsafe {
        use std::os::unix::process::CommandExt;
        command.pre_exec(move || {
            for place in [number, 63] {
                libc::dup2(number, place);
                libc::fcntl(place, libc::F_SETFD, 0);
            }
            Ok(())
        });
    }
    assert_eq!(outcome(&support::run(&mut command)).as_deref(), Ok("0 1 2"));
}

#[test]
fn a_named_descriptor_is_passed_and_no_other() {
    let scratch = Scratch::new();
    let named = fs::File::open(scratch.file("named", "named", 0o644)).unwrap();
    let other = fs::File::open(scratch.file("other", "other", 0o644)).unwrap();
    let number = named.as_raw_fd();
    assert!(other.as_raw_fd() > 2);
    let command = with_descriptor(inside("open_descriptors", "", &[]), number);
    let output = support::run(&mut { command });
    assert_eq!(outcome(&output), Ok(format!("0 1 2 {number}")));
    let command = with_descriptor(inside("descriptor_text", &number.to_string(), &[]), number);
    let output = support::run(&mut { command });
    assert_eq!(outcome(&output).as_deref(), Ok("named"));
}

#[test]
fn a_closed_descriptor_cannot_be_named() {
    let output = support::run(support::sandbox().args(["--fd", "99", "--", "/bin/true"]));
    assert_eq!(
        support::code(&output),
        125,
        "{}",
        support::complaint(&output)
    );
}
