//! Accepts the programs that the kernel accepts as seccomp filters.
//!
//! The rules are those of `bpf_check_classic` and `check_load_and_stores` in
//! net/core/filter.c and of `seccomp_check_filter` in kernel/seccomp.c. It runs
//! nothing and repairs nothing.

use super::{DATA_SIZE, code};
use seccompiler::sock_filter;

/// BPF_MAXINSNS: the most instructions of one program.
pub const MAX_LENGTH: usize = 4096;

/// Why the kernel would refuse a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid {
    /// Position of the offending instruction.
    pub at: usize,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No instructions, or more than [`MAX_LENGTH`].
    Length,
    /// The code is none that a seccomp filter may use.
    Code,
    /// A load outside `struct seccomp_data`, or between its words.
    Offset,
    /// A jump to behind the last instruction.
    Jump,
    /// A division by the constant 0.
    Division,
    /// A shift by 32 or more.
    Shift,
    /// A memory slot that does not exist.
    Slot,
    /// A memory slot read that some way to it has not written.
    Unwritten,
    /// The last instruction does not return.
    End,
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = match self.why {
            Why::Length => "the program is empty or longer than 4096 instructions",
            Why::Code => "the code is not one that a seccomp filter may use",
            Why::Offset => "the load is not of a word of seccomp_data",
            Why::Jump => "the jump leads behind the end",
            Why::Division => "it divides by 0",
            Why::Shift => "it shifts by 32 or more",
            Why::Slot => "the memory slot does not exist",
            Why::Unwritten => "the memory slot may not have been written",
            Why::End => "the last instruction does not return",
        };
        write!(f, "instruction {}: {why}", self.at)
    }
}

impl std::error::Error for Invalid {}

/// Refuses what the kernel would answer with EINVAL.
pub(super) fn check(program: &[sock_filter]) -> Result<(), Invalid> {
    if program.is_empty() || program.len() > MAX_LENGTH {
        let why = Why::Length;
        return Err(Invalid { at: 0, why });
    }
    for (at, instruction) in program.iter().enumerate() {
        let after = program.len() - at - 1;
        one(instruction, after).map_err(|why| Invalid { at, why })?;
    }
    let at = program.len() - 1;
    if !matches!(program[at].code, code::RET_K | code::RET_A) {
        let why = Why::End;
        return Err(Invalid { at, why });
    }
    memory(program)
}

/// One instruction by itself; `after` instructions follow it.
fn one(i: &sock_filter, after: usize) -> Result<(), Why> {
    let require = |holds: bool, why: Why| if holds { Ok(()) } else { Err(why) };
    match i.code {
        code::LD_W_ABS => require(i.k.is_multiple_of(4) && i.k < DATA_SIZE, Why::Offset),
        code::LD_MEM | code::LDX_MEM | code::ST | code::STX => require(i.k < 16, Why::Slot),
        code::JA => require((i.k as usize) < after, Why::Jump),
        code::DIV => require(i.k != 0, Why::Division),
        code::LSH | code::RSH => require(i.k < 32, Why::Shift),
        code::LD_W_LEN | code::LDX_W_LEN | code::LD_IMM | code::LDX_IMM => Ok(()),
        code::RET_K | code::RET_A | code::TAX | code::TXA | code::NEG => Ok(()),
        _ => match i.code & !code::X {
            code::JEQ | code::JGT | code::JGE | code::JSET => {
                require(usize::from(i.jt.max(i.jf)) < after, Why::Jump)
            }
            code::ADD | code::SUB | code::MUL | code::DIV | code::AND => Ok(()),
            code::OR | code::XOR | code::LSH | code::RSH => Ok(()),
            _ => Err(Why::Code),
        },
    }
}

