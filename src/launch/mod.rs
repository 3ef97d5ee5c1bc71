//! `Plan` → a running program: everything before the clone, and the parent's side
//! of it until the program is executed.
//!
//! The parent trusts nothing the child sends: fixed frames, a bounded number of
//! them, in the one possible order; silence is failure.

mod renewed;
pub(crate) mod recipe;
pub(crate) mod image;
pub(crate) mod as_root;
mod network;
pub(crate) mod clone;
pub(crate) mod init;
pub(crate) mod order;
pub(crate) mod warm;
pub(crate) mod group;
pub(crate) mod explain;
pub(crate) mod files;
pub(crate) mod hold;
pub(crate) mod progress;
pub(crate) mod layers;

use crate::cgroup::Home;
use crate::plan::{Outside, Plan, Refusal};
use crate::step::Step;
use crate::sys::clone::own_pidfd;
use crate::sys::{fd, landlock, process, socket, tty};
use crate::wire::{FRAME_BYTES, Frame, MESSAGE_ROOM};
use files::{Arrival, Held};
use group::Group;
use hold::{FrontEnd, Hold};
use image::{Clocks, Descriptors, Image, Particulars, Provisions};
use init::Init;
use layers::Layers;
use progress::Progress;
use recipe::Recipe;
use std::cell::Cell;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// What a launch needs beyond the plan.
pub(crate) struct Request<'a> {
    /// What will be done.
    pub(crate) plan: &'a Plan,
    /// Descriptors that become 0, 1 and 2, all numbered 3 or higher.
    pub(crate) stdio: [RawFd; 3],
    /// Descriptors that survive under their own number.
    pub(crate) keep: Vec<RawFd>,
    /// A pty of its own, with this initial size.
    pub(crate) terminal: Option<libc::winsize>,
    /// Where control groups can be made.
    pub(crate) home: Option<&'a Home>,
    /// What is copied in before the start.
    pub(crate) arrivals: &'a [Arrival<'a>],
    /// Signals that the calling thread holds, for good, once the program is executed.
    pub(crate) hold: Option<FrontEnd>,
}

/// A program that runs, every layer in force.
pub(crate) struct Launched {
    /// pid 1 of the sandbox.
    pub(crate) init: Init,
    /// Frames to and from pid 1; closing it ends the sandbox.
    pub(crate) control: OwnedFd,
    /// CLOCK_MONOTONIC at exec.
    pub(crate) started_ns: u64,
    /// By how much CLOCK_MONOTONIC inside is behind.
    pub(crate) clock_behind_ns: u64,
    /// Every step as confirmed.
    pub(crate) layers: Layers,
    /// The pty's other end.
    pub(crate) master: Option<OwnedFd>,
    /// The run's own control group.
    pub(crate) group: Option<Group>,
    /// What files are copied out through.
    pub(crate) held: Option<Held>,
    /// The host id of a run by root, taken until everything inside is gone.
    pub(crate) host_id: Option<as_root::Identity>,
}

/// What the parent holds while the child prepares.
struct Birth<'r> {
    born: clone::Born,
    control: OwnedFd,
    status: OwnedFd,
    /// The program's arguments, where a worker launches: they go there with its streams
    /// when everything else is there.
    last_word: Option<&'r [u8]>,
    /// It said that it could not go on, or nothing at all, and so has executed nothing.
    failed: Cell<bool>,
}

