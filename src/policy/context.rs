//! Decides what `.`, `~` and `$NAME` in a policy mean.
//!
//! It looks at nothing but the [`Context`] it is given (and, for one refusal, at
//! where the home directory lies), so a policy means the same for the same context
//! on every machine. Where the context is this process's own it looks at no more of
//! it than is asked for.

use super::InsidePath;
use super::error::quote;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The caller, as far as a policy can speak of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// `.`: the working directory. Empty when there is none (it was removed);
    /// a policy that says `.` is then refused.
    pub cwd: PathBuf,
    /// `~`: the home directory.
    pub home: Option<PathBuf>,
    /// `$NAME`: the environment.
    pub env: BTreeMap<String, String>,
}

impl Context {
    /// The context of this process. The home directory is `HOME`, or what
    /// `/etc/passwd` says without it (so that rules that hide parts of it are
    /// not lost with the variable). Variables that are no UTF-8 count as unset.
    pub fn current() -> Context {
        let mut env = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            // Of two, the one that getenv(3) finds, and so the one let through.
            env.entry(name).or_insert(value);
        }
        let texts = env.into_iter().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Context {
            cwd: current_dir(),
            home: current_home(),
            env: texts.collect(),
        }
    }
}

fn current_dir() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

fn current_home() -> Option<PathBuf> {
    std::env::var_os("HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from)
        .or_else(home_from_accounts)
}

/// Whom a policy is read for: somebody described, or this process as
/// [`Context::current`] has it. Of that each part is looked at when a policy first speaks
/// of it, and then known.
pub(super) struct Caller<'c> {
    described: Option<&'c Context>,
    cwd: OnceCell<PathBuf>,
    home: OnceCell<Option<PathBuf>>,
    cwd_holds_home: OnceCell<bool>,
}

impl<'c> Caller<'c> {
    /// This process.
    pub fn own() -> Caller<'static> {
        Caller::new(None)
    }

    /// Somebody described.
    pub fn of(context: &'c Context) -> Caller<'c> {
        Caller::new(Some(context))
    }

    fn new(described: Option<&'c Context>) -> Caller<'c> {
        Caller {
            described,
            cwd: OnceCell::new(),
            home: OnceCell::new(),
            cwd_holds_home: OnceCell::new(),
        }
    }

    /// [`Context::cwd`].
    pub fn cwd(&self) -> &Path {
        match self.described {
            Some(context) => &context.cwd,
            None => self.cwd.get_or_init(current_dir),
        }
    }

    fn home(&self) -> Option<&Path> {
        match self.described {
            Some(context) => context.home.as_deref(),
            None => self.home.get_or_init(current_home).as_deref(),
        }
    }

    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.described {
            Some(context) => context.env.get(name).map(Cow::from),
            None => std::env::var(name).ok().map(Cow::from),
        }
    }

    /// A path inside the sandbox: absolute, or beginning with `~`, `$NAME` or `.`.
    pub(super) fn inside<'t>(&self, text: &'t str) -> Result<InsidePath, Unresolved<'t>> {
        let path = match text.strip_prefix('.') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => self.below_cwd(text)?.into(),
            _ => self.expand(text)?.ok_or_else(|| {
                Unresolved::Wrong(format!(
                    "{} must be absolute, or begin with `~`, `$NAME` or `.`",
                    quote(text)
                ))
            })?,
        };
        checked(path, text)
    }

    /// A path on the host: as above, or relative to the working directory.
    pub(super) fn host<'t>(&self, text: &'t str) -> Result<PathBuf, Unresolved<'t>> {
        let path = match self.expand(text)? {
            Some(path) => path,
            None => self.below_cwd(text)?.into(),
        };
        checked(path, text).map(InsidePath::into_path)
    }

    /// Is the working directory the home directory, or does it contain it? The one
    /// question here that looks at the disk: a home may be named by a link.
    pub(super) fn cwd_holds_home(&self) -> bool {
        *self.cwd_holds_home.get_or_init(|| {
            let cwd = self.cwd();
            // An empty path is the start of every other, and is no directory.
            cwd.is_absolute()
                && self.home().is_some_and(|home| {
                    let real = || home.canonicalize();
                    home.starts_with(cwd) || real().is_ok_and(|home| home.starts_with(cwd))
                })
        })
    }

    fn below_cwd<'t>(&self, text: &'t str) -> Result<PathBuf, Unresolved<'t>> {
        if !self.cwd().is_absolute() {
            return Err(Unresolved::Wrong(format!(
                "{} needs a working directory, and the current one no longer exists",
                quote(text)
            )));
        }
        Ok(self.cwd().join(text))
    }

    /// `None` for a relative path.
    fn expand<'p, 't: 'p>(
        &'p self,
        text: &'t str,
    ) -> Result<Option<Cow<'p, Path>>, Unresolved<'t>> {
        if text.starts_with('/') {
            return Ok(Some(Path::new(text).into()));
        }
        if text.is_empty() {
            return Err(Unresolved::Wrong(String::from("the path is empty")));
        }
        let (first, rest) = match text.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (text, None),
        };
        let base: Cow<Path> = if first == "~" {
            self.home().ok_or(Unresolved::Unset("~", text))?.into()
        } else if first.starts_with('~') {
            return Err(Unresolved::Wrong(format!(
                "{} names another user's home; only `~` and `~/…` are known",
                quote(text)
            )));
        } else if let Some(name) = first.strip_prefix('$') {
            if !is_variable(name) {
                return Err(Unresolved::Wrong(format!(
                    "{} does not begin with the name of a variable",
                    quote(text)
                )));
            }
            match self.variable(name) {
                Some(Cow::Owned(value)) if !value.is_empty() => PathBuf::from(value).into(),
                Some(Cow::Borrowed(value)) if !value.is_empty() => Path::new(value).into(),
                _ => return Err(Unresolved::Unset(first, text)),
            }
        } else {
            return Ok(None);
        };
        // A bad value is not the same as none: a rule that hides something must
        // not vanish because of it.
        if !base.is_absolute() {
            return Err(Unresolved::Wrong(format!(
                "`{first}` is {}, which is no absolute path",
                quote(&base.to_string_lossy())
            )));
        }
        if has_parent(&base) {
            return Err(Unresolved::Wrong(format!(
                "`{first}` is {}, which contains `..`",
                quote(&base.to_string_lossy())
            )));
        }
        // Not `join`: what follows the slash is relative even in `~//etc`.
        Ok(Some(match rest {
            Some(rest) => base.join(rest.trim_start_matches('/')).into(),
            None => base,
        }))
    }
}

