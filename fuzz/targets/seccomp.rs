//! The compiler of system call filters against its model.
//!
//! Whatever words a policy has, and whatever a meaning says: the program answers
//! what the meaning answers, lets no other architecture through, and a further
//! restriction never widens it.

use super::bytes::{Bytes, printable};
use sandbox::bpf::{Checked, Data};
use sandbox::plan::Refusal;
use sandbox::plan::seccomp::{
    ARCH, Answer, Call, Condition, Meaning, Rule, Test, Width, X32_BIT, compile, meaning, resolve,
};
use sandbox::policy::{Network, Syscalls, syscalls};
use std::sync::LazyLock;

/// Every word that a policy may use: groups first, then names.
static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let groups = syscalls::GROUPS.iter().map(|group| group.name);
    let mut words: Vec<&str> = ["@default"].into_iter().chain(groups).collect();
    words.extend(syscalls::numbers().map(|(name, _)| name));
    words
});

/// Every number in a condition of the widest policy, and the calls that have one.
static SPOKEN: LazyLock<(Vec<u64>, Vec<u32>)> = LazyLock::new(|| {
    let groups = syscalls::GROUPS.iter().map(|group| group.name.into());
    let all = Syscalls {
        allow: groups.collect(),
        ..Syscalls::default()
    };
    let all = meaning(&all, Network::Host, true).expect("the widest policy");
    let conditioned = all.calls.iter().filter(|(_, call)| !call.rules.is_empty());
    let numbers = conditioned.map(|(number, _)| *number).collect();
    let rules = all.calls.values().flat_map(|call| &call.rules);
    let values = rules
        .flat_map(|rule| &rule.when)
        .flat_map(|condition| match condition.test {
            Test::Is(value) | Test::AtLeast(value) | Test::AtMost(value) => [value, !value],
            Test::Bits { mask, value } => [value, mask],
        });
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.dedup();
    (values, numbers)
});

/// The input is a policy or a meaning, then calls.
pub fn check(data: &[u8]) {
    let mut bytes = Bytes(data);
    match bytes.byte() {
        0..=127 => policy(&mut bytes),
        128..=223 => any_meaning(&mut bytes),
        _ => any_words(bytes.0),
    }
}

fn policy(bytes: &mut Bytes) {
    let mut words = |most| (0..bytes.below(most)).map(|_| word(bytes)).collect();
    let policy = Syscalls {
        allow: words(12),
        deny: words(5),
        kill: words(5),
    };
    let network = *bytes.pick(&[Network::None, Network::Loopback, Network::Host]);
    let tty = bytes.once_in(2);
    let (meaning, resolved) = match (
        meaning(&policy, network, tty),
        resolve(&policy, network, tty),
    ) {
        (Ok(meaning), resolved) => (meaning, resolved),
        (Err(refusal), Ok(_)) => panic!("no meaning, and a program: {refusal}"),
        (Err(_), Err(refusal)) => return refused(&refusal),
    };
    let program = compile(&meaning).expect("a policy's meaning has a program");
    let checked = Checked::new(&program).expect("the kernel takes it");
    match &resolved {
        Ok(seccomp) => {
            assert_eq!(seccomp.program, program);
            seccomp
                .answers
                .lines()
                .iter()
                .for_each(|line| printable(line));
        }
        Err(refusal) => refused(refusal),
    }
    let narrower = narrower(&policy, bytes, network, tty);
    for _ in 0..12 {
        let data = call(bytes);
        let answer = meaning.answer(&data);
        assert_eq!(checked.run(&data).value, answer.value(), "{data:?}");
        let x32 = Data {
            nr: data.nr | X32_BIT,
            arch: ARCH,
            ..data
        };
        assert_eq!(checked.run(&x32).value, Answer::Errno(libc::ENOSYS).value());
        if data.arch != ARCH {
            assert_eq!(answer, Answer::Kill);
        }
        assert!(width(narrower.answer(&data)) <= width(answer), "{data:?}");
    }
}

fn word(bytes: &mut Bytes) -> String {
    let groups = WORDS.partition_point(|word| word.starts_with('@'));
    match bytes.byte() {
        0..=63 => String::from("@default"),
        64..=127 => (*bytes.pick(&WORDS[..groups])).to_owned(),
        _ => (*bytes.pick(&WORDS)).to_owned(),
    }
}

/// One further restriction.
fn narrower(policy: &Syscalls, bytes: &mut Bytes, network: Network, tty: bool) -> Meaning {
    let mut narrow = policy.clone();
    let (mut network, mut tty) = (network, tty);
    match bytes.below(4) {
        0 => narrow.deny.push(word(bytes)),
        1 => narrow.kill.push(word(bytes)),
        2 => drop(narrow.allow.pop()),
        _ => (network, tty) = (Network::None, false),
    }
    meaning(&narrow, network, tty).expect("a restriction is a policy")
}

