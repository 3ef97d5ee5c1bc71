//! The kernel's own word on file maps: random maps over random host trees, each
//! in a real sandbox, against the naive evaluator.
//!
//! A program inside walks every path and says what it finds; maps that the planner
//! refuses on paper must be refused in the real. It must not know how a map is put in force.

#![cfg(feature = "cli")]

mod mounts_host;
mod support;

use mounts_host::draw::{all_paths, map, moved, sayable, tree};
use mounts_host::naive::{Naive, Seen};
use mounts_host::{Node, Tree};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sandbox::host::paths::DEVICES;
use sandbox::plan::mounts::resolve;
use sandbox::policy::{Content, Context, FileRule, InsidePath, Policy};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use support::Scratch;

/// Sandboxes that are started; the first so many seeds whose map is accepted.
const ACCEPTED: u64 = 300;
/// Maps that must be refused, beside them.
const REFUSED: u64 = 60;

const PATHS: &str = "WALK";
const MARK: &str = "seen: ";

/// A host tree below `/h` and a map, the same for the same seed on every machine.
fn drawn(seed: u64) -> (Tree, BTreeMap<PathBuf, FileRule>) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let drawn = (tree(true), map()).new_tree(&mut runner).unwrap();
    drawn.current()
}

/// The case with `/h` where it can be made on this machine.
struct Case {
    tree: Tree,
    rules: BTreeMap<PathBuf, FileRule>,
    h: PathBuf,
}

impl Case {
    fn new(seed: u64, h: &Path) -> Case {
        let (drawn, rules) = drawn(seed);
        let mut tree = Tree::new(&[]);
        for (path, node) in &drawn.0 {
            let node = match node {
                Node::Link(text) => Node::Link(moved(text, h)),
                other => other.clone(),
            };
            tree.put(&moved(path, h), node);
        }
        let rule = |drawn: FileRule| {
            let mut rule = sayable(drawn);
            if let Content::Host(source) = &mut rule.content {
                *source = moved(source, h);
            }
            rule
        };
        let rules = rules.into_iter();
        let rules = rules.map(|(at, drawn)| (moved(&at, h), rule(drawn)));
        Case {
            rules: rules.collect(),
            tree,
            h: h.to_owned(),
        }
    }

    /// Does the planner take it, by the tree on paper?
    fn accepted(&self) -> bool {
        let devices = DEVICES.iter().map(|name| Path::new("/dev").join(name));
        let h = self.h.to_str().unwrap();
        let paths = all_paths(h, 7).into_iter().chain(all_paths("/i", 5));
        let host = self.tree.host(paths.chain(devices));
        let mut policy = Policy::default();
        self.lay(&mut policy);
        resolve(&policy, &host, OsStr::new("x")).is_ok()
    }

    fn lay(&self, policy: &mut Policy) {
        for (at, rule) in &self.rules {
            let at = InsidePath::new(at).unwrap();
            policy.files.insert(at, rule.clone());
        }
    }

    /// Every path that is asked about.
    fn paths(&self) -> Vec<PathBuf> {
        let mut paths = all_paths(self.h.to_str().unwrap(), 4);
        paths.extend(all_paths("/i", 4));
        paths
    }

    fn make(&self, scratch: &Scratch) {
        for (path, node) in &self.tree.0 {
            let Ok(name) = path.strip_prefix(scratch.path()) else {
                continue;
            };
            let name = name.to_str().unwrap();
            match node {
                Node::Directory if name.is_empty() => {}
                Node::Directory => _ = scratch.directory(name),
                Node::File(mode, _) => _ = scratch.file(name, "no program", *mode),
                Node::Link(text) => symlink(text, path).unwrap(),
                other => panic!("not drawn: {other:?}"),
            }
        }
    }

    /// Runs the walk; `None` when the sandbox refuses.
    fn walked(&self, scratch: &Scratch) -> Option<BTreeMap<PathBuf, String>> {
        let mut policy = Policy::load("base".as_ref(), &Context::current()).unwrap();
        self.lay(&mut policy);
        let policy = scratch.file("policy.toml", policy.to_toml().unwrap(), 0o644);
        let paths: Vec<String> = self
            .paths()
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let mut command = support::sandbox();
        command.arg("--policy").arg(policy);
        command.arg("--exec");
        command.arg(format!("{}:/check", support::myself().display()));
        command.args(["--env", &format!("{PATHS}={}", paths.join(":"))]);
        command.args(["--", "/check", "walk", "--exact", "--ignored"]);
        command.args(["--nocapture", "--test-threads=1"]);
        let output = support::run(&mut command);
        if support::code(&output) == 125 {
            return None;
        }
        assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix(MARK));
        let seen = lines.map(|line| {
            let (word, path) = line.split_once(' ').unwrap();
            (PathBuf::from(path), word.to_owned())
        });
        Some(seen.collect())
    }
}

