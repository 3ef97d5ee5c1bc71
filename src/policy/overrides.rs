//! Single keys overridden from the command line or by a library user, with the
//! same checks and the same words as in a policy file.
//!
//! Nothing here weakens by itself: whoever overrides asks [`Policy::validate`]
//! afterwards.

use super::context::{Caller, Context, Unresolved};
use super::error::quote;
use super::suggest::nearest;
use super::values;
use super::{Access, Cap, Content, FileRule, InsidePath, Limits, Policy, Weaken};

impl Policy {
    /// Makes the host path `HOST` visible, at `INSIDE` when `HOST:INSIDE` is
    /// given. Both may begin with `~` or `$NAME`; `HOST` may be relative to the
    /// working directory. [`Access::None`] is [`Policy::hide`].
    ///
    /// # Errors
    /// A sentence, when a path is empty, contains `..` or NUL or cannot be made
    /// absolute. A host path that contains a colon needs a policy file.
    pub fn add_file(
        &mut self,
        access: Access,
        spec: &str,
        context: &Context,
    ) -> Result<(), String> {
        if access == Access::None {
            return self.hide(spec, context);
        }
        let (host, inside) = match spec.split_once(':') {
            Some((host, inside)) => (host, Some(inside)),
            None => (spec, None),
        };
        let caller = Caller::of(context);
        let host = caller.host(host).map_err(Unresolved::message)?;
        let inside = match inside {
            Some(inside) => caller.inside(inside).map_err(Unresolved::message)?,
            None => InsidePath::new(&host).map_err(str::to_owned)?,
        };
        // The option that the caller typed: `--write-exec`, for `write+exec`.
        let flag = access.name().replace('+', "-");
        self.insert(inside, Content::Host(host), access, &flag);
        Ok(())
    }

    /// A fresh tmpfs: `PATH[:SIZE[:INODES]]`, 64 MiB and one inode for 16 KiB
    /// unless said. Writable, not executable.
    ///
    /// # Errors
    /// A sentence, for a bad path, size or number, and for 0, which would mean
    /// unlimited.
    pub fn add_tmpfs(&mut self, spec: &str, context: &Context) -> Result<(), String> {
        let mut parts = spec.splitn(3, ':');
        let path = parts.next().unwrap_or_default();
        let bytes = values::tmpfs_bytes(parts.next().unwrap_or("64MiB"))?;
        let inodes = match parts.next() {
            Some(text) => values::tmpfs_inodes(super::units::parse_count(text)?)?,
            None => values::default_inodes(bytes),
        };
        let path = override_path(path, context)?;
        self.insert(
            path,
            Content::Tmpfs { bytes, inodes },
            Access::Write,
            "tmpfs",
        );
        Ok(())
    }

    /// Hides a path, as `"none"` does.
    ///
    /// # Errors
    /// A sentence, for a bad path.
    pub fn hide(&mut self, path: &str, context: &Context) -> Result<(), String> {
        let path = override_path(path, context)?;
        self.insert(path, Content::Nothing, Access::None, "hide");
        Ok(())
    }

    /// `NAME=value` sets a variable; `NAME` lets the caller's through.
    ///
    /// # Errors
    /// A sentence, for an empty name or a NUL byte.
    pub fn set_env(&mut self, spec: &str) -> Result<(), String> {
        let process = &mut self.process;
        match spec.split_once('=') {
            Some((name, value)) => {
                values::variable(name)?;
                values::variable_value(name, value)?;
                process.pass_env.retain(|passed| passed != name);
                process.env.insert(name.to_owned(), value.to_owned());
            }
            None => {
                values::variable(spec)?;
                if !process.pass_env.iter().any(|passed| passed == spec) {
                    process.pass_env.push(spec.to_owned());
                }
            }
        }
        Ok(())
    }

    /// The working directory inside; a relative path is relative to the caller's.
    ///
    /// # Errors
    /// A sentence, for a bad path.
    pub fn set_cwd(&mut self, path: &str, context: &Context) -> Result<(), String> {
        self.process.cwd = Some(override_path(path, context)?);
        Ok(())
    }

    /// The uid inside; the gid inside follows.
    ///
    /// # Errors
    /// A sentence, for 0 and everything above 4294967294.
    pub fn set_user(&mut self, text: &str) -> Result<(), String> {
        let user = values::id("user", super::units::parse_count(text)?)?;
        self.process.user = user;
        self.process.group = user;
        Ok(())
    }

    /// The gid inside; set it after the uid.
    ///
    /// # Errors
    /// A sentence, for 0 and everything above 4294967294.
    pub fn set_group(&mut self, text: &str) -> Result<(), String> {
        self.process.group = values::id("group", super::units::parse_count(text)?)?;
        Ok(())
    }

    /// The processors it runs on: a list such as `0-3,5`, or `none` for no list.
    ///
    /// # Errors
    /// A sentence, for what is no such list.
    pub fn set_cpus(&mut self, text: &str) -> Result<(), String> {
        self.process.cpus = values::cpus(text)?;
        Ok(())
    }

