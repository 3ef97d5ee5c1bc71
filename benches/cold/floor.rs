//! A plan in the form that `floor.c` reads.
//!
//! It decides nothing: what the floor cannot do is an error, so that no figure of a
//! floor stands for fewer layers than its plan has.

use sandbox::plan::{MountAttributes, Op, Plan};
use sandbox::policy::Network;
use std::error::Error;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The kinds of records, in the order of `enum kind` of floor.c.
#[derive(Clone, Copy)]
enum Kind {
    End,
    UidMap,
    GidMap,
    Hostname,
    Root,
    Directory,
    Regular,
    Symlink,
    Tmpfs,
    Proc,
    Devpts,
    Bind,
    Remove,
    Seal,
    Pivot,
    NoCaps,
    Split,
    Session,
    Cwd,
    Rlimit,
    Prctl,
    Ruleset,
    Rule,
    Confine,
    Filter,
    Variable,
    Argument,
}

/// MOUNT_ATTR_RDONLY, and the flag of mount(2), which has the same number; so the next.
const RDONLY: u64 = 1;
const NOSUID: u64 = 2;
const NODEV: u64 = 4;
const NOEXEC: u64 = 8;
/// What masks and covers are made of, while the root is built.
const BLANK_DIRECTORY: &str = ".blank-directory";
const BLANK_FILE: &str = ".blank-file";
const COVER: &str = ".cover";
const SECUREBITS: u64 = 0b1110_1111;
const PR_SET_SPECULATION_CTRL: u64 = 53;
const PR_SPEC_FORCE_DISABLE: u64 = 8;
const PR_SET_MDWE: u64 = 65;

/// The records of a plan, of one that runs as the caller's uid and gid. With `apart`
/// pid 1 is a process of its own, that reaps and ends with the program.
pub fn encode(plan: &Plan, apart: bool) -> Result<Vec<u8>, Box<dyn Error>> {
    let attributes = &plan.attributes;
    if plan.tty
        || plan.network != Network::None
        || plan.seccomp.listening.is_some()
        || !plan.cpus.is_empty()
        || attributes.core_scheduling
        || !attributes.aslr
    {
        return Err("the plan has a layer that the floor has not".into());
    }
    let mut records = Records(Vec::new());
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    records.text(Kind::UidMap, 0, &format!("{} {uid} 1\n", plan.ids.uid));
    records.text(Kind::GidMap, 0, &format!("{} {gid} 1\n", plan.ids.gid));
    records.text(Kind::Hostname, 0, &plan.hostname);
    mounts(&mut records, plan)?;
    records.text(Kind::NoCaps, SECUREBITS, "");
    if apart {
        records.text(Kind::Split, 0, "");
    }
    records.text(Kind::Session, 0, "");
    records.text(Kind::Cwd, 0, text(&plan.cwd)?);
    for limit in &plan.limits.rlimits {
        let resource = u64::from(limit.resource);
        records.bytes(
            Kind::Rlimit,
            resource,
            limit.soft,
            &limit.hard.to_ne_bytes(),
        );
    }
    for (control, wanted) in attributes.speculation.iter().enumerate() {
        if *wanted {
            let answer = PR_SPEC_FORCE_DISABLE.to_ne_bytes();
            records.bytes(
                Kind::Prctl,
                PR_SET_SPECULATION_CTRL,
                control as u64,
                &answer,
            );
        }
    }
    if attributes.mdwe {
        records.bytes(Kind::Prctl, PR_SET_MDWE, 1, &[0; 8]);
    }
    if let Some(landlock) = &plan.landlock {
        let scoped = landlock.scoped.to_ne_bytes();
        let (fs, net) = (landlock.handled_fs, landlock.handled_net);
        records.bytes(Kind::Ruleset, fs, net, &scoped);
        for (path, rights) in &landlock.rules {
            records.text(Kind::Rule, *rights, text(path)?);
        }
    }
    // In front of the filter, so that nothing but exec comes after it.
    records.text(Kind::Confine, 0, "");
    for (name, value) in &plan.env {
        let variable = [name.as_bytes(), b"=", value.as_bytes()].concat();
        records.text(Kind::Variable, 0, std::str::from_utf8(&variable)?);
    }
    let program = plan.program.candidates.first().ok_or("no program")?;
    records.text(Kind::Argument, 0, text(program)?);
    for argument in &plan.program.args {
        records.text(Kind::Argument, 0, text(Path::new(argument))?);
    }
    let filter: Vec<u8> = plan.seccomp.program.iter().flat_map(instruction).collect();
    let instructions = plan.seccomp.program.len() as u64;
    records.bytes(Kind::Filter, 0, instructions, &filter);
    records.text(Kind::End, 0, "");
    Ok(records.0)
}

