//! Every system call of a run fails once, one occurrence at a time: refused, or run with all layers, or an error said.
//! It must not accept a weaker run, a hang, a process or a file left behind.
//!
//! It begins where `main` begins: the dynamic loader and the Rust runtime are not ours.
//! From there on, policy and machine are read, the run is launched, and watched to its end.
//! The calls are told apart by process and number, and where one number is many calls
//! (prctl, fcntl, ioctl, prlimit64, fsconfig, keyctl), by the argument that says which.
//!
//! `SANDBOX_TEST_FAULTS=all` makes every occurrence fail; otherwise, of many, the first two, the
//! middle and the last.

#![cfg(all(feature = "cli", target_endian = "little"))]

mod support;

#[path = "faults/filter.rs"]
mod filter;
#[path = "faults/judge.rs"]
mod judge;
#[path = "faults/listener.rs"]
mod listener;
#[path = "faults/roles.rs"]
mod roles;
#[path = "faults/run.rs"]
mod run;
#[path = "faults/scenario.rs"]
mod scenario;
#[path = "faults/selftest.rs"]
mod selftest;

use judge::{End, judge};
use listener::{Call, Fault};
use roles::Role;
use run::{Outcome, run, run_fast};
use scenario::{
    ASLEEP, COPIES, HANGS, LARGE, OUTPUT, Place, ROOT, ROOT_COPIES, SIGNALS, SMALL, Scenario, WALL,
    WARM,
};
use std::collections::BTreeMap;

const ERRNOS: [(i32, &str); 5] = [
    (libc::ENOSYS, "ENOSYS"),
    (libc::EPERM, "EPERM"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::EMFILE, "EMFILE"),
    (libc::EINTR, "EINTR"),
];

/// Ends a process or a thread, or has no errno: brk(2) answers with the old break where
/// it fails, and the C library takes anything else for an address.
const NO_FAULT: [libc::c_long; 4] = [
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigreturn,
    libc::SYS_brk,
];

const OUTSIDE: &[Role] = &[Role::Front, Role::Thread, Role::Idler];
const INSIDE: &[Role] = &[Role::Init, Role::Payload];

#[test]
fn in_front_of_a_small_run() {
    every_fault(&SMALL, OUTSIDE);
}

#[test]
fn inside_a_small_run() {
    every_fault(&SMALL, INSIDE);
}

#[test]
fn in_front_of_a_large_run() {
    every_fault(&LARGE, OUTSIDE);
}

#[test]
fn inside_a_large_run() {
    every_fault(&LARGE, INSIDE);
}

#[test]
fn in_front_of_a_run_by_a_worker() {
    every_fault(&WARM, OUTSIDE);
}

#[test]
fn in_a_worker() {
    every_fault(&WARM, &[Role::Worker, Role::Builder]);
}

#[test]
fn inside_a_run_by_a_worker() {
    every_fault(&WARM, INSIDE);
}

/// It is never given a program, and must not make a difference.
#[test]
fn in_a_run_that_nobody_wants() {
    every_fault(&WARM, &[Role::Spare]);
}

#[test]
fn in_front_of_a_run_by_root() {
    every_fault(&ROOT, OUTSIDE);
}

#[test]
fn in_front_of_a_run_with_copies() {
    every_fault(&COPIES, OUTSIDE);
}

#[test]
fn inside_a_run_with_copies() {
    every_fault(&COPIES, INSIDE);
}

#[test]
fn in_front_of_a_run_with_copies_by_root() {
    every_fault(&ROOT_COPIES, OUTSIDE);
}

#[test]
fn while_signals_are_forwarded() {
    every_fault(&SIGNALS, &[Role::Front, Role::Init]);
}

#[test]
fn while_the_wall_time_passes() {
    every_fault(&WALL, &[Role::Front, Role::Init]);
}

#[test]
fn while_too_much_is_written() {
    every_fault(&OUTPUT, &[Role::Front, Role::Init]);
}

/// The program is there when it comes, though the front end has not seen that: it is the
/// program's, and the record is whole.
#[test]
fn a_signal_that_comes_with_exec_is_the_programs() {
    let outcome = healthy(&ASLEEP, &Place::new());
    assert_eq!(outcome.stdout, "ready\nover\n");
}

/// The program is not there and does not come.
#[test]
fn a_signal_that_comes_before_exec_ends_the_launch() {
    let outcome = run(&HANGS, &Place::new(), None);
    let record: serde_json::Value = serde_json::from_str(&outcome.report.unwrap()).unwrap();
    assert_eq!(
        (outcome.code, outcome.seen.gone, &record["complete"]),
        (HANGS.code, true, &false.into()),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.marked);
}

