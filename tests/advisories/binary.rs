//! runc, CVE-2019-5736: the container overwrote the host's binary through `/proc/self/exe`.
//! It must not ask about programs that the policy lets the program write.

use crate::calls::{OPEN, exists, path, told, word};
use crate::harness::{INSIDE, argument, inside, outcome};
use crate::support::{self, Scratch};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

checks! {
    tamper_with_a_file, || tamper(&argument());
    cve_2019_5736_pid_1_shows_no_binary: _ => "ENOENT ENOENT", || {
        exists("/proc/1/exe") + " " + &exists("/proc/1/map_files")
    };
}

/// By every way that a file's content can be lost. Not by plain opening for writing: a
/// file that is executed is busy (ETXTBSY) then, which ends when the run does.
fn tamper(file: &str) -> String {
    let truncating =
        |file: &str| told(fs::OpenOptions::new().write(true).truncate(true).open(file));
    let name = path(file);
    // As the exploit did: kept by a descriptor, opened again by that.
    let place = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(file);
    let again = match place {
        Ok(place) => truncating(&format!("/proc/self/fd/{}", place.as_raw_fd())),
        Err(error) => told::<()>(Err(error)),
    };
    // SAFETY: the name is NUL-terminated.
    let cut = word(unsafe { libc::truncate(name.as_ptr(), 0) }.into());
    format!("{} {again} {cut}", truncating(file))
}

/// Started from a directory that the policy lets the program write, under its own name
/// and under another one. A mount that does not allow it is the answer, not ETXTBSY.
#[test]
fn cve_2019_5736_our_binary_is_never_writable_from_inside() {
    let scratch = Scratch::new();
    let directory = scratch.directory("bin");
    let binary = directory.join("sandbox");
    support::copy_program(support::binary(), &binary);
    std::os::unix::fs::chown(&binary, Some(support::uid()), None).unwrap();
    fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
    let before = (fs::read(&binary).unwrap(), fs::metadata(&binary).unwrap());
    let same = directory.display().to_string();
    for (mapped, seen) in [
        (same.clone(), same.clone()),
        (format!("{same}:/work"), "/work".into()),
    ] {
        let target = format!("{seen}/sandbox");
        for option in ["--write", "--write-exec"] {
            let question = inside("tamper_with_a_file", &target, &[]);
            let answer = outcome(&support::run(&mut crate::by(
                &binary,
                &[option, &mapped],
                &question,
            )));
            assert_eq!(
                answer.as_deref(),
                Ok("EROFS EROFS EROFS"),
                "{option} {mapped}"
            );
            // The file's name is as good as its content.
            let script = format!(
                "cd {seen} || exit; mv sandbox old; rm -f sandbox; ln -f /bin/true sandbox; chmod 777 sandbox; touch -d @0 sandbox; mv {seen} {seen}.old; echo x >other; cat other"
            );
            let mut command = support::ordinary(&binary);
            command.args([option, &mapped, "--", "/bin/sh", "-c", &script]);
            let output = support::run(&mut command);
            // The directory is writable otherwise.
            assert_eq!(output.stdout, b"x\n", "{}", support::complaint(&output));
            let (content, facts) = (fs::read(&binary).unwrap(), fs::metadata(&binary).unwrap());
            assert!(content == before.0, "{option} {mapped}");
            assert_eq!(facts.permissions(), before.1.permissions());
            assert_eq!(facts.modified().unwrap(), before.1.modified().unwrap());
            fs::remove_file(directory.join("other")).unwrap();
        }
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}

/// The program's own binary, under both its names: shown, and not granted, though it is
/// the caller's to write outside.
#[test]
fn cve_2019_5736_the_programs_binary_is_not_writable_through_proc() {
    let scratch = Scratch::new();
    let copy = scratch.join("copy");
    support::copy_program(support::myself(), &copy);
    std::os::unix::fs::chown(&copy, Some(support::uid()), None).unwrap();
    let before = fs::read(&copy).unwrap();
    for name in ["/proc/self/exe", "/proc/thread-self/exe", INSIDE] {
        let mapped = format!("{}:{INSIDE}", copy.display());
        let own = format!("{}:{INSIDE}", support::myself().display());
        let question = inside("tamper_with_a_file", name, &[]);
        let words = question.get_args().map(|word| match word == own.as_str() {
            true => mapped.as_ref(),
            false => word,
        });
        let answer = outcome(&support::run(support::sandbox().args(words)));
        assert_eq!(answer.as_deref(), Ok("EROFS EROFS EROFS"), "{name}");
    }
    assert!(fs::read(&copy).unwrap() == before);
}

/// What the test above asks can be answered otherwise.
#[test]
fn cve_2019_5736_another_program_in_a_writable_directory_is_the_programs() {
    let scratch = Scratch::new();
    let other = scratch.file("other", "#!/bin/sh\n", 0o755);
    let other = other.to_str().unwrap();
    let answer = crate::harness::jailed(
        "tamper_with_a_file",
        other,
        &["--write", scratch.path().to_str().unwrap()],
    );
    assert_eq!(answer, Ok(format!("{OPEN} {OPEN} {OPEN}")));
}
