//! Policies on disk: what is opened, what is refused, and what extends what.

use super::context;
use sandbox::policy::{Context, Policy};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory that is gone afterwards.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sandbox-policy-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        // So that what is compared with it has no symbolic link left.
        Scratch(path.canonicalize().unwrap())
    }
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    pub fn load(&self, name: &str) -> Result<Policy, String> {
        let context = Context {
            cwd: self.0.clone(),
            ..context()
        };
        Policy::load(name.as_ref(), &context).map_err(|error| error.to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_cannot_be_read_is_one_sentence() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.0.join("dir.toml")).unwrap();
    let fifo = nix::sys::stat::Mode::from_bits_truncate(0o600);
    nix::unistd::mkfifo(&scratch.0.join("fifo.toml"), fifo).unwrap();
    symlink("loop.toml", scratch.0.join("loop.toml")).unwrap();
    // Sparse: a hundred megabytes that cost nothing unless they are read.
    let large = fs::File::create(scratch.0.join("large.toml")).unwrap();
    large.set_len(100 << 20).unwrap();
    scratch.write(
        "exact.toml",
        format!("version = 1\n{}", " ".repeat((1 << 20) - 12)),
    );
    scratch.write("latin.toml", b"version = 1\n# na\xefve\n");
    scratch.write("bare", "version = 1\n");
    let says = |name: &str| scratch.load(name).unwrap_err();
    let cannot = |name: &str, why: &str| format!("cannot read the policy `{name}`: {why}");
    for (name, why) in [
        ("./gone", "No such file or directory"),
        ("gone.toml", "No such file or directory"),
        ("dir.toml", "it is a directory, not a regular file"),
        ("fifo.toml", "it is a FIFO, not a regular file"),
        ("/dev/zero", "it is a device, not a regular file"),
        ("loop.toml", "Too many symbolic links encountered"),
        ("large.toml", "it is larger than 1 MiB"),
        ("dir.toml/x", "No such file or directory"),
        ("bare/x", "Not a directory"),
        ("a\x1b[2J/x", "No such file or directory"),
    ] {
        let shown = name.replace('\x1b', "\\u{1b}");
        assert_eq!(says(name), cannot(&shown, why));
    }
    assert_eq!(
        says("strict.toml"),
        cannot("strict.toml", "No such file or directory")
            + "\nhint: the built-in policy is called `strict`"
    );
    assert_eq!(
        says("latin.toml"),
        "latin.toml:2:5: the policy is not UTF-8 text\n    # na\u{fffd}ve\n        ^"
    );
    assert_eq!(
        says("compiler"),
        "no policy `compiler`; did you mean `compile`?\nhint: built-in policies: strict, base, \
         compile, agent, judge, judge-compile; a file is named with a `/` or ends in `.toml`"
    );
    assert!(scratch.load("exact.toml").is_ok());
    assert!(scratch.load("bare").is_ok());
}

#[test]
fn extends_is_relative_to_the_file_and_later_wins() {
    let scratch = Scratch::new();
    scratch.write(
        "a.toml",
        "version = 1\nextends = [\"strict\", \"sub/b.toml\"]\n[limits]\nprocesses = 3\n",
    );
    scratch.write(
        "sub/b.toml",
        "version = 1\nextends = [\"c.toml\", \"base\"]\n[limits]\nprocesses = 2\nopen-files = 2\n\
         [process.env]\nLANG = \"b\"\n",
    );
    scratch.write(
        "sub/c.toml",
        "version = 1\n[limits]\nopen-files = 1\n[files]\n\"/c\" = \"read\"\n",
    );
    let policy = scratch.load("a.toml").unwrap();
    assert_eq!(policy.limits.processes, Some(3));
    assert_eq!(policy.limits.open_files, Some(2));
    // `base` was laid down before `strict`; it does not come back over it.
    assert_eq!(policy.limits.memory, Some(1 << 30));
    assert_eq!(policy.process.env["LANG"], "b");
    let origins: Vec<&str> = policy
        .files
        .values()
        .map(|rule| rule.origin.as_str())
        .filter(|origin| origin.starts_with("sub"))
        .collect();
    assert_eq!(origins, ["sub/c.toml:5"]);
    let sources = ["a.toml", "sub/b.toml", "sub/c.toml"].map(|name| scratch.0.join(name));
    assert_eq!(policy.sources, sources);
}

