//! Resource limits: each is reached in one step and answers as the kernel's manual says.
//! It must not ask how the sandbox reports a limit; `cli` does.

use crate::calls::{alone, here, told, word};
use crate::support;
use nix::sys::resource::Resource;
use std::fs;
use std::io::Write;

checks! {
    core_limit, || limit(Resource::RLIMIT_CORE);
    // A control group keeps it otherwise (`pids.max`).
    process_limit: _ => "9 9" with ["--processes", "8", "--cgroup", "none"], || limit(Resource::RLIMIT_NPROC);
    raise_the_process_limit: _ => "EPERM" with ["--processes", "8", "--cgroup", "none"], || {
        let limit = [100usize, 100];
        crate::calls::ask(libc::SYS_prlimit64, [0, libc::RLIMIT_NPROC as usize, limit.as_ptr() as usize, 0])
    };
    fork_at_the_limit: _ => "EAGAIN" with ["--processes", "8"], fork_until_refused;
    threads_at_the_limit: _ => "EAGAIN" with ["--processes", "8"], || {
        // Each counts, as a process does.
        let mut threads = Vec::new();
        loop {
            let (hold, held) = std::sync::mpsc::channel::<()>();
            match std::thread::Builder::new().spawn(move || { let _ = held.recv(); }) {
                Ok(_) if threads.len() > 50 => return "open".into(),
                Ok(_) => threads.push(hold),
                Err(error) => return told::<()>(Err(error)),
            }
        }
    };
    file_at_the_limit: _ => "SIGXFSZ" with ["--file-size", "64KiB"], || {
        let file = fs::File::create("/tmp/file").unwrap();
        let file = std::os::fd::AsRawFd::as_raw_fd(&file) as usize;
        // The run-time of Rust does not touch this signal.
        alone(|| {
            let bytes = [0u8; 4096];
            for _ in 0..32 {
                here(libc::SYS_write, [file, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]);
            }
            0
        })
    };
    file_at_the_limit_with_the_signal_ignored: _ => "EFBIG" with ["--file-size", "64KiB"], || deaf(|| {
        let file = fs::File::create("/tmp/file").unwrap();
        told((&file).write_all(&[0; 65 << 10]))
    });
    truncate_beyond_the_limit: _ => "EFBIG" with ["--file-size", "64KiB"], || deaf(|| {
        told(fs::File::create("/tmp/file").and_then(|file| file.set_len(65 << 10)))
    });
    allocate_beyond_the_limit: _ => "EFBIG" with ["--file-size", "64KiB"], || deaf(|| {
        let file = fs::File::create("/tmp/file").unwrap();
        let file = std::os::fd::AsRawFd::as_raw_fd(&file) as usize;
        alone(|| here(libc::SYS_fallocate, [file, 0, 0, 65 << 10, 0, 0]))
    });
    memory_file_beyond_the_limit: _ => "EFBIG" with ["--file-size", "64KiB"], || deaf(|| {
        let name = crate::calls::path("file");
        alone(|| {
            let file = here(libc::SYS_memfd_create, [name.as_ptr() as usize, 0, 0, 0, 0, 0]) as usize;
            here(libc::SYS_ftruncate, [file, 65 << 10, 0, 0, 0, 0])
        })
    });
    raise_the_file_limit: _ => "EPERM" with ["--file-size", "64KiB"], || {
        let limit = [usize::MAX, usize::MAX];
        crate::calls::ask(libc::SYS_prlimit64, [0, libc::RLIMIT_FSIZE as usize, limit.as_ptr() as usize, 0])
    };
    file_below_the_limit: _ => "open" with ["--file-size", "64KiB"], || told(fs::write("/tmp/file", vec![0; 64 << 10]));
    descriptors_at_the_limit: _ => "EMFILE" with ["--open-files", "32"], || {
        let mut held = Vec::new();
        loop {
            match fs::File::open("/dev/null") {
                Ok(_) if held.len() > 64 => return "open".into(),
                Ok(file) => held.push(file),
                Err(error) => {
                    assert!(held.len() > 20, "only {}", held.len());
                    return told::<()>(Err(error));
                }
            }
        }
    };
    // What is reserved and not used is nobody's memory, within reason.
    reserve_without_reason: _ => "ENOMEM" with ["--memory", "64MiB"], || map(64 << 30);
    reserve_beyond_the_limit: _ => "open" with ["--memory", "64MiB"], || map(128 << 20);
    memory_below_the_limit: _ => "open" with ["--memory", "64MiB"], || map(16 << 20);
    lock_beyond_the_limit: _ => "ENOMEM" with ["--memory", "64MiB"], || alone(|| {
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
        let place = here(libc::SYS_mmap, [0, 16 << 20, protection, flags, usize::MAX, 0]);
        match place {
            -1 => 0,
            place => here(libc::SYS_mlock, [place as usize, 16 << 20, 0, 0, 0, 0]),
        }
    });
    shm_without_inodes: _ => "ENOSPC", || {
        for number in 0..10_000 {
            let made = fs::File::create(format!("/dev/shm/{number}"));
            if made.is_err() {
                return told(made);
            }
        }
        "open".into()
    };
    tmp_without_room: _ => "ENOSPC" with ["--tmpfs", "/tmp:1MiB:64"], || told(fill("/tmp/file", 2));
    tmp_with_room: _ => "open" with ["--tmpfs", "/tmp:4MiB:64"], || told(fill("/tmp/file", 2));
    tmp_without_inodes: _ => "ENOSPC" with ["--tmpfs", "/tmp:1MiB:64"], || {
        for number in 0..128 {
            let made = fs::File::create(format!("/tmp/{number}"));
            if made.is_err() {
                return told(made);
            }
        }
        "open".into()
    };
    shm_without_room: _ => "ENOSPC" with ["--file-size", "none"], || told(fill("/dev/shm/file", 65));
    processor_limit: _ => "4 5" with ["--cpu-time", "2s"], || limit(Resource::RLIMIT_CPU);
    stays_writable_and_executable: _ => "open", || executable_later();
    busy_beside_a_slow_clock, busy_beside_a_slow_clock;
    write_xor_execute, || executable_later();
}

