//! Landlock and the file map: what each access word allows in a tree of the host, and what renaming cannot gain.
//! It must not ask about the made mounts; `mounts` and `root` do.

use crate::calls::{creatable, exists, names, readable, told, writable};
use crate::harness::jailed;
use crate::support::Scratch;
use std::fs;
use std::os::unix::fs::symlink;

checks! {
    read_from_a_file, || told(fs::read("/data/file"));
    write_a_file, || writable("/data/file");
    make_a_file, || creatable("/data/new");
    truncate_a_file, || told(truncate("/data/file"));
    remove_a_file, || told(fs::remove_file("/data/file"));
    execute_a_file, || told(std::process::Command::new("/data/tool").status());
    write_below, || writable("/data/w/file");
    make_below, || creatable("/data/w/new");
    make_a_directory_below, || told(fs::create_dir("/data/w/directory"));
    truncate_below, || told(truncate("/data/w/file"));
    remove_below, || told(fs::remove_file("/data/w/file"));
    execute_below, || told(std::process::Command::new("/data/w/tool").status());
    rename_below, || told(fs::rename("/data/w/file", "/data/w/other"));
    rename_out, || told(fs::rename("/data/w/file", "/data/other"));
    rename_in, || told(fs::rename("/data/file", "/data/w/other"));
    link_out, || told(fs::hard_link("/data/w/file", "/data/other"));
    link_in, || told(fs::hard_link("/data/file", "/data/w/other"));
    link_below, || told(fs::hard_link("/data/w/file", "/data/w/other"));
    rename_between, || told(fs::rename("/data/w/file", "/data/w/deep/other"));
    rename_the_pinned, || told(fs::rename("/data/w/deep", "/data/w/elsewhere"));
    rename_above_the_pinned, || told(fs::rename("/data/w", "/data/elsewhere"));
    replace_the_pinned, || told(fs::rename("/data/w/empty", "/data/w/deep"));
    read_hidden, || readable("/data/w/hidden/secret");
    list_hidden, || names_of("/data/w/hidden");
    stat_hidden, || exists("/data/w/hidden/secret");
    read_hidden_file, || told(fs::read("/data/w/hidden-file"));
    through_a_link, || told(fs::read("/data/w/link"));
    through_a_link_out, || exists("/data/w/link-out");
    read_in_read_only_below, || readable("/data/w/fixed/file");
    write_in_read_only_below, || writable("/data/w/fixed/file");
    make_in_read_only_below, || creatable("/data/w/fixed/new");
    truncate_by_opening, || told(fs::OpenOptions::new().write(true).truncate(true).open("/data/w/fixed/file"));
    remove_in_read_only_below, || told(fs::remove_file("/data/w/fixed/file"));
    remove_the_read_only_directory, || told(fs::remove_dir("/data/w/fixed"));
    rename_the_read_only_directory, || told(fs::rename("/data/w/fixed", "/data/w/moved"));
    rename_over_read_only, || told(fs::rename("/data/w/file", "/data/w/fixed/file"));
    rename_from_read_only, || told(fs::rename("/data/w/fixed/file", "/data/w/taken"));
    link_from_read_only, || told(fs::hard_link("/data/w/fixed/file", "/data/w/taken"));
    exchange_with_read_only, || exchange("/data/w/file", "/data/w/fixed");
    exchange_with_the_pinned, || exchange("/data/w/empty", "/data/w/deep");
    write_through_a_new_link, || {
        symlink("fixed/file", "/data/w/new-link").unwrap();
        let answer = writable("/data/w/new-link");
        fs::remove_file("/data/w/new-link").unwrap();
        answer
    };
    link_in_read_only, || told(symlink("x", "/data/link"));
    reopen_to_write, || {
        let file = fs::File::open("/data/w/fixed/file").unwrap();
        writable(&format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file)))
    };
    truncate_a_descriptor, || {
        let file = fs::File::open("/data/w/file").unwrap();
        told(file.set_len(0))
    };
    temporary_file_in_read_only, || {
        use std::os::unix::fs::OpenOptionsExt;
        told(fs::OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE).open("/data"))
    };
    mode_of_read_only, || told(fs::set_permissions("/data/file", std::os::unix::fs::PermissionsExt::from_mode(0o600)));
    attribute_of_read_only, || {
        let (file, name) = (crate::calls::path("/data/file"), crate::calls::path("user.test"));
        let [file, name] = [&file, &name].map(|text| text.as_ptr() as usize);
        crate::calls::ask(libc::SYS_setxattr, [file, name, name, 1, 0])
    };
    rename_hidden_file, || told(fs::rename("/data/w/hidden-file", "/data/w/shown"));
    link_hidden_file, || told(fs::hard_link("/data/w/hidden-file", "/data/w/shown"));
    remove_hidden_file, || told(fs::remove_file("/data/w/hidden-file"));
    rename_hidden, || told(fs::rename("/data/w/hidden", "/data/w/shown"));
    replace_hidden_file, || told(fs::rename("/data/w/file", "/data/w/hidden-file"));
    a_whiteout_for_hidden, || {
        let [from, to] = ["/data/w/file", "/data/w/other"].map(crate::calls::path);
        let [from, to] = [&from, &to].map(|text| text.as_ptr() as usize);
        let cwd = libc::AT_FDCWD as usize;
        crate::calls::ask(libc::SYS_renameat2, [cwd, from, cwd, to, 4])
    };
    a_socket_node_below, || told(std::os::unix::net::UnixListener::bind("/data/w/socket"));
    times_of_read_only, || told(fs::File::open("/data/file").and_then(|file| file.set_modified(std::time::UNIX_EPOCH)));
}

