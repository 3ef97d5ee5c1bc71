//! A system call filter around a program whose calls another thread answers (seccomp_unotify(2)).
//! It must not filter any thread of the tests: it is installed after the fork, before the exec.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Which calls are held until somebody answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// All of them.
    All,
    /// This one, and those by which the roles and the beginning are told.
    Only(libc::c_long),
}

/// The descriptor by which the new process hands out its listener: no other call
/// has this number, so the filter can let it through.
const OUT: RawFd = 999;

const RET_ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const RET_HOLD: u32 = libc::SECCOMP_RET_USER_NOTIF;

/// Offsets in `struct seccomp_data` (little-endian machines only).
const NUMBER: u32 = 0;
const ARGUMENT_0: u32 = 16;

/// The program: classic BPF, made before the fork.
pub fn program(held: Held) -> Vec<libc::sock_filter> {
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let equal =
        |value, yes, no| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, yes, no, value);
    let give = |value| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value);
    let mut program = vec![
        load(ARGUMENT_0),
        // The listener on its way out.
        equal(OUT as u32, 0, 3),
        load(NUMBER),
        equal(libc::SYS_sendmsg as u32, 0, 1),
        give(RET_ALLOW),
        load(NUMBER),
    ];
    match held {
        Held::All => program.push(give(RET_HOLD)),
        Held::Only(number) => {
            program.extend([
                equal(number as u32, 2, 0),
                equal(libc::SYS_execve as u32, 1, 0),
                equal(libc::SYS_rt_sigaction as u32, 0, 1),
                give(RET_HOLD),
                give(RET_ALLOW),
            ]);
        }
    }
    program
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

/// Puts the calling process under the program and sends the listener to `out`.
/// Between fork and exec: nothing here allocates.
pub fn install(program: &[libc::sock_filter], out: RawFd) -> io::Result<()> {
    // SAFETY: numbers only.
    check(unsafe { libc::dup3(out, OUT, libc::O_CLOEXEC) }.into())?;
    let listener = match new_listener(program) {
        // Without CAP_SYS_ADMIN a filter needs no_new_privs (seccomp(2)).
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            // SAFETY: numbers only.
            check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())?;
            new_listener(program)?
        }
        other => other?,
    };
    send(OUT, listener)
}

fn new_listener(program: &[libc::sock_filter]) -> io::Result<RawFd> {
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `filter` describes `program`, which the kernel copies.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const filter,
        )
    })
    .map(|fd| fd as RawFd)
}

/// The sandbox's own helper would do, if it were public; this one is as small.
fn send(socket: RawFd, fd: RawFd) -> io::Result<()> {
    let mut byte = [1u8];
    let mut control = Control([0; 24]);
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    // SAFETY: every pointer outlives the call; CMSG_SPACE(4) is 24 bytes.
    check(unsafe {
        let message = message(&mut part, &mut control);
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL) as libc::c_long
    })
    .map(drop)
}

/// The listener that [`install`] sent; an error when the process ended before.
pub fn receive(socket: &OwnedFd) -> io::Result<OwnedFd> {
    let mut byte = [0u8];
    let mut control = Control([0; 24]);
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    // SAFETY: as in `send`; a descriptor that arrives is new and nobody else's.
    unsafe {
        let mut message = message(&mut part, &mut control);
        let flags = libc::MSG_CMSG_CLOEXEC;
        let got = libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags);
        check(got as libc::c_long)?;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() {
            return Err(io::Error::other("no listener was sent"));
        }
        let fd = libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned();
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

#[repr(C, align(8))]
struct Control([u8; 24]);

fn message(part: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: zeroed is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = (control as *mut Control).cast();
    message.msg_controllen = 24;
    message
}

pub fn check(value: libc::c_long) -> io::Result<libc::c_long> {
    match value {
        ..0 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}
