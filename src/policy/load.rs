//! Decides which texts a policy is read from: built-in names, files, `extends`.
//!
//! It opens no file but those named, never blocks on one, and never reads more
//! than a megabyte of it.

use super::builtin::{self, builtin, names};
use super::context::{Caller, Context};
use super::error::{Error, Source, quote};
use super::open::{self, FileId};
use super::sections::{Draft, TOP, unknown_at_top};
use super::suggest::nearest;
use super::table::{Document, Shape, Table, entries};
use super::{Policy, unexplained_host_network};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Longest chain of policies that extend each other, both ends counted.
const DEEPEST: usize = 8;

impl Policy {
    /// Reads a policy: a built-in name (`strict`), or a path (it contains a `/`
    /// or ends in `.toml`), relative to the working directory of `context`. A
    /// bare name that is not built in may be a file there too.
    ///
    /// Each policy named by `extends` is laid down before the one that names it,
    /// once: where two paths lead to the same policy, the first counts.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn load(name_or_path: &OsStr, context: &Context) -> Result<Policy, Error> {
        Policy::load_for(name_or_path, &Caller::of(context))
    }

    /// The same with [`Context::current`], and with no more of it looked at than the
    /// policy speaks of: most have no use for the environment.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn load_here(name_or_path: &OsStr) -> Result<Policy, Error> {
        Policy::load_for(name_or_path, &Caller::own())
    }

    fn load_for(name_or_path: &OsStr, caller: &Caller) -> Result<Policy, Error> {
        let mut reading = Reading::new(caller, true);
        let shown = name_or_path.to_string_lossy();
        let is_path = name_or_path.as_bytes().contains(&b'/') || shown.ends_with(".toml");
        if let (false, Some(name)) = (is_path, name_or_path.to_str())
            && let Some(file) = builtin::read(name)
        {
            let id = Id::Builtin(file.name);
            reading.layer(id, &file.source(), file.table(), None)?;
            return reading.finish();
        }
        let path = caller.cwd().join(name_or_path);
        if !is_path && !path.exists() {
            return Err(no_such_policy(&shown));
        }
        let file = open::read(&path).map_err(|why| not_read(why.message(&shown), &shown))?;
        reading.file(file, &shown, path)?;
        reading.finish()
    }

    /// Reads a policy from a text; `file_name` is what messages call it. It can
    /// extend built-in policies only, so this touches no file at all.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str, file_name: &str, context: &Context) -> Result<Policy, Error> {
        let caller = Caller::of(context);
        let mut reading = Reading::new(&caller, false);
        reading.text(Id::Text, file_name, text, None)?;
        reading.finish()
    }

    /// Refuses combinations that no single key shows. [`Policy::load`] asks
    /// this; ask again after overriding anything.
    ///
    /// # Errors
    /// `network.mode = "host"` without `weaken.host-network`.
    pub fn validate(&self) -> Result<(), Error> {
        match self.unexplained_host_network() {
            true => Err(unexplained_host_network()),
            false => Ok(()),
        }
    }
}

/// What a text is, so that a chain that meets itself is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Id {
    Text,
    /// By its name.
    Builtin(&'static str),
    File(FileId),
}

/// One reading of a policy and everything it extends.
struct Reading<'a> {
    caller: &'a Caller<'a>,
    /// May `extends` name files?
    files: bool,
    draft: Draft,
    /// Policies that are being read, outermost first, and what they are called.
    chain: Vec<(Id, String)>,
    /// Policies that are laid down.
    done: Vec<Id>,
}

