//! A part of the cgroup v2 tree for one test, and processes in it. What a test makes is
//! gone when it ends, whether it passed or not.

use sandbox::cgroup::{Controllers, Home, Leaf, Moving, Search, Wanted};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A group of this test's own; removed with all that is below.
pub struct Tree(PathBuf);

/// Where this user may make groups at all.
fn ground() -> Option<PathBuf> {
    if let Some(group) = crate::delegated_to_us() {
        return group.parent().map(Path::to_owned);
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let v2 = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (_, at, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(at))
    });
    v2.filter(|_| crate::support::root())
}

impl Tree {
    /// A tree, or a line that says why there is none.
    pub fn new() -> Option<Tree> {
        let Some(ground) = ground() else {
            crate::support::skip("cgroup2", "is not to be had: no group can be made");
            return None;
        };
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = ground.join(format!("made-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Some(Tree(path))
    }

    /// A tree that was given these controllers.
    pub fn with(controllers: Controllers) -> Option<Tree> {
        let tree = Tree::new()?;
        let given = fs::read_to_string(tree.path().join("cgroup.controllers")).unwrap();
        let all = |name| given.split_whitespace().any(|word| word == name);
        if !controllers.names().all(all) {
            crate::support::skip("cgroup2", &format!("has not all of: {controllers}"));
            return None;
        }
        Some(tree)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A group below.
    pub fn group(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A home at the top of the tree.
    pub fn home(&self, controllers: Controllers) -> Home {
        let home = Home::find(&Search {
            wanted: Wanted::Directory(self.0.clone()),
            controllers,
            moving: Moving::Forbidden,
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
        home.require(controllers)
            .unwrap_or_else(|failure| panic!("{failure}"));
        home
    }

    /// Names of the groups at the top.
    pub fn children(&self) -> Vec<String> {
        children(&self.0)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        let start = Instant::now();
        while clear(&self.0).is_err() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!self.0.exists() || std::thread::panicking(), "{:?}", self.0);
    }
}

fn clear(group: &Path) -> std::io::Result<()> {
    // A test may have made it read-only.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(group, mode)?;
    for name in children(group) {
        clear(&group.join(name))?;
    }
    fs::remove_dir(group)
}

pub fn children(group: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(group)
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Hands controllers on from a group to those below.
pub fn hand_on(group: &Path, controllers: Controllers) {
    for name in controllers.names() {
        fs::write(group.join("cgroup.subtree_control"), format!("+{name}")).unwrap();
    }
}

/// A shell script in a group from its first line on, as the user that this test is.
pub fn shell_in(group: &Path, script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(format!("echo 0 >\"$0\"/cgroup.procs || exit 99\n{script}"))
        .arg(group)
        .stdin(Stdio::null());
    command
}

/// A process in a group that does nothing; killed when dropped.
pub struct Sleeper(pub Child);

impl Sleeper {
    pub fn start(group: &Path) -> Sleeper {
        let mut command = shell_in(group, "echo; exec sleep 1000");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = [0u8];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        Sleeper(child)
    }

    /// Its group, as the kernel says it.
    pub fn group(&self) -> String {
        let text = fs::read_to_string(format!("/proc/{}/cgroup", self.0.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("0::"));
        line.unwrap().to_owned()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A shell that waits for [`Waiting::go`] and then runs a script.
pub struct Waiting(Child);

impl Waiting {
    pub fn start(script: &str) -> Waiting {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(format!("read go || exit 98\n{script}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .env("HELPER", std::env::current_exe().unwrap());
        Waiting(command.spawn().unwrap())
    }

    /// Goes on, in the leaf.
    pub fn go(mut self, leaf: &Leaf) -> Child {
        leaf.adopt(i32::try_from(self.0.id()).unwrap()).unwrap();
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        self.0
    }
}

/// Waits until something is true.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}
