//! A policy that is written down and read again is the same policy, whatever is in it.
//!
//! The policies are put together from values, not from text, so that nothing the
//! format has a word for is missed because no example says it.

#[path = "../support/limits.rs"]
mod drawn;

use super::{context, inside};
use proptest::prelude::*;
use sandbox::policy::syscalls::{GROUPS, REFUSED, UNKNOWN};
use sandbox::policy::{
    Access, BUILTIN, Content, Context, Disk, FileRule, InsidePath, IoRates, Limits, Network,
    Policy, Process, Syscalls, Weaken,
};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

/// The policy without the places it was read from: those of the new text differ.
pub fn placeless(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.sources.clear();
    for rule in policy.files.values_mut() {
        rule.origin.clear();
    }
    policy
}

/// Writes the policy and reads it as somebody else, elsewhere.
pub fn returns(policy: &Policy) -> Result<(), TestCaseError> {
    let text = policy.to_toml();
    let text = text.map_err(|error| TestCaseError::fail(format!("{error}\n{policy:?}")))?;
    let shown = text.chars().all(|c| c == '\n' || !c.is_control());
    prop_assert!(shown && !text.contains('\u{202e}'), "{text:?}");
    let stranger = Context {
        cwd: PathBuf::from("/elsewhere"),
        home: Some(PathBuf::from("/home/stranger")),
        env: [(String::from("SET"), String::from("/other"))].into(),
    };
    for reader in [context(), stranger] {
        let again = Policy::parse(&text, "again.toml", &reader);
        let again = again.map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(placeless(&again), placeless(policy), "{}", text);
    }
    Ok(())
}

/// Any text that a C string can be, often with what TOML, paths and readers take
/// for something else.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            "\"",
            "'",
            "\\",
            "\n",
            "\r\n",
            "\t",
            "#",
            "=",
            "]",
            "}",
            "$HOME",
            "~",
            ".",
            " ",
            "\u{202e}",
            "\u{7f}",
            "\u{feff}",
            "\u{e0041}",
            "\\u0041",
            "\"\"\"",
            "a",
            "é",
        ])
        .prop_map(String::from),
    ];
    let pieces = prop::collection::vec(piece, 0..6);
    pieces.prop_map(|pieces| pieces.concat().replace('\0', ""))
}

/// One name of a path.
fn name() -> impl Strategy<Value = String> {
    text().prop_map(|text| match text.replace('/', "").as_str() {
        "" | "." | ".." => String::from("x"),
        name => name.to_owned(),
    })
}

fn path() -> impl Strategy<Value = PathBuf> {
    let name =
        prop_oneof![2 => prop::sample::select(vec!["a", "b"]).prop_map(String::from), 1 => name()];
    let names = prop::collection::vec(name, 0..4);
    names.prop_map(|names| {
        names
            .iter()
            .fold(PathBuf::from("/"), |path, name| path.join(name))
    })
}

fn positive() -> impl Strategy<Value = u64> {
    let most = i64::MAX as u64;
    prop_oneof![
        1..=most,
        (0..63u32).prop_map(|shift| 1 << shift),
        (1..=1024u64).prop_map(|number| number << 20),
        Just(most),
    ]
}

fn content() -> impl Strategy<Value = (Content, Access)> {
    let access = || {
        let all = vec![Access::Read, Access::Exec, Access::Write, Access::WriteExec];
        prop::sample::select(all)
    };
    let target = text().prop_map(|text| match text.as_str() {
        "" => PathBuf::from(".."),
        text => PathBuf::from(text),
    });
    let tmpfs = (positive(), positive(), any::<bool>()).prop_map(|(bytes, inodes, exec)| {
        let access = [Access::Write, Access::WriteExec][usize::from(exec)];
        (Content::Tmpfs { bytes, inodes }, access)
    });
    let made = vec![
        Content::Passwd,
        Content::Group,
        Content::Hosts,
        Content::Hostname,
    ];
    prop_oneof![
        1 => Just((Content::Nothing, Access::None)),
        4 => (path().prop_map(Content::Host), access()),
        1 => tmpfs,
        1 => text().prop_map(|text| (Content::Text(text), Access::Read)),
        1 => target.prop_map(|target| (Content::Symlink(target), Access::Read)),
        1 => prop::sample::select(made).prop_map(|made| (made, Access::Read)),
        1 => any::<bool>().prop_map(|facts| (Content::Proc { facts }, Access::Read)),
        1 => positive().prop_map(|shm_bytes| (Content::Dev { shm_bytes }, Access::Write)),
    ]
}

