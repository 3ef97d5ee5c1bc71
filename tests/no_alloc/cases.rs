//! Launches that between them go through every step and every way to fail in one.
//! It must not count on a set-up that fails being refused at a certain place, only on its being refused.

use sandbox::policy::{Access, Content, Context, FileRule, InsidePath, Policy};
use sandbox::report::Verdict;
use sandbox::{Command, Sandbox, Stdio};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

/// Its name, and the launch; says what was wrong.
pub type Case = (&'static str, fn() -> Result<(), String>);

pub const CASES: &[Case] = &[
    ("strict", || ends(shell("strict", |_| {}, "exit 3"), 3)),
    ("agent", || {
        ends(shell("agent", mask, "test -e hidden/secret"), 1)
    }),
    ("counted output", || {
        let limited = |policy: &mut Policy| policy.limits.output = Some((1 << 20).into());
        ends(shell("strict", limited, "echo $$; exit 4"), 4)
    }),
    ("loopback", || {
        let network = |policy: &mut Policy| policy.set_network("loopback").unwrap();
        ends(shell("strict", network, "exit 5"), 5)
    }),
    ("a terminal", || {
        let mut command = shell("strict", |_| {}, "test -t 0 && exit 6");
        ends(command.tty(true).take(), 6)
    }),
    ("a descriptor", || {
        use std::os::fd::AsRawFd;
        let (_reader, writer) = std::io::pipe().unwrap();
        let number = writer.as_raw_fd();
        let mut command = shell(
            "strict",
            |_| {},
            &format!("test -e /proc/self/fd/{number} && exit 7"),
        );
        ends(command.fd(number).take(), 7)
    }),
    ("files in and out", || {
        use sandbox::transfer::{In, Out};
        use sandbox::{CopyIn, CopyOut};
        let mut command = shell("strict", |_| {}, "test -e /tmp/x && exit 9");
        command.copy_in("/tmp/x", CopyIn::Bytes(b"x".to_vec()), In::default());
        command.copy_out("/tmp/x", CopyOut::Memory, Out::default());
        ends(command, 9)
    }),
    ("files for which there is no place", || {
        use sandbox::CopyIn;
        use sandbox::transfer::In;
        let mut command = shell("strict", |_| {}, "exit 0");
        command.copy_in("/tmp/x/y", CopyIn::Bytes(b"x".to_vec()), In::default());
        command.copy_in("/tmp/x", CopyIn::Bytes(b"x".to_vec()), In::default());
        refused(command)
    }),
    ("the wall-time limit", || {
        let limit = |policy: &mut Policy| policy.limits.wall_time = Some(Duration::from_millis(20));
        let report = spawn(shell("strict", limit, "exec sleep 600"))?.wait();
        match report.map_err(|error| error.to_string())?.verdict {
            Verdict::WallTime => Ok(()),
            verdict => Err(format!("{verdict:?}")),
        }
    }),
    ("signals", || {
        let child = spawn(shell("strict", |_| {}, "exec sleep 600"))?;
        for signal in [libc::SIGSTOP, libc::SIGCONT, libc::SIGTERM] {
            child.signal(signal).map_err(|error| error.to_string())?;
        }
        match child.wait().map_err(|error| error.to_string())?.exit.signal {
            Some(15) => Ok(()),
            other => Err(format!("signal {other:?}")),
        }
    }),
    ("dropped", || {
        spawn(shell("strict", |_| {}, "exec sleep 600")).map(drop)
    }),
    ("no such program", || {
        refused(sandbox("strict", |_| {}).command("no-such-program"))
    }),
    ("no interpreter", || {
        refused(sandbox("agent", |_| {}).command("./no-interpreter"))
    }),
    ("no directory to be in", || {
        let cwd = |policy: &mut Policy| policy.process.cwd = Some(inside("/absent"));
        refused(shell("strict", cwd, "exit 0"))
    }),
    ("no terminal to be had", || {
        let no_dev = |policy: &mut Policy| {
            policy.files.remove(&inside("/dev"));
        };
        let mut command = shell("strict", no_dev, "exit 0");
        refused(command.tty(true).take())
    }),
    ("a root without room", || {
        // More directories than the root has inodes for is a plan of ours; a tmpfs
        // with one inode is the author's, and takes no mount point in it.
        let full = |policy: &mut Policy| {
            policy.files.insert(
                inside("/full"),
                rule(Content::Tmpfs {
                    bytes: 4096,
                    inodes: 1,
                }),
            );
            policy
                .files
                .insert(inside("/full/x"), rule(Content::Text(String::from("x"))));
        };
        refused(shell("strict", full, "exit 0"))
    }),
];

/// A source that comes and goes while the plan is made and carried out: an answer of
/// either kind is right.
pub fn vanishing() -> Result<(), String> {
    let source = |policy: &mut Policy| {
        let mut rule = rule(Content::Host(
            PathBuf::from("vanishing")
                .canonicalize()
                .unwrap_or("/vanished".into()),
        ));
        rule.access = Access::Read;
        policy.files.insert(inside("/source"), rule);
    };
    match spawn(shell("strict", source, "exit 8")) {
        Err(_) => Ok(()),
        Ok(child) => match child.wait().map_err(|error| error.to_string())?.exit.code {
            Some(8) => Ok(()),
            other => Err(format!("exit {other:?}")),
        },
    }
}

fn mask(policy: &mut Policy) {
    let context = Context::current();
    for path in ["hidden", "hidden-file"] {
        policy.hide(path, &context).unwrap();
    }
}

fn rule(content: Content) -> FileRule {
    FileRule {
        content,
        access: Access::Write,
        optional: false,
        git: false,
        follows: false,
        origin: String::from("a test"),
    }
}

fn inside(path: &str) -> InsidePath {
    InsidePath::new(path).unwrap()
}

fn sandbox(policy: &str, change: impl FnOnce(&mut Policy)) -> Sandbox {
    let mut policy = Policy::load(OsStr::new(policy), &Context::current()).unwrap();
    change(&mut policy);
    Sandbox::new(policy).unwrap()
}

fn shell(policy: &str, change: impl FnOnce(&mut Policy), script: &str) -> Command {
    let mut command = sandbox(policy, change).command("/bin/sh");
    command.arg("-c").arg(script);
    command.stdin(Stdio::Null).stdout(Stdio::Null);
    command
}

/// The command itself, at the end of a chain of setters.
trait Take {
    fn take(&mut self) -> Command;
}

impl Take for Command {
    fn take(&mut self) -> Command {
        std::mem::replace(self, sandbox("strict", |_| {}).command(""))
    }
}

fn spawn(mut command: Command) -> Result<sandbox::Child, String> {
    command.spawn().map_err(|error| error.to_string())
}

fn ends(command: Command, code: u8) -> Result<(), String> {
    let report = spawn(command)?.wait().map_err(|error| error.to_string())?;
    match (report.exit.code, report.killed_by) {
        (Some(got), None) if got == code => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// Refused with a reason: a process that was ended by the allocator gives none.
fn refused(mut command: Command) -> Result<(), String> {
    match command.spawn() {
        Ok(_) => Err(String::from("it was started")),
        Err(error) if error.to_string().contains("without a word") => Err(error.to_string()),
        Err(_) => Ok(()),
    }
}
