//! Keyrings: not namespaced by the kernel, and so closed; the session's is a new one.
//! It must not read a key of anybody.

use crate::calls::{ask, path};

/// KEY_SPEC_SESSION_KEYRING and KEY_SPEC_USER_KEYRING of `keyctl(2)`.
const SESSION: usize = -3isize as usize;
const USER: usize = -4isize as usize;
const GET_KEYRING_ID: usize = 0;
const JOIN_SESSION: usize = 1;
const CAPABILITIES: usize = 31;

checks! {
    keyctl_capabilities: "open" => "EPERM", || {
        let mut buffer = [0u8; 8];
        ask(libc::SYS_keyctl, [CAPABILITIES, buffer.as_mut_ptr() as usize, 8])
    };
    keyctl_session: "open" => "EPERM", || ask(libc::SYS_keyctl, [GET_KEYRING_ID, SESSION, 1]);
    keyctl_user: "open" => "EPERM", || ask(libc::SYS_keyctl, [GET_KEYRING_ID, USER, 1]);
    keyctl_join: "open" => "EPERM", || ask(libc::SYS_keyctl, [JOIN_SESSION, 0]);
    add_a_key: "open" => "EPERM", || {
        let (kind, name) = (path("user"), path("sandbox-test"));
        let process = -2isize as usize; // KEY_SPEC_PROCESS_KEYRING: gone with the child
        let (kind, name) = (kind.as_ptr() as usize, name.as_ptr() as usize);
        ask(libc::SYS_add_key, [kind, name, name, 4, process])
    };
    request_a_key: "ENOKEY" => "EPERM", || {
        let (kind, name) = (path("user"), path("sandbox-test-no-such-key"));
        ask(libc::SYS_request_key, [kind.as_ptr() as usize, name.as_ptr() as usize, 0, 0])
    };
}
