//! The root: which paths exist, what the made files say, and that no path leads out.
//! It must not ask who may write where; that is `mounts`' and `landlock`'s question.

use crate::calls::{exists, names, readable};
use crate::harness::{argument, free, jailed, place, prints, there};
use crate::support::Scratch;
use std::fs;

checks! {
    no_sys: "open" => "ENOENT", || exists("/sys");
    no_home: "open" => "ENOENT", || exists("/home");
    no_root_home: "open" => "ENOENT", || exists("/root");
    no_var: "open" => "ENOENT", || exists("/var");
    no_run: "open" => "ENOENT", || exists("/run");
    no_mnt: _ => "ENOENT", || exists("/mnt");
    no_boot: _ => "ENOENT", || exists("/boot");
    no_opt: _ => "ENOENT", || exists("/opt");
    no_srv: _ => "ENOENT", || exists("/srv");
    no_old_root: "ENOENT" => "ENOENT", || exists("/.old");
    no_shadow: "open" => "ENOENT", || exists("/etc/shadow");
    no_machine_id: _ => "ENOENT", || exists("/etc/machine-id");
    no_resolver: _ => "ENOENT", || exists("/etc/resolv.conf");
    no_mount_table: _ => "ENOENT", || exists("/etc/fstab");
    no_ssh: _ => "ENOENT", || exists("/etc/ssh");
    no_private_keys: _ => "ENOENT", || exists("/etc/ssl/private");
    no_way_up: "open" => "ENOENT", || exists("/../../../../var");
    no_way_up_through_proc: "open" => "ENOENT", || exists("/proc/self/root/var");
    no_way_up_from_the_cwd: _ => "ENOENT", || exists("/proc/self/cwd/var");
    host_path, || exists(&argument());
    working_directory: "/" => "/", || std::env::current_dir().unwrap().display().to_string();
    root_directory, || names("/");
    etc_directory, || names("/etc");
    tmp_is_empty: _ => "", || names("/tmp");
    passwd_has_two_lines: _ => "sandbox:x:1000:1000::/tmp:/bin/sh;nobody:x:65534:65534::/:/bin/false;", || flat("/etc/passwd");
    group_has_two_lines: _ => "sandbox:x:1000:;nogroup:x:65534:;", || flat("/etc/group");
    hosts_names_the_sandbox: _ => "127.0.0.1 localhost sandbox;::1 localhost ip6-localhost sandbox;", || flat("/etc/hosts");
    hostname_file: _ => "sandbox;", || flat("/etc/hostname");
    link_to_a_hidden_path: "open" => "ENOENT", || {
        let link = format!("{}/link", place());
        std::os::unix::fs::symlink("/var", &link).unwrap();
        let answer = exists(&link);
        fs::remove_file(&link).unwrap();
        answer
    };
    usr_is_readable: "open" => "open", || readable("/usr/bin/env");
}

fn flat(path: &str) -> String {
    fs::read_to_string(path).unwrap().replace('\n', ";")
}

#[test]
fn the_root_has_exactly_what_the_policy_names() {
    let named = [
        "bin", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "tmp", "usr",
    ];
    let made = ["dev", "etc", "proc", "tmp"];
    let mut expected: Vec<&str> = named
        .into_iter()
        .filter(|name| made.contains(name) || there(&format!("/{name}")))
        .collect();
    expected.push("check");
    expected.sort_unstable();
    let answer = jailed("root_directory", "", &[]);
    assert_eq!(answer, Ok(expected.join(" ")));
}

#[test]
fn etc_has_exactly_what_the_policy_names() {
    let made = ["group", "hostname", "hosts", "nsswitch.conf", "passwd"];
    let mut expected = made.to_vec();
    for (path, name) in [
        ("/etc/alternatives", "alternatives"),
        ("/etc/java-11-openjdk", "java-11-openjdk"),
        ("/etc/java-17-openjdk", "java-17-openjdk"),
        ("/etc/java-21-openjdk", "java-21-openjdk"),
        ("/etc/java-25-openjdk", "java-25-openjdk"),
        ("/etc/ld.so.cache", "ld.so.cache"),
        ("/etc/mono/config", "mono"),
        ("/etc/ssl/openssl.cnf", "ssl"),
    ] {
        if there(path) {
            expected.push(name);
        }
    }
    expected.sort_unstable();
    assert_eq!(jailed("etc_directory", "", &[]), Ok(expected.join(" ")));
}

#[test]
fn a_file_in_the_hosts_tmp_is_not_there() {
    let scratch = Scratch::new();
    let file = scratch.file("secret", "s", 0o644);
    let file = file.to_str().unwrap();
    assert_eq!(free("host_path", file).as_deref(), Ok("open"));
    assert_eq!(jailed("host_path", file, &[]).as_deref(), Ok("ENOENT"));
}

#[test]
fn the_callers_working_directory_is_not_there() {
    let scratch = Scratch::new();
    scratch.file("secret", "s", 0o644);
    let mut command = crate::harness::inside("host_path", "secret", &[]);
    let output = crate::support::run(command.current_dir(scratch.path()));
    let answer = crate::harness::outcome(&output);
    assert_eq!(answer.as_deref(), Ok("ENOENT"));
}

#[test]
fn the_program_knows_its_own_name_only() {
    let found = prints(&[], &["/usr/bin/id"]);
    assert!(
        found.starts_with("uid=1000(sandbox) gid=1000(sandbox)"),
        "{found}"
    );
}
