//! Calls that no shipped policy allows: EPERM for what is known, ENOSYS for what is not, death for another convention.
//! It must not make a call that could change the machine if the boundary were open.

use crate::calls::{alone, ask, here};

const NOWHERE: usize = 1;
const SELF: usize = 0;

checks! {
    trace_me: "open" => "EPERM", || ask(libc::SYS_ptrace, [libc::PTRACE_TRACEME as usize]);
    attach_to_nobody: "ESRCH" => "EPERM", || ask(libc::SYS_ptrace, [libc::PTRACE_ATTACH as usize, 0x3fff_ffff]);
    read_memory: "open" => "EPERM", || transfer(libc::SYS_process_vm_readv);
    write_memory: "open" => "EPERM", || transfer(libc::SYS_process_vm_writev);
    take_a_descriptor: "EBADF" => "EPERM", || ask(libc::SYS_pidfd_getfd, [usize::MAX, 0, 0]);
    compare_processes: "open" => "EPERM", || {
        let own = std::process::id() as usize;
        ask(libc::SYS_kcmp, [own, own, 1])
    };
    advise_a_process: "EBADF" => "EPERM", || ask(libc::SYS_process_madvise, [usize::MAX, 0, 0, 0, 0]);
    release_a_process: "EBADF" => "EPERM", || ask(libc::SYS_process_mrelease, [usize::MAX, 0]);
    move_pages: "open" => "EPERM", || ask(libc::SYS_move_pages, [SELF, 0, 0, 0, 0, 0]);
    perf_events: "EFAULT" => "EPERM", || ask(libc::SYS_perf_event_open, [NOWHERE, 0, 0, 0, 0]);
    bpf: _ => "EPERM", || ask(libc::SYS_bpf, [9999, 0, 0]);
    user_fault: _ => "EPERM", || ask(libc::SYS_userfaultfd, [1]);
    ring_setup: "EFAULT" => "EPERM", || ask(libc::SYS_io_uring_setup, [1, NOWHERE]);
    ring_enter: _ => "EPERM", || ask(libc::SYS_io_uring_enter, [usize::MAX, 0, 0, 0, 0, 0]);
    ring_register: _ => "EPERM", || ask(libc::SYS_io_uring_register, [usize::MAX, 0, 0, 0]);
    load_a_module: _ => "EPERM", || ask(libc::SYS_init_module, [0, 0, 0]);
    load_a_module_from_a_file: _ => "EPERM", || ask(libc::SYS_finit_module, [usize::MAX, 0, 0]);
    delete_a_module: _ => "EPERM", || ask(libc::SYS_delete_module, [0, 0]);
    load_a_kernel: _ => "EPERM", || ask(libc::SYS_kexec_load, [0, 0, 0, 0]);
    // With wrong magic numbers nobody reboots.
    reboot: "EPERM" => "EPERM", || ask(libc::SYS_reboot, [0, 0, 0, 0]);
    swap_on: "EPERM" => "EPERM", || ask(libc::SYS_swapon, [0, 0]);
    swap_off: "EPERM" => "EPERM", || ask(libc::SYS_swapoff, [0]);
    accounting: "EPERM" => "EPERM", || ask(libc::SYS_acct, [NOWHERE]);
    quota: "EFAULT" => "EPERM", || ask(libc::SYS_quotactl, [0x8000_0700, NOWHERE, 0, 0]);
    set_the_time: "EFAULT" => "EPERM", || ask(libc::SYS_settimeofday, [NOWHERE, 0]);
    set_a_clock: "EINVAL" => "EPERM", || ask(libc::SYS_clock_settime, [99, 0]);
    adjust_a_clock: "open" => "EPERM", || {
        // No mode: only reads.
        let mut state = [0u64; 32];
        ask(libc::SYS_clock_adjtime, [0, state.as_mut_ptr() as usize])
    };
    set_the_host_name: "EPERM" => "EPERM", || ask(libc::SYS_sethostname, [0, 0]);
    set_the_domain_name: "EPERM" => "EPERM", || ask(libc::SYS_setdomainname, [0, 0]);
    kernel_log: _ => "EPERM", || ask(libc::SYS_syslog, [99, 0, 0]);
    watch_all_files: _ => "EPERM", || ask(libc::SYS_fanotify_init, [0x8000_0000, 0]);
    secret_memory: _ => "EPERM", || ask(libc::SYS_memfd_secret, [0x4000_0000]);
    set_groups: "EPERM" => "EPERM", || ask(libc::SYS_setgroups, [0, 0]);
    hang_up: "EPERM" => "EPERM", || ask(libc::SYS_vhangup, []);
    asynchronous_io: "EFAULT" => "ENOSYS", || ask(libc::SYS_io_setup, [1, NOWHERE]);
    open_by_structure: "EINVAL" => "ENOSYS", || ask(libc::SYS_openat2, [libc::AT_FDCWD as usize, NOWHERE, 0, 0]);
    number_999: "ENOSYS" => "ENOSYS", || ask(999, []);
    number_511: "ENOSYS" => "ENOSYS", || ask(511, []);
    negative_number: "ENOSYS" => "ENOSYS", || ask(-2, []);
    ordinary_call: "open" => "open", || ask(libc::SYS_getpid, []);
    killed_by_the_policy, || ask(libc::SYS_sched_yield, []);
    local_descriptor_table: _ => "EPERM", || x86(154);
    port_rights: _ => "EPERM", || x86(172);
    x32_getpid: _ => "ENOSYS", || x86(0x4000_0000 | 39);
    x32_ptrace: _ => "ENOSYS", || x86(0x4000_0000 | 521);
    x32_bit_alone: _ => "ENOSYS", || x86(0x4000_0000);
    call_by_the_32_bit_convention: _ => "SIGSYS", int_0x80;
}

