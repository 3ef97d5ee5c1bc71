//! The mount tree: nobody changes it from inside, and what is read-only or not executable stays so.
//! It must not ask which paths exist; that is `root`'s question.

use crate::calls::{alone, ask, creatable, here, path, told};
use crate::harness::{argument, free, jailed, place};
use crate::support;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

const AT_FDCWD: usize = libc::AT_FDCWD as usize;

checks! {
    mount_a_tmpfs: "EPERM" => "EPERM", || mount("tmpfs", "/tmp", 0);
    mount_a_proc: "EPERM" => "EPERM", || mount("proc", "/tmp", 0);
    remount_the_root_writable: _ => "EPERM", || mount("", "/", libc::MS_REMOUNT | libc::MS_BIND);
    remount_usr_writable: _ => "EPERM", || mount("", "/usr", libc::MS_REMOUNT | libc::MS_BIND);
    bind_the_root: "EPERM" => "EPERM", || mount("", "/tmp", libc::MS_BIND);
    // EFAULT: the arguments are looked at before the right to mount.
    mount_of_nothing: "EFAULT" => "EPERM", || ask(libc::SYS_mount, [0, 1]);
    move_the_tmp: _ => "EPERM", || mount("", "/tmp", libc::MS_MOVE);
    share_the_root: "EPERM" => "EPERM", || mount("", "/", libc::MS_SHARED | libc::MS_REC);
    mount_over_proc: "EPERM" => "EPERM", || mount("tmpfs", "/proc", 0);
    mount_a_cgroup: "EPERM" => "EPERM", || mount("cgroup2", "/tmp", 0);
    mount_a_sys: "EPERM" => "EPERM", || mount("sysfs", "/tmp", 0);
    mount_a_device_tree: "EPERM" => "EPERM", || mount("devtmpfs", "/tmp", 0);
    umount_the_tmp: _ => "EPERM", || umount("/tmp");
    umount_with_unknown_flags: "EINVAL" => "EPERM", || ask(libc::SYS_umount2, [0, 0x8000_0000]);
    pivot_the_root: "EPERM" => "EPERM", || {
        let place = path("/tmp");
        ask(libc::SYS_pivot_root, [place.as_ptr() as usize, place.as_ptr() as usize])
    };
    chroot_to_the_tmp: "EPERM" => "EPERM", || ask(libc::SYS_chroot, [path("/tmp").as_ptr() as usize]);
    chroot_to_nowhere: "EFAULT" => "EPERM", || ask(libc::SYS_chroot, [1]);
    open_a_file_system: _ => "EPERM", || ask(libc::SYS_fsopen, [path("tmpfs").as_ptr() as usize, 0]);
    configure_a_file_system: _ => "EPERM", || ask(libc::SYS_fsconfig, [0, 9999]);
    mount_a_file_system: _ => "EPERM", || ask(libc::SYS_fsmount, [0, 0, 0]);
    pick_a_file_system: _ => "EPERM", || {
        let root = path("/");
        ask(libc::SYS_fspick, [AT_FDCWD, root.as_ptr() as usize, 0])
    };
    open_a_tree: "open" => "EPERM", || tree(0);
    clone_a_tree: _ => "EPERM", || tree(1);
    move_a_mount: _ => "EPERM", || {
        let root = path("/");
        let root = root.as_ptr() as usize;
        ask(libc::SYS_move_mount, [AT_FDCWD, root, AT_FDCWD, root, 0])
    };
    set_a_mount_attribute: "EINVAL" => "EPERM", || {
        let root = path("/");
        ask(libc::SYS_mount_setattr, [AT_FDCWD, root.as_ptr() as usize, 0, 0, 0])
    };
    ask_about_a_mount: _ => "EPERM", || ask(457, [0, 0, 0, 0]);
    list_the_mounts: _ => "EPERM", || ask(458, [0, 0, 0, 0]);
    open_a_tree_with_attributes: _ => "EPERM", || {
        let root = path("/");
        ask(467, [AT_FDCWD, root.as_ptr() as usize, 0, 0, 0])
    };
    list_the_namespaces: _ => "EPERM", || ask(470, [0, 0, 0, 0]);
    name_a_handle: "EFAULT" => "EPERM", || {
        let root = path("/");
        ask(libc::SYS_name_to_handle_at, [AT_FDCWD, root.as_ptr() as usize, 1, 1, 0])
    };
    open_by_handle: _ => "EPERM", || ask(libc::SYS_open_by_handle_at, [AT_FDCWD, 0, 0]);

    write_into_usr: "EACCES" => "EROFS", || creatable("/usr/sandbox-test");
    write_into_usr_bin: "EACCES" => "EROFS", || creatable("/usr/bin/sandbox-test");
    write_into_the_root: "EACCES" => "EROFS", || creatable("/sandbox-test");
    write_into_etc: "EACCES" => "EROFS", || creatable("/etc/sandbox-test");
    write_into_dev: "EACCES" => "EROFS", || creatable("/dev/sandbox-test");
    make_a_directory_in_the_root: "EACCES" => "EROFS", || told(fs::create_dir("/sandbox-test"));
    make_a_link_in_the_root: "EACCES" => "EROFS", || told(symlink("/etc", "/sandbox-test"));
    remove_the_tmp: _ => "EROFS", || told(fs::remove_dir("/tmp"));
    rename_the_tmp: _ => "EROFS", || told(fs::rename("/tmp", "/tmp2"));
    change_the_mode_of_the_root: "EPERM" => "EROFS", || told(fs::set_permissions("/", PermissionsExt::from_mode(0o777)));
    write_into_the_tmp: _ => "open", || creatable("/tmp/sandbox-test");

    execute_in_the_tmp: "open" => "EACCES", || execute_a_script(&place());
    execute_in_dev_shm: _ => "EACCES", || execute_a_script("/dev/shm");
    execute_in_the_tmp_of_agent: _ => "open" with ["--policy", "agent"], || execute_a_script(&place());
    map_the_tmp_executable: "open" => "EPERM", map_executable;
    every_mount_is_nosuid: _ => "", || mounts_without("nosuid");
    every_mount_but_devices_is_nodev: _ => "/dev/full /dev/null /dev/pts /dev/random /dev/tty /dev/urandom /dev/zero", || mounts_without("nodev");
    no_kernel_file_system_is_mounted: _ => "", || {
        kinds(&["sysfs", "debugfs", "tracefs", "securityfs", "bpf", "configfs", "fusectl", "mqueue", "efivarfs"])
    };
    capabilities_of_a_program, || {
        let output = std::process::Command::new(argument()).args(["CapPrm", "/proc/self/status"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().last().unwrap().to_owned()
    };
    euid_of_a_set_uid_program, || {
        let output = std::process::Command::new(argument()).arg("-u").output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
}

fn mount(kind: &str, target: &str, flags: libc::c_ulong) -> String {
    let (source, target, kind) = (path("/"), path(target), path(kind));
    let [source, target, kind] = [&source, &target, &kind].map(|text| text.as_ptr() as usize);
    ask(libc::SYS_mount, [source, target, kind, flags as usize, 0])
}

fn umount(target: &str) -> String {
    ask(
        libc::SYS_umount2,
        [path(target).as_ptr() as usize, libc::MNT_DETACH as usize],
    )
}

fn tree(flags: usize) -> String {
    let root = path("/");
    ask(
        libc::SYS_open_tree,
        [AT_FDCWD, root.as_ptr() as usize, flags],
    )
}

/// Makes a script and executes it.
fn execute_a_script(directory: &str) -> String {
    let script = format!("{directory}/script.sh");
    fs::write(&script, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let program = path(&script);
    let words = [program.as_ptr(), std::ptr::null()];
    let words = words.as_ptr() as usize;
    let answer = alone(|| {
        here(
            libc::SYS_execve,
            [program.as_ptr() as usize, words, words + 8, 0, 0, 0],
        )
    });
    fs::remove_file(&script).unwrap();
    answer
}

/// What a loader does with a shared library.
fn map_executable() -> String {
    let name = format!("{}/library.so", place());
    fs::write(&name, [0; 4096]).unwrap();
    let file = fs::File::open(&name).unwrap();
    fs::remove_file(&name).unwrap();
    let file = std::os::fd::AsRawFd::as_raw_fd(&file) as usize;
    let flags = (libc::PROT_READ | libc::PROT_EXEC) as usize;
    ask(
        libc::SYS_mmap,
        [0, 4096, flags, libc::MAP_PRIVATE as usize, file, 0],
    )
}

/// Where mounts are whose options lack a word.
fn mounts_without(word: &str) -> String {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let without = table.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(4);
        let (place, options) = (fields.next()?, fields.next()?);
        (!options.split(',').any(|option| option == word)).then_some(place)
    });
    let mut without: Vec<&str> = without.collect();
    assert!(table.lines().count() > 5, "{table}");
    without.sort_unstable();
    without.join(" ")
}

/// Mounts of these kinds.
fn kinds(kinds: &[&str]) -> String {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let found = table.lines().filter(|line| {
        let kind = line.split(" - ").nth(1).unwrap().split(' ').next();
        kinds.contains(&kind.unwrap())
    });
    found.collect::<Vec<_>>().join("; ")
}

/// A program with capabilities of its own, which only root can make.
#[test]
fn a_program_with_capabilities_gains_none() {
    if !support::root() {
        return println!("skip: only root can give a program capabilities");
    }
    let scratch = support::Scratch::new();
    let program = scratch.join("grep");
    support::copy_program("/usr/bin/grep".as_ref(), &program);
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    // VFS_CAP_REVISION_2, effective; CAP_NET_RAW permitted.
    let value = [0x0200_0001u32, 1 << 13, 0, 0, 0].map(u32::to_le);
    let (file, name) = (path(program.to_str().unwrap()), path("security.capability"));
    // SAFETY: the texts and the value outlive the call.
    let set = unsafe {
        let value = value.as_ptr().cast();
        libc::setxattr(file.as_ptr(), name.as_ptr(), value, 20, 0)
    };
    assert_eq!(set, 0, "{:?}", std::io::Error::last_os_error());
    let program = program.to_str().unwrap();
    let outside = free("capabilities_of_a_program", program);
    assert_eq!(outside.as_deref(), Ok("0000000000002000"));
    let mapped = format!("{program}:/capable");
    let answer = jailed(
        "capabilities_of_a_program",
        "/capable",
        &["--exec", &mapped],
    );
    assert_eq!(answer.as_deref(), Ok("0000000000000000"));
}

/// A program owned by root with the set-user-id bit, which only root can make.
#[test]
fn a_set_uid_program_gains_nothing() {
    if !support::root() {
        return println!("skip: only root can make a set-uid program of root's");
    }
    let scratch = support::Scratch::new();
    let program = scratch.join("id");
    support::copy_program("/usr/bin/id".as_ref(), &program);
    fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
    let program = program.to_str().unwrap();
    let outside = free("euid_of_a_set_uid_program", program);
    assert_eq!(outside.as_deref(), Ok("0"));
    let mapped = format!("{program}:/set-uid");
    let answer = jailed(
        "euid_of_a_set_uid_program",
        "/set-uid",
        &["--exec", &mapped],
    );
    assert_eq!(answer.as_deref(), Ok("1000"));
}
