//! The rules of the house, each a function from source to the list of what breaks it.
//! They must not read files: every rule is tried here on a sample that breaks it.

use super::source::{Source, words};

/// Which directory (or file at the top of `src/`) may use which. An entry also
/// allows everything below it. What has no row may not exist.
pub const IMPORTS: &[(&str, &[&str])] = &[
    ("step", &[]),
    ("escape", &[]),
    ("policy", &["step", "escape", "cpulist"]),
    ("mountinfo", &[]),
    ("cpulist", &[]),
    ("host", &["sys", "policy", "mountinfo"]),
    ("bpf", &[]),
    ("cgroup", &["sys", "escape", "mountinfo", "cpulist"]),
    (
        "plan",
        &[
            "policy",
            "host",
            "bpf",
            "step",
            "escape",
            "transfer::Direction",
        ],
    ),
    ("sys", &[]),
    ("wire", &["step"]),
    // The image is what the launcher makes and the child reads.
    (
        "launch",
        &[
            "plan",
            "policy",
            "wire",
            "step",
            "sys",
            "child",
            "report",
            "escape",
            "cgroup",
            "transfer",
            // How the paths of a plan lie to each other.
            "host::normal",
        ],
    ),
    ("child", &["launch::image", "wire", "step", "sys"]),
    (
        "supervise",
        &[
            "launch", "plan", "policy", "wire", "report", "step", "sys", "escape", "cgroup",
            "Error", "cpulist",
        ],
    ),
    ("report", &["escape", "transfer"]),
    ("error", &["plan", "policy"]),
    // The library's face: it calls each phase in turn.
    (
        "command",
        &[
            "cgroup",
            "policy",
            "host",
            "plan",
            "launch",
            "pool",
            "prepared",
            "supervise",
            "sys",
            "copies",
            "Error",
        ],
    ),
    // Its other face: one plan for many commands.
    (
        "prepared",
        &[
            "Command", "Error", "Sandbox", "cgroup", "host", "plan", "policy", "sys",
        ],
    ),
    // Many runs of that, by workers; and what a worker is.
    (
        "pool",
        &[
            "Command", "Error", "Prepared", "launch", "prepared", "worker",
        ],
    ),
    ("worker", &["launch", "policy", "step", "sys", "wire"]),
    // Two runs in one poll loop; each is an ordinary command.
    (
        "pair",
        &[
            "Child",
            "Command",
            "Error",
            "Stdio",
            "plan",
            "report",
            "supervise",
            "sys",
        ],
    ),
    // What a command copies, and the caller's ends of it.
    (
        "copies",
        &["command", "launch", "plan", "transfer", "sys", "escape"],
    ),
    // Files in and out of a directory that is held by a descriptor.
    ("transfer", &["sys", "escape"]),
    // A user of the library's face, inside the library: it runs itself.
    (
        "audit",
        &[
            "Command", "Error", "Sandbox", "Stdio", "bpf", "escape", "host", "plan", "policy",
            "report", "sys",
        ],
    ),
    ("cli", &[]),
];

/// Where `unsafe` may stand: `sys`, and the clone calls.
pub const UNSAFE: [&str; 3] = ["src/sys/", "src/launch/clone.rs", "src/child/payload.rs"];

/// Words that allocate, format, print or panic, and so have no place after
/// `clone3`. Indexing may panic too, and is left to the reader.
pub const FORBIDDEN_IN_CHILD: [&str; 30] = [
    "format!",
    "vec!",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "write!",
    "writeln!",
    "dbg!",
    "panic!",
    "todo!",
    "unimplemented!",
    "unreachable!",
    "assert",
    "assert!",
    "assert_eq!",
    "assert_ne!",
    "unwrap(",
    "expect(",
    "Vec",
    "String",
    "Box",
    "Rc",
    "Arc",
    "CString",
    "OsString",
    "PathBuf",
    "to_owned",
    "to_string",
    "collect",
];

/// Lines that a file may have.
pub const MOST_LINES: usize = 600;

