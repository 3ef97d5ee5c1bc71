//! isolate 2.4 to 2.6: keyrings, AF_VSOCK, file locks and a shared `/dev/shm` leaked between boxes.
//! Two runs at once, of one user, each asked what it sees of the other.

use crate::calls::{OPEN, ask, names, path, socket, word};
use crate::harness::{Check, argument, inside, outcome};
use crate::support::{self, Scratch};
use std::ffi::CString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::{Child, Stdio};

checks! {
    isolate_keyrings_are_closed: _ => "EPERM EPERM EPERM EPERM", || {
        let (kind, name) = (path("user"), path("sandbox-test"));
        let (kind, name) = (kind.as_ptr() as usize, name.as_ptr() as usize);
        let user = -4isize as usize; // KEY_SPEC_USER_KEYRING, of all processes with this uid
        [
            ask(libc::SYS_add_key, [kind, name, name, 4, user]),
            ask(libc::SYS_request_key, [kind, name, 0, user]),
            ask(libc::SYS_keyctl, [0, user, 1]),
            ask(libc::SYS_keyctl, [11, user, 0, 0]), // KEYCTL_READ
        ].join(" ")
    };
    isolate_no_machine_sockets: _ => "EPERM EPERM EPERM", machine_sockets;
    isolate_no_machine_sockets_with_loopback: _ => "EPERM EPERM EPERM" with ["--network", "loopback"], machine_sockets;
    isolate_no_machine_sockets_on_the_hosts_network: _ => "EPERM EPERM EPERM"
        with ["--network", "host", "--weaken", "host-network=a test"], machine_sockets;

    hold_everything, hold_everything;
    see_everything, see_everything;
    hold_a_lock, || {
        let file = File::open(argument()).unwrap();
        let answer = lock(&file, libc::LOCK_EX);
        wait_for_the_other(&answer);
        answer
    };
    ask_for_a_lock, || {
        let file = File::open(argument()).unwrap();
        let mut range = [0u64; 4];
        range[0] = libc::F_WRLCK as u64;
        // SAFETY: the range is as large as a `struct flock`, all of it zero but the kind.
        let posix = word(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, range.as_mut_ptr()) }.into());
        // SAFETY: as above.
        let own = word(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, range.as_mut_ptr()) }.into());
        format!("{} {posix} {own}", lock(&file, libc::LOCK_EX))
    };
}

/// A virtual machine's sockets, one family that nobody needs, and a pair of them.
fn machine_sockets() -> String {
    let stream = socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0);
    let datagram = socket(libc::AF_VSOCK, libc::SOCK_DGRAM, 0);
    format!(
        "{stream} {datagram} {}",
        socket(QIPCRTR, libc::SOCK_DGRAM, 0)
    )
}

/// AF_QIPCRTR of `linux/socket.h`: the next family after it that talks to other machines' processors.
const QIPCRTR: i32 = 42;

const KEY: libc::key_t = 0x5a4d;

/// In one run: everything that could be shared, held until standard input ends.
fn hold_everything() -> String {
    let name = CString::new("/sandbox-test-shared").unwrap();
    std::fs::write("/dev/shm/sandbox-test-shared", "x").unwrap();
    std::fs::write("/tmp/sandbox-test-shared", "x").unwrap();
    let address = SocketAddr::from_abstract_name("sandbox-test-shared").unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    // SAFETY: ids are looked up or made; no memory is attached.
    let made = unsafe {
        [
            libc::shmget(KEY, 4096, libc::IPC_CREAT | 0o666),
            libc::semget(KEY, 1, libc::IPC_CREAT | 0o666),
            libc::msgget(KEY, libc::IPC_CREAT | 0o666),
            libc::sem_open(name.as_ptr(), libc::O_CREAT, 0o666, 0) as usize as i32,
        ]
    };
    let answer = see_everything();
    assert!(made.iter().all(|id| *id != -1), "{made:?}");
    wait_for_the_other(&answer);
    answer
}

