//! SIGKILL of `sandbox` at any moment of a run with copies: nothing unfinished has a name.

use super::*;
use std::process::Stdio;
use std::time::Duration;

const MOMENTS: u32 = 60;

#[test]
fn sigkill_at_any_moment_leaves_whole_files_or_none() {
    let world = World::new();
    // Long enough that a moment falls into it.
    let content = "0123456789abcdef".repeat(1 << 19);
    world.scratch.file("big", &content, 0o644);
    let mut finished = 0;
    for moment in 0..MOMENTS {
        let options = [
            "--write=WORK",
            "--copy-in=big:WORK/in",
            "--copy-out=WORK/in:out",
        ];
        let mut command = world.command(&options, "exit 0");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let micros = u64::from(moment * 37 % MOMENTS) * 60_000 / u64::from(MOMENTS);
        std::thread::sleep(Duration::from_micros(micros));
        child.kill().unwrap();
        child.wait().unwrap();
        finished += u32::from(world.exists("out"));
        for name in ["work/in", "out"] {
            if world.exists(name) {
                assert!(world.read(name) == content, "{name} is not whole");
                fs::remove_file(world.path(name)).unwrap();
            }
        }
        assert_eq!(world.names(), ["big", "in.txt", "work"]);
        assert_eq!(fs::read_dir(world.path("work")).unwrap().count(), 0);
    }
    println!("{finished} of {MOMENTS} were finished");
}
