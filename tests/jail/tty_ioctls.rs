//! Requests to terminals and other descriptors: an allow-list, compared on the low 32 bits.
//! It must not ask about job control under `--tty`.

use crate::calls::{alone, here};
use crate::support;
use std::fs;
use std::os::fd::AsRawFd;

const HIGH: usize = 1 << 32;

checks! {
    push_a_character: _ => "EPERM", || request(libc::TIOCSTI as usize);
    push_a_character_with_high_bits: _ => "EPERM", || request(libc::TIOCSTI as usize | HIGH);
    push_a_character_with_all_high_bits: _ => "EPERM", || request(libc::TIOCSTI as usize | usize::MAX << 32);
    paste_on_a_console: _ => "EPERM", || request(libc::TIOCLINUX as usize);
    paste_on_a_console_with_high_bits: _ => "EPERM", || request(libc::TIOCLINUX as usize | HIGH);
    take_the_console: _ => "EPERM", || request(libc::TIOCCONS as usize);
    steal_a_terminal: _ => "EPERM", || request(libc::TIOCSCTTY as usize);
    hang_a_terminal_up: _ => "EPERM", || request(0x5437); // TIOCVHANGUP
    set_a_line_discipline: _ => "EPERM", || request(libc::TIOCSETD as usize);
    size_of_a_window: _ => "open", || request(libc::TIOCGWINSZ as usize);
    settings_of_a_terminal: _ => "open", || request(libc::TCGETS as usize);
    bytes_to_read: "open" => "open", || on_a_pipe(libc::FIONREAD as usize);
    unknown_request: _ => "ENOTTY", || on_a_pipe(0xdead);
    freeze_a_file_system: _ => "ENOTTY", || on_a_pipe(0xc004_5877);
    // Allowed, and the source is no descriptor.
    clone_a_file: "EBADF" => "EBADF", || on_a_pipe(0x4004_9409);
}

/// On a terminal made for it, which is nobody's.
fn request(number: usize) -> String {
    let master = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/ptmx")
        .unwrap();
    ioctl(master.as_raw_fd(), number)
}

fn on_a_pipe(number: usize) -> String {
    let (reader, _writer) = std::io::pipe().unwrap();
    ioctl(reader.as_raw_fd(), number)
}

fn ioctl(descriptor: i32, number: usize) -> String {
    // Large enough for the answer of any request above.
    let mut buffer = [0u8; 256];
    let place = buffer.as_mut_ptr() as usize;
    alone(|| {
        here(
            libc::SYS_ioctl,
            [descriptor as usize, number, place, 0, 0, 0],
        )
    })
}

#[test]
fn the_callers_terminal_is_not_the_programs() {
    let output =
        support::run(support::sandbox().args(["--", "/bin/sh", "-c", "echo x > /dev/tty"]));
    assert_ne!(support::code(&output), 0);
    assert!(support::complaint(&output).contains("No such device or address"));
}
