//! The side outside: firejail CVE-2022-31214 (joining a faked sandbox), judge0 CVE-2024-28185, -28189 and
//! -29021 (links of the guest's followed on the host, ownership changed, a network by request).
//! It must not ask what the guest may do inside.

use crate::support::{self, Scratch};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

/// There is no way to enter a sandbox that runs: no option, no command.
#[test]
fn cve_2022_31214_there_is_no_join() {
    let pid = std::process::id().to_string();
    for option in [
        "--join",
        "--attach",
        "--enter",
        "--pid",
        "--ns",
        "--target",
        "--container",
        "--name",
    ] {
        for words in [
            vec![format!("{option}={pid}")],
            vec![option.into(), pid.clone()],
        ] {
            let mut command = support::sandbox();
            let message = crate::refused(command.args(words).args(["--", "/bin/true"]));
            assert!(message.contains(option), "{message}");
        }
    }
    // Taken for the name of a program, which is not in the sandbox, or for what it is.
    for word in ["attach", "enter", "connect", "shutdown", "list"] {
        let output = support::run(support::sandbox().args([word, &pid, "/bin/true"]));
        assert_eq!(
            support::code(&output),
            127,
            "{}",
            support::complaint(&output)
        );
    }
    let output = support::run(support::sandbox().args(["join", "--version"]));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("join (GNU coreutils)"), "{text}");
    let help = support::run(support::sandbox().arg("--help"));
    let text = String::from_utf8(help.stdout).unwrap();
    for word in ["join", "attach", "enter", "nsenter", "running"] {
        let listed = text
            .split(|c: char| !c.is_alphanumeric())
            .any(|found| found == word);
        assert!(!listed, "{word}: {text}");
    }
}

