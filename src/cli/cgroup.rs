//! `--cgroup`: where the run's control group is made.
//! It must not look for one that the policy has no use for.

use super::failure::Failure;
use sandbox::cgroup::{Controllers, Home, Moving, Search, Wanted};
use sandbox::policy::{Enforcement, Limits, Policy};
use std::ffi::OsStr;

/// The home that the option and these policies want, and that can be had. One for all
/// runs of this process: looking for it moves the process.
pub fn home(option: Option<&OsStr>, policies: &[&Policy]) -> Result<Option<Home>, Failure> {
    let limits = || policies.iter().map(|policy| &policy.limits);
    let mut controllers = Controllers::NONE;
    if limits().any(|limits| limits.memory.is_some()) {
        controllers = controllers | Controllers::MEMORY;
    }
    if limits().any(|limits| limits.processes.is_some()) {
        controllers = controllers | Controllers::PIDS;
    }
    let counts = limits().any(|limits| limits.cpu_time.is_some()) || !controllers.is_empty();
    if option == Some(OsStr::new("none")) || !counts {
        return Ok(None);
    }
    let wanted = match option {
        Some(word) if word != "auto" => Wanted::Directory(word.into()),
        _ => Wanted::Auto,
    };
    let named = wanted != Wanted::Auto;
    let search = Search {
        wanted,
        controllers,
        // This process has nothing to do but to wait for the run.
        moving: Moving::Allowed,
    };
    let strictly = |limits: &Limits| limits.enforcement == Enforcement::Kernel;
    // Processes have another keeper that is the kernel's.
    let needed = match limits().any(|limits| strictly(limits) && limits.memory.is_some()) {
        true => Controllers::MEMORY,
        false => Controllers::NONE,
    };
    let found = Home::find(&search);
    let unavailable = |why: &dyn std::fmt::Display| Failure::new(why.to_string());
    match found {
        Ok(home) => {
            home.require(needed).map_err(|why| unavailable(&why))?;
            Ok(Some(home))
        }
        Err(why) if named || !needed.is_empty() => Err(unavailable(&why)),
        Err(_) => Ok(None),
    }
}
