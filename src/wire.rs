//! Status frames: the only thing the parent ever reads from the sandbox's side.
//!
//! Twelve bytes, three little-endian numbers, no strings, no lengths. A frame is
//! a fact about a step or about the program's end; writing the sentence is the
//! reader's work.

use crate::step::Step;

/// Size of every frame, bytes.
pub const FRAME_BYTES: usize = 12;

/// Most frames in one message: what is said together wakes the reader once.
pub(crate) const MOST_FRAMES: usize = 16;

/// Room for a message, and for one byte that makes it too long.
pub(crate) const MESSAGE_ROOM: usize = MOST_FRAMES * FRAME_BYTES + 1;

/// First number of a frame that is not about a step.
const CONTROL_BASE: u32 = 0x100;

/// First number of a frame about what was used.
const USED_BASE: u32 = 0x200;

/// A limit that pid 1 watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Over {
    /// `limits.wall-time`.
    Wall = 0,
    /// `limits.cpu-time`.
    Cpu,
    /// `limits.memory`.
    Memory,
}

impl Over {
    fn from_wire(number: u32) -> Option<Over> {
        [Over::Wall, Over::Cpu, Over::Memory]
            .get(number as usize)
            .copied()
    }
}

/// A number of `struct rusage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Used {
    /// `ru_utime`, microseconds.
    User = 0,
    /// `ru_stime`, microseconds.
    System,
    /// `ru_maxrss`, KiB.
    Largest,
    /// `ru_nvcsw`.
    Voluntary,
    /// `ru_nivcsw`.
    Forced,
}

impl Used {
    /// All of them, in the order of their numbers.
    pub const ALL: [Used; 5] = [
        Used::User,
        Used::System,
        Used::Largest,
        Used::Voluntary,
        Used::Forced,
    ];
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A step is done. `item` carries what the kernel answered where that is a number.
    #[allow(missing_docs)]
    Done { step: Step, item: u32 },
    /// A step failed: which item of the plan, and why (errno, never 0).
    #[allow(missing_docs)]
    Failed { step: Step, item: u32, errno: i32 },
    /// Init → parent: the program ended with this `wait(2)` status.
    #[allow(missing_docs)]
    Exited { status: i32 },
    /// Init → parent: largest resident set of a reaped process, KiB; 0 when none grew
    /// larger than it began.
    #[allow(missing_docs)]
    Peak { kib: u32 },
    /// Init → parent: a limit passed and everything is being killed.
    #[allow(missing_docs)]
    Over { limit: Over },
    /// Init → parent: processor time of everything inside, as far as it was counted
    /// here, nanoseconds.
    #[allow(missing_docs)]
    Cpu { ns: u64 },
    /// Init → parent: the most memory seen in use at one time, bytes.
    #[allow(missing_docs)]
    Memory { bytes: u64 },
    /// Init → parent: the most processes and threads seen at one time.
    #[allow(missing_docs)]
    Processes { peak: u32 },
    /// Init → parent: nanoseconds from exec until the program ended or was ended.
    #[allow(missing_docs)]
    Ended { ns: u64 },
    /// Init → parent: when the program was executed, on the clock inside (time_namespaces(7)).
    #[allow(missing_docs)]
    Began { ns: u64 },
    /// Init → parent: pid 1 can watch the program no more, and ends everything.
    #[allow(missing_docs)]
    Lost { errno: i32 },
    /// Init → parent: a system call that the policy kills for was made, and
    /// everything is being killed.
    #[allow(missing_docs)]
    Violation { number: u32 },
    /// Worker → parent: pid 1 of the run is this process; its pidfd comes along.
    #[allow(missing_docs)]
    Born { pid: i32 },
    /// Worker → parent: pid 1 ended with this `wait(2)` status, and was waited for.
    #[allow(missing_docs)]
    Reaped { status: i32 },
    /// Worker → parent: what pid 1 and all it had waited for used (getrusage(2)).
    #[allow(missing_docs)]
    Used { what: Used, number: u64 },
    /// Parent → init: the id maps are written, or the files copied in: go on.
    Go,
    /// Parent → init: send this signal to the program's process group.
    #[allow(missing_docs)]
    Signal { number: i32 },
}

