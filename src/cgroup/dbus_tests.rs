//! The conversation against servers that answer, refuse, talk nonsense, never stop, or
//! say nothing at all.

use super::super::marshal::answer;
use super::*;
use proptest::prelude::*;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

/// A socket in a directory of its own, with one conversation on it.
struct Server {
    directory: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn new(serve: impl FnOnce(UnixStream) + Send + 'static) -> Server {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sandbox-dbus-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        let listener = UnixListener::bind(directory.join("s")).unwrap();
        let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
        Server {
            directory,
            thread: Some(thread),
        }
    }

    fn open(&self, patience: Duration) -> Result<Connection, Failure> {
        use std::os::unix::ffi::OsStringExt;
        let path = self.directory.join("s").into_os_string().into_vec();
        Connection::open(&Address::Path(path), Instant::now() + patience)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let served = self.thread.take().unwrap().join();
        std::fs::remove_dir_all(&self.directory).unwrap();
        assert!(served.is_ok() || std::thread::panicking());
    }
}

/// Long enough for any machine; a conversation that waits for it fails its test.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

fn hello() -> Call<'static> {
    Call {
        destination: Some("a.b"),
        path: "/a",
        interface: "i.f",
        member: "Start",
        signature: "",
        body: Vec::new(),
    }
}

/// Up to and with BEGIN; what was said.
fn take_in(stream: &mut UnixStream, ok: &str) -> Vec<String> {
    let mut reader = BufReader::with_capacity(1, stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    stream.write_all(ok.as_bytes()).unwrap();
    let mut begin = String::new();
    reader.read_line(&mut begin).unwrap();
    vec![line, begin]
}

fn take_call(stream: &mut UnixStream) -> Vec<u8> {
    let mut fixed = [0u8; FIXED];
    stream.read_exact(&mut fixed).unwrap();
    let mut rest = vec![0; marshal::length(&fixed).unwrap() - FIXED];
    stream.read_exact(&mut rest).unwrap();
    [fixed.to_vec(), rest].concat()
}

#[test]
fn a_call_is_answered() {
    let server = Server::new(|mut stream| {
        let said = take_in(&mut stream, "OK 0123\r\n");
        let uid = nix::unistd::geteuid().to_string();
        let hex: String = uid
            .bytes()
            .map(|byte| format!("3{}", byte - b'0'))
            .collect();
        assert_eq!(
            said,
            [format!("\0AUTH EXTERNAL {hex}\r\n"), "BEGIN\r\n".into()]
        );
        assert_eq!(take_call(&mut stream), hello().message(1));
        // A signal and an answer to somebody else come first.
        let mut signal = answer(0, None, "x");
        signal[1] = 4;
        stream.write_all(&signal).unwrap();
        stream.write_all(&answer(77, None, "not yours")).unwrap();
        stream.write_all(&answer(1, None, "/job/1")).unwrap();
        assert_eq!(take_call(&mut stream), hello().message(2));
        // In the smallest pieces.
        for byte in answer(2, None, "/job/2") {
            stream.write_all(&[byte]).unwrap();
        }
    });
    let mut connection = server.open(LONG).unwrap();
    assert_eq!(
        connection.call(&hello()).unwrap().as_deref(),
        Some("/job/1")
    );
    assert_eq!(
        connection.call(&hello()).unwrap().as_deref(),
        Some("/job/2")
    );
}

#[test]
fn a_refusal_of_ours_is_quoted() {
    let server = Server::new(|mut stream| {
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap())
            .read_line(&mut line)
            .unwrap();
        stream.write_all(b"REJECTED EXTERNAL\x1b[2J\r\n").unwrap();
    });
    let text = server.open(LONG).err().unwrap().to_string();
    assert!(
        text.contains("does not take us for user")
            && text.ends_with("\"REJECTED EXTERNAL\\x1b[2J\""),
        "{text}"
    );
}

#[test]
fn an_error_becomes_a_sentence() {
    let server = Server::new(|mut stream| {
        take_in(&mut stream, "OK 0\r\n");
        take_call(&mut stream);
        let error = answer(1, Some("org.x.Denied"), "Access\ndenied.");
        stream.write_all(&error).unwrap();
    });
    let mut connection = server.open(LONG).unwrap();
    let text = connection.call(&hello()).unwrap_err().to_string();
    assert!(
        text.ends_with("refuses Start: Access\\ndenied (org.x.Denied)"),
        "{text}"
    );
}

