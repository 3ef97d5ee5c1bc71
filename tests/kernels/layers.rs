//! The rows of the table: for each layer what holds here, by which evidence, and which tests stand behind it.
//! It must not copy a claim: each row asks the kernel's words, or the record and the plan against each other.

use crate::evidence::{self, Evidence};
use crate::refused::abi;
use crate::support::{Scratch, uid};
use sandbox::step::Step;
use std::collections::BTreeSet;
use std::fs;

/// What became of a layer.
#[derive(Debug, PartialEq)]
enum State {
    InForce(String),
    /// The run goes on with less: a token of the policy, or what the kernel lacks.
    Weakened(String),
    Refused(String),
}
use State::{InForce, Refused, Weakened};

/// How a row is judged, from a run of `strict` that was carried out.
type Judge = fn(&Evidence) -> State;

struct Row {
    name: &'static str,
    /// The steps of the record that it rests on.
    steps: &'static [&'static str],
    /// Files of the jail that must pass where it is in force.
    jail: &'static [&'static str],
    judge: Judge,
}

const ROWS: &[Row] = &[
    Row {
        name: "descriptors, signals",
        steps: &["sanitize"],
        jail: &["descriptors"],
        judge: |_| InForce(String::new()),
    },
    Row {
        name: "namespaces: user, mount, pid, net, ipc, uts",
        steps: &["ids"],
        jail: &["namespaces", "ipc", "processes", "environment"],
        judge: |evidence| own(evidence, &["user", "mnt", "pid", "net", "ipc", "uts"]),
    },
    Row {
        name: "namespace: cgroup",
        steps: &["cgroup"],
        jail: &["cgroup"],
        judge: |evidence| own(evidence, &["cgroup"]),
    },
    Row {
        name: "namespace: time",
        steps: &["ids"],
        jail: &["namespaces"],
        judge: |evidence| own(evidence, &["time"]),
    },
    Row {
        name: "id maps",
        steps: &["ids"],
        jail: &["caps_ids"],
        judge: |evidence| {
            for map in ["uid_map", "gid_map"] {
                let [line] = evidence.inside(map)[..] else {
                    panic!("{map}");
                };
                let fields: Vec<&str> = line.split_whitespace().collect();
                assert_eq!(fields, ["1000", &uid().to_string(), "1"], "{map}");
            }
            assert_eq!(evidence.inside("setgroups"), ["deny"]);
            InForce(String::new())
        },
    },
    Row {
        name: "mounts, a root of its own",
        steps: &["mounts", "root"],
        jail: &["mounts", "root", "dev", "landlock"],
        judge: |evidence| {
            for line in evidence.inside("mountinfo") {
                let fields: Vec<&str> = line.split(' ').collect();
                let (at, options) = (fields[4], fields[5]);
                assert!(options.contains("nosuid"), "{line}");
                assert!(at != "/" || options.starts_with("ro,"), "{line}");
            }
            InForce(String::new())
        },
    },
    Row {
        name: "`/proc` with processes only",
        steps: &["mounts"],
        jail: &["proc"],
        judge: |evidence| {
            let lines = evidence.inside("mountinfo");
            let mut proc = lines.iter().filter(|line| line.contains(" - proc "));
            let line = proc.next().expect("a /proc");
            assert!(line.contains("subset=pid"), "{line}");
            InForce(String::new())
        },
    },
    Row {
        name: "network: nothing up",
        steps: &["net"],
        jail: &["net", "sockets"],
        judge: |evidence| {
            assert!(evidence.planned("net", "network").starts_with("none "));
            assert_eq!(evidence.detail("net"), "namespace of its own, nothing up");
            own(evidence, &["net"])
        },
    },
    Row {
        name: "capabilities: none",
        steps: &["caps"],
        jail: &["caps_ids"],
        judge: |evidence| {
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                assert_eq!(evidence.status(set), Some("0000000000000000"), "{set}");
            }
            InForce(String::new())
        },
    },
    Row {
        name: "pid 1, session, keyring",
        steps: &["payload"],
        jail: &["processes", "keyring", "tty_ioctls"],
        judge: |_| InForce(String::new()),
    },
    Row {
        name: "resource limits",
        steps: &["limits"],
        jail: &["limits"],
        judge: |evidence| {
            let said = evidence.detail("limits");
            let (count, rest) = said.split_once(' ').unwrap();
            assert!(rest.starts_with("resource limits"), "{said}");
            InForce(count.to_owned())
        },
    },
    Row {
        name: "speculation: store bypass",
        steps: &["limits"],
        jail: &[],
        judge: |evidence| speculation(evidence, "Speculation_Store_Bypass", "store bypass"),
    },
    Row {
        name: "speculation: indirect branches",
        steps: &["limits"],
        jail: &[],
        judge: |evidence| speculation(evidence, "SpeculationIndirectBranch", "indirect branch"),
    },
    Row {
        name: "no new privileges",
        steps: &["no-new-privs"],
        jail: &["caps_ids"],
        judge: |evidence| {
            assert_eq!(evidence.status("NoNewPrivs"), Some("1"));
            InForce(String::new())
        },
    },
    Row {
        name: "Landlock: files",
        steps: &["landlock"],
        jail: &["landlock"],
        judge: |evidence| {
            let rights = evidence.planned("landlock", "files");
            assert!(
                rights.starts_with("execute write-file read-file "),
                "{rights}"
            );
            let rights = rights.split(' ').count();
            InForce(format!("ABI {}, {rights} rights", abi()))
        },
    },
    Row {
        name: "Landlock: truncating",
        steps: &["landlock"],
        jail: &["landlock"],
        judge: |evidence| handled(evidence, "files", "truncate", 3),
    },
    Row {
        name: "Landlock: TCP",
        steps: &["landlock"],
        jail: &["sockets"],
        judge: |evidence| handled(evidence, "network", "bind-tcp connect-tcp", 4),
    },
    Row {
        name: "Landlock: ioctls of devices",
        steps: &["landlock"],
        jail: &["tty_ioctls"],
        judge: |evidence| handled(evidence, "files", "ioctl-dev", 5),
    },
    Row {
        name: "Landlock: abstract sockets, signals",
        steps: &["landlock"],
        jail: &["sockets", "processes"],
        judge: |evidence| handled(evidence, "scoped", "abstract-unix-socket signal", 6),
    },
    Row {
        name: "Landlock: sockets by path",
        steps: &["landlock"],
        jail: &["sockets"],
        judge: |evidence| handled(evidence, "files", "resolve-unix", 9),
    },
    Row {
        name: "system call filter",
        steps: &["verify", "seccomp", "exec"],
        jail: &["dangers", "seccomp_args", "seccomp_refused"],
        judge: |evidence| {
            assert_eq!(evidence.status("Seccomp"), Some("2"));
            let planned = evidence.planned("seccomp", "instructions");
            let said = evidence.detail("seccomp");
            assert_eq!(said, format!("{planned} instructions"));
            InForce(String::new())
        },
    },
    Row {
        name: "memory-deny-write-execute, when asked for",
        steps: &[],
        jail: &["limits"],
        judge: |_| attribute("memory-deny-write-execute"),
    },
    Row {
        name: "core-scheduling, when asked for",
        steps: &[],
        jail: &[],
        judge: |_| attribute("core-scheduling"),
    },
];

