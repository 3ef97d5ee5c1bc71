//! Calls that are allowed for some arguments: the others are refused, high bits or not.
//! It must not ask about ioctl and socket; `tty_ioctls` and `net` do.

use crate::calls::{alone, ask, here, path};
use crate::harness::place;

const FD_CWD: usize = libc::AT_FDCWD as usize;

checks! {
    no_randomisation: "open" => "EPERM", || ask(libc::SYS_personality, [0x0004_0000]);
    read_implies_exec: "open" => "EPERM", || ask(libc::SYS_personality, [0x0040_0000]);
    personality_query: "open" => "open", || ask(libc::SYS_personality, [0xffff_ffff]);

    // EINVAL without Yama.
    prctl_allow_tracers: _ => "EPERM", || prctl(0x5961_6d61, usize::MAX, 0);
    prctl_keep_capabilities: "open" => "EPERM", || prctl(8, 1, 0);
    prctl_change_memory_map: "EPERM" => "EPERM", || prctl(35, 1, 0);
    prctl_secure_bits: "EPERM" => "EPERM", || prctl(28, 0, 0);
    prctl_drop_bounding: "EPERM" => "EPERM", || prctl(24, 0, 0);
    prctl_undo_speculation: _ => "EPERM", || prctl(53, 0, 2);
    prctl_raise_ambient: "EPERM" => "EPERM", || prctl(47, 2, 0);
    prctl_merge_memory: _ => "EPERM", || prctl(67, 1, 0);
    prctl_disable_counter: "open" => "EPERM", || prctl(26, 1, 0);
    prctl_option_with_high_bits: "open" => "EPERM", || prctl(8 | 1 << 32, 1, 0);
    prctl_unknown_option: "EINVAL" => "EPERM", || prctl(9999, 0, 0);
    prctl_name: "open" => "open", || {
        let name = path("sandbox-test");
        prctl(15, name.as_ptr() as usize, 0)
    };
    prctl_no_new_privileges: "open" => "open", || prctl(38, 1, 0);

    set_uid_bit_by_chmod: "open" => "EPERM", || on_a_file(|name, _| here(libc::SYS_fchmodat, [FD_CWD, name, 0o4755, 0, 0, 0]));
    set_gid_bit_by_chmod: "open" => "EPERM", || on_a_file(|name, _| here(libc::SYS_fchmodat, [FD_CWD, name, 0o2755, 0, 0, 0]));
    set_uid_bit_by_fchmod: "open" => "EPERM", || on_a_file(|_, file| here(libc::SYS_fchmod, [file, 0o4755, 0, 0, 0, 0]));
    set_uid_bit_by_fchmodat2: _ => "EPERM", || on_a_file(|name, _| here(452, [FD_CWD, name, 0o4755, 0, 0, 0]));
    plain_chmod: "open" => "open", || on_a_file(|name, _| here(libc::SYS_fchmodat, [FD_CWD, name, 0o755, 0, 0, 0]));
    sticky_chmod: "open" => "open", || on_a_file(|name, _| here(libc::SYS_fchmodat, [FD_CWD, name, 0o1755, 0, 0, 0]));
    set_uid_bit_by_open: "open" => "EPERM", || open((libc::O_CREAT | libc::O_WRONLY) as usize, 0o4755);
    set_uid_bit_by_temporary_file: "open" => "EPERM", || {
        let place = path(&place());
        let flags = (libc::O_TMPFILE | libc::O_WRONLY) as usize;
        ask(libc::SYS_openat, [FD_CWD, place.as_ptr() as usize, flags, 0o4755])
    };
    plain_open: "open" => "open", || open((libc::O_CREAT | libc::O_WRONLY) as usize, 0o755);
    set_gid_bit_by_mkdir: "open" => "EPERM", || {
        let name = fresh();
        let answer = ask(libc::SYS_mkdirat, [FD_CWD, name.as_ptr() as usize, 0o2755]);
        let _ = std::fs::remove_dir(name.to_str().unwrap());
        answer
    };

    make_a_character_device: "EPERM" => "EPERM", || node(libc::S_IFCHR, 0x103);
    make_a_block_device: "EPERM" => "EPERM", || node(libc::S_IFBLK, 0x800);
    make_a_whiteout: "open" => "EPERM", || node(libc::S_IFCHR, 0);
    make_a_fifo: "open" => "open", || node(libc::S_IFIFO, 0);
    make_a_file_by_mknod: "open" => "open", || node(libc::S_IFREG, 0);

    limits_of_another: _ => "EPERM", || {
        let limit = [1usize, 1];
        ask(libc::SYS_prlimit64, [1, libc::RLIMIT_NOFILE as usize, limit.as_ptr() as usize, 0])
    };
    own_lower_limit: "open" => "open", || {
        let limit = [16usize, 16];
        ask(libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as usize, limit.as_ptr() as usize, 0])
    };
    filter_with_a_listener: _ => "EPERM", || ask(libc::SYS_seccomp, [1, 8, 1]);
    filter_of_its_own: "EFAULT" => "EFAULT", || {
        alone(|| {
            here(libc::SYS_prctl, [38, 1, 0, 0, 0, 0]);
            here(libc::SYS_seccomp, [1, 0, 1, 0, 0, 0])
        })
    };
}

fn prctl(option: usize, second: usize, third: usize) -> String {
    ask(libc::SYS_prctl, [option, second, third, 0, 0])
}

fn fresh() -> std::ffi::CString {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    path(&format!("{}/{number}", place()))
}

/// Gives the call the name and a descriptor of a new file.
fn on_a_file(call: impl FnOnce(usize, usize) -> i64) -> String {
    let name = fresh();
    let file = std::fs::File::create(name.to_str().unwrap()).unwrap();
    let file = std::os::fd::AsRawFd::as_raw_fd(&file) as usize;
    let answer = alone(|| call(name.as_ptr() as usize, file));
    let _ = std::fs::remove_file(name.to_str().unwrap());
    answer
}

fn open(flags: usize, mode: usize) -> String {
    let name = fresh();
    let answer = ask(
        libc::SYS_openat,
        [FD_CWD, name.as_ptr() as usize, flags, mode],
    );
    let _ = std::fs::remove_file(name.to_str().unwrap());
    answer
}

fn node(kind: libc::mode_t, device: usize) -> String {
    let name = fresh();
    let mode = (kind | 0o600) as usize;
    let answer = ask(
        libc::SYS_mknodat,
        [FD_CWD, name.as_ptr() as usize, mode, device],
    );
    let _ = std::fs::remove_file(name.to_str().unwrap());
    answer
}
