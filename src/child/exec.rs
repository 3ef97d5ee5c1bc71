//! Step `exec`: the program replaces the launcher.

use super::Failure;
use super::stage::{Filtered, Stage};
use crate::launch::image::{Image, Provisions};
use crate::step::Step;
use crate::sys::{Errno, exec};

/// Returns only when no candidate could be executed, with the most telling
/// error, as `execvp(3)` chooses it.
pub(super) fn execute(_: Stage<Filtered>, image: &Image<'_>) -> Failure {
    let mut failure = Failure::at(Step::Exec, 0)(Errno::ENOENT);
    let Provisions { argv, envp, .. } = image.provisions;
    for (item, path) in image.candidates.iter().enumerate() {
        let errno = exec::execute(path, argv, envp);
        match errno {
            Errno::ENOENT | Errno::ENOTDIR => {}
            Errno::EACCES => failure = Failure::at(Step::Exec, item)(errno),
            _ => return Failure::at(Step::Exec, item)(errno),
        }
    }
    failure
}