/// Nothing outside says that it runs, so nothing can be faked: no pid file, no socket,
/// no lock, wherever such things are kept.
#[test]
fn cve_2022_31214_a_run_leaves_no_state_to_be_faked() {
    let scratch = Scratch::new();
    let names = ["home", "tmp", "run", "state", "cache", "config", "cwd"];
    let [home, tmp, run, state, cache, config, cwd] = names.map(|name| scratch.directory(name));
    let before = scratch.listing();
    let sockets = || fs::read_to_string("/proc/net/unix").unwrap();
    let mut command = support::sandbox();
    command
        .current_dir(&cwd)
        .env("HOME", &home)
        .env("TMPDIR", &tmp)
        .env("XDG_RUNTIME_DIR", &run);
    command
        .env("XDG_STATE_HOME", &state)
        .env("XDG_CACHE_HOME", &cache)
        .env("XDG_CONFIG_HOME", &config);
    command.args(["--", "/bin/sh", "-c", "echo ready; read line"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    let during = scratch.listing();
    let named = |name: &str| {
        sockets()
            .lines()
            .any(|line| line.split(' ').next_back() == Some(name))
    };
    let listens = ["@sandbox", "/run/sandbox", "/tmp/sandbox"]
        .iter()
        .any(|name| named(name));
    let open = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    // What it holds open: streams, pipes, sockets without a name, kernel objects.
    let files: Vec<String> = open
        .map(|entry| {
            fs::read_link(entry.unwrap().path())
                .unwrap()
                .display()
                .to_string()
        })
        .filter(|name| name.starts_with('/') && name != "/dev/null")
        .collect();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(during, before);
    assert!(!listens);
    assert_eq!(files, [""; 0]);
}

/// The record's place, in a tree that the program may write, is opened before the run; what the
/// program then puts there is neither followed, nor filled, nor waited for.
#[test]
fn cve_2024_28185_a_link_of_the_guests_is_not_written_through() {
    let scratch = Scratch::new();
    let victim = scratch.file("victim", "precious", 0o666);
    let tree = scratch.directory("tree");
    let report = tree.join("report.json");
    for script in [
        "rm -f report.json; ln -s ../victim report.json",
        "rm -f report.json; ln -s /dev/full report.json",
        // Somebody who opened it by its name would wait for a reader.
        "rm -f report.json; /usr/bin/mkfifo report.json",
        "rm -f report.json; mkdir report.json",
        "mv report.json old; echo '{\"verdict\":\"ok\"}' >report.json",
        "mkdir d; mv report.json d; ln -s d/report.json report.json",
        "rm -f report.json",
    ] {
        let mut command = support::sandbox();
        command
            .current_dir(&tree)
            .args(["--write", ".", "--cwd"])
            .arg(&tree)
            .arg("--report")
            .arg(&report);
        let output = support::run(command.args(["--", "/bin/sh", "-c", script]));
        let message = support::complaint(&output);
        // A record that is not where it was asked for is no success.
        assert_eq!(support::code(&output), 125, "{script}: {message}");
        assert!(message.contains("is not at"), "{script}: {message}");
        assert_eq!(fs::read(&victim).unwrap(), b"precious", "{script}");
        support::run(
            Command::new("/bin/sh")
                .args(["-c", "rm -rf ./*"])
                .current_dir(&tree),
        );
    }
}

/// The same link, left by the run before.
#[test]
fn cve_2024_28185_a_link_that_is_there_already_is_refused() {
    let scratch = Scratch::new();
    let victim = scratch.file("victim", "precious", 0o666);
    let tree = scratch.directory("tree");
    symlink("../victim", tree.join("report.json")).unwrap();
    symlink("../new", tree.join("dangling.json")).unwrap();
    symlink("..", tree.join("up")).unwrap();
    for name in ["report.json", "dangling.json", "up/victim", "up/new"] {
        let mut command = support::sandbox();
        command
            .arg("--report")
            .arg(tree.join(name))
            .args(["--", "/bin/true"]);
        let message = crate::refused(&mut command);
        assert!(
            message.contains("a symbolic link is on the way"),
            "{message}"
        );
    }
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert!(!scratch.join("new").exists());
}

/// judge0's second advisory: a chown(2) after the run went through a link. Root's run gives
/// the program files by an id map, and changes no owner.
#[test]
fn cve_2024_28189_no_owner_is_changed_through_a_link() {
    if !support::root() {
        return println!("skip: only root could give a file away");
    }
    let scratch = Scratch::new();
    let victim = scratch.file("victim", "precious", 0o600);
    std::os::unix::fs::chown(&victim, Some(0), Some(0)).unwrap();
    let tree = scratch.directory("tree");
    std::os::unix::fs::chown(&tree, Some(0), Some(0)).unwrap();
    let owner = |path: &Path| {
        let facts = fs::symlink_metadata(path).unwrap();
        (facts.uid(), facts.gid(), facts.mode())
    };
    let before = (owner(&victim), owner(&tree));
    let mut command = Command::new(support::binary());
    command
        .current_dir("/")
        .arg("--write")
        .arg(&tree)
        .arg("--cwd")
        .arg(&tree);
    command.args([
        "--",
        "/bin/sh",
        "-c",
        "ln -s ../victim output; echo x >file; ln -s ../victim run",
    ]);
    let output = support::run(&mut command);
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    assert_eq!((owner(&victim), owner(&tree)), before);
    for name in ["output", "file", "run"] {
        let (uid, gid, _) = owner(&tree.join(name));
        assert_eq!((uid, gid), (0, 0), "{name}");
    }
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

/// judge0's third: whoever could ask for a run could ask for a network. Here only the caller
/// can, and with a reason; what the program can reach of the caller's words cannot.
#[test]
fn cve_2024_29021_a_network_is_not_had_by_asking() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    let without = support::sandbox()
        .args(["--network=host", "--", "/bin/true"])
        .output()
        .unwrap();
    assert_eq!(without.status.code(), Some(125));
    assert!(support::complaint(&without).contains("host-network"));
    // The guest writes the policy of the next run.
    let ask = "version = 1\nextends = [\"strict\"]\n[network]\nmode = \"host\"\n[weaken]\nhost-network = \"please\"\n";
    for name in [
        "strict",
        "strict.toml",
        "sandbox.toml",
        ".sandbox.toml",
        "base.toml",
        "policy.toml",
    ] {
        fs::write(tree.join(name), ask).unwrap();
    }
    let mut command = support::sandbox();
    command
        .current_dir(&tree)
        .env("HOME", &tree)
        .env("XDG_CONFIG_HOME", &tree);
    command
        .env("SANDBOX_POLICY", tree.join("policy.toml"))
        .env("SANDBOX_NETWORK", "host");
    let question = "exec 3<>/dev/tcp/127.0.0.1/1";
    let output = support::run(command.args(["--write", ".", "--", "/bin/bash", "-c", question]));
    let message = support::complaint(&output);
    assert!(
        message.contains("socket: Operation not permitted"),
        "{message}"
    );
    // Named by the caller, it is one that the program could have written.
    let mut command = support::sandbox();
    command.current_dir(&tree).args([
        "--policy",
        "./policy.toml",
        "--write",
        ".",
        "--",
        "/bin/true",
    ]);
    let message = crate::refused(&mut command);
    assert!(
        message.contains("it could change its own rules"),
        "{message}"
    );
}
