//! Turns what the parser of arguments says into our own sentences and exit codes.
//! It must not let a mistake exit with anything but 125.

use super::failure::Failure;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use sandbox::Pool;
use sandbox::escape::{plain, tick};
use std::ffi::OsString;

const SEE_HELP: &str = "`sandbox --help` lists the options";

/// The first word of what is not a plain run.
pub const SUBCOMMANDS: [&str; 10] = [
    "run",
    "pair",
    "batch",
    "plan",
    "audit",
    "check",
    "policy",
    "schema",
    AUDIT_INSIDE,
    Pool::WORKER,
];

/// Nobody types it.
const AUDIT_INSIDE: &str = "audit-inside";
const HIDDEN: [&str; 2] = [AUDIT_INSIDE, Pool::WORKER];

pub fn is_subcommand(word: &OsString) -> bool {
    SUBCOMMANDS.iter().any(|name| word == name)
}

/// Prints help or version, or says what is wrong with the arguments.
pub fn answer(error: &clap::Error) -> Result<u8, Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            super::print(&error.render().to_string())?;
            Ok(0)
        }
        _ => Err(mistake(error)),
    }
}

/// `sandbox --memory 1MiB plan ./x` runs a program called `plan`, to the
/// parser's mind. Nobody means that, so it takes a `--` to say it.
pub fn refuse_misplaced_subcommand(
    all: &[OsString],
    program_and_arguments: &[OsString],
) -> Result<(), Failure> {
    let Some(program) = program_and_arguments.first() else {
        return Ok(());
    };
    let before = all.len().checked_sub(program_and_arguments.len() + 1);
    let explicit = before
        .and_then(|at| all.get(at))
        .is_some_and(|word| word == "--");
    if explicit || !is_subcommand(program) || HIDDEN.iter().any(|name| program == name) {
        return Ok(());
    }
    let name = tick(program);
    Err(
        Failure::new(format!("the subcommand {name} stands after options")).hint(format!(
            "write it first; for a program of that name write {}",
            tick(format!("-- {}", plain(program)))
        )),
    )
}

fn mistake(error: &clap::Error) -> Failure {
    let text = |kind| error.get(kind).map(shown).unwrap_or_default();
    let option = text(ContextKind::InvalidArg);
    let value = text(ContextKind::InvalidValue);
    // `--read <HOST[:INSIDE]>` to the parser, `--read` to us.
    let name = tick(option.split(' ').next().unwrap_or_default());
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let failure = match option.starts_with('-') {
                true => Failure::new(format!("unknown option {}", tick(&option))),
                false => Failure::new(format!("unexpected argument {}", tick(&option))),
            };
            match error.get(ContextKind::SuggestedArg).map(shown) {
                Some(known) => failure.hint(format!("did you mean {}?", tick(known))),
                None => failure.hint(SEE_HELP),
            }
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            Failure::new(format!("option {name} needs a value")).hint(SEE_HELP)
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let what = match option.starts_with('-') {
                true => format!("option {name} cannot be {}", tick(value)),
                false => format!("unexpected argument {}", tick(value)),
            };
            let known = text(ContextKind::ValidValue);
            match (std::error::Error::source(error), known.is_empty()) {
                (Some(why), _) => Failure::new(format!("{what}: {}", plain(why.to_string()))),
                (None, false) => Failure::new(format!("{what}: not one of {known}")),
                (None, true) => Failure::new(what),
            }
        }
        ErrorKind::TooManyValues => {
            Failure::new(format!("option {name} takes no value {}", tick(value)))
        }
        ErrorKind::ArgumentConflict => {
            Failure::new(format!("option {name} is given twice")).hint("give it once")
        }
        ErrorKind::MissingRequiredArgument if option.contains("FILE") => {
            Failure::new("no policy file is named").hint("`sandbox check FILE…`")
        }
        ErrorKind::MissingRequiredArgument => Failure::new("no program is named")
            .hint(format!("`sandbox -- PROGRAM [ARG]…`; {SEE_HELP}")),
        ErrorKind::InvalidUtf8 => Failure::new("the value of an option is not UTF-8")
            .hint("only the program, its arguments, `--policy` and `--report` may be other bytes"),
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.lines().next().unwrap_or_default();
            Failure::new(plain(first.trim_start_matches("error: "))).hint(SEE_HELP)
        }
    }
}

