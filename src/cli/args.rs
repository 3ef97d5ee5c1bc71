//! What can be typed: the options, grouped by subject, and the subcommands.
//! It holds no logic; what an option means is in `settings.rs`.

mod several;

pub use several::{Batch, Game, PairBoth, PairHead, PairSide, PairWords, Tests};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;

/// Runs a program that nobody trusts on a machine that somebody needs.
#[derive(Debug, Parser)]
#[command(
    name = "sandbox",
    version,
    override_usage = "sandbox [run] [OPTIONS] [--] PROGRAM [ARG]...\n       \
                      sandbox pair [OPTIONS] : [OPTIONS] SOLUTION... : [OPTIONS] INTERACTOR...\n       \
                      sandbox batch [OPTIONS] --in PATTERN [--] PROGRAM [ARG]...\n       \
                      sandbox plan [OPTIONS] [--] PROGRAM [ARG]...\n       \
                      sandbox audit [OPTIONS]\n       \
                      sandbox check FILE...\n       \
                      sandbox policy [NAME]\n       \
                      sandbox policy --resolved NAME|FILE\n       \
                      sandbox schema [run|pair]",
    after_help = "Sizes are whole numbers with B, KiB, MiB, GiB, kB, MB or GB; times with ms, s, m or h;\n\
                  a limit may be `none`. END is what happens past a limit: `kill`, `truncate` (close the\n\
                  stream) or `drain` (drop the rest).\n\
                  Exit code: the program's own; 128+n after signal n; 124 time limit;\n\
                  125 refused, a mistake in the policy or the options, or a file not copied out;\n\
                  126 cannot execute; 127 not found.",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub action: Option<Action>,
    #[command(flatten)]
    pub run: Run,
    /// Print the version
    #[arg(long, short = 'V', action = ArgAction::Version, help_heading = "Output")]
    version: Option<bool>,
}

/// A run without the word `run`, as most are. To define the options of all subcommands takes
/// longer than everything else that is done with words, and these are its alone.
#[derive(Debug, Parser)]
#[command(
    name = "sandbox",
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct Plain {
    #[command(flatten)]
    pub run: Run,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Run a program (as without a subcommand)
    Run(Run),
    /// Run two programs joined by pipes, a solution and its interactor
    Pair(PairWords),
    /// Run a program once for each of many inputs
    Batch(Batch),
    /// Print what would be done, without doing it
    Plan(Plan),
    /// Try what a program could try under a policy, and say what is open
    Audit(Audit),
    /// Check policy files
    Check(Check),
    /// List the built-in policies, or print one
    Policy(Policy),
    /// Print the JSON Schema of a record
    Schema(Schema),
    /// The program that an audit starts inside
    #[command(hide = true)]
    AuditInside,
    /// What a pool starts to launch its runs
    #[command(hide = true)]
    PoolWorker,
}

#[derive(Debug, Default, Args)]
#[command(disable_help_flag = true)]
pub struct Run {
    #[command(flatten)]
    pub setup: Setup,
    #[command(flatten)]
    pub copies: Copies,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub format: Format,
    // Slower for one run: for the tests of what holds inside.
    /// Launch by a worker, as a batch does
    #[arg(long, hide = true, overrides_with = "by_worker")]
    pub by_worker: bool,
    #[command(flatten)]
    pub help: Help,
    #[command(flatten)]
    pub words: Words,
}

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Plan {
    #[command(flatten)]
    pub setup: Setup,
    #[command(flatten)]
    pub copies: Copies,
    #[command(flatten)]
    pub help: Help,
    #[command(flatten)]
    pub words: Words,
}

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Audit {
    #[command(flatten)]
    pub setup: Setup,
    #[command(flatten)]
    pub findings: Findings,
    #[command(flatten)]
    pub help: Help,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Findings {
    /// Print everything as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Print what is closed one by one
    #[arg(long, short)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Check {
    /// Policy files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<OsString>,
    #[command(flatten)]
    pub help: Help,
}

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Policy {
    /// The built-in policy to print
    #[arg(value_name = "NAME")]
    pub name: Option<OsString>,
    /// Print what it, or a file, comes to: nothing left to extend
    #[arg(long)]
    pub resolved: bool,
    #[command(flatten)]
    pub help: Help,
}

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Schema {
    /// Of which record: of `run` and of each line of `batch`, or of `pair`
    #[arg(
        value_name = "run|pair",
        default_value = "run",
        hide_default_value = true
    )]
    pub of: SchemaOf,
    #[command(flatten)]
    pub help: Help,
}

