//! Floods and silence: everything that must end, ends, and memory does not grow.
//! It must not hang: `support::run` bounds every wait.

use super::{BOTH, bytes, recorded, verdicts};
use crate::support::{self, Scratch};

#[test]
fn a_flood_in_both_directions_that_nobody_reads_ends_by_the_limit() {
    // Between the end of one and that of the other what is written is drained, up to the
    // limit of output: where there is one that must be far.
    for options in [&[][..], &["--output", "100GiB"]] {
        let options = [options, &["--wall-time", "1s"]].concat();
        let (_, record) = recorded(&options, "exec yes", "exec yes");
        assert_eq!(verdicts(&record), ["wall-time", "wall-time"]);
    }
}

#[test]
fn a_flood_in_both_directions_that_is_read_arrives() {
    for options in BOTH {
        let side = "head -c 5000000 /dev/zero & exec >&-; wc -c >&2; wait";
        let (output, record) = recorded(options, side, side);
        assert_eq!(support::complaint(&output), "5000000\n5000000\n");
        assert_eq!(bytes(&record), [5_000_000, 5_000_000, 0, 0]);
    }
}

#[test]
fn a_side_that_writes_and_never_reads_holds_nobody_up() {
    let (_, record) = recorded(
        &[],
        "head -c 100000 /dev/zero; exit 0",
        // More than both pipes and the relay between them hold, to a solution that reads
        // none of it and ends.
        "cat > /tmp/said; head -c 1000000 /dev/zero; exit 0",
    );
    assert_eq!(verdicts(&record), ["ok", "ok"]);
    let [to_interactor, to_solution, _, drained] = bytes(&record);
    assert_eq!(to_interactor, 100_000);
    assert_eq!(to_solution + drained, 1_000_000);
}

#[test]
fn a_flood_after_the_other_has_ended_is_ended_by_the_limit() {
    let (_, record) = recorded(&["--output", "4MiB"], "cat; exec yes", "exit 0");
    assert_eq!(verdicts(&record), ["output", "ok"]);
    let drained = bytes(&record)[2];
    assert_eq!(drained, 4 << 20);
}

#[test]
fn a_side_that_is_killed_in_the_middle_is_an_end_of_file() {
    let (output, record) = recorded(
        &[],
        "yes & sleep 0.2; kill -KILL $$",
        "cat > /dev/null; echo over >&2",
    );
    assert_eq!(support::complaint(&output), "over\n");
    assert_eq!(record["solution"]["exit"]["signal"], 9);
    assert_eq!(record["solution"]["killed_by"], serde_json::Value::Null);
}

/// The largest resident set of `sandbox pair` and of everything that it waited for.
const MEASURE: &str = r"
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
";

#[test]
fn memory_does_not_grow_with_what_is_said() {
    let Some(python) = support::installed("python3") else {
        return;
    };
    let measure = |size: &str| -> u64 {
        let scratch = Scratch::new();
        let transcript = scratch.join("said");
        let write = format!("head -c {size} /dev/zero");
        let mut command = support::ordinary(&python);
        command
            .args(["-c", MEASURE])
            .arg(support::binary())
            .args(["pair", "--transcript-limit", "10kB", "--transcript"])
            .arg(transcript)
            .args([
                ":",
                "/bin/sh",
                "-c",
                &write,
                ":",
                "/bin/sh",
                "-c",
                "cat >/dev/null",
            ]);
        let output = support::run(&mut command);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        text.trim()
            .parse()
            .unwrap_or_else(|_| panic!("{}", support::complaint(&output)))
    };
    let (small, large) = (measure("1000"), measure("100000000"));
    assert!(large < small + 4096, "{small} KiB, {large} KiB");
}