/// With SIGXFSZ ignored, as many programs do.
fn deaf(ask: impl Fn() -> String) -> String {
    // SAFETY: ignoring a signal runs no handler.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    ask()
}

fn limit(resource: Resource) -> String {
    let (soft, hard) = nix::sys::resource::getrlimit(resource).unwrap();
    format!("{soft} {hard}")
}

/// Children that wait, until there is no room for another; they end with the run.
fn fork_until_refused() -> String {
    for _ in 0..64 {
        match child(nix::unistd::pause) {
            -1 => return word(-1),
            _ => continue,
        }
    }
    "open".into()
}

/// A process that does the same for ever, until the run ends.
fn child(again: impl Fn()) -> i64 {
    // SAFETY: `again` makes no calls but those that are safe after fork(2).
    match unsafe { libc::fork() } {
        0 => loop {
            again();
        },
        parent_side => parent_side.into(),
    }
}

/// Whoever runs as the same user may do this to pid 1, which keeps the clock.
fn busy_beside_a_slow_clock() -> String {
    let idle = 0u32;
    let (own, first) = (0, 1);
    // SAFETY: the calls take numbers, and a pointer to what outlives them.
    unsafe {
        let mut only: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(own, size_of_val(&only), &raw mut only);
        let cpu = (0..libc::CPU_SETSIZE as usize).find(|cpu| libc::CPU_ISSET(*cpu, &only));
        libc::CPU_ZERO(&mut only);
        libc::CPU_SET(cpu.unwrap(), &mut only);
        libc::setpriority(libc::PRIO_PROCESS, 1, 19);
        libc::sched_setscheduler(first, libc::SCHED_IDLE, (&raw const idle).cast());
        for process in [own, first] {
            libc::sched_setaffinity(process, size_of_val(&only), &raw const only);
        }
    }
    while child(|| ()) != -1 {}
    loop {
        std::hint::spin_loop();
    }
}

fn map(bytes: usize) -> String {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    crate::calls::ask(libc::SYS_mmap, [0, bytes, protection, flags, usize::MAX, 0])
}

fn fill(path: &str, mebibytes: usize) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
    let block = vec![1; 1 << 20];
    (0..mebibytes).try_for_each(|_| file.write_all(&block))
}

/// What a just-in-time compiler does: write, then make executable.
fn executable_later() -> String {
    alone(|| {
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
        let place = here(libc::SYS_mmap, [0, 4096, protection, flags, usize::MAX, 0]);
        let wanted = (libc::PROT_READ | libc::PROT_EXEC) as usize;
        match place {
            -1 => -1,
            place => here(libc::SYS_mprotect, [place as usize, 4096, wanted, 0, 0, 0]),
        }
    })
}

const PR_GET_MDWE: usize = 66;

#[test]
fn memory_deny_write_execute() {
    let scratch = support::Scratch::new();
    let text = "version = 1\nextends = [\"strict\"]\n[process]\nmemory-deny-write-execute = true\n";
    let policy = scratch.file("mdwe.toml", text, 0o644);
    let options = ["--policy", policy.to_str().unwrap()];
    let answer = crate::harness::jailed("write_xor_execute", "", &options);
    // Linux before 6.3 does not know the question.
    match here(libc::SYS_prctl, [PR_GET_MDWE, 0, 0, 0, 0, 0]) {
        -1 => crate::harness::refused(&answer, "(PR_SET_MDWE, Linux 6.3)"),
        _ => assert_eq!(answer.as_deref(), Ok("EACCES")),
    }
}

#[test]
fn processor_time_ends_a_busy_loop() {
    let mut command = support::sandbox();
    command.args([
        "--cpu-time",
        "1s",
        "--",
        "/bin/sh",
        "-c",
        "while :; do :; done",
    ]);
    assert_eq!(support::code(&support::run(&mut command)), 124);
}

/// pid 1 can be made the last to run; the clock must strike all the same.
#[test]
fn wall_time_ends_a_program_that_slows_the_clock() {
    let options = [
        "--wall-time",
        "1s",
        "--cpu-time",
        "none",
        "--processes",
        "16",
    ];
    let started = std::time::Instant::now();
    let mut command = crate::harness::inside("busy_beside_a_slow_clock", "", &options);
    assert_eq!(support::code(&support::run(&mut command)), 124);
    let took = started.elapsed();
    // Without the clock it never ends; an emulated processor takes its time.
    assert!(took < std::time::Duration::from_secs(30), "{took:?}");
}

/// One byte keeps the kernel from starting a core pattern's program, which zero
/// does not; but who was given zero cannot have one.
#[test]
fn no_core_dumps() {
    let most = limit(Resource::RLIMIT_CORE);
    let most: u64 = most.split(' ').nth(1).unwrap().parse().unwrap();
    let expected = most.min(1);
    let answer = crate::harness::jailed("core_limit", "", &[]);
    assert_eq!(answer, Ok(format!("{expected} {expected}")));
}
