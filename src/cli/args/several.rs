//! What can be typed for several runs at once: `sandbox pair` and `sandbox batch`.
//! It holds no logic; what an option means is in `pair.rs` and `batch.rs`.

use super::{Help, Output, Setup, Words};
use clap::{Args, Parser};
use std::ffi::OsString;

/// What `cli/pair.rs` takes apart by itself.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct PairWords {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub words: Vec<OsString>,
}

/// Runs two programs joined by pipes: the output of each is the input of the other.
#[derive(Debug, Parser)]
#[command(
    name = "sandbox pair",
    no_binary_name = true,
    override_usage = "sandbox pair [OPTIONS] : [OPTIONS] SOLUTION... : [OPTIONS] INTERACTOR...",
    after_help = "Options before the first `:` count for both programs; those before a program for it\n\
                  alone, and they override. `--separator WORD`, as the very first option, puts another\n\
                  word in the place of `:`.\n\
                  Exit code: the interactor's, as that of a run; where it is 0, the solution's.",
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct PairHead {
    #[command(flatten)]
    pub setup: Setup,
    #[command(flatten)]
    pub game: Game,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub help: Help,
}

/// One side's own options and words.
#[derive(Debug, Parser)]
#[command(
    no_binary_name = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct PairSide {
    #[command(flatten)]
    pub setup: Setup,
    #[command(flatten)]
    pub words: Words,
}

/// The same with the options for both before them.
#[derive(Debug, Parser)]
#[command(
    no_binary_name = true,
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct PairBoth {
    #[command(flatten)]
    pub setup: Setup,
    #[command(flatten)]
    pub game: Game,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub words: Words,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Pair")]
pub struct Game {
    /// Whoever ends first ends the other
    #[arg(long)]
    pub end_both: bool,
    /// The interactor's end ends the solution
    #[arg(long)]
    pub end_solution: bool,
    /// Write what was said into a file
    #[arg(long, value_name = "FILE")]
    pub transcript: Option<OsString>,
    /// No longer than this
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    pub transcript_limit: String,
}

/// Runs a program once for each of many inputs, each time in a new sandbox.
#[derive(Debug, Args)]
#[command(
    override_usage = "sandbox batch [OPTIONS] --in PATTERN [--] PROGRAM [ARG]...\n       \
                      sandbox batch [OPTIONS] --list FILE [--] PROGRAM [ARG]...",
    after_help = "One line for each test on standard output; with --report, its record.\n\
                  Exit code: 0 when the verdict of every test is `ok`; 1 when it is not;\n\
                  125, 126 or 127 when a test could not be run.",
    disable_help_flag = true
)]
pub struct Batch {
    #[command(flatten)]
    pub setup: Setup,
    #[command(flatten)]
    pub tests: Tests,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub help: Help,
    #[command(flatten)]
    pub words: Words,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Batch")]
pub struct Tests {
    /// A file of standard input for each test; * and ? in its name
    #[arg(long = "in", value_name = "PATTERN")]
    pub input: Vec<OsString>,
    /// A file with the path of one test in each line
    #[arg(long, value_name = "FILE")]
    pub list: Option<OsString>,
    /// Write standard output into NAME.out there
    #[arg(long, value_name = "DIR")]
    pub out: Option<OsString>,
    /// So many at a time
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub jobs: usize,
    /// Start no test after one that is not ok
    #[arg(long)]
    pub stop_on_failure: bool,
}
