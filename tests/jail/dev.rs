//! `/dev`: exactly the harmless devices, and a `/dev/shm` and terminals of its own.
//! It must not ask about terminal requests; `tty_ioctls` does.

use crate::calls::{exists, names, readable, told, writable};
use crate::harness::{argument, free, jailed};
use crate::support;
use std::fs;
use std::io::{Read, Write};

checks! {
    listing_of_dev: _ => "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero", || names("/dev");
    listing_of_terminals: _ => "ptmx", || names("/dev/pts");
    listing_of_shm: _ => "", || names("/dev/shm");
    shared_memory_of_the_host, || exists(&argument());
    no_mem: _ => "ENOENT", || exists("/dev/mem");
    no_kmsg: _ => "ENOENT", || exists("/dev/kmsg");
    no_kvm: _ => "ENOENT", || exists("/dev/kvm");
    no_fuse: _ => "ENOENT", || exists("/dev/fuse");
    no_tun: _ => "ENOENT", || exists("/dev/net/tun");
    no_disk: _ => "ENOENT", || exists("/dev/vda");
    no_console: _ => "ENOENT", || exists("/dev/console");
    no_loop: _ => "ENOENT", || exists("/dev/loop-control");
    no_message_queues: _ => "ENOENT", || exists("/dev/mqueue");
    null_takes_bytes: "open" => "open", || writable("/dev/null");
    full_is_full: "ENOSPC" => "ENOSPC", || {
        let mut full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        told(full.write(b"x"))
    };
    zero_gives_zeros: "0 0" => "0 0", || {
        let mut bytes = [7; 2];
        fs::File::open("/dev/zero").unwrap().read_exact(&mut bytes).unwrap();
        format!("{} {}", bytes[0], bytes[1])
    };
    urandom_gives_bytes: "open" => "open", || {
        let mut bytes = [0; 16];
        told(fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)))
    };
    no_controlling_terminal: _ => "ENXIO", || readable("/dev/tty");
    a_terminal_can_be_made: _ => "open", || told(fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx"));
    change_the_mode_of_null: _ => "EPERM", || {
        told(fs::set_permissions("/dev/null", std::os::unix::fs::PermissionsExt::from_mode(0o600)))
    };
    replace_null: _ => "EROFS", || told(fs::remove_file("/dev/null"));
    shm_takes_files: _ => "open", || crate::calls::creatable("/dev/shm/sandbox-test");
}

#[test]
fn shared_memory_of_the_host_is_not_there() {
    let name = format!("/dev/shm/sandbox-test-{}", std::process::id());
    fs::write(&name, "x").unwrap();
    let outside = free("shared_memory_of_the_host", &name);
    let inside = jailed("shared_memory_of_the_host", &name, &[]);
    fs::remove_file(&name).unwrap();
    assert_eq!(outside.as_deref(), Ok("open"));
    assert_eq!(inside.as_deref(), Ok("ENOENT"));
}

#[test]
fn shared_memory_of_the_sandbox_is_not_on_the_host() {
    let name = format!("/dev/shm/sandbox-inside-{}", std::process::id());
    let script = format!("echo x > {name} && test -s {name}");
    let output = support::run(support::sandbox().args(["--", "/bin/sh", "-c", &script]));
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    assert!(!fs::exists(&name).unwrap());
}
