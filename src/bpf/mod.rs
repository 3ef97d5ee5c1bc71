//! A classic-BPF evaluator for seccomp filters, as the kernel would run them.
//!
//! It proves a compiled filter against the policy's meaning, so it knows nothing
//! of policies or of how filters are made, and it accepts no program that the
//! kernel would not (`bpf_check_classic` and `seccomp_check_filter`).

mod check;

use seccompiler::sock_filter;

pub use check::{Invalid, MAX_LENGTH, Why};

/// `struct seccomp_data`: what a filter may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data {
    /// System call number, with the x32 bit where the caller set it.
    pub nr: u32,
    /// `AUDIT_ARCH_…` of the calling convention used.
    pub arch: u32,
    /// Where the call was made from.
    pub instruction_pointer: u64,
    /// The six argument registers.
    pub args: [u64; 6],
}

impl Data {
    /// The 32-bit word at a byte offset, in the machine's byte order; the
    /// offset has been checked, an impossible one reads as 0.
    fn word(&self, offset: u32) -> u32 {
        let half = |value: u64| -> u32 {
            let bytes = value.to_ne_bytes();
            let at = (offset as usize) & 4;
            u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        match offset / 8 {
            0 if offset & 4 == 0 => self.nr,
            0 => self.arch,
            1 => half(self.instruction_pointer),
            n => self.args.get(n as usize - 2).map_or(0, |arg| half(*arg)),
        }
    }
}

/// `sizeof(struct seccomp_data)`.
const DATA_SIZE: u32 = 64;

/// A program that the kernel would accept.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a>(&'a [sock_filter]);

/// The outcome of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The value returned: `SECCOMP_RET_…`.
    pub value: u32,
    /// Instructions executed.
    pub steps: usize,
}

/// Checks a program and runs it once.
///
/// # Errors
/// The first reason for which the kernel would refuse the program.
pub fn evaluate(program: &[sock_filter], data: &Data) -> Result<u32, Invalid> {
    Ok(Checked::new(program)?.run(data).value)
}

impl<'a> Checked<'a> {
    /// Accepts exactly the programs that the kernel accepts as seccomp filters.
    ///
    /// # Errors
    /// The first reason for which the kernel would refuse the program.
    pub fn new(program: &'a [sock_filter]) -> Result<Checked<'a>, Invalid> {
        check::check(program)?;
        Ok(Checked(program))
    }

    /// Runs the program. Jumps only lead forwards, so it ends.
    pub fn run(&self, data: &Data) -> Run {
        let mut machine = Machine::default();
        let mut at = 0;
        let mut steps = 0;
        while let Some(instruction) = self.0.get(at) {
            steps += 1;
            at += 1;
            match machine.step(instruction, data) {
                Next::Skip(count) => at += count,
                Next::Return(value) => return Run { value, steps },
            }
        }
        // Not reachable in a checked program, whose last instruction returns;
        // 0 is SECCOMP_RET_KILL_THREAD.
        Run { value: 0, steps }
    }
}

/// Registers and scratch memory.
#[derive(Default)]
struct Machine {
    a: u32,
    x: u32,
    memory: [u32; 16],
}

/// Where to go from an instruction.
enum Next {
    /// Over so many of the following instructions.
    Skip(usize),
    /// The program ends.
    Return(u32),
}

impl Machine {
    fn step(&mut self, i: &sock_filter, data: &Data) -> Next {
        let slot = i.k as usize & 15;
        let operand = if i.code & code::X != 0 { self.x } else { i.k };
        match i.code {
            code::LD_W_ABS => self.a = data.word(i.k),
            code::LD_W_LEN => self.a = DATA_SIZE,
            code::LDX_W_LEN => self.x = DATA_SIZE,
            code::LD_IMM => self.a = i.k,
            code::LDX_IMM => self.x = i.k,
            code::LD_MEM => self.a = self.memory[slot],
            code::LDX_MEM => self.x = self.memory[slot],
            code::ST => self.memory[slot] = self.a,
            code::STX => self.memory[slot] = self.x,
            code::TAX => self.x = self.a,
            code::TXA => self.a = self.x,
            code::RET_K => return Next::Return(i.k),
            code::RET_A => return Next::Return(self.a),
            code::JA => return Next::Skip(i.k as usize),
            _ => return self.compute(i, operand),
        }
        Next::Skip(0)
    }

