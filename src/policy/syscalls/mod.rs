//! System calls by name: groups with reasons, what is never allowed, numbers.
//!
//! Says what each name is. What a policy makes of it, and under which argument
//! conditions a call is allowed, is for the plan.

mod groups;
mod never;
mod table;
mod set;

pub use groups::{DEFAULT, GROUPS, Group};
pub use never::{Family, REFUSED, UNKNOWN};
pub use set::Numbers;
pub(crate) use set::{expand_numbers, refused};

/// What may become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A policy may allow it, by its name or by the group.
    Allowable {
        /// The group it is in.
        group: &'static str,
    },
    /// Answers EPERM in every policy that does not kill for it.
    Refused {
        /// Why.
        reason: &'static str,
    },
    /// Answers ENOSYS unless a policy denies or kills for it.
    Unknown {
        /// Why.
        reason: &'static str,
    },
}

/// A name or group that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// The nearest one that exists, when one is near.
    pub suggestion: Option<&'static str>,
}

/// Every call of this architecture with its number.
pub fn numbers() -> impl Iterator<Item = (&'static str, u32)> {
    table::numbers()
}

/// The same in the order of the numbers.
pub(crate) fn in_order() -> impl Iterator<Item = (&'static str, u32)> {
    table::in_order()
}

/// The number of a call on this architecture.
pub fn number(name: &str) -> Option<u32> {
    table::number(name)
}

/// The name of the call with this number on this architecture.
pub fn name(number: u32) -> Option<&'static str> {
    let (name, _) = numbers().find(|(_, of)| *of == number)?;
    Some(name)
}

/// The standing of a call; `None` for a name that is none on any architecture.
pub fn standing(name: &str) -> Option<Standing> {
    let group = GROUPS.iter().find(|g| g.members().any(|m| m == name));
    let family = |list: &'static [Family]| list.iter().find(|f| f.calls.contains(&name));
    group
        .map(|g| Standing::Allowable { group: g.name })
        .or_else(|| family(REFUSED).map(|f| Standing::Refused { reason: f.reason }))
        .or_else(|| family(UNKNOWN).map(|f| Standing::Unknown { reason: f.reason }))
}

/// The calls a word of a policy stands for: the members of a `@group`, or the
/// one call of that name. A call that this architecture does not have is
/// still a call.
pub fn expand(word: &str) -> Result<Vec<&'static str>, UnknownName> {
    let group = |name: &str| GROUPS.iter().find(move |g| g.name == name);
    if word == "@default" {
        let groups = DEFAULT.iter().filter_map(|name| group(name));
        return Ok(groups.flat_map(Group::members).collect());
    }
    if let Some(group) = group(word) {
        return Ok(group.members().collect());
    }
    match calls().find(|name| *name == word) {
        Some(name) => Ok(vec![name]),
        None => Err(UnknownName {
            suggestion: nearest(word),
        }),
    }
}

/// Does [`expand`] know the word?
pub(super) fn is_known(word: &str) -> bool {
    match word.starts_with('@') {
        true => word == "@default" || GROUPS.iter().any(|group| group.name == word),
        false => calls().any(|name| name == word),
    }
}

/// Every name that stands in some list.
fn calls() -> impl Iterator<Item = &'static str> {
    let never = REFUSED.iter().chain(UNKNOWN).flat_map(|f| f.calls);
    GROUPS.iter().flat_map(Group::members).chain(never.copied())
}

/// The known word with the fewest edits, if they are few for its length.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    if word.len() > 64 {
        return None; // no name is near, and the cost would be the author's choice
    }
    let groups = GROUPS.iter().map(|g| g.name).chain(["@default"]);
    let limit = 1 + word.len() / 4;
    groups
        .chain(calls())
        .map(|known| (edits(word, known), known))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, known)| known)
}

/// Insertions, deletions and replacements that turn one word into the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_call_stands_in_exactly_one_list() {
        let listed: Vec<_> = calls().collect();
        let distinct: BTreeSet<_> = listed.iter().copied().collect();
        let twice: Vec<_> = distinct
            .iter()
            .filter(|name| listed.iter().filter(|l| l == name).count() > 1)
            .collect();
        assert!(twice.is_empty(), "{twice:?}");
        let numbered: BTreeSet<_> = numbers().map(|(name, _)| name).collect();
        let unlisted: Vec<_> = numbered.difference(&distinct).collect();
        assert!(unlisted.is_empty(), "without a standing: {unlisted:?}");
        // x86_64 has every call there is; other architectures lack the old ones.
        if cfg!(target_arch = "x86_64") {
            let unnumbered: Vec<_> = distinct.difference(&numbered).collect();
            assert!(unnumbered.is_empty(), "without a number: {unnumbered:?}");
        }
    }

    #[test]
    fn in_order_are_the_same_calls() {
        let mut sorted: Vec<_> = numbers().collect();
        sorted.sort_by_key(|(_, number)| *number);
        assert_eq!(in_order().collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn default_names_groups_that_exist() {
        for name in DEFAULT {
            assert!(GROUPS.iter().any(|g| g.name == *name), "{name}");
        }
        assert!(GROUPS.iter().all(|g| g.name.starts_with('@')));
        assert!(calls().all(|name| !name.starts_with('@')));
    }

    #[test]
    fn every_group_and_family_gives_a_reason() {
        let groups = GROUPS.iter().map(|g| g.reason);
        let odd = GROUPS.iter().flat_map(|g| g.odd).map(|(_, reason)| *reason);
        let never = REFUSED.iter().chain(UNKNOWN).map(|f| f.reason);
        assert!(groups.chain(odd).chain(never).all(|r| r.len() > 6));
    }

    #[test]
    fn a_misspelt_word_gets_the_nearest() {
        let suggestion = |word: &str| expand(word).unwrap_err().suggestion;
        assert_eq!(suggestion("opneat"), Some("openat"));
        assert_eq!(suggestion("@defalt"), Some("@default"));
        assert_eq!(suggestion("@networking-things"), None);
        assert_eq!(suggestion(&"x".repeat(100_000)), None);
        assert_eq!(suggestion(""), None);
    }

    #[test]
    fn a_group_is_its_members_and_a_name_itself() {
        assert_eq!(expand("ptrace"), Ok(vec!["ptrace"]));
        assert!(expand("@io").unwrap().contains(&"ioctl"));
        assert!(expand("@default").unwrap().contains(&"execve"));
        assert!(!expand("@default").unwrap().contains(&"io_submit"));
        let groups = GROUPS.iter().map(|group| group.name);
        for word in calls()
            .chain(groups)
            .chain(["@default", "@read", "@", "io", ""])
        {
            assert_eq!(is_known(word), expand(word).is_ok(), "{word}");
        }
    }
}
