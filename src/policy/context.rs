//! Decides what `.`, `~` and `$NAME` in a policy mean.
//!
//! It looks at nothing but the [`Context`] it is given (and, for one refusal, at
//! where the home directory lies), so a policy means the same for the same context
//! on every machine.

use super::InsidePath;
use super::error::quote;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

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
        Context {
            cwd: std::env::current_dir().unwrap_or_default(),
            home: std::env::var_os("HOME")
                .filter(|home| !home.is_empty())
                .map(PathBuf::from)
                .or_else(home_from_accounts),
            env: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        }
    }

    /// A path inside the sandbox: absolute, or beginning with `~`, `$NAME` or `.`.
    pub(super) fn inside(&self, text: &str) -> Result<InsidePath, Unresolved> {
        let path = match text.strip_prefix('.') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => self.below_cwd(text)?,
            _ => self.expand(text)?.ok_or_else(|| {
                Unresolved::Wrong(format!(
                    "{} must be absolute, or begin with `~`, `$NAME` or `.`",
                    quote(text)
                ))
            })?,
        };
        checked(&path, text)
    }

    /// A path on the host: as above, or relative to the working directory.
    pub(super) fn host(&self, text: &str) -> Result<PathBuf, Unresolved> {
        let path = match self.expand(text)? {
            Some(path) => path,
            None => self.below_cwd(text)?,
        };
        Ok(checked(&path, text)?.as_path().to_owned())
    }

    /// Is the working directory the home directory, or does it contain it? The one
    /// question here that looks at the disk: a home may be named by a link.
    pub(super) fn cwd_holds_home(&self) -> bool {
        // An empty path is the start of every other, and is no directory.
        self.cwd.is_absolute()
            && self.home.as_ref().is_some_and(|home| {
                home.starts_with(&self.cwd)
                    || home
                        .canonicalize()
                        .is_ok_and(|home| home.starts_with(&self.cwd))
            })
    }

    fn below_cwd(&self, text: &str) -> Result<PathBuf, Unresolved> {
        if !self.cwd.is_absolute() {
            return Err(Unresolved::Wrong(format!(
                "{} needs a working directory, and the current one no longer exists",
                quote(text)
            )));
        }
        Ok(self.cwd.join(text))
    }

    /// `None` for a relative path.
    fn expand(&self, text: &str) -> Result<Option<PathBuf>, Unresolved> {
        if text.is_empty() {
            return Err(Unresolved::Wrong(String::from("the path is empty")));
        }
        let (first, rest) = match text.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (text, None),
        };
        let base = if first == "~" {
            let home = self.home.clone();
            home.ok_or_else(|| unset("~", text))?
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
            match self.env.get(name) {
                Some(value) if !value.is_empty() => PathBuf::from(value),
                _ => return Err(unset(first, text)),
            }
        } else if first.is_empty() {
            return Ok(Some(PathBuf::from(text)));
        } else {
            return Ok(None);
        };
        // A bad value is not the same as none: a rule that hides something must
        // not vanish because of it.
        let value = base.to_string_lossy();
        if !base.is_absolute() {
            return Err(Unresolved::Wrong(format!(
                "`{first}` is {}, which is no absolute path",
                quote(&value)
            )));
        }
        if has_parent(&base) {
            return Err(Unresolved::Wrong(format!(
                "`{first}` is {}, which contains `..`",
                quote(&value)
            )));
        }
        // Not `join`: what follows the slash is relative even in `~//etc`.
        Ok(Some(match rest {
            Some(rest) => base.join(rest.trim_start_matches('/')),
            None => base,
        }))
    }
}

/// Why a path means nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// A variable is not set: with `optional = true` the rule vanishes.
    Unset(String),
    /// Wrong in every case.
    Wrong(String),
}

impl Unresolved {
    /// What would help, in a policy file.
    pub fn hint(&self) -> Option<String> {
        match self {
            Unresolved::Unset(_) => Some(String::from(
                "with `optional = true` the rule is left out where it is not set",
            )),
            Unresolved::Wrong(_) => None,
        }
    }

    /// The sentence.
    pub fn message(self) -> String {
        match self {
            Unresolved::Unset(message) | Unresolved::Wrong(message) => message,
        }
    }
}

fn unset(variable: &str, text: &str) -> Unresolved {
    Unresolved::Unset(match variable {
        "~" => format!(
            "{} needs a home directory, and `HOME` is not set",
            quote(text)
        ),
        _ if variable == text => format!("`{variable}` is not set"),
        _ => format!("`{variable}` is not set, and {} needs it", quote(text)),
    })
}

fn checked(path: &Path, text: &str) -> Result<InsidePath, Unresolved> {
    InsidePath::new(path).map_err(|why| Unresolved::Wrong(format!("{} {why}", quote(text))))
}

fn has_parent(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
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
        let inside = |text: &str| context().inside(text).unwrap().to_string();
        assert_eq!(inside("/usr//lib/./x/"), "/usr/lib/x");
        assert_eq!(inside("~"), "/home/u");
        assert_eq!(inside("~/x"), "/home/u/x");
        assert_eq!(inside("~//etc"), "/home/u/etc");
        assert_eq!(inside("$A"), "/a");
        assert_eq!(inside("$A/b"), "/a/b");
        assert_eq!(inside("."), "/work/here");
        assert_eq!(inside("./x"), "/work/here/x");
        let host = |text: &str| context().host(text).unwrap();
        assert_eq!(host("x/y"), Path::new("/work/here/x/y"));
        assert_eq!(host(".hidden"), Path::new("/work/here/.hidden"));
        assert_eq!(host("~/x"), Path::new("/home/u/x"));
    }

    #[test]
    fn what_they_must_not_mean() {
        let wrong = |text: &str| context().inside(text).unwrap_err().message();
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
        assert!(matches!(nobody.inside("~/x"), Err(Unresolved::Unset(_))));
        assert!(matches!(nobody.inside("."), Err(Unresolved::Wrong(_))));
        // A directory that was removed holds nobody's home.
        let removed = Context {
            home: Some(PathBuf::from("/home/u")),
            ..Context::default()
        };
        assert!(!removed.cwd_holds_home());
    }

    #[test]
    fn the_sixth_field_is_the_home_directory() {
        let accounts = "root:x:0:0::/root:/bin/sh\nu:x:7:8::/home/u:/bin/sh\nn:x:9:9:::\n";
        assert_eq!(home_of(accounts, 7), Some(PathBuf::from("/home/u")));
        assert_eq!(home_of(accounts, 9), None);
        assert_eq!(home_of(accounts, 8), None);
    }
}