#[test]
fn silence_ends_at_the_deadline() {
    // At the handshake, and at the call: the server waits until we have gone.
    let wait = |mut stream: UnixStream| drop(stream.read_to_end(&mut Vec::new()));
    let server = Server::new(wait);
    let text = server.open(SHORT).err().unwrap().to_string();
    assert!(text.ends_with("does not answer in time"), "{text}");

    let server = Server::new(move |mut stream| {
        take_in(&mut stream, "OK 0\r\n");
        wait(stream);
    });
    // Longer: the handshake has to succeed before.
    let mut connection = server.open(Duration::from_secs(2)).unwrap();
    connection.end = Instant::now() + SHORT;
    let text = connection.call(&hello()).unwrap_err().to_string();
    assert!(text.ends_with("does not answer in time"), "{text}");
}

/// A server that never accepts: the kernel itself answers connect, until its queue
/// is full.
#[test]
fn a_full_queue_ends_at_the_deadline() {
    use nix::sys::socket::{Backlog, bind, listen, socket};
    let name = format!("sandbox-dbus-full-{}", std::process::id());
    let flags = SockFlag::SOCK_CLOEXEC;
    let listener = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    let address = Address::Abstract(name.into_bytes());
    bind(listener.as_raw_fd(), &address.socket().unwrap()).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let mut held = Vec::new();
    for _ in 0..8 {
        let one = socket(
            AddressFamily::Unix,
            SockType::Stream,
            flags | SockFlag::SOCK_NONBLOCK,
            None,
        );
        let one = one.unwrap();
        let _ = connect(one.as_raw_fd(), &address.socket().unwrap());
        held.push(one);
    }
    let text = Connection::open(&address, Instant::now() + SHORT);
    let text = text.err().unwrap().to_string();
    assert!(
        text.starts_with("cannot connect to `@sandbox-dbus-full-"),
        "{text}"
    );
}

#[test]
fn a_line_without_an_end_is_given_up() {
    let server = Server::new(|mut stream| {
        // More than is ever taken; the last part fails when we have gone.
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let text = server.open(LONG).err().unwrap().to_string();
    assert!(text.contains("does not speak D-Bus"), "{text}");
}

#[test]
fn messages_without_an_end_are_given_up() {
    let server = Server::new(|mut stream| {
        take_in(&mut stream, "OK 0\r\n");
        let other = answer(99, None, "for somebody else");
        while stream.write_all(&other).is_ok() {}
    });
    let mut connection = server.open(LONG).unwrap();
    let text = connection.call(&hello()).unwrap_err().to_string();
    assert!(text.contains("does not speak D-Bus"), "{text}");
}

#[test]
fn a_message_that_says_it_is_huge_is_not_waited_for() {
    let server = Server::new(|mut stream| {
        take_in(&mut stream, "OK 0\r\n");
        let mut bytes = answer(1, None, "x");
        bytes[4..8].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
        stream.write_all(&bytes).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut connection = server.open(LONG).unwrap();
    let text = connection.call(&hello()).unwrap_err().to_string();
    assert!(text.contains("does not speak D-Bus"), "{text}");
}

#[test]
fn a_server_that_goes_away_is_said_to() {
    let server = Server::new(|mut stream| {
        take_in(&mut stream, "OK 0\r\n");
        take_call(&mut stream);
        let message = answer(1, None, "x");
        stream.write_all(&message[..message.len() - 1]).unwrap();
    });
    let mut connection = server.open(LONG).unwrap();
    let text = connection.call(&hello()).unwrap_err().to_string();
    assert!(text.ends_with("closed the connection"), "{text}");
}

#[test]
fn addresses_are_read() {
    let path = |path: &str| Address::Path(path.as_bytes().to_vec());
    for (text, wanted) in [
        ("unix:path=/run/user/1/bus", vec![path("/run/user/1/bus")]),
        ("unix:guid=1,path=/a%20b", vec![path("/a b")]),
        (
            "tcp:host=x;unix:path=/a;unix:path=/b",
            vec![path("/a"), path("/b")],
        ),
        (
            "unix:abstract=/x,guid=2",
            vec![Address::Abstract(b"/x".to_vec())],
        ),
        ("unix:path=", vec![]),
        ("unix:path=/a%2", vec![]),
        ("unix:path=/a%00b", vec![]),
        ("unix:tmpdir=/tmp", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(addresses(text.as_bytes()), wanted, "{text}");
    }
    let long = format!("unix:path=/{}", "x".repeat(107));
    assert_eq!(addresses(long.as_bytes()), []);
}

proptest! {
    #[test]
    fn any_address_is_read_to_an_end(text: Vec<u8>) {
        for address in addresses(&text) {
            prop_assert!(address.socket().is_ok());
        }
    }

    #[test]
    fn any_answer_ends(bytes in prop::collection::vec(any::<u8>(), 0..200), early: bool) {
        let server = Server::new(move |mut stream| {
            if !early {
                take_in(&mut stream, "OK 0\r\n");
            }
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        if let Ok(mut connection) = server.open(LONG) {
            let _ = connection.call(&hello());
        }
    }
}
