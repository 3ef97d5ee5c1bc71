//! The mount plans of representative file maps, word for word, and the refusals.

#[path = "mounts_golden/links.rs"]
mod links;
mod mounts_host;

use mounts_host::{Tree, host, nothing, policy, rule, text, tmpfs};
use sandbox::plan::mounts::{candidates, resolve};
use sandbox::plan::{Refusal, landlock};
use sandbox::policy::{Access, Content, FileRule, Network, Policy, Weaken};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

fn planned(policy: &Policy, tree: &Tree, also: &[&str], program: &str) -> Result<String, Refusal> {
    let host = tree.host(also.iter().map(PathBuf::from));
    resolve(policy, &host, OsStr::new(program)).map(|(mounts, _)| text(&mounts.ops))
}

fn plan(rules: Vec<(&str, FileRule)>, tree: &[&str], also: &[&str]) -> String {
    planned(&policy(rules), &Tree::new(tree), also, "x").unwrap()
}

fn refusal(rules: Vec<(&str, FileRule)>, tree: &[&str], also: &[&str]) -> String {
    planned(&policy(rules), &Tree::new(tree), also, "x")
        .unwrap_err()
        .to_string()
}

fn git(source: &str) -> FileRule {
    FileRule {
        git: true,
        ..host(source, Access::Write)
    }
}

#[test]
fn directories_above_a_protected_path_are_pinned() {
    let tree = ["/src/a/b/secret/k", "/src/a/note"];
    let rules = vec![
        ("/work", host("/src", Access::Write)),
        ("/work/a/b/secret", nothing()),
        ("/work/a/note", host("/src/a/note", Access::Read)),
    ];
    assert_eq!(
        plan(rules, &tree, &[]),
        "directory /work 755\n\
         bind /work from /src rw noexec\n\
         pin /work/a rw noexec\n\
         pin /work/a/b rw noexec\n\
         mask /work/a/b/secret directory\n\
         bind /work/a/note from /src/a/note ro noexec\n\
         seal /\n"
    );
}

#[test]
fn what_is_hidden_can_hold_something_visible() {
    let rules = vec![
        ("/home", nothing()),
        ("/home/u/p", host("/home/u/p", Access::Read)),
        ("/usr", host("/usr", Access::Exec)),
        ("/usr/share", nothing()),
        ("/usr/share/zone", host("/usr/share/zone", Access::Read)),
    ];
    assert_eq!(
        plan(rules, &["/home/u/p/", "/usr/share/zone/"], &[]),
        "directory /home 111\n\
         directory /home/u 111\n\
         directory /home/u/p 755\n\
         bind /home/u/p from /home/u/p ro noexec\n\
         directory /usr 755\n\
         bind /usr from /usr ro\n\
         tmpfs /usr/share 111 rw noexec\n\
         directory /usr/share/zone 755\n\
         bind /usr/share/zone from /usr/share/zone ro noexec\n\
         seal /usr/share\n\
         seal /\n"
    );
}

