//! Claims of a document, and the tests that hold them.
//! It must not read files: what a file holds is asked of the caller.

/// A claim's table has this as its second heading.
const HEADING: &str = "held by";

/// Rows of tables with [`HEADING`]: the claim, and the tests named in backticks
/// (`jail/mounts::remount_usr_writable` is in `tests/jail/mounts.rs`).
pub fn rows(document: &str) -> Vec<(String, Vec<String>)> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        let Some(row) = line.trim().strip_prefix('|') else {
            inside = false;
            continue;
        };
        let cells: Vec<&str> = row
            .trim_end_matches('|')
            .split(" | ")
            .map(str::trim)
            .collect();
        match cells[..] {
            [_, second] if second == HEADING => inside = true,
            [first, second] if inside && !first.starts_with("---") => {
                let tests = second.split('`').skip(1).step_by(2).map(String::from);
                rows.push((String::from(first), tests.collect()));
            }
            _ => {}
        }
    }
    rows
}

/// Claims without a test, and tests that do not exist. `text` is the content of a
/// file, `None` where there is no such file.
pub fn untested(document: &str, text: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (claim, tests) in rows(document) {
        if tests.is_empty() {
            wrong.push(format!("no test holds: {claim}"));
        }
        for test in &tests {
            let Some((file, name)) = test.split_once("::") else {
                wrong.push(format!("`{test}` is no test: write `FILE::NAME`"));
                continue;
            };
            let path = match file.starts_with("src/") {
                true => format!("{file}.rs"),
                false => format!("tests/{file}.rs"),
            };
            match text(&path) {
                None => wrong.push(format!("`{test}`: there is no {path}")),
                Some(text) if !is_test(&text, name) => {
                    wrong.push(format!("`{test}`: {path} has no such test"));
                }
                Some(_) => {}
            }
        }
    }
    wrong
}

/// Is there a test of this name that runs? A row of `checks!` with expectations is one.
fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let function = line.starts_with(&format!("fn {name}("));
        let above = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with(['#', '/']));
        let attributes: Vec<&&str> = above.collect();
        let runs = attributes.iter().any(|line| **line == "#[test]")
            && !attributes.iter().any(|line| line.starts_with("#[ignore"));
        // Inside `proptest!` the attribute is the same; a row of a table has none.
        (function && runs) || (line.starts_with(&format!("{name}: ")) && line.contains("=> "))
    })
}

#[test]
fn a_claim_without_a_test_is_found() {
    let document = "\
| party | trusted |\n|---|---|\n| kernel | yes |\n\n\
| claim | held by |\n|---|---|\n\
| it holds | `jail/a::one`, `src/b::two` |\n\
| it is said | by nobody |\n\
| it went | `jail/a::gone`, `jail/none::one`, `one`, `jail/a::later` |\n";
    let text = |path: &str| match path {
        "tests/jail/a.rs" => Some(String::from(
            "checks! {\n    one: \"open\" => \"EPERM\", || 1;\n    gone, || 2;\n}\n\
             #[test]\n#[ignore = \"slow\"]\nfn later() {}\nfn gone() {}",
        )),
        "src/b.rs" => Some(String::from(
            "    /// Law.\n    #[test]\n    fn two(a: u8) {",
        )),
        _ => None,
    };
    assert_eq!(
        untested(document, text),
        [
            "no test holds: it is said",
            "`jail/a::gone`: tests/jail/a.rs has no such test",
            "`jail/none::one`: there is no tests/jail/none.rs",
            "`one` is no test: write `FILE::NAME`",
            "`jail/a::later`: tests/jail/a.rs has no such test",
        ]
    );
    assert_eq!(rows(document).len(), 3);
}
