//! A kernel that cannot hold a layer refuses, in words; one that can, runs. Nothing in between.
//! It must not be skipped anywhere: it knows what to expect from the kernel itself.

use crate::evidence::{self, refusal};
use crate::support::{self, code};

/// `landlock_create_ruleset(2)` with LANDLOCK_CREATE_RULESET_VERSION; 0 without Landlock.
pub fn abi() -> u32 {
    // SAFETY: asking for the version takes no memory.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0,
            1,
        )
    };
    u32::try_from(answer).unwrap_or(0)
}

/// `mount_setattr(2)` is the newest call of the mounts (5.12).
fn mount_setattr() -> bool {
    // SAFETY: no memory is passed; a size of 0 is refused with EINVAL.
    let answer = unsafe { libc::syscall(libc::SYS_mount_setattr, -1, 0, 0, 0, 0) };
    assert_eq!(answer, -1);
    std::io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS)
}

const NO_LANDLOCK: &str = "no-landlock=a test of old kernels";

#[test]
fn strict_runs_where_there_is_landlock_and_is_refused_elsewhere() {
    let answer = evidence::of(&[]);
    match abi() {
        0 => {
            let why = answer.err().expect("it ran without Landlock");
            let words = "this kernel has no Landlock (Linux 5.13";
            assert!(why.starts_with(words), "{why}");
            assert!(
                why.contains("\nhint: ") && why.contains("`no-landlock"),
                "{why}"
            );
        }
        abi => {
            let evidence = answer.unwrap_or_else(|why| panic!("{why}"));
            let said = evidence.detail("landlock");
            assert!(said.starts_with(&format!("ABI {abi}, ")), "{said}");
        }
    }
}

#[test]
fn no_shipped_policy_starts_without_landlock() {
    for policy in ["strict", "compile", "agent", "judge", "judge-compile"] {
        let project = support::Scratch::new();
        let output = support::run(
            support::sandbox()
                .current_dir(project.path())
                .args(["--policy", policy, "--", "/bin/sh", "-c", "echo ran"]),
        );
        match abi() {
            0 => {
                assert_eq!(code(&output), 125);
                assert!(refusal(&output).contains("no Landlock"));
            }
            _ => assert_eq!(output.stdout, b"ran\n", "{}", support::complaint(&output)),
        }
        assert!(project.listing().is_empty());
    }
}

#[test]
fn landlock_given_up_by_name_is_not_the_mounts_given_up() {
    let answer = evidence::of(&["--weaken", NO_LANDLOCK]);
    if mount_setattr() {
        let evidence = answer.unwrap_or_else(|why| panic!("{why}"));
        let given_up = evidence.weakened().contains(&"no-landlock");
        assert_eq!(given_up, abi() == 0);
    } else {
        let why = answer.err().expect("it ran without mount_setattr");
        for words in [
            "Function not implemented (step mounts, item ",
            "mount_setattr",
            "Linux 5.12",
        ] {
            assert!(why.contains(words), "{why}");
        }
    }
}
