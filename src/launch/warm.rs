//! The launch by a worker: a small process that holds what many runs of a plan can share,
//! and starts each in namespaces of its own.
//!
//! It differs from the cold one in who makes the process, and in nothing that the program
//! could tell: the same steps are confirmed in the same order by the same frames.

use super::explain;
use super::group::Group;
use super::image::Clocks;
use super::init::Init;
use super::order::{self, MOST_BYTES, Order};
use super::progress;
use super::recipe::{self, Recipe};
use super::{
    Birth, Launched, Request, accompany, allow_held, clone, go_for_good, kept, leave_to_child,
    make_ruleset,
};
use crate::cgroup::Home;
use crate::plan::{Outside, Plan, Refusal};
use crate::sys::clone::own_pidfd;
use crate::sys::{Errno, process, socket};
use crate::wire::{FRAME_BYTES, Frame};
use std::cell::Cell;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self as std_process, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What makes the binary a worker, as its first argument.
pub(crate) const WORD: &str = "pool-worker";

/// What both must be built from.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Most bytes of an answer to the first message.
const MOST_ANSWER: usize = 4096;

/// The worker's answer when it is ready; anything else says why it is not.
pub(crate) const READY: &[u8] = b"";

/// A worker, as who started it knows it. Dropped, it ends, once its runs have.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Orders go there. An empty place is a worker that was told to end.
    socket: Option<OwnedFd>,
    process: std_process::Child,
    /// How many operations each run does anew.
    renewed: usize,
    /// A run that was begun before anybody wanted it.
    standing_by: Mutex<Option<Begun>>,
}

impl Worker {
    /// Starts one for a single run of the plan, and for no other; `None` where only the process
    /// that waits for the run can launch it.
    pub(crate) fn for_one_run(helper: &Path, plan: &Plan) -> Result<Option<Arc<Worker>>, Refusal> {
        match obstacle(plan) {
            Some(_) => Ok(None),
            None => Worker::start(helper, plan).map(|worker| Some(Arc::new(worker))),
        }
    }

    /// Starts one for the plan: `helper` is the `sandbox` binary, or one that calls
    /// [`crate::Pool::serve`] when [`WORD`] is its first argument.
    pub(crate) fn start(helper: &Path, plan: &Plan) -> Result<Worker, Refusal> {
        if let Some(why) = obstacle(plan) {
            return Err(why);
        }
        let nul = |text: String| {
            let text = crate::escape::tick(text);
            Refusal::new(format!("a variable contains a NUL byte: {text}"))
        };
        let recipe = Recipe::new(plan, &[]).map_err(nul)?;
        let written = write_down(&recipe).map_err(explain::parent("write down the plan"))?;
        let (socket, its_end) = socket::pair().map_err(explain::parent("make a socket"))?;
        let own = own_pidfd().map_err(explain::parent("open a pidfd of this process"))?;
        let process = std_process::Command::new(helper)
            .arg(WORD)
            .stdin(Stdio::from(its_end))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What a terminal sends to the caller is not for it.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                let (name, errno) = (crate::escape::tick(helper), error);
                Refusal::new(format!("cannot execute {name}: {errno}")).hint(
                    "its workers are the `sandbox` binary, or a program that calls `Pool::serve`",
                )
            })?;
        let worker = Worker {
            socket: Some(socket),
            process,
            renewed: recipe.renewed.len(),
            standing_by: Mutex::default(),
        };
        let fds = [written.as_raw_fd(), own.as_raw_fd()];
        let answer = worker.ask(VERSION.as_bytes(), &fds);
        match answer.unwrap_or_default() {
            Some(answer) if answer == READY => Ok(worker),
            Some(why) => Err(unprepared(&why, plan)),
            None => Err(
                Refusal::new("a worker ended before it was ready").hint(format!(
                    "is {} the `sandbox` binary of this version?",
                    crate::escape::tick(helper)
                )),
            ),
        }
    }

    fn ask(&self, question: &[u8], fds: &[i32]) -> Result<Option<Vec<u8>>, Errno> {
        let socket = self.socket.as_ref().ok_or(Errno::EPIPE)?;
        socket::send_with(socket, question, fds)?;
        let mut answer = vec![0; MOST_ANSWER];
        // One byte comes first: an empty answer is not the end.
        let bytes = socket::receive(socket.as_raw_fd(), &mut answer, true)?;
        answer.truncate(bytes);
        Ok((bytes > 0).then(|| answer.split_off(1)))
    }

    /// Begins a run ahead, unless one stands by: the next launch finds it ready. Where none
    /// can be begun that launch says why.
    pub(crate) fn stand_by(&self, plan: &Plan, home: Option<&Home>) {
        if self.standing_by().is_some() {
            return;
        }
        if let Ok(begun) = begin(plan, home, Vec::new(), self) {
            // Another thread may have been as quick: one of the two ends.
            let other = self.standing_by().replace(begun);
            drop(other);
        }
    }

    fn standing_by(&self) -> MutexGuard<'_, Option<Begun>> {
        let standing_by = self.standing_by.lock();
        standing_by.unwrap_or_else(PoisonError::into_inner)
    }

    /// Is it there? What ended may be replaced.
    pub(crate) fn is_alive(&self) -> bool {
        let Some(socket) = &self.socket else {
            return false;
        };
        let mut fds = [process::polled(socket.as_raw_fd(), libc::POLLIN)];
        process::poll(&mut fds, Some(0)).is_ok() && fds.iter().all(|fd| fd.revents == 0)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The end of its orders: it ends as soon as its runs have, and every run holds it.
        self.socket = None;
        *self.standing_by() = None;
        let _ = self.process.wait();
    }
}

