//! Started by root: the program is an unused host id of its own, and root's files stay root's.
//! It must not run as anybody else; without root every test here says that it is skipped.

#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::{ORDINARY, Scratch, code, complaint};

/// The default of `host-ids`.
const RANGE: std::ops::RangeInclusive<u32> = 2_000_000_000..=2_000_065_535;

/// Are the tests run by root? Says so when they are not.
fn root() -> bool {
    if !support::root() {
        println!("skip: needs root");
    }
    support::root()
}

/// `sandbox` as root.
fn sandbox() -> Command {
    let mut command = Command::new(support::binary());
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::null());
    command
}

/// A run that waits, and its processes as the host sees them.
struct Running {
    child: Child,
    /// `/proc/…/status` of pid 1 and of the program.
    status: Vec<String>,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        command.args(["--", "/bin/sh", "-c", "echo ready; read line"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = child.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let init = only_child(&child.id().to_string());
        let program = only_child(&init);
        let status = [init, program]
            .map(|pid| fs::read_to_string(format!("/proc/{pid}/status")).unwrap())
            .to_vec();
        Running { child, status }
    }

    /// Words of a line of the program's status, and of pid 1's, which are the same.
    fn words(&self, name: &str) -> Vec<String> {
        let of = |text: &str| -> Vec<String> {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.split_whitespace().map(str::to_owned).collect()
        };
        let [init, program] = [&self.status[0], &self.status[1]].map(|text| of(text));
        assert_eq!(init, program, "{name}");
        program
    }

    /// The one host uid, which is the gid as well.
    fn uid(&self) -> u32 {
        let ids = self.words("Uid:");
        assert_eq!(ids, self.words("Gid:"));
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        ids[0].parse().unwrap()
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

fn only_child(pid: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let pids: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(pids.len(), 1, "{text}");
    pids[0].to_owned()
}

fn run(command: &mut Command, script: &str) -> std::process::Output {
    support::run(command.args(["--", "/bin/sh", "-c", script]))
}

fn owner(path: &Path) -> (u32, u32) {
    let facts = fs::metadata(path).unwrap();
    (facts.uid(), facts.gid())
}

#[test]
fn the_program_is_nobody_on_the_host() {
    if !root() {
        return;
    }
    let running = Running::start(&mut sandbox());
    assert!(RANGE.contains(&running.uid()), "{}", running.uid());
    assert_eq!(running.words("Groups:"), [""; 0]);
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(running.words(set), ["0000000000000000"], "{set}");
    }
    assert_eq!(running.words("NoNewPrivs:"), ["1"]);
    running.end();
}

#[test]
fn runs_at_once_have_ids_of_their_own() {
    if !root() {
        return;
    }
    let runs: Vec<Running> = (0..8).map(|_| Running::start(&mut sandbox())).collect();
    let mut ids: Vec<u32> = runs.iter().map(Running::uid).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    runs.into_iter().for_each(Running::end);
}

#[test]
fn the_range_is_the_policys() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let text =
        "version = 1\nextends = [\"strict\"]\n[process]\nhost-ids = \"1999000001-1999000001\"\n";
    let policy = scratch.file("one.toml", text, 0o644);
    let with_policy = || {
        let mut command = sandbox();
        command.arg("--policy").arg(&policy);
        command
    };
    let running = Running::start(&mut with_policy());
    assert_eq!(running.uid(), 1_999_000_001);
    // One id, one run: a second one shares nothing, it waits for another day.
    let second = run(&mut with_policy(), "echo EXECUTED");
    assert_eq!((code(&second), &second.stdout[..]), (125, &b""[..]));
    assert!(
        complaint(&second).contains("no unused host id"),
        "{}",
        complaint(&second)
    );
    assert!(
        complaint(&second).contains("`host-ids`"),
        "{}",
        complaint(&second)
    );
    running.end();
    let third = run(&mut with_policy(), "exit 3");
    assert_eq!(code(&third), 3, "{}", complaint(&third));
    // SIGKILL gives the id back, too.
    let mut killed = Running::start(&mut with_policy());
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    let start = std::time::Instant::now();
    while code(&run(&mut with_policy(), "exit 3")) != 3 {
        assert!(
            start.elapsed().as_secs() < 10,
            "the id was never free again"
        );
    }
}

#[test]
fn files_keep_their_owner() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let theirs = scratch.directory("theirs");
    scratch.file("theirs/old", "old\n", 0o600);
    let roots = scratch.join("roots");
    fs::create_dir(&roots).unwrap();
    fs::write(roots.join("old"), "old\n").unwrap();
    let script = format!(
        "set -e; for d in {} {}; do cd $d; echo more >>old; echo new >new; mkdir sub; echo x >sub/x; \
         stat -c %u old; cat old; done",
        theirs.display(),
        roots.display()
    );
    let mut command = sandbox();
    command
        .arg("--write")
        .arg(&theirs)
        .arg("--write")
        .arg(&roots);
    let output = run(&mut command, &script);
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    // Inside they are the program's own.
    assert_eq!(output.stdout, b"1000\nold\nmore\n1000\nold\nmore\n");
    for (directory, id) in [(&theirs, ORDINARY), (&roots, 0)] {
        for name in ["old", "new", "sub", "sub/x"] {
            assert_eq!(owner(&directory.join(name)), (id, id), "{name}");
        }
    }
}

