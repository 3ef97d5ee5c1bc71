//! The ways to a home, each asked by a process that sits where it leads somewhere.
