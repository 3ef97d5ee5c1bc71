//! What the tests from outside cannot ask: the end of a group on a kernel without
//! `cgroup.kill`. Where no group can be made, it says so.

use super::super::own::Place;
use super::*;
use std::process::Command;

#[test]
fn one_by_one_everything_is_killed_as_well() {
    let name = format!("made-{}-one-by-one", std::process::id());
    let top = Place::find().and_then(|place| place.own());
    let made = top.as_ref().ok().map(|top| top.make(&name));
    let (Ok(top), Some(Ok(()))) = (&top, made) else {
        return println!("skip: no group can be made here: {top:?}, {made:?}");
    };
    let group = top.below(Path::new(&name)).unwrap();
    // Each starts another, which nobody waits for.
    let mut child = Command::new("/bin/sh")
        .args([
            "-c",
            "trap '' TERM; read go; (sleep 1000 &); sleep 1000 & wait",
        ])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    group.take_in(child.id() as libc::pid_t).unwrap();
    drop(child.stdin.take());
    while group.processes().unwrap().len() < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let killed = group.kill_one_by_one();
    let empty = group.wait_empty(Duration::from_secs(60));
    let removed = super::super::stale::end(top, &name, &group, Duration::from_secs(60));
    let _ = child.wait();
    assert_eq!((killed, empty, removed), (Ok(()), Ok(true), Ok(())));
}
