//! Reads sizes (`64MiB`) and durations (`10s`) into bytes and [`Duration`]s, and
//! writes them back.
//!
//! It never rounds, saturates or guesses a unit: what is not exact is an error.

use super::error::quote;
use std::time::Duration;

/// Unit of a size and its bytes.
const SIZES: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Unit of a duration and its milliseconds.
const DURATIONS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// The largest size, in bytes: 2^63 - 1. Everything above would come close to
/// `RLIM_INFINITY` (2^64 - 1, setrlimit(2)), and a limit must never turn into
/// none.
const MOST_BYTES: u64 = i64::MAX as u64;

/// The longest duration, in milliseconds: what fits into 2^63 - 1 nanoseconds,
/// the unit of the report (about 292 years).
const MOST_MILLIS: u64 = i64::MAX as u64 / 1_000_000;

/// Bytes of a size: a whole number and one of `B kB MB GB TB KiB MiB GiB TiB`;
/// without a unit it is bytes.
///
/// # Errors
/// A sentence, when there is no number, it is negative or no whole number, the
/// unit is not known, or the size is above 2^63 - 1 bytes. Zero is a size.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text, "size", "64MiB")?;
    let Some((_, factor)) = SIZES.iter().find(|(name, _)| *name == unit) else {
        // `64M` and `64mb` are what people type first.
        let meant = match unit.chars().next().map(|c| c.to_ascii_lowercase()) {
            Some('k') => "KiB",
            Some('m') => "MiB",
            Some('g') => "GiB",
            Some('t') => "TiB",
            _ => {
                return Err(format!(
                    "{} has no unit of size; write B, kB, MB, GB, TB, KiB, MiB, GiB or TiB",
                    quote(text)
                ));
            }
        };
        let digits = &text[..text.len() - unit.len()];
        return Err(format!(
            "{} has no unit of size; did you mean `{}{meant}`?",
            quote(text),
            digits.trim_end()
        ));
    };
    number
        .and_then(|number| number.checked_mul(*factor))
        .filter(|bytes| *bytes <= MOST_BYTES)
        .ok_or_else(|| format!("{} is more than 2^63 - 1 bytes", quote(text)))
}

/// A duration: a whole number and one of `ms s m h`.
///
/// # Errors
/// A sentence, when there is no number, it is negative or no whole number, the
/// unit is missing or not known, or it is above 2^63 - 1 nanoseconds. Zero is a
/// duration.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text, "duration", "10s")?;
    let Some((_, factor)) = DURATIONS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!(
            "{} has no unit of time; write ms, s, m or h, such as `10s`",
            quote(text)
        ));
    };
    number
        .and_then(|number| number.checked_mul(*factor))
        .filter(|millis| *millis <= MOST_MILLIS)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{} is more than 2^63 - 1 nanoseconds", quote(text)))
}

/// Nanoseconds of a duration; the most there are for what is longer.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A count: a whole number, nothing else.
///
/// # Errors
/// A sentence, as above.
pub(super) fn parse_count(text: &str) -> Result<u64, String> {
    match split(text, "number", "64")? {
        (Some(number), "") if number <= MOST_BYTES => Ok(number),
        (_, "") => Err(format!("{} is more than 2^63 - 1", quote(text))),
        _ => Err(format!("{} is not a whole number", quote(text))),
    }
}

/// A size as [`parse_bytes`] reads it, in the largest unit that it is a whole number of.
pub(super) fn size(bytes: u64) -> String {
    let binary = SIZES.iter().rev().filter(|(name, _)| name.ends_with("iB"));
    in_units(bytes, binary).unwrap_or_else(|| format!("{bytes}B"))
}

/// A duration as [`parse_duration`] reads it, likewise. What is below a
/// millisecond has no words and is left out.
pub(super) fn time(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    in_units(millis, DURATIONS.iter().rev()).unwrap_or_else(|| format!("{millis}ms"))
}

fn in_units<'u>(number: u64, units: impl Iterator<Item = &'u (&'u str, u64)>) -> Option<String> {
    let mut fitting = units.filter(|(_, factor)| number > 0 && number.is_multiple_of(*factor));
    let (name, factor) = fitting.next()?;
    Some(format!("{}{name}", number / factor))
}

