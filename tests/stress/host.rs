//! What a host is made of, before and after: whatever a program without a sandbox could have left.
//! It must not compare what changes by itself, nor what others do at the same time.

use crate::support;
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Of root's tests: a user that no other test is, so that what is his is this test's.
const SOMEBODY: u32 = 65531;

/// What the kernel clears away on its own time: dead processes' keyrings, pid entries.
const SOON: Duration = Duration::from_secs(15);

/// Settings that are counters, or that the kernel changes itself.
const CHANGING: [&str; 14] = [
    "/proc/sys/fs/aio-nr",
    "/proc/sys/fs/dentry-state",
    "/proc/sys/fs/file-nr",
    "/proc/sys/fs/inode-nr",
    "/proc/sys/fs/inode-state",
    "/proc/sys/fs/quota",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/kernel/perf_cpu_time_max_percent",
    "/proc/sys/kernel/perf_event_max_sample_rate",
    "/proc/sys/kernel/pty/nr",
    "/proc/sys/kernel/random",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    "/proc/sys/net/ipv4/tcp_fastopen_key",
    "/proc/sys/vm/stat_refresh",
];

/// A program as the user of this test.
pub fn as_somebody(program: &str) -> Command {
    let mut command = support::ordinary(program);
    if support::root() {
        command.uid(SOMEBODY).gid(SOMEBODY);
    }
    command
}

fn uid() -> u32 {
    match support::root() {
        true => SOMEBODY,
        false => support::uid(),
    }
}

/// What stays the same; each part by its name.
#[derive(PartialEq)]
struct Facts(BTreeMap<String, String>);

/// The host before.
pub struct Host {
    facts: Facts,
    /// The kernel's log from here on, where this user may read it.
    log: Option<fs::File>,
}

impl Host {
    pub fn look() -> Host {
        let mut options = fs::OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let mut log = options.open("/dev/kmsg").ok();
        if let Some(log) = &mut log {
            // After the last record (Documentation/ABI/testing/dev-kmsg).
            log.seek(SeekFrom::End(0)).unwrap();
        } else {
            println!("the kernel's log is not readable; its taint is compared all the same");
        }
        Host {
            facts: Facts::gather(),
            log,
        }
    }

    /// Fails and says what is not as it was.
    pub fn expect_unharmed(self) {
        let start = Instant::now();
        loop {
            let now = Facts::gather();
            if now == self.facts {
                break;
            }
            let changed = self.facts.changes(&now);
            assert!(start.elapsed() < SOON, "the host has changed:\n{changed}");
            std::thread::sleep(Duration::from_millis(200));
        }
        let bad = [
            "BUG: ",
            "kernel BUG",
            "Oops",
            "Kernel panic",
            "WARNING: CPU",
            "Out of memory: Killed",
        ];
        let lines = self.log.map_or(String::new(), read_log);
        let found: Vec<&str> = lines
            .lines()
            .filter(|line| bad.iter().any(|word| line.contains(word)))
            .collect();
        assert_eq!(found, [""; 0]);
    }
}

impl Facts {
    fn gather() -> Facts {
        let mut all = BTreeMap::new();
        for path in [
            "/proc/self/mountinfo",
            "/proc/swaps",
            "/proc/modules",
            "/proc/net/route",
            "/proc/net/ipv6_route",
            "/proc/net/if_inet6",
            "/proc/sys/kernel/tainted",
            "/etc/hostname",
            "/etc/passwd",
            "/etc/resolv.conf",
        ] {
            let text = fs::read_to_string(path).unwrap_or_default();
            let text = match path {
                // Reference counts, and times of use.
                "/proc/modules" => first_words(&text),
                "/proc/net/ipv6_route" => stable_routes(&text),
                _ => text,
            };
            all.insert(path.into(), text);
        }
        let host = nix::sys::utsname::uname().unwrap();
        all.insert(
            "host name".into(),
            format!("{:?} {:?}", host.nodename(), host.domainname()),
        );
        let devices = fs::read_to_string("/proc/net/dev").unwrap();
        all.insert("network devices".into(), first_words(&devices));
        all.insert("processes".into(), processes().join("\n"));
        all.insert("keys".into(), keys());
        for kind in ["shm", "sem", "msg"] {
            all.insert(format!("System V {kind}"), system_v(kind));
        }
        for directory in [
            "/tmp",
            "/var/tmp",
            "/dev/shm",
            "/dev/mqueue",
            "/run",
            "/run/lock",
        ] {
            all.insert(format!("files in {directory}"), files(directory.as_ref()));
        }
        all.insert("devices".into(), names("/dev".as_ref()).join(" "));
        settings("/proc/sys".as_ref(), &mut all);
        let count = all
            .keys()
            .filter(|name| name.starts_with("/proc/sys/"))
            .count();
        assert!(count > 300, "{count} settings");
        Facts(all)
    }

