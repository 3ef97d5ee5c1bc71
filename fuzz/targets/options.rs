//! The setters behind the command line's options, on arbitrary values.
//!
//! A value is refused in a sentence, or the policy it leaves is valid and says it.
//! How options are found among words is clap's work.

use super::bytes::printable;
use super::valid;
use sandbox::policy::{Access, Content, Context, Policy};
use std::path::PathBuf;

type Setter = fn(&mut Policy, &str, &Context) -> Result<(), String>;

const OPTIONS: [(&str, Setter); 24] = [
    ("read", |p, text, c| p.add_file(Access::Read, text, c)),
    ("exec", |p, text, c| p.add_file(Access::Exec, text, c)),
    ("write", |p, text, c| p.add_file(Access::Write, text, c)),
    ("write-exec", |p, text, c| {
        p.add_file(Access::WriteExec, text, c)
    }),
    ("none", |p, text, c| p.add_file(Access::None, text, c)),
    ("tmpfs", Policy::add_tmpfs),
    ("hide", Policy::hide),
    ("env", |p, text, _| p.set_env(text)),
    ("cwd", Policy::set_cwd),
    ("user", |p, text, _| p.set_user(text)),
    ("group", |p, text, _| p.set_group(text)),
    ("hostname", |p, text, _| p.set_hostname(text)),
    ("network", |p, text, _| p.set_network(text)),
    ("weaken", |p, text, _| p.add_weaken(text)),
    ("memory", |p, text, _| p.set_memory(text)),
    ("processes", |p, text, _| p.set_processes(text)),
    ("cpu-time", |p, text, _| p.set_cpu_time(text)),
    ("wall-time", |p, text, _| p.set_wall_time(text)),
    ("output", |p, text, _| p.set_output(text)),
    ("stdout", |p, text, _| p.set_stdout(text)),
    ("stderr", |p, text, _| p.set_stderr(text)),
    ("stack", |p, text, _| p.set_stack(text)),
    ("cpu-max", |p, text, _| p.set_cpu_max(text)),
    ("cpu-weight", |p, text, _| p.set_cpu_weight(text)),
];

/// The input is one option a line, `NAME VALUE`.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let context = Context {
        cwd: PathBuf::from("/cwd"),
        home: Some(PathBuf::from("/home/u")),
        env: [("SET", "/set"), ("REL", "rel"), ("UP", "/a/../b")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    };
    let mut policy = start(&context);
    for line in text.split('\n').take(20) {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        valid::amounts(value);
        let Some((_, set)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        let before = policy.clone();
        match set(&mut policy, value, &context) {
            Ok(()) => {
                valid::hold(&policy);
                files(&before, &policy);
            }
            Err(sentence) => {
                printable(&sentence);
                assert!(!sentence.is_empty());
                assert_eq!(before, policy, "what is refused changes nothing");
            }
        }
        if let Err(error) = policy.validate() {
            printable(&error.to_string());
        }
    }
}

fn start(context: &Context) -> Policy {
    let text = "version = 1\n[files]\n\"/w\" = { access = \"write\", git = \"protect\" }\n\
                \"/w/.git\" = \"read\"\n[syscalls]\nallow = [\"@default\"]";
    Policy::parse(text, "start.toml", context).expect("the policy to start from")
}

/// An option says one rule; protection of a repository is never lost by it, unless
/// the tree itself goes.
fn files(before: &Policy, after: &Policy) {
    let changed = |at| match (before.files.get(at), after.files.get(at)) {
        (Some(old), Some(new)) => old.origin != new.origin || old.access != new.access,
        (old, new) => old.is_some() != new.is_some(),
    };
    let all = before.files.keys().chain(after.files.keys());
    let mut changed: Vec<_> = all.filter(|at| changed(*at)).collect();
    changed.dedup();
    assert!(changed.iter().all(|at| *at == changed[0]), "{changed:?}");
    for (at, rule) in &before.files {
        let now = &after.files[at];
        let host = matches!(now.content, Content::Host(_));
        assert!(!rule.git || !host || now.git, "{at}");
    }
}
