//! A relative path as the names that it is walked by.
//! It must not look at the file system: what a name is, the kernel says, one at a time.

use super::error::Problem;
use crate::sys::beneath::random;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What Linux allows for one name (`NAME_MAX`).
const LONGEST: usize = 255;

/// The names of the path, in order. `.` and doubled slashes mean nothing; `.` alone is
/// the root itself, which has no name. Not UTF-8 is allowed.
pub(super) fn names(path: &Path) -> Result<Vec<CString>, Problem> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() {
        return Err(Problem::EmptyPath);
    }
    if bytes.starts_with(b"/") {
        return Err(Problem::AbsolutePath);
    }
    let mut names = Vec::new();
    for name in bytes.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(Problem::ParentInPath),
            name if name.len() > LONGEST => return Err(Problem::NameTooLong),
            name => names.push(CString::new(name).map_err(|_| Problem::NulInPath)?),
        }
    }
    Ok(names)
}

/// The path again, for messages.
pub(super) fn joined(names: &[CString]) -> PathBuf {
    match names {
        [] => PathBuf::from("."),
        names => names.iter().map(|name| part(name)).collect(),
    }
}

/// One name as a part of a path.
pub(super) fn part(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}

/// A name for a file that is not finished, which nobody can foresee.
pub(super) fn hidden() -> Result<CString, Problem> {
    let number = random()?;
    Ok(CString::new(format!(".copy-{number:016x}")).expect("digits hold no NUL"))
}

/// go-judge's spelling of a name to copy out: `a.txt?` is `a.txt`, and may be missing.
pub fn go_judge_name(name: &OsStr) -> (OsString, bool) {
    match name.as_bytes().strip_suffix(b"?") {
        Some(name) => (OsString::from_vec(name.to_vec()), true),
        None => (name.to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &[u8]) -> Result<Vec<CString>, Problem> {
        names(Path::new(OsStr::from_bytes(path)))
    }

    #[test]
    fn names_are_split_and_nothing_else_is() {
        assert_eq!(of(b"a/b").unwrap(), [c"a".to_owned(), c"b".to_owned()]);
        assert_eq!(of(b"./a//b/./").unwrap(), of(b"a/b").unwrap());
        assert_eq!(of(b".").unwrap(), Vec::<CString>::new());
        assert_eq!(of(b"...").unwrap(), [c"...".to_owned()]);
        assert_eq!(of(b"a\xff\n").unwrap(), [c"a\xff\n".to_owned()]);
    }

    #[test]
    fn what_leads_elsewhere_is_no_name() {
        assert_eq!(of(b""), Err(Problem::EmptyPath));
        assert_eq!(of(b"/"), Err(Problem::AbsolutePath));
        assert_eq!(of(b"/a"), Err(Problem::AbsolutePath));
        assert_eq!(of(b".."), Err(Problem::ParentInPath));
        assert_eq!(of(b"a/../b"), Err(Problem::ParentInPath));
        assert_eq!(of(b"a\0b"), Err(Problem::NulInPath));
    }

    #[test]
    fn a_name_has_at_most_255_bytes() {
        assert_eq!(of(&[b'a'; 255]).unwrap().len(), 1);
        assert_eq!(of(&[b'a'; 256]), Err(Problem::NameTooLong));
        // A path may be longer than PATH_MAX: it is walked name by name.
        assert_eq!(of("a/".repeat(5000).as_bytes()).unwrap().len(), 5000);
    }

    #[test]
    fn a_question_mark_at_the_end_is_not_part_of_the_name() {
        let of = |name: &str| go_judge_name(OsStr::new(name));
        assert_eq!(of("a"), ("a".into(), false));
        assert_eq!(of("a?"), ("a".into(), true));
        assert_eq!(of("a??"), ("a?".into(), true));
    }
}
