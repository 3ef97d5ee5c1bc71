//! Status frames: the only thing the parent ever reads from the sandbox's side.
//!
//! Twelve bytes, three little-endian numbers, no strings, no lengths. A frame is
//! a fact about a step or about the program's end; writing the sentence is the
//! reader's work.

use crate::step::Step;

/// Size of every frame, bytes.
pub const FRAME_BYTES: usize = 12;

/// First number of a frame that is not about a step.
const CONTROL_BASE: u32 = 0x100;

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
    /// Init → parent: largest resident set of a reaped process, KiB.
    #[allow(missing_docs)]
    Peak { kib: u32 },
    /// Init → parent: the wall-time limit passed and everything is being killed.
    OutOfTime,
    /// Parent → init: the id maps are written, go on.
    Go,
    /// Parent → init: the program was executed; time runs from here.
    Started,
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
            Frame::OutOfTime => (CONTROL_BASE + 2, 0, 0),
            Frame::Go => (CONTROL_BASE + 3, 0, 0),
            Frame::Started => (CONTROL_BASE + 4, 0, 0),
            Frame::Signal { number } => (CONTROL_BASE + 5, 0, number),
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
        match (a.checked_sub(CONTROL_BASE)?, b, c) {
            (0, 0, status) => Some(Frame::Exited { status }),
            (1, kib, 0) => Some(Frame::Peak { kib }),
            (2, 0, 0) => Some(Frame::OutOfTime),
            (3, 0, 0) => Some(Frame::Go),
            (4, 0, 0) => Some(Frame::Started),
            (5, 0, number) => Some(Frame::Signal { number }),
            _ => None,
        }
    }
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
        fn every_control_frame_survives(number: i32, kib: u32) {
            for frame in [
                Frame::Exited { status: number },
                Frame::Peak { kib },
                Frame::OutOfTime,
                Frame::Go,
                Frame::Started,
                Frame::Signal { number },
            ] {
                prop_assert_eq!(Frame::decode(&frame.encode()), Some(frame));
            }
        }
    }
}
