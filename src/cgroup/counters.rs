//! What the kernel counted for a leaf: parsers of the "key value" files of cgroup v2.
//! It judges nothing, and a file that says something unexpected gives no number.

/// `cpu.stat`: the time of every process that was ever in the group, exact, with or
/// without the cpu controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cpu {
    /// All of it, microseconds.
    pub usage_us: u64,
    /// In user mode, microseconds.
    pub user_us: u64,
    /// In the kernel, microseconds.
    pub system_us: u64,
    /// Periods of `cpu.max` in which the group was held back; `None` without the
    /// controller.
    pub throttled_periods: Option<u64>,
    /// How long it was held back, microseconds; `None` without the controller.
    pub throttled_us: Option<u64>,
}

impl Cpu {
    /// The text of `cpu.stat`. For whoever reads [`Leaf::cpu_stat_fd`](super::Leaf::cpu_stat_fd).
    pub fn parse(text: &[u8]) -> Option<Cpu> {
        Some(Cpu {
            usage_us: value(text, "usage_usec")?,
            user_us: value(text, "user_usec")?,
            system_us: value(text, "system_usec")?,
            throttled_periods: value(text, "nr_throttled"),
            throttled_us: value(text, "throttled_usec"),
        })
    }
}

/// `memory.events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryEvents {
    /// The limit was reached, and memory reclaimed.
    pub max: u64,
    /// The limit was reached, and nothing could be reclaimed.
    pub oom: u64,
    /// Processes that the kernel killed for it.
    pub oom_kill: u64,
    /// Times that it killed the whole group (Linux 5.17).
    pub oom_group_kill: Option<u64>,
}

impl MemoryEvents {
    /// The text of `memory.events`.
    pub(super) fn parse(text: &[u8]) -> Option<MemoryEvents> {
        Some(MemoryEvents {
            max: value(text, "max")?,
            oom: value(text, "oom")?,
            oom_kill: value(text, "oom_kill")?,
            oom_group_kill: value(text, "oom_group_kill"),
        })
    }
}

/// The number in the line of this key.
pub(super) fn value(text: &[u8], key: &str) -> Option<u64> {
    let line = |line: &[u8]| {
        let rest = line.strip_prefix(key.as_bytes())?.strip_prefix(b" ")?;
        number(rest)
    };
    text.split(|byte| *byte == b'\n').find_map(line)
}

/// A number by itself, with or without the end of its line. No sign.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Linux 6.12 writes it with the controller, and without it.
    const WITH: &[u8] = b"usage_usec 1501\nuser_usec 1000\nsystem_usec 501\nnice_usec 0\n\
        nr_periods 7\nnr_throttled 3\nthrottled_usec 99\nnr_bursts 0\nburst_usec 0\n";
    const WITHOUT: &[u8] = b"usage_usec 12\nuser_usec 12\nsystem_usec 0\n";

    #[test]
    fn cpu_time_is_read_with_and_without_the_controller() {
        let with = Cpu::parse(WITH).unwrap();
        assert_eq!(
            (with.usage_us, with.user_us, with.system_us),
            (1501, 1000, 501)
        );
        assert_eq!(
            (with.throttled_periods, with.throttled_us),
            (Some(3), Some(99))
        );
        let without = Cpu::parse(WITHOUT).unwrap();
        assert_eq!(without.usage_us, 12);
        assert_eq!(without.throttled_us, None);
    }

    #[test]
    fn a_key_is_a_whole_word() {
        let text = b"low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n";
        let events = MemoryEvents::parse(text).unwrap();
        assert_eq!((events.max, events.oom, events.oom_kill), (2, 3, 4));
        assert_eq!(events.oom_group_kill, Some(5));
        // Linux 5.13 has no line for the group.
        let events = MemoryEvents::parse(&text[..text.len() - 17]).unwrap();
        assert_eq!(events.oom_group_kill, None);
        assert_eq!(value(b"oom_kill 4\n", "oom"), None);
    }

    #[test]
    fn what_is_no_number_gives_none() {
        for text in [
            "",
            "max\n",
            "-1\n",
            "+1\n",
            " 1\n",
            "1 2\n",
            "18446744073709551616\n",
        ] {
            assert_eq!(number(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(number(b"18446744073709551615\n"), Some(u64::MAX));
        assert_eq!(Cpu::parse(b"usage_usec 1\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(text: Vec<u8>) {
            let _ = Cpu::parse(&text);
            let _ = MemoryEvents::parse(&text);
        }

        #[test]
        fn what_is_written_is_read(usage: u64, user: u64, system: u64) {
            let text = format!("user_usec {user}\nusage_usec {usage}\nx\nsystem_usec {system}");
            let cpu = Cpu::parse(text.as_bytes()).unwrap();
            prop_assert_eq!((cpu.usage_us, cpu.user_us, cpu.system_us), (usage, user, system));
        }
    }
}