/// Launches the plan. On an error the program was not executed and nothing is
/// left.
pub(crate) fn launch(request: &Request<'_>) -> Result<Launched, Refusal> {
    let plan = request.plan;
    // The first, and so dropped last: a signal that ends this process ends it when nothing
    // of the launch is left.
    let mut hold = None;
    let (status, child_status) = socket::pair().map_err(explain::parent("make a socket"))?;
    let (control, child_control) = socket::pair().map_err(explain::parent("make a socket"))?;
    // Not under the number of a standard stream: the program's process, which shares
    // the table of pid 1 until exec, puts its own there.
    let own = own_pidfd()
        .and_then(fd::above_stdio)
        .map_err(explain::parent("open a pidfd of this process"))?;
    let ruleset = make_ruleset(plan)?;
    allow_held(ruleset.as_ref(), request);
    let identity = match plan.ids.outside {
        Outside::Caller { .. } => None,
        Outside::Range { first, last } => Some(as_root::Identity::claim(first, last)?),
    };
    let trees = match &identity {
        None => Vec::new(),
        Some(identity) => identity.clone_trees(plan)?,
    };
    let mut group = Group::make(request.home, plan)?;
    let nul = |text| {
        Refusal::new(format!(
            "an argument or variable contains a NUL byte: {}",
            crate::escape::tick(text)
        ))
    };
    let tree = |(position, tree): &(usize, OwnedFd)| (*position, tree.as_raw_fd());
    let tree_fds: Vec<_> = trees.iter().map(tree).collect();
    let recipe = Recipe::new(plan, &tree_fds).map_err(nul)?;
    let args = recipe::c_strings(&plan.program.args).map_err(nul)?;
    let provisions = Provisions::with(&recipe, args);
    let clocks = Clocks::now();
    let particulars = Particulars {
        keep: plan.descriptors.clone(),
        roots: recipe::c_strings(&plan.copies.roots).map_err(nul)?,
        terminal: request.terminal,
        standing: None,
        outside: outside(plan, identity.as_ref())?,
        clocks,
    };
    let image = Image::prepare(
        &recipe,
        &provisions,
        &Descriptors {
            status: child_status.as_raw_fd(),
            control: child_control.as_raw_fd(),
            parent: own.as_raw_fd(),
            stdio: Some(request.stdio),
            keep: kept(request),
            ruleset: ruleset.as_ref().map(AsRawFd::as_raw_fd),
            cpu_stat: group.as_ref().map(Group::cpu_stat),
            memory_current: group.as_ref().and_then(Group::current),
            others: tree_fds.into_iter().map(|(_, tree)| tree).collect(),
        },
        particulars,
    );
    let flags = namespaces(group.is_some());
    let born = match &identity {
        None => clone::launcher(&image, flags, group.as_ref().map(Group::fd)),
        // With other ids it may not be put into a group of ours.
        Some(identity) => identity.during(|| clone::launcher(&image, flags, None)),
    }
    .map_err(|errno| {
        let all = "user, mount, pid, ipc, uts and cgroup namespaces";
        explain::namespaces(all, errno)
    })?;
    drop((own, ruleset, trees));
    let birth = Birth {
        born,
        control,
        status,
        last_word: None,
        failed: Cell::new(false),
    };
    // On an error `born` is dropped: nothing may go on half prepared.
    leave_to_child([child_status, child_control])?;
    if let (Some(group), Some(_)) = (&group, &identity) {
        group.adopt(birth.born.pid())?;
    }
    set_going(&birth, request, &provisions, &mut hold)
        .map_err(|refusal| last_words(&birth, plan).unwrap_or(refusal))?;
    let confirmed = accompany(
        &birth,
        request,
        identity.as_ref(),
        group.as_mut(),
        &mut hold,
    )?;
    confirmed.launched(birth, clocks, group, identity)
}

/// The descriptors to keep, each once and ascending, as the plan's are.
fn kept(request: &Request<'_>) -> Vec<RawFd> {
    let mut keep = request.keep.clone();
    keep.sort_unstable();
    keep.dedup();
    keep
}

/// Every namespace at once but two: the time namespace is entered later, because its offsets
/// come first, and so is that of the network ([`network`]).
pub(crate) fn namespaces(own_group: bool) -> libc::c_int {
    let mut flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS;
    // Its root would be this process's group; in a group of its own the child makes
    // the namespace itself.
    if !own_group {
        flags |= libc::CLONE_NEWCGROUP;
    }
    flags
}

/// uid and gid on the host, which are mapped.
fn outside(plan: &Plan, identity: Option<&as_root::Identity>) -> Result<(u32, u32), Refusal> {
    match (plan.ids.outside, identity) {
        (Outside::Caller { uid, gid }, _) => Ok((uid, gid)),
        (Outside::Range { .. }, Some(identity)) => Ok((identity.uid(), identity.uid())),
        (Outside::Range { .. }, None) => {
            Err(Refusal::new("no host id was claimed for a run by root"))
        }
    }
}