/// The rows, in order.
pub fn names() -> Vec<&'static str> {
    ROWS.iter().map(|row| row.name).collect()
}

/// These namespaces inside are not those of this process.
fn own(evidence: &Evidence, kinds: &[&str]) -> State {
    for kind in kinds {
        let outside = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        let inside = evidence.inside(kind);
        assert!(inside[0].starts_with(&format!("{kind}:[")), "{inside:?}");
        assert_ne!(inside, [outside.to_str().unwrap()], "{kind}");
    }
    InForce(String::new())
}

/// Rights that came to Landlock later: handled from that ABI on, and not before.
fn handled(evidence: &Evidence, list: &str, rights: &str, since: u32) -> State {
    let planned = format!(" {} ", evidence.planned("landlock", list));
    let all = rights.split(' ');
    let there = all.filter(|right| planned.contains(&format!(" {right} ")));
    match there.count() {
        0 if abi() < since => Weakened(format!("kernel: ABI {} of {since}", abi())),
        count => {
            assert_eq!(count, rights.split(' ').count(), "{rights} in {planned}");
            assert!(abi() >= since, "{rights} on ABI {}", abi());
            InForce(String::new())
        }
    }
}

/// What the kernel says of the program, against the plan and what was given up.
fn speculation(evidence: &Evidence, field: &str, key: &str) -> State {
    let planned = evidence.planned("attributes", &format!("speculation, {key}"));
    let said = evidence.status(field).unwrap_or("not known to the kernel");
    let token = "no-speculation-control";
    match planned {
        "force-disable" => {
            assert!(said.contains("force"), "{field}: {said}");
            InForce(String::new())
        }
        _ if said == "not vulnerable" => InForce(String::from("not vulnerable")),
        _ if evidence.weakened().contains(&token) => Weakened(format!("by name: {token}")),
        // The kernel does it for every process, or for those with a filter.
        _ => {
            assert!(
                said.contains("mitigated") || said.contains("disabled"),
                "{field}: {said}"
            );
            InForce(said.to_owned())
        }
    }
}

