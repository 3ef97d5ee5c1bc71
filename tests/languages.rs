//! Each language of the README's table, compiled and run as a judge would: what it answers, and
//! which limit ends it. It must not skip quietly: what is missing is named, and fails if
//! SANDBOX_TEST_REQUIRE lists it.

#![cfg(feature = "cli")]

#[path = "languages/collectors.rs"]
mod collectors;
#[path = "languages/documents.rs"]
mod documents;
#[path = "languages/questions.rs"]
mod questions;
mod support;
#[path = "languages/table.rs"]
mod table;

use questions::Program;
use table::Language;

/// All questions to one language, in one test: it is compiled once. Every answer that
/// is wrong is said, not only the first.
#[track_caller]
fn judged(language: &Language) {
    let Some(program) = Program::compiled(language) else {
        return;
    };
    let wrong: Vec<String> = [
        program.says_hello(),
        program.sees_as_many_processors_as_it_may_use(),
        program.may_use_four_fifths_of_its_memory(),
        program.may_not_use_six_fifths(),
        program.is_ended_when_it_loops(),
        program.is_ended_when_it_sleeps(),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

macro_rules! tests {
    ($($name:ident: $language:ident;)*) => {
        $(
            #[test]
            fn $name() {
                judged(&table::$language);
            }
        )*

        #[test]
        fn every_language_is_asked() {
            let asked = [$(table::$language.name),*];
            assert_eq!(asked.to_vec(), table::ALL.map(|language| language.name));
        }
    };
}

tests! {
    c: C;
    cpp: CPP;
    rust: RUST;
    go: GO;
    java: JAVA;
    csharp: CSHARP;
    haskell: HASKELL;
    ocaml: OCAML;
    pascal: PASCAL;
    fortran: FORTRAN;
    python: PYTHON;
    node: NODE;
    ruby: RUBY;
    perl: PERL;
    lua: LUA;
    php: PHP;
    bash: BASH;
}
