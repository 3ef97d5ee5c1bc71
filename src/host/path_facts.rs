//! The facts about host paths, found by the bytes of a path.
//!
//! A map of `Path`s compares them component by component, and planning asks a thousand
//! times: that was a third of its instructions. Nor are most bytes compared: the list is in
//! the order of the lengths first. It holds facts and judges none.

use super::PathFact;
use super::normal::normal;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What stands at each host path. As for [`Path`], spellings such as `/a/`, `/a/.` and
/// `//a` are one path, and `/a/../b` is another than `/b`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "BTreeMap<PathBuf, PathFact>",
    into = "BTreeMap<PathBuf, PathFact>"
)]
pub struct PathFacts(Vec<(OsString, Box<PathFact>)>);

impl PathFacts {
    /// With what was found by other spellings. Of two spellings of one path the plain one
    /// counts: `x/` is equal to `x`, and where `x` is a file nothing is found there.
    pub(super) fn of_spellings(
        mut plain: PathFacts,
        odd: BTreeMap<OsString, PathFact>,
    ) -> PathFacts {
        let odd = odd.into_iter().map(|(path, fact)| (path.into(), fact));
        for (path, fact) in odd.collect::<PathFacts>().0 {
            if let Err(position) = plain.position(&path) {
                plain.0.insert(position, (path, fact));
            }
        }
        plain
    }

    /// What stands at a normal path, which is looked at where nobody did.
    pub(super) fn get_or_insert_with(
        &mut self,
        path: &Path,
        probe: impl FnOnce() -> PathFact,
    ) -> &mut PathFact {
        let position = match self.position(path.as_os_str()) {
            Ok(position) => position,
            Err(position) => {
                let fact = Box::new(probe());
                self.0.insert(position, (path.into(), fact));
                position
            }
        };
        &mut self.0[position].1
    }

    /// What stands at a path; `None` where nobody looked.
    pub fn get(&self, path: &Path) -> Option<&PathFact> {
        let position = self.find(path)?;
        self.0.get(position).map(|(_, fact)| &**fact)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, path: &Path) -> Option<&mut PathFact> {
        let position = self.find(path)?;
        self.0.get_mut(position).map(|(_, fact)| &mut **fact)
    }

    /// Puts a fact in the place of an earlier one.
    pub fn insert(&mut self, path: PathBuf, fact: PathFact) {
        let plain = match spelling(&path) {
            Cow::Borrowed(_) => None,
            Cow::Owned(plain) => Some(plain),
        };
        let path = plain.unwrap_or_else(|| path.into());
        match self.position(&path) {
            Ok(position) => *self.0[position].1 = fact,
            Err(position) => self.0.insert(position, (path, Box::new(fact))),
        }
    }

    /// Every path and what stands there, in the order of the paths' bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &PathFact)> {
        let facts = self
            .0
            .iter()
            .map(|(path, fact)| (path.as_os_str(), &**fact));
        let in_order: BTreeMap<&OsStr, &PathFact> = facts.collect();
        in_order
            .into_iter()
            .map(|(path, fact)| (Path::new(path), fact))
    }

    /// Where any spelling of a path stands in the list.
    fn find(&self, path: &Path) -> Option<usize> {
        // Most are asked for as they stand there.
        self.position(path.as_os_str())
            .or_else(|_| match spelling(path) {
                Cow::Borrowed(_) => Err(0),
                Cow::Owned(plain) => self.position(&plain),
            })
            .ok()
    }

    /// Where these bytes stand in the list, or else would.
    fn position(&self, path: &OsStr) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| {
            let length = other.len().cmp(&path.len());
            length.then_with(|| other.as_os_str().cmp(path))
        })
    }
}

/// The one spelling of a path that all its spellings are found by.
fn spelling(path: &Path) -> Cow<'_, OsStr> {
    match normal(path) {
        true => Cow::Borrowed(path.as_os_str()),
        false => Cow::Owned(path.components().collect::<PathBuf>().into_os_string()),
    }
}

impl FromIterator<(PathBuf, PathFact)> for PathFacts {
    fn from_iter<I: IntoIterator<Item = (PathBuf, PathFact)>>(facts: I) -> PathFacts {
        let mut all = PathFacts::default();
        for (path, fact) in facts {
            all.insert(path, fact);
        }
        all
    }
}

impl<const N: usize> From<[(PathBuf, PathFact); N]> for PathFacts {
    fn from(facts: [(PathBuf, PathFact); N]) -> PathFacts {
        facts.into_iter().collect()
    }
}

impl From<BTreeMap<PathBuf, PathFact>> for PathFacts {
    fn from(facts: BTreeMap<PathBuf, PathFact>) -> PathFacts {
        facts.into_iter().collect()
    }
}

impl From<PathFacts> for BTreeMap<PathBuf, PathFact> {
    fn from(facts: PathFacts) -> BTreeMap<PathBuf, PathFact> {
        let facts = facts.0.into_iter();
        facts.map(|(path, fact)| (path.into(), *fact)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The map that this stands for.
        #[test]
        fn it_finds_what_a_map_of_paths_finds(
            paths in prop::collection::vec("[/.a-]{0,6}", 0..12),
            asked in "[/.a-]{0,6}",
        ) {
            let facts = paths.iter().zip(0..);
            let facts = facts.map(|(path, errno)| (path.into(), PathFact::Unreadable(errno)));
            let (ours, known): (PathFacts, BTreeMap<PathBuf, PathFact>) =
                (facts.clone().collect(), facts.collect());
            prop_assert_eq!(ours.get(asked.as_ref()), known.get(Path::new(&asked)));
            prop_assert!(ours.iter().map(|(path, _)| path.as_os_str()).is_sorted());
            prop_assert_eq!(ours.iter().count(), known.len());
            for path in known.keys() {
                prop_assert_eq!(ours.get(path), known.get(path));
            }
            let written = serde_json::to_string(&ours).unwrap();
            prop_assert_eq!(&serde_json::from_str::<PathFacts>(&written).unwrap(), &ours);
            prop_assert_eq!(BTreeMap::from(ours), known);
        }
    }
}
