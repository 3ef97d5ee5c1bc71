//! What the sandbox's side sends: frames, their sequence until exec, the facts after
//! it, and the record made of them.
//!
//! The other side may be anything: no message makes a launch of less than every
//! step, or a run that was cut off a success.

use super::bytes::{Bytes, printable};
use sandbox::foreign::{FRAME_BYTES, Facts, Frame, Layers, Progress};
use sandbox::host::{Found, Host, Kind, PathFact};
use sandbox::plan::{Invocation, Plan};
use sandbox::policy::{Context, Policy};
use sandbox::report::{Format, KilledBy, Limit, Report, Violation, Weakened, verdict};
use sandbox::step::{By, Step};
use std::sync::LazyLock;

/// Names a reader could be deceived by, wherever a refusal can quote one.
const POLICY: &str = r#"
version = 1
[files]
"/\u001b[2J" = { tmpfs = "1MiB" }
"/\u202e" = { text = "x" }
"/h\u3164" = { from = "/h", access = "write" }
"/h\u3164/\u115f" = "none"
"/l\u200b" = { symlink = "/h" }
"/proc" = "proc"
[process]
cwd = "/h\uffa0\u001b"
[limits]
memory = "1MiB"
cpu-time = "1s"
[syscalls]
allow = ["@default"]
"#;

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let policy = Policy::parse(POLICY, "p.toml", &Context::default()).expect("the policy");
    let found = |path: &str| {
        let found = Found {
            real: path.into(),
            link: None,
            kind: Kind::Directory,
            dev: 1,
            ino: 1,
            mode: 0o755,
            uid: 1000,
            gid: 1000,
            via: Vec::new(),
            kernel_fs: Vec::new(),
            text: None,
        };
        (path.into(), PathFact::Found(found))
    };
    let host = Host {
        uid: 1000,
        gid: 1000,
        seccomp: true,
        landlock_abi: 7,
        cwd: "/".into(),
        paths: [found("/h"), found("/h/\u{115f}")].into(),
        ..Host::default()
    };
    let invocation = Invocation {
        program: "x\u{3164}\u{1b}".into(),
        args: Vec::new(),
        tty: true,
        descriptors: Vec::new(),
    };
    Plan::resolve(&policy, &host, &invocation).expect("the plan")
});

/// The input is messages, each a length below 16 and a kind, then its bytes or the
/// three numbers of a frame; then what the supervisor does between them.
pub fn check(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut progress = Progress::new(&PLAN);
    let mut confirmed = Vec::new();
    let launched = loop {
        if bytes.once_in(20) {
            break progress.end();
        }
        match progress.hear(&message(&mut bytes)) {
            Ok(step) => confirmed.push(step),
            Err(refusal) => break Err(refusal),
        }
        assert!(confirmed.len() < Step::ALL.len());
    };
    match launched {
        Ok(executed) => {
            confirmed.push(executed);
            // Everything that is not the parent's own was confirmed, once, in order.
            let inside = Step::ALL.iter().filter(|step| step.by() != By::Parent);
            let told = confirmed.iter().map(|(step, _)| step);
            assert!(inside.eq(told));
        }
        Err(refusal) => {
            printable(&refusal.to_string());
            assert!(refusal.exit_code >= 125 && !refusal.message.is_empty());
        }
    }
    let mut layers = Layers::begin();
    for step in confirmed {
        layers.push(step);
    }
    let layers = layers.words(&PLAN, None, None);
    for layer in &layers {
        printable(&layer.detail);
    }
    run(&mut bytes, layers);
}

fn message(bytes: &mut Bytes) -> Vec<u8> {
    let kind = bytes.byte();
    let message = match kind {
        0..=31 => bytes.some(FRAME_BYTES + 1).to_vec(),
        _ => {
            let first = match kind {
                // The steps and the control frames, some of each and some of neither.
                32..=159 => u32::from(kind) % 16,
                160..=250 => 0x100 + u32::from(kind) % 11,
                _ => bytes.u32(),
            };
            let mut message = first.to_le_bytes().to_vec();
            message.extend(match bytes.byte() {
                byte @ 0..=127 => u32::from(byte).to_le_bytes(),
                _ => bytes.u32().to_le_bytes(),
            });
            message.extend(match bytes.byte() {
                byte @ 0..=133 => u32::from(byte).to_le_bytes(),
                _ => bytes.u32().to_le_bytes(),
            });
            message
        }
    };
    if let Some(frame) = Frame::decode(&message) {
        assert_eq!(frame.encode()[..], message[..]);
    }
    message
}

/// From exec to the record.
fn run(bytes: &mut Bytes, layers: Vec<sandbox::report::Layer>) {
    let mut facts = Facts::default();
    while !bytes.is_empty() {
        let before = (facts.killed_by, facts.status);
        match bytes.below(8) {
            0 => facts.blame(KilledBy::Cancel),
            1 => facts.blame(KilledBy::Output),
            2 => facts.blame(KilledBy::Internal),
            _ if facts.hear(&message(bytes)).is_err() => break,
            _ => {}
        }
        // The first cause stays, but for a wish that came too late.
        if let (Some(by), _) = before
            && facts.killed_by != Some(by)
        {
            assert!(by == KilledBy::Cancel && facts.killed_by.is_none());
            assert!(facts.status.is_some());
        }
        if before.1.is_some() {
            assert!(facts.status.is_some());
            assert!(before.0.is_some() || facts.killed_by.is_none());
        }
    }
    let exit = facts.exit();
    assert_eq!(exit.code.is_some(), exit.signal.is_none());
    let killed_by = facts
        .killed_by
        .or(facts.status.is_none().then_some(KilledBy::Internal));
    let limits_hit: Vec<Limit> = killed_by.and_then(KilledBy::limit).into_iter().collect();
    let report = Report {
        exit,
        killed_by,
        limits_hit: limits_hit.clone(),
        idle: false,
        files: Vec::new(),
        violation: facts.violation.map(|number| Violation {
            syscall: None,
            number: Some(number),
        }),
        oom_kills: None,
        processes_peak: Some(u64::from(facts.processes)),
        processes_denied: None,
        processes_source: Some("polled"),
        noise: None,
        limits: Vec::new(),
        cpu_ns: facts.cpu_ns,
        user_ns: 1,
        sys_ns: 0,
        wall_ns: u64::MAX,
        cpu_source: "rusage",
        memory_peak_bytes: u64::from(facts.peak_kib) * 1024,
        memory_source: "maxrss",
        max_rss_bytes: u64::MAX,
        switches_voluntary: u64::MAX,
        switches_forced: 0,
        stdout: None,
        stderr: None,
        layers,
        weakened: vec![Weakened {
            token: "no-landlock",
            reason: String::from("a\u{1b}\u{3164}\"\n"),
        }],
        error: None,
        verdict: verdict(exit, killed_by, &limits_hit),
    };
    if killed_by.is_some() || exit.code != Some(0) {
        assert_ne!(report.exit_code(), 0, "{report:?}");
    }
    printable(&report.text());
    for format in Format::ALL {
        let told = format.complete(&report);
        assert!(told.ends_with('\n'), "{told}");
        printable(&told);
    }
    let json = report.json();
    printable(&json);
    assert_eq!(json.find('\n'), Some(json.len() - 1));
    let record: serde_json::Value = serde_json::from_str(&json).expect("a line of JSON");
    assert_eq!(
        record["layers"].as_array().map(Vec::len),
        Some(report.layers.len())
    );
    assert_eq!(record["weakened"][0]["reason"], report.weakened[0].reason);
}
