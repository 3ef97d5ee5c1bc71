//! Golden tests of the plan's text form, with a plan made by hand.
//! They must not depend on the machine they run on.

use super::*;
use crate::plan::seccomp::Answers;
use crate::plan::{Attributes, CpuBy, Identity, Ids, Landlock, MemoryBy, Program, Seccomp};
use crate::policy::{Cap, IoRates, Weaken};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

const RO_EXEC: MountAttributes = MountAttributes {
    read_only: true,
    no_exec: false,
};
const RW_NOEXEC: MountAttributes = MountAttributes {
    read_only: false,
    no_exec: true,
};

fn identity(directory: bool) -> Identity {
    Identity {
        dev: 1,
        ino: 2,
        directory,
        owner: (0, 0),
    }
}

/// One of everything.
fn plan() -> Plan {
    let at = |path: &str| PathBuf::from(path);
    let rlimit = |name, soft, hard| Rlimit {
        resource: 0,
        name,
        soft,
        hard,
    };
    Plan {
        copies: Default::default(),
        host_program: None,
        tty: false,
        descriptors: vec![5],
        ids: Ids {
            uid: 1000,
            gid: 1000,
            outside: Outside::Caller { uid: 501, gid: 20 },
        },
        mounts: Mounts {
            root_bytes: 1 << 20,
            root_inodes: 4096,
            ops: vec![
                Op::Directory {
                    at: at("/usr"),
                    mode: 0o755,
                },
                Op::Bind {
                    at: at("/usr"),
                    source: at("/usr"),
                    identity: identity(true),
                    attributes: RO_EXEC,
                    device: false,
                },
                Op::File {
                    at: at("/etc/passwd"),
                    text: b"user:x:1000\n".to_vec(),
                    mode: 0o644,
                },
                Op::File {
                    at: at("/dev/null"),
                    text: Vec::new(),
                    mode: 0o444,
                },
                Op::Bind {
                    at: at("/dev/null"),
                    source: at("/dev/null"),
                    identity: identity(false),
                    attributes: RW_NOEXEC,
                    device: true,
                },
                Op::Symlink {
                    at: at("/bin"),
                    target: at("usr/bin"),
                },
                Op::Tmpfs {
                    at: at("/tmp"),
                    bytes: 64 << 20,
                    inodes: 4096,
                    mode: 0o1777,
                    attributes: RW_NOEXEC,
                },
                Op::Pin {
                    at: at("/work/.git"),
                    attributes: RW_NOEXEC,
                },
                Op::Mask {
                    at: at("/work/secret`\n  5 seal `"),
                    directory: true,
                },
                Op::Cover {
                    at: at("/proc/uptime"),
                    text: b"0\n".to_vec(),
                },
                Op::Proc {
                    at: at("/proc"),
                    only_pids: true,
                },
                Op::Devpts { at: at("/dev/pts") },
                Op::Seal { at: at("/") },
            ],
        },
        network: Network::None,
        hostname: String::from("sandbox"),
        cwd: at("/work"),
        env: vec![
            (OsString::from("HOME"), OsString::from("/tmp")),
            (OsString::from("PS1"), OsString::from("\u{1b}]0;\"x\"\u{7}")),
        ],
        limits: Limits {
            rlimits: vec![
                rlimit("data", 256 << 20, 256 << 20),
                rlimit("cpu", 10, 11),
                rlimit("nofile", 256, 256),
                rlimit("core", 0, 0),
                rlimit("fsize", u64::MAX, u64::MAX),
            ],
            memory: Some((256 << 20, MemoryBy::Polled)),
            processes: None,
            cpu_time: Some(Duration::from_millis(10_500)),
            cpu_by: CpuBy::Perf,
            cpus: 2,
            wall_time: Some(Duration::from_millis(1500)),
            output: None,
            stdout: None,
            stderr: None,
            shares: Default::default(),
        },
        attributes: Attributes {
            mdwe: true,
            speculation: [true, false],
            core_scheduling: false,
            aslr: true,
        },
        cpus: vec![0, 1, 3],
        landlock: Some(Landlock {
            abi: 6,
            handled_fs: 0xffff,
            handled_net: 0b11,
            scoped: 0b11,
            rules: vec![
                (at("/usr"), 0b1101),
                (at("/tmp"), (1 << 40) | (1 << 15) | (1 << 1)),
            ],
        }),
        seccomp: Seccomp {
            program: Vec::new(),
            listening: None,
            answers: Answers::default(),
        },
        program: Program {
            name: OsString::from("a.out"),
            args: vec![OsString::from_vec(b"\xff".to_vec()), OsString::new()],
            candidates: vec![at("/usr/bin/a.out"), at("/work/a.out")],
        },
        weakened: Vec::new(),
    }
}

