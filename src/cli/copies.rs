//! `--copy-in` and `--copy-out`: which files go in before the run and come out after it.
//! It must not guess: what kind of thing comes out is said by the caller, never by the program.

use super::args;
use super::failure::Failure;
use sandbox::escape::tick;
use sandbox::policy::units::parse_bytes;
use sandbox::transfer::{Existing, In, Limits, Out, go_judge_name};
use sandbox::{Command, CopyIn, CopyOut};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Adds what the options say.
pub fn apply(copies: &args::Copies, command: &mut Command) -> Result<(), Failure> {
    let mut limits = Limits::default();
    if let Some(text) = &copies.copy_max {
        limits.file_bytes = size("--copy-max", text)?;
    }
    if let Some(text) = &copies.copy_total {
        limits.total_bytes = size("--copy-total", text)?;
    }
    command.copy_total(limits.total_bytes);
    let existing = match copies.copy_replace {
        true => Existing::Replace,
        false => Existing::Refuse,
    };
    for spec in &copies.copy_in {
        let (host, inside) = split("--copy-in", spec, "HOST:INSIDE")?;
        let how = In {
            limits,
            existing,
            keep_executable: true,
            ..In::default()
        };
        command.copy_in(inside, CopyIn::Path(PathBuf::from(host)), how);
    }
    for spec in &copies.copy_out {
        let (inside, host) = split("--copy-out", spec, "INSIDE:HOST")?;
        let (inside, optional) = go_judge_name(OsStr::new(inside));
        let to = match inside.as_bytes().ends_with(b"/") {
            true => CopyOut::Tree(PathBuf::from(host)),
            false => CopyOut::Path(PathBuf::from(host)),
        };
        let how = Out {
            limits,
            existing,
            optional,
            truncate: copies.copy_truncate,
            keep_executable: true,
            ..Out::default()
        };
        command.copy_out(inside, to, how);
    }
    Ok(())
}

fn size(option: &str, text: &str) -> Result<u64, Failure> {
    parse_bytes(text).map_err(|why| wrong(option, &why))
}

fn split<'a>(option: &str, spec: &'a str, form: &str) -> Result<(&'a str, &'a str), Failure> {
    match spec.split_once(':') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from, to)),
        _ => Err(wrong(option, &format!("{} is not {form}", tick(spec)))),
    }
}

fn wrong(option: &str, why: &str) -> Failure {
    Failure::new(format!("`{option}` is wrong: {why}"))
}
