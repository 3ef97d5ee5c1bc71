//! The `sandbox` binary: the command line of the library, and nothing else.
//! It must not do what the library cannot do.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