fn shown(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::Parser;
    use std::os::unix::ffi::OsStringExt;

    fn says(words: &[&str]) -> String {
        let words: Vec<&str> = ["sandbox"].iter().chain(words).copied().collect();
        let failure = answer(&Cli::try_parse_from(words).unwrap_err()).unwrap_err();
        assert_eq!(failure.code, 125);
        failure.message
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        assert_eq!(
            says(&["--memmory", "1MiB", "x"]),
            "unknown option `--memmory`\nhint: did you mean `--memory`?"
        );
        assert_eq!(
            says(&["--\u{1b}[2J", "x"]),
            "unknown option `--\\x1b[2J`\nhint: `sandbox --help` lists the options"
        );
        assert_eq!(
            says(&["--policy"]),
            "option `--policy` needs a value\nhint: `sandbox --help` lists the options"
        );
        assert_eq!(
            says(&["--tty=yes", "x"]),
            "option `--tty` takes no value `yes`"
        );
        assert_eq!(
            says(&["batch", "--jobs", "0", "x"]),
            "option `--jobs` cannot be `0`: 0 is not in 1..=1024"
        );
        assert_eq!(
            says(&["schema", "x"]),
            "unexpected argument `x`: not one of run, pair"
        );
        assert_eq!(
            says(&["-p", "a", "-p", "b", "x"]),
            "option `--policy` is given twice\nhint: give it once"
        );
        assert_eq!(
            says(&[]),
            "no program is named\nhint: `sandbox -- PROGRAM [ARG]…`; \
             `sandbox --help` lists the options"
        );
        assert_eq!(
            says(&["check"]),
            "no policy file is named\nhint: `sandbox check FILE…`"
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_are_refused_where_they_mean_nothing() {
        let bad = OsString::from_vec(b"\xff".to_vec());
        let parse = |words: [OsString; 4]| Cli::try_parse_from(words);
        let error = parse(["sandbox".into(), "--read".into(), bad.clone(), "x".into()]);
        let failure = answer(&error.unwrap_err()).unwrap_err();
        assert!(
            failure
                .message
                .starts_with("the value of an option is not UTF-8\nhint: ")
        );
        let cli = parse(["sandbox".into(), "--".into(), "x".into(), bad.clone()]).unwrap();
        assert_eq!(cli.run.words.words[1], bad);
    }

    #[test]
    fn everything_after_the_program_is_the_programs() {
        for words in [
            &["sandbox", "ls", "-l", "--memory", "--", "x"][..],
            &["sandbox", "run", "ls", "-l", "--memory", "--", "x"],
            &["sandbox", "-v", "--", "ls", "-l", "--memory", "--", "x"],
        ] {
            let cli = Cli::try_parse_from(words).unwrap();
            let run = match cli.action {
                Some(crate::cli::args::Action::Run(run)) => run,
                None => cli.run,
                other => panic!("{other:?}"),
            };
            assert_eq!(run.words.words, ["ls", "-l", "--memory", "--", "x"]);
            assert!(run.setup.limits.memory.is_none());
        }
        let cli = Cli::try_parse_from(["sandbox", "--", "-x"]).unwrap();
        assert_eq!(cli.run.words.words, ["-x"]);
    }

    #[test]
    fn a_subcommand_after_options_is_no_program() {
        let check = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let cli = Cli::try_parse_from(&words).unwrap();
            assert!(cli.action.is_none(), "{words:?}");
            refuse_misplaced_subcommand(&words, &cli.run.words.words)
        };
        let failure = check(&["sandbox", "--memory", "1MiB", "plan", "x"]).unwrap_err();
        assert_eq!(
            failure.message,
            "the subcommand `plan` stands after options\n\
             hint: write it first; for a program of that name write `-- plan`"
        );
        check(&["sandbox", "--memory", "1MiB", "--", "plan", "x"]).unwrap();
        check(&["sandbox", "--", "run"]).unwrap();
        check(&["sandbox", "ls", "plan"]).unwrap();
    }
}
