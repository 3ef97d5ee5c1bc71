//! How much is copied at most: of one file, in all, of files that say one thing and hold another.

use super::*;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

fn truncating(file_bytes: u64) -> Out {
    Out {
        truncate: true,
        ..at_most(file_bytes)
    }
}

#[test]
fn at_the_limit_passes_and_above_it_does_not() {
    let world = World::new();
    world.put("f", [7; 1000]);
    let (bytes, copied) = world.read("f", &at_most(1000)).unwrap();
    assert_eq!((bytes.len(), copied.truncated), (1000, 0));
    let error = world.read("f", &at_most(999)).unwrap_err();
    assert_eq!(error.problem, Problem::TooLarge { limit: 999 });
    assert_eq!(error.go_judge_type(), "CopyOutSizeExceeded");
}

#[test]
fn a_limit_of_nothing_passes_an_empty_file() {
    let world = World::new();
    world.put("empty", "");
    world.put("f", "x");
    assert_eq!(world.read("empty", &at_most(0)).unwrap().1.bytes, 0);
    let error = world.read("f", &at_most(0)).unwrap_err();
    assert_eq!(error.problem, Problem::TooLarge { limit: 0 });
}

#[test]
fn a_truncated_copy_says_so() {
    let world = World::new();
    world.put("f", "0123456789");
    let (bytes, copied) = world.read("f", &truncating(4)).unwrap();
    assert_eq!((bytes.as_slice(), copied.truncated), (&b"0123"[..], 1));
    let (bytes, copied) = world.read("f", &truncating(10)).unwrap();
    assert_eq!((bytes.len(), copied.truncated), (10, 0));
    let target = Target::NewFile(&world.outside, Path::new("f"));
    let copied = copy_out(&world.inside, "f", target, &truncating(4)).unwrap();
    assert_eq!((copied.bytes, copied.truncated), (4, 1));
    assert_eq!(fs::read(world.outside("f")).unwrap(), b"0123");
}

#[test]
fn the_total_is_never_cut() {
    let world = World::new();
    world.put("f", "0123456789");
    let mut options = truncating(8);
    options.limits.total_bytes = 7;
    let error = world.read("f", &options).unwrap_err();
    assert_eq!(error.problem, Problem::TooMuch { limit: 7 });
    options.limits.total_bytes = 8;
    assert_eq!(world.read("f", &options).unwrap().1.bytes, 8);
}

#[test]
fn a_terabyte_of_nothing_is_refused_at_once() {
    let world = World::new();
    let file = fs::File::create_new(world.inside("f")).unwrap();
    file.set_len(1 << 40).unwrap();
    let limit = Limits::default().file_bytes;
    assert_eq!(world.refused("f"), Problem::TooLarge { limit });
    let (bytes, copied) = world.read("f", &truncating(1000)).unwrap();
    assert_eq!((bytes, copied.truncated), (vec![0; 1000], 1));
}

#[test]
fn a_terabyte_of_nothing_is_copied_as_nothing() {
    let world = World::new();
    let file = fs::File::create_new(world.inside("f")).unwrap();
    file.set_len(1 << 40).unwrap();
    file.write_all_at(b"middle", 1 << 39).unwrap();
    let mut options = at_most(u64::MAX);
    options.limits.total_bytes = u64::MAX;
    let target = Target::NewFile(&world.outside, Path::new("f"));
    let copied = copy_out(&world.inside, "f", target, &options).unwrap();
    assert_eq!(copied.bytes, 1 << 40);
    let copy = fs::File::open(world.outside("f")).unwrap();
    let facts = copy.metadata().unwrap();
    assert_eq!(facts.len(), 1 << 40);
    assert!(facts.blocks() < 1000, "{} blocks", facts.blocks());
    let mut read = [0; 8];
    copy.read_exact_at(&mut read, (1 << 39) - 1).unwrap();
    assert_eq!(&read, b"\0middle\0");
}

#[test]
fn holes_are_where_they_were() {
    let world = World::new();
    let file = fs::File::create_new(world.inside("f")).unwrap();
    for (at, data) in [(0, "a"), (100_000, "bc"), (5_000_000, "d")] {
        file.write_all_at(data.as_bytes(), at).unwrap();
    }
    file.set_len(9_000_001).unwrap();
    let expected = fs::read(world.inside("f")).unwrap();
    let target = Target::NewFile(&world.outside, Path::new("f"));
    copy_out(&world.inside, "f", target, &Out::default()).unwrap();
    assert!(fs::read(world.outside("f")).unwrap() == expected);
    let (bytes, _) = world.read("f", &Out::default()).unwrap();
    assert!(bytes == expected);
    // Cut within data, within a hole, and before the end.
    for limit in [100_001, 2_000_000, 9_000_000] {
        let name = limit.to_string();
        let target = Target::NewFile(&world.outside, Path::new(&name));
        copy_out(&world.inside, "f", target, &truncating(limit)).unwrap();
        assert!(fs::read(world.outside(&name)).unwrap() == expected[..limit as usize]);
    }
}

