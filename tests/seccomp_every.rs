//! Every number and every argument near a condition, under every shipped policy;
//! and what must be refused, from the kernel's headers and manual pages.
//!
//! It does not use the tables of the policy language: a call forgotten there must
//! not be forgotten here too.

use sandbox::audit::dangers;
use sandbox::bpf::{Checked, Data};
use sandbox::plan::seccomp::{ARCH, Answer, Call, Test, X32_BIT, compile, meaning, resolve};
use sandbox::policy::{Context, Network, Policy};
use std::path::PathBuf;

const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const ENOTTY: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOTTY as u32;

/// Every policy that is shipped, with every network and with and without a terminal.
fn worlds() -> impl Iterator<Item = (Policy, Network, bool)> {
    let context = Context {
        cwd: PathBuf::from("/work/here"),
        home: Some(PathBuf::from("/home/u")),
        env: [].into(),
    };
    let policies = ["strict", "compile", "agent", "judge", "judge-compile"].map(|name| {
        Policy::load(name.as_ref(), &context).unwrap_or_else(|error| panic!("{error}"))
    });
    policies.into_iter().flat_map(|policy| {
        [Network::None, Network::Loopback, Network::Host]
            .into_iter()
            .flat_map(move |network| [false, true].map(|tty| (policy.clone(), network, tty)))
    })
}

fn data(nr: u32, args: [u64; 6]) -> Data {
    Data {
        nr,
        arch: ARCH,
        instruction_pointer: 0,
        args,
    }
}

/// The operand of a condition, its neighbours, each of its bits, and what only
/// 64 bits can tell apart.
fn near(test: Test) -> Vec<u64> {
    let operands = match test {
        Test::Is(v) | Test::AtLeast(v) | Test::AtMost(v) => vec![v],
        Test::Bits { mask, value } => vec![value, mask, value | !mask, value & mask],
    };
    let around = |v: u64| {
        let wide = [v.wrapping_sub(1), v, v.wrapping_add(1), v << 32, !v];
        wide.into_iter()
            .chain([v | 1 << 32, v | 1 << 63, v ^ 1 << 31])
    };
    operands.into_iter().flat_map(around).collect()
}

/// Values for one argument of a call: dense where a condition looks at it.
fn values(call: &Call, arg: u8) -> Vec<u64> {
    let conditions = call.rules.iter().flat_map(|rule| &rule.when);
    let mut values: Vec<u64> = conditions
        .filter(|condition| condition.arg == arg)
        .flat_map(|condition| near(condition.test))
        .collect();
    if values.is_empty() {
        return vec![0];
    }
    values.extend([0, 1, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 32, u64::MAX]);
    values.sort_unstable();
    values.dedup();
    values
}

/// All combinations of the values, at most so many of them: beyond, every step of
/// a length that is prime to the lists'.
fn combinations(lists: &[Vec<u64>; 6]) -> impl Iterator<Item = [u64; 6]> + '_ {
    const MOST: usize = 30_000;
    let all: usize = lists.iter().map(Vec::len).product();
    let step = match all <= MOST {
        true => 1,
        false => all / MOST * 2 + 1,
    };
    (0..all).step_by(step).map(move |mut position| {
        let mut args = [0; 6];
        for (arg, list) in args.iter_mut().zip(lists) {
            *arg = list[position % list.len()];
            position /= list.len();
        }
        args
    })
}

#[test]
fn every_number_and_every_argument_near_a_condition() {
    let mut conditioned = 0;
    for (policy, network, tty) in worlds() {
        let meaning = meaning(&policy.syscalls, network, tty).unwrap();
        let program = compile(&meaning).unwrap();
        assert_eq!(
            resolve(&policy.syscalls, network, tty).unwrap().program,
            program
        );
        let checked = Checked::new(&program).unwrap();
        let same = |data: Data| {
            let (ran, meant) = (checked.run(&data).value, meaning.answer(&data).value());
            assert_eq!(ran, meant, "{network:?} {tty} {data:?}");
        };
        for nr in (0..=1024).chain([0x3fff_ffff, u32::MAX, u32::MAX - 1, 1 << 31]) {
            for args in [[0; 6], [u64::MAX; 6], [1; 6]] {
                same(data(nr, args));
                let x32 = data(nr | X32_BIT, args);
                assert_eq!(checked.run(&x32).value, ENOSYS, "{x32:?}");
                for arch in [0, 0x4000_0003, 0x4000_0028, ARCH ^ 1, ARCH ^ (1 << 31)] {
                    let foreign = Data {
                        arch,
                        ..data(nr, args)
                    };
                    assert_eq!(checked.run(&foreign).value, Answer::Kill.value());
                }
            }
        }
        for (nr, call) in &meaning.calls {
            let lists = [0, 1, 2, 3, 4, 5].map(|arg| values(call, arg));
            conditioned += usize::from(!call.rules.is_empty());
            for args in combinations(&lists) {
                same(data(*nr, args));
            }
        }
    }
    assert!(conditioned > 18 * 20, "{conditioned}");
}

