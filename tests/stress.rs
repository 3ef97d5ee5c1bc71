//! stress-ng inside `strict`: whatever it does to itself, the host is afterwards as it was before.
//! It must not judge stress-ng's own verdict: much of what it tries is refused, and should be.

#![cfg(feature = "cli")]

#[path = "stress/host.rs"]
mod host;
mod support;

use host::Host;
use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

/// The classes that stress-ng sorts its stressors into (`stress-ng --class list`), but `gpu`,
/// of which a sandbox has none. All of them apply; of `security`, which is one stressor for
/// AppArmor's files in `/sys`, nothing can work inside.
const CLASSES: [&str; 13] = [
    "cpu",
    "cpu-cache",
    "device",
    "filesystem",
    "interrupt",
    "io",
    "memory",
    "network",
    "os",
    "pipe",
    "scheduler",
    "security",
    "vm",
];

/// Stressors that are not started, and why.
const LEFT_OUT: [&str; 3] = [
    // Stops its child for a ptrace(2) that is refused, and waits for ever.
    "vm-segv",
    // Split locks, at which the kernel slows down the whole machine: a grant of the processor's.
    "misaligned",
    // Takes a part of the machine's free memory, whatever its options say: where much is free,
    // more than the sandbox may have, and is ended with every stressor beside it.
    "mmapfork",
];

/// Stressors that the sandbox gives nothing to do: not one operation of theirs may succeed.
const REFUSED: [&str; 28] = [
    // networks: none, and never these families
    "af-alg",
    "dccp",
    "rawpkt",
    "rawsock",
    "rawudp",
    "sctp",
    "sock",
    "sockdiag",
    "tun",
    "udp",
    "netlink-proc",
    "netlink-task",
    // mounts and roots
    "bind-mount",
    "binderfs",
    "chroot",
    "ramfs",
    "umount",
    // devices and the machine
    "cpu-online",
    "kvm",
    "loop",
    "memhotplug",
    "physpage",
    "swap",
    "klog",
    // interfaces that no policy can allow
    "io-uring",
    "ptrace",
    "userfaultfd",
    "fanotify",
];

/// Sandboxes at once; a stressor takes a second, which most of them sleep away.
const AT_ONCE: usize = 8;

#[test]
fn stress_ng_leaves_the_host_unharmed() {
    let Some(program) = support::installed("stress-ng") else {
        return;
    };
    let place = support::Scratch::new();
    let all = words(Command::new(&program).arg("--stressors"));
    assert!(all.len() > 100, "{all:?}");
    let before = Host::look();
    let runs: Vec<Child> = (0..AT_ONCE)
        .map(|part| start(&program, &all, part, place.path()))
        .collect();
    let mut worked = BTreeSet::new();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        // Which of the two it writes to depends on its version.
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(
            !text.lines().any(|line| line.starts_with("sandbox: ")),
            "{text}"
        );
        // 2 and 3 are its own ways to say that a stressor failed or had not what it needs;
        // 124 is the wall-time limit, for one that does not end.
        let code = support::code(&output);
        assert!([0, 2, 3, 124].contains(&code), "{code}\n{text}");
        worked.extend(with_operations(&text));
    }
    before.expect_unharmed();
    assert!(place.listing().is_empty(), "{:?}", place.listing());
    for name in REFUSED.into_iter().filter(|name| all.contains(*name)) {
        assert!(!worked.contains(name), "{name} did something");
    }
    let mut total = BTreeSet::new();
    for class in CLASSES {
        let mut members = words(Command::new(&program).args(["--class", &format!("{class}?")]));
        members.retain(|name| all.contains(name));
        let (most, count) = (members.len(), members.intersection(&worked).count());
        println!("class {class}: {count} of {most} stressors did something");
        // Of `network` three can work at all, and get little done beside so many others.
        let may_be_idle = ["network", "security"].contains(&class);
        assert!(most > 0 && (count > 0 || may_be_idle), "{class}");
        total.extend(members.intersection(&worked).cloned());
    }
    // Otherwise it was no stress.
    assert!(total.len() > 80, "{}", total.len());
}

/// One sandbox for every [`AT_ONCE`]th stressor, one after the other.
fn start(program: &str, all: &BTreeSet<String>, part: usize, place: &std::path::Path) -> Child {
    let others = all
        .iter()
        .enumerate()
        .filter(|(number, name)| number % AT_ONCE != part || LEFT_OUT.contains(&name.as_str()));
    let others: Vec<&str> = others.map(|(_, name)| name.as_str()).collect();
    let mut command = host::as_somebody("/usr/bin/nice");
    command
        .current_dir(place)
        .args(["-n", "19"])
        .arg(support::binary());
    command.args([
        "--memory",
        "8GiB",
        "--processes",
        "48",
        "--wall-time",
        "75s",
        "--output",
        "16MiB",
    ]);
    command.args([
        "--cwd",
        "/tmp",
        "--",
        program,
        "--sequential",
        "1",
        "--timeout",
        "1",
        "--vm-bytes",
        "16M",
    ]);
    command.args(["--metrics-brief", "--exclude", &others.join(",")]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The names that it prints, after a colon where there is one.
fn words(command: &mut Command) -> BTreeSet<String> {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let names = text
        .rsplit_once(':')
        .map_or(text.as_str(), |(_, names)| names);
    names.split_whitespace().map(str::to_owned).collect()
}

/// Stressors with operations, from lines such as `stress-ng: metrc: [2] NAME 17 1.00 …`.
fn with_operations(text: &str) -> BTreeSet<String> {
    let metrics = text
        .lines()
        .filter_map(|line| line.strip_prefix("stress-ng: metrc:"));
    let rows = metrics.map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter_map(|row| match row[..] {
        [_, name, operations, ..] if operations.parse::<u64>().is_ok_and(|count| count > 0) => {
            Some(name.to_owned())
        }
        _ => None,
    })
    .collect()
}
