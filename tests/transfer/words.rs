//! Every problem in words: one stable word, a sentence, and go-judge's name for it.

use super::*;
use sandbox::transfer::{Direction, Kind, Side, Stage};
use std::collections::BTreeSet;

fn error(direction: Direction, stage: Stage, problem: Problem) -> Error {
    Error {
        direction,
        stage,
        asked: "a/b".into(),
        side: Side::Inside,
        path: "a/b".into(),
        problem,
    }
}

const ALL: [Problem; 27] = [
    Problem::EmptyPath,
    Problem::AbsolutePath,
    Problem::ParentInPath,
    Problem::NulInPath,
    Problem::NameTooLong,
    Problem::Missing,
    Problem::SymbolicLink,
    Problem::HardLink { links: 2 },
    Problem::NotRegular(Kind::Fifo),
    Problem::IsDirectory,
    Problem::NotDirectory,
    Problem::MountPoint,
    Problem::TooLarge { limit: 1 },
    Problem::TooMuch { limit: 1 },
    Problem::TooManyEntries { limit: 1 },
    Problem::TooDeep { limit: 1 },
    Problem::Exists,
    Problem::ForeignOwner { owner: 1 },
    Problem::Busy,
    Problem::Changed,
    Problem::NoSpace,
    Problem::ReadOnly,
    Problem::Denied,
    Problem::UnmappedOwner,
    Problem::BadMode { mode: 0o4755 },
    Problem::Unsupported,
    Problem::Os(libc::EIO),
];

#[test]
fn each_problem_has_its_own_word_and_sentence() {
    let words: BTreeSet<_> = ALL.iter().map(Problem::kind).collect();
    assert_eq!(words.len(), ALL.len());
    let sentences: BTreeSet<_> = ALL.iter().map(Problem::to_string).collect();
    assert_eq!(sentences.len(), ALL.len());
    for word in words {
        assert!(
            word.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        );
    }
}

#[test]
fn the_sentence_names_what_was_asked_and_what_is_wrong() {
    let world = World::new();
    world.put("d/f", "x");
    std::os::unix::fs::symlink("d", world.inside("l\x1b[m")).unwrap();
    let error = world.read("l\x1b[m/f", &Out::default()).unwrap_err();
    let expected = "cannot copy `l\\x1b[m/f` out: `l\\x1b[m` is a symbolic link\n\
        hint: name the file itself: links are never followed";
    assert_eq!(error.to_string(), expected);
    let error = world.read("d", &Out::default()).unwrap_err();
    let expected = "cannot copy `d` out: it is a directory\nhint: a directory is copied as a tree";
    assert_eq!(error.to_string(), expected);
    let source = Source::Path(Path::new("/no/such"));
    let error = copy_in(&world.inside, "f", source, &In::default()).unwrap_err();
    let expected = "cannot copy `f` in: outside, `/no/such` does not exist";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn go_judge_has_a_name_for_each() {
    use Direction::{In, Out};
    use Stage::{Content, Create, CreateDirectory, Link, Open};
    let table = [
        (In, Open, Problem::Missing, "CopyInOpenFile"),
        (
            In,
            CreateDirectory,
            Problem::SymbolicLink,
            "CopyInCreateDir",
        ),
        (In, Create, Problem::Exists, "CopyInCreateFile"),
        (In, Content, Problem::NoSpace, "CopyInCopyContent"),
        (
            In,
            Content,
            Problem::TooLarge { limit: 1 },
            "CopyInCopyContent",
        ),
        (In, Link, Problem::Exists, "Symlink"),
        (Out, Open, Problem::Missing, "CopyOutOpen"),
        (Out, Open, Problem::SymbolicLink, "CopyOutOpen"),
        (Out, Open, Problem::IsDirectory, "CopyOutNotRegularFile"),
        (
            Out,
            Open,
            Problem::NotRegular(Kind::Socket),
            "CopyOutNotRegularFile",
        ),
        (
            Out,
            Open,
            Problem::TooDeep { limit: 1 },
            "CopyOutSizeExceeded",
        ),
        (
            Out,
            Open,
            Problem::TooManyEntries { limit: 1 },
            "CopyOutSizeExceeded",
        ),
        (
            Out,
            Content,
            Problem::TooLarge { limit: 1 },
            "CopyOutSizeExceeded",
        ),
        (
            Out,
            Content,
            Problem::TooMuch { limit: 1 },
            "CopyOutSizeExceeded",
        ),
        (Out, Create, Problem::Exists, "CopyOutCreateFile"),
        (Out, CreateDirectory, Problem::Denied, "CopyOutCreateFile"),
        (Out, Content, Problem::NoSpace, "CopyOutCopyContent"),
    ];
    for (direction, stage, problem, expected) in table {
        let error = error(direction, stage, problem);
        assert_eq!(error.go_judge_type(), expected, "{error:?}");
    }
}