/// More is wider.
fn width(answer: Answer) -> u8 {
    match answer {
        Answer::Kill => 0,
        Answer::Errno(_) => 1,
        Answer::Allow => 2,
    }
}

fn call(bytes: &mut Bytes) -> Data {
    let (values, conditioned) = &*SPOKEN;
    let nr = match bytes.byte() {
        0..=127 => *bytes.pick(conditioned),
        128..=223 => u32::from(bytes.u16()) % 600,
        224..=239 => X32_BIT | u32::from(bytes.byte()),
        _ => bytes.u32(),
    };
    let arch = match bytes.byte() {
        0..=223 => ARCH,
        224..=239 => 0x4000_0003,
        _ => bytes.u32(),
    };
    let args = std::array::from_fn(|_| match bytes.byte() {
        0..=63 => 0,
        64..=127 => *bytes.pick(values),
        128..=159 => bytes.pick(values).wrapping_add(1),
        160..=191 => bytes.pick(values).wrapping_sub(1),
        192..=223 => bytes.pick(values) ^ 1 << (bytes.byte() & 63),
        _ => bytes.u64(),
    });
    let instruction_pointer = 0;
    Data {
        nr,
        arch,
        instruction_pointer,
        args,
    }
}

/// Not only what is shipped: any calls under any rules.
fn any_meaning(bytes: &mut Bytes) {
    let mut meaning = Meaning::default();
    for _ in 0..bytes.below(24) {
        let number = if bytes.once_in(8) {
            bytes.u32()
        } else {
            bytes.below(40) as u32
        };
        let rules = (0..bytes.below(5)).map(|_| Rule {
            when: (0..=bytes.below(3)).map(|_| condition(bytes)).collect(),
            then: answer(bytes),
        });
        let rules = rules.collect();
        let otherwise = answer(bytes);
        meaning.calls.insert(number, Call { rules, otherwise });
    }
    let program = match compile(&meaning) {
        Ok(program) => program,
        Err(refusal) => return printable(&refusal.to_string()),
    };
    let checked = Checked::new(&program).expect("the kernel takes it");
    let numbers: Vec<u32> = meaning.calls.keys().copied().collect();
    let near = numbers
        .iter()
        .flat_map(|nr| [nr.wrapping_sub(1), *nr, nr.wrapping_add(1)]);
    for nr in near.chain([0, X32_BIT, u32::MAX]) {
        let args = std::array::from_fn(|_| operand(bytes));
        let data = Data {
            nr,
            arch: ARCH,
            instruction_pointer: 0,
            args,
        };
        assert_eq!(
            checked.run(&data).value,
            meaning.answer(&data).value(),
            "{data:?}"
        );
        let foreign = Data {
            arch: ARCH ^ 1,
            ..data
        };
        assert_eq!(checked.run(&foreign).value, Answer::Kill.value());
    }
}

fn answer(bytes: &mut Bytes) -> Answer {
    match bytes.below(4) {
        0 => Answer::Kill,
        1 => Answer::Errno(1 + i32::from(bytes.u16() % 4095)),
        _ => Answer::Allow,
    }
}

fn condition(bytes: &mut Bytes) -> Condition {
    Condition {
        arg: bytes.below(6) as u8,
        width: *bytes.pick(&[Width::Low32, Width::Whole]),
        test: match bytes.below(4) {
            0 => Test::Is(operand(bytes)),
            1 => Test::AtLeast(operand(bytes)),
            2 => Test::AtMost(operand(bytes)),
            _ => Test::Bits {
                mask: operand(bytes),
                value: operand(bytes),
            },
        },
    }
}

/// A small number in one half, so that conditions are met now and then, or any.
fn operand(bytes: &mut Bytes) -> u64 {
    match bytes.below(4) {
        0 | 1 => u64::from(bytes.byte() & 3),
        2 => u64::from(bytes.byte() & 3) << 32,
        _ => bytes.u64(),
    }
}

/// Words that are none: refused, in words that can be shown.
fn any_words(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let policy = Syscalls {
        allow: vec![String::from("@default")],
        deny: text.split('\n').take(4).map(str::to_owned).collect(),
        kill: Vec::new(),
    };
    if let Err(refusal) = resolve(&policy, Network::None, false) {
        refused(&refusal);
    }
}

fn refused(refusal: &Refusal) {
    printable(&refusal.to_string());
    assert_eq!(refusal.exit_code, 125);
}
