//! ioctl(2) by request number: an allow-list of what ordinary programs ask.
//!
//! It decides nothing about descriptors: which devices can be opened at all is
//! for the mount tree and Landlock.

use super::conditions::{Conditional, REFUSE, Words, allow, in_list};
use super::meaning::{Answer, Condition, Rule, Test};
use crate::policy::Network;

/// Requests of ordinary programs, most frequent first. Numbers are those of
/// `asm-generic/ioctls.h`, `linux/sockios.h` and `linux/fs.h`, the same on
/// x86_64 and aarch64.
#[rustfmt::skip]
const REQUESTS: &[(u64, &str)] = &[
    (0x5401, "TCGETS"), // isatty(3)
    // Terminal modes: line editors, password prompts, full-screen programs.
    (0x5402, "TCSETS"), (0x5403, "TCSETSW"), (0x5404, "TCSETSF"),
    (0x5405, "TCGETA"), (0x5406, "TCSETA"), (0x5407, "TCSETAW"), (0x5408, "TCSETAF"),
    (0x5409, "TCSBRK"), // tcdrain(3)
    (0x802c_542a, "TCGETS2"), // isatty(3) and tcsetattr(3) from glibc 2.42 on
    (0x402c_542b, "TCSETS2"), (0x402c_542c, "TCSETSW2"), (0x402c_542d, "TCSETSF2"),
    (0x5413, "TIOCGWINSZ"),
    (0x5421, "FIONBIO"), (0x5450, "FIONCLEX"), (0x5451, "FIOCLEX"), (0x5452, "FIOASYNC"),
    (0x541b, "FIONREAD"),
    // Job control. The kernel keeps a terminal of another session from becoming ours.
    (0x540e, "TIOCSCTTY"), (0x540f, "TIOCGPGRP"), (0x5410, "TIOCSPGRP"), (0x5411, "TIOCOUTQ"),
    (0x5422, "TIOCNOTTY"), (0x5429, "TIOCGSID"), (0x540b, "TCFLSH"),
    // Pseudo-terminals of the sandbox's own devpts.
    (0x8004_5430, "TIOCGPTN"), (0x4004_5431, "TIOCSPTLCK"), (0x8004_5439, "TIOCGPTLCK"),
    (0x5441, "TIOCGPTPEER"), (0x5420, "TIOCPKT"), (0x8004_5438, "TIOCGPKT"),
    (0x4004_5436, "TIOCSIG"),
    // Sharing extents between files the caller has open: what cp(1) tries first.
    (0x4004_9409, "FICLONE"), (0x4020_940d, "FICLONERANGE"),
];

/// Reading the interfaces of the network namespace, where there are any to read;
/// setting needs CAP_NET_ADMIN.
#[rustfmt::skip]
const INTERFACES: &[(u64, &str)] = &[
    (0x8905, "SIOCATMARK"), (0x8910, "SIOCGIFNAME"), (0x8912, "SIOCGIFCONF"),
    (0x8913, "SIOCGIFFLAGS"), (0x8915, "SIOCGIFADDR"), (0x8917, "SIOCGIFDSTADDR"),
    (0x8919, "SIOCGIFBRDADDR"), (0x891b, "SIOCGIFNETMASK"), (0x8921, "SIOCGIFMTU"),
    (0x8927, "SIOCGIFHWADDR"), (0x8933, "SIOCGIFINDEX"),
];

/// Requests for a terminal of the program's own. Without `--tty` its standard
/// streams may be the caller's terminal, where output stopped by TCXONC or a
/// changed size would stay after the run.
const OWN_TERMINAL: &[(u64, &str)] = &[(0x5414, "TIOCSWINSZ"), (0x540a, "TCXONC")];

/// Request types of which everything else is EPERM: terminals ('T': TIOCSTI and
/// TIOCSETD are here, TIOCLINUX and TIOCCONS too), keyboards and console fonts
/// ('K'), virtual terminals ('V'). They put input into other sessions, load
/// line disciplines, or change the console.
const REFUSED_TYPES: [u8; 3] = [b'T', b'K', b'V'];

