//! What `git = "protect"` means: further rules for the repository of a work tree.
//!
//! It only adds rules; whether they can be put in place is decided with all the
//! others. It believes no file alone: a linked work tree counts when repository
//! and work tree name each other.
//!
//! # What holds, and what does not
//!
//! In a plain repository (`.git` is a directory) `config`, `hooks`, `modules`
//! and `worktrees` are read-only, so nothing there runs when the user calls git
//! next. But git must be able to write `.git` itself, and whoever can do that can
//! add `.git/commondir` (git then reads another repository's config), or remove
//! `.git/HEAD` and lay out a bare repository around it. Neither name can be
//! covered by a mount. So this case needs `weaken.writable-git`, like a
//! directory without any repository.
//!
//! In a linked work tree (`.git` is a file) none of this is possible: the shared
//! directory is read-only but for `objects`, `refs` and `logs`, and git stops at
//! a `.git` file that names no repository.
//!
//! Repositories further down the work tree are not looked for.

use super::rules::Rules;
use super::{errno_text, fact, quote};
use crate::host::git::{path_line, pointer};
use crate::host::{Found, Host, Kind, PathFact};
use crate::plan::Refusal;
use crate::policy::{Access, Content, FileRule, Policy, Weaken};
use std::path::{Path, PathBuf};

/// The file map with the rules that git protection adds, and what was weakened.
pub(super) fn expand<'p>(
    policy: &'p Policy,
    host: &Host,
) -> Result<(Rules<'p>, Vec<Weaken>), Refusal> {
    let mut rules = Rules::of(policy);
    let mut weakened = Vec::new();
    for (at, rule) in &policy.files {
        let (true, Content::Host(source)) = (rule.git, &rule.content) else {
            continue;
        };
        // A missing source is refused, or left out, where rules are placed.
        let PathFact::Found(tree) = fact(host, source)? else {
            continue;
        };
        let mut work_tree = WorkTree {
            at: at.as_path(),
            rule,
            tree,
            host,
            rules: &mut rules,
        };
        if work_tree.protect(policy)? && !weakened.contains(&Weaken::WritableGit) {
            weakened.push(Weaken::WritableGit);
        }
    }
    Ok((rules, weakened))
}

struct WorkTree<'w, 'p> {
    at: &'w Path,
    rule: &'w FileRule,
    tree: &'w Found,
    host: &'w Host,
    rules: &'w mut Rules<'p>,
}

impl WorkTree<'_, '_> {
    /// True when the protection needed `writable-git`.
    fn protect(&mut self, policy: &Policy) -> Result<bool, Refusal> {
        let dot_git = self.tree.real.join(".git");
        let found = match fact(self.host, &dot_git)? {
            PathFact::Found(found) => found,
            PathFact::Unreadable(errno) => {
                return Err(self.refuse(format!(
                    "cannot look at {}: {}",
                    quote(&dot_git),
                    errno_text(*errno)
                )));
            }
            PathFact::Missing { .. } if !self.rule.access.writes() => return Ok(false),
            PathFact::Missing { .. } => {
                return self.weaken(
                    policy,
                    "there is no repository, and the program could make one",
                    "git init",
                );
            }
        };
        if found.link.is_some() {
            return Err(self.refuse(format!("{} is a symbolic link", quote(&dot_git))));
        }
        match found.kind {
            Kind::File => self.linked(&dot_git, found).map(|()| false),
            Kind::Directory if !self.rule.access.writes() => Ok(false),
            Kind::Directory => {
                self.plain(&dot_git)?;
                self.weaken(
                    policy,
                    "git must write `.git`, and who writes it can add `commondir` or replace `HEAD` and so lead git to another repository",
                    "use a linked work tree (`git worktree add`)",
                )
            }
            _ => Err(self.refuse(format!("{} is neither file nor directory", quote(&dot_git)))),
        }
    }

    fn weaken(&self, policy: &Policy, why: &str, instead: &str) -> Result<bool, Refusal> {
        match policy.weaken.contains_key(&Weaken::WritableGit) {
            true => Ok(true),
            false => Err(self.refuse(why).hint(format!(
                "{instead}, or accept it: weaken.{} = \"why\"",
                Weaken::WritableGit.name()
            ))),
        }
    }

    /// `.git` is a directory.
    fn plain(&mut self, dot_git: &Path) -> Result<(), Refusal> {
        let inside = self.at.join(".git");
        let narrow = without_write(self.rule.access);
        for (name, how) in [
            ("config", "touch .git/config"),
            ("hooks", "mkdir .git/hooks"),
        ] {
            let path = dot_git.join(name);
            if matches!(fact(self.host, &path)?, PathFact::Missing { .. }) {
                return Err(self
                    .refuse(format!(
                        "{} does not exist, so it cannot be kept from being created",
                        quote(&path)
                    ))
                    .hint(how));
            }
            self.add(inside.join(name), path, narrow)?;
        }
        for name in ["commondir", "modules", "worktrees"] {
            let path = dot_git.join(name);
            if !matches!(fact(self.host, &path)?, PathFact::Missing { .. }) {
                self.add(inside.join(name), path, narrow)?;
            }
        }
        self.worktree_config(dot_git, &dot_git.join("config.worktree"), &inside)
    }

