//! What a caller can ask a descriptor of the program to be.
//!
//! Data only; what becomes of it is in `streams`.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What a standard stream of the program is.
#[derive(Debug)]
pub enum Stdio {
    /// The caller's own.
    Inherit,
    /// `/dev/null`.
    Null,
    /// A pipe, whose other end is in [`crate::Child`].
    Piped,
    /// This descriptor.
    Fd(OwnedFd),
    /// For standard input: these bytes and then the end of file, through a pipe that
    /// is filled while somebody waits for the program.
    Bytes(Arc<[u8]>),
    /// For standard output and error: a pipe that is read while somebody waits. So many
    /// bytes are kept for [`crate::Child::wait_with_output`]; the rest is counted.
    Memory {
        /// Bytes.
        most: u64,
    },
    /// For standard error: the very stream that standard output is, so that the order
    /// of what is written on both is kept. The record then counts both as `stdout`.
    MergeStdout,
}

impl From<File> for Stdio {
    fn from(file: File) -> Stdio {
        Stdio::Fd(file.into())
    }
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Stdio {
        Stdio::Fd(fd)
    }
}

/// What a descriptor of the program beyond the standard streams is. No limit of the
/// policy counts what goes through one.
#[derive(Debug)]
pub enum Descriptor {
    /// This descriptor.
    Fd(OwnedFd),
    /// `/dev/null`, to be read and written.
    Null,
    /// A pipe that the program reads; [`crate::Child::take_pipe`] gives the other end.
    ToProgram,
    /// A pipe that the program writes into, likewise.
    FromProgram,
    /// A pipe with these bytes and then the end of file, as [`Stdio::Bytes`].
    Bytes(Arc<[u8]>),
    /// A pipe that the program writes into, kept as by [`Stdio::Memory`].
    Memory {
        /// Bytes.
        most: u64,
    },
}

impl From<File> for Descriptor {
    fn from(file: File) -> Descriptor {
        Descriptor::Fd(file.into())
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Descriptor {
        Descriptor::Fd(fd)
    }
}

/// How a descriptor comes to the program.
#[derive(Debug)]
pub(super) enum Passed {
    /// The caller's, under its own number.
    Own,
    As(Descriptor),
}
