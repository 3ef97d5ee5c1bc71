//! Decides what `[files]` of one policy file means: inside path → rule.
//!
//! It looks at no file system; whether a source exists is the plan's to ask.

use super::context::{Caller, Unresolved};
use super::error::{Error, Source, quote};
use super::table::{Key, Shape, Table, Value, entries};
use super::values::{default_inodes, tmpfs_bytes, tmpfs_inodes};
use super::{Access, Content, FileRule, InsidePath};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::path::PathBuf;

/// What may be written as `access`, and as a rule of one word.
const WORDS: [&str; 8] = [
    "none",
    "read",
    "exec",
    "write",
    "write+exec",
    "proc",
    "proc+facts",
    "dev",
];
const KEYS: [&str; 12] = [
    "from",
    "access",
    "tmpfs",
    "inodes",
    "exec",
    "text",
    "symlink",
    "synthetic",
    "dev",
    "shm",
    "optional",
    "git",
];
const SYNTHETIC: [&str; 4] = ["passwd", "group", "hosts", "hostname"];

/// Size of `/dev/shm` where the policy does not say.
pub(super) const DEFAULT_SHM: u64 = 64 << 20;

/// Lays the rules of one `[files]` table over those of the files before it.
pub(super) fn lay(
    rules: &mut BTreeMap<InsidePath, FileRule>,
    source: &Source,
    caller: &Caller,
    table: Table,
) -> Result<(), Error> {
    let mut own = Own::default();
    for (key, value) in entries(table) {
        let Some((path, rule)) = rule(source, caller, &key, &value)? else {
            continue;
        };
        match rules.entry(path) {
            Entry::Vacant(place) => {
                place.insert(rule);
            }
            Entry::Occupied(mut place) => {
                if let Some(first) = own.first(caller, place.key()) {
                    // `~/.cargo` and `$CARGO_HOME` are often the same directory; as long
                    // as both say the same, nothing is lost.
                    let agree = same(place.get(), &rule);
                    let literal = |key: &Key| key.name.starts_with('/');
                    if !agree || (literal(first) && literal(&key)) {
                        return Err(twice(source, place.key(), first, &key));
                    }
                    continue;
                }
                place.insert(rule);
            }
        }
        own.keys.push(key);
    }
    Ok(())
}

/// The rules of one table.
#[derive(Default)]
struct Own<'t> {
    /// Their keys, in the order of the file; no two are for one path.
    keys: Vec<Key<'t>>,
    /// Where each of the first of them stands.
    places: BTreeMap<InsidePath, usize>,
    placed: usize,
}

impl<'t> Own<'t> {
    /// The key of the rule for this path. Hardly a path has two rules: what is needed to
    /// tell is made when one does.
    fn first(&mut self, caller: &Caller, path: &InsidePath) -> Option<&Key<'t>> {
        for (at, key) in self.keys.iter().enumerate().skip(self.placed) {
            if let Ok(path) = caller.inside(key.name) {
                self.places.insert(path, at);
            }
        }
        self.placed = self.keys.len();
        self.keys.get(*self.places.get(path)?)
    }
}

fn unresolved(source: &Source, at: Range<usize>, why: Unresolved) -> Error {
    Error {
        hint: why.hint(),
        ..source.error(at, why.message())
    }
}

/// Two rules that differ in nothing but where they stand.
fn same(left: &FileRule, right: &FileRule) -> bool {
    let origin = String::new();
    let bare = |rule: &FileRule| FileRule {
        origin: origin.clone(),
        ..rule.clone()
    };
    bare(left) == bare(right)
}

fn twice(source: &Source, path: &InsidePath, first: &Key, second: &Key) -> Error {
    let line = source.line(first.at.start);
    let message = format!(
        "{} and {} of line {line} are the same path {}",
        quote(second.name),
        quote(first.name),
        quote(&path.as_path().to_string_lossy())
    );
    source.error(second.at.clone(), message).hint(format!(
        "keep one of them; line {line} is {}",
        quote(source.source_line(line).trim())
    ))
}

/// One rule and its place; `None` when it is optional and its source cannot be named
/// here.
fn rule(
    source: &Source,
    caller: &Caller,
    key: &Key,
    value: &Value,
) -> Result<Option<(InsidePath, FileRule)>, Error> {
    let mut fields = Fields::default();
    match value.shape {
        Shape::String(word) => fields.access = Some((word, value.at.clone())),
        Shape::Table(table) => fields.read(source, table)?,
        _ => {
            let wanted = "an access such as \"read\", or a table";
            return Err(source.mistyped(key, value, wanted));
        }
    }
    fields.rule(source, caller, key)
}

/// A value and where it stands.
type Placed<T> = Option<(T, Range<usize>)>;

/// The keys of one rule, types checked, nothing else.
#[derive(Default)]
struct Fields<'t> {
    from: Placed<&'t str>,
    access: Placed<&'t str>,
    tmpfs: Placed<u64>,
    inodes: Placed<u64>,
    exec: Placed<bool>,
    text: Placed<&'t str>,
    symlink: Placed<&'t str>,
    synthetic: Placed<&'t str>,
    dev: Placed<bool>,
    shm: Placed<u64>,
    git: Placed<&'t str>,
    optional: bool,
}

