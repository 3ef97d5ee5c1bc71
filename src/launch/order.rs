//! What a worker is told for one run: what differs from run to run, and the descriptors
//! that come along, in one message. The streams and the arguments of the program come after
//! it, to the run itself ([`last_word`]), which may have been ordered before anybody knew them.
//!
//! The worker trusts who sends it, and takes nothing that is not whole.

use super::image::Clocks;
use std::ffi::{CStr, CString};
use std::os::fd::RawFd;

/// Which descriptors come along besides the three of every run.
const RULESET: u8 = 1;
const GROUP: u8 = 2;
const CPU_STAT: u8 = 4;
const MEMORY_CURRENT: u8 = 8;

/// Most bytes of one order.
pub(crate) const MOST_BYTES: usize = 128 * 1024;

/// Bytes of a descriptor's number.
const NUMBER: usize = size_of::<RawFd>();

/// One run: `D` is a descriptor's number with the sender, and an owner with the receiver.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order<D> {
    /// Child's ends of the two sockets.
    pub(crate) status: D,
    pub(crate) control: D,
    /// Where the worker tells which process it is, and how that ended.
    pub(crate) told: D,
    pub(crate) ruleset: Option<D>,
    /// The run's control group, and files of it.
    pub(crate) group: Option<D>,
    pub(crate) cpu_stat: Option<D>,
    pub(crate) memory_current: Option<D>,
    /// Descriptors for the program, in the order of the plan.
    pub(crate) keep: Vec<D>,
    /// Their numbers inside, ascending.
    pub(crate) inside: Vec<RawFd>,
    /// What both clocks inside begin from.
    pub(crate) clocks: Clocks,
    /// Directories that files are copied beneath.
    pub(crate) roots: Vec<CString>,
}

/// What goes to a run with the three streams of its program: the arguments after `argv[0]`.
pub(crate) fn last_word(args: &[CString]) -> Vec<u8> {
    let texts = args.iter().map(|text| text.as_bytes_with_nul());
    texts.flatten().copied().collect()
}

impl Order<RawFd> {
    /// As a message: its bytes and its descriptors.
    pub(crate) fn encode(&self) -> (Vec<u8>, Vec<RawFd>) {
        let optional = [
            (RULESET, self.ruleset),
            (GROUP, self.group),
            (CPU_STAT, self.cpu_stat),
            (MEMORY_CURRENT, self.memory_current),
        ];
        let mut flags = 0;
        let mut fds = vec![self.status, self.control, self.told];
        for (flag, fd) in optional {
            if let Some(fd) = fd {
                flags |= flag;
                fds.push(fd);
            }
        }
        fds.extend(&self.keep);
        let mut bytes = vec![flags];
        bytes.extend(self.clocks.monotonic.to_le_bytes());
        bytes.extend(self.clocks.boot.to_le_bytes());
        bytes.extend((self.inside.len() as u32).to_le_bytes());
        for number in &self.inside {
            bytes.extend(number.to_le_bytes());
        }
        for text in &self.roots {
            bytes.extend(text.as_bytes_with_nul());
        }
        (bytes, fds)
    }
}

impl<D> Order<D> {
    /// From a message; `None` for what [`Order::encode`] does not write.
    pub(crate) fn decode(bytes: &[u8], fds: Vec<D>) -> Option<Order<D>> {
        let (flags, rest) = bytes.split_first()?;
        let (monotonic, rest) = rest.split_first_chunk()?;
        let (boot, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let count = u32::from_le_bytes(*count) as usize;
        let (numbers, mut rest) = rest.split_at_checked(count.checked_mul(NUMBER)?)?;
        let numbers = numbers.chunks_exact(NUMBER);
        let inside = numbers.map(|number| number.try_into().map(RawFd::from_le_bytes));
        let inside = inside.collect::<Result<Vec<_>, _>>().ok()?;
        let mut roots = Vec::new();
        while !rest.is_empty() {
            let text = CStr::from_bytes_until_nul(rest).ok()?;
            rest = rest.get(text.count_bytes() + 1..)?;
            roots.push(text.to_owned());
        }
        if flags & !(RULESET | GROUP | CPU_STAT | MEMORY_CURRENT) != 0 {
            return None;
        }
        let mut fds = fds.into_iter();
        let status = fds.next()?;
        let control = fds.next()?;
        let told = fds.next()?;
        let mut optional = |flag| match flags & flag {
            0 => Some(None),
            _ => fds.next().map(Some),
        };
        Some(Order {
            status,
            control,
            told,
            ruleset: optional(RULESET)?,
            group: optional(GROUP)?,
            cpu_stat: optional(CPU_STAT)?,
            memory_current: optional(MEMORY_CURRENT)?,
            keep: Some(fds.collect::<Vec<_>>()).filter(|keep| keep.len() == inside.len())?,
            inside,
            clocks: Clocks {
                monotonic: i64::from_le_bytes(*monotonic),
                boot: i64::from_le_bytes(*boot),
            },
            roots,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = Vec<CString>> {
        let text = proptest::collection::vec(1..=255u8, 0..9);
        proptest::collection::vec(text.prop_map(|bytes| CString::new(bytes).unwrap()), 0..4)
    }

    proptest! {
        #[test]
        fn an_order_survives(
            optional: [Option<RawFd>; 4],
            kept: Vec<(RawFd, RawFd)>,
            roots in texts(),
            monotonic: i64,
            boot: i64,
        ) {
            let (keep, inside) = kept.into_iter().unzip();
            let [ruleset, group, cpu_stat, memory_current] = optional;
            let (status, control, told) = (3, 4, 8);
            let order = Order {
                status, control, told, ruleset, group, cpu_stat, memory_current, keep, inside, roots,
                clocks: Clocks { monotonic, boot },
            };
            let (bytes, fds) = order.encode();
            prop_assert_eq!(Order::decode(&bytes, fds), Some(order));
        }

        #[test]
        fn decoding_is_total(bytes: Vec<u8>, fds in 0..12usize) {
            if let Some(order) = Order::decode(&bytes, (0..fds as RawFd).collect()) {
                prop_assert_eq!(order.encode().0, bytes);
            }
        }
    }

    #[test]
    fn a_descriptor_that_is_missing_is_no_order() {
        let bytes = |flags| {
            let mut bytes = [0; 21];
            bytes[0] = flags;
            bytes
        };
        assert!(Order::decode(&bytes(0), vec![3, 4, 5]).is_some());
        assert_eq!(Order::decode(&bytes(RULESET), vec![3, 4, 5]), None);
        assert_eq!(Order::decode(&bytes(0), vec![3, 4]), None);
    }
}
