//! What a file map says about every path inside, by the words of its description.
//!
//! It shares nothing with the planner, and knows no mounts: rules have places, the
//! most specific place wins, links are followed as path_resolution(7) says.

use super::{Node, Tree};
use sandbox::host::PathFact;
use sandbox::policy::{Access, Content, FileRule};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// What the program finds at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing that could be used.
    Nothing,
    /// A directory that can be passed through and not listed.
    Passage,
    /// A directory that can be listed.
    Directory { write: bool },
    /// A file that can be read.
    File { write: bool, execute: bool },
}

/// One step of a walk.
#[derive(Debug, Clone)]
pub enum Step {
    Nothing,
    Link(PathBuf),
    Thing(Seen),
}

/// Follows `path` by what `step` says of each place; [`Seen::Nothing`] after 40 links.
pub fn walk(path: &Path, step: impl Fn(&Path) -> Step) -> Seen {
    arrive(path, step).1
}

/// As [`walk`]; also the place in which it ends, which no link leads to any more.
pub fn arrive(path: &Path, step: impl Fn(&Path) -> Step) -> (PathBuf, Seen) {
    let mut todo: Vec<PathBuf> = pieces(path);
    let mut done = PathBuf::from("/");
    let mut links = 0;
    let mut seen = step(&done);
    while let Some(piece) = todo.pop() {
        // Whatever follows, `..` too, wants a directory to follow.
        if !matches!(seen, Step::Thing(Seen::Directory { .. } | Seen::Passage)) {
            return (done, Seen::Nothing);
        }
        if piece == Path::new("..") {
            done.pop();
        } else {
            let next = done.join(piece);
            match step(&next) {
                Step::Link(text) => {
                    links += 1;
                    if links > 40 {
                        return (done, Seen::Nothing);
                    }
                    if text.is_absolute() {
                        done = PathBuf::from("/");
                    }
                    todo.extend(pieces(&text));
                }
                _ => done = next,
            }
        }
        seen = step(&done);
    }
    match seen {
        Step::Thing(seen) => (done, seen),
        _ => (done, Seen::Nothing),
    }
}

fn pieces(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| PathBuf::from(part.as_os_str()))
        .collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Hidden,
    Host(PathBuf),
    Tmpfs,
    Text,
    Link(PathBuf),
}

/// A file map with every rule in its place.
pub struct Naive<'t> {
    tree: &'t Tree,
    placed: BTreeMap<PathBuf, (What, Access)>,
}

