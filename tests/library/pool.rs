//! `Pool`: what its runs share, and what they do not; what happens when a worker or the
//! machine changes. What holds inside is `tests/jail_warm.rs`.
//! It must not time anything.

use super::{alone, children_of, strict, waiting, workers};
use crate::support::{self, Scratch};
use sandbox::policy::{Access, Context};
use sandbox::report::{Report, Verdict};
use sandbox::{Command, Pool, Prepared, Stdio};
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::num::NonZero;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

const STOOD: &str = "a root that stood, ";
const STOOD_BY: &str = "; stood by for its program";

fn pool_of(prepared: &Prepared, workers: usize) -> Pool {
    Pool::new(prepared, support::binary(), NonZero::new(workers).unwrap()).unwrap()
}

/// A pool of one worker for a shell script under `strict`.
fn pool(script: &str) -> Pool {
    pool_of(&prepared(&[], script), 1)
}

fn prepared(read: &[&Path], script: &str) -> Prepared {
    let sandbox = strict(|policy| {
        for path in read {
            let path = path.to_str().unwrap();
            let context = Context::current();
            policy.add_file(Access::Read, path, &context).unwrap();
        }
    });
    let mut command = sandbox.command("/bin/sh");
    command.args(["-c", script, "sh"]);
    command.prepare().unwrap()
}

/// Standard output of a run, and its record.
fn says(command: &mut Command) -> (String, Report) {
    let mut child = command
        .stdin(Stdio::Null)
        .stdout(Stdio::Piped)
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut text).unwrap();
    (text, child.wait().unwrap())
}

fn is_warm(report: &Report) -> bool {
    let mut layers = report.layers.iter();
    layers.any(|layer| layer.detail.starts_with(STOOD))
}

/// Was it begun before it was asked for?
fn stood_by(report: &Report) -> bool {
    let mut layers = report.layers.iter();
    layers.any(|layer| layer.detail.ends_with(STOOD_BY))
}

#[test]
fn runs_are_those_of_what_was_prepared() {
    alone("pool::runs_are_those_of_what_was_prepared", || {
        let pool = pool("echo \"$# $1\"; exit 7");
        for argument in ["a", "b", "c"] {
            let (text, report) = says(pool.command().arg(argument));
            assert_eq!(text, format!("1 {argument}\n"));
            assert_eq!((report.verdict, report.exit.code), (Verdict::Exit, Some(7)));
            assert!(is_warm(&report), "{:?}", report.layers);
            assert!(report.max_rss_bytes > 0);
        }
    });
}

/// The program's arguments and streams are those of the request, however early the run was
/// begun.
#[test]
fn a_run_stands_by_before_anybody_wants_it() {
    alone("pool::a_run_stands_by_before_anybody_wants_it", || {
        let place = Scratch::new();
        let pool = pool("cat; echo \"$# $*\"");
        let arguments: [&[&str]; 4] = [&[], &["a b", ""], &["x"; 2000], &[""; 20_000]];
        for (number, arguments) in arguments.into_iter().enumerate() {
            let name = number.to_string();
            let input = fs::File::open(place.file(&name, &name, 0o644)).unwrap();
            let mut command = pool.command();
            command.args(arguments).stdin(input).stdout(Stdio::Piped);
            let mut child = command.spawn().unwrap();
            let mut text = String::new();
            let mut stdout = child.stdout.take().unwrap();
            stdout.read_to_string(&mut text).unwrap();
            let (count, all) = (arguments.len(), arguments.join(" "));
            assert_eq!(text, format!("{number}{count} {all}\n"));
            let report = child.wait().unwrap();
            // More arguments than fit are for the cold launch.
            let fit = count < 10_000;
            assert_eq!((is_warm(&report), stood_by(&report)), (fit, fit));
        }
    });
}

#[test]
fn what_is_asked_otherwise_is_not_begun_ahead() {
    alone("pool::what_is_asked_otherwise_is_not_begun_ahead", || {
        let place = Scratch::new();
        let pool = pool("cat <&5 2>/dev/null; echo here");
        for own in [false, true, false] {
            let mut command = pool.command();
            if own {
                let file = fs::File::open(place.file("five", "five ", 0o644)).unwrap();
                command.fd_as(5, OwnedFd::from(file));
            }
            let (text, report) = says(&mut command);
            assert_eq!(text, if own { "five here\n" } else { "here\n" });
            assert_eq!((is_warm(&report), stood_by(&report)), (true, !own));
        }
    });
}

