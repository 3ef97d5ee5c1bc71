//! The same run twice: bound processors, fixed addresses, the same names and ids, and a figure for what disturbs it.
//! It must not compare times: they are what cannot be the same.

#![cfg(feature = "cli")]

mod support;

use support::{Scratch, code, complaint, run, sandbox};

/// Runs a shell script under a policy; what it printed.
fn printed(process: &str, script: &str) -> String {
    let scratch = Scratch::new();
    let text = format!("version = 1\nextends = [\"strict\"]\n[process]\n{process}\n");
    let policy = scratch.file("p.toml", text, 0o644);
    let mut command = sandbox();
    command.arg("--policy").arg(&policy);
    let output = run(command.args(["--", "/bin/sh", "-c", script]));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A processor that the tests may run on.
fn processor() -> usize {
    let set = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap();
    let mut cpus = 0..nix::sched::CpuSet::count();
    cpus.find(|cpu| set.is_set(*cpu).unwrap()).unwrap()
}

#[test]
fn it_runs_on_the_processors_named_and_counts_no_other() {
    let one = processor();
    let seen = printed(
        &format!("cpus = \"{one}\""),
        "nproc; grep Cpus_allowed_list /proc/self/status",
    );
    assert_eq!(seen, format!("1\nCpus_allowed_list:\t{one}\n"));
}

#[test]
fn it_cannot_unbind_itself() {
    let one = processor();
    let output = run(sandbox().arg(format!("--cpus={one}")).args([
        "--",
        "/usr/bin/taskset",
        "-p",
        "-c",
        "0-63",
        "2",
    ]));
    assert_ne!(code(&output), 0);
    let said = complaint(&output);
    assert!(said.contains("Operation not permitted"), "{said}");
}

#[test]
fn who_is_not_bound_may_choose() {
    let one = processor();
    let script = format!("taskset -p -c {one} $$ >/dev/null && nproc");
    assert_eq!(printed("", &script), "1\n");
}

#[test]
fn a_processor_that_is_not_the_callers_is_refused() {
    for (cpus, message) in [
        ("1023", "may not run on processor 1023"),
        ("1024", "is no list of processors"),
        ("3-1", "is no list of processors"),
        ("", "is no list of processors"),
        ("+1", "is no list of processors"),
        ("0,,1", "is no list of processors"),
    ] {
        let output = run(sandbox()
            .arg(format!("--cpus={cpus}"))
            .args(["--", "/bin/true"]));
        assert_eq!(code(&output), 125, "{cpus}");
        assert!(
            complaint(&output).contains(message),
            "{}",
            complaint(&output)
        );
    }
}

/// Where the shell's own stack and libraries are.
const ADDRESSES: &str = "grep -v vvar /proc/self/maps | cut -d' ' -f1";

#[test]
fn addresses_are_the_same_without_randomisation() {
    let fixed = || printed("aslr = false", ADDRESSES);
    assert_eq!(fixed(), fixed());
}

#[test]
fn addresses_are_drawn_anew_by_default() {
    let mut drawn = (0..4).map(|_| printed("", ADDRESSES));
    let first = drawn.next().unwrap();
    assert!(drawn.any(|other| other != first));
}

#[test]
fn names_ids_and_locale_are_those_of_the_policy() {
    let script = "hostname; id -u; id -g; echo $LANG $HOME $PATH; pwd; date +%Z; umask; echo $$";
    let first = printed("", script);
    assert_eq!(first, printed("", script));
    assert!(
        first.starts_with("sandbox\n1000\n1000\nC.UTF-8 /tmp "),
        "{first}"
    );
}

#[test]
fn noise_is_measured_when_asked_for_and_not_otherwise() {
    let scratch = Scratch::new();
    let place = scratch.join("r.json");
    let record = |options: &[&str]| -> serde_json::Value {
        let mut command = sandbox();
        command.arg("--report").arg(&place).args(options);
        let output = run(command.args(["--", "/bin/true"]));
        assert_eq!(code(&output), 0, "{}", complaint(&output));
        serde_json::from_str(&std::fs::read_to_string(&place).unwrap()).unwrap()
    };
    assert_eq!(record(&[])["noise"], serde_json::Value::Null);
    let noise = record(&["--noise"])["noise"].clone();
    // Every Linux with /proc has this one.
    assert!(noise["steal_ns"].is_u64(), "{noise}");
    assert!(noise["forced_switches"].is_u64(), "{noise}");
}
