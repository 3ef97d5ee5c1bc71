//! `Sandbox::helper`: who makes the process, and that nothing else is otherwise.
//! It must not time anything: what a launch copies is counted.

use super::{alone, children_of, strict, waiting, workers};
use crate::support::{self, Scratch};
use sandbox::policy::{Access, Context};
use sandbox::report::Report;
use sandbox::{Child, Command, Sandbox, Stdio};
use std::fs;
use std::path::Path;

/// With page tables of half a MiB.
const BIG: usize = 256 << 20;

/// `strict`, with and without a helper.
fn both() -> [Sandbox; 2] {
    let cold = strict(|_| {});
    [cold.clone().helper(support::binary()), cold]
}

/// A run that has said a line and waits for its input to end.
fn begun(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.command("/bin/sh");
    let (run, line) = waiting(command.args(["-c", "echo up; read line; exit 3"]));
    assert_eq!(line, "up");
    run
}

/// KiB of page tables of a process.
fn page_tables(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmPTE:")).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}

fn only(pids: Vec<u32>) -> u32 {
    let [pid] = pids[..] else {
        panic!("{pids:?}");
    };
    pid
}

fn layers(report: &Report) -> Vec<&'static str> {
    report.layers.iter().map(|layer| layer.step).collect()
}

#[test]
fn a_big_callers_page_tables_are_not_copied() {
    alone("helper::a_big_callers_page_tables_are_not_copied", || {
        // With huge pages there would be little to copy.
        nix::sys::prctl::set_thp_disable(true).unwrap();
        let mut memory = vec![0_u8; BIG];
        memory.iter_mut().step_by(4096).for_each(|page| *page = 1);
        let [helped, cold] = both();
        let run = begun(&cold);
        let init = only(children_of(std::process::id()));
        assert!(page_tables(init) > 512, "the measure is right");
        drop(run);
        let run = begun(&helped);
        let init = only(children_of(only(workers())));
        assert!(page_tables(init) < 128, "{} KiB", page_tables(init));
        drop(run);
        std::hint::black_box(&memory);
    });
}

#[test]
fn every_layer_is_confirmed_and_no_helper_stays() {
    alone(
        "helper::every_layer_is_confirmed_and_no_helper_stays",
        || {
            let reports = both().map(|sandbox| {
                let mut run = begun(&sandbox);
                drop(run.stdin.take());
                let report = run.wait().unwrap();
                assert!(children_of(std::process::id()).is_empty());
                report
            });
            assert_eq!(layers(&reports[0]), layers(&reports[1]));
            assert_eq!(reports[0].exit.code, Some(3));
            assert_eq!(reports[0].verdict, reports[1].verdict);
        },
    );
}

/// A run that is ended leaves no helper either.
#[test]
fn dropped_nothing_stays() {
    alone("helper::dropped_nothing_stays", || {
        let [helped, _] = both();
        let run = begun(&helped);
        assert_eq!(workers().len(), 1);
        drop(run);
        assert!(children_of(std::process::id()).is_empty());
    });
}

#[test]
fn what_a_helper_cannot_launch_is_launched_without() {
    alone(
        "helper::what_a_helper_cannot_launch_is_launched_without",
        || {
            let [helped, _] = both();
            let mut command = helped.command("/bin/sh");
            command.args(["-c", "test -t 0 && sleep 60"]).tty(true);
            let mut run = command.spawn().unwrap();
            assert!(workers().is_empty());
            run.kill().unwrap();
            run.wait().unwrap();
        },
    );
}

#[test]
fn a_helper_that_is_none_is_said() {
    alone("helper::a_helper_that_is_none_is_said", || {
        let place = Scratch::new();
        let missing = place.path().join("missing");
        let other = Path::new("/bin/true").to_owned();
        for (helper, why, hint) in [
            (missing, "cannot execute", "the `sandbox` binary"),
            (
                other,
                "a worker ended before it was ready",
                "of this version",
            ),
        ] {
            let sandbox = strict(|_| {}).helper(&helper);
            let error = refused(&mut sandbox.command("/bin/true"));
            assert!(error.contains(why), "{error}");
            assert!(error.contains(hint), "{error}");
        }
        assert!(children_of(std::process::id()).is_empty());
    });
}

/// What cannot be built is refused in the same words.
#[test]
fn a_refusal_is_the_same() {
    alone("helper::a_refusal_is_the_same", || {
        let errors = [true, false].map(|with_helper| {
            let place = Scratch::new();
            let file = place.file("data", "old\n", 0o644);
            let context = Context::current();
            let mut sandbox = strict(|policy| {
                let path = format!("{}:/data", file.display());
                policy.add_file(Access::Read, &path, &context).unwrap();
            });
            if with_helper {
                sandbox = sandbox.helper(support::binary());
            }
            let prepared = sandbox.command("/bin/true").prepare().unwrap();
            fs::rename(place.file("new", "new\n", 0o644), &file).unwrap();
            let error = refused(&mut prepared.command());
            error.replace(place.path().to_str().unwrap(), "PLACE")
        });
        assert_eq!(errors[0], errors[1]);
        assert!(errors[0].contains("Stale file handle"), "{}", errors[0]);
    });
}

fn refused(command: &mut Command) -> String {
    match command.stdin(Stdio::Null).spawn() {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was executed"),
    }
}
