//! The commands that are written down are those that are tried.
//! It must not read prose; a language's row is compared to the letter.

use crate::table;

#[test]
fn the_commands_written_down_are_those_that_are_tried() {
    let readme = include_str!("programs/README.md");
    for language in table::ALL {
        let compile = match language.compile {
            [] => String::from("–"),
            words => format!("`sandbox -p judge-compile -- {}`", words.join(" ")),
        };
        let mut run = vec!["sandbox", "-p", "judge"];
        run.extend(language.options);
        if !language.is_native() {
            run.extend(["--read", "."]);
        }
        run.push("--");
        run.extend(language.run);
        let row = format!("| {} | {compile} | `{}` |", language.name, run.join(" "));
        assert!(readme.lines().any(|line| line == row), "no row\n{row}");
    }
}
