//! Which process of the run makes a call, by what the kernel says of it.
//! It must not guess: a process that fits no role has none, and no fault.

use crate::support;
use std::collections::HashMap;

/// The processes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// `sandbox` as it was started, from `main` on.
    Front,
    /// Another thread of it (a run by root clones in one).
    Thread,
    /// The process that exists for an id map (a run by root), or for a network namespace.
    Idler,
    /// A worker of the front end's, from its `main` on.
    Worker,
    /// pid 1 of the first namespaces of a worker, which builds a root.
    Builder,
    /// pid 1 inside.
    Init,
    /// The program's process, until the program is executed.
    Payload,
    /// The processes of a run that a worker began and nobody wants.
    Spare,
}

/// What is known of a run's processes.
#[derive(Default)]
pub struct Roles {
    known: HashMap<u32, Option<Role>>,
    front: Option<u32>,
    /// Every pid 1 of a worker's, in the order in which they were made.
    of_worker: Vec<u32>,
    executed: bool,
}

impl Roles {
    /// Who makes this call; `None` for whatever is not the sandbox's own doing.
    pub fn of(&mut self, pid: u32, number: i32, args: &[u64; 6]) -> Option<Role> {
        // The first thing that `main` does; before it stand the forked test, the
        // dynamic loader and the Rust runtime.
        let is = |call| libc::c_long::from(number) == call;
        let begins = is(libc::SYS_rt_sigaction) && args[0] == libc::SIGXFSZ as u64;
        if self.front.is_none() {
            if !begins {
                return None;
            }
            self.front = Some(pid);
            self.known.insert(pid, Some(Role::Front));
        }
        let role = match self.known.get(&pid) {
            // It becomes another program, which begins like the first.
            Some(Some(Role::Idler)) if is(libc::SYS_execve) => None,
            Some(None) if begins && self.front == parent_of(pid) => Some(Role::Worker),
            Some(role) => *role,
            None => self.look(pid),
        };
        self.known.insert(pid, role);
        role.filter(|role| *role != Role::Payload || !self.executed)
    }

    /// This call was let through.
    pub fn goes_on(&mut self, role: Role, number: i32) {
        if role == Role::Payload && libc::c_long::from(number) == libc::SYS_execve {
            self.executed = true;
        }
    }

    /// The front end's pid.
    pub fn front(&self) -> Option<u32> {
        self.front
    }

    /// Was the program executed?
    pub fn executed(&self) -> bool {
        self.executed
    }

    /// By the thread group, the parent, and the pids in each pid namespace (`NSpid`).
    fn look(&mut self, pid: u32) -> Option<Role> {
        let front = self.front?;
        let depth = numbers("self", "NSpid:").len();
        let name = pid.to_string();
        let pids = numbers(&name, "NSpid:");
        let parent = parent_of(pid)?;
        if pids.len() == depth {
            return match numbers(&name, "Tgid:")[..] {
                [group] if group == front => Some(Role::Thread),
                _ => Some(Role::Idler),
            };
        }
        match pids[depth..] {
            [1] => Some(self.init(pid, parent)),
            // Its pid 1 may have made no call that is held.
            [2] => match self.known.get(&parent).copied().flatten() {
                Some(role) => payload_of(role),
                None => payload_of(self.init(parent, parent_of(parent)?)),
            },
            _ => None,
        }
    }

    /// A pid 1: that of the run, unless a worker made it, whose first builds the root.
    fn init(&mut self, pid: u32, parent: u32) -> Role {
        if Some(parent) == self.front {
            return Role::Init;
        }
        // The one that was made first need not be the first that gets a processor.
        let first_inside = |pid: &u32| numbers(&pid.to_string(), "NSpid:").last() == Some(&1);
        let made = support::children_of(parent).unwrap_or_default();
        for made in made.into_iter().chain([pid]) {
            if !self.of_worker.contains(&made) && first_inside(&made) {
                self.of_worker.push(made);
            }
        }
        match self.of_worker.iter().position(|known| *known == pid) {
            Some(0) => Role::Builder,
            Some(1) => Role::Init,
            _ => Role::Spare,
        }
    }
}

/// The numbers in a line of `/proc/PID/status`.
fn numbers(pid: &str, name: &str) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let words = line.unwrap_or_default().split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    numbers(&pid.to_string(), "PPid:").first().copied()
}

fn payload_of(init: Role) -> Option<Role> {
    match init {
        Role::Init => Some(Role::Payload),
        Role::Spare => Some(Role::Spare),
        _ => None,
    }
}
