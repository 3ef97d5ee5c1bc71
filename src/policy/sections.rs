//! Decides what every key of a policy means, but for `[files]`, and lays one
//! file over what it extends: later wins, except that refusals of system calls
//! add up, so that a restriction is never lost silently.
//!
//! It reads no files and looks at nothing but the text and the context.

use super::context::{Caller, Unresolved};
use super::error::{Error, Source, quote};
use super::table::{Key, Shape, Table, Value, entries};
use super::{Cap, Full, Limits, Network, Policy, Weaken};
use super::{rates, values};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

/// Keys at the top of a policy.
pub(super) const TOP: [&str; 8] = [
    "version", "extends", "files", "process", "network", "limits", "syscalls", "weaken",
];
const PROCESS: [&str; 12] = [
    "user",
    "group",
    "hostname",
    "cwd",
    "env",
    "pass-env",
    "memory-deny-write-execute",
    "speculation",
    "core-scheduling",
    "cpus",
    "aslr",
    "host-ids",
];
const NETWORK: [&str; 1] = ["mode"];
const LIMITS: [&str; 14] = [
    "memory",
    "processes",
    "cpu-time",
    "wall-time",
    "output",
    "stdout",
    "stderr",
    "file-size",
    "open-files",
    "stack",
    "cpu-max",
    "cpu-weight",
    "io-max",
    "enforcement",
];
/// Keys of the table that `output`, `stdout` and `stderr` may be.
const CAP: [&str; 2] = ["most", "full"];
const SYSCALLS: [&str; 3] = ["allow", "deny", "kill"];

/// A policy while its files are laid over each other.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// What is known so far.
    pub policy: Policy,
    /// `group` as written; without it the group is the user.
    pub group: Option<u32>,
    /// The mistake to report if the host's network turns out to be unexplained:
    /// it points at the line of `mode`.
    pub host_network: Option<Error>,
}

impl Draft {
    /// Lays one file over the draft. `version` and `extends` are behind us.
    pub fn lay(&mut self, source: &Source, caller: &Caller, top: Table) -> Result<(), Error> {
        for (key, value) in entries(top) {
            if matches!(key.name, "version" | "extends") {
                continue;
            }
            if !TOP.contains(&key.name) {
                return Err(unknown_at_top(source, &key));
            }
            let table = source.table(&key, &value)?;
            if key.name == "files" {
                super::files::lay(&mut self.policy.files, source, caller, table)?;
                continue;
            }
            for (inner, value) in entries(table) {
                match key.name {
                    "process" => self.process(source, caller, &inner, &value)?,
                    "network" => self.network(source, &inner, &value)?,
                    "limits" => limit(&mut self.policy.limits, source, caller, &inner, &value)?,
                    "syscalls" => self.syscalls(source, &inner, &value)?,
                    _ => self.weaken(source, &inner, &value)?,
                }
            }
            if key.name == "process" {
                self.set_over_passed(table);
            }
        }
        Ok(())
    }

    fn process(
        &mut self,
        source: &Source,
        caller: &Caller,
        key: &Key,
        value: &Value,
    ) -> Result<(), Error> {
        let process = &mut self.policy.process;
        let wrong = |message: String| source.error(value.at.clone(), message);
        match key.name {
            "user" => {
                process.user = values::id(key.name, source.count(key, value)?).map_err(wrong)?;
            }
            "group" => {
                let id = values::id(key.name, source.count(key, value)?).map_err(wrong)?;
                self.group = Some(id);
            }
            "hostname" => {
                process.hostname = values::hostname(source.string(key, value)?).map_err(wrong)?;
            }
            "cwd" => {
                let text = source.string(key, value)?;
                let cwd = caller.inside(text).map_err(Unresolved::message);
                process.cwd = Some(cwd.map_err(wrong)?);
            }
            "env" => {
                for (name, value) in entries(source.table(key, value)?) {
                    values::variable(name.name)
                        .map_err(|why| source.error(name.at.clone(), why))?;
                    let text = source.string(&name, &value)?;
                    values::variable_value(name.name, text)
                        .map_err(|why| source.error(value.at.clone(), why))?;
                    process.env.insert(name.name.to_owned(), text.to_owned());
                }
            }
            "pass-env" => {
                let strings = source.strings(key, value)?;
                let mut names = Vec::with_capacity(strings.len());
                for (name, at) in strings {
                    values::variable(name).map_err(|why| source.error(at, why))?;
                    names.push(name);
                }
                process.pass_env.clear();
                add_new(&mut process.pass_env, names);
            }
            "memory-deny-write-execute" => process.mdwe = source.boolean(key, value)?,
            "speculation" => {
                let word = source.string(key, value)?;
                process.speculation = match word {
                    "mitigate" => true,
                    "default" => false,
                    _ => return Err(unknown_value(source, value, word, &["mitigate", "default"])),
                };
            }
            "core-scheduling" => process.core_scheduling = source.boolean(key, value)?,
            "cpus" => {
                process.cpus = values::cpus(source.string(key, value)?).map_err(wrong)?;
            }
            "aslr" => process.aslr = source.boolean(key, value)?,
            "host-ids" => {
                process.host_ids = values::id_range(source.string(key, value)?).map_err(wrong)?;
            }
            _ => return Err(source.unknown(key, &PROCESS)),
        }
        Ok(())
    }