fn rule() -> impl Strategy<Value = FileRule> {
    let switches = any::<[bool; 3]>();
    (content(), switches).prop_map(|((content, access), [optional, git, follows])| {
        let host = matches!(content, Content::Host(_));
        FileRule {
            content,
            access,
            optional,
            git: git && host,
            follows: follows && host,
            origin: String::from("drawn"),
        }
    })
}

fn variable() -> impl Strategy<Value = String> {
    text().prop_map(|text| match text.replace('=', "").as_str() {
        "" => String::from("NAME"),
        name => name.to_owned(),
    })
}

fn id() -> impl Strategy<Value = u32> {
    prop_oneof![1..=4_294_967_294u32, Just(1), Just(4_294_967_294)]
}

fn process() -> impl Strategy<Value = Process> {
    let ids = (id(), id(), 1..=4_294_967_293u32, 1..=4_294_967_293u32);
    let hostname = "[A-Za-z0-9.-]{1,64}";
    let cwd = proptest::option::of(path());
    let env = prop::collection::btree_map(variable(), text(), 0..4);
    let pass_env = prop::collection::btree_set(variable(), 0..4);
    (ids, hostname, cwd, env, pass_env, any::<[bool; 3]>()).prop_map(
        |((user, group, one, other), hostname, cwd, env, pass_env, switches)| Process {
            user,
            group,
            hostname,
            cwd: cwd.map(|cwd| InsidePath::new(cwd).unwrap()),
            env,
            pass_env: pass_env.into_iter().rev().collect(),
            mdwe: switches[0],
            speculation: switches[1],
            core_scheduling: switches[2],
            cpus: (one % 2 == 0).then(|| vec![one % 7, 9]),
            aslr: switches[0],
            host_ids: (one.min(other), one.max(other)),
        },
    )
}

fn disks() -> impl Strategy<Value = BTreeMap<Disk, IoRates>> {
    let number = (0..0x1000u32, 0..0x10_0000u32);
    let disk = prop_oneof![
        number.prop_map(|(major, minor)| Disk::Number(major, minor)),
        path().prop_map(Disk::Of),
    ];
    let bytes = || proptest::option::of(positive());
    let requests = || proptest::option::of(1..u64::from(u32::MAX));
    let rates = (bytes(), bytes(), requests(), 1..u64::from(u32::MAX));
    let rates = rates.prop_map(|(read_bytes, write_bytes, reads, writes)| IoRates {
        read_bytes,
        write_bytes,
        reads,
        writes: Some(writes),
    });
    prop::collection::btree_map(disk, rates, 0..3)
}

fn limits() -> impl Strategy<Value = Limits> {
    let millis = || {
        prop_oneof![
            1..=9_223_372_036_854u64,
            (1..9999u64).prop_map(|m| m * 60_000)
        ]
    };
    let shares = (
        proptest::option::of(1000..=1_000_000_000u64),
        proptest::option::of(1..=10_000u32),
        disks(),
    );
    let others = drawn::limits(positive, millis);
    (others, shares).prop_map(|(others, (cpu_max, cpu_weight, io_max))| Limits {
        cpu_max,
        cpu_weight,
        io_max,
        ..others
    })
}

fn words(never: bool) -> impl Strategy<Value = Vec<String>> {
    let groups = GROUPS.iter().map(|group| group.name).chain(["@default"]);
    let members = GROUPS.iter().flat_map(|group| group.members());
    let refused = REFUSED
        .iter()
        .chain(UNKNOWN)
        .flat_map(|family| family.calls);
    let refused = refused.copied().filter(|_| never);
    let all: Vec<&str> = groups.chain(members).chain(refused).collect();
    let words = prop::collection::btree_set(prop::sample::select(all), 0..6);
    // In an order that is not the alphabet's.
    words.prop_map(|words| words.into_iter().rev().map(String::from).collect())
}

