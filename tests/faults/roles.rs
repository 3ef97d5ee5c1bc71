//! Which process of the run makes a call, by what the kernel says of it.
//! It must not guess: a process that fits no role has none, and no fault.

use std::collections::HashMap;

/// The processes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// `sandbox` as it was started, from `main` on.
    Front,
    /// Another thread of it (a run by root clones in one).
    Thread,
    /// The process that exists for an id map (a run by root).
    Idler,
    /// pid 1 inside.
    Init,
    /// The program's process, until the program is executed.
    Payload,
}

/// What is known of a run's processes.
#[derive(Default)]
pub struct Roles {
    known: HashMap<u32, Option<Role>>,
    front: Option<u32>,
    executed: bool,
}

impl Roles {
    /// Who makes this call; `None` for whatever is not the sandbox's own doing.
    pub fn of(&mut self, pid: u32, number: i32, args: &[u64; 6]) -> Option<Role> {
        if self.front.is_none() {
            // The first thing that `main` does; before it stand the forked test, the
            // dynamic loader and the Rust runtime.
            let first = libc::c_long::from(number) == libc::SYS_rt_sigaction
                && args[0] == libc::SIGXFSZ as u64;
            if !first {
                return None;
            }
            self.front = Some(pid);
            self.known.insert(pid, Some(Role::Front));
        }
        let front = self.front?;
        let role = *self.known.entry(pid).or_insert_with(|| look(pid, front));
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
}

/// By the thread group, and by the pids in each pid namespace (`NSpid`).
fn look(pid: u32, front: u32) -> Option<Role> {
    let status = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/status"));
    let (own, other) = (status("self").ok()?, status(&pid.to_string()).ok()?);
    let numbers = |text: &str, name: &str| -> Vec<u32> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let words = line.unwrap_or_default().split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let depth = numbers(&own, "NSpid:").len();
    let pids = numbers(&other, "NSpid:");
    if pids.len() == depth {
        return match numbers(&other, "Tgid:")[..] {
            [group] if group == front => Some(Role::Thread),
            _ => Some(Role::Idler),
        };
    }
    match pids[depth..] {
        [1] => Some(Role::Init),
        [2] => Some(Role::Payload),
        _ => None,
    }
}