fn word(seen: Seen) -> String {
    match seen {
        Seen::Nothing => String::from("nothing"),
        Seen::Passage => String::from("passage"),
        Seen::Directory { write } => format!("directory{}", if write { "+write" } else { "" }),
        Seen::File { write, execute } => format!(
            "file{}{}",
            if write { "+write" } else { "" },
            if execute { "+execute" } else { "" }
        ),
    }
}

/// What of it went how.
#[derive(Debug, Default)]
struct Counts {
    next: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    paths: AtomicU64,
    linked: AtomicU64,
}

/// Takes the next seed until enough are done.
fn work(counts: &Counts) {
    let take = |count: &AtomicU64, most: u64| {
        let more = |now: u64| (now < most).then_some(now + 1);
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    };
    loop {
        let done = |count: &AtomicU64, most: u64| count.load(Ordering::Relaxed) >= most;
        if done(&counts.accepted, ACCEPTED) && done(&counts.refused, REFUSED) {
            return;
        }
        let seed = counts.next.fetch_add(1, Ordering::Relaxed);
        assert!(seed < 20_000, "too few maps are accepted: {counts:?}");
        let scratch = Scratch::new();
        let case = Case::new(seed, &scratch.join("h"));
        let accepted = case.accepted();
        let wanted = match accepted {
            true => take(&counts.accepted, ACCEPTED),
            false => take(&counts.refused, REFUSED),
        };
        if !wanted {
            continue;
        }
        case.make(&scratch);
        let before = scratch.listing();
        let found = case.walked(&scratch);
        let told = || format!("seed {seed}\n{:#?}\n{:#?}", case.tree, case.rules);
        let Some(found) = found else {
            assert!(!accepted, "refused: {}", told());
            continue;
        };
        assert!(accepted, "not refused: {}", told());
        let naive = Naive::new(&case.rules, &case.tree);
        for path in case.paths() {
            let expected = word(naive.at(&path));
            let answer = found.get(&path).map(String::as_str);
            assert_eq!(answer, Some(&*expected), "{}: {}", path.display(), told());
            if expected != "nothing" {
                counts.paths.fetch_add(1, Ordering::Relaxed);
                let linked = fs::canonicalize(&path).is_ok_and(|real| real != path);
                counts.linked.fetch_add(linked.into(), Ordering::Relaxed);
            }
        }
        let mut after = scratch.listing();
        after.remove(&scratch.join("policy.toml"));
        assert_eq!(after, before, "the host tree was changed: {}", told());
    }
}

#[test]
fn the_kernel_shows_what_the_map_says() {
    let counts = Counts::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3).map(|_| scope.spawn(|| work(&counts))).collect();
        for worker in workers {
            worker.join().unwrap();
        }
    });
    println!("{counts:?}");
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    assert!(count(&counts.paths) > 1_000, "{counts:?}");
    assert!(count(&counts.linked) > 40, "{counts:?}");
}

// Inside.

#[test]
#[ignore = "walks inside the sandbox; the other test runs it there"]
fn walk() {
    let paths = std::env::var(PATHS).expect("the paths");
    println!();
    for path in paths.split(':') {
        println!("{MARK}{} {path}", find(Path::new(path)));
    }
}

/// What can be done with a path, by doing it.
fn find(path: &Path) -> String {
    let Ok(facts) = fs::metadata(path) else {
        return word(Seen::Nothing);
    };
    if facts.is_dir() {
        let passable = fs::metadata(path.join(".")).is_ok();
        let listed = fs::read_dir(path).is_ok();
        return word(match (passable, listed) {
            (true, true) => Seen::Directory {
                write: can_make_in(path),
            },
            (true, false) => Seen::Passage,
            _ => Seen::Nothing,
        });
    }
    let readable = fs::File::open(path).and_then(|mut file| file.read(&mut [0; 4]));
    match readable {
        Ok(_) => word(Seen::File {
            write: can_write(path),
            execute: can_execute(path),
        }),
        Err(_) => word(Seen::Nothing),
    }
}

fn can_make_in(directory: &Path) -> bool {
    let file = directory.join("probe");
    let mut options = fs::OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(&file);
    made.is_ok() && fs::remove_file(&file).is_ok()
}

fn can_write(file: &Path) -> bool {
    fs::OpenOptions::new().write(true).open(file).is_ok()
}

/// The files are no programs: a kernel that would execute them says ENOEXEC.
fn can_execute(file: &Path) -> bool {
    use nix::errno::Errno;
    let name = CString::new(file.as_os_str().as_bytes()).unwrap();
    match nix::unistd::execve::<&CStr, &CStr>(&name, &[&name], &[]) {
        Err(Errno::ENOEXEC) => true,
        Err(Errno::EACCES) => false,
        other => panic!("{}: {other:?}", file.display()),
    }
}