/// Copies a file of a megabyte into a pipe, and changes it when the copy has begun: the
/// pipe holds much less.
fn while_copied(
    limit: u64,
    change: impl FnOnce(&fs::File) + Send + 'static,
) -> (Result<Copied, Error>, usize) {
    let world = World::new();
    world.put("f", vec![7; 1 << 20]);
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).open(world.inside("f")).unwrap();
    // Longer than the kernel's clock for times of files takes to tick.
    std::thread::sleep(Duration::from_millis(50));
    let (mut reader, writer) = std::io::pipe().unwrap();
    let reading = std::thread::spawn(move || {
        reader.read_exact(&mut [0]).unwrap();
        change(&file);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        1 + rest.len()
    });
    let target = Target::File(writer.as_fd());
    let copied = copy_out(&world.inside, "f", target, &at_most(limit));
    drop(writer);
    (copied, reading.join().unwrap())
}

#[test]
fn a_file_that_grows_is_stopped_at_the_limit() {
    let limit = (1 << 20) + 500;
    let (copied, read) = while_copied(limit, |file| file.set_len(1 << 40).unwrap());
    assert_eq!(copied.unwrap_err().problem, Problem::TooLarge { limit });
    assert_eq!(read as u64, limit);
}

#[test]
fn a_file_that_grows_within_the_limit_is_copied_and_said_to_change() {
    let limit = 2 << 20;
    let (copied, read) = while_copied(limit, move |file| file.set_len(limit).unwrap());
    let copied = copied.unwrap();
    assert_eq!((copied.bytes, copied.changed), (limit, true));
    assert_eq!(read as u64, limit);
}

#[test]
fn a_file_that_shrinks_is_copied_as_far_as_it_goes() {
    let (copied, read) = while_copied(2 << 20, |file| file.set_len(0).unwrap());
    let copied = copied.unwrap();
    assert!(copied.changed);
    assert_eq!(copied.bytes, read as u64);
    assert!(read < 1 << 20, "{read}");
}

#[test]
fn a_file_that_is_left_alone_did_not_change() {
    let (copied, read) = while_copied(2 << 20, |_| {});
    let copied = copied.unwrap();
    assert_eq!(
        (copied.bytes, copied.changed, read),
        (1 << 20, false, 1 << 20)
    );
}

#[test]
fn a_full_file_system_is_said_and_leaves_nothing() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let world = World::new();
    world.put("f", "x");
    let target = Target::File(full.as_fd());
    let error = copy_out(&world.inside, "f", target, &Out::default()).unwrap_err();
    assert_eq!(error.problem, Problem::NoSpace);
    assert_eq!(error.go_judge_type(), "CopyOutCopyContent");
}

#[test]
fn several_copies_share_a_total() {
    let world = World::new();
    world.put("f", [7; 100]);
    let mut options = Out::default();
    options.limits.total_bytes = 250;
    for _ in 0..2 {
        let (_, copied) = world.read("f", &options).unwrap();
        options.limits = options.limits.after(&copied);
    }
    let error = world.read("f", &options).unwrap_err();
    assert_eq!(error.problem, Problem::TooMuch { limit: 50 });
}

#[test]
fn a_large_file_takes_no_large_memory() {
    let world = World::new();
    let file = fs::File::create_new(world.inside("f")).unwrap();
    file.set_len(LARGE).unwrap();
    // KiB of address space, less than the file has bytes.
    let script = r#"ulimit -v 524288 && "$0" --exact limits::copies_a_large_file --ignored \
        --nocapture --test-threads=1"#;
    let mut command = support::ordinary("/bin/sh");
    command.args(["-c", script]).arg(support::myself());
    command.current_dir(world.scratch.path());
    let output = support::run(&mut command);
    assert!(output.status.success(), "{output:?}");
}

const LARGE: u64 = 640 << 20;

#[test]
#[ignore = "for the test above, which limits its memory"]
fn copies_a_large_file() {
    let inside = Root::open("inside").unwrap();
    let outside = Root::open("outside").unwrap();
    let mut options = at_most(LARGE);
    options.limits.total_bytes = LARGE;
    let (mut reader, writer) = std::io::pipe().unwrap();
    let reading = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    let copied = copy_out(&inside, "f", Target::File(writer.as_fd()), &options).unwrap();
    drop(writer);
    assert_eq!(copied.bytes, LARGE);
    assert_eq!(reading.join().unwrap().unwrap(), LARGE);
    let target = Target::NewFile(&outside, Path::new("f"));
    assert_eq!(
        copy_out(&inside, "f", target, &options).unwrap().bytes,
        LARGE
    );
}
