//! `[syscalls]` → the system call filter: meaning, program, and the words for it.
//!
//! Allow-lists only: a call that no word of the policy allows is ENOSYS, so that
//! new programs fall back, and one that is known and refused is EPERM. It looks
//! at no machine and installs nothing.

mod compile;
mod conditions;
mod ioctl;
mod meaning;

pub use meaning::{ARCH, Answer, Call, Condition, Meaning, Rule, Test, Width, X32_BIT};

use super::{Refusal, Seccomp};
use crate::bpf::{Checked, Data};
use crate::policy::syscalls::{self, Standing};
use crate::policy::{Network, Syscalls};
use conditions::{Conditional, REFUSE, conditions};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The filter for `[syscalls]`.
///
/// `tty` says that the program gets a terminal of its own.
///
/// # Errors
/// A word that names no call and no group; a call in `allow` that no policy can
/// allow; a filter under which the launcher could not start the program.
pub fn resolve(syscalls: &Syscalls, network: Network, tty: bool) -> Result<Seccomp, Refusal> {
    let (meaning, summary) = Fates::of(syscalls)?.describe(network, tty);
    let program = compile(&meaning)?;
    prove_startable(&program)?;
    Ok(Seccomp { program, summary })
}

/// What the filter for `[syscalls]` means, for those who check it.
///
/// # Errors
/// As [`resolve`], but for the last.
pub fn meaning(syscalls: &Syscalls, network: Network, tty: bool) -> Result<Meaning, Refusal> {
    Ok(Fates::of(syscalls)?.describe(network, tty).0)
}

/// The program of a meaning, accepted by the kernel's rules.
///
/// # Errors
/// A program longer than the kernel takes, or rules that cannot be compiled.
pub fn compile(meaning: &Meaning) -> Result<Vec<seccompiler::sock_filter>, Refusal> {
    let refuse = |why: String| {
        Refusal::new(format!(
            "cannot compile the policy's system call filter: {why}"
        ))
    };
    let program = compile::compile(meaning).map_err(|e| refuse(e.to_string()))?;
    Checked::new(&program).map_err(|e| refuse(e.to_string()))?;
    Ok(program)
}

/// What the launcher still calls once the filter is loaded: to start the program,
/// or else to say why it could not and end.
const STARTING: [&str; 4] = ["execve", "write", "close", "exit_group"];

/// Runs the program's answers for [`STARTING`]; whatever the arguments, each must
/// be allowed.
fn prove_startable(program: &[seccompiler::sock_filter]) -> Result<(), Refusal> {
    let checked = Checked::new(program).map_err(|e| Refusal::new(e.to_string()))?;
    for name in STARTING {
        let allowed = |nr: u32, fill: u64| {
            let data = Data {
                nr,
                arch: ARCH,
                instruction_pointer: 0,
                args: [fill; 6],
            };
            checked.run(&data).value == Answer::Allow.value()
        };
        let number = syscalls::number(name);
        if !number.is_some_and(|nr| allowed(nr, 0) && allowed(nr, u64::MAX)) {
            let message = format!(
                "the policy's filter does not allow `{name}`, which starting the program needs"
            );
            let hint = "`[syscalls] allow` is usually [\"@default\"]; see also `deny` and `kill`";
            return Err(Refusal::new(message).hint(hint));
        }
    }
    Ok(())
}

/// What the lists of a policy make of a call; the greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Allow,
    Refuse,
    Kill,
}

/// The fate of each call that has one, by number; the others stay unknown.
struct Fates(Vec<Option<Fate>>);

impl Fates {
    fn of(policy: &Syscalls) -> Result<Fates, Refusal> {
        for name in &policy.allow {
            allowable(name)?;
        }
        let mut fates = Fates(Vec::with_capacity(512));
        for name in syscalls::REFUSED.iter().flat_map(|family| family.calls) {
            fates.put(name, Fate::Refuse);
        }
        for (key, words, fate) in [
            ("allow", &policy.allow, Fate::Allow),
            ("deny", &policy.deny, Fate::Refuse),
            ("kill", &policy.kill, Fate::Kill),
        ] {
            for word in words {
                for name in expand(key, word)? {
                    fates.put(name, fate);
                }
            }
        }
        Ok(fates)
    }

