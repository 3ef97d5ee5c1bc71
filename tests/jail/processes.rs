//! Processes: pid 1 and the host's are out of reach of signals, and nothing outlives the run.
//! It must not ask what `/proc` shows; `proc` does.

use crate::calls::{alone, ask, here};
use crate::harness::{agree, argument, free, jailed, landlock_abi};
use crate::support;
use std::fs;
use std::time::{Duration, Instant};

checks! {
    kill_init, || ask(libc::SYS_kill, [1, libc::SIGKILL as usize]);
    stop_init, || ask(libc::SYS_kill, [1, libc::SIGSTOP as usize]);
    probe_init, || ask(libc::SYS_kill, [1, 0]);
    signal_a_thread_of_init, || ask(libc::SYS_tgkill, [1, 1, libc::SIGKILL as usize]);
    signal_init_by_descriptor, || {
        alone(|| {
            let init = here(libc::SYS_pidfd_open, [1, 0, 0, 0, 0, 0]);
            if init == -1 {
                return -1;
            }
            here(libc::SYS_pidfd_send_signal, [init as usize, libc::SIGKILL as usize, 0, 0, 0, 0])
        })
    };
    signal_oneself: "open" => "open", || alone(|| {
        let own = here(libc::SYS_getpid, [0; 6]) as usize;
        here(libc::SYS_kill, [own, 0, 0, 0, 0, 0])
    });
    init_outlives_its_murder: _ => "1", || {
        ask(libc::SYS_kill, [1, libc::SIGKILL as usize]);
        ask(libc::SYS_kill, [1, libc::SIGTERM as usize]);
        std::os::unix::process::parent_id().to_string()
    };
    signal_a_host_process, || {
        let number: usize = argument().parse().unwrap();
        ask(libc::SYS_kill, [number, 0])
    };
    descriptor_of_init: _ => "EPERM", || alone(|| {
        let init = here(libc::SYS_pidfd_open, [1, 0, 0, 0, 0, 0]) as usize;
        here(libc::SYS_pidfd_getfd, [init, 0, 0, 0, 0, 0])
    });
    memory_of_init: _ => "EPERM", || {
        let mut byte = [0u8; 1];
        let place = [byte.as_mut_ptr() as usize, 1];
        let place = place.as_ptr() as usize;
        ask(libc::SYS_process_vm_readv, [1, place, 1, place, 1, 0])
    };
    trace_init: _ => "EPERM", || ask(libc::SYS_ptrace, [libc::PTRACE_ATTACH as usize, 1]);
    compare_with_init: _ => "EPERM", || ask(libc::SYS_kcmp, [1, std::process::id() as usize, 1]);
    robust_list_of_init: _ => "EPERM", || {
        let mut place = [0usize; 2];
        let place = place.as_mut_ptr() as usize;
        ask(libc::SYS_get_robust_list, [1, place, place + 8])
    };
    queue_a_signal_for_init: _ => "EPERM", || {
        let information = [0u8; 128];
        ask(libc::SYS_rt_sigqueueinfo, [1, libc::SIGTERM as usize, information.as_ptr() as usize])
    };
    a_child_of_init: "open" => "open", || {
        // Whose end is for pid 1 to take note of, and not the run's.
        ask(libc::SYS_clone, [(libc::CLONE_PARENT | libc::SIGCHLD) as usize])
    };
    orphans_are_reaped: _ => "reaped", || {
        // The middle one ends at once, and its child is given to pid 1.
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", "(/bin/true & ) ; /bin/sleep 0.2; ls /proc | grep -c '^[0-9]'"])
            .output()
            .unwrap();
        match String::from_utf8_lossy(&output.stdout).trim().parse::<u32>() {
            // This process, the shell, ls and grep.
            Ok(count) if count <= 4 => "reaped".into(),
            other => format!("{other:?}"),
        }
    };
}

/// Landlock's scope refuses it since ABI 6 (Linux 6.12). Before, the call is carried
/// out and the kernel throws the signal away: pid 1 has no handler for any, and one
/// of its own namespace cannot end or stop it (pid_namespaces(7)).
fn init_takes_no_signal(check: &str) {
    let expected = if landlock_abi() < 6 { "open" } else { "EPERM" };
    agree(check, &jailed(check, "", &[]), expected);
}

