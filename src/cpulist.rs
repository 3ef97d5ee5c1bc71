//! Lists of processors in the kernel's form, `0-3,5` ("List format", cpuset(7)), which
//! the policy has too. It asks nobody which processors there are.

use std::collections::BTreeSet;

/// More than any kernel has; a list is bounded by it.
const MOST: u32 = 65_535;

/// The numbers of a list; an empty text is an empty list, `None` what is none.
pub(crate) fn parse(text: &str) -> Option<BTreeSet<u32>> {
    let mut all = BTreeSet::new();
    if text.is_empty() {
        return Some(all);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
}

/// `u32::from_str` takes a sign.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| *number <= MOST);
    number.filter(|_| digits)
}

/// The list of these numbers, which ascend.
pub(crate) fn words(cpus: impl IntoIterator<Item = u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(cpu) => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let words = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    words.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_list_of_processors_is_read() {
        assert_eq!(parse("0-2,5"), Some(BTreeSet::from([0, 1, 2, 5])));
        assert_eq!(parse(""), Some(BTreeSet::new()));
        for text in [
            "a",
            "1-",
            "2-1",
            "0-4294967295",
            "-1",
            "1--2",
            "+1",
            "0,,1",
            " 1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_an_end(text: String) {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_written_is_read_again(cpus in proptest::collection::btree_set(0..200u32, 0..20)) {
            prop_assert_eq!(parse(&words(cpus.iter().copied())), Some(cpus));
        }
    }
}