/// The number (`None` when it does not fit) and what follows it.
fn split<'a>(text: &'a str, what: &str, example: &str) -> Result<(Option<u64>, &'a str), String> {
    if text.is_empty() {
        return Err(format!(
            "the {what} is empty; write something like `{example}`"
        ));
    }
    if text.starts_with('-') {
        return Err(format!("{} is negative", quote(text)));
    }
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    if digits.is_empty() {
        return Err(format!(
            "{} is not a {what}; write something like `{example}`",
            quote(text)
        ));
    }
    if unit.starts_with(['.', ',']) {
        return Err(format!(
            "{} is not a whole number; write it in a smaller unit",
            quote(text)
        ));
    }
    Ok((digits.parse().ok(), unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_bytes("0"), Ok(0));
        assert_eq!(parse_bytes("4096"), Ok(4096));
        assert_eq!(parse_bytes("4096B"), Ok(4096));
        assert_eq!(parse_bytes("3kB"), Ok(3000));
        assert_eq!(parse_bytes("256MiB"), Ok(268_435_456));
        assert_eq!(parse_bytes("9223372036854775807"), Ok(i64::MAX as u64));
    }

    #[test]
    fn wrong_sizes() {
        let says = |text: &str| parse_bytes(text).unwrap_err();
        assert_eq!(says(""), "the size is empty; write something like `64MiB`");
        assert_eq!(says("-1"), "`-1` is negative");
        assert_eq!(
            says("MiB"),
            "`MiB` is not a size; write something like `64MiB`"
        );
        assert_eq!(
            says("64M"),
            "`64M` has no unit of size; did you mean `64MiB`?"
        );
        assert_eq!(
            says("1.5GiB"),
            "`1.5GiB` is not a whole number; write it in a smaller unit"
        );
        assert_eq!(
            says("64 "),
            "`64 ` has no unit of size; write B, kB, MB, GB, TB, KiB, MiB, GiB or TiB"
        );
        // RLIM_INFINITY must not be reachable by writing it down.
        for much in [
            "18446744073709551615",
            "18446744073709551616",
            "9223372036854775808",
            "8388608TiB",
        ] {
            assert_eq!(says(much), format!("`{much}` is more than 2^63 - 1 bytes"));
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
    }

    #[test]
    fn wrong_durations() {
        let says = |text: &str| parse_duration(text).unwrap_err();
        assert_eq!(
            says(""),
            "the duration is empty; write something like `10s`"
        );
        assert_eq!(
            says("10"),
            "`10` has no unit of time; write ms, s, m or h, such as `10s`"
        );
        assert_eq!(says("-10s"), "`-10s` is negative");
        assert_eq!(
            says("0.5s"),
            "`0.5s` is not a whole number; write it in a smaller unit"
        );
        assert_eq!(
            says("9999999999999999999999h"),
            "`9999999999999999999999h` is more than 2^63 - 1 nanoseconds"
        );
    }

    #[test]
    fn counts() {
        assert_eq!(parse_count("64"), Ok(64));
        assert_eq!(
            parse_count("64k").unwrap_err(),
            "`64k` is not a whole number"
        );
        assert_eq!(
            parse_count("99999999999999999999").unwrap_err(),
            "`99999999999999999999` is more than 2^63 - 1"
        );
    }

    #[test]
    fn written_in_the_largest_whole_unit() {
        assert_eq!(
            [0, 1023, 1024, 64 << 20, 3 << 40].map(size),
            ["0B", "1023B", "1KiB", "64MiB", "3TiB"]
        );
        let times = [0, 1, 1500, 10_000, 90_000, 600_000, 7_200_000];
        assert_eq!(
            times.map(|millis| time(Duration::from_millis(millis))),
            ["0ms", "1ms", "1500ms", "10s", "90s", "10m", "2h"]
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(number in 0..=MOST_BYTES, shift in 0..60u32) {
            let number = number >> shift << (shift / 2);
            prop_assert_eq!(parse_bytes(&size(number)), Ok(number));
            let duration = Duration::from_millis(number % (MOST_MILLIS + 1));
            prop_assert_eq!(parse_duration(&time(duration)), Ok(duration));
        }

        #[test]
        fn any_text_has_an_answer(text in any::<String>()) {
            let _ = parse_bytes(&text);
            let _ = parse_duration(&text);
            let _ = parse_count(&text);
        }

        #[test]
        fn a_size_is_its_number_times_its_unit(number in 0u64..=u64::MAX, unit in 0usize..SIZES.len()) {
            let (name, factor) = SIZES[unit];
            let exact = u128::from(number) * u128::from(factor);
            let read = parse_bytes(&format!("{number}{name}"));
            if exact <= u128::from(MOST_BYTES) {
                prop_assert_eq!(read.map(u128::from), Ok(exact));
            } else {
                prop_assert!(read.is_err());
            }
        }

        #[test]
        fn a_duration_is_its_number_times_its_unit(number in 0u64..=u64::MAX, unit in 0usize..DURATIONS.len()) {
            let (name, factor) = DURATIONS[unit];
            let exact = u128::from(number) * u128::from(factor);
            let read = parse_duration(&format!("{number}{name}"));
            if exact <= u128::from(MOST_MILLIS) {
                prop_assert_eq!(read.map(|d| d.as_millis()), Ok(exact));
            } else {
                prop_assert!(read.is_err());
            }
        }
    }
}
