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
use crate::policy::syscalls::{self, Numbers, Standing};
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
    let answers = Answers {
        fates: Fates::of(syscalls)?,
        network,
        tty,
    };
    let calls = answers.calls();
    let program = compile::compile(calls.iter().map(|(number, call)| (*number, call)));
    let program = program.map_err(|why| uncompiled(&why))?;
    let checked = Checked::new(&program).map_err(|why| uncompiled(&why))?;
    prove_startable(&checked)?;
    Ok(Seccomp {
        listening: compile::listening(&program),
        program,
        answers,
    })
}

/// What the filter for `[syscalls]` means, for those who check it.
///
/// # Errors
/// As [`resolve`], but for the last.
pub fn meaning(syscalls: &Syscalls, network: Network, tty: bool) -> Result<Meaning, Refusal> {
    let answers = Answers {
        fates: Fates::of(syscalls)?,
        network,
        tty,
    };
    let calls = BTreeMap::from_iter(answers.calls());
    Ok(Meaning { calls })
}

/// The program of a meaning, accepted by the kernel's rules.
///
/// # Errors
/// A program longer than the kernel takes, or rules that cannot be compiled.
pub fn compile(meaning: &Meaning) -> Result<Vec<seccompiler::sock_filter>, Refusal> {
    let calls = meaning.calls.iter().map(|(number, call)| (*number, call));
    let program = compile::compile(calls).map_err(|why| uncompiled(&why))?;
    Checked::new(&program).map_err(|why| uncompiled(&why))?;
    Ok(program)
}

fn uncompiled(why: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(format!(
        "cannot compile the policy's system call filter: {why}"
    ))
}

/// What the launcher still calls once the filter is loaded: to start the program,
/// or else to say why it could not and end.
const STARTING: [&str; 4] = ["execve", "write", "close", "exit_group"];

/// Runs the program's answers for [`STARTING`]; whatever the arguments, each must
/// be allowed.
fn prove_startable(checked: &Checked<'_>) -> Result<(), Refusal> {
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

/// What the lists of a policy make of a call.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Allow,
    Refuse,
    Kill,
}

/// The calls of each fate; a call in more than one has the greatest, the others
/// stay unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Fates {
    allow: Numbers,
    refuse: Numbers,
    kill: Numbers,
}

impl Fates {
    fn of(policy: &Syscalls) -> Result<Fates, Refusal> {
        for name in &policy.allow {
            allowable(name)?;
        }
        Ok(Fates {
            allow: numbers("allow", &policy.allow, Numbers::NONE)?,
            refuse: numbers("deny", &policy.deny, *syscalls::refused())?,
            kill: numbers("kill", &policy.kill, Numbers::NONE)?,
        })
    }

    fn get(&self, number: u32) -> Option<Fate> {
        if self.kill.contains(number) {
            Some(Fate::Kill)
        } else if self.refuse.contains(number) {
            Some(Fate::Refuse)
        } else if self.allow.contains(number) {
            Some(Fate::Allow)
        } else {
            None
        }
    }
}

/// What a filter answers; the default knows no call. The text is made only where
/// somebody reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    fates: Fates,
    network: Network,
    tty: bool,
}

impl Answers {
    /// Every call that has a fate, in the order of the numbers.
    fn calls(&self) -> Vec<(u32, Call)> {
        let mut calls = Vec::with_capacity(512);
        for (name, number) in syscalls::in_order() {
            let call = match self.fates.get(number) {
                None => continue,
                Some(Fate::Kill) => Call::always(Answer::Kill),
                Some(Fate::Refuse) => Call::always(REFUSE),
                // No second list of the calls with conditions: one that lacked a
                // name would allow that call with any arguments.
                Some(Fate::Allow) => conditions(name, self.network, self.tty)
                    .map_or(Call::always(Answer::Allow), |conditional| conditional.call),
            };
            calls.push((number, call));
        }
        calls
    }

    /// One line per group of system calls with the same answer, stable order.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: [Vec<Cow<str>>; 4] = Default::default();
        let [allow, conditional, refuse, kill] = &mut lines;
        for (name, number) in syscalls::numbers() {
            match self.fates.get(number) {
                None => {}
                Some(Fate::Kill) => kill.push(name.into()),
                Some(Fate::Refuse) => refuse.push(name.into()),
                Some(Fate::Allow) => match conditions(name, self.network, self.tty) {
                    Some(Conditional { words, .. }) => {
                        conditional.push(format!("{name} ({words})").into());
                    }
                    None => allow.push(name.into()),
                },
            }
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
        summary
    }
}

/// The calls of the words under `[syscalls] key`, and `others`.
fn numbers(key: &str, words: &[String], others: Numbers) -> Result<Numbers, Refusal> {
    words
        .iter()
        .try_fold(others, |calls, word| Ok(calls.and(&expand(key, word)?)))
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
fn expand(key: &str, word: &str) -> Result<Numbers, Refusal> {
    syscalls::expand_numbers(word).map_err(|unknown| {
        let kind = match word.starts_with('@') {
            true => "group of system calls",
            false => "system call",
        };
        // Escaped, for it is printed as it came.
        let word = crate::escape::tick(word);
        let refusal = Refusal::new(format!("`[syscalls] {key}` names no {kind}: {word}"));
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
    fn a_listener_is_told_of_what_kills_and_of_nothing_else() {
        let resolve = |kill: &[&str]| {
            let policy = policy(&["@default"], &["getcpu"], kill);
            super::resolve(&policy, Network::None, false).unwrap()
        };
        assert_eq!(resolve(&[]).listening, None);
        let plan = resolve(&["sched_yield", "@xattr"]);
        let listening = plan.listening.unwrap();
        let mut told = 0;
        for nr in (0..512).chain([0x4000_0000, u32::MAX]) {
            for arch in [ARCH, 0x4000_0003] {
                let data = Data {
                    nr,
                    arch,
                    instruction_pointer: 0,
                    args: [1; 6],
                };
                let by_itself = crate::bpf::evaluate(&plan.program, &data).unwrap();
                let answer = crate::bpf::evaluate(&listening, &data).unwrap();
                match (by_itself, arch) {
                    (libc::SECCOMP_RET_KILL_PROCESS, ARCH) => {
                        assert_eq!(answer, libc::SECCOMP_RET_USER_NOTIF);
                        told += 1;
                    }
                    (other, _) => assert_eq!(answer, other, "{nr} {arch:x}"),
                }
            }
        }
        assert!(told > 4, "{told}");
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
        assert!(refusal(&["a\x1b[2Jb"]).contains("`a\\x1b[2Jb`"));
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
        let summary = resolve(&policy, Network::None, false).unwrap();
        let summary = summary.answers.lines();
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
            assert!(program.len() <= 450, "{} instructions", program.len());
            assert!(deepest <= 12, "depth {deepest}");
        }
    }
}
