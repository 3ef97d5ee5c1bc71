//! What the supervisor has learnt of a run, from pid 1's messages and by itself.
//!
//! It reads no socket and ends nothing; a message that pid 1 never sends is an error.

use crate::report::{Exit, KilledBy};
use crate::sys::Errno;
use crate::wire::{Frame, Over};

/// What has been learnt so far.
#[derive(Debug, Default)]
pub struct Facts {
    /// The program's `wait(2)` status, as pid 1 told it.
    pub status: Option<i32>,
    /// Largest resident set of a process, KiB; 0 when nobody said or none grew.
    pub peak_kib: u32,
    /// Processor time that pid 1 counted, nanoseconds.
    pub cpu_ns: u64,
    /// The most memory that pid 1 saw in use, bytes.
    pub memory_bytes: u64,
    /// The most processes and threads that pid 1 saw.
    pub processes: u32,
    /// When the program was executed, CLOCK_MONOTONIC inside.
    pub began_ns: Option<u64>,
    /// From exec until the program ended or was ended, nanoseconds.
    pub wall_ns: Option<u64>,
    /// Number of the system call that ended the run.
    pub violation: Option<u32>,
    /// Who ended the program, when it was not itself.
    pub killed_by: Option<KilledBy>,
    /// Why pid 1 could not watch any longer.
    pub lost: Option<Errno>,
    /// The program may have ended before anybody saw that it wrote too much.
    pub output_limit_passed: bool,
}

impl Facts {
    /// Takes in one message of pid 1.
    ///
    /// # Errors
    /// EPROTO for anything that pid 1 does not send.
    pub fn hear(&mut self, message: &[u8]) -> Result<(), Errno> {
        match Frame::decode(message) {
            Some(Frame::Exited { status }) => {
                self.status = Some(status);
                // A pid 1 that was killed says nothing: the program ended before the
                // caller's wish arrived.
                if self.killed_by == Some(KilledBy::Cancel) {
                    self.killed_by = None;
                }
            }
            Some(Frame::Peak { kib }) => self.peak_kib = kib,
            Some(Frame::Cpu { ns }) => self.cpu_ns = ns,
            Some(Frame::Memory { bytes }) => self.memory_bytes = bytes,
            Some(Frame::Processes { peak }) => self.processes = peak,
            Some(Frame::Began { ns }) => self.began_ns = Some(ns),
            Some(Frame::Ended { ns }) => self.wall_ns = Some(ns),
            Some(Frame::Over { limit }) => self.blame(match limit {
                Over::Wall => KilledBy::Wall,
                Over::Cpu => KilledBy::Cpu,
                Over::Memory => KilledBy::Memory,
            }),
            Some(Frame::Violation { number }) => {
                self.violation = Some(number);
                self.blame(KilledBy::Syscall);
            }
            Some(Frame::Lost { errno }) => {
                self.lost = Some(Errno::from_raw(errno));
                self.blame(KilledBy::Internal);
            }
            _ => return Err(Errno::EPROTO),
        }
        Ok(())
    }

    /// The first cause wins; a program that had already ended was not killed.
    pub fn blame(&mut self, by: KilledBy) {
        if self.killed_by.is_none() && self.status.is_none() {
            self.killed_by = Some(by);
        }
    }

    /// How the program ended.
    pub fn exit(&self) -> Exit {
        // Without a word from pid 1 everything was killed.
        let status = self.status.unwrap_or(libc::SIGKILL);
        if libc::WIFEXITED(status) {
            Exit {
                code: u8::try_from(libc::WEXITSTATUS(status)).ok(),
                signal: None,
                core: false,
            }
        } else {
            Exit {
                code: None,
                signal: u8::try_from(libc::WTERMSIG(status)).ok(),
                core: libc::WCOREDUMP(status),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVER: Frame = Frame::Over { limit: Over::Wall };

    #[test]
    fn the_first_cause_wins_and_an_end_before_it_does_too() {
        let mut facts = Facts::default();
        facts.hear(&OVER.encode()).unwrap();
        facts.blame(KilledBy::Output);
        assert_eq!(facts.killed_by, Some(KilledBy::Wall));
        let mut facts = Facts::default();
        facts.hear(&Frame::Exited { status: 0 }.encode()).unwrap();
        facts.hear(&OVER.encode()).unwrap();
        assert_eq!(facts.killed_by, None);
        assert_eq!(facts.exit().code, Some(0));
    }

    #[test]
    fn a_pid_1_that_cannot_go_on_says_why() {
        let mut facts = Facts::default();
        facts.hear(&Frame::Lost { errno: 5 }.encode()).unwrap();
        assert_eq!(facts.killed_by, Some(KilledBy::Internal));
        assert_eq!(facts.lost, Some(Errno::EIO));
        // Who had ended the program before that is still who it was.
        let mut facts = Facts::default();
        facts.hear(&OVER.encode()).unwrap();
        facts.hear(&Frame::Lost { errno: 5 }.encode()).unwrap();
        assert_eq!(facts.killed_by, Some(KilledBy::Wall));
    }

    #[test]
    fn what_only_the_parent_or_a_step_sends_is_no_message_of_pid_1() {
        let frames = [
            Frame::Go,
            Frame::Signal { number: 9 },
            Frame::Done {
                step: crate::step::Step::Seccomp,
                item: 0,
            },
        ];
        for frame in frames {
            assert_eq!(Facts::default().hear(&frame.encode()), Err(Errno::EPROTO));
        }
        assert_eq!(Facts::default().hear(&[0; 13]), Err(Errno::EPROTO));
        assert_eq!(Facts::default().exit().signal, Some(9));
    }
}
