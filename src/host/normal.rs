//! Says by their bytes how absolute, normalised paths lie to each other.
//!
//! It looks at no file, and is not for paths with `.`, `..` or doubled slashes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What of `path` lies below `tree`: empty for the tree itself. Both are absolute
/// and normalised, so that their bytes can be compared, which is many times
/// quicker than by component; of others it finds fewer.
pub(crate) fn rest<'p>(path: &'p Path, tree: &Path) -> Option<&'p Path> {
    let (path, tree) = (path.as_os_str().as_bytes(), tree.as_os_str().as_bytes());
    // Most pairs are told apart by the one byte that ends the tree's name.
    let (head, rest) = path.split_at_checked(tree.len())?;
    let rest = match (rest, tree) {
        ([], _) | (_, b"/") => rest,
        ([b'/', below @ ..], _) => below,
        _ => return None,
    };
    // From behind: what lies in one directory differs at the end of its name.
    if head.last() != tree.last() || head != tree {
        return None;
    }
    Some(Path::new(OsStr::from_bytes(rest)))
}

/// Is an absolute, normalised path `tree` or below it?
pub(crate) fn within(path: &Path, tree: &Path) -> bool {
    rest(path, tree).is_some()
}

/// `tree/rest` in memory that is taken once: [`Path::join`] takes some for `tree`, and then
/// more. The tree is absolute and normalised, and `rest` is neither absolute nor empty.
pub(crate) fn joined(tree: &Path, rest: &Path) -> PathBuf {
    let (tree, rest) = (tree.as_os_str(), rest.as_os_str());
    let mut path = OsString::with_capacity(tree.len() + 1 + rest.len());
    path.push(tree);
    if tree != "/" {
        path.push("/");
    }
    path.push(rest);
    path.into()
}

/// An absolute, normalised path and every one above it, the longest first.
pub(crate) fn upwards(path: &Path) -> impl Iterator<Item = &Path> {
    std::iter::successors(Some(path), |path| above(path))
}

/// The parent of an absolute, normalised path.
pub(crate) fn above(path: &Path) -> Option<&Path> {
    let bytes = path.as_os_str().as_bytes();
    match bytes.iter().rposition(|byte| *byte == b'/')? {
        0 if bytes.len() == 1 => None,
        0 => Some(Path::new("/")),
        end => Some(Path::new(OsStr::from_bytes(&bytes[..end]))),
    }
}

/// Is it absolute, and does every name in it mean itself?
pub(crate) fn normal(path: &Path) -> bool {
    let names = path.as_os_str().as_bytes().strip_prefix(b"/");
    names.is_some_and(|names| {
        names
            .split(|byte| *byte == b'/')
            .all(|name| !matches!(name, b"" | b"." | b".."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_components_say() {
        let paths = [
            "/", "/a", "/ab", "/a-b", "/a/b", "/a/b/c", "/a/b-c", "/b", "/é/ü",
        ]
        .map(Path::new);
        for path in paths {
            assert_eq!(above(path), path.parent());
            assert!(upwards(path).eq(path.ancestors()));
            for tree in paths {
                assert_eq!(
                    rest(path, tree),
                    path.strip_prefix(tree).ok(),
                    "{path:?} {tree:?}"
                );
                assert_eq!(within(path, tree), path.starts_with(tree));
                if let Some(rest) = rest(path, tree)
                    && path != tree
                {
                    assert_eq!(joined(tree, rest).as_os_str(), path);
                }
            }
        }
    }

    #[test]
    fn names_that_mean_something_else_are_seen() {
        let normal = |path: &str| normal(Path::new(path));
        assert!(normal("/a") && normal("/a/.b/..c"));
        for path in [
            "", "a", "/", "/a/", "//a", "/a//b", "/a/./b", "/a/..", "/..",
        ] {
            assert!(!normal(path), "{path}");
        }
    }
}
