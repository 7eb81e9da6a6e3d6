//! Which of several backends and their registrations come first.

/// That something comes after something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// What comes first.
    pub on: usize,
    /// Whether nothing is right without it; else it is merely better.
    pub is_essential: bool,
}

/// Puts what needs one another into rounds; gives back the round of each, and the needs that cannot
/// be met, by whose they are.
///
/// Where all wait for one another, what is merely better is given up first, then what the first of
/// them needs.
pub(super) fn rounds(needs: &[Vec<Need>]) -> (Vec<usize>, Vec<(usize, usize)>) {
    let mut left: Vec<Vec<Need>> = needs.to_vec();
    let mut rounds: Vec<Option<usize>> = vec![None; needs.len()];
    let mut broken = Vec::new();
    let mut round = 0;
    while rounds.iter().any(Option::is_none) {
        let waits = |need: &Need| rounds[need.on].is_none();
        let free: Vec<usize> = (0..needs.len())
            .filter(|&node| rounds[node].is_none() && !left[node].iter().any(waits))
            .collect();
        if free.is_empty() {
            broken.extend(give_up(&mut left, &rounds));
            continue;
        }
        for node in free {
            rounds[node] = Some(round);
        }
        round += 1;
    }
    (rounds.into_iter().flatten().collect(), broken)
}

fn give_up(left: &mut [Vec<Need>], rounds: &[Option<usize>]) -> Vec<(usize, usize)> {
    let waiting: Vec<usize> = (0..left.len()).filter(|&node| rounds[node].is_none()).collect();
    let mut broken = Vec::new();
    for &node in &waiting {
        let given = left[node].extract_if(.., |it| !it.is_essential && rounds[it.on].is_none());
        broken.extend(given.map(|need| (node, need.on)));
    }
    if let (true, Some(&first)) = (broken.is_empty(), waiting.first()) {
        let given = left[first].extract_if(.., |it| rounds[it.on].is_none());
        broken.extend(given.map(|need| (first, need.on)));
    }
    broken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn on(on: usize) -> Need {
        Need { on, is_essential: true }
    }

    fn better(on: usize) -> Need {
        Need { on, is_essential: false }
    }

    #[test]
    fn what_is_needed_comes_a_round_before_what_needs_it() {
        assert_eq!(rounds(&[vec![on(2)], vec![], vec![on(1)]]), (vec![2, 0, 1], vec![]));
        assert_eq!(rounds(&[]), (vec![], vec![]));
    }

    #[test]
    fn of_two_that_need_one_another_what_is_merely_better_gives_way() {
        assert_eq!(rounds(&[vec![on(1)], vec![better(0)]]), (vec![1, 0], vec![(1, 0)]));
        assert_eq!(rounds(&[vec![on(1)], vec![on(0)]]), (vec![0, 1], vec![(0, 1)]));
    }

    proptest! {
        #[test]
        fn everything_has_a_round_and_every_need_is_met_or_told(
            edges in prop::collection::vec((0_usize..6, 0_usize..6, any::<bool>()), 0..20)
        ) {
            let mut needs = vec![Vec::new(); 6];
            for (node, on, is_essential) in edges.into_iter().filter(|(node, on, _)| node != on) {
                needs[node].push(Need { on, is_essential });
            }
            let (rounds, broken) = rounds(&needs);
            prop_assert_eq!(rounds.len(), 6);
            for (node, needs) in needs.iter().enumerate() {
                for need in needs {
                    let is_met = rounds[need.on] < rounds[node];
                    prop_assert!(is_met || broken.contains(&(node, need.on)));
                }
            }
        }
    }
}