/// What a file uses of the rest of the crate must be in its row.
pub fn imports(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(own) = module.first() else {
        return Vec::new();
    };
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| name == own) else {
        return vec![format!(
            "{}: `{own}` has no row in the table of imports",
            source.path
        )];
    };
    let mut wrong = Vec::new();
    for (at, path) in crate_paths(source) {
        let inside = |entry: &str| path == entry || path.starts_with(&format!("{entry}::"));
        if !inside(own) && !allowed.iter().any(|entry| inside(entry)) {
            let line = source.line(at);
            wrong.push(format!(
                "{}:{line}: `{own}` may not use `{path}`",
                source.path
            ));
        }
    }
    wrong
}

/// Every path from the root of the crate, by `crate::` or by enough `super::`.
fn crate_paths(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut push = |at: usize, from: usize| {
        for path in tree(&source.code[from..]).0 {
            found.push((at, path));
        }
    };
    for at in words(&source.code, "crate::") {
        push(at, at + "crate::".len());
    }
    for at in words(&source.code, "super::") {
        if source.code[..at].ends_with("super::") {
            continue;
        }
        let rest = &source.code[at..];
        let trimmed = rest.trim_start_matches("super::");
        let levels = (rest.len() - trimmed.len()) / "super::".len();
        if levels >= source.module().len() {
            push(at, at + rest.len() - trimmed.len());
        }
    }
    found
}

/// The paths of a use tree such as `a::{b, c::d}`, and the bytes it takes.
fn tree(text: &str) -> (Vec<String>, usize) {
    let mut at = text.len() - text.trim_start().len();
    if text[at..].starts_with('{') {
        let mut paths = Vec::new();
        at += 1;
        loop {
            let (more, used) = tree(&text[at..]);
            paths.extend(more);
            at += used;
            // On to the next branch, over `as name` and blanks.
            match text[at..].find([',', '}', ';']) {
                Some(offset) if text[at + offset..].starts_with(',') => at += offset + 1,
                Some(offset) => return (paths, at + offset + 1),
                None => return (paths, text.len()),
            }
        }
    }
    let name = text[at..].find(|c: char| !c.is_alphanumeric() && c != '_');
    let end = name.map_or(text.len(), |offset| at + offset);
    let segment = text[at..end].to_owned();
    if let Some(rest) = text[end..].strip_prefix("::") {
        let (below, used) = tree(rest);
        let paths = below.into_iter().map(|path| match path.is_empty() {
            true => segment.clone(),
            false => format!("{segment}::{path}"),
        });
        return (paths.collect(), end + 2 + used);
    }
    // A glob and a turbofish stand for what is before them; nothing stands
    // between a comma and the closing brace.
    match text[at..].starts_with('}') {
        true => (Vec::new(), end),
        false => (vec![segment], end),
    }
}

/// `unsafe` stands where it may, and says why it is sound.
pub fn unsafety(source: &Source) -> Vec<String> {
    let allowed = UNSAFE.iter().any(|place| source.path.starts_with(place));
    let lines: Vec<&str> = source.text.lines().collect();
    let mut wrong = Vec::new();
    for at in source.find_word("unsafe") {
        let line = source.line(at);
        let place = format!("{}:{line}", source.path);
        if !allowed {
            wrong.push(format!(
                "{place}: `unsafe` outside {}",
                UNSAFE.join(" and ")
            ));
        }
        if !says_why(&lines, line - 1) {
            wrong.push(format!("{place}: `unsafe` without a SAFETY comment"));
        }
    }
    wrong
}

/// A few lines above (a statement can be long), and the comment above those.
fn says_why(lines: &[&str], line: usize) -> bool {
    let comment = |line: &str| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with("#[")
    };
    let reason =
        |line: &str| line.contains("// SAFETY:") || line.trim_start().starts_with("/// # Safety");
    let mut first = line.saturating_sub(4);
    while first > 0 && comment(lines[first]) && comment(lines[first - 1]) {
        first -= 1;
    }
    lines[first..=line].iter().any(|line| reason(line))
}

