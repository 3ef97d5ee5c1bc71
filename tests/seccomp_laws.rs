//! Laws of the system call filter: the compiled program is the policy's meaning,
//! restrictions never widen it, and the evaluator accepts what the kernel accepts.
//!
//! Whether the meaning is the right one is for the unit tests beside it.

mod seccomp {
    //! What the laws draw from.
    pub mod draw;
}

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use sandbox::bpf::{self, Checked, Data};
use sandbox::plan::seccomp::{ARCH, Answer, Meaning, X32_BIT, compile, meaning, resolve};
use sandbox::policy::{Network, Syscalls};
use seccomp::draw;
use seccompiler::sock_filter;
use std::collections::BTreeMap;

const AUDIT_ARCH_I386: u32 = 0x4000_0003;
const AUDIT_ARCH_ARM: u32 = 0x4000_0028;

/// More is wider.
fn width(answer: Answer) -> u8 {
    match answer {
        Answer::Kill => 0,
        Answer::Errno(_) => 1,
        Answer::Allow => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// 1,000 policies, 20 calls each.
    #[test]
    fn the_program_is_the_policys_meaning(
        policy in draw::policy(), network in draw::network(), tty: bool,
        calls in prop::collection::vec(draw::data(), 20),
    ) {
        let meaning = meaning(&policy, network, tty).unwrap();
        let program = compile(&meaning).unwrap();
        let checked = Checked::new(&program).unwrap();
        for data in calls {
            prop_assert_eq!(checked.run(&data).value, meaning.answer(&data).value(), "{:?}", data);
        }
        if let Ok(resolved) = resolve(&policy, network, tty) {
            prop_assert_eq!(resolved.program, program);
        }
    }

    /// Neither the x32 ABI nor another architecture is ever let through.
    #[test]
    fn other_abis_are_closed(
        policy in draw::policy(), network in draw::network(), tty: bool, data in draw::data(),
    ) {
        let program = compile(&meaning(&policy, network, tty).unwrap()).unwrap();
        let x32 = Data { nr: data.nr | X32_BIT, arch: ARCH, ..data };
        let enosys = Answer::Errno(libc::ENOSYS).value();
        prop_assert_eq!(bpf::evaluate(&program, &x32), Ok(enosys));
        for arch in [AUDIT_ARCH_I386, AUDIT_ARCH_ARM, ARCH ^ 1, 0] {
            let foreign = Data { arch, ..data };
            prop_assert_eq!(bpf::evaluate(&program, &foreign), Ok(libc::SECCOMP_RET_KILL_PROCESS));
        }
    }

    #[test]
    fn a_restriction_never_widens(
        policy in draw::policy(), extra in draw::word(), network in draw::network(), tty: bool,
        calls in prop::collection::vec(draw::data(), 10),
    ) {
        let before = meaning(&policy, network, tty).unwrap();
        let mut denied = policy.clone();
        denied.deny.push(extra.clone());
        let mut killed = policy.clone();
        killed.kill.push(extra);
        let mut fewer = policy.clone();
        fewer.allow.pop();
        let narrower = [denied, killed, fewer].map(|p| meaning(&p, network, tty).unwrap());
        let offline = meaning(&policy, Network::None, false).unwrap();
        for data in calls {
            for after in narrower.iter().chain([&offline]) {
                let (after, before) = (after.answer(&data), before.answer(&data));
                prop_assert!(width(after) <= width(before), "{:?}", data);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    /// Not only for the conditions that are shipped.
    #[test]
    fn the_program_is_any_meaning(
        calls in prop::collection::btree_map(
            prop_oneof![0..40u32, any::<u32>()], draw::call(), 0..40,
        ),
        probes in prop::collection::vec((0..42u32, prop::array::uniform6(draw::operand())), 20),
    ) {
        let numbers: Vec<u32> = calls.keys().copied().collect();
        let meaning = Meaning { calls };
        let program = compile(&meaning).unwrap();
        let checked = Checked::new(&program).unwrap();
        let far = numbers.iter().flat_map(|n| [n.wrapping_sub(1), *n, n.wrapping_add(1)]);
        let far = far.zip(probes.iter().cycle()).map(|(nr, (_, args))| (nr, *args));
        for (nr, args) in probes.iter().copied().chain(far) {
            let data = Data { nr, arch: ARCH, instruction_pointer: 0, args };
            prop_assert_eq!(checked.run(&data).value, meaning.answer(&data).value(), "{:?}", data);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// The evaluator is total: any program ends, within its own length.
    #[test]
    fn any_program_is_refused_or_ends(program in draw::soup(), data in draw::data()) {
        if let Ok(checked) = Checked::new(&program) {
            prop_assert!(checked.run(&data).steps <= program.len());
        }
    }
}

// The kernel's own word. A filter holds for the thread that loads it, and for
// what that thread starts.

/// Each program stands behind an unconditional "allow": the kernel checks all of
/// it, and runs one instruction.
#[test]
fn the_evaluator_accepts_what_the_kernel_accepts() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = draw::soup();
    let mut counts = BTreeMap::from([(true, 0), (false, 0)]);
    for _ in 0..60 {
        let programs: Vec<Vec<sock_filter>> = (0..50)
            .map(|_| {
                let mut program = vec![draw::ret(libc::SECCOMP_RET_ALLOW)];
                program.extend(strategy.new_tree(&mut runner).unwrap().current());
                program
            })
            .collect();
        // A thread each time: the instructions of all its filters are limited.
        let taken = std::thread::spawn(move || {
            let take = |program: &Vec<sock_filter>| seccompiler::apply_filter(program).is_ok();
            let taken: Vec<bool> = programs.iter().map(take).collect();
            (programs, taken)
        });
        let (programs, taken) = taken.join().unwrap();
        for (program, taken) in programs.iter().zip(taken) {
            let ours = Checked::new(program);
            assert_eq!(ours.is_ok(), taken, "{ours:?} {program:?}");
            *counts.entry(taken).or_default() += 1;
        }
    }
    assert!(counts.values().all(|count| *count > 300), "{counts:?}");
}

#[test]
fn the_kernel_answers_as_the_meaning_says() {
    let default = Syscalls {
        allow: vec!["@default".into()],
        ..Syscalls::default()
    };
    let program = resolve(&default, Network::None, false).unwrap().program;
    let thread = std::thread::spawn(move || {
        seccompiler::apply_filter(&program).expect("the kernel takes the filter");
        files_without_set_id_bits();
        nothing_of_namespaces_and_networks();
        processes_and_threads();
    });
    thread.join().expect("the test under the filter");
}

fn eperm(result: std::io::Result<()>) {
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EPERM));
}

fn files_without_set_id_bits() {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
    let directory = std::env::temp_dir().join(format!("seccomp-laws-{}", std::process::id()));
    std::fs::create_dir(&directory).expect("an ordinary directory");
    let file = directory.join("file");
    let create = |mode: u32| {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).mode(mode);
        options.open(&file).map(drop)
    };
    let permit = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode));
    create(0o644).expect("an ordinary file");
    permit(0o700).expect("an ordinary mode");
    eperm(create(0o4755));
    eperm(permit(0o2755));
    let mut builder = std::fs::DirBuilder::new();
    eperm(builder.mode(0o2755).create(directory.join("sub")));
    std::fs::remove_dir_all(&directory).expect("remove the directory");
}

fn nothing_of_namespaces_and_networks() {
    use nix::errno::Errno;
    use nix::sched::{CloneFlags, unshare};
    for flags in [CloneFlags::CLONE_NEWUSER, CloneFlags::CLONE_FILES] {
        assert_eq!(unshare(flags), Err(Errno::EPERM));
    }
    eperm(std::net::UdpSocket::bind("127.0.0.1:0").map(drop));
    std::os::unix::net::UnixStream::pair().expect("a socket pair");
}

fn processes_and_threads() {
    // glibc asks for clone3 first and must fall back to clone.
    std::thread::spawn(|| ()).join().expect("a thread");
    let script = "echo one two | (read a b; [ $b = two ]) && ls / >/dev/null";
    let shell = std::process::Command::new("/bin/sh")
        .args(["-c", script])
        .status();
    assert!(shell.expect("a shell").success());
}