/// Why a path means nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unresolved<'t> {
    /// This variable is not set, and this text needs it: with `optional = true` the rule
    /// vanishes.
    Unset(&'t str, &'t str),
    /// Wrong in every case.
    Wrong(String),
}

impl Unresolved<'_> {
    /// What would help, in a policy file.
    pub fn hint(&self) -> Option<String> {
        match self {
            Unresolved::Unset(..) => Some(String::from(
                "with `optional = true` the rule is left out where it is not set",
            )),
            Unresolved::Wrong(_) => None,
        }
    }

    /// The sentence.
    pub fn message(self) -> String {
        match self {
            Unresolved::Unset("~", text) => format!(
                "{} needs a home directory, and `HOME` is not set",
                quote(text)
            ),
            Unresolved::Unset(variable, text) if variable == text => {
                format!("`{variable}` is not set")
            }
            Unresolved::Unset(variable, text) => {
                format!("`{variable}` is not set, and {} needs it", quote(text))
            }
            Unresolved::Wrong(message) => message,
        }
    }
}

fn checked<'t>(path: Cow<Path>, text: &'t str) -> Result<InsidePath, Unresolved<'t>> {
    InsidePath::of(path).map_err(|why| Unresolved::Wrong(format!("{} {why}", quote(text))))
}

fn has_parent(path: &Path) -> bool {
    let mut names = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
    names.any(|name| name == b"..")
}

/// The names that a shell can expand.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The home directory of this user in passwd(5). Read here and not asked of the
/// C library, which would load the code of directory services for it (and, in a
/// statically linked program, crash in it).
fn home_from_accounts() -> Option<PathBuf> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    home_of(&accounts, nix::unistd::geteuid().as_raw())
}

