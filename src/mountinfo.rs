//! Reads the lines of `/proc/self/mountinfo` (proc_pid_mountinfo(5)): who asks decides
//! what follows from them. It opens no file.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Which directory of the file system is shown.
    pub(crate) root: Cow<'a, Path>,
    /// Where it is shown.
    pub(crate) at: Cow<'a, Path>,
    /// File system type.
    pub(crate) kind: &'a [u8],
}

/// Every mount in the text; lines that are none are left out.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let root = unescape(fields.nth(3)?);
        let at = unescape(fields.next()?);
        fields.find(|field| *field == b"-")?;
        let kind = fields.next()?;
        Some(Line { root, at, kind })
    })
}

/// Space, tab, newline and backslash stand as `\ooo` in mountinfo.
fn unescape(field: &[u8]) -> Cow<'_, Path> {
    if !field.contains(&b'\\') {
        return Cow::Borrowed(Path::new(OsStr::from_bytes(field)));
    }
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = match (byte, tail) {
            // Not `from_str_radix`, which takes a sign.
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        match octal {
            Some(value) => {
                plain.push(value);
                rest = &tail[3..];
            }
            None => {
                plain.push(byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(PathBuf::from(OsString::from_vec(plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_octal_digits_are_an_escape() {
        let at = |field: &str| {
            let line = format!("36 35 0:5 {field} {field} rw - proc proc rw\n");
            let line = lines(line.as_bytes()).next().unwrap();
            assert_eq!(line.root, line.at);
            line.at.into_owned()
        };
        for (field, path) in [
            ("/\\134", "/\\"),
            ("/\\377", "/\u{fffd}"),
            ("/\\+12", "/\\+12"),
            ("/\\477", "/\\477"),
            ("/\\08a", "/\\08a"),
            ("/\\01", "/\\01"),
        ] {
            assert_eq!(at(field).to_string_lossy(), path, "{field}");
        }
    }

    #[test]
    fn root_place_and_type_are_told_apart() {
        let text =
            b"41 31 0:38 /a\\040b /c rw,nosuid shared:1 master:2 - cgroup2 x rw\nshort line\n";
        let found: Vec<_> = lines(text).collect();
        assert_eq!(
            found,
            [Line {
                root: Path::new("/a b").into(),
                at: Path::new("/c").into(),
                kind: b"cgroup2",
            }]
        );
    }
}
