//! The judge is judged: a healthy run is what it should be, and every way to be weaker is noticed.
//! It must not run the binary more often than once for each question.

use super::judge::{End, judge};
use super::listener::{Call, Fault};
use super::roles::Role;
use super::run::{Outcome, run, run_fast};
use super::scenario::{Place, SMALL, WARM};

/// A call of the set-up that must not fail.
const FAULT: Fault = Fault {
    call: Call {
        role: Role::Payload,
        number: libc::SYS_setsid as i32,
        word: 0,
    },
    nth: 1,
    errno: libc::EPERM,
};

#[test]
fn a_healthy_run_shows_every_layer() {
    let healthy = run(&SMALL, &Place::new(), None);
    let has = |line: &str| {
        assert!(
            healthy.stdout.lines().any(|found| found == line),
            "no `{line}` in {}",
            healthy.stdout
        );
    };
    for line in [
        "NoNewPrivs: 1",
        "Seccomp: 2",
        // The one around the run, and the run's own.
        "Seccomp_filters: 2",
        "CapEff: 0000000000000000",
        "CapBnd: 0000000000000000",
        "SigIgn: 0000000000000000",
        "read-only",
        "pid 1 closed",
        "0022",
        "end",
    ] {
        has(line);
    }
    assert!(!healthy.stdout.contains("there: "), "{}", healthy.stdout);
    assert!(healthy.marked && healthy.seen.gone);
    let roles = [Role::Front, Role::Init, Role::Payload];
    for role in roles {
        let calls = &healthy.seen.calls;
        assert!(calls.iter().any(|(call, _)| call.role == role), "{role:?}");
    }
}

#[test]
fn a_worker_is_told_from_its_runs() {
    let healthy = run(&WARM, &Place::new(), None);
    let roles = [
        Role::Front,
        Role::Worker,
        Role::Builder,
        Role::Init,
        Role::Payload,
        Role::Spare,
    ];
    let of = |role| {
        let calls = healthy.seen.calls.iter();
        let numbers = calls.filter(move |(call, _)| call.role == role);
        numbers
            .map(|(call, _)| libc::c_long::from(call.number))
            .collect::<Vec<_>>()
    };
    for role in roles {
        assert!(!of(role).is_empty(), "{role:?}");
    }
    // What only one of them does.
    for (number, role) in [
        (libc::SYS_pivot_root, Role::Builder),
        (libc::SYS_execve, Role::Payload),
    ] {
        for other in roles {
            let does = of(other).contains(&number);
            assert_eq!(does, other == role, "{number} {other:?}");
        }
    }
    let made = of(Role::Worker)
        .iter()
        .filter(|number| **number == libc::SYS_clone3)
        .count();
    assert_eq!(made, 3, "a builder and two runs");
}

#[test]
fn a_fault_is_made_where_it_is_aimed() {
    let place = Place::new();
    let healthy = run(&SMALL, &place, None);
    let outcome = run_fast(&SMALL, &place, FAULT);
    assert_eq!(outcome.seen.made, Some(false));
    assert_eq!(
        outcome.stderr.lines().next(),
        Some("sandbox: cannot start a new session: Operation not permitted (step payload, item 2)")
    );
    assert_eq!(judge(&outcome, &[healthy], &FAULT), Ok(End::Refused));
}

/// A healthy run that had this fault, changed.
fn changed(healthy: &Outcome, change: impl FnOnce(&mut Outcome)) -> Result<End, String> {
    let mut outcome = Outcome {
        code: healthy.code,
        stdout: healthy.stdout.clone(),
        stderr: healthy.stderr.clone(),
        report: healthy.report.clone(),
        marked: healthy.marked,
        seen: super::listener::Seen {
            calls: Vec::new(),
            made: Some(false),
            gone: true,
        },
    };
    change(&mut outcome);
    judge(&outcome, std::slice::from_ref(healthy), &FAULT)
}

#[test]
fn what_is_weaker_is_noticed() {
    let healthy = run(&SMALL, &Place::new(), None);
    assert_eq!(changed(&healthy, |_| {}), Ok(End::Ran));
    let text = |from: &'static str, to: &'static str| {
        changed(&healthy, |outcome| {
            assert!(outcome.stdout.contains(from), "{from}");
            outcome.stdout = outcome.stdout.replace(from, to);
        })
    };
    for (from, to) in [
        ("Seccomp_filters: 2", "Seccomp_filters: 1"),
        ("NoNewPrivs: 1", "NoNewPrivs: 0"),
        ("CapEff: 0000000000000000", "CapEff: 0000000000000001"),
        ("SigIgn: 0000000000000000", "SigIgn: 0000000000010000"),
        ("nosuid", "suid"),
        ("read-only\n", ""),
        ("pid 1 closed\n", ""),
        ("0022\n", "0000\n"),
        ("/proc/self/fd/2\n", "/proc/self/fd/2\n/proc/self/fd/5\n"),
    ] {
        assert!(text(from, to).is_err(), "{from}");
    }
    let record = |from: &'static str, to: &'static str| {
        changed(&healthy, |outcome| {
            outcome.report = outcome.report.take().map(|text| text.replace(from, to));
        })
    };
    assert!(record("\"weakened\":[", "\"weakened\":[{},").is_err());
    assert!(record("ABI", "none").is_err());
    assert!(record("\"code\":0", "\"code\":1").is_err());
    assert!(record("\"complete\":true", "\"complete\":false").is_err());
}

#[test]
fn a_refusal_is_one_only_when_nothing_was_executed_and_it_was_said() {
    let healthy = run(&SMALL, &Place::new(), None);
    let refuse = |change: fn(&mut Outcome)| {
        changed(&healthy, |outcome| {
            outcome.code = 125;
            outcome.stdout.clear();
            outcome.marked = false;
            outcome.stderr = String::from("sandbox: cannot x\nhint: y\n");
            outcome.report = Some(String::from("{\"version\":1,\"complete\":false}"));
            change(outcome);
        })
    };
    assert_eq!(refuse(|_| {}), Ok(End::Refused));
    let wrong: [fn(&mut Outcome); 7] = [
        |outcome| outcome.marked = true,
        |outcome| outcome.stdout.push_str("Seccomp: 2\n"),
        |outcome| outcome.code = 0,
        |outcome| outcome.code = 134,
        |outcome| outcome.stderr.clear(),
        |outcome| outcome.stderr.push_str("thread 'main' panicked\n"),
        |outcome| outcome.seen.gone = false,
    ];
    for (number, change) in wrong.into_iter().enumerate() {
        assert!(refuse(change).is_err(), "{number}");
    }
}
