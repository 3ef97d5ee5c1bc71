//! Privileges: runc CVE-2022-29162, crun CVE-2022-27650, bubblewrap CVE-2020-5291 and firejail's series.
//! It must not ask what a capability would allow; `jail` does.

use crate::harness::{inside, outcome};
use crate::support::{self, Scratch};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
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
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
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
    // CAP_DAC_OVERRIDE, permitted and effective; CAP_NET_RAW, permitted only.
    let capabilities = [
        None,
        None,
        Some([0x0200_0001, 1 << 1, 0, 0, 0]),
        Some([0x0200_0000, 1 << 13, 0, 0, 0]),
    ];
    for (mode, capability) in [0o4755, 0o2755, 0o755, 0o755].into_iter().zip(capabilities) {
        let give = format!("{mode:o} {capability:x?}");
        let _ = fs::remove_file(&binary);
        support::copy_program(support::binary(), &binary);
        std::os::unix::fs::chown(&binary, Some(0), Some(0)).unwrap();
        fs::set_permissions(&binary, PermissionsExt::from_mode(mode)).unwrap();
        if let Some(value) = capability {
            set_capability(&binary, &value);
        }
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

/// As setcap(8) does: a `struct vfs_cap_data` of revision 2.
fn set_capability(file: &Path, value: &[u32; 5]) {
    let value: Vec<u8> = value.iter().flat_map(|word| word.to_le_bytes()).collect();
    let path = std::ffi::CString::new(file.to_str().unwrap()).unwrap();
    let (name, place) = (c"security.capability".as_ptr(), value.as_ptr().cast());
    // SAFETY: both texts are NUL-terminated; pointer and length describe the value.
    let set = unsafe { libc::setxattr(path.as_ptr(), name, place, value.len(), 0) };
    assert_eq!(set, 0, "{:?}", nix::errno::Errno::last());
}
