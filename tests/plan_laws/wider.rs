//! What it means that one plan is wider than another, layer by layer.
//!
//! It must look at what will be done, never at the policy that asked for it.

use crate::mounts_host::Tree;
use crate::mounts_host::draw::all_paths;
use crate::mounts_host::naive::Seen;
use crate::mounts_host::paper::Paper;
use proptest::prelude::*;
use sandbox::bpf::{Checked, Data};
use sandbox::plan::seccomp::{ARCH, Answer, X32_BIT};
use sandbox::plan::{Landlock, Plan};
use sandbox::policy::{Cap, Network};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

// landlock.h
const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// Fails where `after` lets the program do what `before` does not.
pub fn no_wider(
    before: &Plan,
    after: &Plan,
    tree: &Tree,
    calls: &[Data],
) -> Result<(), TestCaseError> {
    files(before, after, tree)?;
    filter(before, after, calls)?;
    limits(before, after)?;
    let wide = |network| match network {
        Network::None => 0,
        Network::Loopback => 1,
        Network::Host => 2,
    };
    prop_assert!(wide(after.network) <= wide(before.network));
    let tokens = |plan: &Plan| plan.weakened.iter().map(|(token, _)| *token).collect();
    let (then, now): (Vec<_>, Vec<_>) = (tokens(before), tokens(after));
    prop_assert!(now.iter().all(|token| then.contains(token)), "{:?}", now);
    let (then, now) = (&before.attributes, &after.attributes);
    prop_assert!(now.mdwe >= then.mdwe && now.core_scheduling >= then.core_scheduling);
    prop_assert!((0..2).all(|which| now.speculation[which] >= then.speculation[which]));
    let names = |plan: &Plan| plan.env.iter().map(|(name, _)| name.clone()).collect();
    let (then, now): (Vec<_>, Vec<_>) = (names(before), names(after));
    prop_assert!(now.iter().all(|name| then.contains(name)), "{:?}", now);
    prop_assert_eq!(before.ids, after.ids);
    prop_assert_eq!(before.tty, after.tty);
    Ok(())
}

fn files(before: &Plan, after: &Plan, tree: &Tree) -> Result<(), TestCaseError> {
    let (then, now) = (
        Paper::after(&before.mounts, tree),
        Paper::after(&after.mounts, tree),
    );
    let mut places: Vec<PathBuf> = all_paths("/h", 4);
    places.extend(all_paths("/i", 4));
    places.extend(after.mounts.ops.iter().map(|op| op.at().to_owned()));
    for at in &places {
        // A link may lead elsewhere than before, and a rule is of what it leads to.
        let ((place, wide), (moved, narrow)) = (then.arrive(at), now.arrive(at));
        // A directory of our own that leads to a hidden name in a tmpfs: the
        // program could have made it itself, by whatever links it is seen.
        let made = now.own(&moved) && matches!(narrow, Seen::Directory { .. });
        let could = moved
            .ancestors()
            .any(|above| then.own(above) && then.at(above) == Seen::Directory { write: true });
        prop_assert!(
            contains(wide, narrow) || (made && could),
            "{}: {:?}, then {:?}",
            at.display(),
            wide,
            narrow
        );
        if contains(wide, narrow) {
            landlock(before, after, [&place, &moved], narrow)?;
        }
    }
    Ok(())
}

fn contains(wide: Seen, narrow: Seen) -> bool {
    match (wide, narrow) {
        (_, Seen::Nothing) => true,
        (Seen::Passage | Seen::Directory { .. }, Seen::Passage) => true,
        (Seen::Directory { write: wide }, Seen::Directory { write: narrow }) => wide >= narrow,
        (
            Seen::File { write, execute },
            Seen::File {
                write: writes,
                execute: executes,
            },
        ) => write >= writes && execute >= executes,
        _ => false,
    }
}

