//! The environment: what the policy sets, and what it lets through.

use crate::host::Host;
use crate::policy::Process;
use std::ffi::OsString;

/// The whole environment, sorted by name. A variable that the caller has and the
/// policy passes wins over the one the policy sets: `pass-env` is the more
/// specific wish.
pub(super) fn resolve(process: &Process, host: &Host) -> Vec<(OsString, OsString)> {
    let mut all: Vec<(OsString, OsString)> = process
        .env
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    for name in &process.pass_env {
        if let Some(value) = host.env.get(name) {
            match all.binary_search_by(|(other, _)| other.as_os_str().cmp(name.as_ref())) {
                Ok(position) => all[position].1 = value.clone(),
                Err(position) => all.insert(position, (name.into(), value.clone())),
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_that_is_not_named() {
        let process = Process {
            env: [("A".into(), "1".into()), ("B".into(), "2".into())].into(),
            pass_env: vec!["B".into(), "C".into()],
            ..Process::default()
        };
        let host = Host {
            env: [("B".into(), "3".into())].into(),
            ..Host::default()
        };
        let expected: Vec<(OsString, OsString)> =
            vec![("A".into(), "1".into()), ("B".into(), "3".into())];
        assert_eq!(resolve(&process, &host), expected);
    }
}
