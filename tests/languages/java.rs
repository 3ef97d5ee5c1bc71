//! What is the JVM's own: a heap with an end, and a collector that waits for it.
//! It must not assert what both could end first: near the limit, either may.

use crate::questions::Program;
use crate::support;
use crate::table::JAVA;

/// The JVM fills its heap before it collects. The heap of the table leaves it room:
/// a program that has half of the limit in use never passes it.
#[test]
fn garbage_is_collected_before_the_limit() {
    let Some(program) = Program::compiled(&JAVA) else {
        return;
    };
    let half = (JAVA.memory / 2).to_string();
    let run = program.asked(&["--memory=256MiB"], &["garbage", &half]);
    let expected = run.expect("garbage", "ok", Some("collected\n"));
    expected.unwrap_or_else(|why| panic!("{why}"));
}

/// Then the JVM is the first to say so, by an exception: `exit`, not `memory`.
#[test]
fn a_heap_much_smaller_than_the_limit_ends_as_an_exception() {
    let Some(program) = Program::compiled(&JAVA) else {
        return;
    };
    let small = JAVA.run.iter().map(|word| match word.starts_with("-Xmx") {
        true => "-Xmx64m",
        false => word,
    });
    let small: Vec<&str> = small.collect();
    let most = (200 << 20).to_string();
    let options = ["--memory=256MiB"];
    let run = program.asked_as(&small, support::sandbox(), &options, &["fill", &most, "1"]);
    let expected = run.expect("a small heap", "exit", Some(""));
    expected.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(run.record["exit"]["code"], 1);
    let complaint = support::complaint(&run.output);
    assert!(
        complaint.contains("java.lang.OutOfMemoryError"),
        "{complaint}"
    );
}
