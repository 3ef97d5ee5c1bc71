//! Links that the guest left: flatpak CVE-2024-42472 and CVE-2026-34078 (a bound path that the guest
//! controls), runc CVE-2026-41579 and crun CVE-2026-47766 (an image's `/dev` link redirected set-up).
//! Each is an earlier run's doing, whole before the next begins; `swapped` has the races.

use crate::support::{self, Scratch};
use std::fs;
use std::path::PathBuf;

/// A tree that the program may write, and beside it what it may not even see.
struct Project {
    scratch: Scratch,
    tree: PathBuf,
    secret: PathBuf,
}

impl Project {
    fn new() -> Project {
        let scratch = Scratch::new();
        let tree = scratch.directory("tree");
        let secret = scratch.directory("secret");
        scratch.file("secret/key", "tell nobody\n", 0o666);
        Project {
            scratch,
            tree,
            secret,
        }
    }

    /// The earlier run, which may write the tree and nothing else.
    fn guest(&self, script: &str) {
        let mut command = support::sandbox();
        let mapped = format!("{}:/tree", self.tree.display());
        command.args([
            "--write", &mapped, "--cwd", "/tree", "--", "/bin/sh", "-c", script,
        ]);
        let output = support::run(&mut command);
        assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    }

    /// The next run is refused with these words, and changes nothing.
    #[track_caller]
    fn next_is_refused(&self, options: &[&str], why: &str) {
        let before = self.scratch.listing();
        let mut command = support::sandbox();
        command.current_dir(&self.tree).args(options);
        command.args([
            "--",
            "/bin/sh",
            "-c",
            "cat /x /x/key /x/secret/key; echo x >/x/new",
        ]);
        let message = crate::refused(&mut command);
        assert!(message.contains(why), "{options:?}\n{message}");
        assert_eq!(self.scratch.listing(), before);
    }
}

#[test]
fn cve_2024_42472_cve_2026_34078_a_link_of_the_guests_chooses_no_source() {
    let project = Project::new();
    project.guest("ln -s ../secret data; ln -s ../secret/key file; ln -s .. up; mkdir sub; ln -s ../../secret sub/data; ln -s data again");
    let replace = "the program may replace that symbolic link";
    for (source, read_only) in [
        ("data", true),
        ("data/key", true),
        ("file", true),
        ("up/secret", true),
        ("sub/data", true),
        ("again/key", true),
        ("data", false),
        ("file", false),
    ] {
        let option = if read_only { "--read" } else { "--write" };
        let mapped = format!("./{source}:/x");
        project.next_is_refused(&["--write", ".", option, &mapped], replace);
        // The tree under another name, and only a part of it.
        let tree = format!("{}:/elsewhere", project.tree.display());
        project.next_is_refused(&["--write-exec", &tree, option, &mapped], replace);
    }
    // Below the tree, as flatpak's persistent directories were.
    for (option, source) in [
        ("--read", "data"),
        ("--write", "sub/data"),
        ("--hide", "data"),
        ("--tmpfs", "sub/data"),
    ] {
        let place = project.tree.join(source).display().to_string();
        let words = if option == "--tmpfs" {
            format!("{place}:1MiB:10")
        } else {
            place
        };
        project.next_is_refused(
            &["--write", ".", option, &words],
            "is a symbolic link that leads out of",
        );
    }
}

/// A link that the caller has made himself, where the program cannot, is followed: that is
/// what he asked for.
#[test]
fn cve_2024_42472_a_link_of_the_callers_is_followed() {
    let project = Project::new();
    std::os::unix::fs::symlink(&project.secret, project.scratch.join("link")).unwrap();
    let mapped = format!("{}:/x", project.scratch.join("link").display());
    let mut command = support::sandbox();
    command.current_dir(&project.tree);
    command.args([
        "--write", ".", "--read", &mapped, "--", "/bin/cat", "/x/key",
    ]);
    let output = support::run(&mut command);
    assert_eq!(
        output.stdout,
        b"tell nobody\n",
        "{}",
        support::complaint(&output)
    );
}

#[test]
fn cve_2026_41579_cve_2026_47766_a_link_of_the_trees_redirects_no_set_up() {
    let project = Project::new();
    project.guest("ln -s ../secret dev; ln -s ../secret proc; ln -s /etc etc; mkdir real; ln -s ../../secret real/pts");
    let before = project.scratch.listing();
    for (place, rule) in [
        ("/work/dev", "\"dev\""),
        ("/work/dev/shm", "{ tmpfs = \"1MiB\", inodes = 10 }"),
        ("/work/proc", "\"proc\""),
        ("/work/etc/hosts", "{ synthetic = \"hosts\" }"),
        ("/work/real/pts/0", "{ text = \"x\" }"),
        ("/work/dev/null", "{ symlink = \"/etc/passwd\" }"),
        (
            "/work/dev/new",
            "{ from = \"/usr/share\", access = \"read\" }",
        ),
    ] {
        for access in ["read", "write"] {
            let text = format!(
                "version = 1\nextends = [\"strict\"]\n[files]\n\"/work\" = {{ from = \"{}\", access = \"{access}\" }}\n\"{place}\" = {rule}\n",
                project.tree.display()
            );
            let policies = Scratch::new();
            let policy = policies.file("p.toml", text, 0o644);
            let mut command = support::sandbox();
            command
                .arg("--policy")
                .arg(policy)
                .args(["--", "/bin/ls", "/work"]);
            let message = crate::refused(&mut command);
            assert!(message.contains(place), "{message}");
            assert_eq!(project.scratch.listing(), before, "{place}");
        }
    }
    // Where it is no link, the same set-up works, in a file system of its own.
    fs::remove_file(project.tree.join("dev")).unwrap();
    let dev = project.tree.join("dev");
    fs::create_dir(&dev).unwrap();
    std::os::unix::fs::chown(&dev, Some(support::uid()), None).unwrap();
    let text = format!(
        "version = 1\nextends = [\"strict\"]\n[files]\n\"/work\" = {{ from = \"{}\", access = \"write\" }}\n\"/work/dev\" = \"dev\"\n",
        project.tree.display()
    );
    let policies = Scratch::new();
    let policy = policies.file("p.toml", text, 0o644);
    let mut command = support::sandbox();
    command
        .arg("--policy")
        .arg(policy)
        .args(["--", "/bin/ls", "/work/dev"]);
    let output = support::run(&mut command);
    let devices =
        b"fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n";
    assert_eq!(output.stdout, devices, "{}", support::complaint(&output));
    assert_eq!(fs::read_dir(project.tree.join("dev")).unwrap().count(), 0);
}