/// The worker's own reason why it is not ready: a frame of who built the root, or a sentence.
fn unprepared(why: &[u8], plan: &Plan) -> Refusal {
    let failed = Frame::decode(why).and_then(|frame| progress::failure(frame, plan));
    failed.unwrap_or_else(|| {
        let why = String::from_utf8_lossy(why);
        Refusal::new(format!(
            "a worker cannot prepare the sandbox: {}",
            crate::escape::plain(&*why)
        ))
    })
}

/// Why no worker can be had for a plan, if none can.
fn obstacle(plan: &Plan) -> Option<Refusal> {
    let cannot = |why: String| Some(Refusal::new(format!("cannot be kept warm: {why}")));
    if let Outside::Range { .. } = plan.ids.outside {
        return cannot("started by root, each run has a host id of its own".into());
    }
    match plan.tty {
        true => cannot("a terminal is each run's own".into()),
        false => None,
    }
}

fn write_down(recipe: &Recipe) -> Result<File, Errno> {
    let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
    let mut file = File::from(nix::sys::memfd::memfd_create(c"sandbox-plan", flags)?);
    let text = serde_json::to_vec(recipe).map_err(|_| Errno::EINVAL)?;
    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    file.write_all(&text).map_err(errno)?;
    file.seek(SeekFrom::Start(0)).map_err(errno)?;
    Ok(file)
}

/// A worker could not launch.
pub(crate) enum Unlaunched {
    /// Nothing was executed: the run said so or said nothing, or was never given its program. The
    /// cold launch may do better, or says why it does not.
    Nothing,
    /// Nothing is left. Tried again, what should be executed once might be twice.
    Refused(Refusal),
}

impl From<Refusal> for Unlaunched {
    fn from(refusal: Refusal) -> Unlaunched {
        Unlaunched::Refused(refusal)
    }
}

/// A run that a worker was told to begin. It comes by itself to where its program's streams
/// and arguments are wanted, and stands by until [`finish`] brings them. Dropped, it ends.
#[derive(Debug)]
struct Begun {
    status: OwnedFd,
    control: OwnedFd,
    /// Where the worker says which process it is.
    told: OwnedFd,
    /// Rules can still be added for what the program holds open.
    ruleset: Option<OwnedFd>,
    group: Option<Group>,
    clocks: Clocks,
}

/// Launches by a worker: what stands by there, or else from the order on.
pub(crate) fn launch(request: &Request<'_>, worker: &Arc<Worker>) -> Result<Launched, Unlaunched> {
    let arguments = recipe::c_strings(&request.plan.program.args)
        .map_err(|_| Refusal::new("an argument contains a NUL byte"))?;
    let last_word = order::last_word(&arguments);
    // Too long for a message.
    if last_word.len() > MOST_BYTES {
        return Err(Unlaunched::Nothing);
    }
    // Taken by itself: the next thread does not wait for this launch.
    let ahead = match is_as_planned(request) {
        true => worker.standing_by().take(),
        false => None,
    };
    match ahead.map(|begun| finish(begun, request, worker, &last_word)) {
        // There is none, or it ended while it stood by: nobody has missed it.
        None | Some(Err(Unlaunched::Nothing)) => {}
        Some(Err(refused)) => return Err(refused),
        Some(Ok(mut launched)) => {
            launched.layers.stood_by();
            return Ok(launched);
        }
    }
    let begun = begin(request.plan, request.home, kept(request), worker)?;
    finish(begun, request, worker, &last_word)
}

