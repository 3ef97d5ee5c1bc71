//! A pair that runs: both runs and both lanes in one poll loop, until everybody has
//! ended and everything was passed on.
//!
//! One thread, so that a byte takes no more than one awakening on its way, and two
//! buffers, so that a flood in both directions is a wait and no growth.

use super::lane::Lane;
use super::report::{Bytes, First, PairReport, Sides};
use super::transcript::{Speaker, Transcript};
use super::{EndWith, refuse};
use crate::report::KilledBy;
use crate::supervise::{Lost, Signals, Wanted, is_ready, polled};
use crate::sys::sigpipe::Quiet;
use crate::sys::{Errno, process};
use crate::{Child, Error};
use std::fs::File;

/// Two running sandboxes, joined. Dropping it kills everything in both.
pub struct Playing {
    sides: Sides<Child>,
    /// To the interactor, and to the solution.
    lanes: [Lane; 2],
    end: EndWith,
    transcript: Option<Transcript>,
    start_ns: u64,
}

impl Playing {
    pub(super) fn new(
        sides: Sides<Child>,
        lanes: [Lane; 2],
        end: EndWith,
        transcript: Option<Transcript>,
    ) -> Playing {
        let start_ns = sides.solution.began_ns().min(sides.interactor.began_ns());
        Playing {
            sides,
            lanes,
            end,
            transcript,
            start_ns,
        }
    }

    /// Kills everything in both sandboxes; [`Playing::wait`] then reports `cancelled`
    /// for those that had not ended.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.end_all(KilledBy::Cancel)
            .map_err(|errno| refuse(format!("cannot kill the sandboxes: {}", errno.desc())))
    }

    /// The reading ends of what each program writes on standard error, where that was asked
    /// to be piped ([`crate::Stdio::Piped`]). Nobody else empties them: a program that
    /// fills its pipe waits.
    pub fn take_stderr(&mut self) -> Sides<Option<File>> {
        let Sides {
            solution,
            interactor,
        } = &mut self.sides;
        Sides {
            solution: solution.stderr.take(),
            interactor: interactor.stderr.take(),
        }
    }

    /// Sends a signal to both programs, as [`Child::signal`].
    pub fn signal(&self, number: i32) -> Result<(), Error> {
        self.sides.interactor.signal(number)?;
        self.sides.solution.signal(number)
    }

    /// Waits for the end of both, and passes on meanwhile what each writes for the
    /// other: until somebody waits, they hear nothing of each other.
    pub fn wait(self) -> Result<PairReport, Error> {
        self.watch(None)
    }

    /// As [`Playing::wait`], for a program that is nothing but the front end of a pair:
    /// signals sent to it go on to both, and it stops and continues with them. Blocks
    /// these signals in the calling thread meanwhile.
    pub fn wait_forwarding_signals(self) -> Result<PairReport, Error> {
        let signals = Signals::take()
            .map_err(|errno| refuse(format!("cannot receive signals: {}", errno.desc())))?;
        self.watch(Some(signals))
    }

    fn watch(mut self, signals: Option<Signals>) -> Result<PairReport, Error> {
        let watched = match Quiet::begin() {
            Ok(_quiet) => self.play(signals.as_ref()),
            Err(errno) => Err(errno.into()),
        };
        if watched.is_err() {
            // Unwatched is unlimited: end it.
            let _ = self.end_all(KilledBy::Internal);
        }
        let solution = self.sides.solution.conclude();
        let interactor = self.sides.interactor.conclude();
        watched?;
        let learnt = |errno: Errno| {
            let why = errno.desc();
            refuse(format!("cannot learn how a program ended: {why}"))
        };
        let since = |ns: u64| ns.saturating_sub(self.start_ns);
        let ended_ns = self.sides.map(|child| since(child.ended_ns()));
        let [to_interactor, to_solution] = self.lanes.each_ref().map(Lane::counts);
        Ok(PairReport {
            first: First::of(&ended_ns),
            started_ns: self.sides.map(|child| since(child.began_ns())),
            ended_ns,
            bytes: Bytes {
                to_interactor: to_interactor.0,
                to_solution: to_solution.0,
                drained_to_interactor: to_interactor.1,
                drained_to_solution: to_solution.1,
            },
            transcript: self.transcript.take(),
            solution: solution.map_err(learnt)?,
            interactor: interactor.map_err(learnt)?,
        })
    }

    fn play(&mut self, signals: Option<&Signals>) -> Result<(), Lost> {
        let mut fds: Vec<libc::pollfd> = Vec::with_capacity(16);
        while !self.is_over() {
            let signal = signals.map(Signals::wanted);
            fds.clear();
            fds.extend(signal.into_iter().chain(self.wanted()).map(polled));
            let nobody = self.nobody_left();
            let patience = if nobody { Some(0) } else { self.patience() };
            process::poll(&mut fds, patience)?;
            let ready = |wanted| is_ready(&fds, wanted);
            if let Some(signals) = signals.filter(|_| signal.is_some_and(ready)) {
                let controls = self.sides.as_array().map(Child::control);
                let asked_to_end = signals.forward_to(&controls)?;
                if asked_to_end && nobody {
                    return Ok(());
                }
            }
            for child in self.sides.as_array_mut() {
                child.react(ready)?;
            }
            self.end_the_other()?;
            self.relay(ready, nobody).map_err(Lost::bytes)?;
        }
        Ok(())
    }

    /// Passes on what is there. With `nobody` left, what is not there never comes.
    fn relay(&mut self, ready: impl Fn(Wanted) -> bool, nobody: bool) -> Result<(), Errno> {
        let speakers = [Speaker::Solution, Speaker::Interactor];
        for (lane, speaker) in self.lanes.iter_mut().zip(speakers) {
            let Some(wanted) = lane.wanted() else {
                continue;
            };
            if ready(wanted) {
                let (transcript, start_ns) = (&mut self.transcript, self.start_ns);
                lane.pump(|said| {
                    if let Some(transcript) = transcript {
                        let now = process::monotonic_ns().saturating_sub(start_ns);
                        transcript.note(now, speaker, said);
                    }
                })?;
            } else if nobody {
                lane.give_up();
            }
        }
        Ok(())
    }

    fn end_the_other(&mut self) -> Result<(), Errno> {
        let Sides {
            solution,
            interactor,
        } = &mut self.sides;
        if !interactor.is_alive() && solution.is_alive() && self.end != EndWith::Nobody {
            solution.end(KilledBy::Cancel)?;
        }
        if !solution.is_alive() && interactor.is_alive() && self.end == EndWith::Either {
            interactor.end(KilledBy::Cancel)?;
        }
        Ok(())
    }

    fn end_all(&mut self, by: KilledBy) -> Result<(), Errno> {
        let [one, other] = self.sides.as_array_mut();
        // Both, also when one of them cannot be ended.
        one.end(by).and(other.end(by))
    }

    fn is_over(&self) -> bool {
        self.nobody_left() && self.lanes.iter().all(|lane| lane.wanted().is_none())
    }

    fn nobody_left(&self) -> bool {
        self.sides.as_array().into_iter().all(Child::is_over)
    }

    fn wanted(&self) -> impl Iterator<Item = Wanted> + '_ {
        let lanes = self.lanes.iter().filter_map(Lane::wanted);
        let sides = self.sides.as_array().into_iter();
        lanes.chain(sides.flat_map(Child::wanted))
    }

    fn patience(&mut self) -> Option<u64> {
        let sides = self.sides.as_array_mut().into_iter();
        let running = sides.filter(|child| !child.is_over());
        running.filter_map(Child::patience).min()
    }
}
