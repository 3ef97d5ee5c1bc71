//! `Pair`: two commands joined, from a library user's side.
//! It must not look at what each side hears; `tests/pair` does.

use super::{alone, shell};
use sandbox::Stdio;
use sandbox::pair::{EndWith, Pair};
use sandbox::report::Verdict;
use std::fs::File;

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_pair_is_two_commands() {
    alone("pair::a_pair_is_two_commands", || {
        let before = open_descriptors();
        let report = Pair::new(
            shell("read x; echo $x$x"),
            shell("echo ab; read x; test $x = abab"),
        )
        .spawn()
        .unwrap()
        .wait()
        .unwrap();
        assert_eq!(report.solution.verdict, Verdict::Ok);
        assert_eq!(report.interactor.verdict, Verdict::Ok);
        assert_eq!(
            (report.bytes.to_interactor, report.bytes.to_solution),
            (5, 3)
        );
        assert_eq!(report.exit_code(), 0);
        drop(report);
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn a_pair_can_be_played_again() {
    alone("pair::a_pair_can_be_played_again", || {
        let mut pair = Pair::new(
            shell("cat"),
            shell("echo x; read x; exec >&-; read y; exit 4"),
        );
        for _ in 0..3 {
            let report = pair.spawn().unwrap().wait().unwrap();
            assert_eq!(report.interactor.exit.code, Some(4));
            assert_eq!(report.solution.verdict, Verdict::Ok);
        }
    });
}

#[test]
fn many_pairs_at_once_do_not_hold_each_other_up() {
    alone("pair::many_pairs_at_once_do_not_hold_each_other_up", || {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        // Ends only if no other launch holds an end of these pipes.
                        let report =
                            Pair::new(shell("cat"), shell("echo x; exec >&-; cat >/dev/null"))
                                .spawn()
                                .unwrap()
                                .wait()
                                .unwrap();
                        assert_eq!(report.bytes.to_interactor, 2);
                        assert_eq!(report.interactor.verdict, Verdict::Ok);
                    }
                });
            }
        });
    });
}

#[test]
fn killing_a_pair_kills_both() {
    alone("pair::killing_a_pair_kills_both", || {
        let mut playing = Pair::new(shell("sleep 600"), shell("sleep 600"))
            .spawn()
            .unwrap();
        playing.kill().unwrap();
        let report = playing.wait().unwrap();
        assert_eq!(report.solution.verdict, Verdict::Cancelled);
        assert_eq!(report.interactor.verdict, Verdict::Cancelled);
    });
}

#[test]
fn dropping_a_pair_kills_both() {
    alone("pair::dropping_a_pair_kills_both", || {
        // Their reader learns the end of both by the end of the last writing end.
        let (mut reader, writer) = std::io::pipe().unwrap();
        let side = || {
            let mut command = shell("echo here >&2; sleep 600");
            command.stderr(sandbox::Stdio::Fd(writer.try_clone().unwrap().into()));
            command
        };
        let mut pair = Pair::new(side(), side());
        let playing = pair.spawn().unwrap();
        drop((pair, writer));
        drop(playing);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    });
}

#[test]
fn a_side_that_cannot_start_leaves_nothing() {
    alone("pair::a_side_that_cannot_start_leaves_nothing", || {
        let before = open_descriptors();
        let mut missing = super::strict(|_| {}).command("/no/such");
        missing.arg("x");
        let mut pair = Pair::new(missing, shell("sleep 600"));
        let error = pair.spawn().err().unwrap();
        assert_eq!(error.exit_code(), 127);
        drop(pair);
        assert_eq!(open_descriptors(), before);
        assert!(nix::sys::wait::wait().is_err(), "no child is left");
    });
}

#[test]
fn a_transcript_that_cannot_be_written_is_said_and_ends_nothing() {
    alone(
        "pair::a_transcript_that_cannot_be_written_is_said_and_ends_nothing",
        || {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let report = Pair::new(shell("echo x"), shell("cat >/dev/null; exit 3"))
                .end_with(EndWith::Nobody)
                .transcript(full, 1 << 20)
                .spawn()
                .unwrap()
                .wait()
                .unwrap();
            assert_eq!(report.interactor.exit.code, Some(3));
            let transcript = report.transcript.unwrap();
            assert!(transcript.cut);
            assert_eq!(transcript.error.as_deref(), Some("No space left on device"));
        },
    );
}

#[test]
fn standard_error_is_each_ones_own() {
    alone("pair::standard_error_is_each_ones_own", || {
        let sides = ["echo of the solution >&2", "echo of the interactor >&2"];
        let [mut solution, mut interactor] = sides.map(shell);
        solution.stderr(Stdio::Piped);
        interactor.stderr(Stdio::Piped);
        let mut playing = Pair::new(solution, interactor).spawn().unwrap();
        let errors = playing.take_stderr();
        playing.wait().unwrap();
        let text = |file: Option<File>| std::io::read_to_string(file.unwrap()).unwrap();
        assert_eq!(text(errors.solution), "of the solution\n");
        assert_eq!(text(errors.interactor), "of the interactor\n");
    });
}

/// Nobody could be given it.
#[test]
fn what_would_be_kept_in_memory_is_refused() {
    alone("pair::what_would_be_kept_in_memory_is_refused", || {
        let mut command = shell("exit 3");
        command.stderr(Stdio::Memory { most: 10 });
        let mut pair = Pair::new(command, shell("exit 4"));
        let error = pair.spawn().err().unwrap().to_string();
        assert!(error.contains("cannot be kept in memory"), "{error}");
    });
}

/// Before the start of the one, after the end of the other.
#[test]
fn each_side_has_its_own_copies() {
    alone("pair::each_side_has_its_own_copies", || {
        let mut solution = shell("cat /tmp/x");
        let bytes = sandbox::CopyIn::Bytes(b"a word".to_vec());
        solution.copy_in("/tmp/x", bytes, Default::default());
        let mut interactor = shell("cat > /tmp/heard; test ! -e /tmp/x");
        let out = sandbox::CopyOut::Memory;
        interactor.copy_out("/tmp/heard", out, Default::default());
        let report = Pair::new(solution, interactor).spawn().unwrap().wait();
        let report = report.unwrap();
        assert_eq!(report.interactor.verdict, Verdict::Ok);
        let heard = report.interactor.files[0].content.as_deref();
        assert_eq!(heard, Some(&b"a word"[..]));
    });
}