    /// Arithmetic and conditional jumps, by K or by X.
    fn compute(&mut self, i: &sock_filter, operand: u32) -> Next {
        let jump = |taken: bool| Next::Skip(usize::from(if taken { i.jt } else { i.jf }));
        match i.code & !code::X {
            code::JEQ => return jump(self.a == operand),
            code::JGT => return jump(self.a > operand),
            code::JGE => return jump(self.a >= operand),
            code::JSET => return jump(self.a & operand != 0),
            code::ADD => self.a = self.a.wrapping_add(operand),
            code::SUB => self.a = self.a.wrapping_sub(operand),
            code::MUL => self.a = self.a.wrapping_mul(operand),
            code::DIV => match self.a.checked_div(operand) {
                Some(quotient) => self.a = quotient,
                None => return Next::Return(0), // the kernel ends the filter with 0
            },
            code::AND => self.a &= operand,
            code::OR => self.a |= operand,
            code::XOR => self.a ^= operand,
            code::LSH => self.a = self.a.wrapping_shl(operand),
            code::RSH => self.a = self.a.wrapping_shr(operand),
            code::NEG => self.a = self.a.wrapping_neg(),
            _ => return Next::Return(0), // not in a checked program
        }
        Next::Skip(0)
    }
}

/// The instruction codes of `linux/filter.h` that a seccomp filter may use.
pub mod code {
    #![allow(missing_docs)]
    /// Set: the operand is X, else K.
    pub const X: u16 = 0x08;
    pub const LD_IMM: u16 = 0x00;
    pub const LDX_IMM: u16 = 0x01;
    pub const ST: u16 = 0x02;
    pub const STX: u16 = 0x03;
    pub const LD_W_ABS: u16 = 0x20;
    pub const LD_MEM: u16 = 0x60;
    pub const LDX_MEM: u16 = 0x61;
    pub const LD_W_LEN: u16 = 0x80;
    pub const LDX_W_LEN: u16 = 0x81;
    pub const ADD: u16 = 0x04;
    pub const SUB: u16 = 0x14;
    pub const MUL: u16 = 0x24;
    pub const DIV: u16 = 0x34;
    pub const OR: u16 = 0x44;
    pub const AND: u16 = 0x54;
    pub const LSH: u16 = 0x64;
    pub const RSH: u16 = 0x74;
    pub const NEG: u16 = 0x84;
    pub const XOR: u16 = 0xa4;
    pub const JA: u16 = 0x05;
    pub const JEQ: u16 = 0x15;
    pub const JGT: u16 = 0x25;
    pub const JGE: u16 = 0x35;
    pub const JSET: u16 = 0x45;
    pub const RET_K: u16 = 0x06;
    pub const RET_A: u16 = 0x16;
    pub const TAX: u16 = 0x07;
    pub const TXA: u16 = 0x87;
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: Data = Data {
        nr: 1,
        arch: 2,
        instruction_pointer: 0x0000_0004_0000_0003,
        args: [0x0000_0006_0000_0005, 7, 8, 9, 10, 0x0000_000c_0000_000b],
    };

    fn op(code: u16, k: u32) -> sock_filter {
        sock_filter {
            code,
            jt: 0,
            jf: 0,
            k,
        }
    }

    fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
        sock_filter { code, jt, jf, k }
    }

    fn result(program: &[sock_filter]) -> u32 {
        evaluate(program, &DATA).unwrap()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn loads_every_word() {
        let words = [1, 2, 3, 4, 5, 6, 7, 0, 8, 0, 9, 0, 10, 0, 11, 12];
        for (position, word) in words.into_iter().enumerate() {
            let load = op(code::LD_W_ABS, position as u32 * 4);
            assert_eq!(result(&[load, op(code::RET_A, 0)]), word);
        }
    }

    #[test]
    fn computes_by_constant_and_by_x() {
        let by = |operation: u16, a: u32, operand: u32| {
            let ret = op(code::RET_A, 0);
            let x = result(&[
                op(code::LDX_IMM, operand),
                op(code::LD_IMM, a),
                op(operation | code::X, 0),
                ret.clone(),
            ]);
            let k = result(&[op(code::LD_IMM, a), op(operation, operand), ret]);
            assert_eq!(x, k);
            k
        };
        assert_eq!(by(code::ADD, u32::MAX, 2), 1);
        assert_eq!(by(code::SUB, 1, 2), u32::MAX);
        assert_eq!(by(code::MUL, 1 << 31, 2), 0);
        assert_eq!(by(code::DIV, 7, 2), 3);
        assert_eq!(by(code::AND, 6, 3), 2);
        assert_eq!(by(code::OR, 6, 3), 7);
        assert_eq!(by(code::XOR, 6, 3), 5);
        assert_eq!(by(code::LSH, 3, 31), 1 << 31);
        assert_eq!(by(code::RSH, 8, 2), 2);
    }

    #[test]
    fn division_by_a_zero_x_ends_with_zero() {
        let program = [
            op(code::LD_IMM, 5),
            op(code::DIV | code::X, 0),
            op(code::RET_K, 9),
        ];
        assert_eq!(result(&program), 0);
    }

    #[test]
    fn memory_and_transfers() {
        let program = [
            op(code::LD_IMM, 5),
            op(code::ST, 15),
            op(code::LDX_MEM, 15),
            op(code::STX, 0),
            op(code::LD_MEM, 0),
            op(code::TAX, 0),
            op(code::NEG, 0),
            op(code::TXA, 0),
            op(code::RET_A, 0),
        ];
        assert_eq!(result(&program), 5);
        assert_eq!(result(&[op(code::LD_W_LEN, 0), op(code::RET_A, 0)]), 64);
    }

    #[test]
    fn jumps_go_both_ways_and_steps_are_counted() {
        let taken = |code: u16, k: u32| {
            let program = [
                op(code::LD_IMM, 6),
                jump(code, k, 1, 0),
                op(code::RET_K, 0),
                op(code::RET_K, 1),
            ];
            let run = Checked::new(&program).unwrap().run(&DATA);
            assert_eq!(run.steps, 3);
            run.value == 1
        };
        assert!(taken(code::JEQ, 6) && !taken(code::JEQ, 5));
        assert!(taken(code::JGT, 5) && !taken(code::JGT, 6));
        assert!(taken(code::JGE, 6) && !taken(code::JGE, 7));
        assert!(taken(code::JSET, 2) && !taken(code::JSET, 1));
        let over = [op(code::JA, 1), op(code::RET_K, 0), op(code::RET_K, 1)];
        assert_eq!(result(&over), 1);
    }
}
