//! Numbers turned into sentences: what failed, on which object, why, and what
//! would help. Looks at the machine only after a failure.

use crate::child;
use crate::escape::tick;
use crate::plan::{Op, Outside, Plan, Refusal};
use crate::policy::Network;
use crate::report::Layer;
use crate::step::Step;
use crate::sys::{Errno, process};
use std::path::Path;

/// For `map_err`: a call of the parent's that failed.
pub(super) fn parent(what: &'static str) -> impl Fn(Errno) -> Refusal {
    move |errno| {
        let refusal = Refusal::new(format!("cannot {what}: {}", errno.desc()));
        match errno {
            Errno::EMFILE | Errno::ENFILE => {
                refusal.hint("too many files are open: see `ulimit -n`")
            }
            Errno::EPERM | Errno::EACCES | Errno::ENOSYS => refusal.hint(FILTERED),
            _ => refusal,
        }
    }
}

/// What most often refuses a call that every kernel of the last years has.
const FILTERED: &str = "a system call filter or a security module around this process refuses the call (a container's profile, most often): run outside of it, or with a profile that allows it";

/// What a system call that is not there, or not allowed, most often means. The
/// calls are those of the step, with the newest kernel version they need.
fn unavailable(calls: &str, since: &str, errno: Errno) -> Option<String> {
    match errno {
        Errno::ENOSYS => Some(format!(
            "needs {calls} (Linux {since}); on such a kernel a system call filter around this process refuses it (a container's profile, most often): run outside of it, or with a profile that allows it"
        )),
        Errno::EPERM | Errno::EACCES => Some(known_switch().unwrap_or_else(|| {
            format!(
                "a system call filter or a security module around this process refuses {calls} (a container's profile, most often): run outside of it, or with a profile that allows it"
            )
        })),
        Errno::ENOSPC | Errno::EUSERS => Some(String::from(NAMESPACE_LIMIT)),
        Errno::EMFILE | Errno::ENFILE => {
            Some(String::from("too many files are open: see `ulimit -n`"))
        }
        _ => None,
    }
}

/// The calls of a step, and the kernel version that has them all.
fn calls(step: Step, item: usize) -> (&'static str, &'static str) {
    match (step, item) {
        (_, child::ITEM_UNSAID) => ("write", "1.0"),
        (Step::Sanitize, 0) => ("close_range", "5.9"),
        (Step::Sanitize, _) => ("rt_sigaction, umask and dup2", "2.2"),
        (Step::Ids, item) if item >= child::ITEM_MAPS => ("openat2", "5.6"),
        (Step::Ids, 1) => ("setresuid and setresgid", "2.2"),
        (Step::Ids, 3) => ("unshare with CLONE_NEWTIME", "5.6"),
        (Step::Ids, 7) => ("setns with CLONE_NEWTIME", "5.6"),
        (Step::Mounts, _) => (
            "the mount calls fsopen, fsconfig, fsmount, open_tree, move_mount, mount_setattr, and openat2",
            "5.12",
        ),
        (Step::Root, _) => ("pivot_root, umount2 and chdir", "2.4"),
        (Step::Net, 0) => ("sethostname", "2.0"),
        (Step::Net, 1) => ("setdomainname", "2.0"),
        (Step::Net, 3) => ("recvmsg", "2.0"),
        (Step::Net, 4) => ("setns", "3.0"),
        (Step::Net, _) => ("socket and ioctl", "2.0"),
        (Step::Payload, 1) => ("clone", "2.2"),
        (Step::Payload, 2) => ("setsid", "2.0"),
        (Step::Payload, 3) => ("keyctl", "2.6"),
        (Step::Payload, 8) => ("signalfd4", "2.6.27"),
        (Step::Payload, 10) => ("umask", "2.0"),
        (Step::Payload, 12) => ("recvmsg", "2.0"),
        (Step::Payload, item) if item >= child::ITEM_PLACE => ("openat2 and sendmsg", "5.6"),
        (Step::Limits, item) if item < child::ITEM_MDWE => ("prlimit64", "2.6.36"),
        (Step::Caps, _) => (
            "capset, and prctl for securebits and capability sets",
            "4.3",
        ),
        (Step::Landlock, _) => ("landlock_add_rule and landlock_restrict_self", "5.13"),
        (Step::Verify, _) => ("prctl, capget, prlimit64, openat2 and getcwd", "5.6"),
        (Step::Seccomp, _) => ("seccomp, with CONFIG_SECCOMP_FILTER", "3.17"),
        (Step::Ids | Step::Payload | Step::Limits | Step::NoNewPrivs, _)
        | (Step::Cgroup | Step::Exec, _) => ("prctl and its like", "5.6"),
    }
}

