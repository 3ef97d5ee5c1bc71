//! A path inside the sandbox, normal and absolute, told apart and ordered by its bytes.
//!
//! It looks at no file system: what a path leads to is not decided here.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// An absolute, normalised path inside the sandbox: no `.`, no `..`, no NUL, no
/// doubled or trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InsidePath(OsString);

impl InsidePath {
    /// Checks and normalises. The error is a sentence fragment such as
    /// ``must be absolute``.
    pub fn new(path: impl AsRef<Path>) -> Result<InsidePath, &'static str> {
        InsidePath::of(Cow::Borrowed(path.as_ref()))
    }

    /// The same of a path that may be kept as it is, if it is normal.
    pub(super) fn of(path: Cow<Path>) -> Result<InsidePath, &'static str> {
        let bytes = path.as_os_str().as_bytes();
        if bytes.contains(&0) {
            return Err("contains a NUL byte");
        }
        if bytes.len() >= libc::PATH_MAX as usize {
            return Err("is longer than PATH_MAX");
        }
        let Some(inner) = bytes.strip_prefix(b"/") else {
            return Err("must be absolute");
        };
        let names = || inner.split(|byte| *byte == b'/');
        if names().all(|name| !matches!(name, b"" | b"." | b"..")) {
            return Ok(InsidePath(path.into_owned().into_os_string()));
        }
        let mut normal = Vec::with_capacity(bytes.len());
        for name in names() {
            match name {
                b"" | b"." => {}
                b".." => return Err("must not contain `..`"),
                name => {
                    normal.push(b'/');
                    normal.extend_from_slice(name);
                }
            }
        }
        if normal.is_empty() {
            normal.push(b'/');
        }
        Ok(InsidePath(OsString::from_vec(normal)))
    }

    /// The path, always absolute.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// The same on the host.
    pub(super) fn into_path(self) -> PathBuf {
        PathBuf::from(self.0)
    }

    /// Is this, byte for byte, how `path` is written?
    pub(super) fn is(&self, path: &Path) -> bool {
        let (own, other) = (self.0.as_bytes(), path.as_os_str().as_bytes());
        own.len() == other.len() && order(own, other).is_eq()
    }
}

/// By bytes: an outer path comes before what lies in it.
impl Ord for InsidePath {
    fn cmp(&self, other: &InsidePath) -> Ordering {
        order(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl PartialOrd for InsidePath {
    fn partial_cmp(&self, other: &InsidePath) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What `left.cmp(right)` says, eight bytes at a time: there are thousands of these in a
/// launch, and musl's memcmp takes them one by one.
fn order(left: &[u8], right: &[u8]) -> Ordering {
    let (lefts, rights) = (left.as_chunks::<8>().0, right.as_chunks::<8>().0);
    let mut same = 0;
    for (one, other) in lefts.iter().zip(rights) {
        if one != other {
            return one.cmp(other);
        }
        same += 8;
    }
    left[same..].iter().cmp(&right[same..])
}

/// Equal and ordered as its bytes are.
impl std::borrow::Borrow<OsStr> for InsidePath {
    fn borrow(&self) -> &OsStr {
        &self.0
    }
}

impl std::fmt::Display for InsidePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_path().display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    /// What the standard library makes of a path, as [`InsidePath::new`] should.
    fn by_components(path: &Path) -> Option<PathBuf> {
        let mut normal = PathBuf::from("/");
        for component in path.components() {
            match component {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => normal.push(name),
                Component::ParentDir | Component::Prefix(_) => return None,
            }
        }
        path.is_absolute().then_some(normal)
    }

    proptest! {
        #[test]
        fn it_is_what_its_components_are(path in "/?(([a-b]|\\.|/){0,8}|[a-b./é]{0,20})") {
            let path = Path::new(&path);
            let normal = InsidePath::new(path).ok().map(InsidePath::into_path);
            prop_assert_eq!(
                normal.map(PathBuf::into_os_string),
                by_components(path).map(PathBuf::into_os_string)
            );
        }

        #[test]
        fn it_is_ordered_as_its_bytes(
            same in "/[ab/]{0,20}",
            left in "[a/\u{ff}-]{0,20}",
            right in "[a/\u{ff}-]{0,20}",
        ) {
            let (left, right) = (format!("{same}{left}"), format!("{same}{right}"));
            let bytes = left.as_bytes().cmp(right.as_bytes());
            prop_assert_eq!(order(left.as_bytes(), right.as_bytes()), bytes);
            let (left, right) = (InsidePath::new(left).unwrap(), InsidePath::new(right).unwrap());
            prop_assert_eq!(left.cmp(&right), left.0.cmp(&right.0));
            prop_assert_eq!(left.is(right.as_path()), left == right);
        }
    }
}
