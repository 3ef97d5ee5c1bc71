//! A row of the table: a program, the options it runs under, and what the record must say.
//! It must not run anything.

use std::ffi::OsStr;
use std::fmt::Write;

/// A row.
pub struct Case {
    /// What the program does, in words.
    pub name: String,
    /// Options of `sandbox`.
    pub options: &'static [&'static str],
    /// Lines added to `strict`.
    pub policy: &'static str,
    pub what: What,
    pub expected: Expected,
}

/// A function of a program, and its argument.
type Program = (fn(usize), usize);

/// What runs.
pub enum What {
    /// A program of ours.
    Ours(Program),
    /// A file of these bytes and this mode, shown as `/program`.
    File(fn() -> Vec<u8>, u32),
    /// No file at all.
    Missing,
    /// A directory.
    Directory,
    /// A program of ours; once it has written a line, `sandbox` gets this signal.
    Signalled(Program, i32),
    /// A program of ours; once it has written a line, the library's caller does this.
    Called(Program, Caller),
}

/// What a caller of the library does to a run.
#[derive(Clone, Copy)]
pub enum Caller {
    /// `Child::kill`.
    Kill,
    /// `Child::signal`.
    Signal(i32),
}

/// What the record says.
#[derive(Clone)]
pub struct Expected {
    pub verdict: &'static str,
    /// The exit code of `sandbox`.
    pub code: u8,
    /// `exit` of the record; `None` where either end is right, or there was no run.
    pub exit: Option<End>,
    /// `killed_by`; `None` where the program may have been faster.
    pub killed_by: Option<Option<&'static str>>,
    pub hit: &'static [&'static str],
    /// `None` where a slow machine decides.
    pub idle: Option<bool>,
    /// Of a violation: the call's name, where it is known.
    pub syscall: Option<&'static str>,
    /// The record is complete: the program was executed.
    pub executed: bool,
}

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Code(u8),
    Signal(u8),
}

impl Case {
    pub fn new(name: impl Into<String>, what: What, expected: Expected) -> Case {
        Case {
            name: name.into(),
            options: &[],
            policy: "",
            what,
            expected,
        }
    }

    /// Under these options.
    pub fn with(mut self, options: &'static [&'static str]) -> Case {
        self.options = options;
        self
    }

    /// Under `strict` with these lines.
    pub fn under(mut self, policy: &'static str) -> Case {
        self.policy = policy;
        self
    }

    /// The program of this name.
    pub fn program(&self, name: &OsStr) -> Option<Program> {
        match self.what {
            What::Ours(program) | What::Signalled(program, _) | What::Called(program, _)
                if name == self.name.as_str() =>
            {
                Some(program)
            }
            _ => None,
        }
    }

    /// The row of the document.
    pub fn row(&self) -> String {
        let mut under: Vec<String> = self
            .options
            .chunks(2)
            .map(|option| format!("`{}`", option.join(" ")))
            .collect();
        under.extend(
            self.policy
                .lines()
                .filter(|line| line.contains('='))
                .map(|line| format!("`{line}`")),
        );
        let expected = &self.expected;
        let exit = match expected.exit {
            Some(End::Code(code)) => format!("code {code}"),
            Some(End::Signal(number)) => format!("signal {number}"),
            None if expected.executed => String::from("any"),
            None => String::from("–"),
        };
        let killed_by = match expected.killed_by {
            Some(Some(by)) => by,
            Some(None) => "–",
            None => "any",
        };
        let hit = match expected.hit {
            [] => String::from("–"),
            hit => hit.join(", "),
        };
        let mut row = String::new();
        let _ = writeln!(
            row,
            "| {} | {} | {}{} | {} | {exit} | {killed_by} | {hit} |",
            self.name,
            under.join(" "),
            expected.verdict,
            match (expected.idle, expected.syscall) {
                (Some(true), _) => String::from(", idle"),
                (_, Some(name)) => format!(", {name}"),
                _ => String::new(),
            },
            expected.code,
        );
        row
    }
}

/// One of ours.
pub fn ours(name: impl Into<String>, run: fn(usize), expected: Expected) -> Case {
    Case::new(name, What::Ours((run, 0)), expected)
}

/// It exits by itself.
pub fn code(code: u8) -> Expected {
    Expected {
        verdict: if code == 0 { "ok" } else { "exit" },
        code,
        exit: Some(End::Code(code)),
        killed_by: Some(None),
        hit: &[],
        idle: Some(false),
        syscall: None,
        executed: true,
    }
}

/// A signal ends it that is not ours.
pub fn signal(number: i32) -> Expected {
    let number = u8::try_from(number).unwrap_or(0);
    Expected {
        verdict: "signal",
        code: 128 + number,
        exit: Some(End::Signal(number)),
        ..code(0)
    }
}

/// It fails, with a limit as the reason.
pub fn failed(end: Expected, verdict: &'static str, hit: &'static [&'static str]) -> Expected {
    Expected {
        verdict,
        hit,
        ..end
    }
}

const fn killed(
    verdict: &'static str,
    code: u8,
    by: &'static str,
    hit: &'static [&'static str],
) -> Expected {
    Expected {
        verdict,
        code,
        exit: Some(End::Signal(9)),
        killed_by: Some(Some(by)),
        hit,
        idle: Some(false),
        syscall: None,
        executed: true,
    }
}

/// Processor time.
pub const CPU: Expected = killed("cpu-time", 124, "cpu", &["cpu"]);
/// Elapsed time, with the processor in use.
pub const WALL: Expected = Expected {
    idle: None,
    ..killed("wall-time", 124, "wall", &["wall"])
};
/// Elapsed time, waiting.
pub const IDLE: Expected = Expected {
    idle: Some(true),
    ..WALL
};
pub const MEMORY: Expected = killed("memory", 137, "memory", &["memory"]);
pub const OUTPUT: Expected = killed("output", 137, "output", &["output"]);
pub const CANCELLED: Expected = killed("cancelled", 137, "cancel", &[]);
/// A call that the policy kills for.
pub const VIOLATION: Expected = killed("violation", 159, "syscall", &[]);
/// SIGSYS: a call that has no name here, or the program's own doing.
pub const SIGSYS: Expected = Expected {
    exit: Some(End::Signal(31)),
    ..VIOLATION
};

/// It was not executed.
pub fn refused(code: u8) -> Expected {
    Expected {
        verdict: "not executed",
        exit: None,
        executed: false,
        ..self::code(code)
    }
}