#[test]
fn dev_proc_and_made_up_files() {
    let devices = [
        "/dev/full!",
        "/dev/null!",
        "/dev/random!",
        "/dev/tty!",
        "/dev/urandom!",
        "/dev/zero!",
        "/dev/kvm!",
    ];
    let rules = vec![
        (
            "/dev",
            rule(Content::Dev { shm_bytes: 1 << 20 }, Access::Write),
        ),
        ("/dev/kvm", host("/dev/kvm", Access::Write)),
        ("/etc/hosts", rule(Content::Hosts, Access::Read)),
        ("/proc", rule(Content::Proc { facts: true }, Access::Read)),
        ("/tmp", tmpfs(Access::Write)),
        ("/tmp/a/b", nothing()),
        ("/tmp/rc", rule(Content::Text("x".into()), Access::Read)),
    ];
    let policy = policy(rules);
    let mut host = Tree::new(&devices).host([]);
    host.proc_entries = ["loadavg", "self", "sys/", "kcore"]
        .map(String::from)
        .to_vec();
    let (mounts, files) = resolve(&policy, &host, OsStr::new("x")).unwrap();
    assert_eq!(
        text(&mounts.ops),
        "directory /dev 755\n\
         tmpfs /dev 755 rw noexec\n\
         symlink /dev/fd -> /proc/self/fd\n\
         file /dev/full 444 \"\"\n\
         bind /dev/full from /dev/full rw noexec device\n\
         file /dev/kvm 444 \"\"\n\
         bind /dev/kvm from /dev/kvm rw noexec device\n\
         file /dev/null 444 \"\"\n\
         bind /dev/null from /dev/null rw noexec device\n\
         symlink /dev/ptmx -> pts/ptmx\n\
         directory /dev/pts 755\n\
         devpts /dev/pts\n\
         file /dev/random 444 \"\"\n\
         bind /dev/random from /dev/random rw noexec device\n\
         directory /dev/shm 755\n\
         tmpfs /dev/shm 1777 rw noexec\n\
         symlink /dev/stderr -> /proc/self/fd/2\n\
         symlink /dev/stdin -> /proc/self/fd/0\n\
         symlink /dev/stdout -> /proc/self/fd/1\n\
         file /dev/tty 444 \"\"\n\
         bind /dev/tty from /dev/tty rw noexec device\n\
         file /dev/urandom 444 \"\"\n\
         bind /dev/urandom from /dev/urandom rw noexec device\n\
         file /dev/zero 444 \"\"\n\
         bind /dev/zero from /dev/zero rw noexec device\n\
         directory /etc 755\n\
         file /etc/hosts 444 \"127.0.0.1 localhost sandbox\\n::1 localhost ip6-localhost sandbox\\n\"\n\
         directory /proc 755\n\
         proc /proc only-pids=false\n\
         cover /proc/loadavg \"0.00 0.00 0.00 1/1 1\\n\"\n\
         mask /proc/sys directory\n\
         mask /proc/kcore file\n\
         directory /tmp 755\n\
         tmpfs /tmp 1777 rw noexec\n\
         directory /tmp/a 755\n\
         pin /tmp/a rw noexec\n\
         directory /tmp/a/b 755\n\
         mask /tmp/a/b directory\n\
         file /tmp/rc 444 \"\"\n\
         cover /tmp/rc \"x\"\n\
         seal /dev\n\
         seal /\n"
    );
    let domain = landlock::resolve(&files, Network::None, 7).unwrap();
    let rights = |path: &str| {
        let at = Path::new(path);
        domain
            .rules
            .iter()
            .find(|rule| rule.0 == at)
            .map(|rule| rule.1)
    };
    // Numbers from linux/landlock.h.
    assert_eq!(domain.handled_fs, 0xffff);
    assert_eq!((domain.handled_net, domain.scoped), (3, 3));
    // Everything in our own root can be read, and everything in /dev written.
    assert_eq!(rights("/"), Some(1 << 2 | 1 << 3));
    assert_eq!(rights("/dev"), Some(1 << 1 | 1 << 2 | 1 << 15));
    for shared in ["/dev/null", "/dev/pts", "/etc/hosts", "/proc"] {
        assert_eq!(rights(shared), None);
    }
    // All of ABI 7 but execute, make_char, make_block and ioctl_dev.
    assert_eq!(rights("/tmp"), Some(0x7fff & !(1 | 1 << 6 | 1 << 11)));
    assert_eq!(rights("/tmp/a/b"), None);
    let old = landlock::resolve(&files, Network::None, 1).unwrap();
    assert_eq!(
        (old.handled_fs, old.handled_net, old.scoped),
        (0x1fff, 0, 0)
    );
}

const REPOSITORY: [&str; 6] = [
    "/r/.git/config = [core]\n",
    "/r/.git/hooks/",
    "/r/.git/HEAD",
    "/r/.git/objects/",
    "/r/.git/refs/",
    "/r/.git/logs/",
];
const UNKNOWN: [&str; 6] = [
    "/r/.git/config.worktree",
    "/r/.git/commondir",
    "/r/.git/modules",
    "/r/.git/worktrees",
    "/w/.git",
    "/r/.git/worktrees/w/config.worktree",
];

#[test]
fn a_plain_repository_keeps_its_hooks_and_configuration() {
    let mut policy = policy(vec![("/work", git("/r"))]);
    let tree = Tree::new(&REPOSITORY);
    let refused = planned(&policy, &tree, &UNKNOWN, "x").unwrap_err();
    assert!(refused.message.contains("add `commondir`"), "{refused}");
    policy.weaken.insert(Weaken::WritableGit, "tests".into());
    let host = tree.host(UNKNOWN.map(PathBuf::from));
    let (mounts, files) = resolve(&policy, &host, OsStr::new("x")).unwrap();
    assert_eq!(files.weakened, [Weaken::WritableGit]);
    assert_eq!(
        text(&mounts.ops),
        "directory /work 755\n\
         bind /work from /r rw noexec\n\
         pin /work/.git rw noexec\n\
         bind /work/.git/config from /r/.git/config ro noexec\n\
         bind /work/.git/hooks from /r/.git/hooks ro noexec\n\
         seal /\n"
    );
}