const NAMESPACE_LIMIT: &str = "a limit in `/proc/sys/user/` is reached or 0: see `max_user_namespaces`, `max_net_namespaces` and their like there";

/// The namespaces themselves could not be made.
pub(super) fn namespaces(what: &str, errno: Errno) -> Refusal {
    let refusal = Refusal::new(format!("cannot create the {what}: {}", errno.desc()));
    match errno {
        Errno::ENOSPC | Errno::EUSERS => refusal.hint(NAMESPACE_LIMIT),
        Errno::EPERM | Errno::EACCES => refusal.hint(namespaces_forbidden()),
        Errno::ENOSYS => refusal.hint(
            "a system call filter around this process refuses clone3, setns or unshare (a container's seccomp profile, most often): run outside the container, or with a profile that allows user namespaces",
        ),
        Errno::EINVAL => refusal.hint("this kernel lacks one of the namespaces: see CONFIG_USER_NS and its like in its configuration"),
        Errno::EAGAIN => refusal.hint("the limit of processes of this user is reached: see `ulimit -u`"),
        _ => refusal,
    }
}

/// Which of the known switches forbids user namespaces here.
fn namespaces_forbidden() -> String {
    known_switch().unwrap_or_else(|| {
        String::from(
            "user namespaces are refused around this process: by a container's seccomp profile, a security module, or a chroot; run outside of it, or with a profile that allows them",
        )
    })
}

/// The switch of this machine that takes the power out of user namespaces.
fn known_switch() -> Option<String> {
    let is = |path: &str, value: &str| {
        std::fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
    };
    if is(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ) {
        Some(String::from(
            "AppArmor restricts unprivileged user namespaces here: install a profile for `sandbox` with the rule `userns,`, or set `kernel.apparmor_restrict_unprivileged_userns=0`",
        ))
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        Some(String::from(
            "set `kernel.unprivileged_userns_clone=1` (sysctl)",
        ))
    } else if is("/proc/sys/user/max_user_namespaces", "0") {
        Some(String::from(
            "set `user.max_user_namespaces` above 0 (sysctl)",
        ))
    } else {
        None
    }
}

/// What is in `/proc` of the new process could not be used.
pub(super) fn proc_failure(what: &str, errno: Errno) -> Refusal {
    let refusal = Refusal::new(format!("cannot {what}: {}", errno.desc()));
    match proc_hint(errno).or_else(|| unavailable("openat2", "5.6", errno)) {
        Some(hint) => refusal.hint(hint),
        None => refusal,
    }
}

/// What it most often means that a file of a process in `/proc` cannot be used.
fn proc_hint(errno: Errno) -> Option<String> {
    match errno {
        Errno::EPERM | Errno::EACCES => Some(known_switch().unwrap_or_else(|| {
            String::from(
                "user namespaces or openat2 are refused around this process: by a container's seccomp profile, a security module, or a chroot; run outside of it, or with a profile that allows them",
            )
        })),
        Errno::ENOENT => Some(String::from(
            "the new process is gone, or `/proc` is not mounted where `sandbox` runs",
        )),
        _ => None,
    }
}

/// A step inside failed.
pub(super) fn failure(step: Step, item: usize, errno: Errno, plan: &Plan) -> Refusal {
    if step == Step::Exec {
        return cannot_execute(item, errno, plan);
    }
    let (what, hint) = match step {
        _ if item == child::ITEM_UNSAID => (
            String::from("the new process cannot report to its parent"),
            None,
        ),
        Step::Sanitize => (sanitize(item).to_owned(), None),
        Step::Ids => ids(item, errno),
        Step::Mounts => mounts(item, errno, plan),
        Step::Root => (String::from("cannot make the new root the root"), None),
        Step::Net => net(item, plan),
        Step::Payload => payload(item, plan),
        Step::Limits => limits(item, plan),
        Step::Caps => (String::from("cannot drop the capabilities"), None),
        Step::NoNewPrivs => (String::from("cannot set no_new_privs"), None),
        Step::Landlock => landlock(item, plan),
        Step::Verify => {
            let question = child::QUESTIONS.get(item).unwrap_or(&"an unknown claim");
            (format!("the kernel does not confirm that {question}"), None)
        }
        Step::Seccomp => (String::from("cannot attach the system call filter"), None),
        Step::Cgroup | Step::Exec => (String::from("failed"), None),
    };
    let refusal = Refusal::new(format!(
        "{what}: {} (step {}, item {item})",
        errno.desc(),
        step.name()
    ));
    let (calls, since) = calls(step, item);
    match hint.or_else(|| unavailable(calls, since, errno)) {
        Some(hint) => refusal.hint(hint),
        None => refusal,
    }
}

