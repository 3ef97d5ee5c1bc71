//! Names exchanged as fast as another thread can, while 100,000 copies are tried: nothing leaks,
//! nothing is made elsewhere, nothing hangs, and every try ends in one of the expected ways.
//!
//! Started by root, the tests copy as root and the names are exchanged by an ordinary user, who
//! may not read what must not leak.

#[path = "../support/swapper.rs"]
mod swapper;

use super::*;
use sandbox::transfer::{Existing, Kind};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};
use swapper::Swapper;

/// Copies that are tried in each of the two races that matter most.
const TRIES: usize = 100_000;

/// Copies that are tried in the others.
const FEWER: usize = 10_000;

/// How the tries ended, by word.
#[derive(Default, Debug)]
struct Ends(BTreeMap<&'static str, usize>);

impl Ends {
    fn count(&mut self, end: &'static str) {
        *self.0.entry(end).or_default() += 1;
    }

    /// These and no others, and the first two each at least once: there was a race.
    fn are(&self, expected: &[&str]) {
        for end in self.0.keys() {
            assert!(expected.contains(end), "{end}: {self:?}");
        }
        for end in &expected[..2] {
            assert!(self.0.contains_key(end), "no {end}: {self:?}");
        }
    }
}

/// A secret that the ordinary user may not read if somebody else copies.
fn private_secret(world: &World) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = world.secret();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path
}

fn tries_out(world: &World, name: &str, tries: usize) -> Ends {
    let mut ends = Ends::default();
    for _ in 0..tries {
        match world.read(name, &Out::default()) {
            Ok((bytes, _)) => {
                assert_eq!(bytes, b"right");
                ends.count("right");
            }
            Err(error) => ends.count(error.kind()),
        }
    }
    ends
}

#[test]
fn a_file_for_a_link_to_a_secret() {
    let world = World::new();
    world.put("f", "right");
    symlink(private_secret(&world), world.inside("link")).unwrap();
    let _swapper = Swapper::start(world.inside("f"), world.inside("link"));
    let ends = tries_out(&world, "f", TRIES);
    ends.are(&["right", "symbolic-link", "changed"]);
}

#[test]
fn a_directory_for_a_link_to_all() {
    let world = World::new();
    let name = "etc/passwd";
    world.put(format!("d/{name}"), "right");
    symlink("/", world.inside("link")).unwrap();
    let _swapper = Swapper::start(world.inside("d"), world.inside("link"));
    let ends = tries_out(&world, &format!("d/{name}"), TRIES);
    ends.are(&["right", "symbolic-link"]);
}

/// The tests above would find a leak: with one open by name, there is one.
#[test]
fn who_opens_by_name_leaks() {
    let world = World::new();
    world.put("f", "right");
    symlink(private_secret(&world), world.inside("link")).unwrap();
    let _swapper = Swapper::start(world.inside("f"), world.inside("link"));
    let start = Instant::now();
    loop {
        let path = world.inside("f");
        let looked = path.symlink_metadata().unwrap();
        if looked.is_file() && fs::read_to_string(&path).unwrap() == SECRET {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no race was lost"
        );
    }
}

#[test]
fn a_file_for_a_fifo() {
    let world = World::new();
    world.put("f", "right");
    make_fifo(&world.inside("fifo"));
    let _swapper = Swapper::start(world.inside("f"), world.inside("fifo"));
    let ends = tries_out(&world, "f", FEWER);
    ends.are(&["right", "not-regular", "changed"]);
}

#[test]
fn a_file_for_a_directory() {
    let world = World::new();
    world.put("f", "right");
    fs::create_dir(world.inside("d")).unwrap();
    let _swapper = Swapper::start(world.inside("f"), world.inside("d"));
    let ends = tries_out(&world, "f", FEWER);
    ends.are(&["right", "is-directory", "changed"]);
}

#[test]
fn a_file_for_a_terabyte() {
    let world = World::new();
    world.put("f", "right");
    let large = fs::File::create_new(world.inside("large")).unwrap();
    large.set_len(1 << 40).unwrap();
    let _swapper = Swapper::start(world.inside("f"), world.inside("large"));
    let ends = tries_out(&world, "f", FEWER);
    ends.are(&["right", "too-large", "changed"]);
}

#[test]
fn a_file_for_one_that_many_names_have() {
    let world = World::new();
    world.put("f", "right");
    fs::hard_link(private_secret(&world), world.inside("hard")).unwrap();
    let _swapper = Swapper::start(world.inside("f"), world.inside("hard"));
    let ends = tries_out(&world, "f", FEWER);
    ends.are(&["right", "hard-link", "changed"]);
}