    /// A value set by this file wins over one let through by an earlier file.
    /// Where this file has a `pass-env` of its own, the earlier one is gone.
    fn set_over_passed(&mut self, process: Table) {
        if self.policy.process.pass_env.is_empty() {
            return;
        }
        let mut set = BTreeSet::new();
        for (key, value) in entries(process) {
            match (key.name, value.shape) {
                ("pass-env", _) => return,
                ("env", Shape::Table(env)) => {
                    set = entries(env).map(|(name, _)| name.name).collect();
                }
                _ => {}
            }
        }
        let passed = &mut self.policy.process.pass_env;
        passed.retain(|name| !set.contains(name.as_str()));
    }

    fn network(&mut self, source: &Source, key: &Key, value: &Value) -> Result<(), Error> {
        if key.name != "mode" {
            return Err(source.unknown(key, &NETWORK));
        }
        let word = source.string(key, value)?;
        self.policy.network = values::network(word)
            .ok_or_else(|| unknown_value(source, value, word, &values::NETWORKS))?;
        self.host_network = match self.policy.network {
            Network::Host => {
                let mistake = super::unexplained_host_network();
                Some(Error {
                    hint: mistake.hint,
                    ..source.error(value.at.clone(), mistake.message)
                })
            }
            Network::None | Network::Loopback => None,
        };
        Ok(())
    }

    fn syscalls(&mut self, source: &Source, key: &Key, value: &Value) -> Result<(), Error> {
        if !SYSCALLS.contains(&key.name) {
            return Err(source.unknown(key, &SYSCALLS));
        }
        let strings = source.strings(key, value)?;
        let mut names = Vec::with_capacity(strings.len());
        for (name, at) in strings {
            values::syscall(name).map_err(|why| source.error(at.clone(), why))?;
            if key.name == "allow" {
                values::allowable(name).map_err(|(why, hint)| source.error(at, why).hint(hint))?;
            }
            names.push(name);
        }
        let syscalls = &mut self.policy.syscalls;
        match key.name {
            "allow" => {
                syscalls.allow.clear();
                add_new(&mut syscalls.allow, names);
            }
            "deny" => add_new(&mut syscalls.deny, names),
            _ => add_new(&mut syscalls.kill, names),
        }
        Ok(())
    }

    fn weaken(&mut self, source: &Source, key: &Key, value: &Value) -> Result<(), Error> {
        let Some(token) = Weaken::ALL
            .into_iter()
            .find(|token| token.name() == key.name)
        else {
            let known = Weaken::ALL.map(Weaken::name);
            return Err(source.unknown_word(&key.at, "weakening", key.name, &known));
        };
        let reason = source.string(key, value)?;
        values::reason(key.name, reason).map_err(|why| source.error(value.at.clone(), why))?;
        self.policy.weaken.insert(token, reason.to_owned());
        Ok(())
    }
}

