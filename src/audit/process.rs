//! Questions to the process itself: who it is, what it holds, whom it reaches.

use super::outside::Baits;
use super::question::{Ask, Expect, Question};
use crate::escape::tick;
use crate::plan::Plan;
use crate::policy::{Network, Policy};
use std::os::fd::RawFd;

/// What a process under every policy answers to the questions of prctl(2): the
/// secure bits of the step `caps`, no_new_privs, and a filter.
const ATTRIBUTES: [&str; 3] = ["securebits 0xef", "no_new_privs 1", "seccomp 2"];

pub(super) fn questions(
    policy: &Policy,
    plan: &Plan,
    baits: &Baits,
    fds: &[RawFd],
) -> Vec<Question> {
    let mut questions = identity(plan);
    questions.extend(holds(policy, plan, fds));
    questions.extend(reaches(plan, baits));
    questions.extend(plan.limits.rlimits.iter().map(|limit| Question {
        subject: "resource limits",
        what: format!("{} at most {}", limit.name, limit.soft),
        ask: Ask::Limit(limit.resource),
        expect: Expect::AtMost(vec![limit.soft, limit.hard]),
    }));
    questions
}

fn identity(plan: &Plan) -> Vec<Question> {
    let subject = "privileges";
    let exactly = |texts: Vec<String>| Expect::Exactly(texts);
    let ids = vec![
        format!("uid {}", plan.ids.uid),
        format!("gid {}", plan.ids.gid),
    ];
    let attributes = ATTRIBUTES.map(String::from).to_vec();
    [
        ("user and group ids", Ask::Ids, exactly(ids)),
        (
            "no capability in any set",
            Ask::Capabilities,
            exactly(Vec::new()),
        ),
        (
            "secure bits, no_new_privs and a filter",
            Ask::Attributes,
            exactly(attributes),
        ),
    ]
    .map(|(what, ask, expect)| Question {
        subject,
        what: String::from(what),
        ask,
        expect,
    })
    .into()
}

/// Descriptors and variables.
fn holds(policy: &Policy, plan: &Plan, fds: &[RawFd]) -> Vec<Question> {
    let mut open: Vec<RawFd> = [0, 1, 2].iter().chain(fds).copied().collect();
    open.sort_unstable();
    open.dedup();
    let mut questions = vec![Question {
        subject: "descriptors",
        what: String::from("none but the standard streams and those passed on"),
        ask: Ask::Descriptors,
        expect: Expect::Among(open.iter().map(ToString::to_string).collect()),
    }];
    questions.extend(fds.iter().map(|fd| Question {
        subject: "descriptors",
        what: format!("descriptor {fd}"),
        ask: Ask::Nothing,
        expect: Expect::Granted(String::from("`--fd`")),
    }));
    let names = plan.env.iter().map(|(name, _)| name.display().to_string());
    questions.push(Question {
        subject: "variables",
        what: String::from("none but the policy's"),
        ask: Ask::Environment,
        expect: Expect::Among(names.collect()),
    });
    let passed = policy.process.pass_env.iter();
    let passed = passed.filter(|name| std::env::var_os(name).is_some());
    questions.extend(passed.map(|name| Question {
        subject: "variables",
        what: tick(name),
        ask: Ask::Nothing,
        expect: Expect::Granted(String::from("the caller's, by `pass-env`")),
    }));
    questions
}

/// Other processes, other programs' memory, other machines.
fn reaches(plan: &Plan, baits: &Baits) -> Vec<Question> {
    let question = |subject, what: &str, ask| Question {
        subject,
        what: String::from(what),
        ask,
        expect: Expect::Failure,
    };
    let mut questions = vec![
        question(
            "other processes",
            "a signal to the process that audits",
            Ask::Signal(std::process::id().cast_signed()),
        ),
        question("other processes", "a signal to pid 1", Ask::Signal(1)),
        Question {
            subject: "other processes",
            what: String::from("none in /proc but pid 1 and the program"),
            ask: Ask::Processes,
            expect: Expect::Among(vec![String::from("1"), String::from("2")]),
        },
        question(
            "other programs",
            "an abstract socket outside",
            Ask::Abstract(baits.name.clone()),
        ),
        match baits.segment() {
            Some(id) => question("other programs", "shared memory outside", Ask::Segment(id)),
            None => question("other programs", "shared memory outside", Ask::Nothing),
        },
    ];
    let network = |what: &str, ask, expect| Question {
        subject: "network",
        what: String::from(what),
        ask,
        expect,
    };
    let tcp = Ask::Tcp(baits.port);
    questions.push(match plan.network {
        Network::Host => network(
            "the host's network",
            tcp,
            Expect::Granted(String::from("`mode = \"host\"` in `[network]`")),
        ),
        _ => network("the host's loopback address", tcp, Expect::Failure),
    });
    questions
}
