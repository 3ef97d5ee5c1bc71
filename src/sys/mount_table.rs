//! Which mounts there are, by listmount(2) and statmount(2) of Linux 6.8: a call for each
//! mount instead of a text that the kernel writes and we take apart. Parent only.

use super::{Errno, Result, check};

/// The same on every architecture; newer than the libc crate.
const SYS_STATMOUNT: libc::c_long = 457;
const SYS_LISTMOUNT: libc::c_long = 458;
/// In the place of a mount: the root of this process.
const LSMT_ROOT: u64 = u64::MAX;
const STATMOUNT_MNT_POINT: u64 = 0x10;
const STATMOUNT_FS_TYPE: u64 = 0x20;
/// Mounts asked for at a time.
const AT_A_TIME: usize = 64;
/// The strings behind the numbers of `struct statmount`, where they fit; a path may have
/// 4096 bytes (PATH_MAX).
const STRINGS: usize = 4096 + 256;

/// `struct mnt_id_req` (MNT_ID_REQ_SIZE_VER0).
#[repr(C)]
struct Request {
    size: u32,
    spare: u32,
    mount: u64,
    parameter: u64,
}

impl Request {
    fn new(mount: u64, parameter: u64) -> Request {
        Request {
            size: size_of::<Request>() as u32,
            spare: 0,
            mount,
            parameter,
        }
    }
}

/// `struct statmount`: what is asked for here lies at these offsets.
#[repr(C, align(8))]
struct Answer {
    numbers: [u32; 128],
    strings: [u8; STRINGS],
}

/// Offsets in `numbers`: the mask of what is answered, then where strings begin.
const MASK: usize = 2;
const FS_TYPE: usize = 9;
const MNT_POINT: usize = 27;

/// Calls `each` with the mount point and the file system type of every mount below this
/// process's root, in the order of mountinfo.
///
/// # Errors
/// ENOSYS before Linux 6.8; what a filter around this process says.
pub(crate) fn each(mut each: impl FnMut(&[u8], &[u8])) -> Result<()> {
    let mut answer = Box::new(Answer {
        numbers: [0; 128],
        strings: [0; STRINGS],
    });
    let mut last = 0;
    loop {
        let mut ids = [0; AT_A_TIME];
        let found = list(last, &mut ids)?;
        let found = ids.get(..found).ok_or(Errno::EPROTO)?;
        for id in found {
            match stat(*id, &mut answer) {
                Ok(()) => each(answer.string(MNT_POINT)?, answer.string(FS_TYPE)?),
                // Unmounted since.
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        match found.last() {
            Some(id) if found.len() == AT_A_TIME => last = *id,
            _ => return Ok(()),
        }
    }
}

impl Answer {
    fn string(&self, number: usize) -> Result<&[u8]> {
        let start = self.numbers.get(number).map(|start| *start as usize);
        let text = start.and_then(|start| self.strings.get(start..));
        let text = text.ok_or(Errno::EPROTO)?;
        let end = text.iter().position(|byte| *byte == 0);
        text.get(..end.ok_or(Errno::EPROTO)?).ok_or(Errno::EPROTO)
    }
}

fn list(after: u64, ids: &mut [u64; AT_A_TIME]) -> Result<usize> {
    let request = Request::new(LSMT_ROOT, after);
    // SAFETY: the request has the size that it says, and there is room for so many ids.
    let found = check(unsafe {
        libc::syscall(
            SYS_LISTMOUNT,
            &raw const request,
            ids.as_mut_ptr(),
            ids.len(),
            0,
        )
    })?;
    usize::try_from(found).map_err(|_| Errno::EPROTO)
}

fn stat(mount: u64, answer: &mut Answer) -> Result<()> {
    const WANTED: u64 = STATMOUNT_MNT_POINT | STATMOUNT_FS_TYPE;
    let request = Request::new(mount, WANTED);
    // SAFETY: the request has the size that it says, and so has the answer.
    check(unsafe {
        libc::syscall(
            SYS_STATMOUNT,
            &raw const request,
            &raw mut *answer,
            size_of::<Answer>(),
            0,
        )
    })?;
    match answer.numbers.get(MASK) {
        Some(mask) if u64::from(*mask) & WANTED == WANTED => Ok(()),
        _ => Err(Errno::EPROTO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mountinfo::lines;
    use crate::sys::whole;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn it_is_what_mountinfo_says() {
        let mut ours = Vec::new();
        match each(|at, kind| ours.push((at.to_vec(), kind.to_vec()))) {
            // Before Linux 6.8.
            Err(Errno::ENOSYS) => return,
            other => other.unwrap(),
        }
        let table = whole::read(c"/proc/self/mountinfo").unwrap();
        let table: Vec<_> = lines(&table)
            .map(|line| (line.at.as_os_str().as_bytes().to_vec(), line.kind.to_vec()))
            .collect();
        assert_eq!(ours, table);
    }
}
