//! The policy language from outside: what the shipped policies say, what every
//! mistake is answered with, and what the command line may override.
//!
//! Files on disk are in `policy/files.rs`, laws over random input in
//! `policy/laws.rs`, policies written down in `policy/written.rs`.

#[path = "policy/files.rs"]
mod files;
#[path = "policy/laws.rs"]
mod laws;
#[path = "policy/written.rs"]
mod written;

use sandbox::policy::{
    Access, BUILTIN, Content, Context, Disk, InsidePath, IoRates, Network, Policy, Weaken, builtin,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A caller that is the same on every machine.
fn context() -> Context {
    Context {
        cwd: PathBuf::from("/work/here"),
        home: Some(PathBuf::from("/home/u")),
        env: [(String::from("SET"), String::from("/set"))].into(),
    }
}

fn parse(text: &str) -> Policy {
    Policy::parse(text, "x.toml", &context()).unwrap_or_else(|error| panic!("{error}"))
}

fn inside(path: &str) -> InsidePath {
    InsidePath::new(path).unwrap()
}

/// Content and access of the rule for exactly this path.
fn rule(policy: &Policy, path: &str) -> Option<(Content, Access)> {
    let rule = policy.files.get(&inside(path))?;
    Some((rule.content.clone(), rule.access))
}

fn host(path: &str, access: Access) -> Option<(Content, Access)> {
    Some((Content::Host(PathBuf::from(path)), access))
}

/// `mistakes.txt` is a list of bad policies, each with its whole message.
#[test]
fn every_mistake_has_its_exact_message() {
    let list = include_str!("policy/mistakes.txt");
    let mut count = 0;
    for block in list.split("### ").skip(1) {
        let (title, rest) = block.split_once('\n').unwrap();
        let (text, expected) = rest.split_once("---\n").unwrap();
        let error = Policy::parse(text, "x.toml", &context()).expect_err(title);
        assert_eq!(error.to_string(), expected.trim_end(), "{title}");
        count += 1;
    }
    assert!(count >= 60, "only {count} mistakes were read");
}

#[test]
fn shipped_policies_parse_and_say_who_they_are_for() {
    let nobody = Context {
        cwd: PathBuf::from("/"),
        ..Context::default()
    };
    for (name, text) in BUILTIN {
        assert_eq!(builtin(name), Some(*text));
        assert!(text.starts_with(&format!("# {name}: for ")), "{name}");
        for context in [&context(), &nobody] {
            let policy = Policy::load(name.as_ref(), context);
            let policy = policy.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(policy.sources, [] as [PathBuf; 0]);
            assert_eq!(policy.network, Network::None);
            assert_eq!(policy.syscalls.allow, ["@default"]);
            assert!(!policy.weaken.contains_key(&Weaken::HostNetwork));
            assert!(!policy.weaken.contains_key(&Weaken::NoLandlock));
        }
    }
    assert_eq!(builtin("nothing"), None);
}

#[test]
fn every_shipped_rule_has_a_reason() {
    for (name, text) in BUILTIN {
        let mut rules = 0;
        for line in text.lines().filter(|line| line.starts_with('"')) {
            assert!(line.contains("reason = \""), "{name}: {line}");
            rules += 1;
        }
        assert!(rules > 0, "{name}");
    }
}

#[test]
fn strict_lets_nothing_be_written_but_tmp() {
    let strict = Policy::load("strict".as_ref(), &context()).unwrap();
    for (path, rule) in &strict.files {
        let ours = matches!(rule.content, Content::Tmpfs { .. } | Content::Dev { .. });
        assert!(ours || !rule.access.writes(), "{path}");
        assert_ne!(rule.access, Access::WriteExec, "{path}");
    }
    let tmp = Content::Tmpfs {
        bytes: 64 << 20,
        inodes: 4096,
    };
    assert_eq!(rule(&strict, "/tmp"), Some((tmp, Access::Write)));
    assert_eq!(rule(&strict, "/usr"), host("/usr", Access::Exec));
    assert_eq!(rule(&strict, "/etc/ssl/certs"), None);
    assert_eq!(rule(&strict, "/work/here"), None);
    assert!(strict.process.speculation && strict.process.pass_env.is_empty());
    assert_eq!(strict.limits.cpu_time, Some(Duration::from_secs(10)));
    assert_eq!(strict.limits.memory, Some(1 << 30));
    let weakened: Vec<_> = strict.weaken.keys().collect();
    assert_eq!(weakened, [&Weaken::NoSpeculationControl]);
}

#[test]
fn agent_protects_git_and_hides_credentials() {
    let mut context = context();
    let cargo = String::from("/home/u/.cargo");
    context.env.insert(String::from("CARGO_HOME"), cargo);
    let agent = Policy::load("agent".as_ref(), &context).unwrap();
    let here = &agent.files[&inside("/work/here")];
    assert!(here.git && here.access == Access::WriteExec);
    assert_eq!(
        rule(&agent, "/home/u/.cargo"),
        host("/home/u/.cargo", Access::Exec)
    );
    for secret in [".cargo/credentials.toml", ".ssh", ".netrc"] {
        let found = rule(&agent, &format!("/home/u/{secret}"));
        assert_eq!(found, Some((Content::Nothing, Access::None)), "{secret}");
    }
    assert_eq!(rule(&agent, "/home/u"), None);
    assert_eq!(agent.limits.wall_time, None);
    assert_eq!(
        rule(&agent, "/proc"),
        Some((Content::Proc { facts: true }, Access::Read))
    );
}

#[test]
fn every_kind_of_rule() {
    let policy = parse(
        r#"
        version = 1
        [files]
        "." = "read"
        "./out" = { access = "write", git = "protect", optional = true }
        "~/x" = { from = "data", access = "exec", reason = "why not" }
        "$SET/y" = { from = "$SET", access = "write+exec" }
        "$UNSET/y" = { access = "read", optional = true }
        "/z" = { from = "$UNSET/z", access = "read", optional = true }
        "/none" = "none"
        "/t" = { tmpfs = "1GiB" }
        "/u" = { tmpfs = "1MiB", inodes = 9, exec = true }
        "/text" = { text = "a\nb" }
        "/link" = { symlink = "../x" }
        "/proc" = "proc+facts"
        "/dev" = { dev = true, shm = "1MiB" }
        [files."/etc/passwd"]
        synthetic = "passwd"
        "#,
    );
    assert_eq!(
        rule(&policy, "/work/here"),
        host("/work/here", Access::Read)
    );
    let out = &policy.files[&inside("/work/here/out")];
    assert!(out.git && out.optional && out.access == Access::Write);
    assert_eq!(out.origin, "x.toml:5");
    assert_eq!(
        rule(&policy, "/home/u/x"),
        host("/work/here/data", Access::Exec)
    );
    assert_eq!(rule(&policy, "/set/y"), host("/set", Access::WriteExec));
    assert_eq!(rule(&policy, "/z"), None);
    let made = [
        ("/none", Content::Nothing, Access::None),
        (
            "/t",
            Content::Tmpfs {
                bytes: 1 << 30,
                inodes: 65536,
            },
            Access::Write,
        ),
        (
            "/u",
            Content::Tmpfs {
                bytes: 1 << 20,
                inodes: 9,
            },
            Access::WriteExec,
        ),
        ("/text", Content::Text(String::from("a\nb")), Access::Read),
        ("/link", Content::Symlink("../x".into()), Access::Read),
        ("/proc", Content::Proc { facts: true }, Access::Read),
        ("/dev", Content::Dev { shm_bytes: 1 << 20 }, Access::Write),
        ("/etc/passwd", Content::Passwd, Access::Read),
    ];
    for (path, content, access) in made {
        assert_eq!(rule(&policy, path), Some((content, access)), "{path}");
    }
    assert_eq!(policy.files.len(), 12);
}

#[test]
fn later_wins_and_refusals_add_up() {
    let policy = parse(
        r#"
        version = 1
        extends = ["agent"]
        [files]
        "/tmp" = "none"
        [process]
        user = 4000
        env = { HOME = "/" }
        [limits]
        memory = "none"
        wall-time = "1500ms"
        [syscalls]
        allow = ["read", "write"]
        deny = ["ptrace", "ptrace"]
        "#,
    );
    assert_eq!(
        rule(&policy, "/tmp"),
        Some((Content::Nothing, Access::None))
    );
    assert_eq!((policy.process.user, policy.process.group), (4000, 4000));
    // Set after it was let through, so the caller's no longer comes through.
    assert_eq!(policy.process.env["HOME"], "/");
    assert_eq!(policy.process.env["LANG"], "C.UTF-8");
    assert!(!policy.process.pass_env.contains(&String::from("HOME")));
    assert!(policy.process.pass_env.contains(&String::from("PATH")));
    assert_eq!(policy.limits.memory, None);
    assert_eq!(policy.limits.wall_time, Some(Duration::from_millis(1500)));
    assert_eq!(policy.limits.processes, Some(2048));
    assert_eq!(policy.syscalls.allow, ["read", "write"]);
    assert_eq!(policy.syscalls.deny, ["ptrace"]);

    // In one file, the value is what counts where the caller has none.
    let both = "version = 1\n[process]\npass-env = [\"A\"]\nenv = { A = \"1\" }";
    assert_eq!(parse(both).process.pass_env, ["A"]);
}

#[test]
fn two_rules_over_one_of_another_file_must_agree() {
    let text = |rules: &str| format!("version = 1\nextends = [\"compile\"]\n[files]\n{rules}\n");
    let agreeing = text("\"/x\" = \"read\"\n\"~/.cargo\" = \"none\"\n\"~//.cargo\" = \"none\"");
    let policy = parse(&agreeing);
    let rule = &policy.files[&inside("/home/u/.cargo")];
    assert_eq!(rule.content, Content::Nothing);
    assert_eq!(rule.origin, "x.toml:5");
    for (more, names) in [
        (
            "\"~/./.cargo\" = \"read\"",
            "`~/./.cargo` and `~/.cargo` of line 5",
        ),
        ("\"/x/\" = \"read\"", "`/x/` and `/x` of line 4"),
    ] {
        let text = format!("{agreeing}{more}\n");
        let error = Policy::parse(&text, "x.toml", &context()).unwrap_err();
        assert!(error.message.starts_with(names), "{error}");
        assert_eq!(error.line, 7);
    }
}

#[test]
fn limits_of_speed_are_what_they_say() {
    let rates = |read_bytes, writes| IoRates {
        read_bytes,
        writes,
        ..IoRates::default()
    };
    let text = r#"
        version = 1
        [limits]
        cpu-max = 1.5
        cpu-weight = 40
        [limits.io-max]
        "8:0" = { read-bytes = "10MiB", writes = 5 }
        "~/data/" = { read-bytes = 4096 }
        "259:3" = "none"
        "#;
    let limits = parse(text).limits;
    assert_eq!(
        (limits.cpu_max, limits.cpu_weight),
        (Some(150_000), Some(40))
    );
    let home = Disk::Of("/home/u/data".into());
    let expected = [
        (Disk::Number(8, 0), rates(Some(10 << 20), Some(5))),
        (home.clone(), rates(Some(4096), None)),
    ];
    assert_eq!(limits.io_max, expected.into());
    // A whole number, or its text.
    for (text, quota) in [("2", 200_000), ("'0.25'", 25_000), ("0.010", 1000)] {
        let limits = parse(&format!("version = 1\n[limits]\ncpu-max = {text}")).limits;
        assert_eq!(limits.cpu_max, Some(quota), "{text}");
    }
    // Absent is none.
    assert_eq!(parse("version = 1").limits.cpu_max, None);

    // Later wins: disk by disk, and `none` takes one, or all, away.
    let scratch = files::Scratch::new();
    scratch.write("a.toml", text);
    let over = |lines: &str| {
        let text = format!("version = 1\nextends = ['a.toml']\n[limits]\n{lines}");
        scratch.write("b.toml", text);
        scratch.load("b.toml").unwrap().limits
    };
    let changed = over("io-max = { '8:0' = { reads = 9 }, '~/data' = 'none' }");
    let only_reads = IoRates {
        reads: Some(9),
        ..IoRates::default()
    };
    assert_eq!(changed.io_max, [(Disk::Number(8, 0), only_reads)].into());
    assert_eq!(changed.cpu_max, Some(150_000));
    let freed = over("io-max = 'none'\ncpu-max = 'none'\ncpu-weight = 'none'");
    assert_eq!(freed, Default::default());
}

#[test]
fn the_host_network_needs_its_reason() {
    let explained = "version = 1\n[network]\nmode = \"host\"\n[weaken]\nhost-network = \"db\"";
    assert_eq!(parse(explained).network, Network::Host);
    let mut policy = parse("version = 1");
    policy.set_network("host").unwrap();
    let refused = "the host's network needs a reason: `weaken.host-network` is missing\n\
        hint: write `host-network = \"why the program needs it\"` under `[weaken]`";
    assert_eq!(policy.validate().unwrap_err().to_string(), refused);
    policy.add_weaken("host-network=the database").unwrap();
    assert_eq!(policy.validate(), Ok(()));
}

#[test]
fn overrides_say_the_same_as_the_file() {
    let mut policy = Policy::load("strict".as_ref(), &context()).unwrap();
    let here = context();
    policy.add_file(Access::Write, "data", &here).unwrap();
    policy.add_file(Access::Read, "~/x:/y", &here).unwrap();
    policy.add_tmpfs("/scratch:1MiB:7", &here).unwrap();
    policy.add_tmpfs("/more", &here).unwrap();
    policy.hide("/usr/share", &here).unwrap();
    policy.set_env("A=b=c").unwrap();
    policy.set_env("TERM").unwrap();
    policy.set_memory("256MiB").unwrap();
    policy.set_wall_time("none").unwrap();
    policy.set_processes("7").unwrap();
    policy.set_user("77").unwrap();
    policy.set_cwd(".", &here).unwrap();
    assert_eq!(
        rule(&policy, "/work/here/data"),
        host("/work/here/data", Access::Write)
    );
    assert_eq!(rule(&policy, "/y"), host("/home/u/x", Access::Read));
    assert_eq!(policy.files[&inside("/y")].origin, "--read");
    let tmpfs = |bytes, inodes| Some((Content::Tmpfs { bytes, inodes }, Access::Write));
    assert_eq!(rule(&policy, "/scratch"), tmpfs(1 << 20, 7));
    assert_eq!(rule(&policy, "/more"), tmpfs(64 << 20, 4096));
    assert_eq!(
        rule(&policy, "/usr/share"),
        Some((Content::Nothing, Access::None))
    );
    assert_eq!(policy.process.env["A"], "b=c");
    assert_eq!(policy.process.pass_env, ["TERM"]);
    assert_eq!(policy.limits.memory, Some(256 << 20));
    assert_eq!(policy.limits.wall_time, None);
    assert_eq!(policy.limits.processes, Some(7));
    assert_eq!((policy.process.user, policy.process.group), (77, 77));
    let cwd = policy.process.cwd.as_ref().map(InsidePath::as_path);
    assert_eq!(cwd, Some(Path::new("/work/here")));
}

#[test]
fn overrides_refuse_with_a_sentence_and_change_nothing() {
    let mut policy = Policy::load("strict".as_ref(), &context()).unwrap();
    let before = policy.clone();
    let here = context();
    let answers = [
        policy.add_file(Access::Read, "", &here),
        policy.add_file(Access::Read, "/a:b", &here),
        policy.add_file(Access::Read, "../x", &here),
        policy.add_tmpfs("/t:0", &here),
        policy.add_tmpfs("/t:1MiB:0", &here),
        policy.hide("~root", &here),
        policy.set_env("=x"),
        policy.set_memory("0"),
        policy.set_cpu_time("10"),
        policy.set_open_files("many"),
        policy.set_user("0"),
        policy.set_hostname("a_b"),
        policy.set_network("loop"),
        policy.add_weaken("host-network"),
        policy.add_weaken("host-netwrok=x"),
    ];
    let said = answers.map(|answer| answer.unwrap_err());
    let expected = [
        "the path is empty",
        "`b` must be absolute, or begin with `~`, `$NAME` or `.`",
        "`../x` must not contain `..`",
        "a tmpfs of 0 bytes would have no limit at all",
        "a tmpfs of 0 inodes would have no limit at all",
        "`~root` names another user's home; only `~` and `~/…` are known",
        "the name of a variable is empty",
        "`memory` must not be 0; write \"none\" for no limit",
        "`10` has no unit of time; write ms, s, m or h, such as `10s`",
        "`many` is not a number; write something like `64`",
        "`user` must not be 0: programs behave as if they were root, and inside they never are",
        "`a_b` is no host name; use 1 to 64 of the characters A-Z a-z 0-9 `.` `-`",
        "unknown network `loop`; did you mean `loopback`?",
        "`host-network` needs a reason; the report repeats it",
        "unknown weakening `host-netwrok`; did you mean `host-network`?",
    ];
    assert_eq!(said, expected);
    assert_eq!(policy, before);
}

/// The design's own example: `/work` is mapped, and a rule below it without a source
/// speaks of the mapped tree, not of the host's `/work`.
#[test]
fn a_rule_without_a_source_follows_the_tree_around_it() {
    let text = "version = 1\n[files]\n\"/work\" = { from = \"/home/u/p\", access = \"write\" }\n\
                \"/work/.git\" = \"exec\"\n\"/work/.git/hooks\" = \"read\"\n\
                \"/work/own\" = { from = \"/opt/own\", access = \"read\" }\n\"/work/own/x\" = \"write\"\n\
                \"/t\" = { tmpfs = \"1MiB\" }\n\"/t/lib\" = \"read\"\n\"/usr\" = \"exec\"\n";
    let mut policy = Policy::parse(text, "p.toml", &context()).unwrap();
    let source =
        |policy: &Policy, at: &str| match &policy.files[&InsidePath::new(at).unwrap()].content {
            Content::Host(path) => path.display().to_string(),
            other => panic!("{at}: {other:?}"),
        };
    for (at, expected) in [
        ("/work/.git", "/home/u/p/.git"),
        ("/work/.git/hooks", "/home/u/p/.git/hooks"),
        ("/work/own/x", "/opt/own/x"),
        ("/t/lib", "/t/lib"),
        ("/usr", "/usr"),
    ] {
        assert_eq!(source(&policy, at), expected, "{at}");
    }
    // An option that maps the tree anew takes the rules below it along.
    policy
        .add_file(Access::Write, "/srv/q:/work", &context())
        .unwrap();
    assert_eq!(source(&policy, "/work/.git/hooks"), "/srv/q/.git/hooks");
}

#[test]
fn a_rule_inside_a_hidden_part_speaks_of_the_same_tree() {
    let policy = parse(
        r#"
version = 1
[files]
"/w" = { from = "/home/u/p", access = "write" }
"/w/a" = "none"
"/w/a/b" = "read"
"/x" = "none"
"/x/y" = "read"
"#,
    );
    let source = |at| match &policy.files[&inside(at)].content {
        Content::Host(source) => source.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(source("/w/a/b"), Path::new("/home/u/p/a/b"));
    assert_eq!(source("/x/y"), Path::new("/x/y"));
}
