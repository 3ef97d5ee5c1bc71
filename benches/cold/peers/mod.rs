//! The commands of other sandboxes, each with mounts and layers as near to those of
//! the plan as its options go. `LACKS` of each says what is left out or differs.

pub mod bubblewrap;
pub mod firejail;
pub mod hakoniwa;
pub mod oci;
pub mod podman;

use crate::place::Place;
use sandbox::plan::Plan;
use sandbox::policy::{Policy, syscalls};
use std::error::Error;

/// What every peer is asked to do.
pub struct Job {
    pub place: Place,
    /// The plan for `strict`, and the program with its arguments.
    pub plan: Plan,
    /// Names of the system calls that the policy allows, whatever their arguments.
    pub calls: Vec<&'static str>,
}

impl Job {
    /// The program's path and its arguments.
    pub fn command(&self) -> Vec<&std::ffi::OsStr> {
        let program = &self.plan.program;
        std::iter::once(program.name.as_os_str())
            .chain(program.args.iter().map(|argument| argument.as_os_str()))
            .collect()
    }
}

/// Names of the allowed calls. Those of which a policy allows some arguments only are
/// among them.
pub fn calls(policy: &Policy) -> Result<Vec<&'static str>, Box<dyn Error>> {
    let expand = |words: &[String]| {
        words
            .iter()
            .map(|word| syscalls::expand(word).map_err(|_| format!("`{word}` is no group")))
            .collect::<Result<Vec<_>, _>>()
            .map(|names| names.concat())
    };
    let denied = expand(&policy.syscalls.deny)?;
    let mut allowed = expand(&policy.syscalls.allow)?;
    allowed.retain(|name| !denied.contains(name));
    allowed.sort_unstable();
    allowed.dedup();
    Ok(allowed)
}