#[test]
fn nothing_is_left_that_runs_as_its_owner() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let roots = scratch.join("roots");
    fs::create_dir(&roots).unwrap();
    // Each by another call; on the host these files are root's.
    let script = format!(
        r#"cd {}; cp /bin/true a; chmod 4755 a; chmod 2755 a
        cp /bin/true b; chmod u+s,g+s b; install -m 6755 /bin/true c; mkdir -m 2777 d
        /usr/bin/python3 -c '
import os
def attempt(f):
    try: f()
    except OSError: pass
attempt(lambda: os.close(os.open("e", os.O_CREAT | os.O_WRONLY, 0o6755)))
fd = os.open("f", os.O_CREAT | os.O_WRONLY, 0o755)
attempt(lambda: os.fchmod(fd, 0o6755))
attempt(lambda: os.mknod("g", 0o106755))
attempt(lambda: os.mkdir("h", 0o2777))
attempt(lambda: os.chmod("h", 0o2777))
'; exit 0"#,
        roots.display()
    );
    let mut command = sandbox();
    let output = run(command.arg("--write").arg(&roots), &script);
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let mut names = 0;
    for entry in fs::read_dir(&roots).unwrap() {
        let entry = entry.unwrap();
        names += 1;
        let facts = entry.metadata().unwrap();
        if facts.is_file() {
            assert_eq!(
                facts.mode() & 0o6000,
                0,
                "{:?} {:o}",
                entry.path(),
                facts.mode()
            );
        }
    }
    assert!(names >= 4, "{}", complaint(&output));
}

#[test]
fn what_the_policy_does_not_let_it_write_stays_as_it_is() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let directory = scratch.join("read");
    fs::create_dir(&directory).unwrap();
    for (name, mode) in [("open", 0o666), ("private", 0o600)] {
        let path = directory.join(name);
        fs::write(&path, "text").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }
    fs::set_permissions(&directory, PermissionsExt::from_mode(0o777)).unwrap();
    let before = scratch.listing();
    let script = format!(
        "cd {} || exit 9; cat open && ! cat private && ! echo x >open && ! echo x >new && \
         ! rm open && ! chmod 777 private && ! touch /etc/new /usr/new && exit 5",
        directory.display()
    );
    let mut command = sandbox();
    let output = run(command.arg("--read").arg(&directory), &script);
    assert_eq!(code(&output), 5, "{}", complaint(&output));
    assert_eq!(output.stdout, b"text");
    assert_eq!(scratch.listing(), before);
}

#[test]
fn a_private_program_still_runs() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let private = scratch.join("private");
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, PermissionsExt::from_mode(0o700)).unwrap();
    let program = private.join("program");
    fs::write(&program, "#!/bin/sh\necho \"ran as $(id -u)\"\n").unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    let output = support::run(sandbox().arg("--").arg(&program));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    assert_eq!(output.stdout, b"ran as 1000\n");
}

#[test]
fn a_file_system_without_id_maps_is_refused() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let place = scratch.directory("place");
    // ramfs takes none; mounted where only this run sees it.
    let script = r#"mount -t ramfs none "$1" && chown 65533:65533 "$1" && \
        "$0" --write "$1" -- /bin/sh -c 'echo EXECUTED'; code=$?; ls -A "$1"; exit $code"#;
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["-m", "/bin/sh", "-c", script]);
    let output = support::run(command.arg(support::binary()).arg(&place));
    assert_eq!(code(&output), 125, "{}", complaint(&output));
    assert_eq!(output.stdout, b"");
    let message = complaint(&output);
    assert!(
        message.contains(&format!("`{}`", place.display())),
        "{message}"
    );
    assert!(message.contains("takes no id map"), "{message}");
    assert!(message.contains("hint: "), "{message}");
}

#[test]
fn a_kernel_without_id_maps_is_refused() {
    if !root() {
        return;
    }
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    let filter: BpfProgram = SeccompFilter::new(
        [(libc::SYS_mount_setattr, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EINVAL as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    )
    .unwrap()
    .try_into()
    .unwrap();
    let scratch = Scratch::new();
    let place = scratch.directory("place");
    let mut command = sandbox();
    // SAFETY: after the fork only prctl and seccomp are called; nothing allocates.
    unsafe {
        command.pre_exec(move || {
            seccompiler::apply_filter(&filter)
                .map_err(|_| std::io::Error::from_raw_os_error(libc::EIO))
        })
    };
    let output = run(command.arg("--write").arg(&place), "echo EXECUTED");
    assert_eq!((code(&output), &output.stdout[..]), (125, &b""[..]));
    assert!(
        complaint(&output).contains("takes no id map"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn an_audit_by_root_finds_nothing_open() {
    if !root() {
        return;
    }
    let output = support::run(sandbox().arg("audit"));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(code(&output), 0, "{text}{}", complaint(&output));
    assert!(text.ends_with(" 0 unknown, 0 open\n"), "{text}");
}

#[test]
fn a_batch_by_root_says_why_it_has_no_worker() {
    if !root() {
        return;
    }
    let place = Scratch::new();
    let list = place.file("list", "/dev/null\n/dev/zero\n", 0o644);
    let batch = |options: &[&str]| {
        let mut command = sandbox();
        command.arg("batch").args(options).arg("--list").arg(&list);
        support::run(command.args(["--", "/bin/true"]))
    };
    const WHY: &str = "launched from the beginning: cannot be kept warm: started by root";
    let loud = batch(&["-v"]);
    assert_eq!(code(&loud), 0, "{}", complaint(&loud));
    assert!(complaint(&loud).contains(WHY), "{}", complaint(&loud));
    let quiet = batch(&[]);
    assert_eq!((code(&quiet), complaint(&quiet).as_str()), (0, ""));
}
