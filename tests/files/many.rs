//! Several runs at once, and many files in one.

use super::*;

#[test]
fn two_runs_at_once_do_not_meet() {
    let world = World::new();
    let results: Vec<Output> = std::thread::scope(|scope| {
        let world = &world;
        let runs: Vec<_> = (0..2)
            .map(|number| {
                scope.spawn(move || {
                    let input =
                        world
                            .scratch
                            .file(&format!("in{number}"), number.to_string(), 0o644);
                    let mut command = support::sandbox();
                    command.current_dir(world.scratch.path());
                    command.args(["--copy-in", &pair(input, "/tmp/x")]);
                    command.args(["--copy-out", &format!("/tmp/x:out{number}")]);
                    let script = "echo more >>/tmp/x; sleep 0.2; ls /tmp";
                    support::run(command.args(["--", "/bin/sh", "-c", script]))
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for (number, output) in results.iter().enumerate() {
        assert_eq!(output.stdout, b"x\n", "{}", complaint(output));
        assert_eq!(
            world.read(&format!("out{number}")),
            format!("{number}more\n")
        );
    }
}

#[test]
fn a_hundred_files_each_way() {
    let world = World::new();
    let mut options = Vec::new();
    for number in 0..100 {
        world
            .scratch
            .file(&format!("i{number}"), format!("{number}\n"), 0o644);
        options.push(format!("--copy-in=i{number}:/tmp/i{number}"));
        options.push(format!("--copy-out=/tmp/o{number}:o{number}"));
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let script = "cd /tmp; i=0; while test $i != 100; do read x <i$i; echo $((x + 1)) >o$i; i=$((i + 1)); done";
    let ran = world.run(&options, script).quietly(0);
    assert_eq!(ran.copies().len(), 200);
    assert!(ran.copies().iter().all(|(_, kind, _)| *kind == "copied"));
    for number in 0..100 {
        assert_eq!(
            world.read(&format!("o{number}")),
            format!("{}\n", number + 1)
        );
    }
}

#[test]
fn as_many_directories_as_there_are_mounts() {
    let world = World::new();
    let mut options = Vec::new();
    for number in 0..20 {
        options.push(format!("--tmpfs=/t{number}:64KiB"));
        options.push(format!("--copy-in=in.txt:/t{number}/in"));
        options.push(format!("--copy-out=/t{number}/out:o{number}"));
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let script = "i=0; while test $i != 20; do cat /t$i/in >/t$i/out; echo $i >>/t$i/out; i=$((i + 1)); done";
    world.run(&options, script).quietly(0);
    for number in 0..20 {
        assert_eq!(
            world.read(&format!("o{number}")),
            format!("1 2\n{number}\n")
        );
    }
}
