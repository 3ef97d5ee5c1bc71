//! runc, CVE-2024-21626: a leaked descriptor to a host directory gave a working directory outside.
//! It must not ask what descriptors named by `--fd` can do; `jail` does.

use crate::harness::{inside, outcome};
use crate::support::{self, Scratch};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

checks! {
    open_and_here, || {
        // SAFETY: only asks for the flags of a number.
        let open = (0..4096).filter(|number| unsafe { libc::fcntl(*number, libc::F_GETFD) } != -1);
        let open: Vec<String> = open.map(|number: i32| number.to_string()).collect();
        format!("{} at {}", open.join(" "), working_directory())
    };
}

/// As the kernel tells it: `(unreachable)` before a path that is not below the root.
fn working_directory() -> String {
    let mut buffer = [0u8; libc::PATH_MAX as usize];
    // SAFETY: pointer and length describe the buffer.
    let length = unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) };
    let length = usize::try_from(length).unwrap();
    String::from_utf8(buffer[..length - 1].to_vec()).unwrap()
}

/// Numbers at which the caller leaves directories open: where the standard library has none.
const LEFT: std::ops::Range<i32> = 100..120;

/// Left open over exec by a careless caller.
fn leaking(mut command: Command, directory: &File) -> Command {
    let number = directory.as_raw_fd();
    // SAFETY: dup2(2) is async-signal-safe, and the numbers are nobody's.
    unsafe {
        command.pre_exec(
            move || match LEFT.map(|place| libc::dup2(number, place)).min() {
                Some(-1) => Err(std::io::Error::last_os_error()),
                _ => Ok(()),
            },
        );
    }
    command
}

#[test]
fn cve_2024_21626_no_descriptor_of_the_caller_is_left() {
    let scratch = Scratch::new();
    let report = scratch.join("report.json");
    for options in [
        &[][..],
        &["--report", report.to_str().unwrap()],
        &["--verbose"],
        &["--output", "1MiB"],
    ] {
        for directory in [scratch.path(), "/".as_ref()] {
            let directory = File::open(directory).unwrap();
            let mut command = leaking(inside("open_and_here", "", options), &directory);
            command.current_dir(scratch.path());
            let answer = outcome(&support::run(&mut command));
            assert_eq!(answer.as_deref(), Ok("0 1 2 at /"), "{options:?}");
        }
    }
}

#[test]
fn cve_2024_21626_no_descriptor_is_left_beside_a_terminal() {
    let scratch = Scratch::new();
    let directory = File::open(scratch.path()).unwrap();
    let command = leaking(inside("open_and_here", "", &["--tty"]), &directory);
    let mut outer = crate::outer::Outer::start(command);
    outer.expect("answer: 0 1 2 at /\r\n");
    assert_eq!(outer.wait(), 0);
}

/// The exploit itself: the working directory named by the number of a descriptor that
/// the launcher holds, whatever that number is.
#[test]
fn cve_2024_21626_a_descriptor_is_no_working_directory() {
    let scratch = Scratch::new();
    let work = scratch.directory("work");
    let directory = File::open("/").unwrap();
    let starters: &[fn() -> Command] = match support::root() {
        true => &[support::sandbox, as_root],
        false => &[support::sandbox],
    };
    for start in starters {
        for number in (0..24).chain([LEFT.start]) {
            for name in ["/proc/self/fd", "/dev/fd", "/proc/thread-self/fd"] {
                let mut command = leaking(start(), &directory);
                command.arg("--write").arg(&work);
                command.arg("--cwd").arg(format!("{name}/{number}"));
                command.args(["--", "/bin/ls"]);
                let message = crate::refused(&mut command);
                // The one directory there is, is pid 1's own procfs, which is mounted
                // nowhere: the kernel says so when it is asked where we are.
                let refusals = [
                    "cannot enter the working directory",
                    "the working directory is below it",
                ];
                assert!(
                    refusals.iter().any(|why| message.contains(why)),
                    "{message}"
                );
            }
        }
    }
}

fn as_root() -> Command {
    let mut command = Command::new(support::binary());
    command.current_dir("/").stdin(std::process::Stdio::null());
    command
}
