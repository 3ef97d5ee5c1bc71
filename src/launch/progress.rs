//! What the messages of one launch come to: every step confirmed, in the one
//! possible order, or a refusal.
//!
//! It reads no socket and believes nothing: what no step sends, what comes out of
//! turn and what does not come at all is a refusal.

use super::explain;
use crate::plan::{Plan, Refusal};
use crate::step::Step;
use crate::sys::Errno;
use crate::wire::Frame;

/// The steps that the new process has still to confirm.
pub struct Progress<'p> {
    plan: &'p Plan,
    left: &'static [Step],
}

impl<'p> Progress<'p> {
    /// Nothing is confirmed yet.
    pub fn new(plan: &'p Plan) -> Progress<'p> {
        const INSIDE: &[Step] = inside();
        Progress { plan, left: INSIDE }
    }

    /// The step that one message confirms, and its item.
    ///
    /// # Errors
    /// The failure that the message tells of; anything but the frame of the next
    /// step.
    pub fn hear(&mut self, message: &[u8]) -> Result<(Step, u32), Refusal> {
        match (Frame::decode(message), self.left) {
            (Some(Frame::Done { step, item }), [next, left @ ..]) if step == *next => {
                self.left = left;
                Ok((step, item))
            }
            (Some(frame), _) => Err(failure(frame, self.plan).unwrap_or_else(nonsense)),
            (None, _) => Err(nonsense()),
        }
    }

    /// Is everything confirmed that comes before exec?
    pub(super) fn is_exec_next(&self) -> bool {
        self.left.is_empty()
    }

    /// The end of the messages, which is exec when every step is confirmed.
    ///
    /// # Errors
    /// A step is missing.
    pub fn end(self) -> Result<(Step, u32), Refusal> {
        match self.left {
            [] => Ok((Step::Exec, 0)),
            [missing, ..] => Err(Refusal::new(format!(
                "the new process ended without a word before step {}",
                missing.name()
            ))
            .hint("the kernel may have killed it for lack of memory: see `dmesg`")),
        }
    }
}

/// The refusal that a frame tells of, if it does.
pub(super) fn failure(frame: Frame, plan: &Plan) -> Option<Refusal> {
    match frame {
        Frame::Failed { step, item, errno } => Some(explain::failure(
            step,
            item as usize,
            Errno::from_raw(errno),
            plan,
        )),
        _ => None,
    }
}

fn nonsense() -> Refusal {
    Refusal::new("the new process sent what no step sends")
}

/// The steps between those of the parent and exec, which sends nothing.
const fn inside() -> &'static [Step] {
    let from_ids = Step::ALL.split_at(Step::Ids as usize).1;
    from_ids.split_at(from_ids.len() - 1).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::plan::Invocation;
    use crate::policy::{Context, Policy};

    fn plan() -> Plan {
        let text = "version = 1\n[syscalls]\nallow = [\"@default\"]";
        let policy = Policy::parse(text, "p.toml", &Context::default()).unwrap();
        let host = Host {
            uid: 1000,
            gid: 1000,
            seccomp: true,
            landlock_abi: 1,
            cwd: "/".into(),
            ..Host::default()
        };
        let invocation = Invocation {
            program: "x".into(),
            args: Vec::new(),
            tty: false,
            descriptors: Vec::new(),
        };
        Plan::resolve(&policy, &host, &invocation).unwrap()
    }

    fn done(step: Step) -> [u8; 12] {
        Frame::Done { step, item: 0 }.encode()
    }

    #[test]
    fn only_every_step_in_order_is_a_launch() {
        let plan = plan();
        let mut progress = Progress::new(&plan);
        for step in inside() {
            assert_eq!(progress.hear(&done(*step)).unwrap(), (*step, 0));
        }
        assert_eq!(progress.end().unwrap(), (Step::Exec, 0));
        for left_out in inside() {
            let mut progress = Progress::new(&plan);
            let mut others = inside().iter().filter(|step| *step != left_out);
            let refused = others.any(|step| progress.hear(&done(*step)).is_err());
            assert!(refused || progress.end().is_err(), "{}", left_out.name());
        }
    }

    #[test]
    fn a_step_twice_or_of_the_parent_or_after_the_last_is_refused() {
        let plan = plan();
        let mut progress = Progress::new(&plan);
        progress.hear(&done(Step::Ids)).unwrap();
        for step in [Step::Ids, Step::Cgroup, Step::Exec] {
            assert!(progress.hear(&done(step)).is_err());
        }
        for step in &inside()[1..] {
            progress.hear(&done(*step)).unwrap();
        }
        assert!(progress.hear(&done(Step::Exec)).is_err());
        assert!(progress.hear(&done(Step::Seccomp)).is_err());
    }

    #[test]
    fn what_no_step_sends_is_refused() {
        let plan = plan();
        let whole = done(Step::Mounts);
        for message in [&whole[..11], &[], &[0; 13], &Frame::Go.encode()] {
            let refusal = Progress::new(&plan).hear(message).unwrap_err();
            assert_eq!(refusal.message, "the new process sent what no step sends");
        }
        let (step, item, errno) = (Step::Net, u32::MAX, i32::MAX);
        let failed = Frame::Failed { step, item, errno };
        let refusal = Progress::new(&plan).hear(&failed.encode()).unwrap_err();
        assert!(refusal.message.contains("step net"), "{refusal}");
    }
}