    /// A call that this architecture lacks has no fate.
    fn put(&mut self, name: &str, fate: Fate) {
        let Some(number) = syscalls::number(name) else {
            return;
        };
        let at = number as usize; // a known number is below 512
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        self.0[at] = self.0[at].max(Some(fate));
    }

    /// The meaning, and the words for it.
    fn describe(&self, network: Network, tty: bool) -> (Meaning, Vec<String>) {
        let mut calls = Vec::with_capacity(512);
        let mut lines: [Vec<Cow<str>>; 4] = Default::default();
        let [allow, conditional, refuse, kill] = &mut lines;
        for (name, number) in syscalls::numbers() {
            let call = match self.0.get(number as usize).copied().flatten() {
                None => continue,
                Some(Fate::Kill) => {
                    kill.push(name.into());
                    Call::always(Answer::Kill)
                }
                Some(Fate::Refuse) => {
                    refuse.push(name.into());
                    Call::always(REFUSE)
                }
                Some(Fate::Allow) => match conditions(name, network, tty) {
                    Some(Conditional { call, words }) => {
                        conditional.push(format!("{name} ({words})").into());
                        call
                    }
                    None => {
                        allow.push(name.into());
                        Call::always(Answer::Allow)
                    }
                },
            };
            calls.push((number, call));
        }
        let heads = ["allow", "conditions", "errno EPERM", "kill"];
        let mut summary = Vec::new();
        for (head, mut texts) in heads.into_iter().zip(lines) {
            texts.sort(); // of a few sorted runs: the stable sort is quick at those
            if !texts.is_empty() {
                summary.push(format!("{head}: {}", texts.join(", ")));
            }
        }
        summary.push("errno ENOSYS: every other number, and every x32 number".into());
        summary.push("kill: every call by another architecture's convention".into());
        let calls = BTreeMap::from_iter(calls);
        (Meaning { calls }, summary)
    }
}

/// Refuses a word of `allow` that no policy can allow.
fn allowable(name: &str) -> Result<(), Refusal> {
    let (reason, answer) = match syscalls::standing(name) {
        Some(Standing::Refused { reason }) => (reason, "EPERM"),
        Some(Standing::Unknown { reason }) => (reason, "ENOSYS"),
        Some(Standing::Allowable { .. }) | None => return Ok(()),
    };
    let message = format!("`[syscalls] allow` names `{name}`, which no policy can allow: {reason}");
    let hint = format!("remove it from `allow`; it answers {answer}");
    Err(Refusal::new(message).hint(hint))
}