#[test]
fn no_shipped_policy_performs_a_dangerous_call() {
    for (policy, network, tty) in worlds() {
        let program = resolve(&policy.syscalls, network, tty).unwrap().program;
        let checked = Checked::new(&program).unwrap();
        for nr in dangers::calls() {
            for args in [[0; 6], [1; 6], [u64::MAX; 6]] {
                let answer = checked.run(&data(nr, args)).value;
                assert!([EPERM, ENOSYS].contains(&answer), "{nr}: {answer:#x}");
            }
        }
        for (nr, args) in dangers::arguments() {
            // The kernel reads the low half of an `int`, whatever is above it.
            for high in [0, 1 << 32, 0xffff_ffff << 32] {
                let args = args.map(|arg| arg | high);
                let answer = checked.run(&data(nr, args)).value;
                assert!(
                    [EPERM, ENOSYS, ENOTTY].contains(&answer),
                    "{nr} {args:x?}: {answer:#x}"
                );
            }
        }
        if network == Network::None {
            for (nr, args) in dangers::networks() {
                assert_eq!(checked.run(&data(nr, args)).value, EPERM, "{args:?}");
            }
        }
    }
}

/// Calls that programs live on: the kernel must be able to know, from the number alone, that
/// they are allowed, or it runs the filter for each of them. The files that a program opens
/// are few beside what it reads, and the modes it opens them with are looked at.
#[test]
fn what_is_called_most_is_allowed_without_the_filter() {
    let names = "read write pread64 pwrite64 readv writev close lseek fstat newfstatat statx access \
        mmap munmap mprotect brk madvise mremap futex rt_sigaction rt_sigprocmask rt_sigreturn \
        clock_gettime clock_nanosleep nanosleep gettimeofday poll ppoll epoll_wait epoll_ctl \
        getpid gettid getuid sched_yield pipe2 dup dup2 getdents64 readlink wait4 exit \
        exit_group recvfrom sendto";
    for (policy, network, tty) in worlds() {
        let built = resolve(&policy.syscalls, network, tty).unwrap();
        for name in names.split_whitespace() {
            let number = sandbox::policy::syscalls::number(name).unwrap();
            let allowed = always_allowed(&built.program, number);
            assert!(allowed, "{name} {network:?} {tty}");
        }
    }
}

/// `seccomp_is_const_allow` of the kernel (kernel/seccomp.c, Linux 5.11): is the answer to
/// this number reached without anything but number and architecture, and is it to allow?
fn always_allowed(program: &[seccompiler::sock_filter], number: u32) -> bool {
    let (mut at, mut a) = (0, 0);
    loop {
        let i = &program[at];
        at += 1;
        let taken = match i.code {
            // ld [k]
            0x20 if i.k == 0 => {
                a = number;
                continue;
            }
            0x20 if i.k == 4 => {
                a = ARCH;
                continue;
            }
            // and #k
            0x54 => {
                a &= i.k;
                continue;
            }
            // ja, jeq, jgt, jge, jset
            0x05 => {
                at += i.k as usize;
                continue;
            }
            0x15 => a == i.k,
            0x25 => a > i.k,
            0x35 => a >= i.k,
            0x45 => a & i.k != 0,
            // ret #k
            0x06 => return i.k == libc::SECCOMP_RET_ALLOW,
            _ => return false,
        };
        at += usize::from(if taken { i.jt } else { i.jf });
    }
}
