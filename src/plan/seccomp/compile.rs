//! Compiles calls and their rules to classic BPF: architecture, then a balanced
//! tree over the numbers, then the rules of the call found.
//!
//! It decides nothing; what it makes is checked against the meaning.

use super::meaning::{ARCH, Answer, Call, Condition, Test, Width};
use crate::bpf::code;
use seccompiler::sock_filter;

/// Offsets in `struct seccomp_data`.
const NR: u32 = 0;
const AUDIT_ARCH: u32 = 4;
const ARGS: u32 = 16;

/// What happens to a number in no list.
static UNKNOWN: Call = Call {
    rules: Vec::new(),
    otherwise: Answer::Errno(libc::ENOSYS),
};

/// The program for calls in the order of their numbers.
///
/// When a filter is attached the kernel runs it for every number to learn which
/// calls it need not be asked about (Linux 5.11): a chain over the numbers would
/// cost numbers × calls, a tree costs numbers × log(calls). Every instruction
/// costs too, for the kernel translates each of them: answers are shared, and
/// rules that look at the same word of the arguments load it once.
///
/// # Errors
/// A sentence, when a rule names an argument beyond the sixth or has no condition.
pub(super) fn compile<'c>(
    calls: impl Iterator<Item = (u32, &'c Call)>,
) -> Result<Vec<sock_filter>, &'static str> {
    let mut code = Code {
        backwards: Vec::with_capacity(512),
        returns: Vec::new(),
    };
    let root = code.tree(&runs(calls))?;
    code.load(Word::whole(NR), root);
    code.push(code::RET_K, Answer::Kill.value());
    code.jump(code::JEQ, ARCH, 1, 0);
    code.push(code::LD_W_ABS, AUDIT_ARCH);
    code.backwards.reverse();
    Ok(code.backwards)
}

/// How many instructions of a program are about calls of other architectures.
const FOREIGN: usize = 3;

/// The program in the form in which a listener is told of the calls that kill, and
/// then kills: it learns which call it was. `None` where no call kills. Calls of
/// other architectures still kill by themselves, and only the process that made them:
/// programs try whether such calls work, in a child.
pub(super) fn listening(program: &[sock_filter]) -> Option<Vec<sock_filter>> {
    let kills = |at: usize, code: u16, k: u32| {
        at >= FOREIGN && code == code::RET_K && k == Answer::Kill.value()
    };
    let told = program.iter().enumerate().map(|(at, op)| match op {
        op if kills(at, op.code, op.k) => sock_filter {
            k: libc::SECCOMP_RET_USER_NOTIF,
            ..op.clone()
        },
        op => op.clone(),
    });
    let any = program.iter().enumerate();
    any.clone()
        .any(|(at, op)| kills(at, op.code, op.k))
        .then(|| told.collect())
}

/// A first number and what happens to it and those after it, up to the next run.
type Run<'a> = (u32, &'a Call);

/// The numbers from 0 to the last, as runs of the same answer.
fn runs<'a>(calls: impl Iterator<Item = (u32, &'a Call)>) -> Vec<Run<'a>> {
    let mut runs: Vec<Run> = Vec::with_capacity(512);
    let mut begin = |from: u32, call: &'a Call| {
        if runs.last().is_none_or(|(_, last)| !same(last, call)) {
            runs.push((from, call));
        }
    };
    // The first number of which nothing is said yet.
    let mut next = Some(0);
    for (number, call) in calls {
        if let Some(next) = next
            && next < number
        {
            begin(next, &UNKNOWN);
        }
        begin(number, call);
        next = number.checked_add(1);
    }
    if let Some(next) = next {
        begin(next, &UNKNOWN);
    }
    runs
}

/// Most have no rules.
fn same(one: &Call, other: &Call) -> bool {
    one.otherwise == other.otherwise
        && one.rules.len() == other.rules.len()
        && (one.rules.is_empty() || one.rules == other.rules)
}

/// Where a way through the program goes on.
#[derive(Clone, Copy)]
enum Target {
    /// At this instruction, counted from the end.
    At(usize),
    /// At any return of this value.
    Return(u32),
}

/// A program written from its end, so that where a jump leads is known when it
/// is written.
struct Code {
    backwards: Vec<sock_filter>,
    /// The latest return of each value: the value and its place.
    returns: Vec<(u32, usize)>,
}

impl Code {
    fn push(&mut self, code: u16, k: u32) {
        self.jump(code, k, 0, 0);
    }

    fn jump(&mut self, code: u16, k: u32, jt: u8, jf: u8) {
        self.backwards.push(sock_filter { code, jt, jf, k });
    }

    /// Instructions that a jump written next would skip to get there.
    fn distance(&self, at: usize) -> usize {
        self.backwards.len() - at - 1
    }

