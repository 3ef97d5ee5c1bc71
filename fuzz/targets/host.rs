//! Parsers of what the host and other people's files say: mountinfo, id maps,
//! accounts, git's pointers, the first bytes of a program.
//!
//! Git's files are read from a disk, by the prober itself; whatever they say, the
//! planner then knows about every path it asks for, and nothing protected is writable.

use super::bytes::printable;
use sandbox::foreign::{home_of, interpreter_in, outside_of_zero, parse_mountinfo};
use sandbox::host::git::{path_line, pointer, wanted};
use sandbox::host::{Host, paths};
use sandbox::plan::mounts;
use sandbox::policy::{Access, Content, FileRule, InsidePath, Policy, Weaken};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The input is a letter for the parser, then its text.
pub fn check(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    match kind {
        b'm' => mountinfo(rest),
        b'p' => pointers(rest),
        b'i' => {
            if let Some(interpreter) = interpreter_in(rest) {
                assert!(!interpreter.contains('\n') || rest.starts_with(b"\x7fELF"));
            }
        }
        b'u' => id_map(&String::from_utf8_lossy(rest)),
        b'a' => {
            let text = String::from_utf8_lossy(rest);
            if let Some(home) = home_of(&text, 7) {
                assert!(home.is_absolute());
                assert!(text.contains(home.to_str().expect("of a text")));
            }
        }
        b'g' => repository(rest),
        _ => {}
    }
}

fn mountinfo(bytes: &[u8]) {
    let mounts = parse_mountinfo(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(mounts.len() <= lines);
    // Only three octal digits are an escape.
    let points = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let dash = fields.iter().skip(5).position(|field| field == b"-")?;
        fields.get(5 + dash + 1)?;
        Some(unescaped(fields[4]))
    });
    let read = mounts.iter().map(|(at, _)| at.as_os_str().as_bytes());
    assert!(points.eq(read), "{mounts:?}");
    // Written as the kernel would write them, they are read as the same.
    let mut again = Vec::new();
    for (at, kind) in &mounts {
        again.extend(b"1 1 0:1 / ");
        for byte in at.as_os_str().as_bytes() {
            match byte {
                b' ' | b'\t' | b'\n' | b'\\' => again.extend(format!("\\{byte:03o}").bytes()),
                byte => again.push(*byte),
            }
        }
        again.extend(format!(" rw shared:1 - {} none rw\n", kind.unwrap_or("ext4")).bytes());
    }
    assert_eq!(parse_mountinfo(&again), mounts);
}

fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut at = 0;
    while at < field.len() {
        match field[at..] {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                plain.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                at += 4;
            }
            _ => {
                plain.push(field[at]);
                at += 1;
            }
        }
    }
    plain
}

fn id_map(text: &str) {
    let outside = outside_of_zero(text);
    let Some(outside) = outside else { return };
    let named = text
        .split_whitespace()
        .any(|word| word.parse() == Ok(outside));
    assert!(named, "{outside} is nowhere in the map");
}

fn pointers(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let base = Path::new("/base/tree");
    for path in [pointer(text, base), path_line(text, base)]
        .into_iter()
        .flatten()
    {
        assert!(path.is_absolute());
        let bytes = path.as_os_str().as_bytes();
        assert!(!bytes.contains(&0) && !bytes.contains(&b'\n'));
    }
    if let Some(path) = path_line(text, base) {
        assert_eq!(pointer(&format!("gitdir: {text}"), base), Some(path));
    }
}

/// Files of a repository, separated by form feeds: `.git`, `gitdir`, `commondir`,
/// `config`; `@` in one stands for the scratch directory. An empty `.git` is a
/// directory.
fn repository(bytes: &[u8]) {
    let scratch = Scratch::new();
    let parts: Vec<&[u8]> = bytes.splitn(4, |byte| *byte == b'\x0c').collect();
    let part = |n: usize| parts.get(n).copied().unwrap_or_default();
    let (tree, common) = (scratch.0.join("w"), scratch.0.join("r/.git"));
    let admin = common.join("worktrees/w");
    let make = |path: &Path| fs::create_dir_all(path).expect("a directory");
    let write = |path: PathBuf, text: &[u8]| {
        let mut out = Vec::new();
        for byte in text {
            match byte {
                b'@' => out.extend(scratch.0.as_os_str().as_bytes()),
                byte => out.push(*byte),
            }
        }
        fs::write(path, out).expect("a file");
    };
    for path in [
        &tree,
        &admin,
        &common.join("hooks"),
        &common.join("objects"),
        &common.join("refs"),
    ] {
        make(path);
    }
    match part(0) {
        b"" => {
            make(&tree.join(".git/hooks"));
            write(tree.join(".git/config"), part(3));
        }
        text => write(tree.join(".git"), text),
    }
    write(admin.join("gitdir"), part(1));
    write(admin.join("commondir"), part(2));
    write(common.join("config"), part(3));
    for path in wanted(&tree) {
        assert!(path.is_absolute());
    }
    plan(&tree, &common);
}

fn plan(tree: &Path, common: &Path) {
    let mut policy = Policy::default();
    policy.files.insert(
        InsidePath::new(tree).expect("an inside path"),
        FileRule {
            content: Content::Host(tree.to_path_buf()),
            access: Access::WriteExec,
            optional: false,
            git: true,
            follows: false,
            origin: String::from("test"),
        },
    );
    policy
        .weaken
        .insert(Weaken::WritableGit, String::from("a plain repository too"));
    let host = Host {
        uid: 1000,
        gid: 1000,
        cwd: tree.to_path_buf(),
        paths: paths::facts(&policy, None, tree),
        ..Host::default()
    };
    let (_, files) = match mounts::resolve(&policy, &host, OsStr::new("x")) {
        Ok(resolved) => resolved,
        Err(refusal) => {
            printable(&refusal.to_string());
            // The prober looks at whatever the planner asks about.
            assert!(!refusal.message.contains("nothing is known"), "{refusal}");
            return;
        }
    };
    let writable = |path: PathBuf| files.access_at(&path).is_some_and(Access::writes);
    match tree.join(".git").is_dir() {
        true => {
            for name in ["config", "hooks", "hooks/pre-commit"] {
                assert!(!writable(tree.join(".git").join(name)), "{name}");
            }
        }
        false => {
            assert!(!writable(tree.join(".git")));
            // It was accepted, so the repository and the work tree name each other.
            for name in [
                "config",
                "hooks",
                "worktrees/w/commondir",
                "worktrees/w/gitdir",
            ] {
                let path = common.join(name);
                assert_eq!(files.access_at(&path), Some(Access::Exec), "{name}");
            }
        }
    }
}

/// A directory for one input. Not in `/dev/shm`: nothing of `/dev` is ever shown.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let parent = std::env::temp_dir();
        let parent = parent.canonicalize().expect("a directory without links");
        let path = parent.join(format!("sandbox-fuzz-host-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a scratch directory");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