/// Every memory slot read has been written on every way that leads there; jumps
/// have been checked. As in the kernel, a return does not end a way.
fn memory(program: &[sock_filter]) -> Result<(), Invalid> {
    let mut written_at = vec![u16::MAX; program.len()];
    let mut written = 0u16;
    for (at, i) in program.iter().enumerate() {
        written &= written_at[at];
        let slot = 1u16 << (i.k & 15);
        let mut reach = |target: usize| written_at[target] &= written;
        match i.code {
            code::ST | code::STX => written |= slot,
            code::LD_MEM | code::LDX_MEM if written & slot == 0 => {
                let why = Why::Unwritten;
                return Err(Invalid { at, why });
            }
            code::JA => {
                reach(at + 1 + i.k as usize);
                written = u16::MAX;
            }
            _ if is_conditional_jump(i.code) => {
                reach(at + 1 + usize::from(i.jt));
                reach(at + 1 + usize::from(i.jf));
                written = u16::MAX;
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_conditional_jump(instruction: u16) -> bool {
    matches!(
        instruction & !code::X,
        code::JEQ | code::JGT | code::JGE | code::JSET
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(code: u16, k: u32) -> sock_filter {
        sock_filter {
            code,
            jt: 0,
            jf: 0,
            k,
        }
    }

    fn refused(program: &[sock_filter]) -> (usize, Why) {
        let invalid = check(program).unwrap_err();
        (invalid.at, invalid.why)
    }

    #[test]
    fn refuses_what_the_kernel_refuses() {
        let ret = || op(code::RET_K, 0);
        assert_eq!(refused(&[]), (0, Why::Length));
        let nops = |n| {
            let mut program = vec![op(code::LD_IMM, 0); n - 1];
            program.push(ret());
            program
        };
        assert_eq!(refused(&nops(MAX_LENGTH + 1)), (0, Why::Length));
        assert_eq!(check(&nops(MAX_LENGTH)), Ok(()));
        let first = |i: sock_filter| refused(&[i, ret()]);
        assert_eq!(first(op(code::LD_W_ABS, 64)), (0, Why::Offset));
        assert_eq!(first(op(code::LD_W_ABS, 2)), (0, Why::Offset));
        assert_eq!(first(op(code::LD_W_ABS, u32::MAX)), (0, Why::Offset));
        assert_eq!(first(op(code::JA, 1)), (0, Why::Jump));
        assert_eq!(first(op(code::JA, u32::MAX)), (0, Why::Jump));
        for (jt, jf) in [(1, 0), (0, 1), (255, 255)] {
            for code in [code::JEQ, code::JSET | code::X] {
                let jump = sock_filter { code, jt, jf, k: 0 };
                assert_eq!(first(jump), (0, Why::Jump));
            }
        }
        assert_eq!(first(op(code::DIV, 0)), (0, Why::Division));
        assert_eq!(first(op(code::LSH, 32)), (0, Why::Shift));
        assert_eq!(first(op(code::RSH, 32)), (0, Why::Shift));
        assert_eq!(first(op(code::ST, 16)), (0, Why::Slot));
        assert_eq!(first(op(code::LD_MEM, 0)), (0, Why::Unwritten));
        assert_eq!(refused(&[ret(), op(code::LD_IMM, 0)]), (1, Why::End));
    }

    /// BPF_LD|BPF_B|BPF_ABS, BPF_IND, BPF_MSH, BPF_MOD, RET X: legal for
    /// sockets, refused for seccomp. And codes with stray bits.
    #[test]
    fn refuses_codes_of_other_filters() {
        for code in [
            0x30, 0x40, 0xb1, 0x94, 0x9c, 0x0e, 0x28, 0x0d, 0x8c, 0x1020, 0xffff,
        ] {
            let program = [op(code, 0), op(code::RET_K, 0)];
            assert_eq!(refused(&program), (0, Why::Code), "{code:#x}");
        }
    }

    #[test]
    fn a_slot_must_be_written_on_every_way() {
        let branch = sock_filter {
            code: code::JEQ,
            jt: 0,
            jf: 1,
            k: 0,
        };
        let one_way = [
            branch.clone(),
            op(code::ST, 3),
            op(code::LD_MEM, 3),
            op(code::RET_A, 0),
        ];
        assert_eq!(refused(&one_way), (2, Why::Unwritten));
        let both_ways = [
            op(code::ST, 3),
            branch,
            op(code::LD_IMM, 1),
            op(code::LD_MEM, 3),
            op(code::RET_A, 0),
        ];
        assert_eq!(check(&both_ways), Ok(()));
    }
}
