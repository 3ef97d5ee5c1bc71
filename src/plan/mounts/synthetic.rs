//! The made-up files of `/etc`: what a program expects to find, and nothing of the host.
//!
//! It looks at the policy only.

use crate::policy::Process;

/// passwd(5): the one user, and `nobody` for files of unmapped owners.
pub(super) fn passwd(process: &Process) -> Vec<u8> {
    let home = process
        .env
        .get("HOME")
        .filter(|home| !home.contains(':') && !home.contains(char::is_control))
        .map_or("/", String::as_str);
    let mut text = format!(
        "sandbox:x:{}:{}::{home}:/bin/sh\n",
        process.user, process.group
    );
    if process.user != 65534 {
        text.push_str("nobody:x:65534:65534::/:/bin/false\n");
    }
    text.into_bytes()
}

/// group(5), to match [`passwd`].
pub(super) fn group(process: &Process) -> Vec<u8> {
    let mut text = format!("sandbox:x:{}:\n", process.group);
    if process.group != 65534 {
        text.push_str("nogroup:x:65534:\n");
    }
    text.into_bytes()
}

/// hosts(5): this machine only.
pub(super) fn hosts(process: &Process) -> Vec<u8> {
    format!(
        "127.0.0.1 localhost {0}\n::1 localhost ip6-localhost {0}\n",
        process.hostname
    )
    .into_bytes()
}

/// hostname(5).
pub(super) fn hostname(process: &Process) -> Vec<u8> {
    format!("{}\n", process.hostname).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_that_would_break_the_file_is_left_out() {
        let mut process = Process::default();
        process.env.insert("HOME".into(), "/h\nroot:x:0:0".into());
        assert!(passwd(&process).starts_with(b"sandbox:x:1000:1000::/:/bin/sh\n"));
        process.env.insert("HOME".into(), "/tmp".into());
        assert!(passwd(&process).starts_with(b"sandbox:x:1000:1000::/tmp:/bin/sh\n"));
    }

    #[test]
    fn nobody_is_listed_once() {
        let process = Process {
            user: 65534,
            group: 65534,
            ..Process::default()
        };
        assert_eq!(passwd(&process), b"sandbox:x:65534:65534::/:/bin/sh\n");
        assert_eq!(group(&process), b"sandbox:x:65534:\n");
    }
}
