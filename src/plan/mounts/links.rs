//! Finds the symbolic links that our own tmpfs will hold.
//!
//! A link is kept only where following it inside shows what it shows outside;
//! any other is bound by what it points to.

use super::rules::Rules;
use super::tree::walk;
use crate::host::paths::{above, link_target};
use crate::host::{Host, PathFact};
use crate::policy::{Access, Content, FileRule};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Inside path → text of the link there.
pub(super) type Links = BTreeMap<OsString, PathBuf>;

/// Links of our own: those the policy writes, and host links (`/bin` → `usr/bin`)
/// whose target the map shows under the same name with the same access.
pub(super) fn own_links(rules: &Rules<'_>, host: &Host) -> Links {
    let mut links = Links::new();
    for (at, rule) in rules.iter() {
        let text = match &rule.content {
            Content::Symlink(text) if rule.access != Access::None => Some(text.clone()),
            Content::Host(source) if source == at => host_link(at, rule, rules, host),
            _ => None,
        };
        let Some(text) = text else { continue };
        let parent =
            above(at).and_then(|parent| walk(parent, |path| links.get(path.as_os_str()).cloned()));
        if let (Some(parent), Some(name)) = (parent, at.file_name()) {
            links.insert(parent.join(name).into_os_string(), text);
        }
    }
    links
}

fn host_link(at: &Path, rule: &FileRule, rules: &Rules<'_>, host: &Host) -> Option<PathBuf> {
    let Some(PathFact::Found(found)) = host.paths.get(at) else {
        return None;
    };
    let text = found.link.clone()?;
    // Inside a bound tree the link is there already, and is not ours.
    if let Some((_, tree)) = rules.nearest(above(at)?)
        && matches!(tree.content, Content::Host(_) | Content::Symlink(_))
    {
        return None;
    }
    // One hop, no other link on the way: inside it means what it means outside.
    if link_target(at, &text) != found.real {
        return None;
    }
    let (cover_at, cover) = rules.nearest(&found.real)?;
    let Content::Host(source) = &cover.content else {
        return None;
    };
    let Some(PathFact::Found(cover_found)) = host.paths.get(source) else {
        return None;
    };
    let same_name = source == cover_at && cover_found.real == cover_at;
    (cover_at != at && same_name && cover.access == rule.access && !rule.git).then_some(text)
}