/// The second engine, at the places where a path ends before and after.
fn landlock(
    before: &Plan,
    after: &Plan,
    [place, moved]: [&Path; 2],
    seen: Seen,
) -> Result<(), TestCaseError> {
    let (Some(before), after) = (&before.landlock, &after.landlock) else {
        return Ok(());
    };
    let Some(after) = after else {
        return Err(TestCaseError::fail("no Landlock any more"));
    };
    prop_assert_eq!(after.handled_fs, before.handled_fs);
    prop_assert_eq!(before.handled_net & !after.handled_net, 0);
    prop_assert_eq!(before.scoped & !after.scoped, 0);
    // What means something there: a rule may be shared by all that lies below.
    let meant = match seen {
        Seen::Nothing => 0,
        Seen::Passage => READ_DIR,
        Seen::Directory { write: false } => READ_DIR,
        Seen::Directory { write: true } => !(READ_FILE | WRITE_FILE | EXECUTE | IOCTL_DEV),
        Seen::File { .. } => READ_FILE | WRITE_FILE | EXECUTE | TRUNCATE,
    };
    let granted = |landlock: &Landlock, at: &Path| {
        let around = landlock
            .rules
            .iter()
            .filter(|(path, _)| at.starts_with(path));
        around.fold(0, |sum, (_, rights)| sum | rights) & meant
    };
    let more = granted(after, moved) & !granted(before, place);
    prop_assert_eq!(more, 0, "{}: {:#x} more", moved.display(), more);
    Ok(())
}

/// More is wider.
fn width(value: u32) -> u8 {
    if value == Answer::Allow.value() {
        return 2;
    }
    u8::from(value != Answer::Kill.value())
}

fn filter(before: &Plan, after: &Plan, calls: &[Data]) -> Result<(), TestCaseError> {
    let then = Checked::new(&before.seccomp.program).unwrap();
    let now = Checked::new(&after.seccomp.program).unwrap();
    let plain = |nr: u32, fill: u64| Data {
        nr,
        arch: ARCH,
        instruction_pointer: 0,
        args: [fill; 6],
    };
    let every = (0..480).chain([X32_BIT, u32::MAX]);
    let every = every.flat_map(|nr| [plain(nr, 0), plain(nr, u64::MAX)]);
    for data in every.chain(calls.iter().copied()) {
        let (wide, narrow) = (then.run(&data).value, now.run(&data).value);
        prop_assert!(width(narrow) <= width(wide), "{:?}", data);
    }
    Ok(())
}

fn limits(before: &Plan, after: &Plan) -> Result<(), TestCaseError> {
    let by_resource = |plan: &Plan| -> BTreeMap<u32, (u64, u64)> {
        let limits = plan.limits.rlimits.iter();
        limits
            .map(|limit| (limit.resource, (limit.soft, limit.hard)))
            .collect()
    };
    let (then, now) = (by_resource(before), by_resource(after));
    for (resource, (soft, hard)) in &then {
        let Some((less, least)) = now.get(resource) else {
            return Err(TestCaseError::fail(format!("no limit {resource} any more")));
        };
        prop_assert!(less <= soft && least <= hard, "limit {}", resource);
    }
    let time = |limit: Option<Duration>| limit.unwrap_or(Duration::MAX);
    prop_assert!(time(after.limits.wall_time) <= time(before.limits.wall_time));
    prop_assert!(time(after.limits.cpu_time) <= time(before.limits.cpu_time));
    let bytes = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let memory = |plan: &Plan| plan.limits.memory.map(|(most, _)| most);
    prop_assert!(bytes(memory(after)) <= bytes(memory(before)));
    let processes = |plan: &Plan| plan.limits.processes.map(|(most, _)| most);
    prop_assert!(bytes(processes(after)) <= bytes(processes(before)));
    let (then, now) = (&before.limits.shares, &after.limits.shares);
    prop_assert!(bytes(now.cpu_max) <= bytes(then.cpu_max));
    // The kernel's own is 100.
    prop_assert!(now.cpu_weight.unwrap_or(100) <= then.cpu_weight.unwrap_or(100));
    for (disk, then) in &then.io_max {
        let Some(now) = now.io_max.get(disk) else {
            return Err(TestCaseError::fail(format!(
                "no io-max of {disk:?} any more"
            )));
        };
        prop_assert!(bytes(now.read_bytes) <= bytes(then.read_bytes));
        prop_assert!(bytes(now.write_bytes) <= bytes(then.write_bytes));
        prop_assert!(bytes(now.reads) <= bytes(then.reads));
        prop_assert!(bytes(now.writes) <= bytes(then.writes));
    }
    let caps = |plan: &Plan| [plan.limits.output, plan.limits.stdout, plan.limits.stderr];
    for (now, then) in caps(after).into_iter().zip(caps(before)) {
        let most = |cap: Option<Cap>| bytes(cap.map(|cap| cap.most));
        prop_assert!(most(now) <= most(then));
        // Without a limit nothing is ever past it.
        if let (Some(now), Some(then)) = (now, then) {
            prop_assert!(now.full <= then.full);
        }
    }
    Ok(())
}