/// The same, from the text of passwd(5).
pub fn home_of(accounts: &str, uid: u32) -> Option<PathBuf> {
    accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, id, _, _, home, ..] = fields[..] else {
            return None;
        };
        (id.parse() == Ok(uid) && home.starts_with('/')).then(|| PathBuf::from(home))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context {
            cwd: PathBuf::from("/work/here"),
            home: Some(PathBuf::from("/home/u/")),
            env: [("A", "/a"), ("REL", "a"), ("UP", "/a/../b"), ("EMPTY", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }
    }

    #[test]
    fn what_paths_mean() {
        let context = context();
        let caller = Caller::of(&context);
        let inside = |text: &str| caller.inside(text).unwrap().to_string();
        assert_eq!(inside("/usr//lib/./x/"), "/usr/lib/x");
        assert_eq!(inside("~"), "/home/u");
        assert_eq!(inside("~/x"), "/home/u/x");
        assert_eq!(inside("~//etc"), "/home/u/etc");
        assert_eq!(inside("$A"), "/a");
        assert_eq!(inside("$A/b"), "/a/b");
        assert_eq!(inside("."), "/work/here");
        assert_eq!(inside("./x"), "/work/here/x");
        let host = |text: &str| caller.host(text).unwrap();
        assert_eq!(host("x/y"), Path::new("/work/here/x/y"));
        assert_eq!(host(".hidden"), Path::new("/work/here/.hidden"));
        assert_eq!(host("~/x"), Path::new("/home/u/x"));
    }

    #[test]
    fn what_they_must_not_mean() {
        let context = context();
        let caller = Caller::of(&context);
        let wrong = |text: &str| caller.inside(text).unwrap_err().message();
        assert_eq!(wrong(""), "the path is empty");
        assert_eq!(wrong("/a/../b"), "`/a/../b` must not contain `..`");
        assert_eq!(wrong("./.."), "`./..` must not contain `..`");
        assert_eq!(wrong("/a\0b"), "`/a\\u{0}b` contains a NUL byte");
        assert_eq!(
            wrong(".hidden"),
            "`.hidden` must be absolute, or begin with `~`, `$NAME` or `.`"
        );
        assert_eq!(
            wrong("~root/x"),
            "`~root/x` names another user's home; only `~` and `~/…` are known"
        );
        assert_eq!(
            wrong("$A-B/x"),
            "`$A-B/x` does not begin with the name of a variable"
        );
        assert_eq!(wrong("$REL"), "`$REL` is `a`, which is no absolute path");
        assert_eq!(wrong("$UP"), "`$UP` is `/a/../b`, which contains `..`");
        assert_eq!(wrong("$EMPTY"), "`$EMPTY` is not set");
        assert_eq!(wrong("$NO/x"), "`$NO` is not set, and `$NO/x` needs it");
        let nobody = Context::default();
        let nobody = Caller::of(&nobody);
        assert!(matches!(nobody.inside("~/x"), Err(Unresolved::Unset(..))));
        assert!(matches!(nobody.inside("."), Err(Unresolved::Wrong(_))));
        // A directory that was removed holds nobody's home.
        let removed = Context {
            home: Some(PathBuf::from("/home/u")),
            ..Context::default()
        };
        assert!(!Caller::of(&removed).cwd_holds_home());
    }

    #[test]
    fn this_process_is_the_same_to_a_policy_either_way() {
        let current = Context::current();
        let (own, described) = (Caller::own(), Caller::of(&current));
        let variables = ["$HOME", "$PATH", "$PWD", "$CARGO_MANIFEST_DIR", "$NOT_SET"];
        for text in ["/a", ".", "./x", "~", "~/x", "x"]
            .into_iter()
            .chain(variables)
        {
            assert_eq!(own.inside(text), described.inside(text), "{text}");
            assert_eq!(own.host(text), described.host(text), "{text}");
        }
        assert_eq!(own.cwd(), described.cwd());
        assert_eq!(own.cwd_holds_home(), described.cwd_holds_home());
        for name in current.env.keys() {
            assert_eq!(own.variable(name), described.variable(name), "{name}");
        }
    }

    #[test]
    fn the_sixth_field_is_the_home_directory() {
        let accounts = "root:x:0:0::/root:/bin/sh\nu:x:7:8::/home/u:/bin/sh\nn:x:9:9:::\n";
        assert_eq!(home_of(accounts, 7), Some(PathBuf::from("/home/u")));
        assert_eq!(home_of(accounts, 9), None);
        assert_eq!(home_of(accounts, 8), None);
    }
}