fn mounts(records: &mut Records, plan: &Plan) -> Result<(), Box<dyn Error>> {
    let root = &plan.mounts;
    let options = tmpfs(root.root_bytes, root.root_inodes, 0o755);
    records.text(Kind::Root, NOSUID | NODEV | NOEXEC, &options);
    let masks = root.ops.iter().any(|op| matches!(op, Op::Mask { .. }));
    if masks {
        records.text(Kind::Directory, 0, BLANK_DIRECTORY);
        records.text(Kind::Regular, 0, BLANK_FILE);
    }
    for (position, op) in root.ops.iter().enumerate() {
        // The last operation seals the root.
        if masks && position + 1 == root.ops.len() {
            records.text(Kind::Remove, libc::AT_REMOVEDIR as u64, BLANK_DIRECTORY);
            records.text(Kind::Remove, 0, BLANK_FILE);
        }
        operation(records, op)?;
    }
    records.text(Kind::Pivot, 0, "");
    Ok(())
}

fn operation(records: &mut Records, op: &Op) -> Result<(), Box<dyn Error>> {
    let at = inside(op.at())?;
    match op {
        Op::Directory { mode, .. } => records.text(Kind::Directory, u64::from(*mode), at),
        Op::File { text, mode, .. } => records.file(at, text, *mode),
        Op::Symlink { target, .. } => records.pair(Kind::Symlink, 0, text(target)?, at),
        Op::Tmpfs {
            bytes,
            inodes,
            mode,
            attributes,
            ..
        } => {
            let flags = NOSUID | NODEV | flags(attributes);
            records.pair(Kind::Tmpfs, flags, &tmpfs(*bytes, *inodes, *mode), at);
        }
        Op::Bind {
            source,
            attributes,
            device,
            ..
        } => {
            let nodev = if *device { 0 } else { NODEV };
            let flags = NOSUID | nodev | flags(attributes);
            records.pair(Kind::Bind, flags, text(source)?, at);
        }
        Op::Pin { attributes, .. } => {
            records.pair(Kind::Bind, NOSUID | NODEV | flags(attributes), at, at);
        }
        Op::Mask { directory, .. } => {
            let blank = if *directory {
                BLANK_DIRECTORY
            } else {
                BLANK_FILE
            };
            records.pair(Kind::Bind, RDONLY | NOSUID | NODEV | NOEXEC, blank, at);
        }
        Op::Cover { text, .. } => {
            records.file(COVER, text, 0o444);
            records.pair(Kind::Bind, RDONLY | NOSUID | NODEV | NOEXEC, COVER, at);
            records.text(Kind::Remove, 0, COVER);
        }
        Op::Proc { only_pids, .. } => {
            let subset = if *only_pids { ",subset=pid" } else { "" };
            let options = format!("hidepid=invisible{subset}");
            records.pair(Kind::Proc, RDONLY | NOSUID | NODEV | NOEXEC, &options, at);
        }
        Op::Devpts { .. } => {
            let options = "ptmxmode=666,mode=620";
            records.pair(Kind::Devpts, NOSUID | NOEXEC, options, at);
        }
        Op::Seal { .. } => records.text(Kind::Seal, 0, at),
    }
    Ok(())
}

/// `struct sock_filter` of linux/filter.h, as bytes.
pub fn instruction(filter: &seccompiler::sock_filter) -> Vec<u8> {
    let mut bytes = filter.code.to_ne_bytes().to_vec();
    bytes.extend([filter.jt, filter.jf]);
    bytes.extend(filter.k.to_ne_bytes());
    bytes
}

fn tmpfs(bytes: u64, inodes: u64, mode: u32) -> String {
    format!("size={bytes},nr_inodes={inodes},mode={mode:o}")
}

fn flags(attributes: &MountAttributes) -> u64 {
    let read_only = if attributes.read_only { RDONLY } else { 0 };
    let no_exec = if attributes.no_exec { NOEXEC } else { 0 };
    read_only | no_exec
}

/// An inside path, relative to the new root.
fn inside(path: &Path) -> Result<&str, Box<dyn Error>> {
    Ok(match text(path.strip_prefix("/")?)? {
        "" => ".",
        relative => relative,
    })
}

fn text(path: &Path) -> Result<&str, Box<dyn Error>> {
    path.to_str()
        .ok_or_else(|| "a path is not UTF-8".to_owned().into())
}

struct Records(Vec<u8>);

impl Records {
    /// `struct record` of floor.c.
    fn bytes(&mut self, kind: Kind, a: u64, b: u64, content: &[u8]) {
        const HEAD: usize = 4 + 4 + 8 + 8;
        let size = (HEAD + content.len()).next_multiple_of(8);
        let end = self.0.len() + size;
        self.0.extend((kind as u32).to_ne_bytes());
        self.0.extend((size as u32).to_ne_bytes());
        self.0.extend(a.to_ne_bytes());
        self.0.extend(b.to_ne_bytes());
        self.0.extend(content);
        self.0.resize(end, 0);
    }

    fn text(&mut self, kind: Kind, a: u64, text: &str) {
        self.bytes(kind, a, 0, &[text.as_bytes(), b"\0"].concat());
    }

    fn pair(&mut self, kind: Kind, a: u64, first: &str, second: &str) {
        let content = [first.as_bytes(), b"\0", second.as_bytes(), b"\0"].concat();
        self.bytes(kind, a, 0, &content);
    }

    fn file(&mut self, at: &str, text: &[u8], mode: u32) {
        let content = [at.as_bytes(), b"\0", text].concat();
        self.bytes(Kind::Regular, u64::from(mode), text.len() as u64, &content);
    }
}
