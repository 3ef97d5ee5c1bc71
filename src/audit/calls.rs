//! Questions to the system call filter: what no policy allows, what this one
//! refuses, and what is no call of this architecture.

use super::dangers;
use super::question::{Ask, Expect, Question};
use crate::bpf::Data;
use crate::plan::Refusal;
use crate::plan::seccomp::{ARCH, Answer, Meaning, X32_BIT, meaning};
use crate::policy::{Network, Policy, syscalls};
use std::collections::{BTreeMap, BTreeSet};

/// Arguments that every call that looks at its arguments refuses.
const NONSENSE: [u64; 6] = [u64::MAX; 6];

/// Calls that do not come back to the one who asks, should the filter let them through.
const NO_RETURN: [&str; 6] = [
    "exit",
    "exit_group",
    "pause",
    "restart_syscall",
    "rt_sigreturn",
    "sigreturn",
];

/// Calls about which no filter is asked since Linux 6.14; the kernel lets only its
/// own trampolines make them, and fails or kills everybody else.
const UNFILTERED: [&str; 2] = ["uprobe", "uretprobe"];

/// Numbers that no call has.
const NO_CALL: [u32; 4] = [999, 5_000, 0x3fff_ffff, u32::MAX];

pub(super) fn questions(policy: &Policy) -> Result<Vec<Question>, Refusal> {
    let meaning = meaning(&policy.syscalls, policy.network, false)?;
    let names: BTreeMap<u32, &str> = syscalls::numbers()
        .map(|(name, number)| (number, name))
        .collect();
    let mut questions = dangerous(policy, &names);
    questions.extend(refused(&meaning, &names));
    questions.extend(foreign());
    Ok(questions)
}

/// Never allowed; not looked up in the policy.
fn dangerous(policy: &Policy, names: &BTreeMap<u32, &str>) -> Vec<Question> {
    let whole = dangers::calls().map(|number| (number, NONSENSE));
    let mut calls: Vec<(u32, [u64; 6])> = whole.chain(dangers::arguments()).collect();
    if policy.network == Network::None {
        calls.extend(dangers::networks());
    }
    let question = |(number, args)| Question {
        subject: "system calls that reach beyond the program",
        what: shown(names, number, args),
        ask: Ask::Call(number, args),
        expect: match names.get(&number) {
            Some(name) if UNFILTERED.contains(name) => Expect::Failure,
            _ => Expect::Never,
        },
    };
    calls.into_iter().map(question).collect()
}

/// What this policy refuses, answered as it says.
fn refused(meaning: &Meaning, names: &BTreeMap<u32, &str>) -> Vec<Question> {
    let asked: BTreeSet<u32> = dangers::calls().collect();
    let mut questions = Vec::new();
    let mut allowed = 0;
    for (number, name) in names {
        let answer = meaning.answer(&Data {
            nr: *number,
            arch: ARCH,
            instruction_pointer: 0,
            args: NONSENSE,
        });
        let expect = match answer {
            // Of some of these the filter refuses other arguments.
            Answer::Allow => {
                allowed += 1;
                continue;
            }
            Answer::Errno(errno) => Expect::Errno(errno),
            Answer::Kill => Expect::Death,
        };
        if asked.contains(number) {
            continue;
        }
        questions.push(Question {
            subject: "system calls that this policy refuses",
            what: String::from(*name),
            ask: match NO_RETURN.contains(name) {
                true => Ask::Nothing,
                false => Ask::Call(*number, NONSENSE),
            },
            expect,
        });
    }
    questions.push(Question {
        subject: "system calls that this policy allows",
        what: format!("{allowed} system calls"),
        ask: Ask::Nothing,
        expect: Expect::Granted(String::from("`sandbox plan` lists them")),
    });
    questions
}

/// Numbers without a call, the x32 ABI, and the way of 32-bit programs.
fn foreign() -> Vec<Question> {
    let subject = "calls by another convention, and numbers without a call";
    let unknown = Expect::Errno(libc::ENOSYS);
    let call = |number, what| Question {
        subject,
        what,
        ask: Ask::Call(number, NONSENSE),
        expect: unknown.clone(),
    };
    let mut questions: Vec<Question> = NO_CALL
        .iter()
        .map(|number| call(*number, format!("number {number}")))
        .collect();
    for name in ["read", "openat", "mount", "ptrace", "socket"] {
        if let Some(number) = syscalls::number(name) {
            questions.push(call(number | X32_BIT, format!("{name} (x32)")));
        }
    }
    questions.push(Question {
        subject,
        what: String::from("getpid by `int 0x80`"),
        ask: Ask::ForeignCall,
        expect: Expect::Death,
    });
    questions
}

/// `socket(2, 3)`: trailing zeros and nonsense left out.
fn shown(names: &BTreeMap<u32, &str>, number: u32, args: [u64; 6]) -> String {
    let name = match names.get(&number) {
        Some(name) => String::from(*name),
        None => format!("number {number}"),
    };
    if args == NONSENSE {
        return name;
    }
    let last = args
        .iter()
        .rposition(|arg| *arg != 0)
        .map_or(0, |at| at + 1);
    let args: Vec<String> = args[..last].iter().map(|arg| format!("{arg:#x}")).collect();
    format!("{name}({})", args.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Context, Policy};

    fn asked(policy: &str) -> Vec<Question> {
        let text = format!("version = 1\nextends = [\"strict\"]\n{policy}");
        questions(&Policy::parse(&text, "x", &Context::default()).unwrap()).unwrap()
    }

    #[test]
    fn every_call_is_asked_or_granted() {
        let questions = asked("");
        let whats: BTreeSet<&str> = questions.iter().map(|q| q.what.as_str()).collect();
        for name in [
            "mount",
            "keyctl",
            "io_uring_setup",
            "clone(0x10000000)",
            "socket(0x26, 0x3)",
        ] {
            assert!(whats.contains(name), "{name}");
        }
        assert!(!whats.contains("read"));
        let total = syscalls::numbers().count();
        let granted = questions
            .iter()
            .find(|q| q.what.ends_with(" system calls"))
            .unwrap();
        let allowed: usize = granted.what.split(' ').next().unwrap().parse().unwrap();
        let single = questions
            .iter()
            .filter(|q| !q.what.contains(['(', ' ']))
            .count();
        // Some dangers are numbers without a name in the table.
        assert!(allowed + single >= total, "{allowed} + {single} of {total}");
    }

    #[test]
    fn the_policys_own_words_decide_what_it_refuses() {
        let find = |policy: &str, what: &str| {
            let questions = asked(policy);
            questions
                .into_iter()
                .find(|q| q.what == what)
                .map(|q| q.expect)
        };
        assert_eq!(find("", "sched_yield"), None);
        let deny = "[syscalls]\ndeny = [\"sched_yield\"]";
        assert_eq!(find(deny, "sched_yield"), Some(Expect::Errno(libc::EPERM)));
        let kill = "[syscalls]\nkill = [\"sched_yield\"]";
        assert_eq!(find(kill, "sched_yield"), Some(Expect::Death));
    }

    #[test]
    fn what_does_not_return_is_not_tried() {
        let questions = asked("[syscalls]\ndeny = [\"pause\"]");
        let pause = questions.iter().find(|q| q.what == "pause").unwrap();
        assert_eq!(pause.ask, Ask::Nothing);
        for question in &questions {
            if let Ask::Call(number, _) = question.ask {
                for name in NO_RETURN {
                    assert_ne!(syscalls::number(name), Some(number), "{name}");
                }
            }
        }
    }
}