/// Nothing in `child/` allocates, formats or panics.
pub fn child_words(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/child/") {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for word in FORBIDDEN_IN_CHILD {
        for at in source.find_word(word) {
            let line = source.line(at);
            let start = source.code[..at].rfind('\n').map_or(0, |end| end + 1);
            // An assertion in a constant fails the build, not the child.
            if word.starts_with("assert") && source.code[start..at].contains("const ") {
                continue;
            }
            wrong.push(format!("{}:{line}: `{word}` in child/", source.path));
        }
    }
    wrong
}

/// A file opens with what it does.
pub fn opening(source: &Source) -> Vec<String> {
    match source.text.starts_with("//! ") {
        true => Vec::new(),
        false => vec![format!("{}: does not open with `//!`", source.path)],
    }
}

/// A file that is too long has found its next split.
pub fn length(source: &Source) -> Vec<String> {
    match source.text.lines().count() {
        lines if lines > MOST_LINES => {
            vec![format!(
                "{}: {lines} lines, more than {MOST_LINES}",
                source.path
            )]
        }
        _ => Vec::new(),
    }
}

/// The modules of `child/` that are steps are all there, in the order of the steps.
pub fn child_order(child: &Source, steps: &[&str]) -> Vec<String> {
    let names: Vec<String> = steps.iter().map(|step| step.replace('-', "_")).collect();
    let declared: Vec<String> = child
        .find_word("mod")
        .into_iter()
        .map(|at| tree(&child.code[at + "mod".len()..]).0.concat())
        .filter(|name| names.contains(name))
        .collect();
    match declared == names {
        true => Vec::new(),
        false => vec![format!(
            "{}: the steps are declared as {declared:?}, and run as {names:?}",
            child.path
        )],
    }
}

/// The document's table of steps has every step, in order.
pub fn step_table(document: &str, steps: &[&str]) -> Vec<String> {
    let plain = |name: &str| {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        letters.collect::<String>().to_lowercase()
    };
    let steps: Vec<String> = steps.iter().map(|step| plain(step)).collect();
    let rows: Vec<String> = document
        .lines()
        .filter_map(|line| line.trim().strip_prefix('|')?.split('|').next())
        // `--cgroup` is an option.
        .filter(|cell| !cell.contains("--"))
        .map(plain)
        .filter(|cell| steps.contains(cell))
        .collect();
    match rows == steps {
        true => Vec::new(),
        false => vec![format!("the table has {rows:?}, the steps are {steps:?}")],
    }
}

/// Options that the help names and the document does not.
pub fn options(help: &str, document: &str) -> Vec<String> {
    let mut wrong: Vec<String> = flags(help);
    assert!(!wrong.is_empty(), "the help names no option:\n{help}");
    let known = flags(document);
    wrong.retain(|flag| !known.contains(flag));
    wrong
        .into_iter()
        .map(|flag| format!("`{flag}` is not described"))
        .collect()
}

/// Every `--word`, once.
fn flags(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut flags: Vec<String> = text
        .split(|c| !part(c))
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(|word| word.trim_end_matches('-').to_owned())
        .collect();
    flags.sort();
    flags.dedup();
    flags
}

/// Files of `policies/` and what the binary carries are the same.
pub fn policies(files: &[(String, String)], builtin: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, text) in files {
        match builtin.iter().find(|(known, _)| known == name) {
            None => wrong.push(format!("policies/{name}.toml is not built in")),
            Some((_, known)) if known != text => {
                wrong.push(format!("policies/{name}.toml is not what is built in"));
            }
            Some(_) => {}
        }
    }
    for (name, _) in builtin {
        if !files.iter().any(|(known, _)| known == name) {
            wrong.push(format!("the built-in policy `{name}` has no file"));
        }
    }
    wrong
}

#[cfg(test)]
#[path = "samples.rs"]
mod samples;