    /// `.git` is a file that names the repository's administrative directory.
    fn linked(&mut self, dot_git: &Path, found: &Found) -> Result<(), Refusal> {
        let text = found.text.as_deref().unwrap_or_default();
        let Some(gitdir) = pointer(text, &self.tree.real) else {
            return Err(self.refuse(format!("{} does not say `gitdir: PATH`", quote(dot_git))));
        };
        let admin = match fact(self.host, &gitdir)? {
            PathFact::Found(found) if found.kind == Kind::Directory => found.real.clone(),
            _ => {
                return Err(self.refuse(format!(
                    "{} names {}, which is no directory",
                    quote(dot_git),
                    quote(&gitdir)
                )));
            }
        };
        let relative = text
            .strip_prefix("gitdir: ")
            .is_some_and(|path| !path.starts_with('/'));
        if relative && self.at != self.tree.real {
            return Err(self.refuse(format!(
                "{} holds a relative path, which leads elsewhere from {}",
                quote(dot_git),
                quote(self.at)
            )));
        }
        if !relative && gitdir != admin {
            return Err(self
                .refuse(format!(
                    "the path in {} goes through a symbolic link",
                    quote(dot_git)
                ))
                .hint("run `git worktree repair` from the real path"));
        }
        let Some(back) = self.line(&admin, "gitdir") else {
            return Err(self
                .refuse(format!(
                    "{} has no `gitdir` that names the work tree (a submodule, perhaps)",
                    quote(&admin)
                ))
                .hint("run in the repository that contains the submodule"));
        };
        let names_us = matches!(
            self.host.paths.get(&back),
            Some(PathFact::Found(found)) if found.real == *dot_git
        );
        if !names_us {
            return Err(self.refuse(format!(
                "{} belongs to another work tree, {}",
                quote(&admin),
                quote(&back)
            )));
        }
        let common = match self
            .line(&admin, "commondir")
            .and_then(|path| self.host.paths.get(&path))
        {
            Some(PathFact::Found(found)) if found.kind == Kind::Directory => found.real.clone(),
            _ => {
                return Err(self.refuse(format!(
                    "{} has no `commondir` that names a repository",
                    quote(&admin)
                )));
            }
        };
        if admin.parent() != Some(common.join("worktrees").as_path()) {
            return Err(self.refuse(format!(
                "{} does not lie in `worktrees` of {}",
                quote(&admin),
                quote(&common)
            )));
        }
        let access = self.rule.access;
        let narrow = without_write(access);
        self.add(common.clone(), common.clone(), narrow)?;
        if !access.writes() {
            return Ok(());
        }
        self.add(self.at.join(".git"), dot_git.to_path_buf(), narrow)?;
        for name in ["objects", "refs"] {
            self.add(common.join(name), common.join(name), Access::Write)?;
        }
        let logs = common.join("logs");
        if matches!(fact(self.host, &logs)?, PathFact::Found(_)) {
            self.add(logs.clone(), logs, Access::Write)?;
        }
        self.add(admin.clone(), admin.clone(), Access::Write)?;
        for name in ["commondir", "gitdir"] {
            self.add(admin.join(name), admin.join(name), narrow)?;
        }
        self.worktree_config(&common, &admin.join("config.worktree"), &admin)
    }

    /// `config.worktree` counts only under `extensions.worktreeConfig`
    /// (git-worktree(1)); then it must exist, to be covered.
    fn worktree_config(
        &mut self,
        common: &Path,
        path: &Path,
        inside: &Path,
    ) -> Result<(), Refusal> {
        if !matches!(fact(self.host, path)?, PathFact::Missing { .. }) {
            let narrow = without_write(self.rule.access);
            return self.add(inside.join("config.worktree"), path.to_path_buf(), narrow);
        }
        let unused = match fact(self.host, &common.join("config"))? {
            PathFact::Found(Found {
                text: Some(text), ..
            }) => !text.to_ascii_lowercase().contains("worktreeconfig"),
            _ => false,
        };
        match unused {
            true => Ok(()),
            false => Err(self
                .refuse(format!(
                    "{} does not exist, and the repository's config may tell git to read it",
                    quote(path)
                ))
                .hint(format!("touch {}", quote(path).trim_matches('`')))),
        }
    }

    fn line(&self, admin: &Path, name: &str) -> Option<PathBuf> {
        match self.host.paths.get(&admin.join(name)) {
            Some(PathFact::Found(found)) if found.link.is_none() => {
                path_line(found.text.as_deref()?, admin)
            }
            _ => None,
        }
    }

    /// A rule of the policy's own stays, unless it grants the writing that
    /// protection takes away.
    fn add(&mut self, at: PathBuf, source: PathBuf, access: Access) -> Result<(), Refusal> {
        if let Some(own) = self.rules.get(&at) {
            return match own.access.writes() && !access.writes() {
                true => Err(self.refuse(format!(
                    "rule {} allows \"{}\" at {}",
                    own.origin,
                    own.access.name(),
                    quote(&at)
                ))),
                false => Ok(()),
            };
        }
        self.rules.insert(
            at,
            FileRule {
                content: Content::Host(source),
                access,
                optional: false,
                git: false,
                follows: false,
                origin: format!("{}, git = \"protect\"", self.rule.origin),
            },
        );
        Ok(())
    }

    fn refuse(&self, why: impl std::fmt::Display) -> Refusal {
        Refusal::new(format!(
            "cannot protect git in {} (rule {}): {why}",
            quote(&self.tree.real),
            self.rule.origin
        ))
    }
}

/// The same without the right to write.
pub(super) fn without_write(access: Access) -> Access {
    match access {
        Access::WriteExec => Access::Exec,
        Access::Write => Access::Read,
        other => other,
    }
}
