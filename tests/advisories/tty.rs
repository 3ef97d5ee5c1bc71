//! Terminals: bubblewrap CVE-2017-5226, flatpak CVE-2019-10063 and CVE-2023-28100.
//! It must not ask about other requests; `jail` does.

use crate::calls::{alone, here, readable};
use crate::harness::{free, inside};
use crate::outer::Outer;
use crate::support;
use std::process::Command;

/// High bits that a comparison of all 64 takes for another request.
const HIGH: [usize; 4] = [0, 1 << 32, 1 << 63, usize::MAX << 32];

checks! {
    // TIOCSTI on standard input, the terminal of whoever started it.
    type_on_standard_input, || request(libc::TIOCSTI as usize, [b'x'; 8]);
    // TIOCLINUX: paste the selection (3), set it (2).
    paste_on_standard_input, || format!("{} {}", request(libc::TIOCLINUX as usize, [3; 8]), request(libc::TIOCLINUX as usize, [2; 8]));
    session, || {
        // SAFETY: only asks.
        let leader = unsafe { libc::getsid(0) } == 2;
        format!("{leader} {}", readable("/dev/tty"))
    };
}

fn request(number: usize, mut argument: [u8; 8]) -> String {
    let place = argument.as_mut_ptr() as usize;
    let ask = |high: usize| alone(|| here(libc::SYS_ioctl, [0, number | high, place, 0, 0, 0]));
    HIGH.map(ask).join(" ")
}

/// The answer of a check on a terminal, whole.
#[track_caller]
fn on_a_terminal(command: Command, expected: &str) {
    let mut outer = Outer::start(command);
    outer.expect(&format!("answer: {expected}\r\n"));
    assert_eq!(outer.wait(), 0);
}

#[test]
fn cve_2017_5226_cve_2019_10063_nothing_is_typed_into_the_callers_terminal() {
    for options in [&[][..], &["--tty"], &["--policy", "agent"]] {
        let project = support::Scratch::new();
        let mut command = inside("type_on_standard_input", "", options);
        command.current_dir(project.path());
        on_a_terminal(command, "EPERM EPERM EPERM EPERM");
    }
}

/// Without a terminal the request is refused as well: the filter is first to answer.
#[test]
fn cve_2017_5226_the_same_outside_is_for_the_kernel_to_answer() {
    let answer = free("type_on_standard_input", "");
    assert_eq!(answer.as_deref(), Ok("ENOTTY ENOTTY ENOTTY ENOTTY"));
}

#[test]
fn cve_2017_5226_the_session_is_a_new_one() {
    on_a_terminal(inside("session", "", &[]), "true ENXIO");
    on_a_terminal(inside("session", "", &["--tty"]), "true open");
}

#[test]
fn cve_2023_28100_nothing_is_pasted_on_a_console() {
    let eight = ["EPERM"; 8].join(" ");
    on_a_terminal(inside("paste_on_standard_input", "", &[]), &eight);
    on_a_terminal(inside("paste_on_standard_input", "", &["--tty"]), &eight);
}