const GOLDEN: &str = r#"steps
  1 sanitize (parent)
  2 cgroup (parent)
  3 ids (init)
  4 mounts (init)
  5 root (init)
  6 net (init)
  7 caps (init)
  8 payload (init)
  9 limits (payload)
  10 no-new-privs (payload)
  11 landlock (payload)
  12 verify (payload)
  13 seccomp (payload)
  14 exec (payload)
ids
  inside: uid 1000, gid 1000
  outside: uid 501, gid 20 (the caller)
  setgroups: denied
mounts
  root: tmpfs, 1048576 bytes (1 MiB), 4096 inodes
  0 directory `/usr`, mode 0755
  1 bind `/usr` from `/usr`, directory of 0:0, ro exec nosuid nodev
  2 file `/etc/passwd`, mode 0644, 12 bytes "user:x:1000\n"
  3 file `/dev/null`, mode 0444, empty
  4 bind `/dev/null` from `/dev/null`, device of 0:0, rw noexec nosuid
  5 symlink `/bin` to `usr/bin`
  6 tmpfs `/tmp`, 67108864 bytes (64 MiB), 4096 inodes, mode 1777, rw noexec nosuid nodev
  7 pin `/work/.git`, rw noexec nosuid nodev
  8 mask `/work/secret\`\n  5 seal \``, empty directory
  9 cover `/proc/uptime`, 2 bytes "0\n"
  10 proc `/proc`, subset=pid
  11 devpts `/dev/pts`
  12 seal `/`, ro
net
  network: none (a namespace of its own, nothing up)
  hostname: `sandbox`
caps
  effective: empty
  permitted: empty
  inheritable: empty
  bounding: empty
  ambient: empty
  securebits: locked
limits
  rlimit data: 268435456 bytes (256 MiB)
  rlimit cpu: 10 s, hard 11 s
  rlimit nofile: 256 descriptors
  rlimit core: 0 bytes
  rlimit fsize: unlimited
  memory: 268435456 bytes (256 MiB), by polled
  processes: unlimited
  cpu-time: 10.5s, counted by perf
  wall-time: 1.5s
  output: unlimited
  stdout: unlimited
  stderr: unlimited
  cpu-max: unlimited
  cpu-weight: the kernel's own
  io-max: unlimited
attributes
  memory-deny-write-execute: on
  speculation, store bypass: force-disable
  speculation, indirect branch: as the kernel has it
  core-scheduling: off
  address randomisation: on
  processors: 0,1,3
no-new-privs
  set
landlock
  abi: 6
  files: execute write-file read-file read-dir remove-dir remove-file make-char make-dir make-reg make-sock make-fifo make-block make-sym refer truncate ioctl-dev
  network: bind-tcp connect-tcp
  scoped: abstract-unix-socket signal
  0 allow `/usr`: execute read-file read-dir
  1 allow `/tmp`: write-file ioctl-dev bit-40
seccomp
  instructions: 0
  errno ENOSYS: every other number, and every x32 number
  kill: every call by another architecture's convention
exec
  program: "a.out"
  argument 1: "\xff"
  argument 2: ""
  try `/usr/bin/a.out`
  try `/work/a.out`
  cwd: `/work`
  descriptor 5: passed on
  env HOME="/tmp"
  env PS1="\x1b]0;\"x\"\x07"
