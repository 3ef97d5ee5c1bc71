//! `sandbox policy`: the built-in policies, listed or printed, and what any policy comes to.
//! It must not change a byte of a built-in one, so that the output can be saved and edited.

use super::args;
use super::failure::Failure;
use sandbox::escape;
use sandbox::policy::{BUILTIN, Context, Policy};
use std::ffi::OsStr;

/// The list, the text of a built-in policy, or the whole of any.
pub fn policy(arguments: &args::Policy) -> Result<u8, Failure> {
    let text = match (&arguments.name, arguments.resolved) {
        (Some(name), true) => Policy::load(name, &Context::current())?.to_toml()?,
        (Some(name), false) => match BUILTIN.iter().find(|(known, _)| name == *known) {
            Some((_, text)) => (*text).to_owned(),
            None => return Err(unknown(name)),
        },
        (None, true) => {
            return Err(Failure::new("no policy is named")
                .hint("`sandbox policy --resolved NAME`, or a file"));
        }
        (None, false) => BUILTIN
            .iter()
            .map(|(name, text)| format!("{name:<14} {}\n", purpose(name, text)))
            .collect(),
    };
    super::print(&text)?;
    Ok(0)
}

fn unknown(name: &OsStr) -> Failure {
    let known: Vec<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
    Failure::new(format!("no built-in policy {}", escape::tick(name))).hint(format!(
        "there are {}; `--resolved` prints what a file comes to",
        known.join(", ")
    ))
}

/// Who the policy is for: the first sentence of the comment that opens it,
/// without the policy's name before it.
fn purpose(name: &str, text: &str) -> String {
    let comment: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix('#'))
        .map(str::trim)
        .collect();
    let comment = comment.join(" ");
    let comment = comment
        .trim_start_matches(name)
        .trim_start_matches([':', ' ']);
    match comment.split_once(". ") {
        Some((sentence, _)) => sentence.to_owned(),
        None => comment.trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_purpose_is_the_first_sentence() {
        let text = "# x: for tests\n# of every kind. No more.\nversion = 1\n# not this";
        assert_eq!(purpose("x", text), "for tests of every kind");
        assert_eq!(purpose("x", "# for tests.\n"), "for tests");
        assert_eq!(purpose("x", ""), "");
    }

    #[test]
    fn every_shipped_policy_says_who_it_is_for() {
        for (name, text) in BUILTIN {
            let purpose = purpose(name, text);
            assert!(purpose.starts_with("for "), "{name}: {purpose}");
            assert!(purpose.len() < 200, "{name}: {purpose}");
        }
    }

    #[test]
    fn an_unknown_name_gets_the_known_ones() {
        let failure = unknown(OsStr::new("strikt"));
        assert!(
            failure
                .message
                .starts_with("no built-in policy `strikt`\nhint: there are ")
        );
        for (name, _) in BUILTIN {
            assert!(failure.message.contains(name), "{name}");
        }
    }
}
