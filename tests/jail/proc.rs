//! `/proc`: the program's own processes and nothing of the machine, pid 1 or other processes.
//! It must not ask what happens to processes; `processes` does.

use crate::calls::{exists, names, readable, told, writable};
use crate::harness::{argument, free, inside, jailed, outcome};
use crate::support;
use std::fs;

checks! {
    init_directory: "open" => "ENOENT", || exists("/proc/1");
    init_environ: "EACCES" => "ENOENT", || readable("/proc/1/environ");
    init_mem: "EACCES" => "ENOENT", || readable("/proc/1/mem");
    init_root: _ => "ENOENT", || exists("/proc/1/root");
    init_fd: _ => "ENOENT", || readable("/proc/1/fd");
    init_exe: _ => "ENOENT", || exists("/proc/1/exe");
    init_cwd: _ => "ENOENT", || exists("/proc/1/cwd");
    init_maps: _ => "ENOENT", || readable("/proc/1/maps");
    init_status: "open" => "ENOENT", || readable("/proc/1/status");
    init_task: "open" => "ENOENT", || exists("/proc/1/task/1");
    host_process, || exists(&format!("/proc/{}", argument()));

    no_proc_sys: "open" => "ENOENT", || exists("/proc/sys");
    no_meminfo: "open" => "ENOENT", || exists("/proc/meminfo");
    no_cpuinfo: "open" => "ENOENT", || exists("/proc/cpuinfo");
    no_uptime: "open" => "ENOENT", || exists("/proc/uptime");
    no_loadavg: "open" => "ENOENT", || exists("/proc/loadavg");
    no_version: "open" => "ENOENT", || exists("/proc/version");
    no_kernel_command_line: "open" => "ENOENT", || exists("/proc/cmdline");
    no_kallsyms: _ => "ENOENT", || exists("/proc/kallsyms");
    no_kcore: _ => "ENOENT", || exists("/proc/kcore");
    no_sysrq: _ => "ENOENT", || exists("/proc/sysrq-trigger");
    no_modules: _ => "ENOENT", || exists("/proc/modules");
    no_interrupts: _ => "ENOENT", || exists("/proc/interrupts");
    no_keys: _ => "ENOENT", || exists("/proc/keys");
    no_timer_list: _ => "ENOENT", || exists("/proc/timer_list");
    no_partitions: _ => "ENOENT", || exists("/proc/partitions");

    listing_of_proc: _ => "2 self thread-self", || names("/proc");
    own_status: "open" => "open", || readable("/proc/self/status");
    own_oom_score: "open" => "EROFS", || writable("/proc/self/oom_score_adj");
    own_memory: "open" => "EROFS", || writable("/proc/self/mem");
    own_name: "open" => "EROFS", || writable("/proc/self/comm");
    own_uid_map: "open" => "EROFS", || writable("/proc/self/uid_map");
    own_setgroups: _ => "EROFS", || writable("/proc/self/setgroups");
    own_core_filter: "open" => "EROFS", || writable("/proc/self/coredump_filter");
    make_a_file_in_proc: "ENOENT" => "ENOENT", || crate::calls::creatable("/proc/sandbox-test");
    own_binary_is_not_writable: _ => "refused", || match writable("/proc/self/exe").as_str() {
        // A file that is executed is busy before anybody asks about mounts; one
        // that root owns is not the program's to write before that.
        "ETXTBSY" | "EACCES" => "refused".into(),
        other => other.into(),
    };
    uid_map_has_one_line: _ => "1000", || first_column("/proc/self/uid_map");
    gid_map_has_one_line: _ => "1000", || first_column("/proc/self/gid_map");
    groups_are_denied: _ => "deny", || fs::read_to_string("/proc/self/setgroups").unwrap().trim().into();
    secret_in_any_file_of_proc, secret;
    proc_of_agent_tells_of_memory: "open" => "open" with ["--policy", "agent"], || readable("/proc/meminfo");
    proc_of_agent_hides_init: "EACCES" => "ENOENT" with ["--policy", "agent"], || readable("/proc/1/environ");
    proc_of_agent_takes_no_settings: "EACCES" => "EACCES" with ["--policy", "agent"], || writable("/proc/sys/kernel/core_pattern");
    sysrq_trigger, || writable("/proc/sysrq-trigger");
    removing_a_process_directory: _ => "EROFS", || told(fs::remove_dir("/proc/self"));
}

fn first_column(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    let columns = text
        .lines()
        .map(|line| line.split_whitespace().next().unwrap());
    columns.collect::<Vec<_>>().join(" ")
}

/// Looks for the word in the environment and the command line of all it can see.
fn secret() -> String {
    let word = argument();
    for entry in fs::read_dir("/proc").unwrap() {
        for name in ["environ", "cmdline"] {
            let path = entry.as_ref().unwrap().path().join(name);
            let content = fs::read(&path).unwrap_or_default();
            // The check itself was given the word, as `JAIL_ARGUMENT=…`.
            if String::from_utf8_lossy(&content).contains(&format!("SECRET={word}")) {
                return path.display().to_string();
            }
        }
    }
    "absent".into()
}

/// There only where the kernel has CONFIG_MAGIC_SYSRQ, and then root's alone.
#[test]
fn proc_of_agent_takes_no_sysrq() {
    let expected = match exists("/proc/sysrq-trigger").as_str() {
        "open" => "EACCES",
        _ => "ENOENT",
    };
    let answer = jailed("sysrq_trigger", "", &["--policy", "agent"]);
    assert_eq!(answer.as_deref(), Ok(expected));
}

#[test]
fn a_process_of_the_host_is_not_there() {
    let own = std::process::id().to_string();
    assert_eq!(free("host_process", &own).as_deref(), Ok("open"));
    assert_eq!(jailed("host_process", &own, &[]).as_deref(), Ok("ENOENT"));
}

#[test]
fn a_secret_of_the_caller_is_nowhere() {
    let mut command = inside("secret_in_any_file_of_proc", "tell-nobody", &[]);
    let output = support::run(command.env("SECRET", "tell-nobody"));
    assert_eq!(outcome(&output).as_deref(), Ok("absent"));
}

#[test]
fn the_search_for_a_secret_can_find_one() {
    let mut command = inside(
        "secret_in_any_file_of_proc",
        "known",
        &["--env", "SECRET=known"],
    );
    let output = support::run(&mut command);
    let answer = outcome(&output).unwrap();
    assert!(answer.ends_with("/environ"), "{answer}");
}