fn linked(back: &str) -> Result<String, Refusal> {
    let back = format!("/r/.git/worktrees/w/gitdir = {back}\n");
    let mut tree = REPOSITORY.to_vec();
    tree.extend([
        "/w/.git = gitdir: /r/.git/worktrees/w\n",
        "/r/.git/worktrees/w/commondir = ../..\n",
        "/other/.git",
        back.as_str(),
    ]);
    let policy = policy(vec![("/work", git("/w"))]);
    let also = [&UNKNOWN[..], &["/r/.git/worktrees/w/../.."]].concat();
    planned(&policy, &Tree::new(&tree), &also, "x")
}

#[test]
fn a_linked_work_tree_sees_its_repository() {
    assert_eq!(
        linked("/w/.git").unwrap(),
        "directory /r 755\n\
         directory /r/.git 755\n\
         bind /r/.git from /r/.git ro noexec\n\
         bind /r/.git/logs from /r/.git/logs rw noexec\n\
         bind /r/.git/objects from /r/.git/objects rw noexec\n\
         bind /r/.git/refs from /r/.git/refs rw noexec\n\
         bind /r/.git/worktrees/w from /r/.git/worktrees/w rw noexec\n\
         bind /r/.git/worktrees/w/commondir from /r/.git/worktrees/w/commondir ro noexec\n\
         bind /r/.git/worktrees/w/gitdir from /r/.git/worktrees/w/gitdir ro noexec\n\
         directory /work 755\n\
         bind /work from /w rw noexec\n\
         bind /work/.git from /w/.git ro noexec\n\
         seal /\n"
    );
    let refused = linked("/other/.git").unwrap_err().message;
    assert!(
        refused.contains("belongs to another work tree"),
        "{refused}"
    );
}

#[test]
fn what_cannot_be_held_is_refused() {
    let work = || ("/work", host("/src", Access::Write));
    let cases = [
        (
            vec![work(), ("/work/.env", nothing())],
            "cannot keep `/src/.env` from being created (rule p.toml:2): nothing exists there, and a bind mount cannot cover a name that does not exist",
        ),
        (
            vec![work(), ("/work/t", tmpfs(Access::Write))],
            "nothing exists at `/src/t`, and no mount point can be made there without leaving a stub on the host",
        ),
        (
            vec![work(), ("/work/link", nothing())],
            "`/src/link` is a symbolic link that the program could replace",
        ),
        (
            vec![
                work(),
                ("/work/d", nothing()),
                ("/x", host("/src", Access::Write)),
            ],
            "rule p.toml:2 allows \"none\" at `/work/d`, but rule p.toml:3 allows \"write\" for the same host path `/src/d` at `/x`",
        ),
        (
            vec![
                work(),
                ("/work/d", nothing()),
                ("/x", host("/src/d/e", Access::Read)),
            ],
            "for the same host path `/src/d/e` at `/x`",
        ),
        (
            vec![
                ("/ro", host("/src", Access::Read)),
                ("/ro/.env", nothing()),
                work(),
            ],
            "the program may write `/src/.env` through `/work`",
        ),
        (vec![("/x", host("/", Access::Read))], "it contains `/proc`"),
        (
            vec![("/x", host("/proc/sys", Access::Read))],
            "it belongs to `/proc`",
        ),
        (vec![("/x", host("/sys", Access::Read))], "it is `/sys`"),
        (
            vec![("/x", host("/dev/dir", Access::Read))],
            "it belongs to `/dev`",
        ),
        (
            vec![("/x", host("/node", Access::Read))],
            "a device node outside `/dev`",
        ),
        (
            vec![("/x", host("/socket", Access::Read))],
            "does not stop connect(2)",
        ),
        (
            vec![("/x", host("/no", Access::Read))],
            "cannot read `/no` (rule p.toml:1): no such file or directory",
        ),
        (
            vec![("/x", host("/loop", Access::Write))],
            "cannot write `/loop` (rule p.toml:1): too many levels of symbolic links",
        ),
        (
            vec![("/", tmpfs(Access::Write))],
            "`/` cannot have a rule of its own",
        ),
        (
            vec![
                work(),
                ("/work/f/x", nothing()),
                ("/work/f", host("/src/f", Access::Read)),
            ],
            "which is no directory",
        ),
        (
            vec![
                ("/proc", rule(Content::Proc { facts: false }, Access::Read)),
                ("/proc/sys", nothing()),
            ],
            "where nothing can be mounted",
        ),
        (
            vec![
                ("/a", rule(Content::Symlink("/b".into()), Access::Read)),
                ("/a/x", host("/src", Access::Read)),
                ("/b/x", host("/src/d", Access::Read)),
            ],
            "both speak of `/b/x`, and differ",
        ),
        (
            vec![
                ("/a", rule(Content::Symlink("/a".into()), Access::Read)),
                ("/a/x", nothing()),
            ],
            "too many symbolic links",
        ),
    ];
    let tree = [
        "/src/d/e/",
        "/src/f",
        "/src/link -> d",
        "/proc/sys/",
        "/sys/",
        "/dev/dir/",
        "/node!",
        "/socket@",
        "/loop -> loop",
    ];
    for (rules, expected) in cases {
        let refused = refusal(rules, &tree, &["/src/.env", "/src/t", "/no", "/src/f/x"]);
        assert!(
            refused.contains(expected),
            "{refused}\n  wanted: {expected}"
        );
    }
}

