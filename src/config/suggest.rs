//! Did you mean: the name that a mistyped one stands close to.
//!
//! Knows nothing of settings; candidates are handed in.

/// The candidate that `name` probably means, if one is close enough: at most two edits away, and at most one for every
/// three letters, since in a short name two edits make another word (`path`, `paste`).
pub(super) fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).min(2);
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out or changed to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for column in 0..b.len() {
            let changed = diagonal + usize::from(letter != b[column]);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_letters() {
        for (a, b, want) in
            [("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("timout", "timeout", 1), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), want, "{a} {b}");
        }
    }

    #[test]
    fn short_names_must_be_closer_than_long_ones() {
        let names = ["bind", "paste", "graceful_timeout", "timeout"];
        let near = |name| closest(name, names.into_iter());
        assert_eq!(near("graceful_timout"), Some("graceful_timeout"));
        assert_eq!(near("tiemout"), Some("timeout"));
        assert_eq!(near("binds"), Some("bind"));
        assert_eq!(near("path"), None);
        assert_eq!(near("b"), None);
        assert_eq!(near("BIND"), None);
    }
}