/// The two words that every cold launch waits for: that pid 1 may begin, and that it may leave
/// what is in its network behind, or go on without. Between them it builds the root, and the
/// network is made here.
fn set_going(
    birth: &Birth<'_>,
    request: &Request<'_>,
    provisions: &Provisions,
    hold: &mut Option<Hold>,
) -> Result<(), Refusal> {
    let plan = request.plan;
    let owner = network::owner(birth.born.pid(), plan)?;
    go(birth, None)?;
    let for_good = plan.copies.roots.is_empty();
    if for_good {
        // Before the wait for the network, which is pid 1's time: after it, it would be
        // this process that pid 1 waits for, if they have one processor.
        begin_hold(request, hold)?;
    }
    let network = network::make(owner.as_ref(), &provisions.stack)?;
    match for_good {
        false => go(birth, network.as_ref()),
        true => go_for_good(birth, request, hold, network.as_ref()),
    }
}

/// The ruleset, so far without a rule.
fn make_ruleset(plan: &Plan) -> Result<Option<OwnedFd>, Refusal> {
    let Some(domain) = &plan.landlock else {
        return Ok(None);
    };
    landlock::create_ruleset(domain.handled_fs, domain.handled_net, domain.scoped)
        .and_then(fd::above_stdio)
        .map(Some)
        .map_err(explain::parent("make a Landlock ruleset"))
}

/// Rules for what the program holds open anyway: `/dev/stderr` is a link to the descriptor,
/// and opening it is opening the file again.
fn allow_held(ruleset: Option<&OwnedFd>, request: &Request<'_>) {
    let (Some(ruleset), Some(domain)) = (ruleset, &request.plan.landlock) else {
        return;
    };
    // A terminal of the program's own takes the place of the three.
    let stdio = request.stdio.iter().filter(|_| request.terminal.is_none());
    for held in stdio.chain(&request.keep) {
        let again = fd::reopenable(*held).unwrap_or_default();
        let rights = crate::plan::landlock::held(again) & domain.handled_fs;
        if rights != 0 {
            // Without this rule the program can do less, so its failure is none of
            // the run: a memfd takes no rule, and where the kernel knows no rules
            // the child's own, which are needed, say so.
            let _ = landlock::add_rule(ruleset.as_raw_fd(), *held, rights);
        }
    }
}

/// What a launch has come to at exec.
struct Confirmed {
    started_ns: u64,
    layers: Layers,
    master: Option<OwnedFd>,
    held: Option<Held>,
}

impl Confirmed {
    /// The program runs.
    fn launched(
        self,
        birth: Birth<'_>,
        clocks: Clocks,
        group: Option<Group>,
        host_id: Option<as_root::Identity>,
    ) -> Result<Launched, Refusal> {
        let gone = || Refusal::new("the new process is gone");
        Ok(Launched {
            init: birth.born.keep().ok_or_else(gone)?,
            control: birth.control,
            started_ns: self.started_ns,
            clock_behind_ns: clocks.behind_ns(),
            layers: self.layers,
            master: self.master,
            held: self.held,
            group,
            host_id,
        })
    }
}

/// To exec: every frame until end of file.
fn accompany(
    birth: &Birth<'_>,
    request: &Request<'_>,
    identity: Option<&as_root::Identity>,
    mut group: Option<&mut Group>,
    hold: &mut Option<Hold>,
) -> Result<Confirmed, Refusal> {
    let plan = request.plan;
    let copies = !plan.copies.roots.is_empty();
    let mut progress = Progress::new(plan);
    let mut layers = Layers::begin();
    let mut held = None;
    let mut said = false;
    // A memory limit is set anew when the program's process has said what it used.
    let mut unlimited = group
        .as_ref()
        .is_some_and(|group| group.current().is_some());
    loop {
        let mut buffer = [0; MESSAGE_ROOM];
        // What needs no answer wakes nobody before exec: this process would take the place
        // of the one that goes on, most often on its processor.
        let asked = (copies && held.is_none()) || unlimited;
        let events = if asked { libc::POLLIN } else { 0 };
        let heard = match hold.as_mut() {
            Some(hold) => hold.wait(&birth.status, events, progress.is_exec_next()),
            None if asked => Ok(true),
            None => socket::wait_for_end(&birth.status).map(|()| true),
        };
        if !heard.map_err(explain::parent("hear from the new process"))? {
            return Err(Refusal::new(
                "a signal came before the program was executed",
            ));
        }
        let bytes = socket::receive(birth.status.as_raw_fd(), &mut buffer, true)
            .map_err(explain::parent("hear from the new process"))?;
        if bytes == 0 {
            if !said {
                // Before it executes anything it says that all is done.
                birth.failed.set(true);
            }
            break;
        }
        said = true;
        let message = buffer.get(..bytes).unwrap_or_default();
        for frame in message.chunks(FRAME_BYTES) {
            let failed = matches!(Frame::decode(frame), Some(Frame::Failed { .. }));
            birth.failed.set(failed);
            layers.push(progress.hear(frame)?);
            match (Frame::decode(frame), group.as_deref_mut()) {
                (Some(Frame::Done { step, .. }), _) if step == Step::Caps && copies => {
                    held = Some(copy_in(birth, request, identity, hold)?);
                }
                (
                    Some(Frame::Done {
                        step: Step::Verify,
                        item,
                    }),
                    Some(group),
                ) => {
                    group.begin(item)?;
                    unlimited = false;
                }
                _ => {}
            }
        }
    }
    let executed = progress.end()?;
    let started_ns = process::monotonic_ns();
    layers.push(executed);
    let master = receive_master(birth, plan)?;
    Ok(Confirmed {
        started_ns,
        layers,
        master,
        held,
    })
}