#[test]
fn rules_with_nothing_to_do_vanish() {
    let optional = |rule: FileRule| FileRule {
        optional: true,
        ..rule
    };
    let rules = vec![
        ("/gone", optional(host("/no", Access::Read))),
        ("/usr", host("/usr", Access::Exec)),
        ("/usr/bin", host("/usr/bin", Access::Exec)),
        ("/usr/none", nothing()),
        ("/usr/same", host("/usr/same", Access::Read)),
        ("/w", host("/w", Access::Write)),
        ("/w/.env", optional(nothing())),
    ];
    assert_eq!(
        plan(
            rules,
            &["/usr/bin/", "/w/"],
            &["/no", "/usr/none", "/usr/same", "/w/.env"]
        ),
        "directory /usr 755\n\
         bind /usr from /usr ro\n\
         directory /w 755\n\
         bind /w from /w rw noexec\n\
         seal /\n"
    );
}

#[test]
fn a_policy_that_the_program_could_change_is_refused() {
    let tree = ["/src/p.toml", "/etc/q.toml", "/src/q.toml -> /etc/q.toml"];
    for source in ["/src/p.toml", "/src/q.toml"] {
        let mut policy = policy(vec![("/work", host("/src", Access::Write))]);
        policy.sources.push(source.into());
        let refused = planned(&policy, &Tree::new(&tree), &[], "x").unwrap_err();
        assert_eq!(
            refused.message,
            format!(
                "policy `{source}` lies in `/work`, which the program may write: it could change its own rules"
            )
        );
    }
    let mut policy = policy(vec![
        ("/work", host("/src", Access::Write)),
        ("/work/p.toml", host("/src/p.toml", Access::Read)),
    ]);
    policy.sources.push("/src/p.toml".into());
    planned(&policy, &Tree::new(&tree), &[], "x").unwrap();
}

#[test]
fn the_program_is_visible_or_named_in_a_refusal() {
    let tree = Tree::new(&[
        "/work/run*",
        "/work/data",
        "/work/link -> /opt/run",
        "/opt/run*",
        "/h/x*",
    ]);
    let also = [
        "/work/./run",
        "/work/no",
        "/work/../opt/run",
        "/work/./data",
    ];
    let policy = policy(vec![("/h", nothing()), ("/tmp", tmpfs(Access::Write))]);
    let run = |program: &str| planned(&policy, &tree, &also, program);
    let own = |at: &str, source: &str, parent: &str| {
        format!("directory /{parent} 755\nfile {at} 444 \"\"\nbind {at} from {source} ro\nseal /\n")
    };
    for (program, at, source, parent) in [
        ("./run", "/work/run", "/work/run", "work"),
        ("/work/link", "/work/link", "/opt/run", "work"),
        ("../opt/run", "/opt/run", "/opt/run", "opt"),
    ] {
        let plan = run(program).unwrap();
        let wanted = own(at, source, parent);
        assert!(
            plan.replace("directory /tmp 755\ntmpfs /tmp 1777 rw noexec\n", "") == wanted,
            "{plan}\n  wanted: {wanted}"
        );
    }
    for (program, code, message) in [
        ("/work/no", 127, "program `/work/no` not found"),
        ("/work", 126, "program `/work` is a directory"),
        ("./data", 126, "program `./data` is not executable"),
        (
            "/h/x",
            126,
            "program `/h/x` is hidden by the rule for `/h` (p.toml:1)",
        ),
        ("", 127, "the program's name is empty"),
    ] {
        let refused = run(program).unwrap_err();
        assert_eq!(
            (refused.exit_code, refused.message.as_str()),
            (code, message)
        );
    }
    let host = tree.host([]);
    let list = |program: &str, path: Option<&str>| {
        candidates(
            OsStr::new(program),
            path.map(OsStr::new),
            Path::new("/in"),
            &host,
        )
    };
    assert_eq!(
        list("x", Some("/usr/bin::/bin:rel:/bin")),
        ["/usr/bin/x", "/in/x", "/bin/x", "/in/rel/x"].map(PathBuf::from)
    );
    assert_eq!(list("x", None), ["/bin/x", "/usr/bin/x"].map(PathBuf::from));
    assert_eq!(list("./run", None), [PathBuf::from("/work/run")]);
}