fn policy() -> impl Strategy<Value = Policy> {
    let files = prop::collection::btree_map(path(), rule(), 0..6);
    let network = prop::sample::select(vec![Network::None, Network::Loopback, Network::Host]);
    let syscalls = (words(false), words(true), words(true));
    let reason = text().prop_map(|text| format!("{text}."));
    let token = prop::sample::select(Weaken::ALL.to_vec());
    let weaken = prop::collection::btree_map(token, reason, 0..5);
    (files, process(), network, limits(), syscalls, weaken).prop_map(
        |(files, process, network, limits, (allow, deny, kill), mut weaken)| {
            if network == Network::Host {
                let because = || String::from("because");
                weaken.entry(Weaken::HostNetwork).or_insert_with(because);
            }
            let files = files.into_iter();
            let files = files.map(|(at, rule)| (InsidePath::new(at).unwrap(), rule));
            let mut policy = Policy {
                sources: vec![PathBuf::from("/drawn.toml")],
                files: files.collect(),
                process,
                network,
                limits,
                syscalls: Syscalls { allow, deny, kill },
                weaken,
            };
            policy.settle();
            policy
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_policy_returns(policy in policy()) {
        returns(&policy)?;
    }
}

#[test]
fn shipped_policies_return() {
    for (name, _) in BUILTIN {
        let policy = Policy::load(name.as_ref(), &context()).unwrap();
        returns(&policy).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn every_key_is_said_and_nothing_extended() {
    let text = Policy::default().to_toml().unwrap();
    assert_eq!(
        text,
        "version = 1\n\n[files]\n\n[process]\nuser = 1000\ngroup = 1000\nhostname = \"sandbox\"\n\
         env = {}\npass-env = []\nmemory-deny-write-execute = false\nspeculation = \"default\"\n\
         core-scheduling = false\ncpus = \"none\"\naslr = true\nhost-ids = \"2000000000-2000065535\"\n\n[network]\nmode = \"none\"\n\n\
         [limits]\nmemory = \"none\"\nprocesses = \"none\"\ncpu-time = \"none\"\nwall-time = \"none\"\n\
         output = \"none\"\nstdout = \"none\"\nstderr = \"none\"\nfile-size = \"none\"\nopen-files = \"none\"\nstack = \"none\"\n\
         cpu-max = \"none\"\ncpu-weight = \"none\"\nio-max = \"none\"\nenforcement = \"best\"\n\n\
         [syscalls]\nallow = []\ndeny = []\nkill = []\n\n[weaken]\n"
    );
}

#[test]
fn what_no_file_can_say_is_an_error() {
    let says = |policy: &Policy| policy.to_toml().unwrap_err().to_string();
    let rule = |content, access| FileRule {
        content,
        access,
        optional: false,
        git: false,
        follows: false,
        origin: String::new(),
    };
    let with = |at: &OsStr, content, access| {
        let at = InsidePath::new(at).unwrap();
        Policy {
            files: [(at, rule(content, access))].into(),
            ..Policy::default()
        }
    };
    let latin = OsStr::from_bytes(b"/na\xefve");
    let unsaid = "no policy file can say what this policy is";
    let no_utf8 = format!("{unsaid}: the path `/na\u{fffd}ve` is not UTF-8");
    assert_eq!(says(&with(latin, Content::Nothing, Access::None)), no_utf8);
    let source = Content::Host(latin.into());
    assert_eq!(says(&with(OsStr::new("/a"), source, Access::Read)), no_utf8);
    let mut latin_disk = Policy::default();
    let rates = IoRates {
        reads: Some(1),
        ..IoRates::default()
    };
    let disks = &mut latin_disk.limits.io_max;
    disks.insert(Disk::Of(latin.into()), rates);
    assert_eq!(says(&latin_disk), no_utf8);
    let mut unlimited = Policy::default();
    let disks = &mut unlimited.limits.io_max;
    disks.insert(Disk::Number(8, 0), IoRates::default());
    assert!(says(&unlimited).starts_with(&format!("{unsaid}: ")));
    let tmpfs = Content::Tmpfs {
        bytes: 1,
        inodes: 1,
    };
    let other = format!("{unsaid}: it would mean another");
    assert_eq!(says(&with(OsStr::new("/a"), tmpfs, Access::Read)), other);
    let relative = Content::Host("b".into());
    let refused = says(&with(OsStr::new("/a"), relative, Access::Read));
    assert!(refused.starts_with(unsaid), "{refused}");
    let host = Policy {
        network: Network::Host,
        ..Policy::default()
    };
    assert!(says(&host).ends_with("`weaken.host-network` is missing"));
    let mut fine = Policy::default();
    fine.limits.wall_time = Some(Duration::from_micros(1500));
    assert_eq!(says(&fine), other);
}

/// The same place by two names is one rule: what stands there has no source that
/// the one name could mean and the other not.
#[test]
fn a_made_thing_is_the_same_by_any_name() {
    let text =
        "version = 1\n[files]\n'/home/u/t' = { tmpfs = '1MiB' }\n'~/t' = { tmpfs = '1MiB' }\n";
    let policy = Policy::parse(text, "x.toml", &context()).unwrap();
    assert!(!policy.files[&inside("/home/u/t")].follows);
    returns(&policy).unwrap();
}