impl<'t> Naive<'t> {
    /// For maps that the planner accepts; of others it says something.
    pub fn new(rules: &BTreeMap<PathBuf, FileRule>, tree: &'t Tree) -> Naive<'t> {
        let mut naive = Naive {
            tree,
            placed: BTreeMap::new(),
        };
        for (at, rule) in rules {
            let what = match &rule.content {
                _ if rule.access == Access::None => What::Hidden,
                Content::Host(source) => match naive.kept_link(at, rule, rules) {
                    Some(text) => What::Link(text),
                    None => match naive.real(source) {
                        Some(real) => What::Host(real),
                        // An optional rule, or one that narrows nothing.
                        None => continue,
                    },
                },
                Content::Tmpfs { .. } => What::Tmpfs,
                Content::Text(_) => What::Text,
                other => panic!("not drawn: {other:?}"),
            };
            if let Some(place) = naive.place(at, &what) {
                naive.placed.insert(place, (what, rule.access));
            }
        }
        naive
    }

    fn real(&self, path: &Path) -> Option<PathBuf> {
        match self.tree.fact(path) {
            PathFact::Found(found) => Some(found.real),
            _ => None,
        }
    }

    /// A link of the host that stands in no host tree is made again where what it
    /// points to is there under the same name with the same access.
    fn kept_link(
        &self,
        at: &Path,
        rule: &FileRule,
        rules: &BTreeMap<PathBuf, FileRule>,
    ) -> Option<PathBuf> {
        let Some(Node::Link(text)) = self.tree.get(at) else {
            return None;
        };
        let nearest = |path: &Path| {
            path.ancestors()
                .find_map(|above| rules.get_key_value(above))
                .map(|(at, rule)| (at.clone(), rule.clone()))
        };
        let host = |rule: &FileRule| match &rule.content {
            Content::Host(source) => Some(source.clone()),
            _ => None,
        };
        let in_a_tree = nearest(at.parent()?).is_some_and(|(_, tree)| host(&tree).is_some());
        // One hop leads there, by the words alone.
        let mut target = match text.is_absolute() {
            true => PathBuf::from("/"),
            false => at.parent()?.to_owned(),
        };
        for piece in pieces(text).into_iter().rev() {
            match piece == Path::new("..") {
                true => _ = target.pop(),
                false => target.push(piece),
            }
        }
        let (cover_at, cover) = nearest(&self.real(at)?)?;
        let itself = host(&cover).as_ref() == Some(&cover_at)
            && self.real(&cover_at).as_ref() == Some(&cover_at);
        let kept = host(rule).as_deref() == Some(at)
            && !in_a_tree
            && Some(&target) == self.real(at).as_ref()
            && cover_at != at
            && itself
            && cover.access == rule.access;
        kept.then(|| text.clone())
    }

    /// Where a rule stands: behind the links of our own, and in a host's tree
    /// where the host's links lead. `None` where nothing can stand.
    fn place(&self, at: &Path, what: &What) -> Option<PathBuf> {
        let parent = self.through_own_links(at.parent()?);
        let place = parent.join(at.file_name()?);
        let Some((above, (What::Host(source), _))) = self.governing(place.parent()?) else {
            return Some(place);
        };
        let position = join(source, place.strip_prefix(above).unwrap());
        // Nothing on the host, nothing to hide.
        let real = self.real(&position);
        let real = match what {
            What::Hidden => real?,
            _ => real.unwrap_or_else(|| position.clone()),
        };
        // In the nearest of the trees around it that are one.
        place.ancestors().skip(1).find_map(|above| {
            let What::Host(source) = &self.placed.get(above)?.0 else {
                return None;
            };
            let rest = real.strip_prefix(source).ok()?;
            let same = join(source, place.strip_prefix(above).ok()?) == position;
            same.then(|| join(above, rest))
        })
    }

    fn through_own_links(&self, path: &Path) -> PathBuf {
        let mut done = PathBuf::from("/");
        let mut todo = pieces(path);
        while let Some(piece) = todo.pop() {
            if piece == Path::new("..") {
                done.pop();
                continue;
            }
            done.push(piece);
            if let Some((What::Link(text), _)) = self.placed.get(&done) {
                done.pop();
                if text.is_absolute() {
                    done = PathBuf::from("/");
                }
                todo.extend(pieces(text));
            }
        }
        done
    }

    fn governing(&self, place: &Path) -> Option<(&Path, &(What, Access))> {
        place.ancestors().find_map(|above| {
            let (at, rule) = self.placed.get_key_value(above)?;
            Some((at.as_path(), rule))
        })
    }

    /// Does a directory have to be there for the sake of what lies below? Where
    /// the program could make a hidden name itself, that one too.
    fn leads_on(&self, place: &Path) -> bool {
        let below = |at: &PathBuf| at != place && at.starts_with(place);
        let stands = |at: &PathBuf, what: &What| {
            let made = || self.governing(at.parent()?).map(|(_, (_, around))| around);
            *what != What::Hidden || made().is_some_and(|around| around.writes())
        };
        self.placed
            .iter()
            .any(|(at, (what, _))| below(at) && stands(at, what))
    }

    /// What stands at a place, no links followed.
    fn step(&self, place: &Path) -> Step {
        let Some((above, (what, access))) = self.governing(place) else {
            return match self.leads_on(place) || place == Path::new("/") {
                true => Step::Thing(Seen::Directory { write: false }),
                false => Step::Nothing,
            };
        };
        let (write, execute) = (access.writes(), access.executes());
        let exact = above == place;
        match what {
            What::Hidden if self.leads_on(place) => Step::Thing(Seen::Passage),
            What::Link(text) if exact => Step::Link(text.clone()),
            What::Text if exact => Step::Thing(Seen::File {
                write: false,
                execute: false,
            }),
            What::Tmpfs if exact || self.leads_on(place) => Step::Thing(Seen::Directory { write }),
            What::Host(source) => {
                let position = join(source, place.strip_prefix(above).unwrap());
                match self.tree.get(&position) {
                    None => Step::Nothing,
                    Some(Node::Link(text)) => Step::Link(text.clone()),
                    Some(Node::Directory) => Step::Thing(Seen::Directory { write }),
                    Some(_) => Step::Thing(Seen::File { write, execute }),
                }
            }
            _ => Step::Nothing,
        }
    }

    /// The host's file that the map shows at a path with no link on the way.
    pub fn source(&self, path: &Path) -> Option<PathBuf> {
        let (above, (what, _)) = self.governing(path)?;
        match what {
            What::Host(source) if !path.ancestors().any(|place| self.is_link(place)) => {
                Some(join(source, path.strip_prefix(above).unwrap()))
            }
            _ => None,
        }
    }

    /// Does the map show a link at a path with no link on the way?
    pub fn is_link(&self, path: &Path) -> bool {
        matches!(self.step(path), Step::Link(_))
    }

    /// What the program finds at a path, links followed.
    pub fn at(&self, path: &Path) -> Seen {
        walk(path, |place| self.step(place))
    }
}

/// `base/rest` without a slash at the end.
pub fn join(base: &Path, rest: &Path) -> PathBuf {
    match rest.as_os_str().is_empty() {
        true => base.to_owned(),
        false => base.join(rest),
    }
}
