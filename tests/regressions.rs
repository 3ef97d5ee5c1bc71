//! One test for each promise that once did not hold, driven from outside with the real binary.
//! It must not test what has a better place; each test says what went wrong before.

#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use support::{Scratch, code, complaint, sandbox, shell};

/// Runs without the tool chain variables of whoever runs the tests: the policies
/// would look there, and an ordinary user may not.
fn run(command: &mut std::process::Command) -> Output {
    for name in ["CARGO_HOME", "RUSTUP_HOME", "GOROOT", "GOPATH", "JAVA_HOME"] {
        command.env_remove(name);
    }
    support::run(command)
}

/// A directory as standard input or `--fd` is a door: `cd /proc/self/fd/0` led to
/// the host's files, and chmod(2) of one worked (the lesson of CVE-2024-21626).
#[test]
fn a_directory_descriptor_is_no_way_out() {
    let scratch = Scratch::new();
    let secret = scratch.file("secret", "s", 0o600);
    for (script, name) in [
        (
            "\"$SANDBOX\" -- /bin/sh -c 'cd /proc/self/fd/0; chmod 666 secret' <.",
            "standard input",
        ),
        (
            "\"$SANDBOX\" --fd 3 -- /bin/sh -c 'cd /proc/self/fd/3; chmod 666 secret' 3<.",
            "descriptor 3",
        ),
    ] {
        let output = run(shell(script).current_dir(scratch.path()));
        assert_eq!(code(&output), 125, "{}", complaint(&output));
        let message = complaint(&output);
        assert!(
            message.starts_with(&format!("sandbox: {name} is a directory")),
            "{message}"
        );
        let mode = fs::metadata(&secret).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// `--fd 3` with nothing open there named the file that `--report` had just
/// opened: the program could write its own record.
#[test]
fn the_record_is_never_one_of_the_programs_descriptors() {
    let scratch = Scratch::new();
    let report = scratch.join("report.json");
    for fd in 3..10 {
        let output = run(sandbox()
            .args(["--fd", &fd.to_string(), "--report"])
            .arg(&report)
            .args(["--", "/bin/true"]));
        assert_eq!(code(&output), 125);
        let message = complaint(&output);
        assert!(
            message.contains(&format!("descriptor {fd} is not open")),
            "{message}"
        );
    }
}

/// With SIGCHLD ignored by the caller, the kernel reaped the program before pid 1
/// could, and the run never ended.
#[test]
fn an_ignored_sigchld_of_the_caller_does_not_matter() {
    let output = run(&mut shell(
        "exec timeout 20 env --ignore-signal=CHLD \"$SANDBOX\" -- /bin/sh -c 'exit 7'",
    ));
    assert_eq!(code(&output), 7, "{}", complaint(&output));
}

/// The caller's umask took the modes of the new root's directories away.
#[test]
fn the_umask_of_the_caller_does_not_matter() {
    let output = run(&mut shell(
        "umask 777; \"$SANDBOX\" -- /bin/sh -c 'umask; stat -c %a /etc /tmp /etc/passwd'",
    ));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    assert_eq!(output.stdout, b"0022\n755\n1777\n444\n");
}

/// An option for the work tree replaced the rule that protects its repository.
#[test]
fn an_option_does_not_lose_the_protection_of_git() {
    let scratch = Scratch::new();
    let setup = "mkdir -p .git/hooks .git/objects .git/refs && touch .git/config && echo ref: refs/heads/x > .git/HEAD";
    let output = run(shell(setup).current_dir(scratch.path()));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    for option in ["--write=.", "--write-exec=."] {
        let output = run(sandbox().current_dir(scratch.path()).args([
            "--policy",
            "agent",
            option,
            "--",
            "/bin/sh",
            "-c",
            "echo fine > file; echo x > .git/config || echo x > .git/hooks/post-commit",
        ]));
        assert_ne!(code(&output), 0);
        let message = complaint(&output);
        assert!(message.contains("Read-only file system"), "{message}");
        assert_eq!(fs::read(scratch.join("file")).unwrap(), b"fine\n");
        assert_eq!(fs::read(scratch.join(".git/config")).unwrap(), b"");
        assert!(!scratch.join(".git/hooks/post-commit").exists());
    }
}

/// A sandbox in the tree that it lets the program write could be replaced by it
/// (the lesson of CVE-2019-5736).
#[test]
fn the_program_cannot_replace_the_sandbox() {
    let scratch = Scratch::new();
    scratch.directory("bin");
    let copy = scratch.file("bin/mine", fs::read(support::binary()).unwrap(), 0o755);
    let script = "for how in 'mv bin old' 'mv bin/mine old' 'rm -f bin/mine' 'cp /bin/true bin/mine' 'ln -f /bin/true bin/mine'; do
        $how && echo \"$how worked\"; done; echo fine > bin/other; exit 0";
    let output = run(support::ordinary(&copy)
        .current_dir(scratch.path())
        .args(["--policy", "agent", "--", "/bin/sh", "-c", script]));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(fs::read(&copy).unwrap() == fs::read(support::binary()).unwrap());
    assert_eq!(fs::read(scratch.join("bin/other")).unwrap(), b"fine\n");
}

/// Started in the home directory, `agent` and `compile` let the program write
/// `.bashrc`, which runs outside later.
#[test]
fn a_project_is_not_the_home_directory() {
    let scratch = Scratch::new();
    let home = scratch.directory("home");
    scratch.directory("home/project");
    std::os::unix::fs::symlink(&home, scratch.join("link")).unwrap();
    for policy in ["agent", "compile"] {
        for (directory, home) in [("home", "home"), ("home", "link"), ("", "home")] {
            let output = run(sandbox()
                .current_dir(scratch.join(directory))
                .env("HOME", scratch.join(home))
                .args([
                    "--policy",
                    policy,
                    "--",
                    "/bin/sh",
                    "-c",
                    "echo x > .bashrc",
                ]));
            assert_eq!(code(&output), 125);
            let message = complaint(&output);
            assert!(message.contains("is your home directory"), "{message}");
            assert!(message.contains("start in a project directory"));
        }
        let output = run(sandbox()
            .current_dir(scratch.join("home/project"))
            .env("HOME", &home)
            .args(["--policy", policy, "--", "/bin/true"]));
        assert_eq!(code(&output), 0, "{}", complaint(&output));
    }
    assert!(!scratch.join("home/.bashrc").exists());
}

/// pid 1 keeps the wall-time limit, and the program could make it SCHED_IDLE
/// below a crowd of busy processes: it has the same uid.
#[test]
fn the_program_cannot_slow_down_pid_1() {
    for (change, allowed) in [
        ("renice -n 19 -p 1", false),
        ("renice -n 19 -u 1000", false),
        ("renice -n 19 -p $$", true),
        ("taskset -p 1 1", false),
        ("taskset -p 1 $$", true),
        ("chrt -i -p 0 1", false),
        ("chrt -i -p 0 $$", true),
        ("ionice -c 3 -p 1", false),
        ("ionice -c 3 -p $$", true),
    ] {
        let output = run(sandbox().args(["--", "/bin/sh", "-c", change]));
        assert_eq!(
            code(&output) == 0,
            allowed,
            "{change}: {}",
            complaint(&output)
        );
        let known = ["Operation not permitted", "Permission denied"];
        let message = complaint(&output);
        assert!(
            allowed || known.iter().any(|why| message.contains(why)),
            "{message}"
        );
    }
}

/// Whoever has a real-time priority to give away gave it to the program.
#[test]
fn inherited_limits_are_lowered() {
    let script = "ulimit -r; ulimit -e; ulimit -l; ulimit -q";
    let output = run(sandbox().args(["--", "/bin/bash", "-c", script]));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let limits: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(limits[..2], [0, 0]);
    assert!(limits[2] <= 8192 && limits[3] <= 819_200, "{limits:?}");
}

/// A lease on a file that the program may only read kept the host's programs from
/// opening it.
#[test]
fn no_leases_on_the_callers_files() {
    let scratch = Scratch::new();
    let file = scratch.file("settings", "s", 0o644);
    let script = "use Fcntl; open(F, '<', $ARGV[0]) or die; \
        print fcntl(F, 1024, F_RDLCK) ? 'leased' : $!; print fcntl(F, F_GETFD, 0) ? ' open' : $!";
    let output = run(sandbox()
        .arg("--read")
        .arg(&file)
        .args(["--", "/usr/bin/perl", "-e", script])
        .arg(&file));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "Operation not permitted open");
}

/// Ctrl-Z stopped the program's process group only: what had left it went on, and
/// read what was typed to the shell.
#[test]
fn a_stop_stops_everything_inside() {
    let scratch = Scratch::new();
    let script = "\"$SANDBOX\" --write . -- /bin/sh -c 'setsid sh -c \"while :; do echo x >>log; sleep 0.02; done\" & sleep 60' &
        while [ ! -s log ]; do sleep 0.02; done
        kill -TSTP $!; sleep 0.3; a=$(wc -l <log); sleep 0.4; b=$(wc -l <log)
        kill -CONT $!; sleep 0.4; c=$(wc -l <log); kill -KILL $!
        echo $((b - a)) $((c > b))";
    let output = run(shell(script).current_dir(scratch.path()));
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "0 1\n", "{}", complaint(&output));
}