/// The calls of a word under `[syscalls] key`.
fn expand(key: &str, word: &str) -> Result<Vec<&'static str>, Refusal> {
    syscalls::expand(word).map_err(|unknown| {
        let kind = match word.starts_with('@') {
            true => "group of system calls",
            false => "system call",
        };
        // Escaped, for it is printed as it came.
        let word = word.escape_debug();
        let refusal = Refusal::new(format!("`[syscalls] {key}` names no {kind}: `{word}`"));
        match unknown.suggestion {
            Some(near) => refusal.hint(format!("did you mean `{near}`?")),
            None => refusal,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &[&str], deny: &[&str], kill: &[&str]) -> Syscalls {
        let own = |words: &[&str]| words.iter().map(|w| w.to_string()).collect();
        Syscalls {
            allow: own(allow),
            deny: own(deny),
            kill: own(kill),
        }
    }

    fn answer(policy: &Syscalls, name: &str) -> Answer {
        let meaning = meaning(policy, Network::None, false).unwrap();
        meaning.answer(&Data {
            nr: syscalls::number(name).unwrap(),
            arch: ARCH,
            instruction_pointer: 0,
            args: [0; 6],
        })
    }

    #[test]
    fn kill_beats_deny_beats_allow() {
        let all = policy(
            &["@default"],
            &["@sched", "getcpu", "ptrace"],
            &["getcpu", "bpf"],
        );
        assert_eq!(answer(&all, "read"), Answer::Allow);
        assert_eq!(answer(&all, "sched_yield"), REFUSE);
        assert_eq!(answer(&all, "getcpu"), Answer::Kill);
        assert_eq!(answer(&all, "ptrace"), REFUSE);
        assert_eq!(answer(&all, "bpf"), Answer::Kill);
        assert_eq!(answer(&all, "clone3"), Answer::Errno(libc::ENOSYS));
        assert_eq!(answer(&all, "io_submit"), Answer::Errno(libc::ENOSYS));
    }

    #[test]
    fn refused_calls_are_refused_in_every_policy() {
        for allow in [
            vec!["@default"],
            vec!["@default", "@aio"],
            vec!["@io", "@process"],
        ] {
            let policy = policy(&allow, &[], &[]);
            for name in syscalls::REFUSED.iter().flat_map(|f| f.calls) {
                if syscalls::number(name).is_some() {
                    assert_eq!(answer(&policy, name), REFUSE, "{name}");
                }
            }
        }
    }

    #[test]
    fn what_no_policy_can_allow_is_refused_with_the_reason() {
        let refusal = |allow: &[&str]| {
            let refused = resolve(&policy(allow, &[], &[]), Network::None, false);
            refused.unwrap_err().to_string()
        };
        assert_eq!(
            refusal(&["@default", "keyctl"]),
            "`[syscalls] allow` names `keyctl`, which no policy can allow: keyrings are not \
             namespaced as the rest is, and are shared by uid\n\
             hint: remove it from `allow`; it answers EPERM"
        );
        assert!(refusal(&["clone3"]).ends_with("it answers ENOSYS"));
        assert_eq!(
            refusal(&["@defualt"]),
            "`[syscalls] allow` names no group of system calls: `@defualt`\n\
             hint: did you mean `@default`?"
        );
        assert!(refusal(&["a\x1b[2Jb"]).contains("`a\\u{1b}[2Jb`"));
    }

    #[test]
    fn a_filter_that_could_not_start_the_program_is_refused() {
        for (bad, name) in [
            (policy(&[], &[], &[]), "execve"),
            (policy(&["@default"], &["execve"], &[]), "execve"),
            (policy(&["@default"], &[], &["write"]), "write"),
            (policy(&["@process"], &[], &[]), "write"),
        ] {
            let refusal = resolve(&bad, Network::None, false).unwrap_err();
            assert_eq!(refusal.exit_code, 125);
            let expected = format!(
                "the policy's filter does not allow `{name}`, which starting the program needs"
            );
            assert_eq!(refusal.message, expected);
        }
        assert!(
            resolve(
                &policy(&["@io", "@process"], &[], &[]),
                Network::None,
                false
            )
            .is_ok()
        );
    }

    #[test]
    fn the_summary_is_stable_and_grouped() {
        let policy = policy(
            &["execve", "write", "close", "exit_group", "clone"],
            &[],
            &["bpf"],
        );
        let summary = resolve(&policy, Network::None, false).unwrap().summary;
        assert_eq!(summary[0], "allow: close, execve, exit_group, write");
        assert_eq!(summary[1], "conditions: clone (no namespace flags)");
        assert!(summary[2].starts_with("errno EPERM: acct, add_key, adjtimex, chroot, "));
        assert_eq!(summary[3], "kill: bpf");
        assert_eq!(summary.len(), 6);
    }

    /// The kernel runs the filter once per number when it is attached: the way to
    /// an answer must be short. 3 instructions lead to the tree and 1 out of it.
    #[test]
    fn the_program_is_small_and_the_tree_shallow() {
        for network in [Network::None, Network::Host] {
            let default = policy(&["@default"], &[], &[]);
            let program = resolve(&default, network, true).unwrap().program;
            let meaning = meaning(&default, network, true).unwrap();
            let checked = Checked::new(&program).unwrap();
            let unconditional = |nr: &u32| {
                let call = meaning.calls.get(nr);
                call.is_none_or(|call| call.rules.is_empty())
            };
            let numbers = (0..600).chain([X32_BIT, X32_BIT | 1, u32::MAX]);
            let steps = numbers.filter(unconditional).map(|nr| {
                let data = Data {
                    nr,
                    arch: ARCH,
                    instruction_pointer: 0,
                    args: [0; 6],
                };
                checked.run(&data).steps
            });
            let deepest = steps.max().unwrap() - 4;
            println!(
                "{network:?}: {} instructions, depth {deepest}",
                program.len()
            );
            assert!(program.len() <= 900, "{} instructions", program.len());
            assert!(deepest <= 12, "depth {deepest}");
        }
    }
}
