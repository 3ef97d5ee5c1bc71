//! What is asked, what is answered, and what an answer means.
//!
//! Questions go in as lines of JSON and answers come out as such; what comes out
//! is foreign, and only compared. Judging is pure.

use crate::escape::{plain, tick};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;

/// What the program inside is asked to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ask {
    /// Nothing: it says that the program is there, or stands for what is not tried.
    Nothing,
    /// A system call with these arguments.
    Call(u32, [u64; 6]),
    /// A system call by the convention of another architecture.
    ForeignCall,
    /// Which object is at the path, links not followed?
    Look(OsString),
    /// Open the file or directory for reading.
    Read(OsString),
    /// Open the file for writing, or make a nameless file in the directory.
    Write(OsString),
    /// May it be written to, as far as modes say? For sockets: connected to.
    MayWrite(OsString),
    /// The flags of the mount at the path.
    MountFlags(OsString),
    /// Where mounts are.
    MountPoints,
    /// A TCP connection to this port of the loopback address.
    Tcp(u16),
    /// A connection to an abstract socket.
    Abstract(String),
    /// Attach a System V shared memory segment.
    Segment(i32),
    /// Is there a process with this number that takes signals?
    Signal(i32),
    /// Which processes does /proc show?
    Processes,
    /// Which descriptors are open?
    Descriptors,
    /// The names of all variables.
    Environment,
    /// A resource limit, soft and hard.
    Limit(u32),
    /// Real, effective and saved user and group ids.
    Ids,
    /// Which capabilities are held, in any of the five sets.
    Capabilities,
    /// Secure bits, no_new_privs, seccomp mode: prctl(2).
    Attributes,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It was done.
    Done,
    /// It failed with this errno.
    Errno(i32),
    /// An object: device, inode, mode.
    Object(u64, u64, u32),
    /// Numbers, as the question has them.
    Numbers(Vec<u64>),
    /// Texts, as the question has them.
    Texts(Vec<String>),
    /// It cannot be asked in this world.
    NotHere,
    /// The program was killed by this signal while it tried. Never sent.
    Killed(i32),
}

/// Which answers are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expect {
    /// The policy's filter gives this errno, and nothing else.
    Errno(i32),
    /// The policy's filter kills.
    Death,
    /// Refused before the kernel did anything, in whatever policy.
    Never,
    /// Any failure.
    Failure,
    /// Not the host's object with this device and inode.
    NotThis(u64, u64),
    /// All of these bits.
    Bits(u64),
    /// Neither number greater than these.
    AtMost(Vec<u64>),
    /// These texts and no others.
    Exactly(Vec<String>),
    /// No texts but these.
    Among(Vec<String>),
    /// What the policy opened on purpose, under these words, where it exists.
    Granted(String),
}

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The program inside does not get it.
    Closed,
    /// It gets it, because the policy says so.
    Granted,
    /// It could not be tried here.
    Unknown,
    /// It gets it, and nothing grants it.
    Open,
}

impl State {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Granted => "granted",
            State::Unknown => "unknown",
            State::Open => "open",
        }
    }
}

/// A question with its right answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// Which of the subjects it belongs to.
    pub(super) subject: &'static str,
    /// What is tried, in words; escaped.
    pub(super) what: String,
    /// How.
    pub(super) ask: Ask,
    /// What should come of it.
    pub(super) expect: Expect,
}