type What = (String, Option<String>);

fn sanitize(item: usize) -> &'static str {
    match item {
        0 => "cannot close inherited descriptors",
        1 => "cannot reset what signals do",
        2 => "cannot set the umask",
        _ => "cannot give a descriptor its number",
    }
}

fn ids(item: usize, errno: Errno) -> What {
    if let Some(name) = item
        .checked_sub(child::ITEM_MAPS)
        .and_then(|position| ["setgroups", "gid_map", "uid_map"].get(position))
    {
        let what = format!("cannot map ids into the user namespace (`{name}`)");
        return (what, proc_hint(errno));
    }
    let what = match item {
        0 => "the parent went away before there was an id",
        1 => "cannot take the mapped ids",
        2 => "cannot become dumpable",
        3 => "cannot create the time namespace (Linux 5.6, CONFIG_TIME_NS)",
        4 | 5 => "cannot set the offsets of the time namespace",
        8 => "cannot ask to be ended with the parent",
        9 => "cannot make a cgroup namespace of its own",
        _ => "cannot enter the time namespace",
    };
    (what.to_owned(), None)
}

const MASKED_PROC: &str = "the kernel allows a new procfs only where the old one is not masked: inside a container, unmask `/proc` (podman: `--security-opt unmask=/proc/*`)";

fn mounts(item: usize, errno: Errno, plan: &Plan) -> What {
    if item == child::ITEM_WATCH {
        let what = "cannot mount the procfs in which pid 1 watches what the program uses";
        return (
            what.to_owned(),
            (errno == Errno::EPERM).then(|| MASKED_PROC.to_owned()),
        );
    }
    let Some(op) = plan.mounts.ops.get(item) else {
        return (String::from("cannot make the new root"), None);
    };
    match op {
        Op::Directory { at: path, .. } => {
            (format!("cannot make the directory {}", tick(path)), None)
        }
        Op::File { at: path, .. } => (format!("cannot make the file {}", tick(path)), None),
        Op::Symlink { at: path, .. } => (format!("cannot make the link {}", tick(path)), None),
        Op::Tmpfs { at: path, .. } => (format!("cannot mount tmpfs on {}", tick(path)), None),
        Op::Bind {
            at: path, source, ..
        } => {
            let hint = match errno {
                Errno::ESTALE => Some(String::from(
                    "it was replaced while the sandbox was being prepared: try again",
                )),
                Errno::ELOOP => Some(String::from(
                    "a directory on its path became a symbolic link while the sandbox was being prepared: try again",
                )),
                _ => None,
            };
            (
                format!("cannot mount {} on {}", tick(source), tick(path)),
                hint,
            )
        }
        Op::Pin { at: path, .. } => (format!("cannot pin {}", tick(path)), None),
        Op::Mask { at: path, .. } => (format!("cannot hide {}", tick(path)), None),
        Op::Cover { at: path, .. } => (format!("cannot cover {}", tick(path)), None),
        Op::Proc { at: path, .. } => (
            format!("cannot mount proc on {}", tick(path)),
            (errno == Errno::EPERM)
                .then(|| format!("{MASKED_PROC}, or drop `/proc` from `[files]`")),
        ),
        Op::Devpts { at: path } => (format!("cannot mount devpts on {}", tick(path)), None),
        Op::Seal { at: path } => (format!("cannot make {} read-only", tick(path)), None),
    }
}