/// Runs the scenario once for every fault of these roles.
fn every_fault(scenario: &Scenario, roles: &[Role]) {
    if scenario::skipped(scenario) {
        return;
    }
    let place = Place::new();
    let before = place.listing();
    let mut all = vec![healthy(scenario, &place)];
    let calls = calls(scenario, &all[0], roles);
    if scenario.by_worker {
        let without = Scenario {
            by_worker: false,
            ..*scenario
        };
        all.push(healthy(&without, &place));
    }
    let mut ends: BTreeMap<End, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (call, (first, last)) in &calls {
        for nth in occurrences(*first, *last) {
            for (errno, _) in ERRNOS {
                let fault = Fault {
                    call: *call,
                    nth,
                    errno,
                };
                let mut outcome = run_fast(scenario, &place, fault);
                // How often is a matter of who is faster; that it is made is none, as slowly as
                // when it was seen.
                for _ in 0..5 {
                    if nth == *first && outcome.seen.made.is_none() && outcome.seen.gone {
                        outcome = run(scenario, &place, Some(fault));
                    }
                }
                // The idler is killed as soon as its namespace is held, the builder as soon as
                // the worker is in its root, and a run that nobody wants at the end: they
                // may not get as far as their last calls.
                let ends_early = matches!(call.role, Role::Idler | Role::Builder | Role::Spare);
                let must = nth == *first && !ends_early;
                match judge(&outcome, &all, &fault) {
                    Ok(End::Missed) if must => {
                        wrong.push(complaint(&fault, "it was never made", &outcome));
                    }
                    Ok(end) => *ends.entry(end).or_default() += 1,
                    Err(why) => wrong.push(complaint(&fault, &why, &outcome)),
                }
                if place.listing() != before {
                    wrong.push(complaint(&fault, "something was left behind", &outcome));
                }
            }
        }
    }
    println!(
        "{}, {roles:?}: {} calls, {} faults: {ends:?}",
        scenario.name,
        calls.len(),
        ends.values().sum::<u32>()
    );
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The run that others are compared with: it must be one.
fn healthy(scenario: &Scenario, place: &Place) -> Outcome {
    let healthy = run(scenario, place, None);
    let report: serde_json::Value =
        serde_json::from_str(healthy.report.as_deref().unwrap_or("null")).unwrap();
    assert_eq!(
        (healthy.code, healthy.seen.gone, &report["verdict"]),
        (scenario.code, true, &scenario.verdict.into()),
        "{healthy:?}"
    );
    healthy
}

/// The calls of these roles in the healthy run: which occurrence is the first and the
/// last one of interest.
fn calls(scenario: &Scenario, healthy: &Outcome, roles: &[Role]) -> BTreeMap<Call, (u32, u32)> {
    let mut counts: BTreeMap<Call, u32> = BTreeMap::new();
    let mut calls = BTreeMap::new();
    // What comes before a worker another scenario has.
    let mut begun = !scenario.by_worker;
    for (call, executed) in &healthy.seen.calls {
        begun |= call.role == Role::Worker;
        if !roles.contains(&call.role) || NO_FAULT.contains(&call.number.into()) {
            continue;
        }
        let count = counts.entry(*call).or_default();
        *count += 1;
        if begun && (*executed || !scenario.after_exec) {
            calls.entry(*call).or_insert((*count, *count)).1 = *count;
        }
    }
    calls
}

/// Which occurrences fail.
fn occurrences(first: u32, last: u32) -> Vec<u32> {
    if std::env::var("SANDBOX_TEST_FAULTS").is_ok_and(|value| value == "all") {
        return (first..=last).collect();
    }
    let mut chosen = vec![first, first + 1, first.midpoint(last), last];
    chosen.retain(|nth| *nth <= last);
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

fn complaint(fault: &Fault, why: &str, outcome: &Outcome) -> String {
    let call = fault.call;
    let name = sandbox::policy::syscalls::numbers()
        .find(|(_, number)| i64::from(*number) == i64::from(call.number))
        .map_or("?", |(name, _)| name);
    let errno = ERRNOS.iter().find(|(number, _)| *number == fault.errno);
    format!(
        "{:?} {name}({:#x}) number {} with {}: {why}: exit {}, marked {}, {:?}, {:?}, {:?}",
        call.role,
        call.word,
        fault.nth,
        errno.map_or("?", |(_, name)| name),
        outcome.code,
        outcome.marked,
        outcome.stderr,
        outcome.stdout.chars().rev().take(60).collect::<String>(),
        outcome
            .report
            .as_deref()
            .map(|text| text.chars().take(200).collect::<String>()),
    )
}