/// Its ends of the sockets: a copy here would keep them open after it is gone.
fn leave_to_child(ends: [OwnedFd; 2]) -> Result<(), Refusal> {
    ends.into_iter()
        .try_for_each(fd::let_go)
        .map_err(explain::parent("close the new process's end of a socket"))
}

/// The new process waits for this, and for what it is to get with it.
fn go(birth: &Birth<'_>, with: Option<&OwnedFd>) -> Result<(), Refusal> {
    let fds = with.map(AsRawFd::as_raw_fd);
    socket::send_with(&birth.control, &Frame::Go.encode(), fds.as_slice())
        .map_err(explain::parent("speak to the new process"))
}

/// As [`go`], and it waits for nothing more: from here on the program may be executed at
/// any moment, and a signal be for it.
fn go_for_good(
    birth: &Birth<'_>,
    request: &Request<'_>,
    hold: &mut Option<Hold>,
    with: Option<&OwnedFd>,
) -> Result<(), Refusal> {
    begin_hold(request, hold)?;
    if birth.last_word.is_none() || !request.plan.copies.roots.is_empty() {
        go(birth, with)?;
    }
    match birth.last_word {
        None => Ok(()),
        Some(arguments) => socket::send_with(&birth.control, arguments, &request.stdio)
            .map_err(explain::parent("speak to the new process")),
    }
}

/// From here on signals are the program's, if it comes to one.
fn begin_hold(request: &Request<'_>, hold: &mut Option<Hold>) -> Result<(), Refusal> {
    if let (Some(signals), None) = (request.hold, &hold) {
        let begun = Hold::begin(signals).map_err(explain::parent("hold signals (signalfd4)"));
        *hold = Some(begun?);
    }
    Ok(())
}

/// Files in, while pid 1 waits for the word to go on.
fn copy_in(
    birth: &Birth<'_>,
    request: &Request<'_>,
    identity: Option<&as_root::Identity>,
    hold: &mut Option<Hold>,
) -> Result<Held, Refusal> {
    let (plan, pid) = (request.plan, birth.born.pid());
    files::bring_in(pid, &birth.control, plan, request.arrivals, identity)
        .and_then(|held| go_for_good(birth, request, hold, None).map(|()| held))
        .map_err(|refusal| last_words(birth, plan).unwrap_or(refusal))
}

/// Why the new process ended before it could be told everything, when it did and said so:
/// that it is gone is only what follows from it.
fn last_words(birth: &Birth<'_>, plan: &Plan) -> Option<Refusal> {
    let mut buffer = [0; MESSAGE_ROOM];
    loop {
        // What it had done is said in other messages before.
        let bytes = socket::receive(birth.status.as_raw_fd(), &mut buffer, false).ok()?;
        let message = buffer.get(..bytes).filter(|message| !message.is_empty())?;
        let frame = Frame::decode(message);
        if let Some(refusal) = frame.and_then(|frame| progress::failure(frame, plan)) {
            return Some(refusal);
        }
    }
}

/// The pty's other end, which came before the program was executed.
fn receive_master(birth: &Birth<'_>, plan: &Plan) -> Result<Option<OwnedFd>, Refusal> {
    if !plan.tty {
        return Ok(None);
    }
    let master = socket::receive_descriptor(&birth.control)
        .map_err(explain::parent("receive the terminal"))?
        .filter(|master| tty::is_master(master.as_raw_fd()));
    match master {
        Some(master) => Ok(Some(master)),
        None => Err(Refusal::new("the new process sent no terminal")),
    }
}
