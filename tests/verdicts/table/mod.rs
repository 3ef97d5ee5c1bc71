//! The table, by subject.
//! It must not hold a row whose verdict depends on how fast the machine is.

pub mod calls;
pub mod elapsed;
pub mod ends;
pub mod faults;
pub mod memory;
pub mod output;
pub mod processes;
pub mod processor;
pub mod signals;
pub mod starts;
pub mod two;

use crate::case::Case;

/// Every row, with the subject it stands under.
pub fn by_subject() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("How it ends by itself", ends::cases()),
        ("Signals", signals::cases()),
        ("Faults", faults::cases()),
        ("Elapsed time", elapsed::cases()),
        ("Processor time", processor::cases()),
        ("Memory", memory::cases()),
        ("Processes", processes::cases()),
        ("Output and files", output::cases()),
        ("System calls", calls::cases()),
        ("What is not executed", starts::cases()),
        ("Two limits, or a limit and an end", two::cases()),
    ]
}

/// Every row.
pub fn all() -> Vec<Case> {
    let subjects = by_subject().into_iter();
    subjects.flat_map(|(_, cases)| cases).collect()
}