macro_rules! to_init {
    ($($test:ident $check:literal)*) => { $(#[test] fn $test() { init_takes_no_signal($check); })* };
}

to_init! {
    init_cannot_be_killed "kill_init"
    init_cannot_be_stopped "stop_init"
    init_cannot_be_probed "probe_init"
    a_thread_of_init_cannot_be_signalled "signal_a_thread_of_init"
    init_cannot_be_signalled_by_descriptor "signal_init_by_descriptor"
}

#[test]
fn a_process_of_the_host_cannot_be_signalled() {
    let mut sleeper = support::ordinary("/bin/sleep").arg("60").spawn().unwrap();
    let number = sleeper.id().to_string();
    let outside = free("signal_a_host_process", &number);
    let inside = jailed("signal_a_host_process", &number, &[]);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert_eq!(outside.as_deref(), Ok("open"));
    assert_eq!(inside.as_deref(), Ok("ESRCH"));
}

/// Host processes whose command line has the word.
fn with_word(word: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| String::from_utf8_lossy(line).contains(word))
        .count()
}

/// Runs a script and expects that 100 ms later nothing of it is left.
fn leaves_nothing(name: &str, script: &str) {
    let word = format!("sandbox-left-{name}-{}", std::process::id());
    let script = script.replace("WORD", &word);
    let mut command = support::sandbox();
    // The streams of what is left would keep a pipe open: they go nowhere.
    command.args(["--", "/bin/sh", "-c", &script]);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let output = support::run_as_is(&mut command);
    assert_eq!(support::code(&output), 0, "{name}");
    let until = Instant::now() + Duration::from_millis(100);
    while with_word(&word) > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(with_word(&word), 0, "{name}");
}

#[test]
fn a_background_process_ends_with_the_program() {
    leaves_nothing("background", "exec 2>&1; sh -c 'sleep 60; : WORD' & exit 0");
}

#[test]
fn a_daemon_ends_with_the_program() {
    leaves_nothing(
        "daemon",
        "setsid sh -c 'setsid sh -c \"sleep 60; : WORD\" & exit 0' & sleep 0.2; exit 0",
    );
}

#[test]
fn a_stopped_process_ends_with_the_program() {
    leaves_nothing(
        "stopped",
        "sh -c 'kill -STOP $$; : WORD' & sleep 0.2; exit 0",
    );
}

#[test]
fn a_process_that_ignores_signals_ends_with_the_program() {
    leaves_nothing(
        "deaf",
        "sh -c 'trap \"\" TERM HUP INT; sleep 60; : WORD' & sleep 0.1; exit 0",
    );
}

#[test]
fn zombies_end_with_the_program() {
    // Nobody waits for any of them: the shell that would was replaced.
    leaves_nothing(
        "zombies",
        "for n in 1 2 3 4 5 6 7 8; do sh -c ': WORD' & done; exec sleep 0.2",
    );
}

#[test]
fn a_process_twice_removed_ends_with_the_program() {
    // No session, no group, no parent of the program's is left to it.
    leaves_nothing(
        "twice",
        "(setsid sh -c '(setsid sh -c \"trap : HUP; sleep 60; : WORD\" &) &' &); sleep 0.2",
    );
}

/// SIGKILL gives the supervisor no chance to clean up.
#[test]
fn nothing_outlives_a_killed_supervisor() {
    let word = format!("sandbox-orphan-{}", std::process::id());
    let script = format!("setsid sleep 60 & sh -c 'sleep 60; : {word}' & echo up; wait");
    let mut child = started(&script);
    // A process that is being executed has no arguments for a moment, and where a worker
    // launches there is no pid 1 with the word to make up for it.
    let until = Instant::now() + Duration::from_secs(5);
    let mut seen = with_word(&word);
    while seen < 3 && Instant::now() < until {
        seen = with_word(&word);
    }
    assert!(seen >= 3);
    child.kill().unwrap();
    child.wait().unwrap();
    let until = Instant::now() + Duration::from_millis(100);
    while with_word(&word) > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(with_word(&word), 0);
}

/// A script under `strict` that has printed `up`.
fn started(script: &str) -> std::process::Child {
    let mut command = support::sandbox();
    command.args(["--", "/bin/sh", "-c", script]);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut up = [0; 3];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut up).unwrap();
    child
}

/// The search above must be able to find what it looks for.
#[test]
fn a_process_that_runs_is_found() {
    let word = format!("sandbox-found-{}", std::process::id());
    let mut child = started(&format!("echo up; read line; : {word}"));
    // The supervisor, pid 1 and the shell; pid 1 has the arguments of who launched it.
    let pid_1 = usize::from(!support::by_worker());
    assert_eq!(with_word(&word), 2 + pid_1);
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(with_word(&word), 0);
}
