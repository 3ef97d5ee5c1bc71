//! The caller is as it was: dispositions, masks, descriptors, children, directory, environment.
//! It must not be run beside other tests in one process: all of that is shared.

use super::{alone, alone_after, shell};
use sandbox::report::Verdict;
use std::fs;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};

/// Signal masks and dispositions of every thread, from the kernel's side. Not SigQ,
/// which counts over all processes of the user.
fn threads() -> Vec<String> {
    let mut all = Vec::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        for line in status.lines() {
            let wanted = [
                "SigPnd",
                "SigBlk",
                "SigIgn",
                "SigCgt",
                "Shd",
                "Cap",
                "Uid",
                "Gid",
                "Groups",
                "NoNewPrivs",
                "Seccomp",
                "Umask",
            ];
            if wanted.iter().any(|name| line.starts_with(name)) {
                all.push(line.to_owned());
            }
        }
    }
    all
}

fn descriptors() -> Vec<String> {
    let mut all: Vec<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            format!("{path:?} -> {:?}", fs::read_link(&path).ok())
        })
        // The one that lists them.
        .filter(|line| !line.contains("/fd\""))
        .collect();
    all.sort();
    all
}

type State = (
    Vec<String>,
    Vec<String>,
    Vec<(std::ffi::OsString, std::ffi::OsString)>,
    std::path::PathBuf,
    String,
);

fn state() -> State {
    (
        threads(),
        descriptors(),
        std::env::vars_os().collect(),
        std::env::current_dir().unwrap(),
        fs::read_to_string("/proc/self/mountinfo").unwrap(),
    )
}

static SIGCHLD_SEEN: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: libc::c_int) {
    SIGCHLD_SEEN.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn nothing_of_the_caller_changes() {
    alone("caller::nothing_of_the_caller_changes", || {
        use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
        let handler = SigAction::new(
            SigHandler::Handler(count),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler adds to an atomic number and does nothing else.
        unsafe { sigaction(Signal::SIGCHLD, &handler) }.unwrap();
        let mut some = SigSet::empty();
        some.add(Signal::SIGWINCH);
        some.thread_block().unwrap();
        // Warm up whatever is made once (the standard library's own, too).
        assert_eq!(
            shell("exit 0").spawn().unwrap().wait().unwrap().verdict,
            Verdict::Ok
        );

        let before = state();
        let during = {
            let child = shell("sleep 600").spawn().unwrap();
            let during = state();
            // A child nobody else can see: no `wait(-1)` gets it.
            let status = nix::sys::wait::waitpid(None, None);
            assert_eq!(status, Err(nix::errno::Errno::ECHILD));
            // What the caller executes inherits nothing of it.
            for line in &during.1 {
                assert!(before.1.contains(line) || close_on_exec(line), "{line}");
            }
            drop(child);
            during
        };
        assert_eq!(during.0, before.0, "while it runs");
        assert_eq!((&during.2, &during.3), (&before.2, &before.3));
        for script in ["exit 0", "exit 7", "kill -9 $$", "sleep 0.05 & exit 0"] {
            shell(script).spawn().unwrap().wait().unwrap();
        }
        assert!(shell("").arg("a\0b").spawn().is_err());
        assert!(super::strict(|_| {}).command("/no/such").spawn().is_err());
        assert_eq!(state(), before, "afterwards");
        assert_eq!(SIGCHLD_SEEN.load(Ordering::Relaxed), 0);
    });
}

fn close_on_exec(line: &str) -> bool {
    let number = line.split('"').nth(1).unwrap().rsplit('/').next().unwrap();
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
    let flags = info
        .lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .unwrap();
    i32::from_str_radix(flags.trim(), 8).unwrap() & libc::O_CLOEXEC != 0
}

#[test]
fn forwarding_signals_leaves_the_mask_as_it_was() {
    alone(
        "caller::forwarding_signals_leaves_the_mask_as_it_was",
        || {
            shell("exit 0").spawn().unwrap().wait().unwrap();
            let before = state();
            let report = shell("exit 4")
                .spawn()
                .unwrap()
                .wait_forwarding_signals()
                .unwrap();
            assert_eq!(report.exit.code, Some(4));
            assert_eq!(state(), before);
        },
    );
}

#[test]
fn a_caller_that_ignores_sigchld_learns_the_exit_code() {
    let name = "caller::a_caller_that_ignores_sigchld_learns_the_exit_code";
    // A shell passes on what it ignores.
    alone_after(name, "trap '' CHLD PIPE TERM", || {
        let report = shell("(exit 3); test $? = 3 && kill -TERM $$")
            .spawn()
            .unwrap()
            .wait()
            .unwrap();
        assert_eq!(report.exit.signal, Some(15));
        assert_eq!(report.verdict, Verdict::Signal);
    });
}

#[test]
fn closed_standard_streams_are_an_error_with_a_hint() {
    alone(
        "caller::closed_standard_streams_are_an_error_with_a_hint",
        || {
            // Kept aside, so that this test can still speak.
            let aside: Vec<_> = [
                std::io::stdin().lock().as_raw_fd(),
                std::io::stdout().as_raw_fd(),
                std::io::stderr().as_raw_fd(),
            ]
            .into_iter()
            .map(|fd| {
                (
                    fd,
                    nix::fcntl::fcntl(unsafe_borrow(fd), nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(10))
                        .unwrap(),
                )
            })
            .collect();
            for closed in [&[0][..], &[1], &[2], &[0, 1, 2]] {
                for (fd, _) in aside.iter().filter(|(fd, _)| closed.contains(fd)) {
                    nix::unistd::close(*fd).unwrap();
                }
                let inherited = shell("exit 0")
                    .spawn()
                    .map(drop)
                    .map_err(|error| error.to_string());
                // With streams of their own, nothing of the closed ones matters.
                let mut command = shell("cat >/dev/null; exit 5");
                command
                    .stdin(sandbox::Stdio::Null)
                    .stdout(sandbox::Stdio::Null)
                    .stderr(sandbox::Stdio::Null);
                let given = command.spawn().map(|child| child.wait().unwrap().exit.code);
                for (fd, copy) in &aside {
                    // SAFETY: numbers only; the copies stay open until the process ends.
                    unsafe { libc::dup2(*copy, *fd) };
                }
                let message = inherited.unwrap_err();
                assert!(message.contains("is closed"), "{message}");
                assert!(message.contains("hint: "), "{message}");
                assert_eq!(given.unwrap(), Some(5), "{closed:?}");
            }
        },
    );
}

fn unsafe_borrow(fd: i32) -> std::os::fd::BorrowedFd<'static> {
    // SAFETY: standard streams, open when it is called, and used at once.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) }
}
