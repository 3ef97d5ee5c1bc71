//! What random input once found, as plain examples: a restriction that looked as if it
//! widened the plan.
//!
//! Each was a mistake of the law, not of the plan.

use super::{Case, Machine, restrict, wider};
use crate::mounts_host::{self, Tree};
use sandbox::plan::Plan;
use sandbox::policy::{Access, InsidePath, Policy};

/// The plans before and after a policy is made narrower, where it can be.
fn narrowed(
    files: Policy,
    tree: &Tree,
    narrow: impl Fn(&mut Policy) -> Option<()>,
) -> Option<(Plan, Plan)> {
    let machine = Machine {
        landlock_abi: 7,
        speculation: [0, 0],
        mdwe: true,
        core_scheduling: false,
        most_files: None,
        cgroup: None,
    };
    let mut policy = files;
    policy.syscalls.allow = vec!["@default".into()];
    let case = Case {
        policy,
        tree: tree.clone(),
        machine,
        tty: false,
    };
    let mut narrower = case.policy.clone();
    narrow(&mut narrower)?;
    let plan = |policy| case.plan(policy, &case.host()).unwrap();
    Some((plan(&case.policy), plan(&narrower)))
}

/// The same by removing the rule of `/h`.
fn without(files: Policy, tree: &Tree) -> Option<(Plan, Plan)> {
    narrowed(files, tree, |policy| {
        restrict::remove(policy, tree, &InsidePath::new("/h").unwrap())
    })
}

/// Random input once found this: `/h` is a tmpfs, and the place for what is hidden in it
/// is a directory that the program could have made; a link of another tree leads there.
#[test]
fn a_place_that_is_made_for_a_hidden_name_is_the_programs_by_any_link() {
    let tree = Tree::new(&["/h/a/a -> /h"]);
    let policy = mounts_host::policy(vec![
        ("/h", mounts_host::tmpfs(Access::Write)),
        ("/i", mounts_host::host("/h/a", Access::Read)),
    ]);
    let hide = |policy: &mut Policy| {
        let hidden = InsidePath::new("/h/a/a").unwrap();
        policy.files.insert(hidden, mounts_host::nothing());
        Some(())
    };
    let (before, after) = narrowed(policy, &tree, hide).unwrap();
    wider::no_wider(&before, &after, &tree, &[]).unwrap();
}

/// Random input once found this: the link is followed while the tree is there, and what
/// it leads to has the rule. The law took the link's name for the file's.
#[test]
fn a_rule_behind_a_link_is_as_wide_without_the_tree() {
    let tree = Tree::new(&["/h/b/a/b*", "/h/b/b -> /h/b/a"]);
    let policy = mounts_host::policy(vec![
        ("/h", mounts_host::host("/h", Access::Read)),
        ("/h/b/b/b", mounts_host::host("/h/b/b/b", Access::Exec)),
    ]);
    let (before, after) = without(policy, &tree).unwrap();
    wider::no_wider(&before, &after, &tree, &[]).unwrap();
}

/// And this: `/h/b` says what the tree around says already, and `/h/a/a` hides something
/// behind the link that it is. With a name of its own that is there, so it is no step.
#[test]
fn a_link_of_the_tree_is_known_under_the_name_that_the_map_gives_it() {
    let tree = Tree::new(&["/h/a/a/a", "/h/a/b -> a"]);
    let policy = mounts_host::policy(vec![
        ("/h", mounts_host::host("/h/a", Access::Read)),
        ("/h/a/a", mounts_host::nothing()),
        ("/h/b", mounts_host::host("/h/a/b", Access::Read)),
    ]);
    assert!(without(policy, &tree).is_none());
}