impl Frame {
    /// The frame's bytes.
    pub fn encode(self) -> [u8; FRAME_BYTES] {
        let (a, b, c): (u32, u32, i32) = match self {
            Frame::Done { step, item } => (step as u32, item, 0),
            Frame::Failed { step, item, errno } => (step as u32, item, errno),
            Frame::Exited { status } => (CONTROL_BASE, 0, status),
            Frame::Peak { kib } => (CONTROL_BASE + 1, kib, 0),
            Frame::Over { limit } => (CONTROL_BASE + 2, limit as u32, 0),
            Frame::Go => (CONTROL_BASE + 3, 0, 0),
            Frame::Signal { number } => (CONTROL_BASE + 4, 0, number),
            Frame::Cpu { ns } => halves(CONTROL_BASE + 5, ns),
            Frame::Memory { bytes } => halves(CONTROL_BASE + 6, bytes),
            Frame::Processes { peak } => (CONTROL_BASE + 7, peak, 0),
            Frame::Ended { ns } => halves(CONTROL_BASE + 8, ns),
            Frame::Violation { number } => (CONTROL_BASE + 9, number, 0),
            Frame::Began { ns } => halves(CONTROL_BASE + 10, ns),
            Frame::Lost { errno } => (CONTROL_BASE + 11, errno as u32, 0),
            Frame::Born { pid } => (CONTROL_BASE + 12, 0, pid),
            Frame::Reaped { status } => (CONTROL_BASE + 13, 0, status),
            Frame::Used { what, number } => halves(USED_BASE + what as u32, number),
        };
        let [a0, a1, a2, a3] = a.to_le_bytes();
        let [b0, b1, b2, b3] = b.to_le_bytes();
        let [c0, c1, c2, c3] = c.to_le_bytes();
        [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3]
    }

    /// The frame in `bytes`; `None` for anything that [`Frame::encode`] would not
    /// have written.
    pub fn decode(bytes: &[u8]) -> Option<Frame> {
        let bytes: &[u8; FRAME_BYTES] = bytes.try_into().ok()?;
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = *bytes;
        let a = u32::from_le_bytes([a0, a1, a2, a3]);
        let b = u32::from_le_bytes([b0, b1, b2, b3]);
        let c = i32::from_le_bytes([c0, c1, c2, c3]);
        if let Some(step) = Step::from_wire(a) {
            return Some(match c {
                0 => Frame::Done { step, item: b },
                errno => Frame::Failed {
                    step,
                    item: b,
                    errno,
                },
            });
        }
        let used = a.checked_sub(USED_BASE);
        if let Some(what) = used.and_then(|what| Used::ALL.get(what as usize)) {
            let (what, number) = (*what, whole(b, c));
            return Some(Frame::Used { what, number });
        }
        match (a.checked_sub(CONTROL_BASE)?, b, c) {
            (0, 0, status) => Some(Frame::Exited { status }),
            (1, kib, 0) => Some(Frame::Peak { kib }),
            (2, limit, 0) => Some(Frame::Over {
                limit: Over::from_wire(limit)?,
            }),
            (3, 0, 0) => Some(Frame::Go),
            (4, 0, number) => Some(Frame::Signal { number }),
            (5, low, high) => Some(Frame::Cpu {
                ns: whole(low, high),
            }),
            (6, low, high) => Some(Frame::Memory {
                bytes: whole(low, high),
            }),
            (7, peak, 0) => Some(Frame::Processes { peak }),
            (8, low, high) => Some(Frame::Ended {
                ns: whole(low, high),
            }),
            (9, number, 0) => Some(Frame::Violation { number }),
            (10, low, high) => Some(Frame::Began {
                ns: whole(low, high),
            }),
            (11, errno, 0) => Some(Frame::Lost {
                errno: errno as i32,
            }),
            (12, 0, pid) => Some(Frame::Born { pid }),
            (13, 0, status) => Some(Frame::Reaped { status }),
            _ => None,
        }
    }
}

/// A number of 64 bits in the two fields of a frame.
fn halves(kind: u32, number: u64) -> (u32, u32, i32) {
    (kind, number as u32, (number >> 32) as i32)
}

fn whole(low: u32, high: i32) -> u64 {
    u64::from(high as u32) << 32 | u64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decoding_is_total_and_encoding_its_inverse(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            if let Some(frame) = Frame::decode(&bytes) {
                prop_assert_eq!(&frame.encode()[..], &bytes[..]);
            }
        }

        #[test]
        fn every_step_frame_survives(position in 0..Step::ALL.len(), item: u32, errno in 1..4096i32) {
            let step = Step::ALL[position];
            for frame in [Frame::Done { step, item }, Frame::Failed { step, item, errno }] {
                prop_assert_eq!(Frame::decode(&frame.encode()), Some(frame));
            }
        }

        #[test]
        fn every_control_frame_survives(number: i32, kib: u32, long: u64) {
            for frame in [
                Frame::Exited { status: number },
                Frame::Peak { kib },
                Frame::Over { limit: Over::Wall },
                Frame::Over { limit: Over::Cpu },
                Frame::Over { limit: Over::Memory },
                Frame::Cpu { ns: long },
                Frame::Memory { bytes: long },
                Frame::Processes { peak: kib },
                Frame::Ended { ns: long },
                Frame::Violation { number: kib },
                Frame::Born { pid: number },
                Frame::Reaped { status: number },
                Frame::Used { what: Used::ALL[kib as usize % Used::ALL.len()], number: long },
                Frame::Go,
                Frame::Signal { number },
            ] {
                prop_assert_eq!(Frame::decode(&frame.encode()), Some(frame));
            }
        }
    }
}
