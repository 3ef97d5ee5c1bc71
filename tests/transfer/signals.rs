//! A caller with signal handlers of its own, whose calls are interrupted all the time.

use super::*;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::io::{Read, Write};
use std::os::fd::AsFd;

/// Sends signals to the thread that made it.
#[derive(Clone, Copy)]
struct Pest(libc::c_long);

impl Pest {
    fn of_this_thread() -> Pest {
        extern "C" fn ignore(_: libc::c_int) {}
        let handler = SigHandler::Handler(ignore);
        // Without SA_RESTART, so that calls are interrupted.
        let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGUSR2, &action) }.unwrap();
        // SAFETY: no memory is passed.
        Pest(unsafe { libc::syscall(libc::SYS_gettid) })
    }

    /// Often enough to meet it in a call.
    fn signal(self) {
        for _ in 0..10 {
            // SAFETY: no memory is passed; the thread waits for this one.
            unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), self.0, libc::SIGUSR2) };
            std::thread::yield_now();
        }
    }
}

fn content() -> Vec<u8> {
    (0..2_000_000u32).map(|at| (at % 251) as u8).collect()
}

#[test]
fn they_do_not_stop_a_copy_to_a_slow_reader() {
    let world = World::new();
    world.put("f", content());
    let pest = Pest::of_this_thread();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let reading = std::thread::spawn(move || {
        let mut read = Vec::new();
        let mut part = [0; 16384];
        loop {
            pest.signal();
            match reader.read(&mut part).unwrap() {
                0 => return read,
                bytes => read.extend_from_slice(&part[..bytes]),
            }
        }
    });
    let target = Target::File(writer.as_fd());
    let copied = copy_out(&world.inside, "f", target, &Out::default());
    drop(writer);
    assert!(reading.join().unwrap() == content());
    assert_eq!(copied.unwrap().bytes, content().len() as u64);
}

#[test]
fn they_do_not_stop_a_copy_from_a_slow_writer() {
    let world = World::new();
    let pest = Pest::of_this_thread();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let writing = std::thread::spawn(move || {
        for part in content().chunks(16384) {
            pest.signal();
            writer.write_all(part).unwrap();
        }
    });
    let source = Source::File(reader.as_fd());
    let copied = copy_in(&world.inside, "f", source, &In::default());
    drop(reader);
    assert_eq!(copied.unwrap().bytes, content().len() as u64);
    writing.join().unwrap();
    assert!(fs::read(world.inside("f")).unwrap() == content());
}
