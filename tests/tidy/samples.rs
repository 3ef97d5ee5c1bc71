//! A sample that breaks each rule, and one next to it that does not.
//! They must not depend on the tree as it is.

use super::*;

fn caught(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) -> usize {
    rule(&Source::new(path, text)).len()
}

#[test]
fn imports_across_the_table_are_caught() {
    let caught = |path, text| caught(imports, path, text);
    assert_eq!(caught("src/plan/ids.rs", "use crate::policy::Policy;"), 0);
    assert_eq!(
        caught("src/plan/ids.rs", "use crate::plan::Ids; use super::Ids;"),
        0
    );
    assert_eq!(caught("src/plan/ids.rs", "use crate::sys::Fd;"), 1);
    assert_eq!(
        caught("src/plan/ids.rs", "fn f() { crate::sys::open() }"),
        1
    );
    assert_eq!(
        caught("src/plan/ids.rs", "use crate::{policy::A, sys::{B, C}};"),
        2
    );
    assert_eq!(
        caught(
            "src/plan/ids.rs",
            "use crate::{\n  sys as s,\n  policy,\n};"
        ),
        1
    );
    assert_eq!(caught("src/plan/ids.rs", "use super::super::sys;"), 1);
    assert_eq!(
        caught("src/plan/ids.rs", "use super::super::{sys, policy};"),
        1
    );
    assert_eq!(caught("src/plan/mod.rs", "use super::launch::X;"), 1);
    assert_eq!(
        caught("src/plan/mounts/tree.rs", "use super::super::Op;"),
        0
    );
    assert_eq!(caught("src/step.rs", "use crate::policy;"), 1);
    assert_eq!(caught("src/child/mounts.rs", "use crate::plan::Op;"), 1);
    assert_eq!(caught("src/plan/ids.rs", "use crate::*;"), 1);
    assert_eq!(caught("src/planet.rs", ""), 1);
    assert_eq!(caught("src/lib.rs", "pub use crate::sys::x;"), 0);
    assert_eq!(
        caught(
            "src/step.rs",
            "// crate::policy\n#[cfg(test)] use crate::policy;"
        ),
        0
    );
    assert_eq!(caught("src/plan/ids.rs", "use crate::policyx;"), 1);
}

#[test]
fn a_use_tree_is_read_to_its_leaves() {
    let paths = |text| tree(text).0;
    assert_eq!(paths("a::b;"), ["a::b"]);
    assert_eq!(
        paths("{a, b::{c, d::e}, f::*};"),
        ["a", "b::c", "b::d::e", "f"]
    );
    assert_eq!(paths("a::{self, b as c};"), ["a::self", "a::b"]);
    assert_eq!(paths("a::b::<T>()"), ["a::b"]);
    assert_eq!(paths("{a,}; b"), ["a"]);
    assert_eq!(paths("*;"), [""]);
}

#[test]
fn unsafe_in_the_wrong_place_or_without_a_reason_is_caught() {
    let reasoned = "// SAFETY: it is sound\nunsafe { f() }";
    assert_eq!(caught(unsafety, "src/sys/x.rs", reasoned), 0);
    assert_eq!(caught(unsafety, "src/launch/clone.rs", reasoned), 0);
    assert_eq!(caught(unsafety, "src/launch/mod.rs", reasoned), 1);
    assert_eq!(caught(unsafety, "src/sys/x.rs", "unsafe { f() }"), 1);
    assert_eq!(caught(unsafety, "src/sysx/x.rs", "unsafe { f() }"), 2);
    let far = format!("// SAFETY: far away\n{}unsafe {{ f() }}", "x;\n".repeat(5));
    assert_eq!(caught(unsafety, "src/sys/x.rs", &far), 1);
    let documented = format!(
        "/// # Safety\n{}pub unsafe fn f() {{}}",
        "/// On and on.\n".repeat(9)
    );
    assert_eq!(caught(unsafety, "src/sys/x.rs", &documented), 0);
    assert_eq!(
        caught(unsafety, "src/plan/x.rs", "// unsafe\n\"unsafe\""),
        0
    );
}

#[test]
fn each_forbidden_word_is_caught_in_child_only() {
    for word in FORBIDDEN_IN_CHILD {
        let text = format!("fn f() {{ {word} }}");
        assert!(caught(child_words, "src/child/x.rs", &text) >= 1, "{word}");
        assert_eq!(caught(child_words, "src/launch/x.rs", &text), 0, "{word}");
        let test = format!("#[cfg(test)] mod tests {{ {text} }} // {word}");
        assert_eq!(caught(child_words, "src/child/x.rs", &test), 0, "{word}");
    }
    let constant = "const _: () = assert!(true);\nfn f() { x.unwrap_or(1) }";
    assert_eq!(caught(child_words, "src/child/x.rs", constant), 0);
}

#[test]
fn a_file_without_its_opening_or_too_long_is_caught() {
    assert_eq!(caught(opening, "src/x.rs", "//! Decides.\n"), 0);
    assert_eq!(caught(opening, "src/x.rs", "// Decides.\n//! Late.\n"), 1);
    assert_eq!(caught(opening, "src/x.rs", ""), 1);
    assert_eq!(caught(length, "src/x.rs", &"\n".repeat(MOST_LINES)), 0);
    assert_eq!(caught(length, "src/x.rs", &"\n".repeat(MOST_LINES + 1)), 1);
}

#[test]
fn steps_out_of_order_are_caught() {
    let order = |text| {
        child_order(
            &Source::new("src/child/mod.rs", text),
            &["root", "no-x", "exec"],
        )
    };
    assert!(order("mod stage;\npub mod root;\nmod no_x;\nmod exec; mod wait;").is_empty());
    assert_eq!(order("mod root; mod exec; mod no_x;").len(), 1);
    assert_eq!(order("mod root; mod no_x;").len(), 1);
    assert_eq!(
        order("mod root; mod no_x; mod exec; #[cfg(test)] mod tests;").len(),
        0
    );
    assert_eq!(order("// mod root;\nmod no_x; mod exec;").len(), 1);

    let table = |text| step_table(text, &["root", "no-new", "exec"]);
    assert!(table("| step |\n|---|\n| Root | a |\n|`no-new`|b|\n| Exec | c |").is_empty());
    assert_eq!(table("| NoNew | b |\n| Root | a |\n| Exec | c |").len(), 1);
    assert_eq!(table("| Root | a |\n| Exec | c |").len(), 1);
    assert_eq!(table("").len(), 1);
}

#[test]
fn an_option_without_a_word_about_it_is_caught() {
    let help = "  -o, --out <FILE>  x\n      --out-dir  y\n  --help";
    assert!(options(help, "`--out`, `--out-dir=X` and [--help]").is_empty());
    assert_eq!(
        options(help, "`--out-dir` and `--help`"),
        ["`--out` is not described"]
    );
}

#[test]
fn a_policy_that_is_not_built_in_is_caught() {
    let files = |names: &[&str]| -> Vec<(String, String)> {
        let pair = |name: &&str| ((*name).to_owned(), String::from("text"));
        names.iter().map(pair).collect()
    };
    let builtin = [("a", "text"), ("b", "text")];
    assert!(policies(&files(&["a", "b"]), &builtin).is_empty());
    assert_eq!(policies(&files(&["a", "b", "c"]), &builtin).len(), 1);
    assert_eq!(policies(&files(&["a"]), &builtin).len(), 1);
    assert_eq!(
        policies(&files(&["a", "b"]), &[("a", "text"), ("b", "old")]).len(),
        1
    );
}
