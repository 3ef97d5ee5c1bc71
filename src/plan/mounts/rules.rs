//! The rules of the file map by the inside path they speak of, the policy's and those that
//! are added.
//!
//! It finds rules, and decides nothing.

use crate::host::normal::upwards;
use crate::policy::{FileRule, Policy};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// In the order of the bytes of the paths, each path once.
pub(super) struct Rules<'p>(Vec<(Cow<'p, Path>, Cow<'p, FileRule>)>);

impl<'p> Rules<'p> {
    /// Those of the policy, which has them in this order.
    pub(super) fn of(policy: &'p Policy) -> Rules<'p> {
        let rules = policy.files.iter();
        Rules(
            rules
                .map(|(at, rule)| (Cow::Borrowed(at.as_path()), Cow::Borrowed(rule)))
                .collect(),
        )
    }

    /// Every rule and where it speaks of.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Path, &FileRule)> {
        self.0.iter().map(|(at, rule)| (&**at, &**rule))
    }

    /// The rule for this very path.
    pub(super) fn get(&self, at: &Path) -> Option<&FileRule> {
        let position = self.position(at).ok()?;
        self.0.get(position).map(|(_, rule)| &**rule)
    }

    /// The rule for the path or, else, for the nearest above it.
    pub(super) fn nearest(&self, path: &Path) -> Option<(&Path, &FileRule)> {
        upwards(path).find_map(|place| {
            let position = self.position(place).ok()?;
            self.0.get(position).map(|(at, rule)| (&**at, &**rule))
        })
    }

    /// Puts a rule in the place of an earlier one.
    pub(super) fn insert(&mut self, at: PathBuf, rule: FileRule) {
        let rule = Cow::Owned(rule);
        match self.position(&at) {
            Ok(position) => self.0[position].1 = rule,
            Err(position) => self.0.insert(position, (at.into(), rule)),
        }
    }

    fn position(&self, at: &Path) -> Result<usize, usize> {
        self.0
            .binary_search_by(|(other, _)| other.as_os_str().cmp(at.as_os_str()))
    }
}
