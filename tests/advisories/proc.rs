//! runc, CVE-2019-19921 and CVE-2025-52881: writes meant for procfs were redirected elsewhere.
//! It must not ask what `/proc` shows; `jail` does.

use crate::calls::{path, writable};
use crate::support::{self, Scratch};
use std::fs;

checks! {
    cve_2025_52881_proc_is_a_procfs: _ => "9fa0 9fa0 9fa0", || {
        ["/proc", "/proc/self/attr", "/proc/self/status"].map(|name| {
            let mut facts = std::mem::MaybeUninit::<libc::statfs>::zeroed();
            let name = path(name);
            // SAFETY: the path is NUL-terminated, the facts are writable.
            assert_eq!(unsafe { libc::statfs(name.as_ptr(), facts.as_mut_ptr()) }, 0);
            // SAFETY: the kernel filled it.
            format!("{:x}", unsafe { facts.assume_init() }.f_type)
        }).join(" ")
    };
    cve_2019_19921_labels_are_not_writable: "open open" => "EROFS EROFS", || {
        writable("/proc/self/attr/exec") + " " + &writable("/proc/self/attr/current")
    };
    cve_2025_52881_settings_are_not_there: _ => "ENOENT ENOENT", || {
        writable("/proc/sysrq-trigger") + " " + &writable("/proc/sys/kernel/core_pattern")
    };
}

/// Nothing can be put below `/proc` inside, where a write of the set-up might meet it.
#[test]
fn cve_2019_19921_a_policy_puts_nothing_into_proc() {
    let scratch = Scratch::new();
    let bait = scratch.file("bait", "", 0o666);
    let bait = bait.to_str().unwrap();
    for place in [
        "/proc/self/attr/exec",
        "/proc/self/attr/apparmor/exec",
        "/proc/thread-self/attr/exec",
        "/proc/sys/kernel/core_pattern",
        "/proc/1/uid_map",
        "/proc/self",
        "/proc/sys",
    ] {
        for option in ["--read", "--write"] {
            let mapped = format!("{bait}:{place}");
            let message =
                crate::refused(support::sandbox().args([option, &mapped, "--", "/bin/true"]));
            assert!(
                message.contains("where nothing can be mounted"),
                "{message}"
            );
        }
    }
    assert_eq!(fs::read(bait).unwrap(), b"");
}

/// Around `sandbox`, `/proc` is what the script makes of it once the ids of its own user
/// namespace are there: `$1` is the binary, `$2` a directory for two pipes, `$3` the policy.
const AROUND: &str = r#"
cd "$2" && mkfifo up go || exit 99
unshare -U --map-user=1000 --map-group=1000 sh -c 'echo up >up; read line <go; exec "$1" --policy "$3" -- /bin/echo executed' sh "$@" &
read line <up
FAKE
echo go >"$2/go"
wait $!
echo "code $?"
cd /proc && cat */setgroups */uid_map */gid_map */timens_offsets self/sentinel 2>/dev/null
"#;

const STRICT: &str = "version = 1\nextends = [\"strict\"]\n";

fn around(policy: &str, fake: &str) -> String {
    let scratch = Scratch::new();
    let file = scratch.path().join("policy.toml");
    fs::write(&file, policy).unwrap();
    let script = AROUND.replace("FAKE", fake);
    let mut command = support::ordinary("/usr/bin/unshare");
    command.args(["-Urmpf", "--mount-proc", "sh", "-c", &script, "sh"]);
    command.arg(support::binary()).arg(scratch.path()).arg(file);
    let output = support::run(&mut command);
    let complaint = support::complaint(&output);
    format!("{}{complaint}", String::from_utf8_lossy(&output.stdout))
}

/// A tmpfs with files of the right names, which would take the words.
const FAKE: &str = "mount -t tmpfs none /proc && cd /proc && mkdir self $(seq 1 150)
    for d in *; do for f in setgroups uid_map gid_map timens_offsets; do : >$d/$f; done
    mkdir $d/ns && : >$d/ns/user && : >$d/ns/net; done
    echo here >self/sentinel; chmod -R a+rwX /proc";

/// Nothing was written into any of them, and nothing executed.
fn refused_around(policy: &str, why: &str) {
    let hint = "the new process is gone, or `/proc` is not mounted where `sandbox` runs";
    let expected = format!("code 125\nhere\nsandbox: {why}\nhint: {hint}\n");
    assert_eq!(around(policy, FAKE), expected);
}

#[test]
fn cve_2019_19921_cve_2025_52881_the_launcher_uses_no_other_file_system() {
    let why = "cannot enter the user namespace (`ns/user`): No such file or directory";
    refused_around(STRICT, why);
}

/// Where the network is the host's, pid 1 is the first to use it.
#[test]
fn cve_2019_19921_cve_2025_52881_pid_1_writes_to_no_other_file_system() {
    let why = "cannot map ids into the user namespace (`setgroups`): No such file or directory (step ids, item 10)";
    let host = "[network]\nmode = \"host\"\n[weaken]\nhost-network = \"a test\"\n";
    refused_around(&format!("{STRICT}{host}"), why);
}

/// The same place with the procfs left alone: it is the fake that makes it fail.
#[test]
fn cve_2025_52881_in_the_same_place_a_real_proc_does() {
    let said = around(STRICT, "true");
    assert!(said.starts_with("executed\ncode 0\n"), "{said}");
}