/// `strict` with one more switch of `[process]`.
fn attribute(switch: &str) -> State {
    let text = format!("version = 1\nextends = [\"strict\"]\n[process]\n{switch} = true\n");
    let scratch = Scratch::new();
    let policy = scratch.file("policy.toml", text, 0o644);
    match evidence::of(&["--policy", policy.to_str().unwrap()]) {
        Err(why) => Refused(because(&why)),
        Ok(evidence) => {
            assert_eq!(evidence.planned("attributes", switch), "on");
            InForce(String::new())
        }
    }
}

/// The part of a refusal that says why: in brackets, where there are any.
fn because(why: &str) -> String {
    let why = why.lines().next().unwrap_or_default();
    let inner = why
        .split_once('(')
        .and_then(|(_, rest)| rest.rsplit_once(')'));
    inner.map_or(why, |(inner, _)| inner).to_owned()
}

fn rows() -> Vec<(&'static Row, State)> {
    let evidence = evidence::of(&[]);
    let state = |row: &'static Row| match &evidence {
        Ok(evidence) => {
            for step in row.steps {
                assert_ne!(evidence.detail(step), "");
            }
            (row, (row.judge)(evidence))
        }
        Err(_) => (row, Refused(String::new())),
    };
    ROWS.iter().map(state).collect()
}

/// What `tests/kernels/run` reads: one line for each row, fields parted by tabs.
#[test]
#[ignore = "prints the table's column of this kernel"]
fn table() {
    println!();
    for (row, state) in rows() {
        let (word, detail) = match state {
            InForce(detail) => ("in force", detail),
            Weakened(detail) => ("weakened", detail),
            Refused(detail) => ("refused", detail),
        };
        let detail = if detail.is_empty() { "-" } else { &detail };
        println!(
            "row\t{}\t{word}\t{detail}\t{}",
            row.name,
            row.jail.join(" ")
        );
    }
}

#[test]
fn every_step_of_the_record_has_a_row() {
    let rows: BTreeSet<&str> = ROWS.iter().flat_map(|row| row.steps).copied().collect();
    let all: BTreeSet<&str> = Step::ALL.iter().map(|step| step.name()).collect();
    assert_eq!(rows, all);
    if let Ok(evidence) = evidence::of(&[]) {
        let recorded: BTreeSet<&str> = evidence.steps().into_iter().collect();
        assert_eq!(recorded, all);
    }
}

#[test]
fn every_file_of_the_jail_has_a_row() {
    let named: BTreeSet<&str> = ROWS.iter().flat_map(|row| row.jail).copied().collect();
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jail");
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        files.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    for helper in ["harness", "calls", "selftest"] {
        assert!(files.remove(helper), "{helper}");
    }
    assert_eq!(named, files.iter().map(String::as_str).collect());
}

/// Without a token in the record, only what the kernel lacks is less; with one, a
/// row says so. Where Landlock is missing, no row is anything but refused.
#[test]
fn nothing_is_less_without_a_word() {
    let given_up = evidence::of(&[]).map(|evidence| evidence.weakened().join(" "));
    for (row, state) in rows() {
        let Ok(given_up) = &given_up else {
            assert_eq!(state, Refused(String::new()), "{}", row.name);
            continue;
        };
        match state {
            Weakened(why) => assert!(
                why.starts_with("kernel: ABI ") || why == format!("by name: {given_up}"),
                "{}: {why}",
                row.name
            ),
            Refused(_) => assert!(row.steps.is_empty(), "{}", row.name),
            InForce(_) => {}
        }
    }
}
