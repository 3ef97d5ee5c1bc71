//! Fork bombs at the same time: each has its own limit, and nobody else is out of processes.
//! It must not start a bomb outside a sandbox.

use crate::inside::{HERE, NAME, slower};
use crate::support::{self, Scratch};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};

/// A row of the table, which is the bomb.
const BOMB: &str = "a fork bomb that is busy";
const LIMIT: u64 = 24;

fn bomb(scratch: &Scratch, number: u64) -> Child {
    let mut command = support::sandbox();
    command
        .arg("--report")
        .arg(scratch.join(&number.to_string()));
    // Each has another limit, and must meet that one.
    command.args(["--processes", &(LIMIT + number).to_string()]);
    let wall = format!("{}s", 4 * slower());
    command.args(["--cpu-time", "none", "--wall-time", &wall]);
    command
        .arg("--exec")
        .arg(format!("{}:{HERE}", support::myself().display()));
    command.args(["--env", &format!("{NAME}={BOMB}"), "--", HERE]);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn four_bombs_meet_their_own_limits_and_nobody_else_does() {
    let scratch = Scratch::new();
    let mut bombs: Vec<Child> = (0..4).map(|number| bomb(&scratch, number)).collect();
    let mut forked = 0;
    // For as long as they all are there.
    while bombs
        .iter_mut()
        .all(|bomb| bomb.try_wait().unwrap().is_none())
    {
        // The same user outside, and in a fifth sandbox: a shell and as many children.
        let fork = "for i in 1 2 3 4 5 6 7 8; do /bin/true & done; wait";
        for mut command in [outside(fork), beside(fork)] {
            let output = support::run(&mut command);
            assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
            assert_eq!(support::complaint(&output), "");
        }
        forked += 1;
    }
    assert!(forked > 0, "the bombs were gone before anybody else forked");
    for (number, mut bomb) in (0u64..).zip(bombs) {
        bomb.wait().unwrap();
        let text = std::fs::read_to_string(scratch.join(&number.to_string())).unwrap();
        let record: Value = serde_json::from_str(&text).unwrap();
        crate::schema::valid(&record).unwrap();
        assert_eq!(record["verdict"], "wall-time", "{record}");
        assert_eq!(
            record["limits_hit"],
            json!(["wall", "processes"]),
            "{record}"
        );
        assert_eq!(record["processes_peak"], LIMIT + number, "{record}");
    }
}

fn outside(script: &str) -> Command {
    let mut command = support::ordinary("/bin/sh");
    command.args(["-c", script]);
    command
}

fn beside(script: &str) -> Command {
    let mut command = support::sandbox();
    command.args(["--processes", "16", "--", "/bin/sh", "-c", script]);
    command
}
