//! Between clone and exec nothing allocates: the real child under an allocator that ends it, started from busy threads.
//! It must not run in the process of another test: what is armed is armed for good.

mod support;

#[path = "no_alloc/cases.rs"]
mod cases;
#[path = "no_alloc/guard.rs"]
mod guard;
#[path = "no_alloc/thousand.rs"]
mod thousand;

use cases::CASES;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::Scratch;

#[global_allocator]
static GUARD: guard::Guard = guard::Guard;

/// Set in the process that runs one test for good.
const ALONE: &str = "SANDBOX_TEST_ALONE";

/// Longer than a thousand launches take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Each case by each launching thread.
const ROUNDS: u32 = 12;
const LAUNCHERS: u32 = 2;

/// Runs `body` in a process of its own, as the ordinary user, in a directory of its own,
/// with the allocator armed.
fn armed(test: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        guard::arm();
        body();
        assert_eq!(guard::caught(), 0, "a cloned process allocated");
        return;
    }
    let scratch = Scratch::new();
    for name in ["work", "work/.git", "work/.git/hooks", "work/hidden"] {
        scratch.directory(name);
    }
    scratch.file("work/.git/config", "[core]\n", 0o644);
    scratch.file("work/hidden-file", "x", 0o644);
    scratch.file("work/no-interpreter", "#!/absent\n", 0o755);
    let said = scratch.join("said");
    let stream = || {
        Stdio::from(
            File::options()
                .append(true)
                .create(true)
                .open(&said)
                .unwrap(),
        )
    };
    let mut child = support::again()
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env(ALONE, "1")
        .current_dir(scratch.join("work"))
        .stdout(stream())
        .stderr(stream())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if start.elapsed() > PATIENCE => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let text = std::fs::read_to_string(&said).unwrap();
    assert!(status.is_some(), "it hung:\n{text}");
    assert!(
        status.is_some_and(|status| status.success()) && text.contains("1 passed"),
        "{text}"
    );
}

/// Tells other threads that it is over, also when it is so by a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Threads that hold the allocator's locks, and the environment's, most of the time.
fn while_others_allocate(body: impl FnOnce()) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                let mut size = 1;
                while !over.load(Ordering::Relaxed) {
                    size = size * 7 % 65_537;
                    kept.push(vec![1; size]);
                    kept.truncate(64);
                    std::hint::black_box(std::env::var_os("PATH"));
                }
            });
        }
        let _over = Over(&over);
        body();
    });
}

/// Runs `body` in a copy of this process, as clone makes one; its exit code.
fn in_a_copy(body: fn()) -> i32 {
    // SAFETY: the copy does what `body` does, which is what the test is about, and exits.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } as i32;
    if pid == 0 {
        body();
        // SAFETY: never returns.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for the length of the call.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    libc::WEXITSTATUS(status)
}

#[test]
fn the_guard_ends_a_copy_that_allocates_or_frees() {
    if std::env::var_os(ALONE).is_none() {
        return armed("the_guard_ends_a_copy_that_allocates_or_frees", || {});
    }
    static KEPT: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());
    KEPT.lock().unwrap().push(1);
    guard::arm();
    assert_eq!(in_a_copy(|| {}), 0);
    assert_eq!(guard::caught(), 0);
    let allocates = || drop(std::hint::black_box(Box::new(1)));
    assert_eq!(in_a_copy(allocates), guard::ALLOCATED);
    assert_eq!(guard::caught(), 1);
    let frees = || drop(std::mem::take(&mut *KEPT.lock().unwrap()));
    assert_eq!(in_a_copy(frees), guard::ALLOCATED);
    let panics = || {
        let _ = std::panic::catch_unwind(|| panic!("in the copy"));
    };
    assert_eq!(in_a_copy(panics), guard::ALLOCATED);
    assert_eq!(guard::caught(), 3);
}

#[test]
fn no_launch_allocates_after_the_clone() {
    armed("no_launch_allocates_after_the_clone", || {
        while_others_allocate(|| {
            std::thread::scope(|scope| {
                for _ in 0..LAUNCHERS {
                    scope.spawn(|| {
                        for (name, launch) in
                            CASES.iter().cycle().take(CASES.len() * ROUNDS as usize)
                        {
                            let wrong = launch().err();
                            assert_eq!((wrong, guard::caught()), (None, 0), "{name}");
                        }
                    });
                }
            });
        });
    });
}

#[test]
fn a_source_that_vanishes_is_no_reason_to_allocate() {
    armed("a_source_that_vanishes_is_no_reason_to_allocate", || {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let place = Path::new("vanishing");
                while !over.load(Ordering::Relaxed) {
                    let _ = std::fs::create_dir(place);
                    let _ = std::fs::remove_dir(place);
                }
            });
            let _over = Over(&over);
            for _ in 0..100 {
                assert_eq!((cases::vanishing(), guard::caught()), (Ok(()), 0));
            }
        });
    });
}