impl<'a> Reading<'a> {
    fn new(caller: &'a Caller<'a>, files: bool) -> Reading<'a> {
        Reading {
            caller,
            files,
            draft: Draft::default(),
            chain: Vec::new(),
            done: Vec::new(),
        }
    }

    fn finish(self) -> Result<Policy, Error> {
        let Draft {
            mut policy,
            group,
            host_network,
        } = self.draft;
        policy.process.group = group.unwrap_or(policy.process.user);
        policy.settle();
        match host_network {
            Some(error) if policy.unexplained_host_network() => Err(error),
            _ => policy.validate().map(|()| policy),
        }
    }

    fn file(&mut self, file: open::File, shown: &str, path: PathBuf) -> Result<(), Error> {
        for place in file.places {
            if !self.draft.policy.sources.contains(&place) {
                self.draft.policy.sources.push(place);
            }
        }
        let text = match std::str::from_utf8(&file.bytes) {
            Ok(text) => text,
            Err(why) => return Err(not_utf8(shown, &file.bytes, why.valid_up_to())),
        };
        self.text(Id::File(file.id), shown, text, Some(&path))
    }

    fn text(&mut self, id: Id, name: &str, text: &str, path: Option<&Path>) -> Result<(), Error> {
        let source = Source::new(name, text);
        let document = Document::parse(text).map_err(|error| syntax(&source, &error))?;
        self.layer(id, &source, Table::Parsed(&document), path)
    }

    /// Lays down what a text extends, then the text. `path` is where the text
    /// lies, and so what its relative paths are relative to.
    fn layer(
        &mut self,
        id: Id,
        source: &Source,
        top: Table,
        path: Option<&Path>,
    ) -> Result<(), Error> {
        self.chain.push((id, source.name.clone().into_owned()));
        self.head(source, top, path)?;
        self.draft.lay(source, self.caller, top)?;
        self.chain.pop();
        self.done.push(id);
        Ok(())
    }

    /// `version` and `extends`.
    fn head(&mut self, source: &Source, top: Table, path: Option<&Path>) -> Result<(), Error> {
        let mut version = false;
        let mut extends = Vec::new();
        for (key, value) in entries(top) {
            match key.name {
                "version" => {
                    let right = matches!(value.shape, Shape::Integer(..))
                        && source.count(&key, &value)? == 1;
                    if !right {
                        let message = "`version` must be 1, the only one there is so far";
                        return Err(source.error(value.at.clone(), message));
                    }
                    version = true;
                }
                "extends" => extends = source.strings(&key, &value)?,
                name if TOP.contains(&name) => {}
                _ => return Err(unknown_at_top(source, &key)),
            }
        }
        if !version {
            let error = source.error(0..0, "`version` is missing");
            return Err(error.hint("begin the policy with `version = 1`"));
        }
        for (entry, at) in extends {
            self.extend(source, entry, path)
                .map_err(|failed| match failed {
                    Failed::Here(message, hint) => Error {
                        hint,
                        ..source.error(at, message)
                    },
                    Failed::There(error) => error,
                })?;
        }
        Ok(())
    }

    fn extend(&mut self, source: &Source, entry: &str, path: Option<&Path>) -> Result<(), Failed> {
        if let Some(file) = builtin::read(entry) {
            let id = Id::Builtin(file.name);
            return match self.is_new(&id, file.name)? {
                true => Ok(self.layer(id, &file.source(), file.table(), None)?),
                false => Ok(()),
            };
        }
        if !entry.contains('/') && !entry.ends_with(".toml") {
            let Error { message, hint, .. } = no_such_policy(entry);
            return Err(Failed::Here(message, hint));
        }
        let Some(path) = path.filter(|_| self.files) else {
            let message = format!(
                "{} is a file, and only built-in policies can be extended here",
                quote(entry)
            );
            let hint = format!("built-in policies: {}", names().join(", "));
            return Err(Failed::Here(message, Some(hint)));
        };
        if entry.contains('\0') {
            let message = format!("{} contains a NUL byte", quote(entry));
            return Err(Failed::Here(message, None));
        }
        let target = path.parent().unwrap_or(Path::new("/")).join(entry);
        // Named as the file that extends it was: relative stays relative.
        let shown = Path::new(&*source.name).with_file_name(entry);
        let shown = shown.to_string_lossy();
        // Before the file is opened: a chain of a million files ends here.
        if self.chain.len() >= DEEPEST {
            let message = format!(
                "policies extend each other more than {DEEPEST} deep: {}",
                self.shown(&shown)
            );
            return Err(Failed::Here(message, None));
        }
        let file = open::read(&target).map_err(|why| Failed::Here(why.message(&shown), None))?;
        match self.is_new(&Id::File(file.id), &shown)? {
            true => Ok(self.file(file, &shown, target)?),
            false => Ok(()),
        }
    }

    /// Is this policy still to be laid down?
    fn is_new(&self, id: &Id, name: &str) -> Result<bool, Failed> {
        if self.chain.iter().any(|(known, _)| known == id) {
            let message = format!("the policy extends itself: {}", self.shown(name));
            return Err(Failed::Here(message, None));
        }
        Ok(!self.done.contains(id))
    }

    /// The chain and its new end.
    fn shown(&self, end: &str) -> String {
        let names = self.chain.iter().map(|(_, name)| name.as_str());
        let names: Vec<String> = names.chain([end]).map(quote).collect();
        names.join(" -> ")
    }
}

/// A mistake at the entry of `extends`, or in the policy it names.
enum Failed {
    Here(String, Option<String>),
    There(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::There(error)
    }
}

fn no_such_policy(name: &str) -> Error {
    let known = names();
    let message = match nearest(name, &known) {
        Some(meant) => format!("no policy {}; did you mean `{meant}`?", quote(name)),
        None => format!("no policy {}", quote(name)),
    };
    Error::plain(message).hint(format!(
        "built-in policies: {}; a file is named with a `/` or ends in `.toml`",
        known.join(", ")
    ))
}

/// A file that cannot be read; `strict.toml` may have meant `strict`.
fn not_read(message: String, shown: &str) -> Error {
    let error = Error::plain(message);
    match shown
        .strip_suffix(".toml")
        .filter(|name| builtin(name).is_some())
    {
        Some(name) => error.hint(format!("the built-in policy is called `{name}`")),
        None => error,
    }
}

/// A syntax error in our words' order: the place, then what the parser says.
fn syntax(source: &Source, error: &toml::de::Error) -> Error {
    let at = error.span().unwrap_or(0..0);
    let said = super::error::escape(error.message().trim_end_matches('.'));
    let said = said.replace('\n', ", ");
    source.error(at, format!("not valid TOML: {said}"))
}

fn not_utf8(shown: &str, bytes: &[u8], valid: usize) -> Error {
    let text = String::from_utf8_lossy(bytes);
    // What is valid stays as it is, so the offset is the same in both.
    Source::new(shown, &text).error(valid..valid, "the policy is not UTF-8 text")
}