/// "memory" read like a bound for the whole run, and was one for private memory of
/// each process. It is one for the run now, and the record says what keeps it.
#[test]
fn the_record_says_what_keeps_the_memory_limit() {
    let report = shell("\"$SANDBOX\" --report fd:3 --memory 64MiB -- /bin/true 3>&1 >/dev/null");
    let output = run(&mut { report });
    let text = String::from_utf8_lossy(&output.stdout);
    let by = |by| {
        format!("{{\"limit\":\"memory\",\"most\":67108864,\"unit\":\"bytes\",\"by\":\"{by}\"}}")
    };
    assert!(
        text.contains(&by("polled")) || text.contains(&by("memory.max")),
        "{text}"
    );
}

/// At a core limit of 0, which any program may set, the kernel starts the host's
/// core pattern program; only at 1 it does not. To refuse the call would end
/// gpg-agent, ssh-agent and whatever gcc's sanitizers are built into.
#[test]
fn the_limit_of_core_files_cannot_be_lowered_to_zero() {
    let output = run(sandbox().args(["--", "/usr/bin/python3", "-c"]).arg(
        "import resource as r
print(r.getrlimit(r.RLIMIT_CORE))
r.setrlimit(r.RLIMIT_CORE, (0, 0))
r.setrlimit(r.RLIMIT_NOFILE, (20, 20))
print(r.getrlimit(r.RLIMIT_CORE))",
    ));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "(1, 1)\n(1, 1)\n");
}

