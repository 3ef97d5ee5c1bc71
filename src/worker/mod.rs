//! A worker: a process of its own that keeps a root standing and network namespaces ready,
//! and starts a run in namespaces of its own for every order.
//!
//! It is small, so that a copy of it costs little; it runs nothing but our own code, and
//! what untrusted code has run in it uses again in one way only: an empty network namespace
//! ([`networks`]).

mod networks;
mod runs;
mod standing;

use crate::launch::image::Provisions;
use crate::launch::order::MOST_BYTES;
use crate::launch::recipe::Recipe;
use crate::launch::warm::{READY, VERSION};
use crate::sys::{Errno, fd, process, socket};
use crate::wire::Frame;
use networks::Networks;
use runs::Runs;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};

/// What a worker has for all of its runs.
struct Held {
    recipe: Recipe,
    provisions: Provisions,
    /// The host's `/proc`, of which nothing is visible any more.
    proc: OwnedFd,
    /// A pidfd of the process that gives the orders.
    caller: OwnedFd,
    /// Who the worker, and so every program, is on the host.
    ids: (u32, u32),
}

/// Why a worker cannot serve.
enum Why {
    /// In words.
    Said(String),
    /// The root was not built: the frame that says at which step.
    Failed(Frame),
}

impl Why {
    /// As it is told to who started the worker, and knows the plan.
    fn told(&self) -> Vec<u8> {
        match self {
            Why::Said(text) => text.as_bytes().to_vec(),
            Why::Failed(frame) => frame.encode().to_vec(),
        }
    }
}

impl From<String> for Why {
    fn from(text: String) -> Why {
        Why::Said(text)
    }
}

/// The whole life of a worker; standard input is the socket that orders come from. The exit
/// code is for nobody.
pub(crate) fn serve() -> u8 {
    let orders = fd::own(libc::STDIN_FILENO);
    // What ends the caller is not for the worker: it ends when nobody gives orders.
    let masked = process::set_signal_mask(u64::MAX)
        // What the caller ignores is not for the runs.
        .and_then(|_| process::default_signal_actions());
    let held = masked
        .map_err(|errno| say("block signals", errno).into())
        .and_then(|()| prepare(&orders));
    let why = held.as_ref().map_or_else(Why::told, |_| READY.to_vec());
    // One byte first: an empty answer is not the end.
    let told = socket::send(orders.as_raw_fd(), &[b"\n", &*why].concat());
    match (held, told) {
        (Ok(held), Ok(())) => u8::from(obey(&orders, &held).is_err()),
        _ => 1,
    }
}

fn say(what: &str, errno: Errno) -> String {
    format!("cannot {what}: {}", errno.desc())
}

/// Takes the first message, and sets up what it says.
fn prepare(orders: &OwnedFd) -> Result<Held, Why> {
    let mut buffer = [0; 64];
    let received = socket::receive_with(orders, &mut buffer);
    let (bytes, fds) = received.map_err(|errno| say("receive the plan", errno))?;
    if buffer.get(..bytes) != Some(VERSION.as_bytes()) {
        return Err(format!("it is of version {VERSION}, and the caller is not").into());
    }
    let Ok([written, caller]) = <[OwnedFd; 2]>::try_from(fds) else {
        return Err(String::from("the plan did not come").into());
    };
    let mut text = Vec::new();
    let read = File::from(written).read_to_end(&mut text);
    let recipe: Recipe = read.map_err(|error| error.to_string()).and_then(|_| {
        serde_json::from_slice(&text).map_err(|error| format!("the plan cannot be read: {error}"))
    })?;
    let proc = fd::procfs().map(fd::own);
    let mut held = Held {
        provisions: Provisions::awaiting(&recipe),
        recipe,
        proc: proc.map_err(|errno| say("open /proc", errno))?,
        caller,
        ids: (
            nix::unistd::geteuid().as_raw(),
            nix::unistd::getegid().as_raw(),
        ),
    };
    standing::enter(&mut held)?;
    Ok(held)
}

/// Starts runs and buries them until there are no orders any more, and no runs; or nobody
/// who would be told, whoever else may hold the socket. Then the runs end by themselves.
fn obey(orders: &OwnedFd, held: &Held) -> Result<(), Errno> {
    let mut runs = Runs::default();
    let mut networks = Networks::new(held);
    let mut buffer = vec![0; MOST_BYTES];
    let mut fds = Vec::new();
    let mut open = true;
    while open || !runs.is_empty() {
        fds.clear();
        fds.push(process::polled(held.caller.as_raw_fd(), libc::POLLIN));
        fds.extend(open.then(|| process::polled(orders.as_raw_fd(), libc::POLLIN)));
        fds.extend(runs.wanted());
        process::poll(&mut fds, None)?;
        if fds.first().is_some_and(|caller| caller.revents != 0) {
            return Ok(());
        }
        // Those first: what they leave the next may use.
        runs.bury(&mut networks);
        let asked = |polled: &libc::pollfd| polled.fd == orders.as_raw_fd() && polled.revents != 0;
        if fds.iter().any(asked) {
            match socket::receive_with(orders, &mut buffer)? {
                (0, _) => open = false,
                (bytes, came) => {
                    let message = buffer.get(..bytes).unwrap_or_default();
                    runs.start(held, &mut networks, message, came);
                }
            }
        }
    }
    Ok(())
}
