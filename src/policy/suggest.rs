//! Decides which known word a misspelt one was meant to be.
//!
//! It only suggests: nothing is ever accepted because it is near to something.

/// Longer words are not compared: no known word is as long, and the cost of a
/// comparison grows with the product of both lengths.
const LONGEST: usize = 64;

/// The known word nearest to `word`, when it is near enough to be a slip of the
/// fingers (one edit in three characters, and always one), or the one known word
/// that it is the beginning of.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.chars().take(LONGEST + 1).count() > LONGEST {
        return None;
    }
    let word: Vec<char> = word.chars().map(fold).collect();
    let allowed = (word.len() / 3).max(1);
    let slip = known
        .iter()
        .map(|&candidate| {
            let letters: Vec<char> = candidate.chars().map(fold).collect();
            (distance(&word, &letters), letters.len(), candidate)
        })
        // A distance as long as the candidate shares no letter with it.
        .filter(|(distance, length, _)| *distance <= allowed && distance < length)
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, candidate)| candidate);
    slip.or_else(|| {
        let begins = |candidate: &&str| {
            let mut letters = candidate.chars().map(fold);
            word.len() >= 3 && word.iter().all(|letter| letters.next() == Some(*letter))
        };
        let mut candidates = known.iter().copied().filter(begins);
        candidates.next().filter(|_| candidates.next().is_none())
    })
}

/// `cpu_time`, `Cpu-Time` and `cpu-time` are the same slip.
fn fold(letter: char) -> char {
    match letter {
        '_' => '-',
        other => other.to_ascii_lowercase(),
    }
}

/// Edits between two words, where a swap of neighbours counts as one (optimal
/// string alignment).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (i, &left) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &right) in to.iter().enumerate() {
            let mut cost = (above[j] + usize::from(left != right))
                .min(above[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && left == to[j - 1] && from[i - 1] == right {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(from: &str, to: &str) -> usize {
        let from: Vec<char> = from.chars().collect();
        let to: Vec<char> = to.chars().collect();
        distance(&from, &to)
    }

    #[test]
    fn distances() {
        assert_eq!(edits("", ""), 0);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("memmory", "memory"), 1);
        assert_eq!(edits("meomry", "memory"), 1);
        assert_eq!(edits("kitten", "sitting"), 3);
    }

    #[test]
    fn near_is_suggested_and_far_is_not() {
        let known = ["memory", "processes", "cpu-time", "wall-time"];
        assert_eq!(nearest("memmory", &known), Some("memory"));
        assert_eq!(nearest("CPU_TIME", &known), Some("cpu-time"));
        assert_eq!(nearest("walltime", &known), Some("wall-time"));
        assert_eq!(nearest("proc", &known), Some("processes"));
        assert_eq!(nearest("", &["a"]), None);
        assert_eq!(nearest("tim", &["time-a", "time-b"]), None);
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("", &known), None);
        assert_eq!(nearest("x", &["y"]), None);
        assert_eq!(nearest(&"m".repeat(1 << 20), &known), None);
    }
}