/// RENAME_EXCHANGE.
fn exchange(one: &str, other: &str) -> String {
    let [one, other] = [one, other].map(crate::calls::path);
    let [one, other] = [&one, &other].map(|text| text.as_ptr() as usize);
    let cwd = libc::AT_FDCWD as usize;
    crate::calls::ask(libc::SYS_renameat2, [cwd, one, cwd, other, 2])
}

fn truncate(path: &str) -> std::io::Result<()> {
    nix::unistd::truncate(path, 0).map_err(Into::into)
}

fn names_of(path: &str) -> String {
    match fs::read_dir(path) {
        Ok(_) => names(path),
        Err(error) => told::<()>(Err(error)),
    }
}

/// A tree on the host, and the policy that maps it to `/data`.
struct Tree {
    scratch: Scratch,
}

impl Tree {
    fn new() -> Tree {
        let scratch = Scratch::new();
        scratch.directory("data");
        for name in [
            "w",
            "w/deep",
            "w/deep/pin",
            "w/empty",
            "w/fixed",
            "w/hidden",
        ] {
            scratch.directory(&format!("data/{name}"));
        }
        for name in [
            "file",
            "w/file",
            "w/fixed/file",
            "w/hidden/secret",
            "w/hidden-file",
        ] {
            scratch.file(&format!("data/{name}"), "content", 0o644);
        }
        for name in ["tool", "w/tool"] {
            scratch.file(&format!("data/{name}"), "#!/bin/sh\nexit 0\n", 0o755);
        }
        symlink("hidden/secret", scratch.join("data/w/link")).unwrap();
        symlink("/var", scratch.join("data/w/link-out")).unwrap();
        Tree { scratch }
    }

    /// The policy: `/data` with one access, `/data/w` with another, and more.
    fn ask(&self, check: &str, more: &str) -> String {
        let data = self.scratch.join("data");
        let data = data.to_str().unwrap();
        let more = more.replace("DATA", data);
        let text = format!(
            "version = 1\nextends = [\"strict\"]\n[files]\n\
             \"/data\" = {{ from = \"{data}\", access = \"read\" }}\n\
             \"/data/w\" = {{ from = \"{data}/w\", access = \"write\" }}\n{more}\n"
        );
        let policy = self.scratch.file("policy.toml", text, 0o644);
        jailed(check, "", &["--policy", policy.to_str().unwrap()]).unwrap()
    }
}

/// One test per line, each on a fresh tree.
macro_rules! tree {
    ($($test:ident: $check:literal $(under $more:expr)? => $expected:literal;)*) => { $(
        #[test]
        fn $test() {
            let more: &[&str] = &[$($more)?];
            let tree = Tree::new();
            let before = tree.scratch.listing();
            assert_eq!(tree.ask($check, &more.join("\n")), $expected);
            if $expected != "open" {
                let mut after = tree.scratch.listing();
                after.remove(&tree.scratch.join("policy.toml"));
                assert_eq!(after, before, "the tree was changed");
            }
        }
    )* };
}

const PINNED: &str = "\"/data/w/deep/pin\" = { from = \"DATA/w/deep/pin\", access = \"read\" }";
const FIXED: &str = "\"/data/w/fixed\" = { from = \"DATA/w/fixed\", access = \"read\" }";
const HIDDEN: &str = "\"/data/w/hidden\" = \"none\"\n\"/data/w/hidden-file\" = \"none\"";

