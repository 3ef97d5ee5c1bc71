//! What is held and looked at outside, so that the program inside has something
//! to fail at: sockets, a segment, a descriptor, and a list of what is there.
//!
//! It reads names and kinds, never contents.

use crate::sys::ask::Segment;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

/// Baits: a program that gets out reaches one of them. They go with the value.
pub(super) struct Baits {
    _tcp: TcpListener,
    _abstract_socket: UnixListener,
    segment: Option<Segment>,
    /// The port that listens on the host's loopback address.
    pub(super) port: u16,
    /// The abstract name that listens.
    pub(super) name: String,
}

impl Baits {
    pub(super) fn lay() -> io::Result<Baits> {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let name = format!("sandbox-audit-{}", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        Ok(Baits {
            port: tcp.local_addr()?.port(),
            _tcp: tcp,
            _abstract_socket: listener,
            // A kernel or container may do without System V.
            segment: Segment::new().ok(),
            name,
        })
    }

    /// The id of a shared memory segment that everybody may read.
    pub(super) fn segment(&self) -> Option<i32> {
        self.segment.as_ref().map(|segment| segment.0)
    }
}

/// Something of the host that has a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    /// Absolute, without symbolic links.
    pub(super) path: PathBuf,
    /// `st_dev`.
    pub(super) dev: u64,
    /// `st_ino`.
    pub(super) ino: u64,
    /// A socket.
    pub(super) socket: bool,
}

/// Directories whose entries are worth hiding, on any machine.
#[rustfmt::skip]
const PLACES: &[&str] = &[
    "/", "/boot", "/dev", "/dev/disk", "/dev/mapper", "/dev/net", "/dev/shm", "/etc", "/home",
    "/media", "/mnt", "/opt", "/proc", "/proc/sys", "/proc/sys/kernel", "/root", "/root/.ssh",
    "/run", "/run/dbus", "/run/user", "/srv", "/sys", "/sys/fs", "/sys/fs/cgroup", "/sys/kernel",
    "/tmp", "/usr", "/usr/local", "/var", "/var/cache", "/var/lib", "/var/log", "/var/run",
    "/var/spool", "/var/tmp",
];

/// Below the home directory.
#[rustfmt::skip]
const PRIVATE: &[&str] = &[
    "", ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config", ".config/gh",
    ".config/gcloud", ".local", ".local/share", ".local/share/keyrings", ".cache", ".mozilla",
    ".password-store", ".cargo", ".m2", ".npm",
];

/// Entries of one directory: enough to see that it is closed.
const MOST_ENTRIES: usize = 400;

/// What is on this machine, as far as the caller can see it: the entries of the
/// usual places and of the caller's own, and every socket that has a path.
pub(super) fn objects() -> Vec<Object> {
    let mut places: Vec<PathBuf> = PLACES.iter().map(PathBuf::from).collect();
    if let Some(home) = std::env::var_os("HOME").filter(|home| !home.is_empty()) {
        places.extend(PRIVATE.iter().map(|name| Path::new(&home).join(name)));
    }
    places.extend(std::env::current_dir());
    places.extend(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from));
    let mut found = BTreeMap::new();
    for place in places {
        add(&mut found, &place);
        let Ok(entries) = fs::read_dir(&place) else {
            continue;
        };
        for entry in entries.flatten().take(MOST_ENTRIES) {
            if !is_number(&entry.file_name()) {
                add(&mut found, &entry.path());
            }
        }
    }
    for socket in sockets(&fs::read("/proc/net/unix").unwrap_or_default()) {
        add(&mut found, &socket);
    }
    found.into_values().collect()
}

/// Processes have directories that come and go, and inside others have their names.
fn is_number(name: &OsStr) -> bool {
    name.as_bytes().iter().all(u8::is_ascii_digit)
}

/// Under the path that it has without links: by another it is the same object.
fn add(found: &mut BTreeMap<PathBuf, Object>, path: &Path) {
    let Ok(real) = fs::canonicalize(path) else {
        return;
    };
    let Ok(facts) = fs::symlink_metadata(&real) else {
        return;
    };
    let object = Object {
        dev: facts.dev(),
        ino: facts.ino(),
        socket: facts.file_type().is_socket(),
        path: real.clone(),
    };
    found.insert(real, object);
}

/// The paths in `/proc/net/unix`: the eighth field, which is absent for a socket
/// without a name and begins with `@` for an abstract one.
fn sockets(table: &[u8]) -> Vec<PathBuf> {
    table
        .split(|byte| *byte == b'\n')
        .skip(1)
        .filter_map(|line| {
            let at = line.windows(2).position(|pair| pair == b" /")?;
            Some(PathBuf::from(OsStr::from_bytes(&line[at + 1..])))
        })
        .collect()
}

/// A directory outside, open, and not marked to be closed at exec.
pub(super) fn leaked_directory() -> io::Result<File> {
    let directory = File::open("/")?;
    crate::sys::fd::keep_across_exec(directory.as_raw_fd())?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_with_paths() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 22101 /run/a b/bus\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 22102\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 22103 @/tmp/.X11-unix/X0\n";
        assert_eq!(sockets(table), [PathBuf::from("/run/a b/bus")]);
        assert!(sockets(b"").is_empty());
    }

    #[test]
    fn objects_have_one_path_each_and_are_there() {
        let objects = objects();
        assert!(objects.len() > 50, "{}", objects.len());
        assert!(
            objects
                .iter()
                .any(|object| object.path == Path::new("/etc/passwd"))
        );
        for object in &objects {
            assert!(object.path.is_absolute());
        }
    }

    #[test]
    fn baits_are_open_to_this_process() {
        let baits = Baits::lay().unwrap();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, baits.port)).unwrap();
        let address = SocketAddr::from_abstract_name(&baits.name).unwrap();
        std::os::unix::net::UnixStream::connect_addr(&address).unwrap();
        let id = baits.segment().unwrap() as u64;
        let readable = libc::SHM_RDONLY as u64;
        crate::sys::ask::call(libc::SYS_shmat as u32, [id, 0, readable, 0, 0, 0]).unwrap();
    }
}
