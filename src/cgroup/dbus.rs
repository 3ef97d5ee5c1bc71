//! One conversation over D-Bus, by hand: connect, say who we are, call, read the answer
//! (D-Bus Specification, "Authentication Protocol"). It reads foreign bytes; whatever the
//! other side does, it ends by its deadline and keeps a bounded number of them.

use super::failure::Failure;
use super::marshal::{self, Call, FIXED, Message};
use crate::escape::{plain, quote, tick};
use crate::sys::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, sockopt};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The longest line of the handshake.
const MOST_LINE: usize = 1024;
/// Messages for others that are passed over while waiting for an answer.
const MOST_MESSAGES: usize = 64;

/// Where a manager or a bus listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Path(Vec<u8>),
    Abstract(Vec<u8>),
}

impl Address {
    /// For sentences.
    pub(super) fn tick(&self) -> String {
        use std::os::unix::ffi::OsStrExt;
        match self {
            Address::Path(path) => tick(std::ffi::OsStr::from_bytes(path)),
            Address::Abstract(name) => {
                tick([b"@", name.as_slice()].concat().escape_ascii().to_string())
            }
        }
    }

    fn socket(&self) -> Result<UnixAddr, Errno> {
        match self {
            Address::Path(path) => UnixAddr::new(path.as_slice()),
            Address::Abstract(name) => UnixAddr::new_abstract(name),
        }
    }
}

/// The addresses that we can connect to in the text of `DBUS_SESSION_BUS_ADDRESS`.
pub(super) fn addresses(text: &[u8]) -> Vec<Address> {
    let one = |entry: &[u8]| {
        let keys = entry.strip_prefix(b"unix:")?;
        keys.split(|byte| *byte == b',').find_map(|pair| {
            let (path, abstract_) = (pair.strip_prefix(b"path="), pair.strip_prefix(b"abstract="));
            let value = unescape(path.or(abstract_)?)?;
            // sun_path of unix(7) has 108 bytes, one of them for the NUL.
            let fits = !value.is_empty() && value.len() < 108;
            match (fits, path) {
                (false, _) => None,
                (true, Some(_)) => Some(Address::Path(value)),
                (true, None) => Some(Address::Abstract(value)),
            }
        })
    };
    text.split(|byte| *byte == b';').filter_map(one).collect()
}

/// `%xx` stands for a byte.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => (digit(*bytes.next()?)? << 4 | digit(*bytes.next()?)?) as u8,
            0 => return None,
            other => *other,
        });
    }
    (!plain.contains(&0)).then_some(plain)
}

/// A connection on which we said who we are.
pub(super) struct Connection {
    stream: UnixStream,
    end: Instant,
    serial: u32,
    /// Who is there, for sentences.
    peer: String,
}

impl Connection {
    /// Connects and says who we are. Everything on this connection happens before `end`.
    pub(super) fn open(address: &Address, end: Instant) -> Result<Connection, Failure> {
        let peer = address.tick();
        let failed = |errno| Failure::because(format_args!("connect to {peer}"), errno);
        let socket = nix::sys::socket::socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .map_err(failed)?;
        // Connecting waits too, where nobody accepts.
        let left = end.saturating_duration_since(Instant::now());
        let left = left.max(Duration::from_millis(1));
        let timeout = nix::sys::time::TimeVal::new(left.as_secs() as _, left.subsec_micros() as _);
        setsockopt(&socket.as_fd(), sockopt::SendTimeout, &timeout).map_err(failed)?;
        let at = address.socket().map_err(failed)?;
        loop {
            match connect(socket.as_raw_fd(), &at) {
                Err(Errno::EINTR) => {}
                other => break other.map_err(failed)?,
            }
        }
        let mut connection = Connection {
            stream: UnixStream::from(socket),
            end,
            serial: 0,
            peer,
        };
        connection.authenticate()?;
        Ok(connection)
    }