    /// A place not further than `most` from an instruction written next. A
    /// conditional jump reaches 255 instructions; an unconditional one any.
    fn near(&mut self, target: Target, most: usize) -> usize {
        match target {
            Target::At(at) if self.distance(at) <= most => return at,
            Target::At(at) => {
                let distance = self.distance(at) as u32; // a program is short
                self.push(code::JA, distance);
            }
            Target::Return(value) => {
                let known = self.returns.iter().position(|(known, _)| *known == value);
                if let Some(known) = known {
                    let at = self.returns[known].1;
                    if self.distance(at) <= most {
                        return at;
                    }
                    self.returns.swap_remove(known);
                }
                self.returns.push((value, self.backwards.len()));
                self.push(code::RET_K, value);
            }
        }
        self.backwards.len() - 1
    }

    /// What is written next runs into the target.
    fn goto(&mut self, target: Target) {
        self.near(target, 0);
    }

    /// A conditional jump to one of two targets.
    fn branch(&mut self, code: u16, k: u32, yes: Target, no: Target) -> Target {
        // The second may need one instruction, which the first then skips.
        let yes = self.near(yes, usize::from(u8::MAX) - 1);
        let no = self.near(no, usize::from(u8::MAX));
        let (jt, jf) = (self.distance(yes) as u8, self.distance(no) as u8);
        self.jump(code, k, jt, jf);
        self.here()
    }

    /// The instruction written last.
    fn here(&self) -> Target {
        Target::At(self.backwards.len() - 1)
    }

    /// Halves the runs until one is left. Every way ends in a return.
    fn tree(&mut self, runs: &[Run<'_>]) -> Result<Target, &'static str> {
        match runs {
            [] => Ok(Target::Return(Answer::Kill.value())),
            [(_, call)] => self.leaf(call),
            // One number among others of the same answer.
            [(_, around), (number, one), (next, after)]
                if number.checked_add(1) == Some(*next) && same(around, after) =>
            {
                let (around, one) = (self.leaf(around)?, self.leaf(one)?);
                Ok(self.branch(code::JEQ, *number, one, around))
            }
            _ => {
                let (low, high) = runs.split_at(runs.len() / 2);
                let pivot = high[0].0;
                let (high, low) = (self.tree(high)?, self.tree(low)?);
                Ok(self.branch(code::JGE, pivot, high, low))
            }
        }
    }

    /// The rules of one call, in order, and the answer otherwise.
    fn leaf(&mut self, call: &Call) -> Result<Target, &'static str> {
        let mut next = Target::Return(call.otherwise.value());
        let mut rules = call.rules.as_slice();
        while let Some((last, before)) = rules.split_last() {
            let word = common_word(&last.when)?;
            let mut alike = before.len();
            if word.is_some() {
                while alike > 0 && common_word(&rules[alike - 1].when)? == word {
                    alike -= 1;
                }
            }
            for rule in rules[alike..].iter().rev() {
                let mut then = Target::Return(rule.then.value());
                for condition in rule.when.iter().rev() {
                    then = match word {
                        Some(_) => self.compare(condition.test, then, next),
                        None => self.condition(condition, then, next)?,
                    };
                }
                next = then;
            }
            if let Some(word) = word {
                next = self.load(word, next);
            }
            rules = &rules[..alike];
        }
        Ok(next)
    }

    /// A condition with the loads it needs.
    fn condition(
        &mut self,
        condition: &Condition,
        then: Target,
        next: Target,
    ) -> Result<Target, &'static str> {
        if let Some(word) = word(condition)? {
            let compared = self.compare(condition.test, then, next);
            return Ok(self.load(word, compared));
        }
        let low = offset(condition)?;
        let (low, high) = (Word::whole(low), Word::whole(low + 4));
        let halves = |value: u64| (value as u32, (value >> 32) as u32);
        Ok(match condition.test {
            Test::Is(value) => {
                let (of_low, of_high) = halves(value);
                let then = self.branch(code::JEQ, of_low, then, next);
                let then = self.load(low, then);
                let then = self.branch(code::JEQ, of_high, then, next);
                self.load(high, then)
            }
            Test::AtLeast(value) => {
                let (of_low, of_high) = halves(value);
                let same = self.branch(code::JGE, of_low, then, next);
                let same = self.load(low, same);
                let less = self.branch(code::JEQ, of_high, same, next);
                let start = self.branch(code::JGT, of_high, then, less);
                self.load(high, start)
            }
            Test::AtMost(value) => {
                let (of_low, of_high) = halves(value);
                let same = self.branch(code::JGT, of_low, next, then);
                let same = self.load(low, same);
                let less = self.branch(code::JEQ, of_high, same, then);
                let start = self.branch(code::JGT, of_high, next, less);
                self.load(high, start)
            }
            Test::Bits { mask, value } => {
                let (low_mask, high_mask) = halves(mask);
                let (of_low, of_high) = halves(value & mask);
                let then = self.compare(Test::Is(of_low.into()), then, next);
                let then = self.load(
                    Word {
                        mask: low_mask,
                        ..low
                    },
                    then,
                );
                let then = self.compare(Test::Is(of_high.into()), then, next);
                self.load(
                    Word {
                        mask: high_mask,
                        ..high
                    },
                    then,
                )
            }
        })
    }

