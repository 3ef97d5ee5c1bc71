//! Writes a policy as one self-contained text: nothing extended, every key said.
//!
//! It decides nothing. What it returns was read back and is the same policy; what
//! no policy file can say is an error, never something near it.

use super::error::{Error, quote};
use super::rates::{processors, written};
use super::units::{size, time};
use super::{
    Access, Cap, Content, Context, Disk, FileRule, Full, IoRates, Network, Policy, Process,
};
use crate::cpulist;
use crate::escape::deceptive;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

impl Policy {
    /// This policy as the text of a policy file. [`Policy::parse`] makes the same
    /// of it for every caller: what `extends` brought is in it, and `~`, `.` and
    /// `$NAME` are the paths that they stood for. Only the places that rules were
    /// written at, and [`Policy::sources`], are those of the new text.
    ///
    /// # Errors
    /// A path that is not UTF-8, which a policy file is; and what only a program
    /// can put together, such as a tmpfs that may not be written.
    pub fn to_toml(&self) -> Result<String, Error> {
        let text = self.text()?;
        let again = Policy::parse(&text, "", &Context::default())
            .map_err(|error| Error::plain(format!("{UNSAYABLE}: {}", error.message)))?;
        match without_places(&again) == without_places(self) {
            true => Ok(text),
            false => Err(Error::plain(format!("{UNSAYABLE}: it would mean another"))),
        }
    }

    fn text(&self) -> Result<String, Error> {
        let mut text = Text(String::from("version = 1\n"));
        text.table("files");
        for (at, rule) in &self.files {
            text.line(&string(utf8(at.as_path())?), &content(rule)?);
        }
        text.process(&self.process)?;
        text.table("network");
        let mode = match self.network {
            Network::None => "none",
            Network::Loopback => "loopback",
            Network::Host => "host",
        };
        text.line("mode", &string(mode));
        text.table("limits");
        let limits = &self.limits;
        let none = || string("none");
        let size = |limit: Option<u64>| limit.map_or_else(none, |limit| string(&size(limit)));
        let count = |limit: Option<u64>| limit.map_or_else(none, |limit| limit.to_string());
        let time = |limit: Option<Duration>| limit.map_or_else(none, |limit| string(&time(limit)));
        text.line("memory", &size(limits.memory));
        text.line("processes", &count(limits.processes));
        text.line("cpu-time", &time(limits.cpu_time));
        text.line("wall-time", &time(limits.wall_time));
        text.line("output", &cap(limits.output));
        text.line("stdout", &cap(limits.stdout));
        text.line("stderr", &cap(limits.stderr));
        text.line("file-size", &size(limits.file_size));
        text.line("open-files", &count(limits.open_files));
        text.line("stack", &size(limits.stack));
        text.line("cpu-max", &limits.cpu_max.map_or_else(none, processors));
        text.line("cpu-weight", &count(limits.cpu_weight.map(u64::from)));
        text.line("io-max", &io_max(&limits.io_max)?);
        text.line("enforcement", &string(limits.enforcement.name()));
        text.table("syscalls");
        text.line("allow", &strings(&self.syscalls.allow));
        text.line("deny", &strings(&self.syscalls.deny));
        text.line("kill", &strings(&self.syscalls.kill));
        text.table("weaken");
        for (token, reason) in &self.weaken {
            text.line(token.name(), &string(reason));
        }
        Ok(text.0)
    }
}

const UNSAYABLE: &str = "no policy file can say what this policy is";

/// The policy without what says where it was read.
fn without_places(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.sources.clear();
    for rule in policy.files.values_mut() {
        rule.origin.clear();
    }
    policy
}

struct Text(String);

impl Text {
    fn table(&mut self, name: &str) {
        // Writing to a String cannot fail, here and below.
        let _ = write!(self.0, "\n[{name}]\n");
    }

    fn line(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "{key} = {value}");
    }

    fn process(&mut self, process: &Process) -> Result<(), Error> {
        let Process {
            user,
            group,
            hostname,
            cwd,
            env,
            pass_env,
            mdwe,
            speculation,
            core_scheduling,
            cpus,
            aslr,
            host_ids: (first, last),
        } = process;
        self.table("process");
        self.line("user", &user.to_string());
        self.line("group", &group.to_string());
        self.line("hostname", &string(hostname));
        // Without the key it is the caller's own directory, which has no name here.
        if let Some(cwd) = cwd {
            self.line("cwd", &string(utf8(cwd.as_path())?));
        }
        self.line("env", &strings_by_name(env));
        self.line("pass-env", &strings(pass_env));
        self.line("memory-deny-write-execute", &mdwe.to_string());
        let word = match speculation {
            true => "mitigate",
            false => "default",
        };
        self.line("speculation", &string(word));
        self.line("core-scheduling", &core_scheduling.to_string());
        let cpus = cpus
            .as_ref()
            .map(|cpus| cpulist::words(cpus.iter().copied()));
        self.line("cpus", &string(cpus.as_deref().unwrap_or("none")));
        self.line("aslr", &aslr.to_string());
        self.line("host-ids", &string(&format!("{first}-{last}")));
        Ok(())
    }
}

