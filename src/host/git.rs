//! Reads the few small files that say where a work tree's git repository is.
//!
//! They are foreign bytes: capped, regular files only, no symbolic link followed,
//! and never believed here. The planner checks them against each other.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Files that hold one path: `.git`, `gitdir`, `commondir` (gitrepository-layout(5)).
const POINTER_BYTES: u64 = 4096;
/// `config`, which is searched for one word.
const CONFIG_BYTES: u64 = 256 * 1024;

/// Every host path the planner asks about for a work tree at `tree` (a real path).
pub fn wanted(tree: &Path) -> Vec<PathBuf> {
    let dot_git = tree.join(".git");
    let mut paths = vec![dot_git.clone()];
    match fs::symlink_metadata(&dot_git) {
        Ok(metadata) if metadata.is_dir() => paths.extend(repository(&dot_git)),
        Ok(metadata) if metadata.is_file() => {
            let Some(gitdir) = text(&dot_git).and_then(|text| pointer(&text, tree)) else {
                return paths;
            };
            let admin = fs::canonicalize(&gitdir);
            paths.push(gitdir);
            let Ok(admin) = admin else { return paths };
            for name in ["gitdir", "commondir", "config.worktree"] {
                paths.push(admin.join(name));
            }
            let Some(back) = text(&admin.join("gitdir")).and_then(|text| path_line(&text, &admin))
            else {
                return paths;
            };
            paths.push(back);
            let Some(common) =
                text(&admin.join("commondir")).and_then(|text| path_line(&text, &admin))
            else {
                return paths;
            };
            let real = fs::canonicalize(&common);
            paths.push(common);
            let Ok(real) = real else { return paths };
            paths.push(real.clone());
            paths.extend(repository(&real));
            if let Some(name) = admin.file_name() {
                let worktree = real.join("worktrees").join(name);
                for name in ["gitdir", "commondir", "config.worktree"] {
                    paths.push(worktree.join(name));
                }
                paths.push(worktree);
            }
        }
        _ => {}
    }
    paths
}

/// The path in a `.git` file (`gitdir: PATH`), made absolute against `base`.
pub fn pointer(text: &str, base: &Path) -> Option<PathBuf> {
    path_line(text.strip_prefix("gitdir: ")?, base)
}

/// The single line of `gitdir` or `commondir`, made absolute against `base`.
pub fn path_line(text: &str, base: &Path) -> Option<PathBuf> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.contains(['\n', '\0']) {
        return None;
    }
    // By its names alone: `x/` is looked up otherwise than `x`, and equal to it.
    Some(base.join(line).components().collect())
}

/// The content of a small regular file; `None` when it is anything else, too
/// long, not UTF-8, or cannot be read.
pub(super) fn text(path: &Path) -> Option<String> {
    let limit = match path.file_name()?.to_str()? {
        ".git" | "gitdir" | "commondir" => POINTER_BYTES,
        "config" => CONFIG_BYTES,
        _ => return None,
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY)
        .open(path)
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > limit {
        return None;
    }
    String::from_utf8(bytes).ok()
}

/// What is kept read-only, or writable on purpose, in a repository.
fn repository(directory: &Path) -> Vec<PathBuf> {
    [
        "config",
        "hooks",
        "config.worktree",
        "commondir",
        "modules",
        "worktrees",
        "objects",
        "refs",
        "logs",
    ]
    .iter()
    .map(|name| directory.join(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_read_or_rejected() {
        let base = Path::new("/w");
        assert_eq!(
            pointer("gitdir: /r/.git/worktrees/w\n", base),
            Some(PathBuf::from("/r/.git/worktrees/w"))
        );
        assert_eq!(
            pointer("gitdir: ../r\n", base),
            Some(PathBuf::from("/w/../r"))
        );
        assert_eq!(pointer("/r\n", base), None);
        assert_eq!(pointer("gitdir: \n", base), None);
        assert_eq!(path_line("a//b/./\n", base).unwrap().as_os_str(), "/w/a/b");
        assert_eq!(path_line("a\nb\n", base), None);
        assert_eq!(path_line("a\0b", base), None);
    }

    #[test]
    fn a_link_or_a_long_file_is_not_read() {
        let base = std::env::temp_dir().join(format!("gitfacts-{}", std::process::id()));
        fs::create_dir_all(base.join("a")).unwrap();
        fs::write(base.join("commondir"), "../..\n").unwrap();
        fs::write(base.join("gitdir"), "x".repeat(5000)).unwrap();
        std::os::unix::fs::symlink("../commondir", base.join("a/commondir")).unwrap();
        assert_eq!(text(&base.join("commondir")).as_deref(), Some("../..\n"));
        assert_eq!(text(&base.join("gitdir")), None);
        assert_eq!(text(&base.join("a/commondir")), None);
        assert_eq!(text(&base), None);
        fs::remove_dir_all(base).unwrap();
    }
}
