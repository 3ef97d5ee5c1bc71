//! Of random trees exactly the regular files come out, and no path leads elsewhere.

use super::*;
use proptest::prelude::*;
use sandbox::transfer::Existing;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;

/// What stands at a name of a random tree.
#[derive(Debug, Clone)]
enum Thing {
    File(Vec<u8>),
    /// Data after a hole.
    Sparse(u32, Vec<u8>),
    Link(String),
    /// Another name of the first file, if there is one.
    HardLink,
    Fifo,
    Directory(Vec<(OsString, Thing)>),
}

fn name() -> impl Strategy<Value = OsString> {
    // Few letters, so that names meet; bytes that are no UTF-8 among them.
    let byte = prop_oneof![Just(b'a'), Just(b'b'), Just(b' '), Just(0xff), Just(b'\n')];
    proptest::collection::vec(byte, 1..4).prop_map(OsString::from_vec)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..200)
}

fn thing() -> impl Strategy<Value = Thing> {
    let leaf = prop_oneof![
        4 => bytes().prop_map(Thing::File),
        1 => (0..200_000u32, bytes()).prop_map(|(at, data)| Thing::Sparse(at, data)),
        2 => prop_oneof![Just("/"), Just(".."), Just("a"), Just("../../secret")]
            .prop_map(|text| Thing::Link(text.to_owned())),
        1 => Just(Thing::HardLink),
        1 => Just(Thing::Fifo),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        proptest::collection::vec((name(), inner), 0..6).prop_map(Thing::Directory)
    })
}

/// Makes the tree; what is expected of it, `None` for a directory.
fn build(
    things: &[(OsString, Thing)],
    at: &Path,
    within: &Path,
    first: &mut Option<(PathBuf, Vec<u8>)>,
    expected: &mut BTreeMap<PathBuf, Option<Vec<u8>>>,
) {
    for (name, thing) in things {
        let (path, within) = (at.join(name), within.join(name));
        if path.symlink_metadata().is_ok() {
            continue;
        }
        let content = match thing {
            Thing::File(content) => content.clone(),
            Thing::Sparse(hole, data) => [vec![0; *hole as usize], data.clone()].concat(),
            Thing::Link(text) => {
                symlink(text, &path).unwrap();
                continue;
            }
            Thing::HardLink => {
                if let Some((file, content)) = first {
                    fs::hard_link(file, &path).unwrap();
                    expected.insert(within, Some(content.clone()));
                }
                continue;
            }
            Thing::Fifo => {
                make_fifo(&path);
                continue;
            }
            Thing::Directory(things) => {
                fs::create_dir(&path).unwrap();
                expected.insert(within.clone(), None);
                build(things, &path, &within, first, expected);
                continue;
            }
        };
        let file = fs::File::create_new(&path).unwrap();
        let start = content.iter().position(|byte| *byte != 0).unwrap_or(0);
        std::os::unix::fs::FileExt::write_all_at(&file, &content[start..], start as u64).unwrap();
        file.set_len(content.len() as u64).unwrap();
        first.get_or_insert((path, content.clone()));
        expected.insert(within, Some(content));
    }
}

/// What is there: content of files, `None` for directories.
fn found(at: &Path, within: &Path, all: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for entry in fs::read_dir(at).unwrap() {
        let entry = entry.unwrap();
        let within = within.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found(&entry.path(), &within, all);
            all.insert(within, None);
        } else {
            assert!(kind.is_file(), "{within:?}");
            all.insert(within, Some(fs::read(entry.path()).unwrap()));
        }
    }
}

/// Paths that try: names that exist, links, and ways up.
fn path() -> impl Strategy<Value = OsString> {
    let parts: [&[u8]; 16] = [
        b"..", b".", b"", b"d", b"f", b"up", b"root", b"secret", b"outside", b"inside", b"leak",
        b"fifo", b"proc", b"self", b"x\0", b"\xff",
    ];
    let part = proptest::sample::select(parts.to_vec());
    proptest::collection::vec(part, 0..6).prop_map(|parts| OsString::from_vec(parts.join(&b'/')))
}

fn trap() -> World {
    let world = World::new();
    let secret = world.secret();
    world.put("d/f", "right");
    world.put("f", "right");
    for (name, text) in [
        ("up", Path::new("..")),
        ("root", Path::new("/")),
        ("leak", &secret),
    ] {
        symlink(text, world.inside(name)).unwrap();
        symlink(text, world.inside("d").join(name)).unwrap();
    }
    make_fifo(&world.inside("fifo"));
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn exactly_the_regular_files_come_out(
        things in proptest::collection::vec((name(), thing()), 0..8),
    ) {
        let world = World::new();
        world.secret();
        let mut expected = BTreeMap::new();
        build(&things, &world.inside(""), Path::new(""), &mut None, &mut expected);
        let copied = world.tree(".", &with_hard_links()).unwrap();
        let mut out = BTreeMap::new();
        found(&world.outside(""), Path::new(""), &mut out);
        let files = expected.values().flatten();
        prop_assert_eq!(copied.files, files.clone().count() as u64);
        prop_assert_eq!(copied.bytes, files.map(|content| content.len() as u64).sum::<u64>());
        prop_assert!(out == expected, "{:?} instead of {:?}", out, expected);
        prop_assert!(!copied.changed);
    }

    #[test]
    fn no_path_leads_out(path in path()) {
        let world = trap();
        if let Ok((bytes, _)) = world.read(&path, &Out::default()) {
            prop_assert_eq!(bytes, b"right");
        }
        let target = Target::NewTree(&world.outside, Path::new("t"));
        if copy_out(&world.inside, &path, target, &Out::default()).is_ok() {
            let mut out = BTreeMap::new();
            found(&world.outside("t"), Path::new(""), &mut out);
            for content in out.into_values().flatten() {
                prop_assert_eq!(content, b"right");
            }
        }
    }

    #[test]
    fn no_path_leads_in_elsewhere(path in path(), replace in any::<bool>()) {
        let world = trap();
        let elsewhere = || {
            let mut all = world.scratch.listing();
            all.retain(|path, _| !path.starts_with(world.inside("")));
            all
        };
        let before = elsewhere();
        let options = In {
            existing: if replace { Existing::Replace } else { Existing::Refuse },
            ..In::default()
        };
        let done = world.write(&path, b"written", &options);
        prop_assert_eq!(elsewhere(), before);
        if done.is_ok() {
            prop_assert_eq!(world.read(&path, &Out::default()).unwrap().0, b"written");
        }
    }
}
