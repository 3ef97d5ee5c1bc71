//! A kernel or a container that lacks something: the run is refused, with the cause and the way out.
//! Nothing here may end in a program that was executed under less than the policy asks for.
//!
//! What is missing is simulated by a system call filter around `sandbox` itself.

#![cfg(feature = "cli")]

mod support;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};
use support::{Scratch, code, complaint};

/// What a program that must not run would print.
const MARK: &str = "EXECUTED";

/// Calls, and when their first argument has this value only.
type Missing<'a> = &'a [(libc::c_long, Option<u64>)];

/// `sandbox` on a machine where these calls answer `errno`.
fn without(missing: Missing, errno: i32) -> Command {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (call, first) in missing {
        let entry = rules.entry(*call).or_default();
        if let Some(value) = first {
            let is = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *value)
                .unwrap();
            entry.push(SeccompRule::new(vec![is]).unwrap());
        }
    }
    let filter: BpfProgram = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    )
    .unwrap()
    .try_into()
    .unwrap();
    let mut command = support::sandbox();
    // SAFETY: after the fork only prctl and seccomp are called; nothing allocates.
    unsafe {
        command.pre_exec(move || {
            seccompiler::apply_filter(&filter)
                .map_err(|_| std::io::Error::from_raw_os_error(libc::EIO))
        })
    };
    command
}

/// Runs a program that would show that it ran, twice over.
fn run(mut command: Command) -> Output {
    let scratch = Scratch::new();
    let work = scratch.directory("work");
    let before = scratch.listing();
    let script = format!("echo {MARK}; echo {MARK} >mark");
    command.arg("--write").arg(&work).arg("--cwd").arg(&work);
    let output = support::run(command.args(["--", "/bin/sh", "-c", &script]));
    if code(&output) != 0 {
        assert_eq!(scratch.listing(), before, "something was left behind");
        assert_eq!(output.stdout, b"", "it was executed");
    }
    output
}

/// Refused: exit 125, one sentence with the cause, one line with the way out.
fn refused(name: &str, output: &Output, errno: i32, words: &[&str]) {
    let message = complaint(output);
    assert_eq!(code(output), 125, "{name}: {message}");
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 2, "{name}: {message}");
    assert!(lines[0].starts_with("sandbox: "), "{name}: {message}");
    assert!(lines[1].starts_with("hint: "), "{name}: {message}");
    let cause = nix::errno::Errno::from_raw(errno).desc();
    for word in words.iter().chain((!words.contains(&"")).then_some(&cause)) {
        assert!(message.contains(word), "{name}: no `{word}` in: {message}");
    }
}

const MOUNT_CALLS: &str = "fsopen, fsconfig, fsmount, open_tree, move_mount, mount_setattr";

#[test]
fn nothing_missing_nothing_refused() {
    // The filter as such is no reason: this call is one nobody makes.
    let output = run(without(&[(libc::SYS_acct, None)], libc::EPERM));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    assert_eq!(output.stdout, format!("{MARK}\n").as_bytes());
}

#[test]
fn without_user_namespaces() {
    let calls = [
        (libc::SYS_clone3, None),
        (libc::SYS_clone, None),
        (libc::SYS_unshare, None),
    ];
    for (errno, words) in [
        (
            libc::EPERM,
            [
                "cannot create the user, mount",
                "user namespaces are refused",
            ],
        ),
        (
            libc::ENOSPC,
            ["cannot create the user, mount", "max_user_namespaces"],
        ),
        (
            libc::EUSERS,
            ["cannot create the user, mount", "max_user_namespaces"],
        ),
        (libc::ENOSYS, ["cannot create the user, mount", "clone3"]),
        (
            libc::EINVAL,
            ["cannot create the user, mount", "CONFIG_USER_NS"],
        ),
    ] {
        refused("clone", &run(without(&calls, errno)), errno, &words);
    }
}