impl<'t> Fields<'t> {
    fn read(&mut self, source: &Source, table: Table<'t>) -> Result<(), Error> {
        for (key, value) in entries(table) {
            let at = value.at.clone();
            let wrong = |why: String| source.error(value.at.clone(), why);
            let string = || source.string(&key, &value);
            match key.name {
                "from" => self.from = Some((string()?, at)),
                "access" => self.access = Some((string()?, at)),
                "tmpfs" => self.tmpfs = Some((tmpfs_bytes(string()?).map_err(wrong)?, at)),
                "inodes" => {
                    let number = source.count(&key, &value)?;
                    self.inodes = Some((tmpfs_inodes(number).map_err(wrong)?, at));
                }
                "exec" => self.exec = Some((source.boolean(&key, &value)?, at)),
                "text" => self.text = Some((string()?, at)),
                "symlink" => self.symlink = Some((string()?, at)),
                "synthetic" => self.synthetic = Some((string()?, at)),
                "dev" => self.dev = Some((source.boolean(&key, &value)?, at)),
                "shm" => self.shm = Some((tmpfs_bytes(string()?).map_err(wrong)?, at)),
                "git" => self.git = Some((string()?, at)),
                "optional" => self.optional = source.boolean(&key, &value)?,
                // For people; it need only be text.
                "reason" => {
                    string()?;
                }
                _ => return Err(source.unknown(&key, &[&KEYS[..], &["reason"]].concat())),
            }
        }
        Ok(())
    }

    fn rule(
        &self,
        source: &Source,
        caller: &Caller,
        key: &Key,
    ) -> Result<Option<(InsidePath, FileRule)>, Error> {
        self.one_content(source)?;
        if let Some((false, at)) = &self.dev {
            let message = "`dev` can only be true; leave it out instead";
            return Err(source.error(at.clone(), message));
        }
        let git = self.git(source)?;
        let (content, access) = match self.made(source)? {
            Some((content, access)) => {
                self.refuse_git(source)?;
                (Some(content), access)
            }
            None => self.named(source, caller, key)?,
        };
        let from = match (&content, &self.from) {
            (None, Some((from, at))) => {
                let Some(from) = self.resolved(source, at, caller.host(from))? else {
                    return Ok(None);
                };
                Some(from)
            }
            _ => None,
        };
        let Some(path) = self.resolved(source, &key.at, caller.inside(key.name))? else {
            return Ok(None);
        };
        // `~`, `.` and `$NAME` mean a place on the host, whatever lies around.
        let follows = content.is_none() && from.is_none() && key.name.starts_with('/');
        // Without `from` the key means the host path of the same name.
        let host = || Content::Host(from.unwrap_or_else(|| path.as_path().to_owned()));
        let rule = FileRule {
            content: content.unwrap_or_else(host),
            access,
            optional: self.optional,
            git,
            follows,
            origin: source.origin(key.at.start),
        };
        Ok(Some((path, rule)))
    }

    /// A path; `None` where it has no meaning here and the rule is optional.
    fn resolved<T>(
        &self,
        source: &Source,
        at: &Range<usize>,
        path: Result<T, Unresolved>,
    ) -> Result<Option<T>, Error> {
        match path {
            Ok(path) => Ok(Some(path)),
            Err(Unresolved::Unset(..)) if self.optional => Ok(None),
            Err(why) => Err(unresolved(source, at.clone(), why)),
        }
    }

    /// A rule has one content, and only the keys that go with it.
    fn one_content(&self, source: &Source) -> Result<(), Error> {
        let contents = [
            ("from", self.from.as_ref().map(|(_, at)| at)),
            ("tmpfs", self.tmpfs.as_ref().map(|(_, at)| at)),
            ("text", self.text.as_ref().map(|(_, at)| at)),
            ("symlink", self.symlink.as_ref().map(|(_, at)| at)),
            ("synthetic", self.synthetic.as_ref().map(|(_, at)| at)),
            ("dev", self.dev.as_ref().map(|(_, at)| at)),
        ];
        let present = || {
            let contents = contents.iter();
            contents.filter_map(|(name, at)| Some((*name, (*at)?)))
        };
        if present().nth(1).is_some() {
            let mut placed: Vec<_> = present().collect();
            placed.sort_by_key(|(_, at)| at.start);
            if let [(first, _), (second, at), ..] = placed[..] {
                let message = format!("`{first}` and `{second}` exclude each other");
                return Err(source.error(at.clone(), message));
            }
        }
        let content = present().next().map(|(name, _)| name);
        let strays = [
            (
                "access",
                self.access.as_ref().map(|(_, at)| at),
                content.is_none() || content == Some("from"),
            ),
            (
                "inodes",
                self.inodes.as_ref().map(|(_, at)| at),
                content == Some("tmpfs"),
            ),
            (
                "exec",
                self.exec.as_ref().map(|(_, at)| at),
                content == Some("tmpfs"),
            ),
            (
                "shm",
                self.shm.as_ref().map(|(_, at)| at),
                content == Some("dev"),
            ),
        ];
        for (name, at, fits) in strays {
            let (Some(at), false) = (at, fits) else {
                continue;
            };
            let message = match (name, content) {
                ("access", Some(content)) => format!("`access` does not go with `{content}`"),
                ("shm", _) => String::from("`shm` goes only with `dev = true`"),
                _ => format!("`{name}` goes only with `tmpfs`"),
            };
            let error = source.error(at.clone(), message);
            return Err(match (name, content) {
                ("access", Some("tmpfs")) => {
                    error.hint("a tmpfs is writable; `exec = true` makes it executable too")
                }
                ("exec", _) => error.hint("for a host path, write `access = \"exec\"`"),
                _ => error,
            });
        }
        Ok(())
    }

