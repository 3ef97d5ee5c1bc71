//! Sets of system calls by number, those of the groups made when this is compiled.
//!
//! What is in a group is said in `groups.rs`; nothing is decided here.

use super::groups::{DEFAULT, GROUPS};
use super::never::REFUSED;
use super::{UnknownName, expand, table};

/// Calls of this architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Numbers([u64; 8]);

impl Numbers {
    /// The empty set.
    pub const NONE: Numbers = Numbers([0; 8]);
    /// Above every number that can be in a set, and every number there is.
    pub const END: u32 = 512;

    /// Is the call in the set?
    pub const fn contains(&self, number: u32) -> bool {
        number < Numbers::END && self.0[number as usize / 64] >> (number % 64) & 1 != 0
    }

    /// Both sets in one.
    pub const fn and(mut self, other: &Numbers) -> Numbers {
        let mut at = 0;
        while at < self.0.len() {
            self.0[at] |= other.0[at];
            at += 1;
        }
        self
    }

    /// With the call of that name, if this architecture has it.
    const fn with(mut self, name: &str) -> Numbers {
        if let Some(number) = table::number(name) {
            self.0[number as usize / 64] |= 1 << (number % 64);
        }
        self
    }
}

/// The calls of these names that this architecture has.
pub(crate) const fn set(names: &[&str]) -> Numbers {
    let mut calls = Numbers::NONE;
    let mut at = 0;
    while at < names.len() {
        calls = calls.with(names[at]);
        at += 1;
    }
    calls
}

/// The members of each group.
static MEMBERS: [Numbers; GROUPS.len()] = {
    let mut all = [Numbers::NONE; GROUPS.len()];
    let mut group = 0;
    while group < all.len() {
        let mut calls = set(GROUPS[group].calls);
        let odd = GROUPS[group].odd;
        let mut at = 0;
        while at < odd.len() {
            calls = calls.with(odd[at].0);
            at += 1;
        }
        all[group] = calls;
        group += 1;
    }
    all
};

static REFUSED_CALLS: Numbers = {
    let mut calls = Numbers::NONE;
    let mut family = 0;
    while family < REFUSED.len() {
        calls = calls.and(&set(REFUSED[family].calls));
        family += 1;
    }
    calls
};

/// The calls that no policy can allow.
pub(crate) fn refused() -> &'static Numbers {
    &REFUSED_CALLS
}

/// The calls of this architecture that a word of a policy stands for, see [`expand`].
pub(crate) fn expand_numbers(word: &str) -> Result<Numbers, UnknownName> {
    let group = |name: &str| GROUPS.iter().position(|group| group.name == name);
    if word == "@default" {
        let groups = DEFAULT.iter().filter_map(|name| group(name));
        return Ok(groups.fold(Numbers::NONE, |calls, group| calls.and(&MEMBERS[group])));
    }
    match group(word) {
        Some(group) => Ok(MEMBERS[group]),
        None => Ok(set(&expand(word)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::syscalls::{number, numbers};

    #[test]
    fn a_set_holds_what_the_word_stands_for() {
        let groups = GROUPS.iter().map(|group| group.name);
        for word in groups.chain(["@default", "read", "ptrace", "clone3"]) {
            let names = expand(word).unwrap();
            let calls = expand_numbers(word).unwrap();
            for (name, number) in numbers() {
                assert_eq!(
                    calls.contains(number),
                    names.contains(&name),
                    "{word} {name}"
                );
            }
        }
        assert!(expand_numbers("@defualt").is_err());
    }

    #[test]
    fn what_is_refused_is_known_by_number() {
        for (name, number) in numbers() {
            let named = REFUSED.iter().any(|family| family.calls.contains(&name));
            assert_eq!(refused().contains(number), named, "{name}");
        }
    }

    #[test]
    fn every_number_fits() {
        assert!(numbers().all(|(_, number)| number < Numbers::END));
        assert!(!expand_numbers("@default").unwrap().contains(u32::MAX));
        assert_eq!(number("reading"), None);
    }
}