/// Copies in while a directory on the way is exchanged for a link out.
fn tries_in(existing: Existing, tries: usize) -> Ends {
    let world = World::new();
    fs::create_dir(world.inside("d")).unwrap();
    fs::write(world.outside("f"), SECRET).unwrap();
    symlink("../outside", world.inside("link")).unwrap();
    let swapper = Swapper::start(world.inside("d"), world.inside("link"));
    let options = In {
        existing,
        ..In::default()
    };
    let mut ends = Ends::default();
    for _ in 0..tries {
        match world.write("d/f", b"right", &options) {
            Ok(copied) => {
                assert_eq!(copied.directories, 0);
                ends.count("done");
            }
            Err(error) => ends.count(error.kind()),
        }
    }
    drop(swapper);
    assert_eq!(fs::read_to_string(world.outside("f")).unwrap(), SECRET);
    assert_eq!(fs::read_dir(world.outside("")).unwrap().count(), 1);
    // Nothing unfinished is left either.
    let real = match world.inside("d").symlink_metadata().unwrap().is_dir() {
        true => world.inside("d"),
        false => world.inside("link"),
    };
    let left: Vec<_> = fs::read_dir(&real).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(fs::read(real.join("f")).unwrap(), b"right");
    ends
}

#[test]
fn a_directory_on_the_way_in_for_a_link_out() {
    tries_in(Existing::Replace, FEWER).are(&["done", "symbolic-link"]);
    tries_in(Existing::Refuse, FEWER).are(&["exists", "symbolic-link", "done"]);
}

#[test]
fn a_file_that_is_replaced_for_a_link_out() {
    let world = World::new();
    let secret = private_secret(&world);
    world.put("f", "old");
    symlink(&secret, world.inside("link")).unwrap();
    let swapper = Swapper::start(world.inside("f"), world.inside("link"));
    let options = In {
        existing: Existing::Replace,
        ..In::default()
    };
    let mut ends = Ends::default();
    for _ in 0..FEWER {
        match world.write("f", b"right", &options) {
            Ok(_) => ends.count("done"),
            Err(error) => ends.count(error.kind()),
        }
    }
    drop(swapper);
    assert_eq!(fs::read_to_string(&secret).unwrap(), SECRET);
    // It was exchanged between its renaming and the look at what was renamed.
    for end in ends.0.keys() {
        assert!(["done", "changed"].contains(end), "{ends:?}");
    }
    assert!(ends.0.contains_key("done"), "{ends:?}");
}

#[test]
fn a_tree_with_a_directory_for_a_link_out() {
    let world = World::new();
    world.put("t/d/f", "right");
    world.scratch.give_away("inside/t");
    fs::create_dir(world.scratch.join("elsewhere")).unwrap();
    fs::write(world.scratch.join("elsewhere/f"), SECRET).unwrap();
    symlink("../../elsewhere", world.inside("t/link")).unwrap();
    let mut ends = Ends::default();
    {
        let _swapper = Swapper::start(world.inside("t/d"), world.inside("t/link"));
        for _ in 0..FEWER / 5 {
            let copied = world.tree("t", &Out::default());
            for file in files(&world.outside("t")) {
                assert_eq!(fs::read_to_string(file).unwrap(), "right");
            }
            match copied {
                Ok(copied) if copied.files > 0 => ends.count("right"),
                // Both names were links when they were looked at, or not there.
                Ok(_) => ends.count("nothing"),
                Err(error) => ends.count(error.kind()),
            }
            fs::remove_dir_all(world.outside("t")).unwrap();
        }
    }
    for end in ends.0.keys() {
        assert!(["right", "nothing"].contains(end), "{ends:?}");
    }
    assert!(ends.0.contains_key("right"), "{ends:?}");
}

/// The regular files beneath a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files(&path)),
            kind => {
                assert!(kind.is_file(), "{path:?}");
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn the_kind_that_is_named_is_one_that_was_there() {
    let world = World::new();
    make_fifo(&world.inside("fifo"));
    symlink("fifo", world.inside("link")).unwrap();
    let _swapper = Swapper::start(world.inside("fifo"), world.inside("link"));
    for _ in 0..FEWER {
        let problem = world.refused("fifo");
        let expected = [Problem::NotRegular(Kind::Fifo), Problem::SymbolicLink];
        assert!(expected.contains(&problem), "{problem:?}");
    }
}