impl Expect {
    /// What an answer means.
    pub(super) fn judge(&self, answer: &Answer) -> State {
        let closed = match (self, answer) {
            // Optional, and not on this machine.
            (Expect::Granted(_), Answer::Errno(libc::ENOENT)) => true,
            (Expect::Granted(_), _) => return State::Granted,
            (_, Answer::NotHere) => return State::Unknown,
            (Expect::Errno(expected), Answer::Errno(errno)) => expected == errno,
            (Expect::Death, Answer::Killed(signal)) => *signal == libc::SIGSYS,
            (Expect::Never, Answer::Errno(errno)) => REFUSALS.contains(errno),
            (Expect::Never, Answer::Killed(signal)) => *signal == libc::SIGSYS,
            (Expect::Failure | Expect::NotThis(..), Answer::Errno(_) | Answer::Killed(_)) => true,
            (Expect::NotThis(dev, ino), Answer::Object(found, number, _)) => {
                (dev, ino) != (found, number)
            }
            (Expect::Bits(bits), Answer::Numbers(numbers)) => {
                numbers.first().is_some_and(|found| found & bits == *bits)
            }
            // No mount, no flags to have.
            (Expect::Bits(_), Answer::Errno(errno)) => *errno == libc::ENOENT,
            (Expect::AtMost(most), Answer::Numbers(numbers)) => {
                numbers.len() == most.len() && numbers.iter().zip(most).all(|(n, most)| n <= most)
            }
            (Expect::Exactly(expected), Answer::Texts(texts)) => texts == expected,
            (Expect::Among(known), Answer::Texts(texts)) => {
                texts.iter().all(|text| known.contains(text))
            }
            _ => false,
        };
        match closed {
            true => State::Closed,
            false => State::Open,
        }
    }

    /// What was expected and what came, in words, where they differ.
    pub(super) fn difference(&self, answer: &Answer) -> String {
        let came = answer.words();
        match self {
            Expect::Errno(errno) => format!("{came}, not {}", errno_name(*errno)),
            Expect::Death => format!("{came}, not SIGSYS"),
            Expect::Never => format!("{came}: the call reached the kernel"),
            Expect::NotThis(..) => String::from("it is the host's own"),
            Expect::Bits(bits) => match answer {
                Answer::Numbers(numbers) => {
                    let found = numbers.first().copied().unwrap_or_default();
                    format!("the mount lacks {}", flag_names(bits & !found))
                }
                _ => came,
            },
            Expect::Exactly(expected) | Expect::Among(expected) => match answer {
                Answer::Texts(texts) => {
                    let more = texts.iter().filter(|text| !expected.contains(text));
                    let more: Vec<String> = more.map(tick).collect();
                    let exactly = matches!(self, Expect::Exactly(_));
                    let lost = expected.iter().filter(|text| !texts.contains(text));
                    let lost: Vec<String> = lost.filter(|_| exactly).map(tick).collect();
                    match (more.is_empty(), lost.is_empty()) {
                        (false, true) => format!("unexpected: {}", more.join(", ")),
                        (true, _) => format!("missing: {}", lost.join(", ")),
                        _ => format!("{} instead of {}", more.join(", "), lost.join(", ")),
                    }
                }
                _ => came,
            },
            Expect::AtMost(most) => format!("{came}, not at most {most:?}"),
            Expect::Granted(words) => format!("{words}: {came}"),
            Expect::Failure => came,
        }
    }
}

/// What a filter says no with, here and in every shipped policy. Any other errno
/// is the kernel's, which then has looked at the arguments.
const REFUSALS: [i32; 3] = [libc::EPERM, libc::ENOSYS, libc::ENOTTY];

impl Answer {
    /// For a person, and as `answer` in the JSON.
    pub(super) fn words(&self) -> String {
        match self {
            Answer::Done => String::from("it was done"),
            Answer::Errno(errno) => errno_name(*errno),
            Answer::Object(_, _, mode) => match mode & libc::S_IFMT {
                libc::S_IFDIR => String::from("a directory"),
                libc::S_IFLNK => String::from("a symbolic link"),
                libc::S_IFSOCK => String::from("a socket"),
                libc::S_IFREG => String::from("a file"),
                _ => String::from("a device or pipe"),
            },
            Answer::Numbers(numbers) => format!("{numbers:?}"),
            Answer::Texts(texts) => texts.iter().map(plain).collect::<Vec<_>>().join(", "),
            Answer::NotHere => String::from("cannot be tried here"),
            Answer::Killed(signal) => match Signal::try_from(*signal) {
                Ok(signal) => signal.to_string(),
                Err(_) => format!("signal {signal}"),
            },
        }
    }
}

fn errno_name(errno: i32) -> String {
    match Errno::from_raw(errno) {
        Errno::UnknownErrno => format!("errno {errno}"),
        known => format!("{known:?}"),
    }
}

