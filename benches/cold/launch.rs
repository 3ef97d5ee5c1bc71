//! One command of one row, started in the three ways that the benchmark needs: timed,
//! with what it uses, and with what it prints.

use nix::sys::memfd::{MFdFlags, memfd_create};
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command that can be started again and again.
pub struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    /// Files that it reads from descriptors, from the start in every run.
    passed: Vec<File>,
}

/// What one run used.
pub struct Used {
    pub cpu: Duration,
    pub peak_kib: u64,
}

impl Launch {
    pub fn new(program: impl Into<PathBuf>) -> Launch {
        Launch {
            program: program.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            passed: Vec::new(),
        }
    }

    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Launch {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub fn args<A: AsRef<OsStr>>(&mut self, all: impl IntoIterator<Item = A>) -> &mut Launch {
        for argument in all {
            self.arg(argument);
        }
        self
    }

    pub fn env(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Launch {
        self.variables
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// The number under which the command finds this content.
    pub fn pass(&mut self, content: &[u8]) -> Result<String, Box<dyn Error>> {
        // Not close-on-exec: these are meant to be inherited.
        let mut file = File::from(memfd_create("passed", MFdFlags::empty())?);
        file.write_all(content)?;
        let number = file.as_raw_fd().to_string();
        self.passed.push(file);
        Ok(number)
    }

    fn command(&mut self, around: Option<(&Path, &str)>) -> Result<Command, Box<dyn Error>> {
        for file in &mut self.passed {
            file.rewind()?;
        }
        let mut command = match around {
            Some((program, argument)) => {
                let mut command = Command::new(program);
                command.arg(argument).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(command)
    }

    /// From its start to its end, as somebody who waits for it sees them.
    /// (`posix_spawn`, whose cost does not depend on the size of this process.)
    pub fn time(&mut self) -> Result<Duration, Box<dyn Error>> {
        let mut command = self.command(None)?;
        let start = Instant::now();
        let status = command.status()?;
        let time = start.elapsed();
        match status.success() {
            true => Ok(time),
            false => Err(status.to_string().into()),
        }
    }

    /// Processor time of everything that was started, and the largest resident set
    /// among it, by the program `usage`.
    pub fn usage(&mut self, usage: &Path) -> Result<Used, Box<dyn Error>> {
        let mut said = File::from(memfd_create("usage", MFdFlags::empty())?);
        let number = said.as_raw_fd().to_string();
        let status = self.command(Some((usage, &number)))?.status()?;
        if !status.success() {
            return Err(status.to_string().into());
        }
        let mut line = String::new();
        said.rewind()?;
        said.read_to_string(&mut line)?;
        let mut words = line.split_ascii_whitespace();
        let mut next = || words.next().ok_or("`usage` said nothing");
        Ok(Used {
            cpu: Duration::from_nanos(next()?.parse()?),
            peak_kib: next()?.parse()?,
        })
    }

    /// What it prints; on failure, the first line of why.
    pub fn output(&mut self) -> Result<String, Box<dyn Error>> {
        let mut command = self.command(None)?;
        let output = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| format!("`{}`: {error}", self.program.display()))?;
        let error = String::from_utf8_lossy(&output.stderr);
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => {
                let lines: Vec<&str> = error.lines().filter(|line| !line.is_empty()).collect();
                Err(format!("{}: {}", output.status, lines.join("; ")).into())
            }
        }
    }
}
