//! Twice as many sandboxes at once as there are processors, for a while, from one program: every verdict is the right one, and nothing grows.
//! It must not assert how many runs there were. `SANDBOX_SOAK_SECONDS=600` makes it long.

mod support;

use sandbox::policy::{Context, Policy};
use sandbox::report::Verdict;
use sandbox::{Sandbox, Stdio};
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longer than one run of the longest program takes on a loaded machine.
const MOST_SECONDS: u64 = 3600;

/// What a run is, and its verdict.
const PROGRAMS: [(&str, Verdict); 8] = [
    ("exit 0", Verdict::Ok),
    ("exit 3", Verdict::Exit),
    ("kill -9 $$", Verdict::Signal),
    ("kill -SEGV $$", Verdict::Signal),
    ("sleep 600", Verdict::WallTime),
    ("while :; do :; done", Verdict::CpuTime),
    (
        "head -c 30M /dev/zero >/tmp/a; head -c 30M /dev/zero >/dev/shm/b; sleep 600",
        Verdict::Memory,
    ),
    ("yes", Verdict::Output),
];

/// What must not grow, by name.
fn inventory() -> BTreeMap<&'static str, u64> {
    let count = |path: &str| fs::read_dir(path).map_or(0, |all| all.count() as u64);
    let lines = |path: &str| fs::read_to_string(path).map_or(0, |text| text.lines().count() as u64);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.unwrap_or(0)
    };
    let temporary = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    // Other tests have theirs.
    let ours = temporary.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.contains("sandbox") && !name.starts_with("sandbox-test-")
    });
    BTreeMap::from([
        ("descriptors", count("/proc/self/fd")),
        ("threads", field("Threads:")),
        ("mounts", lines("/proc/self/mountinfo")),
        ("memory, KiB", field("VmRSS:")),
        ("temporary files", ours.count() as u64),
        ("groups", groups()),
        ("children", children()),
    ])
}

/// Groups of cgroup v2 with a name of ours, wherever they are.
fn groups() -> u64 {
    fn below(directory: &std::path::Path) -> u64 {
        let mut found = 0;
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let name = entry.file_name();
                let ours = name
                    .to_string_lossy()
                    .starts_with(&format!("sandbox-{}-", std::process::id()));
                found += u64::from(ours) + below(&entry.path());
            }
        }
        found
    }
    below("/sys/fs/cgroup".as_ref())
}

/// Children of any thread of this process.
fn children() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let each = tasks.map(|task| fs::read_to_string(task.path().join("children")));
    each.map(|text| text.map_or(0, |text| text.split_whitespace().count() as u64))
        .sum()
}

fn sandbox() -> Sandbox {
    let mut policy = Policy::load("strict".as_ref(), &Context::current()).unwrap();
    policy.set_memory("48MiB").unwrap();
    // A machine that is one of many on another may stand still for a third of a second, and
    // that counts as the processor's.
    policy.set_cpu_time("1s").unwrap();
    policy.set_wall_time("8s").unwrap();
    policy.set_output("1MiB").unwrap();
    Sandbox::new(policy).unwrap()
}

fn once(sandbox: &Sandbox, number: u64) {
    let (script, verdict) = PROGRAMS[number as usize % PROGRAMS.len()];
    let mut command = sandbox.command("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::Null);
    command.stdout(Stdio::Null).stderr(Stdio::Null);
    let report = command.spawn().unwrap().wait().unwrap();
    assert_eq!(report.verdict, verdict, "{script}: {report:?}");
}

#[test]
fn nothing_grows_and_no_verdict_wobbles() {
    let seconds = std::env::var("SANDBOX_SOAK_SECONDS").ok();
    let seconds = seconds.map_or(8, |text| text.parse::<u64>().unwrap().min(MOST_SECONDS));
    let sandbox = sandbox();
    // Everything that is made once is made.
    for number in 0..PROGRAMS.len() as u64 {
        once(&sandbox, number);
    }
    let before = inventory();
    let end = Instant::now() + Duration::from_secs(seconds);
    let runs = AtomicU64::new(0);
    let workers = 2 * std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while Instant::now() < end {
                    once(&sandbox, runs.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
    });
    let patience = Instant::now() + Duration::from_secs(20);
    let after = loop {
        let after = inventory();
        let more = |(name, was): (&&str, &u64)| after[name] > was + room(name);
        if !before.iter().any(more) || Instant::now() > patience {
            break after;
        }
        // A thread that was joined has not quite ended.
        std::thread::sleep(Duration::from_millis(50));
    };
    println!(
        "{} runs; before {before:?}, after {after:?}",
        runs.into_inner()
    );
    for (name, was) in before {
        let is = after[name];
        assert!(is <= was + room(name), "{name}: {was} before, {is} after");
    }
}

/// The allocator keeps some of what the threads had.
fn room(name: &str) -> u64 {
    if name.starts_with("memory") {
        8 << 10
    } else {
        0
    }
}
