//! Compiles a [`Meaning`] to classic BPF: architecture, then a balanced tree
//! over the numbers, then the rules of the call found.
//!
//! It decides nothing; what it makes is checked against the meaning.

use super::meaning::{ARCH, Answer, Call, Condition, Meaning, Rule, Test, Width};
use crate::bpf::code;
use seccompiler::{
    BpfProgram, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule, sock_filter,
};

/// Offsets in `struct seccomp_data`.
const NR: u32 = 0;
const AUDIT_ARCH: u32 = 4;

/// The program for a meaning.
///
/// `seccompiler` makes the rules of a call; it would compare the numbers one
/// after another, though, and knows one answer besides the default. When a
/// filter is attached the kernel runs it for every number to learn which calls
/// it need not be asked about (Linux 5.11), so that a chain costs as much as
/// numbers × calls; a tree costs numbers × log(calls).
///
/// # Errors
/// A sentence, when a rule names an argument beyond the sixth or has no condition.
pub(super) fn compile(meaning: &Meaning) -> Result<Vec<sock_filter>, seccompiler::BackendError> {
    let mut program = vec![
        instruction(code::LD_W_ABS, AUDIT_ARCH),
        jump(code::JEQ, ARCH, 1, 0),
        instruction(code::RET_K, Answer::Kill.value()),
        instruction(code::LD_W_ABS, NR),
    ];
    let unknown = Call::always(Answer::Errno(libc::ENOSYS));
    program.extend(tree(&runs(meaning, &unknown))?);
    Ok(program)
}

/// A first number and what happens to it and those after it, up to the next run.
type Run<'a> = (u32, &'a Call);

/// The numbers from 0 to the last, as runs of the same answer.
fn runs<'a>(meaning: &'a Meaning, unknown: &'a Call) -> Vec<Run<'a>> {
    let mut starts = vec![(0, unknown)];
    for (number, call) in &meaning.calls {
        starts.push((*number, call));
        if let Some(next) = number.checked_add(1) {
            starts.push((next, unknown));
        }
    }
    let mut runs: Vec<Run> = Vec::with_capacity(starts.len());
    for (from, call) in starts {
        // What starts at the same number replaces what was assumed there.
        if runs.last().is_some_and(|(start, _)| *start == from) {
            runs.pop();
        }
        if runs.last().is_none_or(|(_, last)| *last != call) {
            runs.push((from, call));
        }
    }
    runs
}

/// Halves the runs until one is left. Every way ends in a return.
fn tree(runs: &[Run<'_>]) -> Result<Vec<sock_filter>, seccompiler::BackendError> {
    let (low, high) = match runs {
        [] => return Ok(vec![instruction(code::RET_K, Answer::Kill.value())]),
        [(_, call)] => return leaf(call),
        _ => runs.split_at(runs.len() / 2),
    };
    let pivot = high[0].0;
    let (low, high) = (tree(low)?, tree(high)?);
    // A conditional jump reaches 255 instructions; an unconditional one any.
    let mut program = match u8::try_from(low.len()) {
        Ok(distance) => vec![jump(code::JGE, pivot, distance, 0)],
        Err(_) => vec![
            jump(code::JGE, pivot, 0, 1),
            instruction(code::JA, low.len() as u32),
        ],
    };
    program.extend(low);
    program.extend(high);
    Ok(program)
}

/// The rules of one call, in order, and the answer otherwise.
fn leaf(call: &Call) -> Result<Vec<sock_filter>, seccompiler::BackendError> {
    let mut program = Vec::new();
    for rule in &call.rules {
        // A rule of seccompiler runs into the instruction after it where its
        // conditions hold, and skips that one where they do not.
        program.extend(BpfProgram::from(conditions(rule)?));
        program.push(instruction(code::RET_K, rule.then.value()));
    }
    program.push(instruction(code::RET_K, call.otherwise.value()));
    Ok(program)
}

fn conditions(rule: &Rule) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(rule.when.iter().map(condition).collect::<Result<_, _>>()?)
}

fn condition(condition: &Condition) -> Result<SeccompCondition, seccompiler::BackendError> {
    let length = match condition.width {
        Width::Low32 => SeccompCmpArgLen::Dword,
        Width::Whole => SeccompCmpArgLen::Qword,
    };
    let (operator, value) = match condition.test {
        Test::Is(value) => (SeccompCmpOp::Eq, value),
        Test::AtLeast(value) => (SeccompCmpOp::Ge, value),
        Test::AtMost(value) => (SeccompCmpOp::Le, value),
        Test::Bits { mask, value } => (SeccompCmpOp::MaskedEq(mask), value),
    };
    SeccompCondition::new(condition.arg, length, operator, value)
}

fn instruction(code: u16, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn always(numbers: &[u32]) -> Meaning {
        let allow = |n: &u32| (*n, Call::always(Answer::Allow));
        let calls: BTreeMap<_, _> = numbers.iter().map(allow).collect();
        Meaning { calls }
    }

    fn starts(numbers: &[u32]) -> Vec<u32> {
        let unknown = Call::always(Answer::Errno(libc::ENOSYS));
        runs(&always(numbers), &unknown)
            .iter()
            .map(|(from, _)| *from)
            .collect()
    }

    #[test]
    fn consecutive_numbers_are_one_run() {
        assert_eq!(starts(&[]), [0]);
        assert_eq!(starts(&[0, 1, 2, 5]), [0, 3, 5, 6]);
        assert_eq!(starts(&[3, 4]), [0, 3, 5]);
        assert_eq!(starts(&[0, u32::MAX]), [0, 1, u32::MAX]);
    }

    #[test]
    fn an_unknown_call_named_at_zero_joins_its_neighbours() {
        let unknown = Call::always(Answer::Errno(libc::ENOSYS));
        let calls = BTreeMap::from([(0, unknown.clone()), (7, unknown.clone())]);
        assert_eq!(runs(&Meaning { calls }, &unknown).len(), 1);
    }

    #[test]
    fn a_rule_without_conditions_is_refused() {
        let mut meaning = always(&[1]);
        let then = Answer::Allow;
        let rule = Rule { when: vec![], then };
        meaning.calls.get_mut(&1).unwrap().rules.push(rule);
        assert!(compile(&meaning).is_err());
    }
}
