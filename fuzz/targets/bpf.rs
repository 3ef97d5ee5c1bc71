//! The checker and evaluator of filters on arbitrary instructions.
//!
//! What the checker accepts runs to its end on a second machine, made here, that
//! stops at everything the kernel must not meet; and both answer the same.

use super::bytes::{Bytes, printable};
use sandbox::bpf::{Checked, Data, Invalid, MAX_LENGTH, code};
use sandbox::plan::seccomp::ARCH;
use seccompiler::sock_filter;

#[rustfmt::skip]
const CODES: [u16; 28] = [
    code::LD_W_ABS, code::LD_W_LEN, code::LDX_W_LEN, code::LD_IMM, code::LDX_IMM, code::LD_MEM,
    code::LDX_MEM, code::ST, code::STX, code::TAX, code::TXA, code::NEG, code::ADD, code::SUB,
    code::MUL, code::DIV, code::AND, code::OR, code::XOR, code::LSH, code::RSH, code::JEQ,
    code::JGT, code::JGE, code::JSET, code::JA, code::RET_K, code::RET_A,
];

/// The input is a call, then instructions.
pub fn check(data: &[u8]) {
    let mut bytes = Bytes(data);
    let data = Data {
        nr: u32::from(bytes.byte()),
        arch: if bytes.once_in(4) { bytes.u32() } else { ARCH },
        instruction_pointer: 7 << 32 | 9,
        args: std::array::from_fn(|_| match bytes.below(4) {
            0 => 0,
            1 => u64::from(bytes.byte()),
            2 => u64::from(bytes.byte()) << 32,
            _ => bytes.u64(),
        }),
    };
    let mut program = Vec::new();
    while !bytes.is_empty() && program.len() <= MAX_LENGTH {
        program.push(instruction(&mut bytes));
    }
    match Checked::new(&program) {
        Ok(checked) => {
            let run = checked.run(&data);
            assert_eq!(
                (run.value, run.steps),
                second(&program, &data),
                "{program:?}"
            );
        }
        Err(Invalid { at, why }) => {
            assert!(at < program.len().max(1), "{why:?}");
            printable(&Invalid { at, why }.to_string());
            // Refused at its first fault: what stands before it and returns is sound.
            if let Some(sound) = program.get(..at)
                && sound.last().is_some_and(|last| last.code == code::RET_K)
                && let Ok(checked) = Checked::new(sound)
            {
                let run = checked.run(&data);
                assert_eq!((run.value, run.steps), second(sound, &data));
            }
        }
    }
}

fn instruction(bytes: &mut Bytes) -> sock_filter {
    let choice = bytes.byte();
    let code = match choice {
        0..=111 => CODES[usize::from(choice) % CODES.len()],
        112..=223 => CODES[usize::from(choice) % CODES.len()] | code::X,
        _ => bytes.u16(),
    };
    let shape = bytes.byte();
    let near = |byte: u8| if byte < 224 { byte % 4 } else { byte };
    let k = match shape % 4 {
        0 => u32::from(bytes.byte()),
        1 => bytes.below(18) as u32 * 4,
        2 => bytes.below(20) as u32,
        _ => bytes.u32(),
    };
    let (jt, jf) = match shape & 4 {
        0 => (0, 0),
        _ => (near(bytes.byte()), near(bytes.byte())),
    };
    sock_filter { code, jt, jf, k }
}

/// The kernel's machine as filter.txt describes it: panics where the kernel would
/// read or jump where it must not.
fn second(program: &[sock_filter], data: &Data) -> (u32, usize) {
    let mut words = vec![data.nr, data.arch];
    for long in std::iter::once(data.instruction_pointer).chain(data.args) {
        let (low, high) = (long as u32, (long >> 32) as u32);
        words.extend(if cfg!(target_endian = "little") {
            [low, high]
        } else {
            [high, low]
        });
    }
    let (mut a, mut x, mut memory) = (0u32, 0u32, [None; 16]);
    let mut at = 0;
    for steps in 1.. {
        let sock_filter { code, jt, jf, k } = &program[at];
        let k = *k;
        at += 1;
        // Classes of linux/bpf_common.h.
        let source = if code & 8 == 0 { k } else { x };
        match code & 7 {
            0 | 1 => {
                let value = match code & 0xe0 {
                    0x00 => k,
                    0x20 => words[k as usize / 4],
                    0x60 => memory[k as usize].expect("a slot that was written"),
                    0x80 => 64,
                    mode => panic!("load mode {mode:#x}"),
                };
                if code & 7 == 0 { a = value } else { x = value }
            }
            2 => memory[k as usize] = Some(a),
            3 => memory[k as usize] = Some(x),
            4 => {
                a = match code & 0xf0 {
                    0x00 => a.wrapping_add(source),
                    0x10 => a.wrapping_sub(source),
                    0x20 => a.wrapping_mul(source),
                    0x30 if source == 0 => return (0, steps),
                    0x30 => a / source,
                    0x40 => a | source,
                    0x50 => a & source,
                    0x60 => a << (source & 31),
                    0x70 => a >> (source & 31),
                    0x80 => 0u32.wrapping_sub(a),
                    0xa0 => a ^ source,
                    op => panic!("operation {op:#x}"),
                }
            }
            5 => {
                let taken = match code & 0xf0 {
                    0x00 => {
                        at += k as usize;
                        continue;
                    }
                    0x10 => a == source,
                    0x20 => a > source,
                    0x30 => a >= source,
                    0x40 => a & source != 0,
                    op => panic!("jump {op:#x}"),
                };
                at += usize::from(if taken { *jt } else { *jf });
            }
            6 => return (if code & 0x10 == 0 { k } else { a }, steps),
            _ if code & 0x80 == 0 => x = a,
            _ => a = x,
        }
    }
    unreachable!("every step ends the run or goes on")
}
