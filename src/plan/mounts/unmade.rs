//! Rules for which nothing is mounted, since what is there already does as they say.
//!
//! Rules placed later may change what is there, through a symbolic link even above such a
//! rule: it is held against the finished map, and refused where it would not hold.

use super::quote;
use super::tree::{Entry, ResolvedFiles, Thing, join};
use crate::host::Found;
use crate::host::paths::rest;
use crate::plan::Refusal;
use crate::policy::{Access, FileRule};
use std::path::{Path, PathBuf};

/// A rule that adds nothing to what is around it.
pub(super) struct Unmade<'p> {
    /// Where it stands, as the policy says it.
    at: &'p Path,
    rule: &'p FileRule,
    /// What it speaks of.
    real: &'p Path,
    /// The last symbolic link on the host that leads there.
    link: Option<&'p Path>,
    /// Where the program finds that.
    place: PathBuf,
}

impl<'p> Unmade<'p> {
    /// Of what is seen at `place`.
    pub(super) fn new(
        at: &'p Path,
        rule: &'p FileRule,
        found: &'p Found,
        place: PathBuf,
    ) -> Unmade<'p> {
        Unmade {
            at,
            rule,
            real: &found.real,
            link: found.via.last().map(PathBuf::as_path),
            place,
        }
    }

    /// Refuses it where the finished map allows something else at its place.
    pub(super) fn check(&self, files: &ResolvedFiles) -> Result<(), Refusal> {
        let around = files.governing(&self.place);
        if around.is_some_and(|(above, entry)| self.is_done_by(above, entry)) {
            return Ok(());
        }
        let what = match self.link {
            Some(link) => format!(
                "cannot place {} (rule {}): {} is a symbolic link to {}",
                quote(self.at),
                self.rule.origin,
                quote(link),
                quote(self.real)
            ),
            None => format!(
                "rule {} allows \"{}\" at {}",
                self.rule.origin,
                self.rule.access.name(),
                quote(self.at)
            ),
        };
        let hint = match (self.link, around) {
            (Some(_), Some((_, entry))) if entry.access != Access::None => {
                String::from("drop the rule: following the link gives what the other one allows")
            }
            (Some(_), _) => format!("name {} instead", quote(self.real)),
            (None, _) => String::from("drop one of the two, or let both say the same"),
        };
        Err(Refusal::new(match around {
            Some((above, entry)) => format!(
                "{what}, where rule {} for {} allows \"{}\"",
                entry.origin,
                quote(above),
                entry.access.name()
            ),
            None => format!("{what}, which no rule shows"),
        })
        .hint(hint))
    }

    fn is_done_by(&self, above: &Path, entry: &Entry) -> bool {
        let Thing::Host { source, .. } = &entry.thing else {
            return false;
        };
        entry.access == self.rule.access
            && rest(&self.place, above).is_some_and(|rest| join(source, rest) == self.real)
    }
}
