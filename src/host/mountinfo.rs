//! Reads which mounts there are, and which of them show the kernel rather than files.
//!
//! It does not say what lies on them, or what follows from it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// A mount point, and the file system type where it shows the kernel.
pub type Mount = (PathBuf, Option<&'static str>);

/// File systems that show the kernel or the whole machine rather than files.
/// A tree that contains one is never bound: the program would get host facts,
/// devices or cgroups along with it.
const KERNEL_FS: [&str; 21] = [
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "mqueue",
    "nfsd",
    "nsfs",
    "proc",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sysfs",
    "tracefs",
];

/// Every mount, from proc_pid_mountinfo(5).
pub(super) fn mounts() -> Vec<Mount> {
    fs::read("/proc/self/mountinfo")
        .map(|bytes| parse_mountinfo(&bytes))
        .unwrap_or_default()
}

/// Where there are mounts; empty where no procfs tells.
pub(crate) fn mount_points() -> Vec<PathBuf> {
    mounts().into_iter().map(|(at, _)| at).collect()
}

/// Every mount in the text of mountinfo; lines that are none are left out.
pub fn parse_mountinfo(bytes: &[u8]) -> Vec<Mount> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b' ');
            let at = unescape(fields.nth(4)?);
            fields.find(|field| *field == b"-")?;
            let kind = fields.next()?;
            let special = KERNEL_FS.iter().find(|known| known.as_bytes() == kind);
            Some((at, special.copied()))
        })
        .collect()
}

/// Space, tab, newline and backslash stand as `\ooo` in mountinfo.
fn unescape(field: &[u8]) -> PathBuf {
    if !field.contains(&b'\\') {
        return PathBuf::from(OsStr::from_bytes(field));
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
    PathBuf::from(OsString::from_vec(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_is_read() {
        let text = b"36 35 0:5 / /mnt/a\\040b rw - proc proc rw\n37 35 0:6 / /x rw shared:1 - ext4 /dev/y rw\nbroken\n";
        assert_eq!(
            parse_mountinfo(text),
            [
                (PathBuf::from("/mnt/a b"), Some("proc")),
                (PathBuf::from("/x"), None),
            ]
        );
    }

    #[test]
    fn only_three_octal_digits_are_an_escape() {
        let at = |field: &str| {
            let line = format!("36 35 0:5 / {field} rw - proc proc rw\n");
            parse_mountinfo(line.as_bytes())[0].0.clone()
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
}
