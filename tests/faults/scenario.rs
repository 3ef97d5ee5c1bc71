//! What is run while something fails: the options, the program, and what a healthy run of it is.
//! It must not depend on how fast anything is, but for the order of what it waits for.

use crate::support::{self, Scratch};
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

/// A run that is repeated with one fault after the other.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    /// Started by root, as root.
    pub by_root: bool,
    /// Launched by a worker, if one can be had.
    pub by_worker: bool,
    pub options: &'static [&'static str],
    pub script: &'static str,
    /// What is done to the front end while the program runs.
    pub act: fn(&mut Child, &Place),
    /// What is done to the front end, of this pid, while the program is about to be executed,
    /// and whether it is then.
    pub at_exec: fn(u32) -> bool,
    /// Only what happens after exec is made to fail; the rest another scenario has.
    pub after_exec: bool,
    pub code: i32,
    pub verdict: &'static str,
}

/// Prints what is in force, one fact in a line, by the shell's own words alone (a
/// program more would be a process more). The last line says that all was printed.
const PROBE: &str = r#"echo >mark
while read -r name value; do case $name in
    Seccomp*|NoNewPrivs:|Cap*|Uid:|Gid:|Groups:|Sig[BI]*|ShdPnd:) echo "$name $value";;
esac; done </proc/self/status
while read -r _ _ _ from at how rest; do
    case $from in *sandbox-test-*) from=scratch;; esac
    case $at in *sandbox-test-*) at=scratch;; esac
    echo "mount $from $at $how"
