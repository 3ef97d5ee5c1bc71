//! `execve(2)`, and the lists of strings that it takes.

use super::{Errno, Result};
use std::cell::UnsafeCell;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;

/// Most strings that may come after the clone.
const MOST_STRINGS: usize = 16 * 1024;

/// A list of strings in the form `execve(2)` takes, made before the clone.
pub(crate) struct ExecList {
    /// Null-terminated, into `_strings`, and then into `room`.
    pointers: UnsafeCell<Vec<*const libc::c_char>>,
    /// Never changed after `pointers` was made; a CString's text does not move
    /// with it.
    _strings: Vec<CString>,
    /// For the text of more strings. Empty, with space that nobody has touched.
    room: UnsafeCell<Vec<u8>>,
}

// SAFETY: the pointers point into memory this value owns, and are only read, but for the one
// call of `complete` (see there).
unsafe impl Send for ExecList {}
// SAFETY: as above.
unsafe impl Sync for ExecList {}

impl ExecList {
    /// Parent only: allocates.
    pub(crate) fn new(strings: Vec<CString>) -> ExecList {
        ExecList::with_room(strings, 0)
    }

    /// One that [`ExecList::complete`] adds strings of so many bytes to. Parent only:
    /// allocates.
    pub(crate) fn with_room(strings: Vec<CString>, bytes: usize) -> ExecList {
        let more = bytes.min(MOST_STRINGS);
        let mut pointers = Vec::with_capacity(strings.len() + more + 1);
        pointers.extend(strings.iter().map(|string| string.as_ptr()));
        pointers.push(std::ptr::null());
        ExecList {
            pointers: UnsafeCell::new(pointers),
            _strings: strings,
            room: UnsafeCell::new(Vec::with_capacity(bytes)),
        }
    }

    /// Adds what `receive` writes into the room: so many bytes of strings, of which each ends
    /// with a NUL byte. E2BIG for more strings than there is room for, EINVAL for text that
    /// does not end. Child-safe: there is space for everything.
    ///
    /// # Safety
    ///
    /// Called by one process after the clone, once, while nothing else uses the list;
    /// `receive` returns no more than it has written.
    pub(crate) unsafe fn complete(
        &self,
        receive: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<usize>,
    ) -> Result<()> {
        // SAFETY: the caller's promise: there is no other reference.
        let (pointers, room) = unsafe { (&mut *self.pointers.get(), &mut *self.room.get()) };
        let bytes = receive(room.spare_capacity_mut())?;
        // SAFETY: the caller's promise: so many were written, into this very space.
        unsafe { room.set_len(bytes) };
        pointers.pop();
        for text in room.split_inclusive(|byte| *byte == 0) {
            if text.last() != Some(&0) {
                return Err(Errno::EINVAL);
            }
            // One place is for the null at the end; beyond its space a list would allocate.
            if pointers.len() + 1 >= pointers.capacity() {
                return Err(Errno::E2BIG);
            }
            pointers.push(text.as_ptr().cast());
        }
        pointers.push(std::ptr::null());
        Ok(())
    }

    fn as_ptr(&self) -> *const *const libc::c_char {
        // SAFETY: `complete` is over when somebody reads.
        unsafe { (*self.pointers.get()).as_ptr() }
    }
}

/// `execve(2)`; returns only on failure. Child-safe.
pub(crate) fn execute(path: &CStr, argv: &ExecList, envp: &ExecList) -> Errno {
    // SAFETY: null-terminated arrays of NUL-terminated strings, owned by the lists.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    Errno::last()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(text: &[u8], bytes: usize) -> Result<Vec<CString>> {
        let list = ExecList::with_room(vec![c"name".to_owned()], bytes);
        let write = |room: &mut [MaybeUninit<u8>]| {
            for (place, byte) in room.iter_mut().zip(text) {
                place.write(*byte);
            }
            Ok(text.len().min(room.len()))
        };
        // SAFETY: nobody else has it; what is counted was written.
        unsafe { list.complete(write) }?;
        let mut found = Vec::new();
        let mut at = list.as_ptr();
        // SAFETY: a null-terminated array of NUL-terminated strings.
        unsafe {
            while !(*at).is_null() {
                found.push(CStr::from_ptr(*at).to_owned());
                at = at.add(1);
            }
        }
        Ok(found)
    }

    #[test]
    fn strings_are_added_in_order() {
        let all = |texts: &[&CStr]| Ok(texts.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(completed(b"", 8), all(&[c"name"]));
        assert_eq!(
            completed(b"a\0\0b c\0", 8),
            all(&[c"name", c"a", c"", c"b c"])
        );
        // Each of them empty: as many as there can be.
        assert_eq!(completed(b"\0\0\0", 3), all(&[c"name", c"", c"", c""]));
    }

    #[test]
    fn what_does_not_end_or_has_no_room_is_refused() {
        assert_eq!(completed(b"a\0b", 8), Err(Errno::EINVAL));
        let many = vec![0; MOST_STRINGS + 1];
        assert_eq!(completed(&many, MOST_STRINGS + 1), Err(Errno::E2BIG));
        assert!(completed(&many[..MOST_STRINGS], MOST_STRINGS).is_ok());
    }
}
