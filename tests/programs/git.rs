//! git under `agent`: it commits, in a linked worktree too, and cannot change hooks or configuration.
//! It must not ask about other trees; the jail does.

use crate::support::{self, Scratch};
use crate::{installed, prints, succeeds, under};

const WHO: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "A"),
    ("GIT_AUTHOR_EMAIL", "a@example.org"),
    ("GIT_COMMITTER_NAME", "A"),
    ("GIT_COMMITTER_EMAIL", "a@example.org"),
];

/// A repository with one commit and one linked worktree, made outside.
fn repository() -> Option<Scratch> {
    let git = installed("git")?;
    let scratch = Scratch::new();
    scratch.directory("main");
    let script = format!(
        "cd main && {git} init -q -b trunk && echo 1 > a && {git} add a && {git} commit -qm one && \
         {git} worktree add -q ../linked -b side"
    );
    let mut command = support::ordinary("/bin/sh");
    command.current_dir(scratch.path()).envs(WHO);
    succeeds(command.args(["-c", &script]));
    Some(scratch)
}

const COMMIT: &str = "export GIT_AUTHOR_NAME=B GIT_AUTHOR_EMAIL=b@x GIT_COMMITTER_NAME=B GIT_COMMITTER_EMAIL=b@x; \
                      echo 2 > b && git add b && git commit -qm two && git status --short && git log --format=%an:%s";

#[test]
fn git_commits() {
    if let Some(scratch) = repository() {
        let directory = scratch.join("main");
        prints(
            &mut under("agent", &directory, &["sh", "-c", COMMIT]),
            "B:two\nA:one\n",
        );
    }
}

#[test]
fn git_commits_in_a_linked_worktree() {
    if let Some(scratch) = repository() {
        let directory = scratch.join("linked");
        // The shared repository itself is read-only, so git says that it cannot
        // lock `packed-refs`, which a commit does not need.
        let text = succeeds(&mut under("agent", &directory, &["sh", "-c", COMMIT]));
        assert_eq!(text, "B:two\nA:one\n");
    }
}

#[test]
fn a_commit_made_inside_is_seen_outside() {
    if let Some(scratch) = repository() {
        let directory = scratch.join("main");
        succeeds(&mut under("agent", &directory, &["sh", "-c", COMMIT]));
        let mut log = support::ordinary(installed("git").unwrap());
        log.current_dir(&directory).args(["log", "--format=%s"]);
        assert_eq!(succeeds(&mut log), "two\none\n");
    }
}

#[test]
fn hooks_and_configuration_cannot_be_changed() {
    if let Some(scratch) = repository() {
        for script in [
            "echo x > .git/hooks/post-commit",
            "rm .git/hooks/*",
            "mv .git/hooks .git/other",
            "echo x >> .git/config",
            "git config core.fsmonitor x",
            "mv .git/config .git/other",
            "mv .git other",
        ] {
            let before = scratch.listing();
            let words = ["sh", "-c", script];
            let output = support::run(&mut under("agent", &scratch.join("main"), &words));
            assert_ne!(support::code(&output), 0, "{script}");
            assert_eq!(scratch.listing(), before, "{script}");
        }
    }
}