fn net(item: usize, plan: &Plan) -> What {
    let what = match item {
        0 => format!("cannot set the host name {}", tick(&plan.hostname)),
        1 => String::from("cannot clear the domain name"),
        3 => String::from("the parent went away before there was a network namespace"),
        4 => String::from("cannot enter the network namespace"),
        _ => String::from("cannot bring up the loopback interface"),
    };
    (what, None)
}

fn payload(item: usize, plan: &Plan) -> What {
    if let Some(position) = item.checked_sub(child::ITEM_PLACE) {
        let root = plan.copies.roots.get(position).map(tick);
        let root = root.unwrap_or_default();
        return (format!("cannot give out {root} to copy files"), None);
    }
    match item {
        child::ITEM_COPIED => (
            String::from("the parent went away before the files were copied in"),
            None,
        ),
        0 => (String::from("cannot become undumpable"), None),
        1 => (String::from("cannot start the program's process"), None),
        2 => (String::from("cannot start a new session"), None),
        3 => (String::from("cannot make a new session keyring"), None),
        4 => (
            String::from("cannot make a terminal"),
            Some(String::from(
                "`--tty` needs `\"/dev\" = \"dev\"` in the policy",
            )),
        ),
        5 => (
            String::from("cannot set standard input, output and error"),
            None,
        ),
        6 => (
            String::from("cannot pass a descriptor named by `--fd`"),
            None,
        ),
        8 => (
            String::from("cannot watch for the end of the program's process"),
            None,
        ),
        9 => (String::from("cannot set no_new_privs for pid 1"), None),
        12 => (
            String::from("cannot take the program's streams and arguments"),
            None,
        ),
        10 => (String::from("cannot set the program's umask"), None),
        11 => (
            String::from("cannot count the processor time of what the program starts"),
            Some(String::from(
                "perf_event_open(2) worked a moment ago: see `kernel.perf_event_paranoid`",
            )),
        ),
        _ => (
            format!("cannot enter the working directory {}", tick(&plan.cwd)),
            Some(String::from(
                "no rule of the policy makes it visible, or it may not be searched: set `cwd`",
            )),
        ),
    }
}

fn limits(item: usize, plan: &Plan) -> What {
    let what = match plan.limits.rlimits.get(item) {
        Some(limit) => format!("cannot set the limit {}={}", limit.name, limit.soft),
        None if item == child::ITEM_MDWE => {
            String::from("cannot deny memory that is writable and executable")
        }
        None if item == child::ITEM_CPUS => String::from("cannot bind it to its processors"),
        None if item == child::ITEM_ASLR => String::from("cannot fix its addresses"),
        None if item == child::ITEM_CORE_SCHEDULING => {
            String::from("cannot take a core of its own")
        }
        None => String::from("cannot mitigate speculation"),
    };
    (what, None)
}

fn landlock(item: usize, plan: &Plan) -> What {
    let rule = plan
        .landlock
        .as_ref()
        .and_then(|landlock| landlock.rules.get(item));
    let what = match rule {
        Some((path, _)) => format!("cannot add the Landlock rule for {}", tick(path)),
        None => String::from("cannot enter the Landlock domain"),
    };
    (what, None)
}

