//! System V and POSIX IPC: private to the run, in both directions.
//! It must not ask about sockets or files in `/dev/shm`; `sockets` and `dev` do.

use crate::calls::{told, word};
use crate::harness::{argument, free, jailed};
use std::ffi::CString;

checks! {
    shared_memory_by_id, || {
        // SAFETY: looks a key up; no memory is attached.
        word(unsafe { libc::shmget(key(), 0, 0) }.into())
    };
    semaphores_by_id, || {
        // SAFETY: looks a key up.
        word(unsafe { libc::semget(key(), 0, 0) }.into())
    };
    messages_by_id, || {
        // SAFETY: looks a key up.
        word(unsafe { libc::msgget(key(), 0) }.into())
    };
    posix_queue, || {
        let name = CString::new(argument()).unwrap();
        // SAFETY: the name outlives the call.
        word(unsafe { libc::mq_open(name.as_ptr(), libc::O_RDONLY) }.into())
    };
    shared_memory_works: "open" => "open", || told(shared_memory());
    semaphores_work: "open" => "open", || {
        // SAFETY: makes and removes a private set.
        unsafe {
            let id = libc::semget(libc::IPC_PRIVATE, 1, 0o600);
            let answer = word(id.into());
            libc::semctl(id, 0, libc::IPC_RMID);
            answer
        }
    };
    // No file rule covers them, so Landlock refuses what the filter allows.
    posix_queues: "open" => "EACCES", || {
        let name = CString::new(format!("/sandbox-test-own-{}", std::process::id())).unwrap();
        let none = std::ptr::null::<libc::mq_attr>();
        // SAFETY: the name outlives the calls; null asks for the default attributes.
        unsafe {
            let queue = libc::mq_open(name.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600, none);
            let answer = word(queue.into());
            libc::mq_unlink(name.as_ptr());
            answer
        }
    };
}

fn key() -> libc::key_t {
    argument().parse().unwrap()
}

fn shared_memory() -> std::io::Result<()> {
    // SAFETY: makes a private segment, attaches and detaches it, removes it.
    unsafe {
        let id = libc::shmget(libc::IPC_PRIVATE, 4096, 0o600);
        if id == -1 {
            return Err(std::io::Error::last_os_error());
        }
        let place = libc::shmat(id, std::ptr::null(), 0);
        libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut());
        assert_ne!(place as isize, -1);
        assert_eq!(libc::shmdt(place), 0);
    }
    Ok(())
}

/// A key that two test runs at once do not share.
fn fresh_key(number: i32) -> libc::key_t {
    i32::try_from(std::process::id()).unwrap() * 4 + number
}

fn only_outside(check: &str, argument: &str) {
    let (outside, inside) = (free(check, argument), jailed(check, argument, &[]));
    assert_eq!(outside.as_deref(), Ok("open"), "{check}");
    assert_eq!(inside.as_deref(), Ok("ENOENT"), "{check}");
}

#[test]
fn shared_memory_of_the_host_is_not_known() {
    let key = fresh_key(1);
    // SAFETY: makes a segment that is removed below.
    let id = unsafe { libc::shmget(key, 4096, libc::IPC_CREAT | 0o666) };
    assert_ne!(id, -1);
    let result = std::panic::catch_unwind(|| only_outside("shared_memory_by_id", &key.to_string()));
    // SAFETY: removes what was made above.
    unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    result.unwrap();
}

#[test]
fn semaphores_of_the_host_are_not_known() {
    let key = fresh_key(2);
    // SAFETY: makes a set that is removed below.
    let id = unsafe { libc::semget(key, 1, libc::IPC_CREAT | 0o666) };
    assert_ne!(id, -1);
    let result = std::panic::catch_unwind(|| only_outside("semaphores_by_id", &key.to_string()));
    // SAFETY: removes what was made above.
    unsafe { libc::semctl(id, 0, libc::IPC_RMID) };
    result.unwrap();
}

#[test]
fn message_queues_of_the_host_are_not_known() {
    let key = fresh_key(3);
    // SAFETY: makes a queue that is removed below.
    let id = unsafe { libc::msgget(key, libc::IPC_CREAT | 0o666) };
    assert_ne!(id, -1);
    let result = std::panic::catch_unwind(|| only_outside("messages_by_id", &key.to_string()));
    // SAFETY: removes what was made above.
    unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    result.unwrap();
}

#[test]
fn posix_queues_of_the_host_are_not_known() {
    let text = format!("/sandbox-test-{}", std::process::id());
    let name = CString::new(text.clone()).unwrap();
    // SAFETY: the name outlives the calls; the queue is removed below.
    let queue = unsafe {
        let none = std::ptr::null::<libc::mq_attr>();
        let queue = libc::mq_open(name.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o644, none);
        assert_ne!(queue, -1);
        libc::fchmod(queue, 0o644);
        queue
    };
    let result = std::panic::catch_unwind(|| only_outside("posix_queue", &text));
    // SAFETY: removes what was made above.
    unsafe {
        libc::mq_unlink(name.as_ptr());
        libc::mq_close(queue);
    }
    result.unwrap();
}
