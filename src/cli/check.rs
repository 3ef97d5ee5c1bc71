//! `sandbox check`: are these policies valid?
//! It must not look at the machine; whether they can be put in force here is `plan`'s question.

use super::failure::Failure;
use sandbox::escape;
use sandbox::policy::{BUILTIN, Context, Policy};
use std::ffi::{OsStr, OsString};

/// Every file is checked, also after one that is wrong.
pub fn check(files: &[OsString]) -> Result<u8, Failure> {
    let context = Context::current();
    let mut code = 0;
    for file in files {
        match read(file, &context) {
            Ok(()) => super::print(&format!("{}: ok\n", escape::plain(file)))?,
            Err(failure) => {
                super::complain(&failure.message);
                code = failure.code;
            }
        }
    }
    Ok(code)
}

fn read(file: &OsStr, context: &Context) -> Result<(), Failure> {
    // The argument is a file, also when it is called like a built-in policy.
    let mut path = OsString::new();
    if BUILTIN.iter().any(|(name, _)| file == *name) {
        path.push("./");
    }
    path.push(file);
    Ok(Policy::load(&path, context)?.validate()?)
}