#[test]
fn what_stands_by_is_not_missed_and_does_not_stay() {
    alone(
        "pool::what_stands_by_is_not_missed_and_does_not_stay",
        || {
            let pool = pool("exit 3");
            let worker = workers()[0];
            let standing_by = || loop {
                // It was ordered; somebody has to make it.
                if let [one] = children_of(worker)[..] {
                    break one;
                }
                std::thread::yield_now();
            };
            let is_there = |pid| Path::new(&format!("/proc/{pid}")).exists();
            let first = standing_by();
            kill(first);
            while is_there(first) {
                std::thread::yield_now();
            }
            let (_, report) = says(&mut pool.command());
            assert_eq!(report.exit.code, Some(3));
            assert_eq!((is_warm(&report), stood_by(&report)), (true, false));
            let next = standing_by();
            drop(pool);
            assert!(!is_there(next) && !is_there(worker));
        },
    );
}

#[test]
fn every_layer_is_confirmed_as_in_a_cold_launch() {
    alone("pool::every_layer_is_confirmed_as_in_a_cold_launch", || {
        let prepared = prepared(&[], "exit 0");
        let steps = |report: &Report| {
            let names = report.layers.iter().map(|layer| layer.step);
            names.collect::<Vec<_>>()
        };
        let (_, cold) = says(&mut prepared.command());
        let (_, warm) = says(&mut pool_of(&prepared, 1).command());
        assert!(is_warm(&warm) && !is_warm(&cold));
        assert_eq!(steps(&warm), steps(&cold));
        for (cold, warm) in cold.layers.iter().zip(&warm.layers) {
            // What is said otherwise is what is otherwise.
            let own = ["mounts", "root", "net", "payload"].contains(&cold.step);
            assert_eq!(cold.detail == warm.detail, !own, "{}", cold.step);
        }
    });
}

/// Eight kinds of namespaces, and no two runs at the same time share one.
#[test]
fn every_namespace_is_another_for_runs_at_the_same_time() {
    alone(
        "pool::every_namespace_is_another_for_runs_at_the_same_time",
        || {
            let kinds = "user mnt pid ipc uts cgroup time net";
            let script = format!(
                "for kind in {kinds}; do printf '%s ' \"$(readlink /proc/self/ns/$kind)\"; done; echo; read line"
            );
            let pool = pool(&script);
            let runs: Vec<_> = (0..3).map(|_| waiting(&mut pool.command())).collect();
            let mut seen = BTreeSet::new();
            for kind in kinds.split(' ') {
                let own = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
                seen.insert(own.to_str().unwrap().to_owned());
            }
            for (_, line) in &runs {
                let links: Vec<_> = line.split_whitespace().collect();
                assert_eq!(links.len(), 8, "{line}");
                for link in links {
                    assert!(seen.insert(link.to_owned()), "{link} twice");
                }
            }
            for (child, _) in runs {
                assert!(is_warm(&child.wait().unwrap()));
            }
        },
    );
}

/// `SECURITY.md`: a network namespace is used again when it is empty.
#[test]
fn an_empty_network_namespace_is_used_again() {
    alone("pool::an_empty_network_namespace_is_used_again", || {
        let pool = pool("readlink /proc/self/ns/net; read line");
        // Each run is begun while the one before it has its own.
        let mut seen = BTreeSet::new();
        for _ in 0..6 {
            let (run, name) = waiting(&mut pool.command());
            run.wait().unwrap();
            seen.insert(name);
        }
        assert_eq!(seen.len(), 2, "{seen:?}");
    });
}

/// `SECURITY.md`: one with a socket in it is not. The program passes its socket out, and the
/// caller keeps it.
#[test]
fn a_network_namespace_with_a_socket_left_is_not_used_again() {
    alone(
        "pool::a_network_namespace_with_a_socket_left_is_not_used_again",
        || {
            let script = "import array, os, socket\n\
                print(os.readlink('/proc/self/ns/net'), flush=True)\n\
                out = socket.socket(fileno=3)\n\
                kept = socket.socket(socket.AF_UNIX)\n\
                kept = array.array('i', [kept.detach()])\n\
                out.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, kept)])\n";
            let sandbox = strict(|_| {});
            let Some(python) = support::installed("python3") else {
                return;
            };
            let mut command = sandbox.command(python);
            command.args(["-c", script]);
            let (ours, its) = UnixStream::pair().unwrap();
            let pool = pool_of(&command.prepare().unwrap(), 1);
            let mut seen = BTreeSet::new();
            let mut held: Vec<OwnedFd> = Vec::new();
            for _ in 0..3 {
                let its = its.try_clone().unwrap();
                let mut command = pool.command();
                command.fd_as(3, OwnedFd::from(its));
                let (name, report) = says(&mut command);
                assert_eq!(report.verdict, Verdict::Ok, "{name}");
                assert!(is_warm(&report));
                held.push(received(&ours));
                assert!(seen.insert(name.clone()), "{name} with a socket in it");
            }
        },
    );
}