tree! {
    read_allows_reading: "read_from_a_file" => "open";
    read_refuses_writing: "write_a_file" => "EROFS";
    read_refuses_making: "make_a_file" => "EROFS";
    read_refuses_truncating: "truncate_a_file" => "EROFS";
    read_refuses_removing: "remove_a_file" => "EROFS";
    read_refuses_executing: "execute_a_file" => "EACCES";
    read_refuses_new_times: "times_of_read_only" => "EROFS";
    write_allows_writing: "write_below" => "open";
    write_allows_making: "make_below" => "open";
    write_allows_directories: "make_a_directory_below" => "open";
    write_allows_truncating: "truncate_below" => "open";
    write_allows_removing: "remove_below" => "open";
    write_allows_renaming: "rename_below" => "open";
    write_allows_linking: "link_below" => "open";
    write_allows_renaming_between_directories: "rename_between" => "open";
    write_allows_sockets: "a_socket_node_below" => "open";
    write_refuses_executing: "execute_below" => "EACCES";
    renaming_out_is_refused: "rename_out" => "EXDEV";
    renaming_in_is_refused: "rename_in" => "EXDEV";
    linking_out_is_refused: "link_out" => "EROFS";
    linking_in_is_refused: "link_in" => "EXDEV";
    the_parent_of_a_rule_cannot_be_renamed: "rename_the_pinned" under PINNED => "EBUSY";
    the_parent_of_a_rule_cannot_be_replaced: "replace_the_pinned" under PINNED => "EBUSY";
    without_the_rule_it_can_be_renamed: "rename_the_pinned" => "open";
    a_mounted_directory_cannot_be_renamed: "rename_above_the_pinned" => "EROFS";
    a_read_only_directory_inside_a_writable_one_is_readable: "read_in_read_only_below" under FIXED => "open";
    a_read_only_directory_inside_a_writable_one_is_not_writable: "write_in_read_only_below" under FIXED => "EROFS";
    nothing_is_made_in_a_read_only_directory_inside_a_writable_one: "make_in_read_only_below" under FIXED => "EROFS";
    nothing_is_truncated_by_opening_there: "truncate_by_opening" under FIXED => "EROFS";
    nothing_is_removed_there: "remove_in_read_only_below" under FIXED => "EROFS";
    a_read_only_directory_inside_a_writable_one_cannot_be_removed: "remove_the_read_only_directory" under FIXED => "EBUSY";
    nor_renamed: "rename_the_read_only_directory" under FIXED => "EBUSY";
    nothing_is_renamed_into_it: "rename_over_read_only" under FIXED => "EXDEV";
    nothing_is_renamed_out_of_it: "rename_from_read_only" under FIXED => "EXDEV";
    nothing_is_linked_out_of_it: "link_from_read_only" under FIXED => "EXDEV";
    nothing_is_exchanged_with_it: "exchange_with_read_only" under FIXED => "EBUSY";
    the_parent_of_a_rule_cannot_be_exchanged: "exchange_with_the_pinned" under PINNED => "EBUSY";
    a_new_link_to_it_does_not_open_it: "write_through_a_new_link" under FIXED => "EROFS";
    an_open_file_of_it_cannot_be_reopened_to_write: "reopen_to_write" under FIXED => "EROFS";
    a_file_open_to_read_is_not_truncated: "truncate_a_descriptor" => "EINVAL";
    read_refuses_links: "link_in_read_only" => "EROFS";
    read_refuses_temporary_files: "temporary_file_in_read_only" => "EROFS";
    read_refuses_modes: "mode_of_read_only" => "EROFS";
    read_refuses_attributes: "attribute_of_read_only" => "EROFS";
    a_hidden_file_cannot_be_renamed: "rename_hidden_file" under HIDDEN => "EBUSY";
    a_hidden_file_cannot_be_linked: "link_hidden_file" under HIDDEN => "EXDEV";
    a_hidden_file_cannot_be_removed: "remove_hidden_file" under HIDDEN => "EBUSY";
    a_hidden_file_cannot_be_replaced: "replace_hidden_file" under HIDDEN => "EBUSY";
    a_hidden_directory_cannot_be_renamed: "rename_hidden" under HIDDEN => "EBUSY";
    no_whiteout_is_left_behind: "a_whiteout_for_hidden" => "EPERM";
    a_hidden_directory_is_empty: "list_hidden" under HIDDEN => "EACCES";
    a_hidden_content_is_absent: "stat_hidden" under HIDDEN => "EACCES";
    a_hidden_file_is_unreadable: "read_hidden_file" under HIDDEN => "EACCES";
    a_link_to_a_hidden_file_shows_nothing: "through_a_link" under HIDDEN => "EACCES";
    a_link_out_of_the_tree_leads_nowhere: "through_a_link_out" => "ENOENT";
    without_the_rule_the_content_is_readable: "read_hidden" => "open";
}
