//! Laws of whole plans: a further restriction never widens one, the same question
//! has the same answer, and no path inside leads above the root.
//!
//! What "wider" means stands in `plan_laws/wider.rs`; the laws of one layer alone
//! are in `mounts_laws.rs` and `seccomp_laws.rs`.

mod mounts_host;
#[allow(dead_code)]
#[path = "seccomp/draw.rs"]
mod draw;
#[path = "support/limits.rs"]
mod drawn;
#[path = "plan_laws/found.rs"]
mod found;
#[path = "plan_laws/restrict.rs"]
mod restrict;
#[path = "plan_laws/wider.rs"]
mod wider;

use mounts_host::Tree;
use mounts_host::draw::{access, all_paths, map, path, sayable, tree};
use proptest::prelude::*;
use restrict::Restriction;
use sandbox::bpf::Data;
use sandbox::host::paths::DEVICES;
use sandbox::host::{Cgroup, DiskFact, Host, resource};
use sandbox::plan::{Invocation, Op, Plan};
use sandbox::policy::{
    Access, Content, Context, Disk, InsidePath, IoRates, Limits, Network, Policy, Process,
    Syscalls, Weaken,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A policy, and the machine that it meets.
#[derive(Debug, Clone)]
struct Case {
    policy: Policy,
    tree: Tree,
    machine: Machine,
    tty: bool,
}

/// What of a machine decides, beside its files.
#[derive(Debug, Clone)]
struct Machine {
    landlock_abi: u32,
    speculation: [i32; 2],
    mdwe: bool,
    core_scheduling: bool,
    most_files: Option<u64>,
    cgroup: Option<Cgroup>,
}

impl Case {
    fn host(&self) -> Host {
        let devices = DEVICES.iter().map(|name| Path::new("/dev").join(name));
        let paths = all_paths("/h", 5).into_iter().chain(all_paths("/i", 5));
        let machine = &self.machine;
        let mut host = self.tree.host(paths.chain(devices));
        host.landlock_abi = machine.landlock_abi;
        host.speculation = machine.speculation;
        host.mdwe = machine.mdwe;
        host.core_scheduling = machine.core_scheduling;
        let most = machine.most_files.map(|most| (resource::NOFILE, most));
        host.hard_limits = most.into_iter().collect();
        host.cgroup = machine.cgroup;
        host.disks = DISKS.map(|(path, disk)| (path.into(), disk)).into();
        let variables = ["HOME", "TERM", "LANG"];
        let variables = variables.map(|name| (name.into(), "the caller's".into()));
        host.env = variables.into();
        host
    }

    fn plan(&self, policy: &Policy, host: &Host) -> Option<Plan> {
        let invocation = Invocation {
            program: "x".into(),
            args: vec!["y".into()],
            tty: self.tty,
            descriptors: Vec::new(),
        };
        Plan::resolve(policy, host, &invocation).ok()
    }
}

/// Where paths lie that `io-max` may name: two on one disk, one on none.
const DISKS: [(&str, DiskFact); 3] = [
    ("/h/a", DiskFact::Disk(8, 0)),
    ("/h/b", DiskFact::Disk(8, 0)),
    ("/h", DiskFact::None),
];

/// A disk of the ones above, or by its number.
fn disk() -> impl Strategy<Value = Disk> {
    let of = |path: &str| Disk::Of(path.into());
    let number = |minor| Disk::Number(8, minor);
    let usual = prop::sample::select(vec![of("/h/a"), of("/h/b"), number(0), number(16)]);
    prop_oneof![19 => usual, 1 => Just(of("/h"))]
}

fn rates() -> impl Strategy<Value = IoRates> {
    let number = || proptest::option::of(1..=1u64 << 31);
    (1..=1u64 << 40, number(), number(), number()).prop_map(|rates| IoRates {
        read_bytes: Some(rates.0),
        write_bytes: rates.1,
        reads: rates.2,
        writes: rates.3,
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let seldom = |chance| prop::bool::weighted(chance);
    let shares = (
        (seldom(0.2), 1000..=400_000u64),
        (seldom(0.2), 1..=10_000u32),
        (
            seldom(0.3),
            prop::collection::btree_map(disk(), rates(), 1..4),
        ),
    );
    let others = drawn::limits(|| 1..=1u64 << 40, || 1..100_000u64);
    (others, shares).prop_map(|(others, (max, weight, io))| Limits {
        cpu_max: max.0.then_some(max.1),
        cpu_weight: weight.0.then_some(weight.1),
        io_max: match io.0 {
            true => io.1,
            false => BTreeMap::new(),
        },
        ..others
    })
}

fn process() -> impl Strategy<Value = Process> {
    let names = || prop::sample::subsequence(vec!["HOME", "TERM", "LANG", "NO_SUCH"], 0..4);
    (names(), names(), any::<[bool; 3]>()).prop_map(|(env, pass_env, switches)| Process {
        env: env.into_iter().map(|n| (n.into(), "set".into())).collect(),
        pass_env: pass_env.into_iter().map(String::from).collect(),
        mdwe: switches[0],
        speculation: switches[1],
        core_scheduling: switches[2],
        aslr: switches[0],
        cpus: switches[1].then(|| vec![0]),
        ..Process::default()
    })
}

/// Most can start a program.
fn syscalls() -> impl Strategy<Value = Syscalls> {
    let more = prop::collection::vec(draw::allowable(), 0..4);
    let few = || prop::collection::vec(draw::word(), 0..2);
    (any::<bool>(), more, few(), few()).prop_map(|(default, more, deny, kill)| {
        let base = match default {
            true => vec!["@default"],
            false => vec!["@io", "@process"],
        };
        let base = base.into_iter().map(String::from);
        // A name stands in a list once, as when it is read.
        let once = |names: Vec<String>| {
            let mut known = BTreeSet::new();
            let mut names = names;
            names.retain(|name| known.insert(name.clone()));
            names
        };
        Syscalls {
            allow: once(base.chain(more).collect()),
            deny: once(deny),
            kill: once(kill),
        }
    })
}

fn machine() -> impl Strategy<Value = Machine> {
    // Not affected, to be disabled, not to be controlled: most machines can.
    let control = || prop::sample::select(vec![0, 3, 3, 8]);
    let can = || prop::bool::weighted(0.9);
    let speculation = [control(), control()];
    let most_files = proptest::option::of(1..4096u64);
    // Most have all, some no group, some a group without one of them.
    let cgroup = any::<[bool; 5]>().prop_map(|[memory, pids, cpu, io, cpuset]| Cgroup {
        memory,
        pids,
        cpu,
        io,
        cpuset,
    });
    let all = Cgroup {
        memory: true,
        pids: true,
        cpu: true,
        io: true,
        cpuset: true,
    };
    let cgroup = prop_oneof![8 => Just(Some(all)), 1 => Just(None), 1 => cgroup.prop_map(Some)];
    (0..=9u32, speculation, [can(), can()], most_files, cgroup).prop_map(
        |(landlock_abi, speculation, [mdwe, core_scheduling], most_files, cgroup)| Machine {
            landlock_abi,
            speculation,
            mdwe,
            core_scheduling,
            most_files,
            cgroup,
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let weaken = prop::collection::vec(prop::bool::weighted(0.8), Weaken::ALL.len());
    let policy = (
        map(),
        process(),
        draw::network(),
        limits(),
        syscalls(),
        weaken,
    );
    let policy = policy.prop_map(|(files, process, network, limits, syscalls, weaken)| {
        let files = files.into_iter();
        let files = files.map(|(at, rule)| (InsidePath::new(at).unwrap(), sayable(rule)));
        let weaken = Weaken::ALL
            .into_iter()
            .zip(weaken)
            .filter(|(_, given)| *given);
        let weaken = weaken.map(|(token, _)| (token, String::from("because")));
        Policy {
            sources: Vec::new(),
            files: files.collect(),
            process,
            network,
            limits,
            syscalls,
            weaken: weaken.collect(),
        }
    });
    (policy, tree(true), machine(), any::<bool>()).prop_map(|(policy, tree, machine, tty)| Case {
        policy,
        tree,
        machine,
        tty,
    })
}

/// Cases that were accepted and so say something, of each kind.
struct Examples(BTreeMap<&'static str, AtomicU32>);

impl Examples {
    fn new(kinds: &[&'static str]) -> Examples {
        let counts = kinds.iter().map(|kind| (*kind, AtomicU32::new(0)));
        Examples(counts.collect())
    }

    fn count(&self, kind: &str) {
        self.0[kind].fetch_add(1, Ordering::Relaxed);
    }

    /// No law holds for want of examples.
    fn enough(&self, least: u32) {
        println!("{:?}", self.0);
        let few = |count: &AtomicU32| count.load(Ordering::Relaxed) < least;
        assert!(!self.0.values().any(few), "too few of some: {:?}", self.0);
    }
}

fn run<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&strategy, test)
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_further_restriction_never_widens_the_plan() {
    let examples = Examples::new(&Restriction::KINDS);
    let calls = prop::collection::vec(draw::data(), 10);
    let strategy = (case(), restrict::restriction(), calls);
    run(
        2_500,
        strategy,
        |(case, restriction, calls): (Case, Restriction, Vec<Data>)| {
            let Some(narrower) = restriction.apply(&case.policy, &case.tree) else {
                return Ok(());
            };
            let host = case.host();
            // A refusal is no plan at all, which is not wider.
            let Some(after) = case.plan(&narrower, &host) else {
                return Ok(());
            };
            let Some(before) = case.plan(&case.policy, &host) else {
                return Ok(());
            };
            wider::no_wider(&before, &after, &case.tree, &calls)?;
            examples.count(restriction.kind());
            Ok(())
        },
    );
    examples.enough(5);
}

/// The weakening that a plan needs is asked for by name, and its reason is told.
#[test]
fn no_plan_is_weaker_than_its_tokens_say() {
    let examples = Examples::new(&["weakened", "whole"]);
    run(1_000, case(), |case| {
        let Some(plan) = case.plan(&case.policy, &case.host()) else {
            return Ok(());
        };
        for (token, reason) in &plan.weakened {
            prop_assert_eq!(case.policy.weaken.get(token), Some(reason));
        }
        let weak = |token| plan.weakened.iter().any(|(known, _)| *known == token);
        prop_assert_eq!(plan.network == Network::Host, weak(Weaken::HostNetwork));
        prop_assert_eq!(plan.landlock.is_none(), weak(Weaken::NoLandlock));
        examples.count(match plan.weakened.is_empty() {
            true => "whole",
            false => "weakened",
        });
        Ok(())
    });
    examples.enough(20);
}

/// The policy's text with its sections, and the lines of each, in another order.
fn shuffled(text: &str, order: &[prop::sample::Index]) -> String {
    let mut order = order.iter().cycle();
    let mut shuffle = |lines: Vec<String>| {
        let mut rest = lines;
        let mut out = Vec::new();
        while !rest.is_empty() {
            let at = order.next().unwrap().index(rest.len());
            out.push(rest.remove(at));
        }
        out
    };
    let mut sections = Vec::new();
    let (top, rest) = text.split_once("\n[").unwrap();
    for section in rest.split("\n[") {
        let (head, lines) = section.split_once('\n').unwrap();
        let lines = lines.lines().filter(|line| !line.is_empty());
        let lines = shuffle(lines.map(String::from).collect());
        sections.push(format!("[{head}\n{}\n", lines.join("\n")));
    }
    format!("{top}\n{}", shuffle(sections).concat())
}

#[test]
fn the_same_question_has_the_same_answer() {
    let examples = Examples::new(&["planned", "refused"]);
    let order = prop::collection::vec(any::<prop::sample::Index>(), 1..20);
    run(1_000, (case(), order), |(case, order): (Case, Vec<_>)| {
        let (host, invocation) = (
            case.host(),
            Invocation {
                program: "x".into(),
                args: Vec::new(),
                tty: case.tty,
                descriptors: Vec::new(),
            },
        );
        let answer = Plan::resolve(&case.policy, &host, &invocation);
        // Every argument made again, and by another thread.
        let again = case.clone();
        let other = std::thread::scope(|scope| {
            let thread = scope.spawn(|| Plan::resolve(&again.policy, &again.host(), &invocation));
            thread.join().unwrap()
        });
        prop_assert_eq!(&answer, &other);
        // The order of keys in the file is nobody's choice.
        if case.policy.validate().is_err() {
            return Ok(());
        }
        let text = case
            .policy
            .to_toml()
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let text = shuffled(&text, &order);
        let policy = Policy::parse(&text, "x.toml", &Context::default());
        let policy = policy.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let shuffled = Plan::resolve(&policy, &host, &invocation);
        prop_assert_eq!(answer.is_ok(), shuffled.is_ok());
        match answer {
            Err(_) => examples.count("refused"),
            Ok(plan) => {
                prop_assert_eq!(Ok(&plan), shuffled.as_ref());
                prop_assert_eq!(plan.to_string(), shuffled.unwrap().to_string());
                examples.count("planned");
            }
        }
        Ok(())
    });
    examples.enough(100);
}

fn normal(path: &Path) -> bool {
    let mut parts = path.components();
    let plain: PathBuf = path.components().collect();
    parts.next() == Some(Component::RootDir)
        && parts.all(|part| matches!(part, Component::Normal(_)))
        && plain.as_os_str() == path.as_os_str()
}

/// With links of the policy's own that lead up as far as they can, and rules
/// below them.
#[test]
fn no_path_inside_leads_above_the_root() {
    let text = prop::sample::select(vec![
        "..",
        "../..",
        "../../../h/a",
        "/..",
        "/../../i",
        "a/../../..",
    ]);
    let links = prop::collection::vec((path("/i", 2), text), 1..3);
    let below = (path("/i", 4), access());
    let below = prop::collection::vec(below, 0..3);
    let examples = Examples::new(&["planned", "behind a link"]);
    run(2_000, (case(), links, below), |(mut case, links, below)| {
        for (at, access) in below {
            let rule = mounts_host::host("/h/a", access);
            case.policy.files.insert(InsidePath::new(at).unwrap(), rule);
        }
        for (at, text) in links {
            let rule = mounts_host::rule(Content::Symlink(text.into()), Access::Read);
            case.policy.files.insert(InsidePath::new(at).unwrap(), rule);
        }
        let Some(plan) = case.plan(&case.policy, &case.host()) else {
            return Ok(());
        };
        for op in &plan.mounts.ops {
            let at = op.at();
            prop_assert!(normal(at), "{:?}", op);
            if let Op::Bind { source, .. } = op {
                prop_assert!(normal(source), "{:?}", op);
            }
        }
        for (at, _) in plan.landlock.iter().flat_map(|landlock| &landlock.rules) {
            prop_assert!(normal(at), "{:?}", at);
        }
        prop_assert!(normal(&plan.cwd) && plan.program.candidates.iter().all(|path| normal(path)));
        let planned = |at: &PathBuf| {
            case.policy
                .files
                .contains_key(&InsidePath::new(at).unwrap())
        };
        let moved = plan.mounts.ops.iter().any(|op| match op {
            Op::Bind { at, .. } => !planned(at),
            _ => false,
        });
        examples.count("planned");
        if moved {
            examples.count("behind a link");
        }
        Ok(())
    });
    examples.enough(20);
}

/// What only a controller keeps is in the plan as it was asked for, or there is no plan.
#[test]
fn no_limit_of_speed_is_lost() {
    let examples = Examples::new(&["cpu-max", "cpu-weight", "io-max", "refused"]);
    run(1_000, case(), |case| {
        let host = case.host();
        let (asked, has) = (&case.policy.limits, host.cgroup.unwrap_or_default());
        let cpu = asked.cpu_max.is_some() || asked.cpu_weight.is_some();
        let Some(plan) = case.plan(&case.policy, &host) else {
            examples.count("refused");
            return Ok(());
        };
        prop_assert!(has.cpu || !cpu);
        prop_assert!(has.io || asked.io_max.is_empty());
        let shares = &plan.limits.shares;
        prop_assert_eq!(shares.cpu_max, asked.cpu_max);
        prop_assert_eq!(shares.cpu_weight, asked.cpu_weight);
        for (disk, rates) in &asked.io_max {
            let number = match disk {
                Disk::Number(major, minor) => (*major, *minor),
                Disk::Of(path) => match host.disks.get(path) {
                    Some(DiskFact::Disk(major, minor)) => (*major, *minor),
                    other => return Err(TestCaseError::fail(format!("{path:?}: {other:?}"))),
                },
            };
            let held = shares.io_max[&number];
            for (held, asked) in [
                (held.read_bytes, rates.read_bytes),
                (held.write_bytes, rates.write_bytes),
                (held.reads, rates.reads),
                (held.writes, rates.writes),
            ] {
                let unlimited = |rate: Option<u64>| rate.unwrap_or(u64::MAX);
                prop_assert!(unlimited(held) <= unlimited(asked));
            }
        }
        let said: Vec<_> = shares.each().iter().map(|share| share.limit).collect();
        for (key, asked) in [
            ("cpu-max", asked.cpu_max.is_some()),
            ("cpu-weight", asked.cpu_weight.is_some()),
            ("io-max", !asked.io_max.is_empty()),
        ] {
            prop_assert_eq!(said.contains(&key), asked, "{} in the record", key);
            if asked {
                examples.count(key);
            }
        }
        Ok(())
    });
    examples.enough(20);
}

/// Whatever text is taken for a path inside, it is one.
#[test]
fn an_inside_path_is_below_the_root_or_none() {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "/", "..", ".", "a", "//", "/../", "/./", "\0", "~", " "
        ])
        .prop_map(String::from),
        any::<char>().prop_map(String::from),
    ];
    let text = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    let examples = Examples::new(&["a path", "none"]);
    run(10_000, text, |text| {
        let climbs = text.split('/').any(|part| part == "..");
        let Ok(path) = InsidePath::new(&text) else {
            prop_assert!(
                climbs || text.contains('\0') || !text.starts_with('/'),
                "{}",
                text
            );
            examples.count("none");
            return Ok(());
        };
        prop_assert!(!climbs && normal(path.as_path()), "{:?}", path);
        prop_assert_eq!(InsidePath::new(path.as_path()), Ok(path));
        examples.count("a path");
        Ok(())
    });
    examples.enough(500);
}
