//! An allocator for one process: in any other one that shares or copies its memory, a call ends that process.
//! It must not allocate, lock or format where it does.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

/// The exit code of a process that allocated where none may.
pub const ALLOCATED: i32 = 77;

/// The process that may allocate; 0 as long as every one may.
static HOME: AtomicI32 = AtomicI32::new(0);

/// How often it happened: memory shared with what is cloned, so that a process whose
/// standard error is closed is heard as well.
static COUNT: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());

/// Lets this process allocate, and no other.
pub fn arm() {
    // SAFETY: a new mapping, which nothing else knows; zeroed is a valid number.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(page, libc::MAP_FAILED);
    COUNT.store(page.cast(), Ordering::Relaxed);
    HOME.store(pid(), Ordering::Relaxed);
}

/// How many processes were ended for it.
pub fn caught() -> u32 {
    // SAFETY: null, or the mapping of `arm`, which is never unmapped.
    unsafe { COUNT.load(Ordering::Relaxed).as_ref() }
        .map_or(0, |count| count.load(Ordering::Relaxed))
}

/// Raw: a C library might remember the number of another process.
fn pid() -> i32 {
    // SAFETY: no memory is passed.
    unsafe { libc::syscall(libc::SYS_getpid) as i32 }
}

fn check() {
    let home = HOME.load(Ordering::Relaxed);
    if home == 0 || home == pid() {
        return;
    }
    let text = b"allocated after the clone\n";
    // SAFETY: the mapping of `arm`; write and exit_group take numbers and `text`.
    unsafe {
        if let Some(count) = COUNT.load(Ordering::Relaxed).as_ref() {
            count.fetch_add(1, Ordering::Relaxed);
        }
        libc::write(2, text.as_ptr().cast(), text.len());
        libc::syscall(libc::SYS_exit_group, ALLOCATED);
    }
}

/// The system's allocator behind the check.
pub struct Guard;

// SAFETY: everything is passed on to `System` unchanged.
unsafe impl GlobalAlloc for Guard {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check();
        // SAFETY: as the caller vouches.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check();
        // SAFETY: as the caller vouches.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check();
        // SAFETY: as the caller vouches.
        unsafe { System.realloc(old, layout, size) }
    }
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        check();
        // SAFETY: as the caller vouches.
        unsafe { System.dealloc(old, layout) }
    }
}