/// The descriptor in the next message.
fn received(from: &UnixStream) -> OwnedFd {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    use std::os::fd::FromRawFd;
    let mut byte = [0];
    let mut parts = [std::io::IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!([i32; 1]);
    let flags = MsgFlags::empty();
    let message = recvmsg::<()>(from.as_raw_fd(), &mut parts, Some(&mut space), flags).unwrap();
    let Some(ControlMessageOwned::ScmRights(fds)) = message.cmsgs().unwrap().next() else {
        panic!("no descriptor came");
    };
    // SAFETY: a descriptor that arrives is new, and owned by nobody else.
    unsafe { OwnedFd::from_raw_fd(fds[0]) }
}

/// `SECURITY.md`: nobody is root in what owns the network namespace, and nothing inside has a
/// capability over it.
#[test]
fn nobody_inside_owns_the_network_namespace() {
    alone("pool::nobody_inside_owns_the_network_namespace", || {
        let pool = pool("echo up; read line");
        let (run, _) = waiting(&mut pool.command());
        let worker = workers()[0];
        let inside = children_of(worker)[0];
        let identity = |file: fs::File| file.metadata().unwrap().ino();
        // pid 1 is not to be looked into; the program is.
        let inside = children_of(inside)[0];
        let open = |kind| fs::File::open(format!("/proc/{inside}/ns/{kind}")).unwrap();
        let owner = identity(owner_of(&open("net")));
        // As in a cold launch the run's own namespace owns the others.
        assert_eq!(identity(owner_of(&open("ipc"))), identity(open("user")));
        assert_ne!(owner, identity(open("user")));
        assert_ne!(
            owner,
            identity(fs::File::open("/proc/self/ns/user").unwrap())
        );
        // Who is root there, nobody is.
        let map = fs::read_to_string(format!("/proc/{worker}/uid_map")).unwrap();
        let uid = nix::unistd::geteuid();
        let words: Vec<_> = map.split_whitespace().collect();
        assert_eq!(words, [&uid.to_string(), &uid.to_string(), "1"]);
        assert!(!uid.is_root());
        run.wait().unwrap();
    });
}

/// The user namespace that owns another (NS_GET_USERNS of ioctl_ns(2)).
fn owner_of(namespace: &fs::File) -> fs::File {
    use std::os::fd::FromRawFd;
    const NS_GET_USERNS: u64 = 0xb701;
    // SAFETY: the request takes no argument.
    let fd = unsafe { nix::libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS as _) };
    assert!(fd >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor, owned by nobody else.
    unsafe { fs::File::from_raw_fd(fd) }
}

/// `SECURITY.md`: files, locks and names of a run are gone with it.
#[test]
fn nothing_written_by_one_run_is_seen_by_the_next() {
    alone(
        "pool::nothing_written_by_one_run_is_seen_by_the_next",
        || {
            let pool = pool(
                "ls -A /tmp /dev/shm; echo x > /tmp/left; echo x > /dev/shm/left; \
             (: > /etc/new) 2>/dev/null || echo sealed; flock -n /etc/passwd true && echo free; \
             (flock -n 9; sleep 60) 9< /etc/passwd &",
            );
            for _ in 0..3 {
                let (text, report) = says(&mut pool.command());
                assert_eq!(text, "/dev/shm:\n\n/tmp:\nsealed\nfree\n");
                assert!(is_warm(&report));
            }
        },
    );
}

#[test]
fn a_source_that_was_replaced_is_refused_and_not_shown_as_it_was() {
    alone(
        "pool::a_source_that_was_replaced_is_refused_and_not_shown_as_it_was",
        || {
            // On the root that stands, and below what each run has anew.
            for inside in ["/data", "/tmp/data"] {
                let place = Scratch::new();
                let file = place.file("data", "old\n", 0o644);
                let rule = format!("{}:{inside}", file.display());
                let prepared = prepared(&[Path::new(&rule)], &format!("cat {inside}"));
                let pool = pool_of(&prepared, 1);
                let (text, report) = says(&mut pool.command());
                assert_eq!(text, "old\n");
                assert!(is_warm(&report));
                let new = place.file("new", "new\n", 0o644);
                fs::rename(new, &file).unwrap();
                let Err(error) = pool.command().spawn() else {
                    panic!("{inside}: it was shown");
                };
                assert!(error.to_string().contains("Stale file handle"), "{error}");
            }
        },
    );
}

#[test]
fn a_worker_that_is_gone_is_replaced() {
    alone("pool::a_worker_that_is_gone_is_replaced", || {
        let pool = pool("echo up; read line; exit 3");
        let (run, _) = waiting(&mut pool.command());
        let worker = workers().pop().unwrap();
        kill(worker);
        // Nobody is there to say how it ended.
        assert!(run.wait().is_err());
        // Until it is over an order may still reach it, and then the launch is a cold one.
        let state = || fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
        while !(state().is_empty() || state().contains(") Z ")) {
            std::thread::yield_now();
        }
        let (run, _) = waiting(&mut pool.command());
        let report = run.wait().unwrap();
        assert_eq!(report.exit.code, Some(3));
        assert!(is_warm(&report));
        assert_eq!(workers().len(), 1);
        drop(pool);
        assert_eq!(workers().len(), 0);
    });
}

#[test]
fn a_run_ends_with_its_child_and_the_worker_stays() {
    alone(
        "pool::a_run_ends_with_its_child_and_the_worker_stays",
        || {
            let pool = pool("echo up; sleep 600");
            let (run, _) = waiting(&mut pool.command());
            // The first; the one after it stands by.
            let inside = children_of(workers()[0])[0];
            drop(run);
            assert!(!Path::new(&format!("/proc/{inside}/root")).exists());
            let (mut run, _) = waiting(&mut pool.command());
            run.kill().unwrap();
            assert_eq!(run.wait().unwrap().verdict, Verdict::Cancelled);
        },
    );
}

#[test]
fn limits_are_kept_and_counted() {
    alone("pool::limits_are_kept_and_counted", || {
        let sandbox = strict(|policy| policy.set_cpu_time("200ms").unwrap());
        let mut command = sandbox.command("/bin/sh");
        command.args(["-c", "while :; do :; done"]);
        let pool = pool_of(&command.prepare().unwrap(), 1);
        let (_, report) = says(&mut pool.command());
        assert_eq!(report.verdict, Verdict::CpuTime);
        assert!(report.cpu_ns >= 150_000_000, "{}", report.cpu_ns);
        assert!(is_warm(&report));
    });
}

#[test]
fn what_no_worker_can_launch_is_launched_all_the_same() {
    alone(
        "pool::what_no_worker_can_launch_is_launched_all_the_same",
        || {
            let pool = pool("echo here");
            // Another plan than the pool's: a terminal.
            let report = pool.command().tty(true).spawn().unwrap().wait().unwrap();
            assert_eq!(report.verdict, Verdict::Ok);
            assert!(!is_warm(&report));
        },
    );
}

#[test]
fn a_helper_that_is_no_worker_is_an_error() {
    alone("pool::a_helper_that_is_no_worker_is_an_error", || {
        let prepared = prepared(&[], "exit 0");
        for (helper, says) in [
            ("/bin/true", "ended before it was ready"),
            ("/nonexistent", "cannot execute"),
        ] {
            let one = NonZero::<usize>::MIN;
            let error = Pool::new(&prepared, helper, one).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    });
}

fn kill(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// The sockets and files that a run is given stand at numbers of their own, whatever the
/// worker has there.
#[test]
fn descriptors_of_a_run_have_their_numbers() {
    alone("pool::descriptors_of_a_run_have_their_numbers", || {
        let place = Scratch::new();
        let pool = pool("for fd in 3 4 5 6 7 8 9; do cat <&$fd; done");
        for _ in 0..2 {
            let mut command = pool.command();
            for number in 3..10 {
                let file = place.file(&number.to_string(), format!("{number} "), 0o644);
                command.fd_as(number, OwnedFd::from(fs::File::open(file).unwrap()));
            }
            let (text, report) = says(&mut command);
            assert_eq!(text, "3 4 5 6 7 8 9 ");
            assert!(is_warm(&report));
        }
    });
}