/// The wall-time limit was kept by pid 1 alone: what kept pid 1 from running kept
/// the limit from being one.
#[test]
fn the_wall_time_limit_holds_without_pid_1() {
    let script = "\"$SANDBOX\" --wall-time 1s -- /bin/sleep 50 & sandbox=$!
        while ! init=$(pgrep -P $sandbox); do sleep 0.02; done
        sleep 0.3; kill -STOP $init; wait $sandbox";
    let before = std::time::Instant::now();
    let output = run(&mut shell(script));
    assert_eq!(code(&output), 124, "{}", complaint(&output));
    assert!(before.elapsed().as_secs() < 30);
}

/// A secret that no visible tree contained by its own name was hidden there, and open
/// by another: `~/.ssh` with HOME behind a link, and the tree that it leads to granted.
#[test]
fn what_is_hidden_has_no_second_name() {
    let scratch = Scratch::new();
    scratch.directory("home");
    scratch.directory("home/keys");
    scratch.file("home/keys/key", "secret", 0o644);
    let home = scratch.join("home");
    std::os::unix::fs::symlink(&home, scratch.join("link")).unwrap();
    let keys = scratch.join("link/keys");
    let shown = home.join("keys");
    let read = |tree: &std::path::Path, hidden: &[&std::path::Path]| {
        let mut command = sandbox();
        command.arg("--read").arg(tree);
        for path in hidden {
            command.arg("--hide").arg(path);
        }
        let key = scratch.join("home/keys/key");
        run(command.args(["--", "/bin/cat"]).arg(key))
    };
    let output = read(&home, &[&keys]);
    let message = complaint(&output);
    assert_eq!(code(&output), 125, "{message}");
    let expected = format!(
        "sandbox: `{}` is hidden (rule --hide), but the same host path `{}` is visible as `{}` (rule --read)\n\
         hint: hide `{}` as well\n",
        keys.display(),
        shown.display(),
        shown.display(),
        shown.display()
    );
    assert_eq!(message, expected);
    // Hidden by both names it is closed, and by the tree's own name alone too.
    for hidden in [&[&*keys, &*shown][..], &[&*shown]] {
        let output = read(&home, hidden);
        assert_eq!(code(&output), 1, "{}", complaint(&output));
        assert_eq!(output.stdout, b"");
    }
    // A rule that names the hidden path itself is meant.
    let there = format!("{}:/there", keys.display());
    let output = run(sandbox().arg("--hide").arg(&keys).args([
        "--read",
        &there,
        "--",
        "/bin/cat",
        "/there/key",
    ]));
    assert_eq!(output.stdout, b"secret", "{}", complaint(&output));
}

/// A rule that added nothing to the tree around it was forgotten; another rule, through a
/// link, then made what it speaks of writable.
#[test]
fn a_rule_that_adds_nothing_is_not_forgotten() {
    let scratch = Scratch::new();
    scratch.directory("tree");
    let kept = scratch.directory("tree/kept");
    let link = scratch.join("tree/link");
    std::os::unix::fs::symlink("kept", &link).unwrap();
    let mut command = sandbox();
    command.arg("--exec").arg(scratch.join("tree"));
    command.arg("--exec").arg(&kept).arg("--write").arg(&link);
    command.args(["--", "/bin/touch"]).arg(kept.join("new"));
    let output = run(&mut command);
    let kept = kept.display();
    assert_eq!(
        complaint(&output),
        format!(
            "sandbox: rule --exec allows \"exec\" at `{kept}`, where rule --write for `{kept}` \
             allows \"write\"\nhint: drop one of the two, or let both say the same\n"
        )
    );
    assert_eq!(code(&output), 125);
}

/// pid 1 has a copy of the caller's memory. What keeps the program from reading it is
/// Landlock and hidepid as well, so this looks from outside: the files of a process
/// that is not dumpable belong to root (proc(5)).
#[test]
fn pid_1_is_not_dumpable() {
    let mut command = sandbox();
    command.args(["--", "/bin/sh", "-c", "echo ready; read line; :"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let init = fs::read_to_string(children).unwrap();
    let owner = |pid: &str| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid()
    };
    let (own, inits) = (owner(&child.id().to_string()), owner(init.trim()));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert_eq!((own, inits), (support::uid(), 0));
}