/// Between two places of its own memory.
fn transfer(number: i64) -> String {
    let (mut near, mut far) = ([1u8; 4], [2u8; 4]);
    let local = [near.as_mut_ptr() as usize, near.len()];
    let remote = [far.as_mut_ptr() as usize, far.len()];
    let (local, remote) = (local.as_ptr() as usize, remote.as_ptr() as usize);
    alone(|| {
        let own = here(libc::SYS_getpid, [0; 6]) as usize;
        here(number, [own, local, 1, remote, 1, 0])
    })
}

/// A number that means this on x86_64 only; what the other architecture would
/// answer is not asked there.
fn x86(number: i64) -> String {
    match cfg!(target_arch = "x86_64") {
        true => ask(number, []),
        false if number & 0x4000_0000 == 0 => "EPERM".into(),
        false => "ENOSYS".into(),
    }
}

/// `getpid` as a 32-bit program asks for it.
#[cfg(target_arch = "x86_64")]
fn int_0x80() -> String {
    alone(|| {
        let mut number: i64 = 20;
        // SAFETY: the call has no arguments and writes nothing but its result.
        unsafe {
            std::arch::asm!("int 0x80", inout("rax") number, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
        };
        number
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn int_0x80() -> String {
    "SIGSYS".into()
}

#[test]
fn a_call_under_kill_ends_the_program() {
    let scratch = crate::support::Scratch::new();
    let text = "version = 1\nextends = [\"strict\"]\n[syscalls]\nkill = [\"sched_yield\"]\n";
    let policy = scratch.file("kill.toml", text, 0o644);
    let options = ["--policy", policy.to_str().unwrap()];
    let mut command = crate::harness::inside("killed_by_the_policy", "", &options);
    let output = crate::support::run(&mut command);
    // The whole run, not only the process that asked.
    assert_eq!(crate::support::code(&output), 128 + libc::SIGSYS);
}

#[test]
fn a_call_under_deny_is_refused() {
    let scratch = crate::support::Scratch::new();
    let text = "version = 1\nextends = [\"strict\"]\n[syscalls]\ndeny = [\"sched_yield\"]\n";
    let policy = scratch.file("deny.toml", text, 0o644);
    let options = ["--policy", policy.to_str().unwrap()];
    let answer = crate::harness::jailed("killed_by_the_policy", "", &options);
    assert_eq!(answer.as_deref(), Ok("EPERM"));
}