/// execve failed for every candidate.
fn cannot_execute(item: usize, errno: Errno, plan: &Plan) -> Refusal {
    let name = tick(&plan.program.name);
    let refuse = |code, message: String| Refusal {
        message,
        hint: None,
        exit_code: code,
    };
    let by_path = plan.program.name.as_encoded_bytes().contains(&b'/');
    match errno {
        Errno::ENOENT if by_path => {
            let refusal = refuse(
                126,
                format!("cannot execute {name}: its interpreter does not exist in the sandbox"),
            );
            match plan.host_program.as_deref().and_then(interpreter) {
                Some(interpreter) => refusal.hint(format!(
                    "it asks for {}: install it, or make it visible with `--exec`",
                    tick(interpreter)
                )),
                None => refusal,
            }
        }
        Errno::ENOENT => refuse(
            127,
            format!(
                "program {name} not found in {}",
                plan.program
                    .candidates
                    .iter()
                    .filter_map(|path| path.parent())
                    .map(tick)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        )
        .hint("these are the directories of PATH inside the sandbox: name the program by its path, or set PATH with `--env`"),
        errno => {
            let path = plan
                .program
                .candidates
                .get(item)
                .map_or(name, tick);
            let refusal = refuse(
                126,
                format!("cannot execute {path}: {}", errno.desc()),
            );
            match errno {
                Errno::ENOEXEC => refusal.hint(
                    "it is no program for this machine; a script needs `#!` and its interpreter on the first line",
                ),
                Errno::EACCES => refusal.hint(
                    "the policy's rule for it must include `exec`, and its permission bits must let this user execute it",
                ),
                _ => refusal,
            }
        }
    }
}

/// The interpreter a script (`#!`) or dynamic program (PT_INTERP) asks for. Best
/// effort, for a hint.
fn interpreter(program: &Path) -> Option<String> {
    use std::io::Read;
    let mut head = Vec::new();
    let file = std::fs::File::open(program).ok()?;
    file.take(4096).read_to_end(&mut head).ok()?;
    interpreter_in(&head)
}

/// The same, from the first bytes of the program, which are foreign.
pub fn interpreter_in(head: &[u8]) -> Option<String> {
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next()?;
        let word = line
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .find(|word| !word.is_empty())?;
        return Some(String::from_utf8_lossy(word).into_owned());
    }
    if !head.starts_with(b"\x7fELF") {
        return None;
    }
    // The interpreter's path stands near the start of every linker's output.
    let start = head
        .windows(5)
        .position(|window| window == b"/lib/" || window == b"/lib6")?;
    let end = head[start..].iter().position(|byte| *byte == 0)? + start;
    Some(String::from_utf8_lossy(&head[start..end]).into_owned())
}

/// The ids as the parent wrote them.
pub(super) fn ids_layer(plan: &Plan, claimed: Option<u32>) -> Layer {
    let (uid, gid, groups) = match (plan.ids.outside, claimed) {
        (Outside::Caller { uid, gid }, _) => (uid, gid, kept_groups(gid)),
        (Outside::Range { .. }, claimed) => {
            let id = claimed.unwrap_or_default();
            (id, id, String::new())
        }
    };
    Layer {
        step: Step::Ids.name(),
        detail: format!(
            "uid {} is {uid} on the host, gid {} is {gid}; setgroups denied{groups}; time starts at 0",
            plan.ids.uid, plan.ids.gid
        ),
    }
}

/// The caller's supplementary groups, which an unprivileged process cannot drop
/// (user_namespaces(7)): what they may read in visible trees, the program may.
fn kept_groups(own: u32) -> String {
    let groups: Vec<String> = process::groups()
        .unwrap_or_default()
        .iter()
        .filter(|group| **group != own)
        .map(ToString::to_string)
        .collect();
    match groups.is_empty() {
        true => String::new(),
        false => format!(", so host groups {} stay", groups.join(" ")),
    }
}

/// The group, in its words, where there is one.
pub(super) fn cgroup_layer(group: Option<&str>) -> Layer {
    let namespace_only = "a namespace of its own; no group, no controller";
    Layer {
        step: Step::Cgroup.name(),
        detail: String::from(group.unwrap_or(namespace_only)),
    }
}

/// A confirmed step in words.
pub(super) fn layer(step: Step, item: u32, plan: &Plan) -> Layer {
    let detail = match step {
        Step::Sanitize => String::from("signals blocked, descriptors closed but those named"),
        Step::Mounts => format!("{item} operations on a root of its own"),
        Step::Root => String::from("old root detached, new root read-only"),
        Step::Net => match plan.network {
            Network::None => String::from("namespace of its own, nothing up"),
            Network::Loopback => String::from("namespace of its own, loopback up"),
            Network::Host => String::from("the host's network (weakened)"),
        },
        Step::Payload => {
            String::from("pid 1 keeps its parent and nothing else; new session, new keyring")
        }
        Step::Limits => format!("{item} resource limits"),
        Step::Caps => String::from("all five sets empty, securebits locked"),
        Step::NoNewPrivs => String::from("set"),
        Step::Landlock => match &plan.landlock {
            Some(landlock) => format!("ABI {}, {item} rules", landlock.abi),
            None => String::from("not in force (weakened)"),
        },
        Step::Verify => format!("{} answers as planned", child::QUESTIONS.len()),
        Step::Seccomp => format!("{item} instructions"),
        Step::Exec => String::from("executed"),
        Step::Cgroup | Step::Ids => String::new(),
    };
    Layer {
        step: step.name(),
        detail,
    }
}