#[test]
fn without_landlock() {
    let calls = [(libc::SYS_landlock_create_ruleset, None)];
    for errno in [libc::ENOSYS, libc::EOPNOTSUPP, libc::EPERM] {
        let output = run(without(&calls, errno));
        refused(
            "landlock",
            &output,
            errno,
            &["", "no Landlock", "CONFIG_SECURITY_LANDLOCK", "no-landlock"],
        );
    }
    // Only by name, with a reason, and the record repeats it.
    let mut command = without(&calls, libc::ENOSYS);
    command.args(["--report", "fd:3", "--weaken", "no-landlock=an old kernel"]);
    // SAFETY: dup2 is one call that takes numbers.
    unsafe {
        command.pre_exec(|| {
            libc::dup2(1, 3);
            Ok(())
        })
    };
    let output = run(command);
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, record) = text.split_once('\n').unwrap();
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    let expected = serde_json::json!({"token": "no-landlock", "reason": "an old kernel"});
    assert_eq!(support::given_up(&record), [&expected]);
}

#[test]
fn without_seccomp() {
    for errno in [libc::EINVAL, libc::ENOSYS, libc::EPERM] {
        let output = run(without(&[(libc::SYS_seccomp, None)], errno));
        refused(
            "seccomp",
            &output,
            errno,
            &["", "no system call filter", "CONFIG_SECCOMP_FILTER"],
        );
    }
}

/// A call of the set-up, and a word of the message that belongs to it.
const SETUP: [(&str, libc::c_long, &str); 28] = [
    ("clone3", libc::SYS_clone3, "namespaces"),
    ("unshare", libc::SYS_unshare, "namespace"),
    ("setns", libc::SYS_setns, "namespace"),
    ("openat2", libc::SYS_openat2, "openat2"),
    ("open_tree", libc::SYS_open_tree, MOUNT_CALLS),
    ("move_mount", libc::SYS_move_mount, MOUNT_CALLS),
    ("mount_setattr", libc::SYS_mount_setattr, MOUNT_CALLS),
    ("fsopen", libc::SYS_fsopen, MOUNT_CALLS),
    ("fsconfig", libc::SYS_fsconfig, MOUNT_CALLS),
    ("fsmount", libc::SYS_fsmount, MOUNT_CALLS),
    ("mkdirat", libc::SYS_mkdirat, "cannot make"),
    ("symlinkat", libc::SYS_symlinkat, "cannot make the link"),
    ("unlinkat", libc::SYS_unlinkat, "new root"),
    ("pivot_root", libc::SYS_pivot_root, "pivot_root"),
    ("umount2", libc::SYS_umount2, "umount2"),
    ("setresuid", libc::SYS_setresuid, "setresuid"),
    ("setresgid", libc::SYS_setresgid, "setresgid"),
    ("capset", libc::SYS_capset, "capset"),
    ("capget", libc::SYS_capget, "capget"),
    ("prctl", libc::SYS_prctl, "prctl"),
    (
        "landlock_add_rule",
        libc::SYS_landlock_add_rule,
        "landlock_add_rule",
    ),
    (
        "landlock_restrict_self",
        libc::SYS_landlock_restrict_self,
        "landlock_restrict_self",
    ),
    ("setsid", libc::SYS_setsid, "setsid"),
    ("sethostname", libc::SYS_sethostname, "sethostname"),
    ("setdomainname", libc::SYS_setdomainname, "setdomainname"),
    ("prlimit64", libc::SYS_prlimit64, "prlimit64"),
    ("close_range", libc::SYS_close_range, "close_range"),
    ("signalfd4", libc::SYS_signalfd4, "signalfd4"),
];

#[test]
fn every_call_of_the_set_up_is_needed() {
    for (name, call, word) in SETUP {
        for errno in [libc::ENOSYS, libc::EPERM] {
            let output = run(without(&[(call, None)], errno));
            refused(name, &output, errno, &[word]);
        }
    }
    let output = run(without(&[(libc::SYS_socketpair, None)], libc::EPERM));
    refused(
        "socketpair",
        &output,
        libc::EPERM,
        &["cannot make a socket"],
    );
    let output = run(without(&[(libc::SYS_keyctl, None)], libc::EPERM));
    refused(
        "keyctl",
        &output,
        libc::EPERM,
        &["session keyring", "keyctl"],
    );
}

/// The network namespace is made by itself, and nothing goes on without it.
#[test]
fn without_a_network_namespace() {
    let script = "echo 0 >/proc/sys/user/max_net_namespaces &&
        exec unshare -U --map-user=1000 --map-group=1000 \"$0\" -- /bin/echo executed";
    let mut command = support::ordinary("/usr/bin/unshare");
    command.args(["-Ur", "sh", "-c", script]);
    let output = support::run(command.arg(support::binary()));
    let words = ["cannot create the network namespace", "max_net_namespaces"];
    refused("network", &output, libc::ENOSPC, &words);
    assert_eq!(output.stdout, b"");
}