weakened
  nothing
"#;

#[test]
fn one_of_everything_prints_as_written_here() {
    let text = plan().to_string();
    for (line, (found, expected)) in text.lines().zip(GOLDEN.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", line + 1);
    }
    assert_eq!(text, GOLDEN);
}

#[test]
fn the_other_ways_print_too() {
    let mut plan = plan();
    plan.ids.outside = Outside::Range { first: 5, last: 9 };
    plan.network = Network::Host;
    plan.landlock = None;
    plan.limits.output = Some((16 << 20).into());
    plan.limits.stdout = Some(Cap {
        most: 65536,
        full: Full::Truncate,
    });
    plan.limits.stderr = Some(Cap {
        most: 100,
        full: Full::Drain,
    });
    plan.limits.wall_time = None;
    let rates = IoRates {
        read_bytes: Some(1 << 20),
        write_bytes: Some(7),
        reads: Some(10),
        writes: None,
    };
    plan.limits.shares = Shares {
        cpu_max: Some(150_000),
        cpu_weight: Some(33),
        io_max: [((8, 0), rates)].into(),
    };
    plan.weakened = vec![(Weaken::HostNetwork, String::from("tests\nseccomp"))];
    let text = plan.to_string();
    for line in [
        "  outside: one unused uid and gid from 5 to 9 (started by root)",
        "  network: host (the host's own network)",
        "  none (weakened)",
        "  output: 16777216 bytes (16 MiB), then killed",
        "  stdout: 65536 bytes (64 KiB), then closed",
        "  stderr: 100 bytes, then dropped",
        "  wall-time: unlimited",
        "  cpu-max: 1.5 processors, 150000 us in each 100000 us, by cpu.max",
        "  cpu-weight: 33, by cpu.weight",
        "  io-max 8:0: read 1048576 bytes (1 MiB), write 7 bytes, reads 10 a second, by io.max",
        "  host-network, because \"tests\\nseccomp\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn the_sections_come_in_the_order_of_the_steps() {
    let text = plan().to_string();
    let sections: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter(|line| Step::ALL.iter().any(|step| step.name() == *line))
        .collect();
    let expected: Vec<&str> = Step::ALL
        .iter()
        .map(|step| step.name())
        .filter(|name| sections.contains(name))
        .collect();
    assert_eq!(sections, expected);
    assert!(sections.len() >= 9, "{sections:?}");
}

#[test]
fn no_foreign_text_starts_a_line_of_its_own() {
    let clean = GOLDEN.lines().count();
    let mut plan = plan();
    plan.hostname = String::from("a\nlandlock");
    plan.cwd = PathBuf::from("/a\nlandlock");
    plan.env[0].0 = OsString::from("A\nB");
    plan.program.name = OsString::from("a\u{2028}\nb");
    plan.program.candidates[0] = PathBuf::from("/x\ny");
    assert_eq!(plan.to_string().lines().count(), clean);
}

#[test]
fn units_are_exact() {
    assert_eq!(bytes(0), "0 bytes");
    assert_eq!(bytes(1023), "1023 bytes");
    assert_eq!(bytes(1536), "1536 bytes");
    assert_eq!(bytes(3 << 10), "3072 bytes (3 KiB)");
    assert_eq!(bytes(1 << 40), "1099511627776 bytes (1 TiB)");
}

/// The plan asks for every right of the newest ABI that is known; a reader should
/// not meet one of them by number.
#[test]
fn every_right_that_is_asked_for_has_a_name() {
    let empty = crate::plan::mounts::ResolvedFiles::default();
    let newest = crate::plan::landlock::resolve(&empty, Network::None, u32::MAX).unwrap();
    for (bits, names) in [
        (newest.handled_fs, &LANDLOCK_FS[..]),
        (newest.handled_net, &LANDLOCK_NET),
        (newest.scoped, &LANDLOCK_SCOPED),
    ] {
        assert_eq!(bits.count_ones() as usize, names.len());
        assert!(!bit_names(bits, names).contains("bit-"));
    }
}