/// Appends the names that are not yet in the list.
fn add_new(list: &mut Vec<String>, mut names: Vec<&str>) {
    // Most names differ in length already.
    let mut known: BTreeSet<(usize, &str)> =
        list.iter().map(|name| (name.len(), &**name)).collect();
    names.retain(|name| known.insert((name.len(), name)));
    list.extend(names.into_iter().map(str::to_owned));
}

fn limit(
    limits: &mut Limits,
    source: &Source,
    caller: &Caller,
    key: &Key,
    value: &Value,
) -> Result<(), Error> {
    if !LIMITS.contains(&key.name) {
        return Err(source.unknown(key, &LIMITS));
    }
    if key.name == "enforcement" {
        let word = source.string(key, value)?;
        limits.enforcement = values::enforcement(word)
            .ok_or_else(|| unknown_value(source, value, word, &values::ENFORCEMENTS))?;
        return Ok(());
    }
    if key.name == "io-max" {
        return rates::io_max(&mut limits.io_max, source, caller, key, value);
    }
    if let (Some(slot), Shape::Table(table)) = (values::cap_slot(limits, key.name), value.shape) {
        *slot = Some(cap(source, key, value, table)?);
        return Ok(());
    }
    let unit = values::limit_unit(key.name);
    // Numbers are counts, or bytes; a time without a unit would be a guess.
    let text: Cow<str> = match value.shape {
        Shape::String(text) => text.into(),
        Shape::Float(number) if unit == values::Unit::Processors => number.into(),
        // However it was written, there only digits count.
        Shape::Integer(..) if unit != values::Unit::Time => {
            source.count(key, value)?.to_string().into()
        }
        _ => return Err(source.mistyped(key, value, unit.wanted())),
    };
    values::set_limit(limits, key.name, &text).map_err(|why| {
        let error = source.error(value.at.clone(), why);
        match text.split_once(':') {
            // The option's words.
            Some((size, word)) if unit == values::Unit::Stream => error.hint(format!(
                "in a policy it is a table: `{{ most = \"{}\", full = \"{}\" }}`",
                crate::escape::plain(size),
                crate::escape::plain(word)
            )),
            _ => error,
        }
    })
}

/// `{ most = "64KiB", full = "drain" }`.
fn cap(source: &Source, key: &Key, value: &Value, table: Table) -> Result<Cap, Error> {
    let (mut most, mut full) = (None, Full::default());
    for (inner, value) in entries(table) {
        match inner.name {
            "most" => {
                let text: Cow<str> = match value.shape {
                    Shape::String(text) => text.into(),
                    Shape::Integer(..) => source.count(&inner, &value)?.to_string().into(),
                    _ => return Err(source.mistyped(&inner, &value, "a size such as \"64KiB\"")),
                };
                let bytes = values::cap_bytes("most", &text);
                most = Some(bytes.map_err(|why| source.error(value.at.clone(), why))?);
            }
            "full" => {
                let word = source.string(&inner, &value)?;
                full = values::full(word)
                    .ok_or_else(|| unknown_value(source, &value, word, &values::FULL))?;
            }
            _ => return Err(source.unknown(&inner, &CAP)),
        }
    }
    most.map(|most| Cap { most, full }).ok_or_else(|| {
        let message = format!("`most` is missing in {}", quote(key.name));
        source
            .error(value.at.clone(), message)
            .hint("say how much may be written: `most = \"64KiB\"`")
    })
}

fn unknown_value(source: &Source, value: &Value, word: &str, known: &[&str]) -> Error {
    let at: Range<usize> = value.at.clone();
    source.unknown_word(&at, "value", word, known)
}

/// A key that is at home in a section gets told so.
pub(super) fn unknown_at_top(source: &Source, key: &Key) -> Error {
    let homes: [(&str, &[&str]); 4] = [
        ("process", &PROCESS),
        ("network", &NETWORK),
        ("limits", &LIMITS),
        ("syscalls", &SYSCALLS),
    ];
    match homes.iter().find(|(_, keys)| keys.contains(&key.name)) {
        Some((section, _)) => {
            let message = format!("{} is not a key of the top level", quote(key.name));
            let error = source.error(key.at.clone(), message);
            error.hint(format!("it belongs under `[{section}]`"))
        }
        None => source.unknown(key, &TOP),
    }
}