/// Is everything but streams and arguments what whoever began a run ahead knew of it?
fn is_as_planned(request: &Request<'_>) -> bool {
    request.keep.is_empty() && request.plan.copies.roots.is_empty()
}

/// Orders a run.
fn begin(
    plan: &Plan,
    home: Option<&Home>,
    keep: Vec<RawFd>,
    worker: &Worker,
) -> Result<Begun, Unlaunched> {
    let (status, child_status) = socket::pair().map_err(explain::parent("make a socket"))?;
    let (control, child_control) = socket::pair().map_err(explain::parent("make a socket"))?;
    let (told, its_told) = socket::pair().map_err(explain::parent("make a socket"))?;
    let ruleset = make_ruleset(plan)?;
    let group = Group::make(home, plan)?;
    let clocks = Clocks::now();
    let order = Order {
        clocks,
        status: child_status.as_raw_fd(),
        control: child_control.as_raw_fd(),
        told: its_told.as_raw_fd(),
        ruleset: ruleset.as_ref().map(AsRawFd::as_raw_fd),
        group: group.as_ref().map(|group| group.fd().as_raw_fd()),
        cpu_stat: group.as_ref().map(Group::cpu_stat),
        memory_current: group.as_ref().and_then(Group::current),
        keep,
        inside: plan.descriptors.clone(),
        roots: recipe::c_strings(&plan.copies.roots)
            .map_err(|_| Refusal::new("a directory's name contains a NUL byte"))?,
    };
    let (bytes, fds) = order.encode();
    let orders = worker.socket.as_ref().ok_or(Unlaunched::Nothing)?;
    // Too long for a message, or nobody is there: then nobody has it.
    if bytes.len() > MOST_BYTES {
        return Err(Unlaunched::Nothing);
    }
    socket::send_with(orders, &bytes, &fds).map_err(|_| Unlaunched::Nothing)?;
    leave_to_child([child_status, child_control])?;
    Ok(Begun {
        status,
        control,
        told,
        ruleset,
        group,
        clocks,
    })
}

/// Gives a run its program, and accompanies it to exec.
fn finish(
    begun: Begun,
    request: &Request<'_>,
    worker: &Arc<Worker>,
    last_word: &[u8],
) -> Result<Launched, Unlaunched> {
    let (plan, mut group) = (request.plan, begun.group);
    let birth = Birth {
        born: born(worker, begun.told, &begun.status)?,
        control: begun.control,
        status: begun.status,
        last_word: Some(last_word),
        failed: Cell::new(false),
    };
    allow_held(begun.ruleset.as_ref(), request);
    drop(begun.ruleset);
    let mut hold = None;
    if plan.copies.roots.is_empty() {
        // What was not sent nobody can have executed.
        go_for_good(&birth, request, &mut hold, None).map_err(|_| Unlaunched::Nothing)?;
    }
    let confirmed = accompany(&birth, request, None, group.as_mut(), &mut hold);
    let mut confirmed = match (confirmed, birth.failed.get()) {
        (Ok(confirmed), _) => confirmed,
        (Err(_), true) => return Err(Unlaunched::Nothing),
        (Err(refusal), false) => return Err(refusal.into()),
    };
    confirmed.layers.on_standing_root(worker.renewed);
    Ok(confirmed.launched(birth, begun.clocks, group, None)?)
}

/// The worker's first word about a run.
fn born(worker: &Arc<Worker>, told: OwnedFd, status: &OwnedFd) -> Result<clone::Born, Unlaunched> {
    let mut buffer = [0; FRAME_BYTES];
    let (bytes, mut fds) =
        socket::receive_with(&told, &mut buffer).map_err(explain::parent("hear from a worker"))?;
    let frame = buffer.get(..bytes).and_then(Frame::decode);
    match (frame, fds.pop()) {
        (Some(Frame::Born { pid }), Some(pidfd)) => {
            let init = Init::of(Arc::clone(worker), told, pid, pidfd);
            Ok(clone::Born::new(init))
        }
        (Some(Frame::Failed { .. }), None) => Err(Unlaunched::Nothing),
        // What it did last nobody knows. A process executes nothing before it has said that
        // all is done: if it has not, and from here on cannot, it never will.
        _ => match socket::silence(status) {
            Ok(true) => Err(Unlaunched::Nothing),
            _ => Err(gone().into()),
        },
    }
}

fn gone() -> Refusal {
    Refusal::new("a worker is gone")
}
