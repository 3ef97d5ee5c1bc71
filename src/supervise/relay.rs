//! What goes through this process: output that is counted or kept in memory, and
//! input that comes from memory.
//!
//! Used only for streams that have a limit or a place in memory; other descriptors are
//! passed through, and nothing stands between. Memory is what the caller asked to be
//! kept, and a buffer for each stream; nothing grows with what is written.

use super::ends::{Ends, Sink};
use super::feed::Feed;
use super::flow::{Flow, Met, Wanted};
use super::meter::{Gate, Meter};
use crate::plan::Limits;
use crate::policy::Full;
use crate::report::Output;
use crate::sys::Errno;
use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::sync::Arc;

/// Everything on its way, in both directions.
#[derive(Default)]
pub(super) struct Relay {
    lanes: Vec<Lane>,
    feeds: Vec<Feed>,
    /// Of standard output and error together.
    total: Gate,
}

/// What the program writes on one descriptor.
struct Lane {
    number: RawFd,
    flow: Flow,
    meter: Meter,
    /// The limit of the streams together does not count this one.
    apart: Option<Gate>,
}

impl Relay {
    pub(super) fn new(ends: &mut Ends, limits: &Limits) -> Result<Relay, Errno> {
        let lanes = ends.through.drain(..).map(|through| {
            let from = Arc::new(through.from);
            let (flow, space) = match through.to {
                Sink::Fd(to) => (Flow::new(from, Arc::new(to)), None),
                Sink::Memory { most } => (Flow::into_memory(from), Some(most)),
            };
            let (cap, apart) = match through.number {
                libc::STDOUT_FILENO => (limits.stdout, None),
                libc::STDERR_FILENO => (limits.stderr, None),
                _ => (None, Some(Gate::default())),
            };
            Lane {
                number: through.number,
                flow,
                meter: Meter::new(cap, space),
                apart,
            }
        });
        let lanes = lanes.collect();
        let feeds = ends.feeds.drain(..).map(|(to, bytes)| Feed::new(to, bytes));
        Ok(Relay {
            lanes,
            feeds: feeds.collect::<Result<_, _>>()?,
            total: Gate::new(limits.output),
        })
    }

    /// What to poll for.
    pub(super) fn wants(&self) -> impl Iterator<Item = Wanted> + '_ {
        let lanes = self.lanes.iter();
        let lanes = lanes.filter_map(|lane| lane.flow.wants(lane.room(&self.total)));
        lanes.chain(self.feeds.iter().filter_map(Feed::wants))
    }

    /// Moves what is ready; `true` when the program is to be killed for it.
    pub(super) fn pump(&mut self, ready: impl Fn(Wanted) -> bool) -> Result<bool, Errno> {
        let (mut kill, mut cut_all) = (false, false);
        for lane in &mut self.lanes {
            let room = lane.room(&self.total);
            if !lane.flow.wants(room).is_some_and(&ready) {
                continue;
            }
            match lane.flow.step(room) {
                Met::Bytes(bytes) => {
                    let total = lane.apart.as_mut().unwrap_or(&mut self.total);
                    let over = lane.meter.count(total, bytes);
                    kill |= over.is(Full::Kill);
                    cut_all |= over.total == Some(Full::Truncate);
                    if over.own == Some(Full::Truncate) {
                        lane.cut();
                    }
                }
                Met::Broken(lost) => lane.meter.lost(lost),
                Met::Failed(errno) => return Err(errno),
                Met::End => {}
            }
        }
        if cut_all {
            let together = self.lanes.iter_mut().filter(|lane| lane.apart.is_none());
            together.for_each(Lane::cut);
        }
        self.close_at_end();
        for feed in &mut self.feeds {
            if feed.wants().is_some_and(&ready) {
                feed.step()?;
            }
        }
        Ok(kill)
    }

    /// Every process inside is dead: nothing is read there any more.
    pub(super) fn stop_feeding(&mut self) {
        self.feeds.iter_mut().for_each(Feed::stop);
    }

    /// Every writer is dead: a source that has nothing now never will.
    pub(super) fn finish(&mut self, ready: impl Fn(Wanted) -> bool) {
        for lane in &mut self.lanes {
            let room = lane.room(&self.total);
            if !lane.flow.is_pending(room) && !lane.flow.wants(room).is_some_and(&ready) {
                lane.flow.stop_reading();
            }
        }
        self.close_at_end();
    }

    /// Whoever reads a stream that is over learns it now, not when the program ends.
    fn close_at_end(&mut self) {
        let flows = self.lanes.iter_mut().map(|lane| &mut lane.flow);
        flows.for_each(Flow::close_at_end);
    }

    /// The account of a stream, where there is one.
    pub(super) fn output(&self, number: RawFd) -> Option<Output> {
        let mut lanes = self.lanes.iter();
        let lane = lanes.find(|lane| lane.number == number)?;
        Some(lane.meter.output())
    }

    /// What was kept in memory, by descriptor.
    pub(super) fn take_memory(&mut self) -> BTreeMap<RawFd, Vec<u8>> {
        let lanes = self.lanes.iter_mut();
        lanes
            .map(|lane| (lane.number, lane.flow.take_memory()))
            .collect()
    }
}

impl Lane {
    fn room(&self, total: &Gate) -> u64 {
        self.meter.room(self.apart.as_ref().unwrap_or(total))
    }

    /// The writer's next write fails.
    fn cut(&mut self) {
        self.meter.cut(self.flow.cut());
    }
}
