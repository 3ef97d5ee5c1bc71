//! The order of the steps, held by the compiler.
//!
//! A [`Stage`] is proof that everything before it was done. It holds nothing and
//! costs nothing; only the step that comes next can use it up.

use std::marker::PhantomData;

/// Proof of how far the child has come.
pub(super) struct Stage<S>(PhantomData<S>);

/// Just cloned, descriptors closed.
pub(super) struct Cloned;
/// Ids mapped and taken.
pub(super) struct Mapped;
/// The new root is built.
pub(super) struct Mounted;
/// The old root is gone.
pub(super) struct Rooted;
/// Network and host name are set.
pub(super) struct Named;
/// No capability is left.
pub(super) struct Uncapped;
/// In the program's own process.
pub(super) struct Split;
/// Limits and attributes are set.
pub(super) struct Limited;
/// `no_new_privs` is set.
pub(super) struct Settled;
/// In the Landlock domain.
pub(super) struct Confined;
/// The kernel confirmed it.
pub(super) struct Verified;
/// The filter is attached.
pub(super) struct Filtered;

/// The first stage.
pub(super) fn cloned() -> Stage<Cloned> {
    Stage(PhantomData)
}

macro_rules! follows {
    ($($from:ident => $to:ident),* $(,)?) => {
        $(impl Stage<$from> {
            /// The step between the two is done.
            pub(super) fn next(self) -> Stage<$to> {
                Stage(PhantomData)
            }
        })*
    };
}

follows! {
    Cloned => Mapped,
    Mapped => Mounted,
    Mounted => Rooted,
    Rooted => Named,
    Named => Uncapped,
    Uncapped => Split,
    Split => Limited,
    Limited => Settled,
    Settled => Confined,
    Confined => Verified,
    Verified => Filtered,
}
