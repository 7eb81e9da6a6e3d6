//! What was perhaps meant by a word that nothing answers to.

/// The candidate most like `word`, if any is like enough to be a slip of the keyboard.
///
/// One slip in three letters is allowed. Of several the first is taken.
pub fn closest<'a, S: AsRef<str> + ?Sized + 'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a S>,
) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(AsRef::as_ref)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out or changed to make one word the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, &candidate) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != candidate);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters_put_in_taken_out_and_changed() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("pods", "pods", 0),
            ("pod", "pods", 1),
            ("podds", "pods", 1),
            ("kitten", "sitting", 3),
            ("deplyoments", "deployments", 2),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn only_what_is_like_enough_is_suggested() {
        let kinds = ["pods", "deployments", "deployments.apps", "services"];
        assert_eq!(closest("deplyoments", kinds), Some("deployments"));
        assert_eq!(closest("deployments.app", kinds), Some("deployments.apps"));
        assert_eq!(closest("widgets", kinds), None);
        assert_eq!(closest("x", ["pods"]), None);
    }
}
