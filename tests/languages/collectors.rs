//! Run-times that collect their garbage when it suits them, unless told how much memory there is.
//! It must not assert what both could end first: near the limit, the run-time or the sandbox may.

use crate::questions::Program;
use crate::support;
use crate::table::{GO, JAVA, Language, NODE};

/// A JVM collects when its heap is full, V8 and Go when it has grown by a factor: with
/// a heap as large as the limit, or one sized by the machine, all three would pass the
/// limit with half of it in use. Told by the commands of the table, they do not.
#[track_caller]
fn garbage_is_collected_before_the_limit(language: &Language) {
    let Some(program) = Program::compiled(language) else {
        return;
    };
    let live = (language.memory / 2).to_string();
    let limit = format!("{}MiB", language.memory);
    let options = ["--memory", &limit, "--cpu-time=40s", "--wall-time=40s"];
    let run = program.asked(&options, &["garbage", &live]);
    let expected = run.expect("garbage", "ok", Some("collected\n"));
    expected.unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn garbage_of_go() {
    garbage_is_collected_before_the_limit(&GO);
}

#[test]
fn garbage_of_java() {
    garbage_is_collected_before_the_limit(&JAVA);
}

#[test]
fn garbage_of_node() {
    garbage_is_collected_before_the_limit(&NODE);
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
