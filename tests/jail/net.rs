//! The network: which address families there are by mode, and that the host's is out of reach.
//! It must not ask about unix sockets; `sockets` does.

use crate::calls::{socket, told};
use crate::harness::{argument, free, jailed, landlock_abi, refused};
use libc::{
    AF_ALG, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, SOCK_DGRAM, SOCK_RAW,
    SOCK_SEQPACKET, SOCK_STREAM,
};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

checks! {
    tcp_without_network: "open" => "EPERM", || socket(AF_INET, SOCK_STREAM, 0);
    tcp6_without_network: _ => "EPERM", || socket(AF_INET6, SOCK_STREAM, 0);
    udp_without_network: "open" => "EPERM", || socket(AF_INET, SOCK_DGRAM, 0);
    netlink_without_network: "open" => "EPERM", || socket(AF_NETLINK, SOCK_RAW, 0);
    packet_without_network: "EPERM" => "EPERM", || socket(AF_PACKET, SOCK_RAW, 0);
    vsock_without_network: _ => "EPERM", || socket(AF_VSOCK, SOCK_STREAM, 0);
    crypto_without_network: _ => "EPERM", || socket(AF_ALG, SOCK_SEQPACKET, 0);
    bluetooth_without_network: _ => "EPERM", || socket(31, SOCK_RAW, 0);
    unknown_family_without_network: "EAFNOSUPPORT" => "EPERM", || socket(63, SOCK_STREAM, 0);
    family_with_high_bits: _ => "EPERM", || {
        let family = AF_INET as usize | 1 << 32;
        crate::calls::ask(libc::SYS_socket, [family, SOCK_STREAM as usize, 0])
    };

    families_without_network: _ => "1", || families().0;
    families_with_loopback: _ => "1 2 10 16" with ["--network", "loopback"], || families().0;
    families_with_the_hosts_network, || families().0;
    families_that_are_not_there_answer_alike: _ => "EPERM", || families().1;
    pairs_by_family: _ => "1", || {
        let mut both = [0i32; 2];
        let both = both.as_mut_ptr() as usize;
        let made = (0..=FAMILIES).filter(|family| {
            crate::calls::ask(libc::SYS_socketpair, [*family, SOCK_STREAM as usize, 0, both]) != "EPERM"
        });
        made.map(|family| family.to_string()).collect::<Vec<_>>().join(" ")
    };

    tcp_with_loopback: _ => "open" with ["--network", "loopback"], || socket(AF_INET, SOCK_STREAM, 0);
    udp_with_loopback: _ => "open" with ["--network", "loopback"], || socket(AF_INET, SOCK_DGRAM, 0);
    multipath_tcp_with_loopback: _ => "EPERM" with ["--network", "loopback"], || socket(AF_INET, SOCK_STREAM, 262);
    sctp_with_loopback: _ => "EPERM" with ["--network", "loopback"], || socket(AF_INET, SOCK_STREAM, 132);
    ping_with_loopback: _ => "EPERM" with ["--network", "loopback"], || socket(AF_INET, SOCK_DGRAM, 1);
    raw_with_loopback: "EPERM" => "EPERM" with ["--network", "loopback"], || socket(AF_INET, SOCK_RAW, 1);
    raw6_with_loopback: _ => "EPERM" with ["--network", "loopback"], || socket(AF_INET6, SOCK_RAW, 58);
    packet_with_loopback: _ => "EPERM" with ["--network", "loopback"], || socket(AF_PACKET, SOCK_RAW, 0);
    vsock_with_loopback: _ => "EPERM" with ["--network", "loopback"], || socket(AF_VSOCK, SOCK_STREAM, 0);
    netfilter_with_loopback: "open" => "EPERM" with ["--network", "loopback"], || socket(AF_NETLINK, SOCK_RAW, 12);
    audit_with_loopback: _ => "EPERM" with ["--network", "loopback"], || socket(AF_NETLINK, SOCK_RAW, 9);
    a_connection_over_loopback: "open" => "open" with ["--network", "loopback"], || told(converse());
    datagrams_over_loopback: "open" => "open" with ["--network", "loopback"], || told(datagram());
    no_route_with_loopback: _ => "ENETUNREACH" with ["--network", "loopback"], || {
        // TEST-NET-1: nobody answers there, and here nothing leads there.
        told(TcpStream::connect_timeout(&"192.0.2.1:9".parse().unwrap(), Duration::from_secs(1)))
    };
    a_low_port_with_loopback: _ => "EACCES" with ["--network", "loopback"], || told(TcpListener::bind("127.0.0.1:80"));
    connect_to_the_host, || told(TcpStream::connect(argument()));
    port_of_the_host, || told(TcpListener::bind(argument()));
}

/// One more than the kernel's newest, AF_MCTP.
const FAMILIES: usize = 46;

/// The families of which some kind of socket can be made, or is refused by another
/// than the filter; and what the others answer.
fn families() -> (String, String) {
    let (mut made, mut answers) = (Vec::new(), std::collections::BTreeSet::new());
    for family in 0..=FAMILIES {
        let kinds = [SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET];
        let family = i32::try_from(family).unwrap();
        let told: Vec<String> = kinds.map(|kind| socket(family, kind, 0)).into();
        match told.iter().any(|answer| answer != "EPERM") {
            true => made.push(family.to_string()),
            false => answers.extend(told),
        }
    }
    (
        made.join(" "),
        answers.into_iter().collect::<Vec<_>>().join(" "),
    )
}

fn converse() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.write_all(b"hello")?;
    let mut text = [0; 5];
    far.read_exact(&mut text)?;
    assert_eq!(&text, b"hello");
    Ok(())
}

fn datagram() -> std::io::Result<()> {
    let (near, far) = (
        UdpSocket::bind("127.0.0.1:0")?,
        UdpSocket::bind("127.0.0.1:0")?,
    );
    near.send_to(b"hello", far.local_addr()?)?;
    let mut text = [0; 9];
    assert_eq!(far.recv(&mut text)?, 5);
    Ok(())
}

#[test]
fn a_listener_on_the_hosts_loopback_is_out_of_reach() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let outside = free("connect_to_the_host", &address);
    assert_eq!(outside.as_deref(), Ok("open"));
    let answer = jailed("connect_to_the_host", &address, &["--network", "loopback"]);
    assert_eq!(answer.as_deref(), Ok("ECONNREFUSED"));
    let answer = jailed("connect_to_the_host", &address, &[]);
    assert_eq!(answer.as_deref(), Ok("EPERM"));
}

#[test]
fn ports_are_not_shared_with_the_host() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let outside = free("port_of_the_host", &address);
    assert_eq!(outside.as_deref(), Ok("EADDRINUSE"));
    let answer = jailed("port_of_the_host", &address, &["--network", "loopback"]);
    assert_eq!(answer.as_deref(), Ok("open"));
}

#[test]
fn families_are_the_same_on_the_hosts_network() {
    let options = ["--network", "host", "--weaken", "host-network=a test"];
    let answer = jailed("families_with_the_hosts_network", "", &options);
    match landlock_abi() {
        // Linux before 6.12 cannot keep abstract sockets away there.
        ..6 => refused(&answer, "cannot keep the program from the abstract sockets"),
        _ => assert_eq!(answer.as_deref(), Ok("1 2 10 16")),
    }
}
