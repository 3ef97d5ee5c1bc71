//! Privileges: runc CVE-2022-29162, crun CVE-2022-27650, bubblewrap CVE-2020-5291 and firejail's series.
//! It must not ask what a capability would allow; `jail` does.

use crate::harness::{inside, outcome};
use crate::support::{self, Scratch};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

checks! {
    capability_sets, || {
        let text = fs::read_to_string("/proc/self/status").unwrap();
        let sets = text.lines().filter(|line| line.starts_with("Cap"));
        sets.map(|line| line.split_once('\t').unwrap().1).collect::<Vec<_>>().join(" ")
    };
}

const NONE: &str =
    "0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000";

/// The caller holds inheritable and ambient capabilities, as an engine may.
#[test]
fn cve_2022_29162_cve_2022_27650_no_capability_set_is_inherited() {
    if !support::root() {
        return println!("skip: only root has capabilities to hand on");
    }
    let all = "--inh-caps=+chown,+dac_override,+setuid,+net_raw,+sys_admin,+sys_ptrace";
    let ambient = "--ambient-caps=+chown,+dac_override,+setuid,+net_raw,+sys_admin,+sys_ptrace";
    let (id, group) = (
        format!("--reuid={}", support::ORDINARY),
        format!("--regid={}", support::ORDINARY),
    );
    let ordinary = [id.as_str(), &group, "--clear-groups"];
    let starts = [
        vec![all],
        vec![all, ambient],
        [&ordinary[..], &[all]].concat(),
        [&ordinary[..], &[all, ambient]].concat(),
    ];
    for words in starts {
        let question = inside("capability_sets", "", &[]);
        let mut command = Command::new("/usr/bin/setpriv");
        command
            .current_dir("/")
            .args(&words)
            .arg(support::binary())
            .args(question.get_args());
        let answer = outcome(&support::run(&mut command));
        assert_eq!(answer.as_deref(), Ok(NONE), "{words:?}");
        // Without the sandbox they arrive.
        let mut command = Command::new("/usr/bin/setpriv");
        command
            .args(&words)
            .args(["/bin/grep", "CapInh", "/proc/self/status"]);
        let arrived = String::from_utf8(support::run(&mut command).stdout).unwrap();
        assert!(
            arrived.trim_end() > "CapInh:\t0000000000000000",
            "{words:?}: {arrived}"
        );
    }
}

#[test]
fn cve_2020_5291_the_binary_brings_no_privilege() {
    let binary = support::binary();
    let mode = fs::metadata(binary).unwrap().permissions().mode();
    assert_eq!(mode & 0o7000, 0, "{mode:o}");
    let path = std::ffi::CString::new(binary.to_str().unwrap()).unwrap();
    let name = c"security.capability".as_ptr();
    // SAFETY: both texts are NUL-terminated; no value is written.
    let length = unsafe { libc::getxattr(path.as_ptr(), name, std::ptr::null_mut(), 0) };
    assert_eq!(
        (length, nix::errno::Errno::last()),
        (-1, nix::errno::Errno::ENODATA)
    );
    // And nobody is told to give it one.
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in ["README.md", "SECURITY.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        for advice in ["setcap", "u+s", "g+s", "chmod 4", "chmod 2", "-m 4"] {
            assert!(!text.contains(advice), "{document}: {advice}");
        }
    }
}

/// Where somebody gives it one all the same, it opens nothing: not with the bit of
/// another user's, not with the bit of a group, not with a capability.
#[test]
fn cve_2020_5291_a_set_user_id_binary_refuses() {
    if !support::root() {
        return println!("skip: only root can give a file away");
    }
    let scratch = Scratch::new();
    let secret = scratch.file("secret", "s", 0o600);
    std::os::unix::fs::chown(&secret, Some(0), Some(0)).unwrap();
    let record = scratch.join("record.json");
    let binary = scratch.join("sandbox");
    for give in [
        "chmod 4755",
        "chmod 2755",
        "setcap cap_dac_override+ep",
        "setcap cap_net_raw+p",
    ] {
        let _ = fs::remove_file(&binary);
        support::copy_program(support::binary(), &binary);
        std::os::unix::fs::chown(&binary, Some(0), Some(0)).unwrap();
        let script = format!(
            "PATH=$PATH:/usr/sbin:/sbin; chmod 755 {0}; {give} {0}",
            binary.display()
        );
        assert!(
            support::run(Command::new("/bin/sh").args(["-c", &script]))
                .status
                .success(),
            "{give}"
        );
        for words in [
            vec![
                "--read",
                secret.to_str().unwrap(),
                "--",
                "/bin/cat",
                secret.to_str().unwrap(),
            ],
            vec!["check", secret.to_str().unwrap()],
            vec!["--report", record.to_str().unwrap(), "--", "/bin/true"],
            vec!["plan", "--", "/bin/true"],
            vec!["--help"],
        ] {
            let message = crate::refused(support::ordinary(&binary).args(&words));
            assert!(message.contains("set-user-id"), "{give}: {message}");
        }
    }
    assert!(!record.exists());
}