    /// A test of the word that is loaded, cut to 32 bits.
    fn compare(&mut self, test: Test, then: Target, next: Target) -> Target {
        match test {
            Test::Is(value) => self.branch(code::JEQ, value as u32, then, next),
            Test::AtLeast(value) => self.branch(code::JGE, value as u32, then, next),
            Test::AtMost(value) => self.branch(code::JGT, value as u32, next, then),
            Test::Bits { mask, value } => match (value & mask) as u32 {
                0 => self.branch(code::JSET, mask as u32, next, then),
                // What is loaded is masked.
                value => self.branch(code::JEQ, value, then, next),
            },
        }
    }

    /// Loads a word and goes on.
    fn load(&mut self, word: Word, then: Target) -> Target {
        self.goto(then);
        if word.mask != u32::MAX {
            self.push(code::AND, word.mask);
        }
        self.push(code::LD_W_ABS, word.offset);
        self.here()
    }
}

/// 32 bits of `struct seccomp_data`, or some of them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word {
    offset: u32,
    mask: u32,
}

impl Word {
    fn whole(offset: u32) -> Word {
        let mask = u32::MAX;
        Word { offset, mask }
    }
}

/// The one word that all of these conditions look at, if it is one.
fn common_word(conditions: &[Condition]) -> Result<Option<Word>, &'static str> {
    let (first, others) = conditions.split_first().ok_or("a rule has no condition")?;
    let first = word(first)?;
    for other in others {
        if word(other)? != first {
            return Ok(None);
        }
    }
    Ok(first)
}

/// The word a condition looks at; `None` when it takes both halves.
fn word(condition: &Condition) -> Result<Option<Word>, &'static str> {
    let offset = offset(condition)?;
    Ok(match (condition.width, condition.test) {
        (Width::Whole, _) => None,
        // Tested bit by bit where all are 0, so that the word stays as it is.
        (Width::Low32, Test::Bits { mask, value }) if (value & mask) as u32 != 0 => {
            let mask = mask as u32;
            Some(Word { offset, mask })
        }
        (Width::Low32, _) => Some(Word::whole(offset)),
    })
}

/// Where the low half of the argument lies (both architectures are little endian).
fn offset(condition: &Condition) -> Result<u32, &'static str> {
    match condition.arg {
        arg @ 0..=5 => Ok(ARGS + 8 * u32::from(arg)),
        _ => Err("a rule names an argument beyond the sixth"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::meaning::Rule;
    use super::*;

    fn starts(numbers: &[u32]) -> Vec<u32> {
        let allow = Call::always(Answer::Allow);
        runs(numbers.iter().map(|number| (*number, &allow)))
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
        assert_eq!(runs([(0, &UNKNOWN), (7, &UNKNOWN)].into_iter()).len(), 1);
    }

    #[test]
    fn a_rule_without_conditions_or_argument_is_refused() {
        let seventh = Condition::low(6, Test::Is(0));
        for when in [
            vec![],
            vec![seventh],
            vec![Condition::low(0, Test::Is(0)), seventh],
        ] {
            let mut call = Call::always(Answer::Kill);
            let then = Answer::Allow;
            call.rules.push(Rule { when, then });
            assert!(compile([(1, &call)].into_iter()).is_err());
        }
    }

    /// More code between a jump and its target than it can skip.
    #[test]
    fn far_targets_are_reached() {
        let rule = |value| Rule {
            when: vec![Condition::low(0, Test::Is(value))],
            then: Answer::Errno(1 + value as i32 % 3),
        };
        let long = Call {
            rules: (0..700).map(rule).collect(),
            otherwise: Answer::Kill,
        };
        let calls: Vec<(u32, &Call)> = (0..5).map(|number| (number * 2, &long)).collect();
        let program = compile(calls.into_iter()).unwrap();
        let checked = crate::bpf::Checked::new(&program).unwrap();
        for (nr, first) in (0..11).flat_map(|nr| [0, 1, 350, 699, 700].map(|first| (nr, first))) {
            let answer = match (nr < 9 && nr % 2 == 0, first) {
                (false, _) => UNKNOWN.otherwise,
                (true, 700) => Answer::Kill,
                (true, _) => Answer::Errno(1 + first as i32 % 3),
            };
            let data = crate::bpf::Data {
                nr,
                arch: ARCH,
                instruction_pointer: 0,
                args: [first, 0, 0, 0, 0, 0],
            };
            assert_eq!(checked.run(&data).value, answer.value(), "{nr} {first}");
        }
    }
}