#[test]
fn a_mistake_in_an_extended_file_is_shown_there() {
    let scratch = Scratch::new();
    scratch.write("a.toml", "version = 1\nextends = [\"base\", \"b.toml\"]\n");
    scratch.write("b.toml", "version = 1\n[limits]\nmemmory = 1\n");
    assert_eq!(
        scratch.load("./a.toml").unwrap_err(),
        "./b.toml:3:1: unknown key `memmory`; did you mean `memory`?\n    memmory = 1\n    ^"
    );
    fs::remove_file(scratch.0.join("b.toml")).unwrap();
    assert_eq!(
        scratch.load("a.toml").unwrap_err(),
        "a.toml:2:20: cannot read the policy `b.toml`: No such file or directory\n    \
         extends = [\"base\", \"b.toml\"]\n                       ^"
    );
}

#[test]
fn loops_and_long_chains_are_shown() {
    let scratch = Scratch::new();
    let extends = |name: &str| format!("version = 1\nextends = [\"{name}\"]\n");
    scratch.write("self.toml", extends("self.toml"));
    let shown = |place: &str, message: &str, line: &str| {
        format!("{place}: {message}\n    {line}\n               ^")
    };
    assert_eq!(
        scratch.load("self.toml").unwrap_err(),
        shown(
            "self.toml:2:12",
            "the policy extends itself: `self.toml` -> `self.toml`",
            "extends = [\"self.toml\"]"
        )
    );
    // Another name for the same file is the same file.
    scratch.write("a.toml", extends("b.toml"));
    scratch.write("b.toml", extends("./link.toml"));
    symlink("a.toml", scratch.0.join("link.toml")).unwrap();
    assert_eq!(
        scratch.load("a.toml").unwrap_err(),
        shown(
            "b.toml:2:12",
            "the policy extends itself: `a.toml` -> `b.toml` -> `./link.toml`",
            "extends = [\"./link.toml\"]"
        )
    );
    for depth in 1..=8 {
        scratch.write(
            &format!("{depth}.toml"),
            extends(&format!("{}.toml", depth + 1)),
        );
    }
    scratch.write("9.toml", "version = 1\n");
    assert!(scratch.load("2.toml").is_ok());
    let chain: Vec<String> = (1..=9).map(|n| format!("`{n}.toml`")).collect();
    assert_eq!(
        scratch.load("1.toml").unwrap_err(),
        shown(
            "8.toml:2:12",
            &format!(
                "policies extend each other more than 8 deep: {}",
                chain.join(" -> ")
            ),
            "extends = [\"9.toml\"]"
        )
    );
}

/// Whoever can replace a link on the way can replace the policy.
#[test]
fn sources_name_every_link_on_the_way() {
    let scratch = Scratch::new();
    scratch.write("real/p.toml", "version = 1\n");
    symlink("real", scratch.0.join("dir")).unwrap();
    symlink(
        scratch.0.join("dir/../dir/p.toml"),
        scratch.0.join("p.toml"),
    )
    .unwrap();
    let sources = scratch.load("p.toml").unwrap().sources;
    let at = |name: &str| scratch.0.join(name);
    // `dir` leads to `real`, its `..` is the scratch directory, and `dir` again.
    assert_eq!(sources, [at("p.toml"), at("dir"), at("real/p.toml")]);
    assert!(sources.iter().all(|path| path.is_absolute()));
    assert_eq!(sources[2], Path::new(&sources[2]).canonicalize().unwrap());
}
