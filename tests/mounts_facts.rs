//! Facts gathered from the real machine are all that the mount planner asks for.

mod mounts_host;

use mounts_host::{Tree, host, nothing, policy, rule, text};
use sandbox::host::paths;
use sandbox::plan::mounts::resolve;
use sandbox::policy::{Access, Content, FileRule};
use std::ffi::OsStr;
use std::path::Path;

#[test]
fn a_real_work_tree_is_planned_from_gathered_facts() {
    let base = std::env::temp_dir().join(format!("mounts-golden-{}", std::process::id()));
    for name in ["config", "hooks/x", "objects/x", "refs/x", "worktrees/w/x"] {
        let path = base.join("r/.git").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    std::fs::create_dir_all(base.join("w/src")).unwrap();
    let base = std::fs::canonicalize(&base).unwrap();
    let admin = base.join("r/.git/worktrees/w");
    std::fs::write(
        base.join("w/.git"),
        format!("gitdir: {}\n", admin.display()),
    )
    .unwrap();
    std::fs::write(
        admin.join("gitdir"),
        format!("{}\n", base.join("w/.git").display()),
    )
    .unwrap();
    std::fs::write(admin.join("commondir"), "../..\n").unwrap();
    let source = base.join("w");
    let work_tree = FileRule {
        git: true,
        ..host(source.to_str().unwrap(), Access::Write)
    };
    let policy = policy(vec![
        ("/bin", host("/bin", Access::Exec)),
        ("/bin/no-such-program", nothing()),
        (
            "/dev",
            rule(Content::Dev { shm_bytes: 1 << 20 }, Access::Write),
        ),
        ("/usr", host("/usr", Access::Exec)),
        ("/usr/bin/env", host("/usr/bin/env", Access::Read)),
        ("/work", work_tree),
        (
            "/work/src",
            host(source.join("src").to_str().unwrap(), Access::Read),
        ),
    ]);
    let mut machine = Tree::new(&[]).host([]);
    machine.cwd = "/usr".into();
    let program = "bin/env";
    machine.paths = paths::facts(&policy, Some(Path::new(program)), &machine.cwd);
    let planned = resolve(&policy, &machine, OsStr::new(program));
    std::fs::remove_dir_all(&base).unwrap();
    let (mounts, files) = planned.unwrap();
    let plan = text(&mounts.ops);
    assert!(plan.contains("bind /work/.git from "), "{plan}");
    assert_eq!(
        files.access_at(Path::new("/work/src/x")),
        Some(Access::Read)
    );
    assert_eq!(files.access_at(&admin.join("index")), Some(Access::Write));
    assert_eq!(
        files.access_at(&admin.join("commondir")),
        Some(Access::Read)
    );
    assert_eq!(files.access_at(Path::new("/home")), None);
    assert_eq!(files.visible(&source.join("a")), Some("/work/a".into()));
    assert_eq!(
        files.visible(Path::new("/usr/bin")),
        Some("/usr/bin".into())
    );
    assert_eq!(files.visible(Path::new("/root")), None);
}
