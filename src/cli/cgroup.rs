//! `--cgroup`: where the run's control group is made.
//! It must not look for one that the policy has no use for.

use super::failure::Failure;
use sandbox::cgroup::{Controllers, Home, Moving, Search, Wanted};
use sandbox::policy::{Enforcement, Policy};
use std::ffi::OsStr;

/// The home that the option and the policy want, and that can be had.
pub fn home(option: Option<&OsStr>, policy: &Policy) -> Result<Option<Home>, Failure> {
    let limits = &policy.limits;
    let mut controllers = Controllers::NONE;
    if limits.memory.is_some() {
        controllers = controllers | Controllers::MEMORY;
    }
    if limits.processes.is_some() {
        controllers = controllers | Controllers::PIDS;
    }
    let counts = limits.cpu_time.is_some() || !controllers.is_empty();
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
    let needed = match limits.enforcement {
        // Processes have another keeper that is the kernel's.
        Enforcement::Kernel => controllers & Controllers::MEMORY,
        Enforcement::Best => Controllers::NONE,
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