    /// The host name inside.
    ///
    /// # Errors
    /// A sentence, when it is not 1 to 64 of `A-Z a-z 0-9 . -`.
    pub fn set_hostname(&mut self, name: &str) -> Result<(), String> {
        self.process.hostname = values::hostname(name)?;
        Ok(())
    }

    /// `none`, `loopback` or `host`; the last needs a weakening, see
    /// [`Policy::validate`].
    ///
    /// # Errors
    /// A sentence, for any other word.
    pub fn set_network(&mut self, mode: &str) -> Result<(), String> {
        self.network =
            values::network(mode).ok_or_else(|| unknown("network", mode, &values::NETWORKS))?;
        Ok(())
    }

    /// `TOKEN=reason`: a weakening by name.
    ///
    /// # Errors
    /// A sentence, for an unknown token or an empty reason.
    pub fn add_weaken(&mut self, spec: &str) -> Result<(), String> {
        let (name, reason) = spec.split_once('=').unwrap_or((spec, ""));
        let token = Weaken::ALL.into_iter().find(|token| token.name() == name);
        let token =
            token.ok_or_else(|| unknown("weakening", name, &Weaken::ALL.map(Weaken::name)))?;
        values::reason(name, reason)?;
        self.weaken.insert(token, reason.to_owned());
        Ok(())
    }

    fn insert(&mut self, path: InsidePath, content: Content, access: Access, flag: &str) {
        // An option says what may be done with the files, not that their
        // repository needs no protection any more: that is never lost silently.
        let git = matches!(content, Content::Host(_))
            && self.files.get(&path).is_some_and(|before| before.git);
        let rule = FileRule {
            content,
            access,
            optional: false,
            git,
            follows: false,
            origin: format!("--{flag}"),
        };
        self.files.insert(path, rule);
        self.settle();
    }
}

/// A setter for one limit; the same words as under `[limits]`.
macro_rules! limit_setters {
    ($($(#[$doc:meta])* $setter:ident => $name:literal;)*) => {
        impl Policy {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// A sentence, for what is no such value, and for 0.
                pub fn $setter(&mut self, text: &str) -> Result<(), String> {
                    values::set_limit(&mut self.limits, $name, text)
                }
            )*
        }
    };
}

limit_setters! {
    /// `limits.memory`: a size such as `256MiB`, or `none`.
    set_memory => "memory";
    /// `limits.processes`: a number, or `none`.
    set_processes => "processes";
    /// `limits.cpu-time`: a duration such as `10s`, or `none`.
    set_cpu_time => "cpu-time";
    /// `limits.wall-time`: a duration such as `10s`, or `none`.
    set_wall_time => "wall-time";
    /// `limits.file-size`: a size such as `64MiB`, or `none`.
    set_file_size => "file-size";
    /// `limits.open-files`: a number, or `none`.
    set_open_files => "open-files";
    /// `limits.stack`: a size such as `8MiB`, or `none`.
    set_stack => "stack";
    /// `limits.cpu-max`: a number of processors such as `1.5`, or `none`.
    set_cpu_max => "cpu-max";
    /// `limits.cpu-weight`: 1 to 10000, or `none`.
    set_cpu_weight => "cpu-weight";
}

/// A setter for what may be written on a stream.
macro_rules! cap_setters {
    ($($(#[$doc:meta])* $setter:ident => $name:literal;)*) => {
        impl Policy {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// A sentence, for what is no such value, and for 0.
                pub fn $setter(&mut self, text: &str) -> Result<(), String> {
                    set_cap(&mut self.limits, $name, text)
                }
            )*
        }
    };
}

cap_setters! {
    /// `limits.output`: a size such as `16MiB`, alone or with what happens past it
    /// (`16MiB:drain`), or `none`.
    set_output => "output";
    /// `limits.stdout`, in the same words.
    set_stdout => "stdout";
    /// `limits.stderr`, in the same words.
    set_stderr => "stderr";
}

fn set_cap(limits: &mut Limits, name: &str, text: &str) -> Result<(), String> {
    let (size, full) = match text.split_once(':') {
        None => return values::set_limit(limits, name, text),
        Some((size, word)) => {
            let full = values::full(word);
            (
                size,
                full.ok_or_else(|| unknown("action", word, &values::FULL))?,
            )
        }
    };
    let most = values::cap_bytes(name, size)?;
    if let Some(slot) = values::cap_slot(limits, name) {
        *slot = Some(Cap { most, full });
    }
    Ok(())
}

/// On a command line, a relative path is relative to the working directory.
fn override_path(text: &str, context: &Context) -> Result<InsidePath, String> {
    let path = Caller::of(context).host(text);
    let path = path.map_err(Unresolved::message)?;
    InsidePath::new(path).map_err(str::to_owned)
}

fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(meant) => format!("unknown {what} {}; did you mean `{meant}`?", quote(word)),
        None => format!(
            "unknown {what} {}; known are: {}",
            quote(word),
            known.join(", ")
        ),
    }
}