    /// SASL EXTERNAL: the other side asks the kernel who we are.
    fn authenticate(&mut self) -> Result<(), Failure> {
        let uid = nix::unistd::geteuid().to_string();
        let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.write(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
        let line = self.line()?;
        if !line.starts_with(b"OK ") {
            use std::os::unix::ffi::OsStrExt;
            let line = std::ffi::OsStr::from_bytes(&line);
            return Err(Failure::new(format!(
                "{} does not take us for user {uid}: {}",
                self.peer,
                quote(line)
            )));
        }
        self.write(b"BEGIN\r\n")
    }

    /// Calls a method; the first value of the answer when that is a string or a path.
    pub(super) fn call(&mut self, call: &Call) -> Result<Option<String>, Failure> {
        self.serial += 1;
        self.write(&call.message(self.serial))?;
        for _ in 0..MOST_MESSAGES {
            match self.message()? {
                Message::Return { to, value } if to == self.serial => return Ok(value),
                Message::Error { to, name, words } if to == self.serial => {
                    return Err(Failure::new(format!(
                        "{} refuses {}: {} ({})",
                        self.peer,
                        call.member,
                        plain(words.trim_end_matches('.')),
                        plain(name)
                    )));
                }
                _ => {}
            }
        }
        Err(self.no_dbus())
    }

    fn message(&mut self) -> Result<Message, Failure> {
        let mut fixed = [0u8; FIXED];
        self.read(&mut fixed)?;
        let length = marshal::length(&fixed).ok_or_else(|| self.no_dbus())?;
        let mut bytes = vec![0u8; length];
        let (begin, rest) = bytes.split_at_mut(FIXED);
        begin.copy_from_slice(&fixed);
        self.read(rest)?;
        marshal::parse(&bytes).ok_or_else(|| self.no_dbus())
    }

    /// A line of the handshake, without its end.
    fn line(&mut self) -> Result<Vec<u8>, Failure> {
        let mut line = Vec::new();
        while line.len() < MOST_LINE {
            let mut byte = [0u8];
            self.read(&mut byte)?;
            line.extend(byte);
            if let Some(whole) = line.strip_suffix(b"\r\n") {
                return Ok(whole.to_vec());
            }
        }
        Err(self.no_dbus())
    }

    fn read(&mut self, mut into: &mut [u8]) -> Result<(), Failure> {
        while !into.is_empty() {
            let left = self.left()?;
            let waited = self.stream.set_read_timeout(Some(left));
            match waited.and_then(|()| self.stream.read(into)) {
                Ok(0) => {
                    return Err(Failure::new(format!("{} closed the connection", self.peer)));
                }
                Ok(read) => into = into.get_mut(read..).unwrap_or_default(),
                Err(error) => self.again(error)?,
            }
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let left = self.left()?;
            let waited = self.stream.set_write_timeout(Some(left));
            // A library's caller may have SIGPIPE at its default, which ends the process.
            let sent = waited.map_err(super::group::errno_of).and_then(|()| {
                let flags = nix::sys::socket::MsgFlags::MSG_NOSIGNAL;
                nix::sys::socket::send(self.stream.as_raw_fd(), bytes, flags)
            });
            match sent {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(errno) => self.again(errno.into())?,
            }
        }
        Ok(())
    }

    /// Interrupted, or out of time, which [`Connection::left`] says next; anything else
    /// is a failure.
    fn again(&self, error: std::io::Error) -> Result<(), Failure> {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(()),
            _ => Err(Failure::because(
                format_args!("talk to {}", self.peer),
                super::group::errno_of(error),
            )),
        }
    }

    fn left(&self) -> Result<Duration, Failure> {
        let left = self.end.saturating_duration_since(Instant::now());
        match left < Duration::from_micros(1) {
            true => Err(Failure::new(format!(
                "{} does not answer in time",
                self.peer
            ))),
            false => Ok(left),
        }
    }

    fn no_dbus(&self) -> Failure {
        Failure::new(format!("{} does not speak D-Bus as we know it", self.peer))
    }
}

#[cfg(test)]
#[path = "dbus_tests.rs"]
mod tests;