/// `ST_…` of statvfs(3).
fn flag_names(bits: u64) -> String {
    let names = [(1, "read-only"), (2, "nosuid"), (4, "nodev"), (8, "noexec")];
    let names = names.iter().filter(|(bit, _)| bits & bit != 0);
    names.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| String::from(*text)).collect()
    }

    /// What is refused is closed, what succeeds is open, for every kind of question.
    #[test]
    fn judging() {
        use Answer::{Done, Errno, Killed, NotHere, Numbers, Object, Texts};
        let (eperm, einval) = (Errno(libc::EPERM), Errno(libc::EINVAL));
        for (expect, closed, open) in [
            (
                Expect::Errno(1),
                vec![eperm.clone()],
                vec![einval.clone(), Done, Killed(31)],
            ),
            (
                Expect::Death,
                vec![Killed(31)],
                vec![eperm.clone(), Done, Killed(11)],
            ),
            (
                Expect::Never,
                vec![eperm.clone(), Killed(31)],
                vec![einval.clone(), Done, Killed(9)],
            ),
            (
                Expect::Failure,
                vec![eperm.clone(), einval, Killed(31)],
                vec![Done],
            ),
            (
                Expect::NotThis(8, 2),
                vec![eperm, Object(8, 3, 0), Object(9, 2, 0)],
                vec![Object(8, 2, 0), Done],
            ),
            (
                Expect::Bits(6),
                vec![Numbers(vec![7]), Errno(libc::ENOENT)],
                vec![Numbers(vec![5]), Numbers(vec![]), Errno(libc::EIO)],
            ),
            (
                Expect::AtMost(vec![5, 9]),
                vec![Numbers(vec![5, 9]), Numbers(vec![0, 0])],
                vec![Numbers(vec![6, 9]), Numbers(vec![5, 10]), Numbers(vec![])],
            ),
            (
                Expect::Exactly(texts(&["a", "b"])),
                vec![Texts(texts(&["a", "b"]))],
                vec![Texts(texts(&["a"])), Texts(texts(&["a", "b", "c"])), Done],
            ),
            (
                Expect::Among(texts(&["a", "b"])),
                vec![Texts(texts(&["a"])), Texts(vec![])],
                vec![Texts(texts(&["a", "c"])), Done],
            ),
        ] {
            for answer in closed {
                assert_eq!(
                    expect.judge(&answer),
                    State::Closed,
                    "{expect:?} {answer:?}"
                );
            }
            for answer in open {
                assert_eq!(expect.judge(&answer), State::Open, "{expect:?} {answer:?}");
                assert!(!expect.difference(&answer).is_empty());
            }
            assert_eq!(expect.judge(&NotHere), State::Unknown);
        }
        let granted = Expect::Granted(String::from("exec"));
        assert_eq!(granted.judge(&Done), State::Granted);
        assert_eq!(granted.judge(&Errno(libc::ENOENT)), State::Closed);
    }

    #[test]
    fn differences_name_what_differs() {
        let exactly = Expect::Exactly(texts(&["0", "1"]));
        let differs = |found: &[&str]| exactly.difference(&Answer::Texts(texts(found)));
        assert_eq!(differs(&["0", "1", "7"]), "unexpected: `7`");
        assert_eq!(differs(&["0"]), "missing: `1`");
        assert_eq!(differs(&["0", "\u{1b}"]), "`\\x1b` instead of `1`");
        let bits = Expect::Bits(7);
        assert_eq!(
            bits.difference(&Answer::Numbers(vec![1])),
            "the mount lacks nosuid, nodev"
        );
        let errno = Expect::Errno(libc::EPERM);
        assert_eq!(
            errno.difference(&Answer::Errno(libc::EFAULT)),
            "EFAULT, not EPERM"
        );
    }

    #[test]
    fn questions_and_answers_survive_the_way() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(b"/a\xff\n".to_vec());
        for ask in [Ask::Look(odd), Ask::Call(9, [u64::MAX; 6]), Ask::Ids] {
            let line = serde_json::to_string(&ask).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Ask>(&line).unwrap(), ask);
        }
    }
}
