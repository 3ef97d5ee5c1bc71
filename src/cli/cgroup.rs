//! `--cgroup`: where the run's control group is made.
//! It must not look for one that the policy has no use for.

use super::failure::Failure;
use sandbox::cgroup::{Controllers, Home, Moving, Search, Unavailable, Wanted};
use sandbox::policy::{Enforcement, Limits, Policy};
use std::ffi::OsStr;

/// The home that the option and these policies want, and that can be had. One for all
/// runs of this process: looking for it moves the process.
pub fn home(option: Option<&OsStr>, policies: &[&Policy]) -> Result<Option<Home>, Failure> {
    let limits = || policies.iter().map(|policy| &policy.limits);
    let needs: Vec<Need> = limits().flat_map(needs).collect();
    let controllers = needs
        .iter()
        .fold(Controllers::NONE, |all, need| all | need.controller);
    let counts = limits().any(|limits| limits.cpu_time.is_some()) || !controllers.is_empty();
    // A limit that is lost without a group is the plan's to refuse.
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
    let unmet = |has: Controllers| {
        let mut needs = needs.iter().filter(|need| need.without.is_some());
        needs.find(|need| !has.contains(need.controller))
    };
    match Home::find(&search) {
        Ok(home) => {
            let unmet = unmet(home.controllers());
            match unmet.map(|need| (need, home.require(need.controller))) {
                Some((need, Err(why))) => Err(need.unavailable(&why)),
                _ => Ok(Some(home)),
            }
        }
        Err(why) => match unmet(Controllers::NONE) {
            Some(need) => Err(need.unavailable(&why)),
            None if named => Err(Failure::new(why.to_string())),
            None => Ok(None),
        },
    }
}

/// A limit that a controller keeps.
struct Need {
    key: &'static str,
    controller: Controllers,
    /// Nothing else may keep it, and this is what a policy without it says.
    without: Option<&'static str>,
}

/// What one policy wants of its group.
fn needs(limits: &Limits) -> Vec<Need> {
    let strictly = limits.enforcement == Enforcement::Kernel;
    let best = strictly.then_some("enforcement = \"best\"");
    let table = [
        (limits.memory.is_some(), "memory", Controllers::MEMORY, best),
        // Processes have another keeper that is the kernel's.
        (
            limits.processes.is_some(),
            "processes",
            Controllers::PIDS,
            None,
        ),
        (
            limits.cpu_max.is_some(),
            "cpu-max",
            Controllers::CPU,
            Some("cpu-max = \"none\""),
        ),
        (
            limits.cpu_weight.is_some(),
            "cpu-weight",
            Controllers::CPU,
            Some("cpu-weight = \"none\""),
        ),
        (
            !limits.io_max.is_empty(),
            "io-max",
            Controllers::IO,
            Some("io-max = \"none\""),
        ),
        // What the page cache writes later is the group's only by both (cgroup-v2,
        // "Writeback").
        (
            !limits.io_max.is_empty(),
            "io-max",
            Controllers::MEMORY,
            None,
        ),
    ];
    let table = table.into_iter().filter(|(asked, ..)| *asked);
    table
        .map(|(_, key, controller, without)| Need {
            key,
            controller,
            without,
        })
        .collect()
}

impl Need {
    /// The limit, its controller, and why that is not to be had.
    fn unavailable(&self, why: &Unavailable) -> Failure {
        let (key, controller) = (self.key, self.controller);
        let failure = Failure::new(format!(
            "the policy wants `{key}` kept by the {controller} controller of cgroup v2, and {why}"
        ));
        match self.without {
            Some(words) => failure.hint(format!("or do without: `{words}`")),
            None => failure,
        }
    }
}