/// In the other: all of it by its name.
fn see_everything() -> String {
    let address = SocketAddr::from_abstract_name("sandbox-test-shared").unwrap();
    // SAFETY: only looks keys up.
    let ids = unsafe {
        [
            libc::shmget(KEY, 0, 0),
            libc::semget(KEY, 0, 0),
            libc::msgget(KEY, 0),
        ]
        .map(|id| if id == -1 { "absent" } else { OPEN })
    };
    let connected = UnixStream::connect_addr(&address).is_ok();
    let processes = names("/proc")
        .split(' ')
        .filter(|name| name.parse::<u32>().is_ok())
        .count();
    format!(
        "shm [{}] tmp [{}] ipc {} abstract {connected} processes {processes}",
        names("/dev/shm"),
        names("/tmp"),
        ids.join(" ")
    )
}

/// As flock(2) answers when it does not wait.
fn lock(file: &File, kind: i32) -> String {
    // SAFETY: a descriptor and a number.
    word(unsafe { libc::flock(file.as_raw_fd(), kind | libc::LOCK_NB) }.into())
}

/// Says that all is held, and holds it until the test has seen the other run.
fn wait_for_the_other(answer: &str) {
    println!("\nheld: {answer}");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// A run that holds something; its answer so far.
struct Holder(Child, String);

impl Holder {
    fn start(check: &str, argument: &str, options: &[&str]) -> Holder {
        assert!(CHECKS.iter().any(|known: &Check| known.name == check));
        let mut command = inside(check, argument, options);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.as_mut().unwrap());
        let held = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("held: ").map(str::to_owned));
        Holder(child, held.expect("it holds what it should"))
    }

    fn end(mut self) {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        // Its standard output is closed; what it answers no longer matters.
        let _ = self.0.wait();
    }
}

#[test]
fn isolate_two_runs_share_no_memory_and_no_name() {
    let holder = Holder::start("hold_everything", "", &[]);
    assert_eq!(
        holder.1,
        "shm [sandbox-test-shared sem.sandbox-test-shared] tmp [sandbox-test-shared] ipc open open open abstract true processes 1"
    );
    let other = outcome(&support::run(&mut inside("see_everything", "", &[])));
    // Nor does the host see any of it.
    let outside = std::path::Path::new("/dev/shm/sandbox-test-shared").exists();
    holder.end();
    assert_eq!(
        other.as_deref(),
        Ok("shm [] tmp [] ipc absent absent absent abstract false processes 1")
    );
    assert!(!outside);
}

/// What is true of locks, and documented: a lock belongs to the file. Where two runs are shown
/// one file of the host's, flock(2) of one is seen by the other, also where both may only read.
/// Write locks of fcntl(2) want a descriptor open for writing.
#[test]
fn isolate_locks_are_shared_where_a_file_is() {
    let scratch = Scratch::new();
    let file = scratch.file("shared", "x", 0o644);
    let file = file.to_str().unwrap();
    let options = ["--read", file];
    let holder = Holder::start("hold_a_lock", file, &options);
    assert_eq!(holder.1, OPEN);
    let other = outcome(&support::run(&mut inside("ask_for_a_lock", file, &options)));
    holder.end();
    assert_eq!(other.as_deref(), Ok("EAGAIN EBADF EBADF"));
    let alone = outcome(&support::run(&mut inside("ask_for_a_lock", file, &options)));
    assert_eq!(alone.as_deref(), Ok("open EBADF EBADF"));
}

/// And not where the files are two: what the program makes inside is its own.
#[test]
fn isolate_locks_of_ones_own_files_are_not_shared() {
    for name in ["/etc/passwd", "/dev/shm"] {
        let holder = Holder::start("hold_a_lock", name, &[]);
        assert_eq!(holder.1, OPEN, "{name}");
        let other = outcome(&support::run(&mut inside("ask_for_a_lock", name, &[])));
        holder.end();
        assert!(
            other.as_deref().unwrap().starts_with("open "),
            "{name}: {other:?}"
        );
    }
}
