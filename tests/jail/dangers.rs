//! Every call and every argument that reaches beyond the program, really made: each is refused.
//! It must not make one outside; with wrong pointers and numbers they do nothing where they are open.

use crate::calls::{ask, raw};
use crate::harness::jailed;
use sandbox::audit::dangers as dangerous;
use sandbox::policy::syscalls::{REFUSED, UNKNOWN, number};
use std::collections::BTreeMap;

/// No address, no descriptor, no process, no number that anything takes.
const WRONG: [usize; 6] = [usize::MAX; 6];

/// Thousands of calls, where every instruction is emulated.
const PATIENT: [&str; 4] = ["--cpu-time", "100s", "--wall-time", "300s"];

/// No filter is asked about these since Linux 6.14; from anywhere but the kernel's
/// own trampolines the one answers ENXIO (7.2: EPROTO), and the other ends the process.
const UNASKED: [&str; 2] = ["uprobe", "uretprobe"];

checks! {
    uprobe_outside_a_trampoline: _ => "refused", || match x86("uprobe").as_str() {
        "ENXIO" | "EPROTO" => "refused".into(),
        _ => refused(x86("uprobe")),
    };
    uretprobe_outside_a_trampoline: _ => "refused", || match x86("uretprobe").as_str() {
        "SIGILL" => "refused".into(),
        _ => refused(x86("uretprobe")),
    };
    every_refused_call_by_name: _ => "", || {
        let calls = REFUSED.iter().flat_map(|family| family.calls);
        let numbers = calls.filter_map(|name| Some((number(name)?, *name)));
        others("EPERM", numbers.map(|(number, name)| (name.to_owned(), raw(number.into(), WRONG))))
    };
    every_unknown_call_by_name: _ => "", || {
        let calls = UNKNOWN.iter().flat_map(|family| family.calls);
        let calls = calls.filter(|name| !UNASKED.contains(name));
        let numbers = calls.filter_map(|name| Some((number(name)?, *name)));
        others("ENOSYS", numbers.map(|(number, name)| (name.to_owned(), raw(number.into(), WRONG))))
    };
    every_dangerous_call, || {
        let unasked = UNASKED.map(number);
        let calls = dangerous::calls().filter(|nr| !unasked.contains(&Some(*nr)));
        others("refused", calls.map(|nr| (nr.to_string(), refused(raw(nr.into(), WRONG)))))
    };
    every_dangerous_argument, || {
        let calls = dangerous::arguments().into_iter();
        others("refused", calls.map(|(nr, args)| {
            (format!("{nr} {args:x?}"), refused(raw(nr.into(), args.map(|arg| arg as usize))))
        }))
    };
    every_number_without_a_call: _ => "", || {
        let known: Vec<u32> = sandbox::policy::syscalls::numbers().map(|(_, nr)| nr).collect();
        let free = (0..=600).filter(|nr| !known.contains(nr));
        others("ENOSYS", free.map(|nr| (nr.to_string(), raw(nr.into(), WRONG))))
    };
    // Emulated, a process for each of the calls takes its time.
    every_x32_number: _ => "" with ["--cpu-time", "none", "--wall-time", "none"], || {
        match cfg!(target_arch = "x86_64") {
            true => others("ENOSYS", (0..=600).map(|nr| (nr.to_string(), ask(0x4000_0000 | nr, [])))),
            false => String::new(),
        }
    };
}

/// A call that only x86_64 has; the others answer as for any unknown number.
fn x86(name: &str) -> String {
    number(name).map_or("ENOSYS".into(), |number| raw(number.into(), WRONG))
}

/// The three words of a refusal; which one is for the laws of the filter to say.
fn refused(answer: String) -> String {
    match answer.as_str() {
        "EPERM" | "ENOSYS" | "ENOTTY" => "refused".into(),
        _ => answer,
    }
}

/// Those that answered something else.
fn others(expected: &str, answers: impl Iterator<Item = (String, String)>) -> String {
    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for (call, answer) in answers {
        count += 1;
        if answer != expected {
            others.entry(answer).or_default().push(call);
        }
    }
    assert!(count > 5, "only {count} calls were made");
    let words = others
        .iter()
        .map(|(answer, calls)| format!("{answer}: {}", calls.join(", ")));
    words.collect::<Vec<_>>().join("; ")
}

/// Under every shipped policy, with a network too.
#[test]
fn dangerous_calls_are_refused_under_every_policy() {
    let loopback = &["--network", "loopback"][..];
    for options in [
        &[][..],
        &["--policy", "agent"],
        &["--policy", "compile"],
        loopback,
    ] {
        for check in ["every_dangerous_call", "every_dangerous_argument"] {
            // `compile` and `agent` show the directory they are started in.
            let answer = in_a_project(check, &[options, &PATIENT].concat());
            assert_eq!(answer.as_deref(), Ok(""), "{check} {options:?}");
        }
    }
}

fn in_a_project(check: &str, options: &[&str]) -> Result<String, String> {
    if !options.contains(&"compile") {
        return jailed(check, "", options);
    }
    let project = crate::support::Scratch::new();
    let mut command = crate::harness::inside(check, "", options);
    let output = crate::support::run(command.current_dir(project.path()));
    crate::harness::outcome(&output)
}
