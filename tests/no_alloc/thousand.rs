//! A thousand launches from a multi-threaded async program: every answer right, nothing left in the caller.
//! It must not measure how long they take.

use super::{armed, guard};
use sandbox::policy::{Context, Policy};
use sandbox::{Sandbox, Stdio};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, spawn_blocking};

const LAUNCHES: u32 = 1000;
const AT_ONCE: u32 = 8;

#[test]
fn a_thousand_launches_from_an_async_program() {
    armed(
        "thousand::a_thousand_launches_from_an_async_program",
        || {
            let sandbox = sandbox();
            let threads = listed("task");
            // Once before: what is made once is made.
            assert_eq!(runtime(&sandbox, 8), 8);
            let descriptors = listed("fd");
            assert_eq!(runtime(&sandbox, LAUNCHES), LAUNCHES);
            assert_eq!(threads_at_last(threads), threads, "threads");
            assert_eq!(listed("fd"), descriptors, "descriptors");
            // No child of any kind, ended or not (__WALL: clone children too).
            // SAFETY: no status is asked for.
            let waited =
                unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::__WALL | libc::WNOHANG) };
            let errno = std::io::Error::last_os_error().raw_os_error();
            assert_eq!((waited, errno), (-1, Some(libc::ECHILD)), "children");
            assert_eq!(guard::caught(), 0);
        },
    );
}

fn sandbox() -> Sandbox {
    let mut policy = Policy::load(OsStr::new("strict"), &Context::current()).unwrap();
    // Through the relay, so that the supervisor has something to do.
    policy.limits.output = Some((1 << 20).into());
    Sandbox::new(policy).unwrap()
}

/// How many of `launches` gave the right answer.
fn runtime(sandbox: &Sandbox, launches: u32) -> u32 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for first in 0..AT_ONCE {
            let sandbox = sandbox.clone();
            tasks.spawn(async move {
                let mut right = 0;
                for number in (first..launches).step_by(AT_ONCE as usize) {
                    let sandbox = sandbox.clone();
                    let start = spawn_blocking(move || start(&sandbox, number));
                    let child = start.await.unwrap();
                    // Another thread waits than the one that spawned.
                    let answer = spawn_blocking(move || answer(child, number));
                    right += u32::from(answer.await.unwrap());
                }
                right
            });
        }
        let mut right = 0;
        while let Some(task) = tasks.join_next().await {
            right += task.unwrap();
        }
        right
    })
}

fn start(sandbox: &Sandbox, number: u32) -> sandbox::Child {
    sandbox
        .command("/bin/sh")
        .args(["-c", &format!("echo {number}; exit {}", number % 100)])
        .stdin(Stdio::Null)
        .stdout(Stdio::Piped)
        .spawn()
        .unwrap()
}

fn answer(mut child: sandbox::Child, number: u32) -> bool {
    let mut stdout = child.stdout.take().unwrap();
    let report = child.wait().unwrap();
    let mut written = String::new();
    stdout.read_to_string(&mut written).unwrap();
    report.exit_code() == (number % 100) as u8 && written == format!("{number}\n")
}

/// What is listed in a directory of `/proc/self`, but for the descriptor that lists.
fn listed(directory: &str) -> usize {
    fs::read_dir(format!("/proc/self/{directory}"))
        .unwrap()
        .count()
}

/// The number of threads, as soon as it is `wanted`; what it is after a while otherwise. A
/// joined thread may still be on its way out.
fn threads_at_last(wanted: usize) -> usize {
    let start = Instant::now();
    loop {
        let now = listed("task");
        if now == wanted || start.elapsed() > Duration::from_secs(10) {
            return now;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
