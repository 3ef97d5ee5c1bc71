//! What the laws of the system call filter draw: policies, calls, rules, programs.
//!
//! Draws near the numbers that matter; it judges nothing.

use proptest::prelude::*;
use sandbox::bpf::{Data, code};
use sandbox::plan::seccomp::{
    ARCH, Answer, Call, Condition, Meaning, Rule, Test, Width, X32_BIT, meaning,
};
use sandbox::policy::{Network, Syscalls, syscalls};
use seccompiler::sock_filter;

/// Every mode.
pub fn network() -> impl Strategy<Value = Network> {
    prop_oneof![
        Just(Network::None),
        Just(Network::Loopback),
        Just(Network::Host)
    ]
}

/// Any name or group that a policy may allow.
pub fn allowable() -> impl Strategy<Value = String> {
    let groups: Vec<String> = syscalls::GROUPS.iter().map(|g| g.name.into()).collect();
    let members = syscalls::GROUPS.iter().flat_map(|g| g.members());
    let members: Vec<String> = members.map(String::from).collect();
    prop_oneof![
        Just("@default".to_owned()),
        prop::sample::select(groups),
        prop::sample::select(members),
    ]
}

/// Any name or group at all.
pub fn word() -> impl Strategy<Value = String> {
    let never = syscalls::REFUSED.iter().chain(syscalls::UNKNOWN);
    let never: Vec<String> = never.flat_map(|f| f.calls).map(|c| c.to_string()).collect();
    prop_oneof![3 => allowable(), 1 => prop::sample::select(never)]
}

/// A policy that can be expanded; it need not be able to start a program.
pub fn policy() -> impl Strategy<Value = Syscalls> {
    let allow = prop::collection::vec(allowable(), 0..12);
    let deny = prop::collection::vec(word(), 0..4);
    let kill = prop::collection::vec(word(), 0..4);
    (allow, deny, kill).prop_map(|(allow, deny, kill)| Syscalls { allow, deny, kill })
}

/// A number: known ones, those with argument conditions more often, x32 ones,
/// others.
fn number() -> impl Strategy<Value = u32> {
    let known: Vec<u32> = syscalls::numbers().map(|(_, n)| n).collect();
    let calls = all().calls.into_iter();
    let conditioned = calls.filter(|(_, call)| !call.rules.is_empty());
    let conditioned: Vec<u32> = conditioned.map(|(number, _)| number).collect();
    let x32 = prop::sample::select(known.clone()).prop_map(|n| n | X32_BIT);
    prop_oneof![
        4 => prop::sample::select(conditioned),
        4 => prop::sample::select(known),
        1 => x32,
        1 => 0u32..1024,
        1 => any::<u32>(),
    ]
}

fn arch() -> impl Strategy<Value = u32> {
    prop_oneof![12 => Just(ARCH), 1 => Just(0x4000_0003), 1 => any::<u32>()]
}

/// An argument: numbers the rules speak of, their neighbours, with bits flipped
/// and high halves set.
fn argument() -> impl Strategy<Value = u64> {
    let spoken = spoken();
    let select = || prop::sample::select(spoken.clone());
    let near = (select(), -1i64..=1).prop_map(|(v, offset)| v.wrapping_add_signed(offset));
    let flipped = (select(), 0..64u32).prop_map(|(v, bit)| v ^ (1 << bit));
    prop_oneof![
        4 => select(),
        2 => near,
        2 => flipped,
        1 => Just(0),
        1 => any::<u64>(),
    ]
}

/// Every number in a condition of the widest policy.
fn spoken() -> Vec<u64> {
    let rules = all().calls.into_values().flat_map(|call| call.rules);
    let conditions = rules.flat_map(|rule| rule.when);
    let mut values: Vec<u64> = conditions
        .flat_map(|condition| match condition.test {
            Test::Is(v) | Test::AtLeast(v) | Test::AtMost(v) => vec![v],
            Test::Bits { mask, value } => vec![value, mask],
        })
        .collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// The meaning of the policy that allows everything that can be allowed.
fn all() -> Meaning {
    let groups = syscalls::GROUPS.iter().map(|g| g.name.into()).collect();
    let policy = Syscalls {
        allow: groups,
        ..Syscalls::default()
    };
    meaning(&policy, Network::Host, true).unwrap()
}

/// A call.
pub fn data() -> impl Strategy<Value = Data> {
    let args = prop::array::uniform6(argument());
    (number(), arch(), any::<u64>(), args).prop_map(|(nr, arch, instruction_pointer, args)| Data {
        nr,
        arch,
        instruction_pointer,
        args,
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Allow),
        Just(Answer::Kill),
        (1..4096i32).prop_map(Answer::Errno),
    ]
}

/// A small number in one half, so that random conditions are met now and then,
/// or any.
pub fn operand() -> impl Strategy<Value = u64> {
    prop_oneof![0..4u64, (0..4u64).prop_map(|v| v << 32), any::<u64>()]
}

fn condition() -> impl Strategy<Value = Condition> {
    let test = prop_oneof![
        operand().prop_map(Test::Is),
        operand().prop_map(Test::AtLeast),
        operand().prop_map(Test::AtMost),
        (operand(), operand()).prop_map(|(mask, value)| Test::Bits { mask, value }),
    ];
    let width = prop_oneof![Just(Width::Low32), Just(Width::Whole)];
    (0..6u8, width, test).prop_map(|(arg, width, test)| Condition { arg, width, test })
}

/// Any rules.
pub fn call() -> impl Strategy<Value = Call> {
    let when = prop::collection::vec(condition(), 1..4);
    let rule = (when, answer()).prop_map(|(when, then)| Rule { when, then });
    let rules = prop::collection::vec(rule, 0..5);
    (rules, answer()).prop_map(|(rules, otherwise)| Call { rules, otherwise })
}

/// Codes that a filter may hold.
#[rustfmt::skip]
const CODES: &[u16] = &[
    code::LD_W_ABS, code::LD_W_LEN, code::LDX_W_LEN, code::LD_IMM, code::LDX_IMM, code::LD_MEM,
    code::LDX_MEM, code::ST, code::STX, code::TAX, code::TXA, code::NEG, code::ADD, code::SUB,
    code::MUL, code::DIV, code::AND, code::OR, code::XOR, code::LSH, code::RSH, code::JEQ,
    code::JGT, code::JGE, code::JSET, code::JA, code::RET_K, code::RET_A,
];

/// An instruction, most often one that a filter may hold.
fn instruction() -> impl Strategy<Value = sock_filter> {
    let known = || prop::sample::select(CODES);
    let code = prop_oneof![
        8 => known(),
        2 => known().prop_map(|code| code | code::X),
        1 => 0..0x100u16,
        1 => any::<u16>(),
    ];
    let k = prop_oneof![8 => 0..8u32, 4 => (0..18u32).prop_map(|n| n * 4), 1 => any::<u32>()];
    let distance = || prop_oneof![8 => 0..3u8, 1 => any::<u8>()];
    (code, distance(), distance(), k).prop_map(|(code, jt, jf, k)| sock_filter { code, jt, jf, k })
}

/// Random instructions, most often with a return at the end, so that a good part
/// is acceptable.
pub fn soup() -> impl Strategy<Value = Vec<sock_filter>> {
    let body = prop::collection::vec(instruction(), 1..10);
    (body, 0..8u8).prop_map(|(mut program, end)| {
        if end > 0 {
            program.push(ret(0));
        }
        program
    })
}

/// A return of a constant.
pub fn ret(k: u32) -> sock_filter {
    let (code, jt, jf) = (code::RET_K, 0, 0);
    sock_filter { code, jt, jf, k }
}
