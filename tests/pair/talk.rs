//! What each side hears of the other: every byte, in order, and the end.
//! It must not look at how they end; `ends` does.

use super::{BOTH, bytes, recorded, verdicts};
use crate::support;

#[test]
fn each_reads_what_the_other_writes() {
    for options in BOTH {
        let (output, record) = recorded(
            options,
            "read a b; echo $((a + b)); read word; echo \"heard $word\" >&2",
            "echo 5 3; read sum; echo \"sum $sum\" >&2; echo fine",
        );
        assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
        let said = support::complaint(&output);
        assert!(
            said.contains("sum 8\n") && said.contains("heard fine\n"),
            "{said}"
        );
        assert_eq!(bytes(&record), [2, 9, 0, 0]);
        assert_eq!(verdicts(&record), ["ok", "ok"]);
    }
}

#[test]
fn a_thousand_questions_have_a_thousand_answers() {
    let ask = "i=0; while [ $i -lt 1000 ]; do echo $i; read answer; \
               [ $answer = $i ] || exit 1; i=$((i + 1)); done";
    let (output, record) = recorded(&[], "exec cat", ask);
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    assert_eq!(bytes(&record), [3890, 3890, 0, 0]);
}

#[test]
fn every_byte_arrives_as_it_was() {
    let all = "for i in 0 1 2 3; do for j in 0 1 2 3 4 5 6 7; do for k in 0 1 2 3 4 5 6 7; do \
               printf \"\\\\$i$j$k\"; done; done; done";
    let (output, record) = recorded(&[], all, "od -An -v -tu1 | tr -s ' \\n' ' ' >&2");
    let heard = support::complaint(&output);
    let expected: Vec<String> = (0..256).map(|byte| byte.to_string()).collect();
    assert_eq!(heard.trim(), expected.join(" "));
    assert_eq!(bytes(&record)[0], 256);
}

/// A solution that has said everything and still listens.
#[test]
fn the_end_of_one_direction_is_not_the_end_of_the_other() {
    for options in BOTH {
        let (output, record) = recorded(
            options,
            "echo question; exec >&-; cat >&2",
            // Answers only after the end of what the solution says.
            "cat > /tmp/said; echo \"answer to $(cat /tmp/said)\"",
        );
        assert_eq!(support::complaint(&output), "answer to question\n");
        assert_eq!(verdicts(&record), ["ok", "ok"]);
    }
}

#[test]
fn a_side_that_says_nothing_is_heard_to_end() {
    for options in BOTH {
        let (output, record) = recorded(options, "exit 0", "cat; exit 3");
        assert_eq!(support::code(&output), 3);
        assert_eq!(bytes(&record), [0; 4]);
    }
}

#[test]
fn what_was_said_last_is_heard_after_the_end() {
    for options in BOTH {
        let (output, record) = recorded(
            options,
            "echo last words; exit 9",
            // The end of file is there before the words are read.
            "sleep 1; read words; echo \"$words\" >&2; read more; echo $?; exit 0",
        );
        assert_eq!(support::complaint(&output), "last words\n");
        assert_eq!(bytes(&record), [11, 0, 0, 2]);
    }
}

#[test]
fn standard_error_is_the_callers_and_standard_output_of_neither() {
    let (output, _) = recorded(
        &[],
        "echo one >&2; echo x",
        "cat > /tmp/x; echo two >&2; echo y",
    );
    assert_eq!(output.stdout, b"");
    let said = support::complaint(&output);
    assert!(said.contains("one\n") && said.contains("two\n"), "{said}");
}