/// The right side of `output`, `stdout` and `stderr`.
fn cap(cap: Option<Cap>) -> String {
    let Some(Cap { most, full }) = cap else {
        return string("none");
    };
    let most = string(&size(most));
    match full {
        Full::Kill => most,
        full => inline([("most", &most), ("full", &string(full.name()))].into_iter()),
    }
}

/// The right side of `io-max`.
fn io_max(disks: &BTreeMap<Disk, IoRates>) -> Result<String, Error> {
    if disks.is_empty() {
        return Ok(string("none"));
    }
    let disks = disks.iter().map(|(disk, rates)| {
        let name = match disk {
            Disk::Number(..) => disk.to_string(),
            Disk::Of(path) => utf8(path)?.to_owned(),
        };
        let rates = written(rates, string);
        let rates = rates.iter().map(|(key, value)| (key.as_str(), value));
        Ok((string(&name), inline(rates)))
    });
    let disks = disks.collect::<Result<Vec<_>, Error>>()?;
    Ok(inline(
        disks.iter().map(|(name, rates)| (name.as_str(), rates)),
    ))
}

/// The right side of one line of `[files]`.
fn content(rule: &FileRule) -> Result<String, Error> {
    let keys = match &rule.content {
        Content::Nothing => vec![("access", string("none"))],
        Content::Host(_) if rule.follows => vec![("access", string(rule.access.name()))],
        Content::Host(source) => vec![
            ("from", string(utf8(source)?)),
            ("access", string(rule.access.name())),
        ],
        Content::Tmpfs { bytes, inodes } => vec![
            ("tmpfs", string(&size(*bytes))),
            ("inodes", inodes.to_string()),
            ("exec", (rule.access == Access::WriteExec).to_string()),
        ],
        Content::Text(text) => vec![("text", string(text))],
        Content::Symlink(target) => vec![("symlink", string(utf8(target)?))],
        Content::Passwd => vec![("synthetic", string("passwd"))],
        Content::Group => vec![("synthetic", string("group"))],
        Content::Hosts => vec![("synthetic", string("hosts"))],
        Content::Hostname => vec![("synthetic", string("hostname"))],
        Content::Proc { facts: false } => vec![("access", string("proc"))],
        Content::Proc { facts: true } => vec![("access", string("proc+facts"))],
        Content::Dev { shm_bytes } => vec![
            ("dev", true.to_string()),
            ("shm", string(&size(*shm_bytes))),
        ],
    };
    let optional = rule.optional.then(|| ("optional", true.to_string()));
    let git = rule.git.then(|| ("git", string("protect")));
    let keys: Vec<_> = keys.into_iter().chain(optional).chain(git).collect();
    Ok(match &keys[..] {
        // One word is the whole rule.
        [("access", word)] => word.clone(),
        keys => inline(keys.iter().map(|(key, value)| (*key, value))),
    })
}

fn inline<'a>(keys: impl Iterator<Item = (&'a str, &'a String)>) -> String {
    let keys: Vec<String> = keys
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    format!("{{ {} }}", keys.join(", "))
}

fn strings(list: &[String]) -> String {
    let list: Vec<String> = list.iter().map(|text| string(text)).collect();
    format!("[{}]", list.join(", "))
}

fn strings_by_name(map: &BTreeMap<String, String>) -> String {
    let written: Vec<(String, String)> = map
        .iter()
        .map(|(name, value)| (string(name), string(value)))
        .collect();
    match written.is_empty() {
        true => String::from("{}"),
        false => inline(written.iter().map(|(name, value)| (name.as_str(), value))),
    }
}

/// A string of TOML: on one line, and nothing in it that a terminal obeys or a
/// reader does not see.
fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\t' => write!(out, "\\t"),
            c if deceptive(c) && u32::from(c) > 0xffff => write!(out, "\\U{:08x}", u32::from(c)),
            c if deceptive(c) => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
    out
}

fn utf8(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| {
        let path = quote(&path.to_string_lossy());
        Error::plain(format!("{UNSAYABLE}: the path {path} is not UTF-8"))
    })
}
