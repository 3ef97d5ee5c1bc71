//! The runs of a worker: each started as its order says, and waited for, and what it used
//! told to who ordered it.

use super::Held;
use super::networks::{Network, Networks};
use crate::launch::clone;
use crate::launch::image::{Descriptors, Image, Particulars, Standing};
use crate::launch::init::Init;
use crate::launch::namespaces;
use crate::launch::order::Order;
use crate::policy;
use crate::step::Step;
use crate::sys::{Errno, fd, process, socket};
use crate::wire::{Frame, Used};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// Those that were started and not yet waited for.
#[derive(Default)]
pub(super) struct Runs(Vec<Run>);

struct Run {
    init: Init,
    /// Where who ordered it is told how it ended.
    told: OwnedFd,
    network: Option<Network>,
}

impl Runs {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What to poll for.
    pub(super) fn wanted(&self) -> impl Iterator<Item = libc::pollfd> + '_ {
        let pidfds = self.0.iter().map(|run| run.init.pidfd().as_raw_fd());
        pidfds.map(|pidfd| process::polled(pidfd, libc::POLLIN))
    }

    /// Starts a run, and tells who ordered it which process it is, or why there is none.
    pub(super) fn start(
        &mut self,
        held: &Held,
        networks: &mut Networks,
        message: &[u8],
        fds: Vec<OwnedFd>,
    ) {
        // Who sends nonsense gets no answer: its end of the sockets is closed here.
        let Some(order) = Order::decode(message, fds) else {
            return;
        };
        match start(held, networks, &order) {
            Ok((init, network)) => {
                let frame = Frame::Born { pid: init.pid() }.encode();
                let pidfd = init.pidfd().as_raw_fd();
                let sent = socket::send_with(&order.told, &frame, &[pidfd]);
                if sent.is_err() {
                    // Nobody would ever end it.
                    let _ = init.kill();
                }
                self.0.push(Run {
                    init,
                    told: order.told,
                    network,
                });
            }
            Err(errno) => {
                let (step, item, errno) = (Step::Sanitize, 0, errno as i32);
                let failed = Frame::Failed { step, item, errno };
                let _ = socket::send(order.told.as_raw_fd(), &failed.encode());
            }
        }
    }

    /// Waits for those that have ended.
    pub(super) fn bury(&mut self, networks: &mut Networks) {
        let mut position = 0;
        while let Some(run) = self.0.get(position) {
            let Ok(Some(ended)) = crate::sys::clone::wait(run.init.pid(), false) else {
                position += 1;
                continue;
            };
            let run = self.0.swap_remove(position);
            let mut message = Frame::Reaped {
                status: ended.status,
            }
            .encode()
            .to_vec();
            for (what, number) in Used::ALL.into_iter().zip(ended.used()) {
                message.extend(Frame::Used { what, number }.encode());
            }
            // Who ordered it may be gone.
            let _ = socket::send(run.told.as_raw_fd(), &message);
            if let Some(network) = run.network {
                networks.leave(network);
            }
        }
    }
}

fn start(
    held: &Held,
    networks: &mut Networks,
    order: &Order<OwnedFd>,
) -> Result<(Init, Option<Network>), Errno> {
    let recipe = &held.recipe;
    // At numbers that no descriptor of the program has: what the child needs must not
    // stand where another is put.
    let least = order.inside.iter().max().map_or(0, |most| most + 1);
    let mut lifted = Vec::new();
    let mut number = |fd: &OwnedFd| -> Result<RawFd, Errno> {
        if fd.as_raw_fd() >= least {
            return Ok(fd.as_raw_fd());
        }
        let copy = fd::duplicate_from(fd.as_raw_fd(), least)?;
        let number = copy.as_raw_fd();
        lifted.push(copy);
        Ok(number)
    };
    let proc = number(&held.proc)?;
    let keep = order.keep.iter().map(&mut number);
    let keep = keep.collect::<Result<_, _>>()?;
    let mut perhaps = |fd: &Option<OwnedFd>| fd.as_ref().map(&mut number).transpose();
    let ruleset = perhaps(&order.ruleset)?;
    let cpu_stat = perhaps(&order.cpu_stat)?;
    let memory_current = perhaps(&order.memory_current)?;
    let image = Image::prepare(
        recipe,
        &held.provisions,
        &Descriptors {
            status: number(&order.status)?,
            control: number(&order.control)?,
            parent: number(&held.caller)?,
            stdio: None,
            keep,
            ruleset,
            cpu_stat,
            memory_current,
            others: vec![proc],
        },
        Particulars {
            keep: order.inside.clone(),
            roots: order.roots.clone(),
            terminal: None,
            standing: Some(Standing { proc }),
            outside: held.ids,
            clocks: order.clocks,
        },
    );
    let mut flags = namespaces(order.cpu_stat.is_some());
    let mut network = None;
    match recipe.network {
        policy::Network::None => network = Some(networks.enter()?),
        policy::Network::Loopback => flags |= libc::CLONE_NEWNET,
        policy::Network::Host => {}
    }
    let born = clone::launcher(&image, flags, order.group.as_ref().map(AsFd::as_fd))?;
    let init = born.keep().ok_or(Errno::ESRCH)?;
    Ok((init, network))
}