/// What writes a record.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SchemaOf {
    Run,
    Pair,
}

#[derive(Debug, Default, Args)]
pub struct Words {
    /// The program and its arguments
    #[arg(
        value_name = "PROGRAM",
        required = true,
        trailing_var_arg = true,
        hide = true
    )]
    pub words: Vec<OsString>,
}

/// Everything that decides what is put in force.
#[derive(Debug, Default, Args)]
pub struct Setup {
    #[command(flatten)]
    pub policy: PolicyOptions,
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub process: Process,
    #[command(flatten)]
    pub network: Network,
    #[command(flatten)]
    pub limits: Limits,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Policy")]
pub struct PolicyOptions {
    /// A built-in policy or a file [default: strict]
    #[arg(long, short, value_name = "NAME|FILE")]
    pub policy: Option<OsString>,
    /// Give up one layer by name, for a reason
    #[arg(long, value_name = "TOKEN=REASON")]
    pub weaken: Vec<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Files")]
pub struct Files {
    /// Visible, to be read
    #[arg(long, value_name = "HOST[:INSIDE]")]
    pub read: Vec<String>,
    /// Visible, to be read and executed
    #[arg(long, value_name = "HOST[:INSIDE]")]
    pub exec: Vec<String>,
    /// Visible, to be read and written
    #[arg(long, value_name = "HOST[:INSIDE]")]
    pub write: Vec<String>,
    /// Visible, to be read, written and executed
    #[arg(long, value_name = "HOST[:INSIDE]")]
    pub write_exec: Vec<String>,
    /// An empty directory in memory
    #[arg(long, value_name = "PATH[:SIZE[:INODES]]")]
    pub tmpfs: Vec<String>,
    /// Hidden, inside a visible tree too
    #[arg(long, value_name = "PATH")]
    pub hide: Vec<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Process")]
pub struct Process {
    /// A variable, with a value or with the caller's
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Working directory inside
    #[arg(long, value_name = "PATH")]
    pub cwd: Option<String>,
    /// User and group id inside
    #[arg(long, value_name = "UID")]
    pub user: Option<String>,
    /// Host name inside
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// Processors to run on, and no other
    #[arg(long, value_name = "LIST")]
    pub cpus: Option<String>,
    /// Standard input from a file
    #[arg(long, value_name = "FILE")]
    pub stdin: Option<OsString>,
    /// Standard output into a file
    #[arg(long, value_name = "FILE")]
    pub stdout: Option<OsString>,
    /// Standard error into a file, or merged
    #[arg(long, value_name = "FILE|stdout")]
    pub stderr: Option<OsString>,
    /// Pass on an open descriptor, or a file
    #[arg(long, value_name = "N[=FILE[:ro|wo|rw|append]]")]
    pub fd: Vec<OsString>,
    /// A terminal of its own, for interactive programs
    #[arg(long)]
    pub tty: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct Network {
    /// host needs --weaken host-network=REASON
    #[arg(long, value_name = "none|loopback|host")]
    pub network: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Where control groups are made
    #[arg(long, value_name = "auto|none|DIR")]
    pub cgroup: Option<OsString>,
    /// Memory
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Processes and threads together
    #[arg(long, value_name = "N")]
    pub processes: Option<String>,
    /// Processor time
    #[arg(long, value_name = "TIME")]
    pub cpu_time: Option<String>,
    /// Elapsed time
    #[arg(long, value_name = "TIME")]
    pub wall_time: Option<String>,
    /// Standard output and error together
    #[arg(long, value_name = "SIZE[:END]")]
    pub output: Option<String>,
    /// Standard output
    #[arg(long, value_name = "SIZE[:END]")]
    pub stdout_limit: Option<String>,
    /// Standard error
    #[arg(long, value_name = "SIZE[:END]")]
    pub stderr_limit: Option<String>,
    /// The largest file it may write
    #[arg(long, value_name = "SIZE")]
    pub file_size: Option<String>,
    /// Open descriptors per process
    #[arg(long, value_name = "N")]
    pub open_files: Option<String>,
    /// At most so many processors' worth of time: 0.5, 2
    #[arg(long, value_name = "N")]
    pub cpu_max: Option<String>,
    /// Share where others want processors too: 1 to 10000
    #[arg(long, value_name = "N")]
    pub cpu_weight: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Copies")]
pub struct Copies {
    /// Copy a file or directory in before the program starts
    #[arg(long, value_name = "HOST:INSIDE")]
    pub copy_in: Vec<String>,
    /// Copy a file, or DIR/, out at the end; `?`: if it exists
    #[arg(long, value_name = "INSIDE[?]:HOST")]
    pub copy_out: Vec<String>,
    /// The most bytes of each file copied [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    pub copy_max: Option<String>,
    /// The most bytes in, and out, together [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub copy_total: Option<String>,
    /// Cut a longer file that comes out, instead of failing
    #[arg(long)]
    pub copy_truncate: bool,
    /// Replace files that exist
    #[arg(long)]
    pub copy_replace: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Write the record of the run as JSON
    #[arg(long, value_name = "FILE|fd:N")]
    pub report: Option<OsString>,
    /// Measure what disturbs the run, for the record
    #[arg(long)]
    pub noise: bool,
    /// Print layers, facts and verdict on standard error
    #[arg(long, short)]
    pub verbose: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct Format {
    /// In whose words: sandbox, go-judge, isolate, domjudge, dmoj
    #[arg(long, value_name = "FORMAT")]
    pub report_format: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct Help {
    /// Print this help
    #[arg(long, short, action = ArgAction::Help)]
    help: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::usage::SUBCOMMANDS;
    use clap::CommandFactory;

    #[test]
    fn a_plain_run_is_what_the_whole_parser_takes_it_for() {
        let mut plain = 0;
        for line in [
            "x",
            "./x -v --memory 1MiB",
            "-- run",
            "-- --memory",
            "--memory 1MiB -v -- x y",
            "--memory=1MiB --read /a --read /b x",
            "-p compile --tty x",
            "--report fd:3 --report-format isolate --copy-in a:/b x",
            "--memory 1MiB plan x",
            "--memory 1MiB",
            "--memory",
            "--memory 1 --memory 2 x",
            "--nonsense x",
            "--help",
            "-V",
            "--version x",
            "--help x",
            "x --help",
            "--tty=yes x",
            "",
        ] {
            let words = || ["sandbox"].into_iter().chain(line.split_whitespace());
            let whole = Cli::try_parse_from(words());
            if let Ok(run) = Plain::try_parse_from(words()) {
                let whole = whole.unwrap_or_else(|error| panic!("{line}: {error}"));
                assert!(whole.action.is_none(), "{line}");
                assert_eq!(
                    format!("{:?}", whole.run),
                    format!("{:?}", run.run),
                    "{line}"
                );
                plain += 1;
            } else {
                assert!(whole.is_err(), "{line}");
            }
        }
        assert_eq!(plain, 10);
    }

    #[test]
    fn every_subcommand_is_known_by_name() {
        let command = Cli::command();
        let known = command.get_subcommands().map(clap::Command::get_name);
        for name in known {
            assert!(SUBCOMMANDS.contains(&name), "{name}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_a_short_line_of_help() {
        for option in Cli::command().get_arguments() {
            let help = option.get_help().map(ToString::to_string);
            let help = help.unwrap_or_else(|| panic!("{} has no help", option.get_id()));
            assert!(help.len() <= 60, "{help}");
        }
    }
}
