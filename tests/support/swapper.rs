//! Who exchanges two names as fast as he can, while somebody else looks.
//! It must not do that as root: what root may do says nothing about what others can.

use crate::support;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

/// Exchanges two names until dropped; then they are as they were.
pub struct Swapper {
    stop: Arc<AtomicBool>,
    times: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Swapper {
    pub fn start(one: PathBuf, other: PathBuf) -> Swapper {
        let stop = Arc::new(AtomicBool::new(false));
        let times = Arc::new(AtomicU64::new(0));
        let (told, count) = (stop.clone(), times.clone());
        let thread = thread::spawn(move || {
            become_ordinary();
            let flags = RenameFlags::RENAME_EXCHANGE;
            while !told.load(Ordering::Relaxed) || count.load(Ordering::Relaxed) % 2 == 1 {
                renameat2(AT_FDCWD, &one, AT_FDCWD, &other, flags).unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                // Half of what is seen shall be each.
                thread::yield_now();
            }
        });
        Swapper {
            stop,
            times,
            thread: Some(thread),
        }
    }

    /// How often they were exchanged by now.
    pub fn times(&self) -> u64 {
        self.times.load(Ordering::Relaxed)
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        assert!(
            self.times() > 0 || thread::panicking(),
            "nothing was exchanged"
        );
    }
}

/// This thread alone: the calls themselves, not the C library's wrappers.
fn become_ordinary() {
    if !support::root() {
        return;
    }
    let id = support::ORDINARY;
    // SAFETY: the calls take numbers; a count of zero reads no list.
    let result = unsafe {
        libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>())
            | libc::syscall(libc::SYS_setresgid, id, id, id)
            | libc::syscall(libc::SYS_setresuid, id, id, id)
    };
    assert_eq!(result, 0);
}