/// The conditions of ioctl(2). The kernel reads the request as 32 bits.
///
/// A request in no list is ENOTTY: that is what a driver answers that does not
/// know it, so that programs which probe go on as they would elsewhere.
pub(super) fn ioctl(network: Network, tty: bool) -> Conditional {
    let mut requests = REQUESTS.to_vec();
    if tty {
        requests.extend(OWN_TERMINAL);
    }
    if network != Network::None {
        requests.extend(INTERFACES);
    }
    let mut call = allow(in_list(1, requests.iter().map(|(request, _)| *request)));
    for kind in REFUSED_TYPES {
        let test = Test::Bits {
            mask: 0xff00,
            value: u64::from(kind) << 8,
        };
        call.rules.push(Rule {
            when: vec![Condition::low(1, test)],
            then: REFUSE,
        });
    }
    call.otherwise = Answer::Errno(libc::ENOTTY);
    let words = Words {
        count: Some(requests.len()),
        text: "requests; other terminal and console requests EPERM, the rest ENOTTY",
    };
    Conditional { call, words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn answer(tty: bool, request: u64) -> Answer {
        let conditional = ioctl(Network::Loopback, tty);
        conditional.call.answer(&[0, request, 0, 0, 0, 0])
    }

    #[test]
    #[allow(clippy::unnecessary_cast)] // the type of a request is the C library's
    fn numbers_are_those_of_libc() {
        let known: BTreeMap<&str, u64> = BTreeMap::from([
            ("TCGETS", libc::TCGETS as u64),
            ("TCSETSF", libc::TCSETSF as u64),
            ("TIOCGWINSZ", libc::TIOCGWINSZ as u64),
            ("TIOCSWINSZ", libc::TIOCSWINSZ as u64),
            ("TCXONC", libc::TCXONC as u64),
            ("TCFLSH", libc::TCFLSH as u64),
            ("TCSBRK", libc::TCSBRK as u64),
            ("FIONBIO", libc::FIONBIO as u64),
            ("FIOCLEX", libc::FIOCLEX as u64),
            ("FIONREAD", libc::FIONREAD as u64),
            ("TIOCSCTTY", libc::TIOCSCTTY as u64),
            ("TIOCSPGRP", libc::TIOCSPGRP as u64),
            ("TIOCGPTN", libc::TIOCGPTN as u64 & 0xffff_ffff),
            ("TIOCSPTLCK", libc::TIOCSPTLCK as u64),
            ("FICLONE", libc::FICLONE as u64),
            ("FICLONERANGE", libc::FICLONERANGE as u64),
            ("SIOCGIFHWADDR", libc::SIOCGIFHWADDR as u64),
            ("SIOCGIFINDEX", libc::SIOCGIFINDEX as u64),
        ]);
        let all = [REQUESTS, OWN_TERMINAL, INTERFACES].concat();
        let listed: BTreeMap<_, _> = all.iter().map(|(n, s)| (*s, *n)).collect();
        assert_eq!(listed.len(), all.len());
        for (name, number) in known {
            assert_eq!(listed[name], number, "{name}");
        }
    }

    #[test]
    fn nothing_types_into_a_terminal_or_changes_the_console() {
        let dangerous = [
            0x5412,      // TIOCSTI
            0x541c,      // TIOCLINUX
            0x541d,      // TIOCCONS
            0x5423,      // TIOCSETD
            0x540c,      // TIOCEXCL
            0x5437,      // TIOCVHANGUP
            0x4b47,      // KDSKBENT
            0x4b60,      // GIO_FONT
            0x5606,      // VT_ACTIVATE
            0x4004_54ca, // TUNSETIFF
        ];
        for request in dangerous {
            for high in [0, 1 << 32, 0xffff_ffff << 32] {
                assert_eq!(answer(true, request | high), REFUSE, "{request:#x}");
            }
        }
    }

    #[test]
    fn unknown_requests_look_unknown() {
        // BTRFS_IOC_SUBVOL_CREATE, FS_IOC_ADD_ENCRYPTION_KEY, SIOCSIFFLAGS,
        // NS_GET_USERNS, PIDFD_GET_NET_NAMESPACE, SIOCGSKNS, 0
        for request in [0x5000_940e, 0xc050_6617, 0x8914, 0xb701, 0xff04, 0x894c, 0] {
            assert_eq!(answer(true, request), Answer::Errno(libc::ENOTTY));
        }
    }

    #[test]
    fn interfaces_are_read_where_there_is_a_network() {
        for (request, _) in INTERFACES {
            let offline = ioctl(Network::None, true).call;
            let offline = offline.answer(&[0, *request, 0, 0, 0, 0]);
            assert_eq!(offline, Answer::Errno(libc::ENOTTY));
            assert_eq!(answer(true, *request), Answer::Allow);
        }
    }

    #[test]
    fn the_callers_terminal_keeps_its_size() {
        for (request, _) in OWN_TERMINAL {
            assert_eq!(answer(true, *request), Answer::Allow);
            assert_eq!(answer(false, *request), REFUSE);
        }
        for (request, name) in REQUESTS {
            assert_eq!(answer(false, *request), Answer::Allow, "{name}");
            assert_eq!(answer(false, *request | 1 << 32), Answer::Allow, "{name}");
        }
    }
}
