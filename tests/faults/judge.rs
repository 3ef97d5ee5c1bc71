//! What a run with a fault may come to, and nothing else: refused, run with all layers, or an error that was said.
//! It must not look at timing, nor at numbers that differ from run to run.

use super::listener::Fault;
use super::roles::Role;
use super::run::Outcome;
use serde_json::Value;

/// The permitted ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Not executed, and why.
    Refused,
    /// As a healthy run, every layer in force, the record right.
    Ran,
    /// The front end failed while the program was being executed, or was running:
    /// it was killed, and why was said; the record is no complete one.
    Failed,
    /// The record says that the sandbox itself gave up, and everything was killed.
    Internal,
    /// The front end had no memory or no thread, where the C library or Rust end the
    /// process by themselves.
    Aborted,
    /// The call was not made this time.
    Missed,
}

/// Calls of the C library's own, by which it gets memory and starts threads: it ends
/// the process where some of these fail.
const LIBRARYS: [libc::c_long; 6] = [
    libc::SYS_futex,
    libc::SYS_rseq,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
];

/// What the kernel can really interrupt, so that nobody may learn of it: that it
/// failed with EINTR must make no difference.
const INTERRUPTED: [libc::c_long; 13] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_wait4,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
];

/// The end, or what is wrong with it. What a worker did not launch the front end may have:
/// there is more than one way to be healthy.
pub fn judge(outcome: &Outcome, healthy: &[Outcome], fault: &Fault) -> Result<End, String> {
    if !outcome.seen.gone {
        return Err("it hung, or left a process".to_owned());
    }
    let end = end(outcome, healthy, fault)?;
    let called = fault.call.number.into();
    if fault.errno == libc::EINTR && INTERRUPTED.contains(&called) && end != End::Ran {
        return Err(format!("{end:?} instead of trying again"));
    }
    match (outcome.seen.made, end) {
        (None, End::Ran) => Ok(End::Missed),
        (None, _) => Err(format!("{end:?} without a fault")),
        (Some(_), _) => Ok(end),
    }
}

fn end(outcome: &Outcome, healthy: &[Outcome], fault: &Fault) -> Result<End, String> {
    let record = record(outcome)?;
    let complete = record["complete"] == true;
    let of_healthy = healthy.iter().map(self::record);
    let of_healthy = of_healthy.collect::<Result<Vec<_>, _>>()?;
    let both = || healthy.iter().zip(&of_healthy);
    if complete && let Some((healthy, its)) = both().find(|(_, its)| facts(&record) == facts(its)) {
        let same = outcome.code == healthy.code
            && outcome.stdout == healthy.stdout
            && outcome.stderr == healthy.stderr
            && outcome.marked == healthy.marked
            && copies(&record) == copies(its);
        if same {
            return Ok(End::Ran);
        }
        // The last thing of all failed: the end or the place of the record.
        if fault.call.role == Role::Front && outcome.stdout == healthy.stdout {
            return said(outcome, &Value::Null).map(|()| End::Failed);
        }
        return Err("the record is right, the rest is not".to_owned());
    }
    let executed = outcome.seen.made == Some(true);
    let outside = matches!(fault.call.role, Role::Front | Role::Thread | Role::Worker);
    // Where a call of the front end or a worker fails while the program is about to be
    // executed, it may be before it is killed: with every layer, then.
    if !(executed || outside) && (outcome.marked || !outcome.stdout.is_empty()) {
        return Err("not a healthy run, and executed".to_owned());
    }
    if !both().any(|(healthy, _)| healthy.stdout.starts_with(&outcome.stdout)) {
        return Err("it printed what a healthy run does not".to_owned());
    }
    if complete {
        let internal = record["verdict"] == "internal" && outcome.code == 125;
        let whole = both().any(|(_, its)| layers(&record) == layers(its));
        return match internal && executed && whole {
            true => Ok(End::Internal),
            false => Err("the record is wrong".to_owned()),
        };
    }
    if outcome.code == 128 + libc::SIGABRT && LIBRARYS.contains(&fault.call.number.into()) {
        return Ok(End::Aborted);
    }
    said(outcome, &record)?;
    match outcome.marked || !outcome.stdout.is_empty() || executed {
        true => Ok(End::Failed),
        false => Ok(End::Refused),
    }
}

/// One sentence, an exit code of our own, and the record says the same or nothing.
fn said(outcome: &Outcome, record: &Value) -> Result<(), String> {
    if ![125, 126].contains(&outcome.code) {
        return Err(format!("exit code {}", outcome.code));
    }
    let mut lines = outcome.stderr.lines();
    let sentence = lines.next().and_then(|line| line.strip_prefix("sandbox: "));
    // Four blanks: the line of a policy that the sentence is about.
    let plain = |line: &str| {
        ["sandbox: ", "hint: ", "    "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let Some(sentence) = sentence.filter(|_| outcome.stderr.lines().all(plain)) else {
        return Err("no sentence".to_owned());
    };
    match record["error"].as_str() {
        Some(error) if !error.starts_with(sentence) => Err("another sentence".to_owned()),
        _ => Ok(()),
    }
}

/// The record; `null` where no file is.
fn record(outcome: &Outcome) -> Result<Value, String> {
    match outcome.report.as_deref() {
        None | Some("") => Ok(Value::Null),
        Some(text) => serde_json::from_str(text).map_err(|error| format!("record: {error}")),
    }
}

/// What must be the same in two records of the same run.
fn facts(record: &Value) -> Vec<Value> {
    [
        "version",
        "exit",
        "killed_by",
        "limits_hit",
        "stdout",
        "stderr",
        "layers",
        "weakened",
        "verdict",
    ]
    .iter()
    .map(|name| match *name {
        "layers" => layers(record),
        // How much more than the limit was seen depends on who is faster.
        "stdout" | "stderr" => [&record[*name]["bytes_kept"], &record[*name]["truncated"]]
            .map(Clone::clone)
            .to_vec()
            .into(),
        name => record[name].clone(),
    })
    .collect()
}

/// What was copied. Whether it changed meanwhile is `true` also where it cannot be known.
fn copies(record: &Value) -> Value {
    let mut files = record["files"].clone();
    for file in files.as_array_mut().into_iter().flatten() {
        file["changed"] = Value::Null;
    }
    files
}

/// The layers, without the host id, which is another one for every run by root, and without
/// whether the run was begun before it was wanted.
fn layers(record: &Value) -> Value {
    let mut layers = record["layers"].clone();
    for layer in layers.as_array_mut().into_iter().flatten() {
        let detail = layer["detail"].as_str().unwrap_or_default();
        let detail = detail.trim_end_matches("; stood by for its program");
        let words = detail.split(' ').map(|word| {
            let number = word.trim_end_matches([',', ';']).parse::<u32>();
            match number.is_ok_and(|number| number >= 2_000_000_000) {
                true => "ID",
                false => word,
            }
        });
        layer["detail"] = words.collect::<Vec<_>>().join(" ").into();
    }
    layers
}
