//! What is the JVM's own: a heap that ends before the sandbox's limit does.
//! It must not assert what both could end first: with -Xmx at the limit, either may.

use crate::questions::Program;
use crate::support;
use crate::table::JAVA;

/// Then the JVM is the first to say so, by an exception: `exit`, not `memory`.
#[test]
fn a_heap_much_smaller_than_the_limit_ends_as_an_exception() {
    let Some(program) = Program::compiled(&JAVA) else {
        return;
    };
    let small: Vec<&str> = JAVA
        .run
        .iter()
        .map(|word| match *word {
            "-Xmx256m" => "-Xmx64m",
            word => word,
        })
        .collect();
    let most = (200 << 20).to_string();
    let run = program.asked_as(
        &small,
        support::sandbox(),
        &["--memory=256MiB"],
        &["fill", &most, "1"],
    );
    let expected = run.expect("a small heap", "exit", Some(""));
    expected.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(run.record["exit"]["code"], 1);
    let complaint = support::complaint(&run.output);
    assert!(
        complaint.contains("java.lang.OutOfMemoryError"),
        "{complaint}"
    );
}