    fn changes(&self, now: &Facts) -> String {
        let names = self.0.keys().chain(now.0.keys());
        let changed = names.filter(|name| self.0.get(*name) != now.0.get(*name));
        changed
            .map(|name| {
                format!(
                    "{name}: {:?}, now {:?}\n",
                    self.0.get(name),
                    now.0.get(name)
                )
            })
            .collect()
    }
}

fn first_words(text: &str) -> String {
    let mut words: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    words.sort_unstable();
    words.join(" ")
}

/// Destinations, without counts.
fn stable_routes(text: &str) -> String {
    let mut routes: Vec<String> = text
        .lines()
        .map(|line| {
            line.split_whitespace()
                .take(5)
                .chain(line.split_whitespace().last())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    routes.sort_unstable();
    routes.join("\n")
}

/// Those of stress-ng, by the program or its name, and of this test's user.
fn processes() -> Vec<String> {
    let mut found = Vec::new();
    for pid in names("/proc".as_ref()) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let named = status.starts_with("Name:\tstress-ng");
        let uid = format!("Uid:\t{SOMEBODY}\t");
        if pid.bytes().all(|byte| byte.is_ascii_digit()) && (named || status.contains(&uid)) {
            found.push(status.lines().take(3).collect::<Vec<_>>().join(" "));
        }
    }
    found
}

/// The number of keys of this user (proc_key_users(5)): not its quota's, which ends later.
fn keys() -> String {
    let text = fs::read_to_string("/proc/key-users").unwrap_or_default();
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with(&format!("{}:", uid())));
    let counts = line
        .and_then(|line| line.split_whitespace().nth(2))
        .unwrap_or("0/0");
    // Others start tests as the same ordinary user at the same time.
    if support::root() {
        counts.to_owned()
    } else {
        String::new()
    }
}

/// Objects of this user: lines with the key, the id and, in some column, the uid.
fn system_v(kind: &str) -> String {
    let text = fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default();
    let column = text
        .lines()
        .next()
        .and_then(|head| head.split_whitespace().position(|word| word == "cuid"));
    let own = |line: &&str| {
        let word = column.and_then(|column| line.split_whitespace().nth(column));
        word == Some(&uid().to_string())
    };
    text.lines().filter(own).collect::<Vec<_>>().join("\n")
}

/// Those of this user, and those of stress-ng's naming.
fn files(directory: &Path) -> String {
    let mine = |name: &String| {
        let facts = fs::symlink_metadata(directory.join(name));
        name.contains("stress-ng")
            || (support::root() && facts.is_ok_and(|facts| facts.uid() == SOMEBODY))
    };
    names(directory)
        .into_iter()
        .filter(mine)
        .collect::<Vec<_>>()
        .join(" ")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Every readable setting below.
fn settings(directory: &Path, all: &mut BTreeMap<String, String>) {
    let mut todo: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(path) = todo.pop() {
        let name = path.display().to_string();
        if CHANGING.contains(&name.as_str()) {
            continue;
        }
        let Ok(facts) = fs::symlink_metadata(&path) else {
            continue;
        };
        if facts.is_dir() {
            todo.extend(names(&path).iter().map(|inner| path.join(inner)));
        } else if facts.mode() & 0o444 != 0 {
            // Some answer only while a device is there.
            let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            all.insert(name, text.unwrap_or_default());
        }
    }
}

fn read_log(mut log: fs::File) -> String {
    let mut text = String::new();
    let mut record = [0; 8192];
    loop {
        match log.read(&mut record) {
            Ok(0) => return text,
            Ok(bytes) => text.push_str(&String::from_utf8_lossy(&record[..bytes])),
            // Older records were overwritten meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return text,
            Err(error) => panic!("{error}"),
        }
    }
}
