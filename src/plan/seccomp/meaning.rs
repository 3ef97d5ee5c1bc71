//! What a filter means, as data: per system call number, rules over arguments
//! and the answer otherwise.
//!
//! It knows nothing of instructions; the compiled program is tested against it.

use crate::bpf::Data;
use std::collections::BTreeMap;

/// The bit that marks a call of the x32 ABI (`__X32_SYSCALL_BIT`).
pub const X32_BIT: u32 = 0x4000_0000;

/// `AUDIT_ARCH_…` of this build: ELF machine, 64-bit, little endian.
pub const ARCH: u32 = {
    let machine = if cfg!(target_arch = "x86_64") {
        62
    } else {
        183
    };
    machine | 0xc000_0000
};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the system call filter knows x86_64 and aarch64 only");

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It is performed.
    Allow,
    /// It is not, and returns this errno (1 to 4095).
    Errno(i32),
    /// The process is killed with SIGSYS.
    Kill,
}

impl Answer {
    /// The value a filter returns for it.
    pub fn value(self) -> u32 {
        match self {
            Answer::Allow => libc::SECCOMP_RET_ALLOW,
            Answer::Errno(errno) => {
                libc::SECCOMP_RET_ERRNO | (errno as u32 & libc::SECCOMP_RET_DATA)
            }
            Answer::Kill => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }
}

/// The whole meaning of a filter.
///
/// A call made by another architecture's convention (`int 0x80` from a 64-bit
/// program) is [`Answer::Kill`]: its numbers mean other calls, and no program
/// for this architecture makes one by accident. A number in no list, which
/// takes in every x32 number, is ENOSYS, as on a kernel that lacks the call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meaning {
    /// By number; numbers not here are ENOSYS.
    pub calls: BTreeMap<u32, Call>,
}

/// What happens to one system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The first rule whose conditions all hold answers.
    pub rules: Vec<Rule>,
    /// The answer where no rule's do.
    pub otherwise: Answer,
}

/// An answer under conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// All must hold.
    pub when: Vec<Condition>,
    /// The answer.
    pub then: Answer,
}

/// A test of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Position, 0 to 5.
    pub arg: u8,
    /// How much of the register counts.
    pub width: Width,
    /// The test; its numbers are cut to the width.
    pub test: Test,
}

/// How much of an argument register the kernel reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// The low 32 bits: `int`, `unsigned int`, `umode_t`. A test of all 64 would
    /// let a caller set a high bit and pass (CVE-2019-10063).
    Low32,
    /// All of it: `unsigned long`, pointers.
    Whole,
}

/// A test of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Equal.
    Is(u64),
    /// Greater or equal.
    AtLeast(u64),
    /// Less or equal.
    AtMost(u64),
    /// These bits have this value.
    Bits {
        /// Which bits count.
        mask: u64,
        /// Their value; other bits of it are ignored.
        value: u64,
    },
}

impl Meaning {
    /// What happens to a call.
    pub fn answer(&self, data: &Data) -> Answer {
        if data.arch != ARCH {
            return Answer::Kill;
        }
        match self.calls.get(&data.nr) {
            Some(call) => call.answer(&data.args),
            None => Answer::Errno(libc::ENOSYS),
        }
    }
}

impl Call {
    /// The same answer whatever the arguments.
    pub fn always(answer: Answer) -> Call {
        Call {
            rules: Vec::new(),
            otherwise: answer,
        }
    }

    /// What happens with these arguments.
    pub fn answer(&self, args: &[u64; 6]) -> Answer {
        let holds = |rule: &&Rule| rule.when.iter().all(|c| c.holds(args));
        self.rules
            .iter()
            .find(holds)
            .map_or(self.otherwise, |r| r.then)
    }
}

impl Condition {
    /// A test of the low 32 bits of an argument.
    pub const fn low(arg: u8, test: Test) -> Condition {
        Condition {
            arg,
            width: Width::Low32,
            test,
        }
    }

    /// A test of a whole argument.
    pub const fn whole(arg: u8, test: Test) -> Condition {
        Condition {
            arg,
            width: Width::Whole,
            test,
        }
    }

    /// Does it hold? An argument that does not exist is 0.
    pub fn holds(&self, args: &[u64; 6]) -> bool {
        let cut = |value: u64| match self.width {
            Width::Low32 => value & u64::from(u32::MAX),
            Width::Whole => value,
        };
        let argument = cut(args.get(usize::from(self.arg)).copied().unwrap_or(0));
        match self.test {
            Test::Is(value) => argument == cut(value),
            Test::AtLeast(value) => argument >= cut(value),
            Test::AtMost(value) => argument <= cut(value),
            Test::Bits { mask, value } => argument & cut(mask) == cut(value) & cut(mask),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_bits_do_not_hide_a_low_value() {
        let is = Test::Is(0x5412);
        let args = [0, 0x1_0000_5412, 0, 0, 0, 0];
        assert!(Condition::low(1, is).holds(&args));
        assert!(!Condition::whole(1, is).holds(&args));
    }

    #[test]
    fn the_first_rule_that_holds_answers() {
        let rule = |test, then| Rule {
            when: vec![Condition::low(0, test)],
            then,
        };
        let call = Call {
            rules: vec![
                rule(Test::AtMost(3), Answer::Allow),
                rule(Test::AtLeast(2), Answer::Kill),
            ],
            otherwise: Answer::Errno(1),
        };
        let answer = |first| call.answer(&[first, 0, 0, 0, 0, 0]);
        assert_eq!(answer(2), Answer::Allow);
        assert_eq!(answer(4), Answer::Kill);
    }

    #[test]
    fn foreign_architectures_and_x32_numbers_are_closed() {
        let calls = BTreeMap::from([(0, Call::always(Answer::Allow))]);
        let meaning = Meaning { calls };
        let answer = |arch, nr| {
            meaning.answer(&Data {
                nr,
                arch,
                instruction_pointer: 0,
                args: [0; 6],
            })
        };
        assert_eq!(answer(ARCH, 0), Answer::Allow);
        assert_eq!(answer(ARCH, X32_BIT), Answer::Errno(libc::ENOSYS));
        assert_eq!(answer(0x4000_0003, 0), Answer::Kill);
    }
}
