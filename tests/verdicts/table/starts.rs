//! What cannot be executed, and is said not to have been.
//! It must not judge the sentences; `cli` does.

use crate::case::{Case, What, refused};

/// Its name in the table, its content, its mode.
type File = (&'static str, fn() -> Vec<u8>, u32);

pub fn cases() -> Vec<Case> {
    let files: [File; 8] = [
        (
            "a file that may not be executed",
            || b"#!/bin/sh\n".to_vec(),
            0o644,
        ),
        ("a file of no known format", || b"hello\n".to_vec(), 0o755),
        ("an empty file", Vec::new, 0o755),
        (
            "a script whose interpreter is not there",
            || b"#!/nonexistent/shell\n".to_vec(),
            0o755,
        ),
        (
            "a script whose interpreter may not be executed",
            || b"#!/etc/passwd\n".to_vec(),
            0o755,
        ),
        (
            "a program whose interpreter is not there",
            || elf(own_machine(), "/nonexistent/ld.so"),
            0o755,
        ),
        (
            "a program for another machine",
            || elf(0, "/nonexistent/ld.so"),
            0o755,
        ),
        (
            "a program of which only the beginning is there",
            || elf(own_machine(), "/x")[..40].to_vec(),
            0o755,
        ),
    ];
    let files =
        files.map(|(name, content, mode)| Case::new(name, What::File(content, mode), refused(126)));
    let missing = Case::new("a program that is not there", What::Missing, refused(127));
    let directory = Case::new("a directory", What::Directory, refused(126));
    [missing, directory].into_iter().chain(files).collect()
}

/// `e_machine` of this one's own executables (elf(5)).
fn own_machine() -> u16 {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    u16::from_le_bytes([own[18], own[19]])
}

/// The smallest 64-bit executable that names an interpreter; it has no code.
fn elf(machine: u16, interpreter: &str) -> Vec<u8> {
    const HEADERS: u64 = 64 + 56;
    let name = [interpreter.as_bytes(), b"\0"].concat();
    let mut file = Vec::from(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let mut put = |value: u64, bytes: usize| file.extend(&value.to_le_bytes()[..bytes]);
    // ET_EXEC, the machine, the version; entry, program headers, no sections, no flags.
    for (value, bytes) in [
        (2, 2),
        (u64::from(machine), 2),
        (1, 4),
        (0x40_0000, 8),
        (64, 8),
        (0, 8),
        (0, 4),
    ] {
        put(value, bytes);
    }
    // Sizes and numbers of the headers.
    for value in [64, 56, 1, 64, 0, 0] {
        put(value, 2);
    }
    // PT_INTERP, readable, its place in the file.
    for (value, bytes) in [(3, 4), (4, 4), (HEADERS, 8), (0x40_0000, 8), (0, 8)] {
        put(value, bytes);
    }
    for value in [name.len() as u64, name.len() as u64, 1] {
        put(value, 8);
    }
    file.extend(name);
    file
}
