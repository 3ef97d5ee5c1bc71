//! The environment: what the policy sets, and what it lets through.

use crate::host::Host;
use crate::policy::Process;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// The whole environment, sorted by name. A variable that the caller has and the
/// policy passes wins over the one the policy sets: `pass-env` is the more
/// specific wish.
pub(super) fn resolve(process: &Process, host: &Host) -> Vec<(OsString, OsString)> {
    let mut all: BTreeMap<OsString, OsString> = process
        .env
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    for name in &process.pass_env {
        if let Some(value) = host.env.get(name) {
            all.insert(name.into(), value.clone());
        }
    }
    all.into_iter().collect()
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