    fn git(&self, source: &Source) -> Result<bool, Error> {
        match &self.git {
            None => Ok(false),
            Some(("protect", _)) => Ok(true),
            Some((word, at)) => Err(source.unknown_word(at, "value", word, &["protect"])),
        }
    }

    fn refuse_git(&self, source: &Source) -> Result<(), Error> {
        match &self.git {
            None => Ok(()),
            Some((_, at)) => {
                let message = "`git` goes only with a host path that is visible";
                Err(source.error(at.clone(), message))
            }
        }
    }

    /// Content that we make ourselves.
    fn made(&self, source: &Source) -> Result<Option<(Content, Access)>, Error> {
        if let Some((bytes, _)) = self.tmpfs {
            let inodes = match self.inodes {
                Some((inodes, _)) => inodes,
                None => default_inodes(bytes),
            };
            let access = match self.exec {
                Some((true, _)) => Access::WriteExec,
                _ => Access::Write,
            };
            return Ok(Some((Content::Tmpfs { bytes, inodes }, access)));
        }
        if let Some((text, _)) = self.text {
            return Ok(Some((Content::Text(text.to_owned()), Access::Read)));
        }
        if let Some((target, at)) = &self.symlink {
            if target.is_empty() || target.contains('\0') || target.len() >= libc::PATH_MAX as usize
            {
                let message = format!("{} cannot be the target of a link", quote(target));
                return Err(source.error(at.clone(), message));
            }
            let content = Content::Symlink(PathBuf::from(target));
            return Ok(Some((content, Access::Read)));
        }
        if let Some((word, at)) = &self.synthetic {
            let content = match *word {
                "passwd" => Content::Passwd,
                "group" => Content::Group,
                "hosts" => Content::Hosts,
                "hostname" => Content::Hostname,
                _ => return Err(source.unknown_word(at, "value", word, &SYNTHETIC)),
            };
            return Ok(Some((content, Access::Read)));
        }
        if self.dev.is_some() {
            let shm_bytes = self.shm.as_ref().map_or(DEFAULT_SHM, |(bytes, _)| *bytes);
            return Ok(Some((Content::Dev { shm_bytes }, Access::Write)));
        }
        Ok(None)
    }

    /// What a word of access names; no content is that of a host path.
    fn named(
        &self,
        source: &Source,
        caller: &Caller,
        key: &Key,
    ) -> Result<(Option<Content>, Access), Error> {
        let Some((word, at)) = &self.access else {
            let message = format!("the rule for {} says no `access`", quote(key.name));
            let error = source.error(key.at.clone(), message);
            return Err(error.hint("write one of `none`, `read`, `exec`, `write`, `write+exec`"));
        };
        let special = match *word {
            "none" => Some((Content::Nothing, Access::None)),
            "proc" => Some((Content::Proc { facts: false }, Access::Read)),
            "proc+facts" => Some((Content::Proc { facts: true }, Access::Read)),
            "dev" => Some((
                Content::Dev {
                    shm_bytes: DEFAULT_SHM,
                },
                Access::Write,
            )),
            _ => None,
        };
        if let Some((content, access)) = special {
            if self.from.is_some() {
                let message = format!("`access = \"{word}\"` does not go with `from`");
                return Err(source.error(at.clone(), message));
            }
            self.refuse_git(source)?;
            return Ok((Some(content), access));
        }
        let access = match *word {
            "read" => Access::Read,
            "exec" => Access::Exec,
            "write" => Access::Write,
            "write+exec" => Access::WriteExec,
            "exec+write" | "read+write+exec" | "read+exec" | "read+write" => {
                let meant = match (word.contains("write"), word.contains("exec")) {
                    (true, true) => "write+exec",
                    (true, false) => "write",
                    _ => "exec",
                };
                let message = format!("unknown access {}; did you mean `{meant}`?", quote(word));
                return Err(source.error(at.clone(), message));
            }
            _ => return Err(source.unknown_word(at, "access", word, &WORDS)),
        };
        if matches!(
            self.from.as_ref().map_or(key.name, |(from, _)| from),
            "." | "./"
        ) && access.writes()
            && caller.cwd_holds_home()
        {
            let message = "the working directory `.` is your home directory, or contains it, and the program could write what your shell runs at the next login";
            let error = source.error(at.clone(), message);
            return Err(error.hint(
                "start in a project directory; a policy that means the home directory says `~`",
            ));
        }
        Ok((None, access))
    }
}
