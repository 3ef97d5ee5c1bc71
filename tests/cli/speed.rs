//! `cpu-max`, `cpu-weight` and `io-max` where their controllers are not: nothing is
//! executed, and the message names the key, the controller and a way out.
//! It must hold on a machine with controllers too, where what is executed is limited.

use crate::support::{self, Scratch, code, complaint, sandbox};
use crate::{MARK, refused};
use serde_json::Value;
use std::fs;

/// An option or a policy for each key, and its controller.
fn keys(scratch: &Scratch) -> Vec<(&'static str, &'static str, Vec<String>)> {
    let text = "version = 1\nextends = [\"strict\"]\n[limits]\n\
                io-max = { \"8:0\" = { reads = 100 } }\n";
    let policy = scratch.file("io.toml", text, 0o644);
    let policy = policy.to_str().unwrap().to_owned();
    vec![
        ("cpu-max", "cpu", vec!["--cpu-max".into(), "0.5".into()]),
        (
            "cpu-weight",
            "cpu",
            vec!["--cpu-weight".into(), "50".into()],
        ),
        ("io-max", "io", vec!["--policy".into(), policy]),
    ]
}

#[test]
fn without_a_group_nothing_is_executed() {
    let scratch = Scratch::new();
    for (key, controller, options) in keys(&scratch) {
        for verb in ["run", "plan"] {
            let mut command = sandbox();
            command.arg(verb).args(&options).args(["--cgroup", "none"]);
            command.args(["--", "/bin/echo", MARK]);
            let wanted = format!(
                "the policy wants `{key}`, which nothing keeps but the {controller} controller of cgroup v2"
            );
            let said = refused(&scratch, &mut command, 125, &wanted);
            assert!(
                said.contains("\nhint: run it where that controller is delegated"),
                "{said}"
            );
            assert!(said.contains(&format!("`{key} = \"none\"`")), "{said}");
        }
    }
}

/// Whatever this machine has: the kernel keeps it and the record says so, or it was not run.
#[test]
fn nothing_is_silently_not_kept() {
    let scratch = Scratch::new();
    for (key, controller, options) in keys(&scratch) {
        let report = scratch.join(&format!("{key}.json"));
        let mut command = sandbox();
        command.arg("--report").arg(&report).args(&options);
        command.args(["--", "/bin/echo", MARK]);
        let output = support::run(&mut command);
        let said = complaint(&output);
        let executed = String::from_utf8_lossy(&output.stdout).contains(MARK);
        let record: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
        let kept = record["limits"].as_array().is_some_and(|limits| {
            let mut limits = limits.iter();
            limits.any(|held| held["limit"] == key)
        });
        assert_eq!(executed, kept, "{key}: {record}{said}");
        if executed {
            continue;
        }
        assert_eq!(code(&output), 125, "{said}");
        assert_eq!(record["complete"], false, "{record}");
        // Without the controller; a disk 8:0 that is not there is refused as well.
        let controllers = format!("`{key}` kept by the {controller} controller of cgroup v2");
        let by_the_kernel = key == "io-max" && said.contains("io.max");
        assert!(said.contains(&controllers) || by_the_kernel, "{said}");
        assert!(said.contains("\nhint: "), "{said}");
    }
}

/// An audit asks what is open and what is closed, which no speed changes.
#[test]
fn an_audit_needs_no_controller() {
    let output = support::run(sandbox().args(["audit", "--cpu-max", "0.5"]));
    assert_eq!(code(&output), 0, "{}", complaint(&output));
}

/// What is said without a group is said again by `sandbox policy --resolved`.
#[test]
fn the_resolved_policy_says_every_one() {
    let scratch = Scratch::new();
    let text = "version = 1\n[limits]\ncpu-max = 0.50\ncpu-weight = 7\n\
                io-max = { \"/x/\" = { read-bytes = 2048 }, \"8:0\" = { writes = 3 } }\n";
    let path = scratch.file("p.toml", text, 0o644);
    let said = crate::succeeds(sandbox().args(["policy", "--resolved"]).arg(&path));
    for line in [
        "cpu-max = 0.5",
        "cpu-weight = 7",
        "io-max = { \"8:0\" = { writes = 3 }, \"/x\" = { read-bytes = \"2KiB\" } }",
    ] {
        assert!(said.lines().any(|found| found == line), "{line}\n{said}");
    }
    crate::succeeds(sandbox().arg("check").arg(&path));
}