done </proc/self/mountinfo
while read -r line; do case $line in *:*) echo "net ${line%%:*}";; esac; done </proc/self/net/dev
for fd in /proc/self/fd/*; do echo "$fd"; done
for name in /* /etc/* /dev/*; do echo "$name"; done
for place in /root /home /sys /proc/1/mem /proc/sys "$SECRET"; do
    test -e "$place" && echo "there: $place"
done
command : 2>/dev/null >/etc/hostname || echo "read-only"
kill -0 1 2>/dev/null || echo "pid 1 closed"
umask; ulimit -a; echo "$HOME $PATH $-"; test -t 0 && echo "terminal"
echo "end"
"#;

/// As few things as possible, with the streams counted.
pub const SMALL: Scenario = Scenario {
    name: "small",
    by_root: false,
    by_worker: false,
    options: &["--output", "1MiB", "--wall-time", "60s"],
    script: PROBE,
    act: |_, _| {},
    at_exec: |_| true,
    after_exec: false,
    code: 0,
    verdict: "ok",
};

/// As many things as one run can have: a pty, loopback, masks, pins, git.
pub const LARGE: Scenario = Scenario {
    name: "large",
    options: &[
        "--policy",
        "agent",
        "--tty",
        "--network",
        "loopback",
        "--tmpfs",
        "/scratch:1MiB:99",
        "--hide",
        "WORK/hidden",
        "--hide",
        "WORK/hidden-file",
        "--read",
        "WORK/fixed",
    ],
    ..SMALL
};

/// A worker stands, builds a root and begins two runs: the one that is wanted and one that
/// nobody wants.
pub const WARM: Scenario = Scenario {
    name: "warm",
    by_worker: true,
    ..SMALL
};

/// Files in, which come out again over what is there already with the same content: a
/// directory that looks as before holds nothing unfinished.
pub const COPIES: Scenario = Scenario {
    name: "copies",
    options: &[
        "--copy-in",
        "WORK/copied:/tmp/in",
        "--copy-in",
        "WORK/.git:/tmp/tree",
        "--copy-out",
        "/tmp/in:WORK/copied",
        "--copy-out",
        "/tmp/tree/:WORK/copied-tree",
        "--copy-replace",
    ],
    ..SMALL
};

/// The same, written as somebody else.
pub const ROOT_COPIES: Scenario = Scenario {
    name: "copies by root",
    by_root: true,
    ..COPIES
};

/// Root becomes somebody else first, and maps the ids of what may be written.
pub const ROOT: Scenario = Scenario {
    name: "root",
    by_root: true,
    ..SMALL
};

/// The front end is sent signals, which go on to the program.
pub const SIGNALS: Scenario = Scenario {
    name: "signals",
    options: &[],
    script: "trap 'echo heard' USR1; trap 'echo over; exit 7' TERM; echo ready; while :; do :; done",
    act: |child, place| {
        place.until(child, "ready\n");
        until_blocked(child, libc::SIGUSR1);
        signal(child.id(), libc::SIGUSR1);
        place.until(child, "heard\n");
        signal(child.id(), libc::SIGTERM);
    },
    after_exec: true,
    code: 7,
    verdict: "exit",
    ..SMALL
};

/// The front end sleeps through exec, and is sent a signal meanwhile.
pub const ASLEEP: Scenario = Scenario {
    name: "a signal at exec",
    script: "trap 'echo over; exit 7' TERM; echo ready; while :; do :; done",
    at_exec: |front| {
        signal(front, libc::SIGSTOP);
        until_stopped(front);
        signal(front, libc::SIGTERM);
        true
    },
    act: |child, place| {
        place.until(child, "ready\n");
        signal(child.id(), libc::SIGCONT);
    },
    ..SIGNALS
};

/// The same signal, and nothing is executed any more.
pub const HANGS: Scenario = Scenario {
    name: "a signal before exec",
    options: &[],
    at_exec: |front| {
        signal(front, libc::SIGTERM);
        false
    },
    code: 128 + libc::SIGTERM,
    ..SMALL
};

/// pid 1 ends the run.
pub const WALL: Scenario = Scenario {
    name: "wall",
    options: &["--wall-time", "60ms"],
    // It prints nothing: on a busy machine it might not come to it.
    script: "exec sleep 60",
    after_exec: true,
    code: 124,
    verdict: "wall-time",
    ..SMALL
};

/// The front end ends the run.
pub const OUTPUT: Scenario = Scenario {
    name: "output",
    options: &["--output", "1000"],
    script: "echo ready; while :; do echo 0123456789; done",
    after_exec: true,
    code: 137,
    verdict: "output",
    ..SMALL
};

/// The program may have begun before the front end listens for signals.
fn until_blocked(child: &mut Child, signal: i32) {
    let status = format!("/proc/{}/status", child.id());
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let mask = text.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        let mask = u64::from_str_radix(mask.unwrap_or_default().trim(), 16);
        if mask.is_ok_and(|mask| mask & 1 << (signal - 1) != 0) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every thread is stopped (proc(5), State).
fn until_stopped(pid: u32) {
    let status = format!("/proc/{pid}/status");
    while !fs::read_to_string(&status).unwrap().contains("State:\tT") {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn signal(pid: u32, number: i32) {
    // SAFETY: a child of ours that nobody has waited for.
    unsafe { libc::kill(i32::try_from(pid).unwrap(), number) };
}

/// The host's side of a scenario: one directory, used again by every run of it.
pub struct Place {
    scratch: Scratch,
}

impl Place {
    pub fn new() -> Place {
        let scratch = Scratch::new();
        for name in [
            "work",
            "work/hidden",
            "work/fixed",
            "work/.git",
            "work/.git/hooks",
            "out",
        ] {
            scratch.directory(name);
        }
        scratch.file("work/.git/config", "[core]\n", 0o644);
        scratch.file("work/.git/HEAD", "ref: refs/heads/main\n", 0o644);
        scratch.file("work/hidden-file", "secret", 0o644);
        scratch.file("work/copied", "content\n", 0o644);
        scratch.directory("work/copied-tree");
        scratch.directory("work/copied-tree/hooks");
        scratch.file("work/copied-tree/config", "[core]\n", 0o644);
        scratch.file("work/copied-tree/HEAD", "ref: refs/heads/main\n", 0o644);
        scratch.file("secret", "secret", 0o644);
        Place { scratch }
    }

    pub fn work(&self) -> PathBuf {
        self.scratch.join("work")
    }

    pub fn stdout(&self) -> PathBuf {
        self.scratch.join("out/stdout")
    }

    pub fn stderr(&self) -> PathBuf {
        self.scratch.join("out/stderr")
    }

    pub fn report(&self) -> PathBuf {
        self.scratch.join("out/report.json")
    }

    /// What the program could have left, but for its mark.
    pub fn listing(&self) -> Vec<String> {
        let all = self.scratch.listing();
        let kept = all.iter().filter(|(path, _)| {
            !path.starts_with(self.scratch.join("out")) && !path.ends_with("work/mark")
        });
        kept.map(|(path, facts)| format!("{path:?} {facts}"))
            .collect()
    }

    /// The words after `sandbox`.
    pub fn words(&self, scenario: &Scenario) -> Vec<String> {
        let work = self.work().display().to_string();
        let mut words: Vec<String> = ["--report", &self.report().display().to_string()]
            .iter()
            .chain(&["--write", &work, "--cwd", &work])
            // Without a group the next best keeps the limits, and the record says so: a
            // run all the same, and not the one to be compared with.
            .chain(&["--cgroup", "none"])
            .map(|word| (*word).to_owned())
            .collect();
        words.extend(scenario.by_worker.then(|| "--by-worker".to_owned()));
        let secret = self.scratch.join("secret").display().to_string();
        words.extend(["--env".to_owned(), format!("SECRET={secret}")]);
        words.extend(
            scenario
                .options
                .iter()
                .map(|word| word.replace("WORK", &work)),
        );
        words.extend(["--", "/bin/sh", "-c", scenario.script].map(str::to_owned));
        words
    }

    /// Waits until the program has printed this, or the run is over.
    fn until(&self, child: &mut Child, text: &str) {
        let printed = || fs::read(self.stdout()).unwrap_or_default();
        while !String::from_utf8_lossy(&printed()).contains(text) {
            if child.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Is this a test for root, and is nobody root? Says so then.
pub fn skipped(scenario: &Scenario) -> bool {
    let skipped = scenario.by_root && !support::root();
    if skipped {
        println!("skip: needs root");
    }
    skipped
}
