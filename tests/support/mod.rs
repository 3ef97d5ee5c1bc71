//! What the tests that run the binary share: an ordinary user, a directory of its own, a time limit.
//! It must not let a test run the binary as root without asking for it, nor leave anything behind.

// Each test file uses its own part.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Who runs the binary when the tests were started by root: no user of any
/// distribution, and not `nobody`.
pub const ORDINARY: u32 = 65533;

/// Longer than any test takes on a loaded machine. A test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);

const PREFIX: &str = "sandbox-test-";

/// Were the tests started by root?
pub fn root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The uid that [`sandbox`] runs as.
pub fn uid() -> u32 {
    match root() {
        true => ORDINARY,
        false => nix::unistd::geteuid().as_raw(),
    }
}

/// The binary, as an ordinary user, in `/`, with nothing on standard input.
///
/// The tests of `tests/jail.rs` are run once more as `tests/jail_warm.rs`, where every run is
/// launched by a worker.
pub fn sandbox() -> Command {
    let mut command = ordinary(binary());
    if by_worker() {
        command.arg("--by-worker");
    }
    command
}

/// Does a worker launch every run of this test target?
pub fn by_worker() -> bool {
    env!("CARGO_CRATE_NAME") == "jail_warm"
}

/// A shell script run by the same user; `"$SANDBOX"` is the binary.
pub fn shell(script: &str) -> Command {
    let mut command = ordinary("/bin/sh");
    command.args(["-c", script]).env("SANDBOX", binary());
    command
}

/// Any program as an ordinary user.
pub fn ordinary(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command
        .current_dir("/")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null());
    if root() {
        // Without `groups`, the standard library drops the supplementary ones.
        command.uid(ORDINARY).gid(ORDINARY);
        // They would name root's tool chain, which the user may not reach.
        command.env_remove("CARGO_HOME").env_remove("RUSTUP_HOME");
    }
    command
}

/// Where a test program that root's started again finds the binary, which it could not copy.
pub const REACHABLE: &str = "SANDBOX_TEST_BINARY";

/// The binary at a place that an ordinary user can reach: the target directory
/// may lie below `/root`.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os(REACHABLE) {
        Some(there) => there.into(),
        None => reachable("sandbox", Path::new(env!("CARGO_BIN_EXE_sandbox"))),
    })
}

/// This test program once more, as an ordinary user.
pub fn again() -> Command {
    let mut command = ordinary(myself());
    command.env(REACHABLE, binary());
    command
}

/// The children of a process, oldest first for each of its threads; none where the kernel does
/// not list them (CONFIG_PROC_CHILDREN).
pub fn children_of(pid: u32) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(
            text.split_whitespace()
                .map(|pid| pid.parse::<u32>().unwrap()),
        );
    }
    Ok(found)
}

/// This test's own executable at such a place.
pub fn myself() -> &'static Path {
    static MYSELF: OnceLock<PathBuf> = OnceLock::new();
    MYSELF.get_or_init(|| reachable("myself", &std::env::current_exe().unwrap()))
}

fn reachable(name: &str, built: &Path) -> PathBuf {
    if !root() {
        return built.to_owned();
    }
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        sweep();
        let directory = std::env::temp_dir().join(format!("{PREFIX}{}-bin", std::process::id()));
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).unwrap();
        directory
    });
    let copy = directory.join(name);
    copy_program(built, &copy);
    fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
    copy
}

/// Copies a program that will be executed. By another process: a test that forks
/// while this one has the copy open for writing would make it busy (ETXTBSY) for
/// whoever executes it first.
pub fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// Removes what test processes that are gone have left: nothing runs at the end
/// of a test process that could remove the copy of the binary.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let pid = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        let gone = pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        let ours = entry
            .metadata()
            .is_ok_and(|facts| [0, ORDINARY].contains(&facts.uid()));
        if gone && ours {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The program if it is installed; otherwise says so, or fails if it is required.
pub fn installed(program: &str) -> Option<String> {
    let found = ["/usr/bin", "/bin", "/usr/local/bin"]
        .into_iter()
        .map(|directory| format!("{directory}/{program}"))
        .find(|path| Path::new(path).exists());
    if found.is_none() {
        skip(program, "is not installed");
    }
    found
}

/// Says that a test is skipped, or fails if `what` is required.
pub fn skip(what: &str, why: &str) {
    let required = std::env::var("SANDBOX_TEST_REQUIRE").unwrap_or_default();
    let named = required.split(',').any(|name| name.trim() == what);
    assert!(!named, "{what} {why}, and SANDBOX_TEST_REQUIRE names it");
    println!("skip: {what} {why}");
}

/// Runs to the end, with standard output and error kept.
pub fn run(command: &mut Command) -> Output {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    finish(child, command)
}

/// As [`run`], with the streams as they are set.
pub fn run_as_is(command: &mut Command) -> Output {
    let child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    finish(child, command)
}

fn finish(child: std::process::Child, command: &Command) -> Output {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            panic!("{command:?} did not end within {PATIENCE:?}");
        }
    }
}

/// The exit code as a shell sees it.
pub fn code(output: &Output) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let by_signal = || output.status.signal().map(|signal| 128 + signal);
    output.status.code().or_else(by_signal).unwrap()
}

/// Standard error as text.
pub fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

/// What a record says was given up, but for what `strict` accepts of its own accord: a
/// processor that gives no control over speculation. Whether it does is the machine's to say.
pub fn given_up(record: &serde_json::Value) -> Vec<&serde_json::Value> {
    let all = record["weakened"].as_array().unwrap();
    let asked = |one: &&serde_json::Value| one["token"] != "no-speculation-control";
    all.iter().filter(asked).collect()
}

/// A directory of the ordinary user, removed when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// An empty one.
    pub fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let temporary = std::env::temp_dir().canonicalize().unwrap();
        let path = temporary.join(name);
        fs::create_dir(&path).unwrap();
        let scratch = Scratch(path);
        scratch.give("", 0o755);
        scratch
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        match name {
            "" => self.0.clone(),
            name => self.0.join(name),
        }
    }

    /// A file of the ordinary user in it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        fs::write(self.join(name), content).unwrap();
        self.give(name, mode)
    }

    /// A directory of the ordinary user in it.
    pub fn directory(&self, name: &str) -> PathBuf {
        fs::create_dir(self.join(name)).unwrap();
        self.give(name, 0o755)
    }

    /// What a test made there itself becomes the ordinary user's.
    pub fn give_away(&self, name: &str) -> PathBuf {
        self.give(name, 0o755)
    }

    fn give(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.join(name);
        chown(&path, Some(uid()), root().then_some(ORDINARY)).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    }

    /// Everything in it, for a comparison of before and after: kind, mode,
    /// length, and the beginning of the content or the target of a link.
    pub fn listing(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        list(&self.0, &mut found).unwrap();
        found
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn list(directory: &Path, found: &mut BTreeMap<PathBuf, String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let facts = fs::symlink_metadata(&path)?;
        let kind = facts.file_type();
        let content = if kind.is_symlink() {
            format!("{:?}", fs::read_link(&path)?)
        } else if kind.is_file() && facts.len() < 1 << 20 {
            // Unreadable is a fact too.
            format!("{:?}", fs::read(&path).map_err(|error| error.kind()))
        } else {
            String::new()
        };
        if kind.is_dir() {
            list(&path, found)?;
        }
        let line = format!("{kind:?} {:o} {} {content}", facts.mode(), facts.len());
        found.insert(path, line);
    }
    Ok(())
}
