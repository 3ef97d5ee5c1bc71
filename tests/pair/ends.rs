//! Who ended first, whose end is whose, and what becomes of bytes that nobody reads.
//! It must not take a broken pipe for a way to end.

use super::{BOTH, bytes, recorded, verdicts};
use crate::support;
use serde_json::{Value, json};

fn ended(record: &Value) -> [u64; 2] {
    ["solution", "interactor"].map(|side| record["ended_ns"][side].as_u64().unwrap())
}

#[test]
fn the_record_says_who_ended_first() {
    let (_, record) = recorded(&[], "exit 0", "cat; sleep 1");
    assert_eq!(record["first"], "solution");
    let [solution, interactor] = ended(&record);
    assert!(solution + 500_000_000 <= interactor, "{record}");
    let (_, record) = recorded(&[], "cat; sleep 1", "exit 0");
    assert_eq!(record["first"], "interactor");
    let [solution, interactor] = ended(&record);
    assert!(interactor + 500_000_000 <= solution, "{record}");
}

#[test]
fn both_ends_are_on_one_clock() {
    let (_, record) = recorded(&[], "sleep 0.3", "sleep 0.3");
    for side in ["solution", "interactor"] {
        let of = |name: &str| record[name][side].as_u64().unwrap();
        let wall = record[side]["wall_ns"].as_u64().unwrap();
        assert!(wall >= 300_000_000, "{record}");
        // What is lost is what the clock began later than pid 1 did.
        assert!(of("ended_ns") <= of("started_ns") + wall, "{record}");
        assert!(of("ended_ns") >= 300_000_000, "{record}");
    }
}

#[test]
fn each_side_has_a_whole_record() {
    let (_, record) = recorded(&[], "exit 4", "cat; kill -TERM $$");
    assert_eq!(
        record["solution"]["exit"],
        json!({"code": 4, "signal": null, "core": false})
    );
    assert_eq!(
        record["interactor"]["exit"],
        json!({"code": null, "signal": 15, "core": false})
    );
    for side in ["solution", "interactor"] {
        assert_eq!(record[side]["complete"], true);
        assert_eq!(record[side]["version"], sandbox::report::VERSION);
        let layers = record[side]["layers"].as_array().unwrap();
        assert_eq!(layers.len(), sandbox::step::Step::ALL.len());
    }
}

/// What a solution still says when the interactor has ended is drained.
#[test]
fn a_writer_whose_reader_has_ended_is_not_killed() {
    for options in BOTH {
        let (output, record) = recorded(
            options,
            // After the end of file the interactor is gone, and its pipe with it.
            "cat; head -c 1000000 /dev/zero; exit 5",
            "exit 0",
        );
        assert_eq!(support::code(&output), 5);
        assert_eq!(record["solution"]["exit"]["code"], 5);
        assert_eq!(bytes(&record), [0, 0, 1_000_000, 0]);
    }
}

#[test]
fn an_interactor_whose_solution_has_ended_is_not_killed() {
    for options in BOTH {
        let (output, record) =
            recorded(options, "exit 0", "cat; head -c 1000000 /dev/zero; exit 5");
        assert_eq!(support::code(&output), 5);
        assert_eq!(record["interactor"]["exit"]["code"], 5);
        assert_eq!(bytes(&record), [0, 0, 0, 1_000_000]);
    }
}

#[test]
fn a_writer_whose_reader_listens_no_more_is_not_killed() {
    let (_, record) = recorded(
        &[],
        "read go; head -c 500000 /dev/zero; exit 6",
        "exec <&-; echo go; sleep 1; exit 0",
    );
    assert_eq!(record["solution"]["exit"]["code"], 6);
    assert_eq!(bytes(&record), [0, 3, 500_000, 0]);
}

#[test]
fn nobody_ends_the_other_unless_asked() {
    let (_, record) = recorded(&[], "exit 1", "cat; sleep 0.5; exit 2");
    assert_eq!(record["interactor"]["exit"]["code"], 2);
    let (_, record) = recorded(&[], "cat; sleep 0.5; exit 2", "exit 1");
    assert_eq!(record["solution"]["exit"]["code"], 2);
}

#[test]
fn end_both_ends_whoever_is_left() {
    let (output, record) = recorded(&["--end-both"], "exit 0", "sleep 600");
    assert_eq!(verdicts(&record), ["ok", "cancelled"]);
    assert_eq!(record["first"], "solution");
    assert_eq!(support::code(&output), 137);
    let (output, record) = recorded(&["--end-both"], "sleep 600", "exit 0");
    assert_eq!(verdicts(&record), ["cancelled", "ok"]);
    assert_eq!(record["first"], "interactor");
    assert_eq!(support::code(&output), 137);
}

#[test]
fn end_solution_ends_the_solution_and_never_the_interactor() {
    let (_, record) = recorded(&["--end-solution"], "sleep 600", "exit 0");
    assert_eq!(verdicts(&record), ["cancelled", "ok"]);
    let (_, record) = recorded(&["--end-solution"], "exit 1", "cat; sleep 0.5; exit 2");
    assert_eq!(verdicts(&record), ["exit", "exit"]);
    assert_eq!(record["interactor"]["exit"]["code"], 2);
}

#[test]
fn a_limit_of_one_side_ends_that_side() {
    let (output, record) = recorded(&["--wall-time", "300ms"], "exec sleep 600", "exit 0");
    assert_eq!(verdicts(&record), ["wall-time", "ok"]);
    assert_eq!(support::code(&output), 124);
}

#[test]
fn the_exit_code_is_the_interactors_and_else_the_solutions() {
    for (solution, interactor, expected) in [
        ("exit 0", "cat; exit 0", 0),
        ("exit 3", "cat; exit 0", 3),
        ("exit 0", "cat; exit 42", 42),
        ("exit 3", "cat; exit 42", 42),
        ("kill -SEGV $$", "cat; exit 0", 139),
        ("exit 0", "cat; kill -SEGV $$", 139),
    ] {
        let (output, _) = recorded(&[], solution, interactor);
        assert_eq!(
            support::code(&output),
            expected,
            "{solution} | {interactor}"
        );
    }
}
