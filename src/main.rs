//! The `sandbox` binary: the command line of the library, and nothing else.
//! It must not do what the library cannot do.

mod cli;

/// Planning a run asks for memory a few thousand times and gives most of it back. musl's own
/// allocator maps and unmaps pages for that, which took a fifth of a launch.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