#[test]
fn a_kernel_without_keys_has_nothing_to_hide() {
    let output = run(without(&[(libc::SYS_keyctl, None)], libc::ENOSYS));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
}

#[test]
fn every_process_attribute_is_needed() {
    for (name, option, word) in [
        ("dumpable", libc::PR_SET_DUMPABLE, "dumpable"),
        ("bounding set", libc::PR_CAPBSET_DROP, "capabilities"),
        ("securebits", libc::PR_SET_SECUREBITS, "capabilities"),
        ("ambient set", libc::PR_CAP_AMBIENT, "capabilities"),
        ("no_new_privs", libc::PR_SET_NO_NEW_PRIVS, "no_new_privs"),
        (
            "securebits read back",
            libc::PR_GET_SECUREBITS,
            "does not confirm",
        ),
        (
            "no_new_privs read back",
            libc::PR_GET_NO_NEW_PRIVS,
            "does not confirm",
        ),
        (
            "bounding set read back",
            libc::PR_CAPBSET_READ,
            "does not confirm",
        ),
    ] {
        let calls = [(libc::SYS_prctl, Some(option as u64))];
        let output = run(without(&calls, libc::EPERM));
        refused(name, &output, libc::EPERM, &[word]);
    }
}

/// PR_SPEC_PRCTL of prctl(2): a process may turn the speculation off.
fn speculation_can_be_set() -> bool {
    [libc::PR_SPEC_STORE_BYPASS, libc::PR_SPEC_INDIRECT_BRANCH]
        .iter()
        .any(|which| {
            // SAFETY: only reads, and takes no pointer.
            let state = unsafe { libc::prctl(libc::PR_GET_SPECULATION_CTRL, *which, 0, 0, 0) };
            state > 0 && state & 1 != 0
        })
}

#[test]
fn speculation_control_is_needed_where_there_is_any() {
    let calls = [(libc::SYS_prctl, Some(libc::PR_SET_SPECULATION_CTRL as u64))];
    let output = run(without(&calls, libc::EPERM));
    match speculation_can_be_set() {
        true => refused("speculation", &output, libc::EPERM, &["speculation"]),
        // Nothing can be set, so nothing is asked for.
        false => assert_eq!(code(&output), 0, "{}", complaint(&output)),
    }
}

#[test]
fn a_capability_the_kernel_claims_not_to_know_is_not_taken_for_the_last_one() {
    // EINVAL for every capability: the loop must not end with none dropped.
    let calls = [(libc::SYS_prctl, Some(libc::PR_CAPBSET_DROP as u64))];
    let output = run(without(&calls, libc::EINVAL));
    assert_eq!(code(&output), 125, "{}", complaint(&output));
}

#[test]
fn a_launch_that_fails_where_nothing_can_be_killed_ends_all_the_same() {
    let calls = [
        (libc::SYS_pidfd_send_signal, None),
        (libc::SYS_landlock_restrict_self, None),
    ];
    let output = run(without(&calls, libc::EPERM));
    refused("pidfd_send_signal", &output, libc::EPERM, &["Landlock"]);
}

/// A call that claims to have done what it has not: asked back, the kernel tells.
#[test]
fn a_call_without_effect_is_found_out() {
    const NOTHING: i32 = 0;
    const SECURE_BITS: u64 = libc::PR_SET_SECUREBITS as u64;
    const DROP_BOUNDING: u64 = libc::PR_CAPBSET_DROP as u64;
    for (call, first, question) in [
        (
            libc::SYS_capset,
            None,
            "the effective, permitted and inheritable capability sets are empty",
        ),
        (
            libc::SYS_prctl,
            Some(DROP_BOUNDING),
            "the bounding capability set is empty",
        ),
        (
            libc::SYS_prctl,
            Some(SECURE_BITS),
            "the secure bits are locked",
        ),
        (
            libc::SYS_mount_setattr,
            None,
            "the root is read-only and the working directory is below it",
        ),
    ] {
        let output = run(without(&[(call, first)], NOTHING));
        let message = complaint(&output);
        assert_eq!(code(&output), 125, "{call}: {message}");
        assert!(message.contains(question), "{call}: {message}");
    }
}
