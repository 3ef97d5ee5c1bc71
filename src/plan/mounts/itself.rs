//! Keeps the program from replacing the executable that isolates it.
//!
//! It only narrows: it adds nothing that is not visible already, and leaves every
//! rule of the policy as it is.

use super::git::without_write;
use super::rules::Rules;
use super::tree::join;
use crate::host::{Host, PathFact};
use crate::policy::{Content, FileRule};

/// Adds a read-only rule wherever a writable tree contains the running executable:
/// whoever starts it again would run what the program left there (the lesson of
/// CVE-2019-5736). A policy's own rule at that place, or below the tree and above
/// it, stays.
pub(super) fn protect(rules: &mut Rules, host: &Host) {
    let Some(exe) = &host.exe else {
        return;
    };
    let mut more = Vec::new();
    for (at, rule) in rules.iter() {
        let Content::Host(source) = &rule.content else {
            continue;
        };
        if !rule.access.writes() {
            continue;
        }
        let Some(PathFact::Found(tree)) = host.paths.get(source) else {
            continue;
        };
        let Ok(rest) = exe.strip_prefix(&tree.real) else {
            continue;
        };
        let inside = join(at, rest);
        let nearest = rules.nearest(&inside).map(|(nearest, _)| nearest);
        if nearest == Some(at) && inside != *at {
            more.push((
                inside,
                FileRule {
                    content: Content::Host(exe.clone()),
                    access: without_write(rule.access),
                    optional: true,
                    git: false,
                    follows: false,
                    origin: format!("{}, which contains sandbox itself", rule.origin),
                },
            ));
        }
    }
    for (at, rule) in more {
        rules.insert(at, rule);
    }
}
