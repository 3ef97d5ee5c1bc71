//! Unix sockets: they work between processes inside, and reach none of the host's.
//! It must not ask about other address families; `net` does.

use crate::calls::{ask, here, socket, told, word};
use crate::harness::{argument, free, inside, jailed, landlock_abi, outcome, refused};
use crate::support::{self, Scratch};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};

checks! {
    a_unix_socket: "open" => "open", || socket(libc::AF_UNIX, libc::SOCK_STREAM, 0);
    a_pair: "open" => "open", || told(pair());
    a_pair_of_another_family: "EOPNOTSUPP" => "EPERM", || {
        let mut both = [0i32; 2];
        let both = both.as_mut_ptr() as usize;
        ask(libc::SYS_socketpair, [libc::AF_INET as usize, libc::SOCK_STREAM as usize, 0, both])
    };
    a_listener_in_the_tmp: _ => "open", || told(listen("/tmp/socket"));
    an_abstract_listener: _ => "open", || {
        let address = SocketAddr::from_abstract_name("sandbox-test-own").unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        told(UnixStream::connect_addr(&address))
    };
    connect_by_descriptor, connect_by_descriptor;
    abstract_socket_of_the_host, || {
        let address = SocketAddr::from_abstract_name(argument()).unwrap();
        told(UnixStream::connect_addr(&address))
    };
    abstract_datagram_to_the_host, || {
        let address = SocketAddr::from_abstract_name(argument()).unwrap();
        told(UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(b"x", &address)))
    };
    path_socket_of_the_host, || told(UnixStream::connect(argument()));
    peer_credentials: _ => "1000", || {
        let (near, _far) = UnixStream::pair().unwrap();
        let peer = nix::sys::socket::getsockopt(&near, nix::sys::socket::sockopt::PeerCredentials);
        peer.unwrap().uid().to_string()
    };
}

fn pair() -> std::io::Result<()> {
    let (mut near, mut far) = UnixStream::pair()?;
    near.write_all(b"hello")?;
    let mut text = [0; 5];
    far.read_exact(&mut text)
}

fn listen(path: &str) -> std::io::Result<UnixStream> {
    let _listener = UnixListener::bind(path)?;
    UnixStream::connect(path)
}

#[test]
fn an_abstract_socket_of_the_host_is_out_of_reach() {
    let name = format!("sandbox-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let outside = free("abstract_socket_of_the_host", &name);
    assert_eq!(outside.as_deref(), Ok("open"));
    let answer = jailed("abstract_socket_of_the_host", &name, &[]);
    assert_eq!(answer.as_deref(), Ok("ECONNREFUSED"));
}

/// With the host's network there is no namespace between, only Landlock's scope.
#[test]
fn an_abstract_socket_of_the_host_is_out_of_scope_on_its_network() {
    let name = format!("sandbox-scope-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let options = ["--network", "host", "--weaken", "host-network=a test"];
    let answer = jailed("abstract_socket_of_the_host", &name, &options);
    match landlock_abi() {
        // Linux before 6.12 has no such scope.
        ..6 => refused(&answer, "cannot keep the program from the abstract sockets"),
        _ => assert_eq!(answer.as_deref(), Ok("EPERM")),
    }
}

/// A datagram needs no connection; it is out of reach, and out of scope, all the same.
#[test]
fn an_abstract_datagram_socket_of_the_host_is_out_of_reach() {
    let name = format!("sandbox-datagram-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixDatagram::bind_addr(&address).unwrap();
    let ask = |options: &[&str]| jailed("abstract_datagram_to_the_host", &name, options);
    let outside = free("abstract_datagram_to_the_host", &name);
    assert_eq!(outside.as_deref(), Ok("open"));
    assert_eq!(ask(&[]).as_deref(), Ok("ECONNREFUSED"));
    let answer = ask(&["--network", "host", "--weaken", "host-network=a test"]);
    match landlock_abi() {
        ..6 => refused(&answer, "cannot keep the program from the abstract sockets"),
        _ => assert_eq!(answer.as_deref(), Ok("EPERM")),
    }
}

#[test]
fn a_socket_by_path_on_the_host_is_not_there() {
    let scratch = Scratch::new();
    let path = scratch.join("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let path = path.to_str().unwrap();
    let outside = free("path_socket_of_the_host", path);
    assert_eq!(outside.as_deref(), Ok("open"));
    let answer = jailed("path_socket_of_the_host", path, &[]);
    assert_eq!(answer.as_deref(), Ok("ENOENT"));
}

/// A descriptor named by `--fd` is the one way in that the user asked for.
#[test]
fn a_socket_handed_in_works() {
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"from outside").unwrap();
    let number = near.as_raw_fd();
    let mut command = inside("descriptor_text", &number.to_string(), &[]);
    command = with_descriptor(command, number);
    let output = support::run(&mut command);
    assert_eq!(outcome(&output).as_deref(), Ok("from outside"));
}

/// A TCP socket handed in belongs to the host's network, and the filter lets unix
/// sockets connect: only Landlock stands between, since ABI 4 (Linux 6.7).
#[test]
fn a_tcp_socket_handed_in_connects_nowhere() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // SAFETY: socket(2) takes no memory.
    let number = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(number > 2);
    // SAFETY: a new descriptor, owned by nobody else.
    let _owned = unsafe { std::os::fd::OwnedFd::from_raw_fd(number) };
    let command = inside("connect_by_descriptor", &format!("{number} {port}"), &[]);
    let answer = outcome(&support::run(&mut with_descriptor(command, number)));
    let expected = if landlock_abi() < 4 { "open" } else { "EACCES" };
    assert_eq!(answer.as_deref(), Ok(expected));
}

fn connect_by_descriptor() -> String {
    let given = argument();
    let (number, port) = given.split_once(' ').unwrap();
    let port: u16 = port.parse().unwrap();
    let [high, low] = port.to_be_bytes();
    // `struct sockaddr_in`: the family in the machine's order, the rest in the network's.
    let [first, second] = (libc::AF_INET as u16).to_ne_bytes();
    let address = [
        first, second, high, low, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let number: usize = number.parse().unwrap();
    let place = address.as_ptr() as usize;
    word(here(
        libc::SYS_connect,
        [number, place, address.len(), 0, 0, 0],
    ))
}

/// The same command with `--fd N`, and the descriptor kept over exec.
pub fn with_descriptor(command: std::process::Command, number: i32) -> std::process::Command {
    use std::os::unix::process::CommandExt;
    let mut again = support::sandbox();
    again
        .args(["--fd", &number.to_string()])
        .args(command.get_args());
    // SAFETY: fcntl(2) is async-signal-safe and touches nothing but the flag.
    unsafe {
        again.pre_exec(move || match libc::fcntl(number, libc::F_SETFD, 0) {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
    again
}
