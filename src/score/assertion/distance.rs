//! Edit distances: the longest common subsequence and Levenshtein's distance, with a bound on the
//! work that an answer can cause.

use super::super::error::Fault;

/// The most cells of a table: about half a second.
const MOST_CELLS: usize = 100_000_000;

/// Checks that two sequences are short enough to be compared cell by cell.
///
/// # Errors
/// When their table would have more cells than allowed.
pub fn check_size(a: usize, b: usize) -> Result<(), Fault> {
    if a.saturating_mul(b) > MOST_CELLS {
        let limit = format!("texts of {a} and {b} units are too long to be compared");
        return Err(Fault::Limit(limit));
    }
    Ok(())
}

/// Both without the items that they share at start and end, and how many those are.
fn trim<'s, T: PartialEq>(a: &'s [T], b: &'s [T]) -> (&'s [T], &'s [T], usize) {
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (tail(a, start), tail(b, start));
    let end = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    (head(a, end), head(b, end), start + end)
}

fn tail<T>(items: &[T], from: usize) -> &[T] {
    items.get(from..).unwrap_or_default()
}

fn head<T>(items: &[T], without: usize) -> &[T] {
    items
        .get(..items.len().saturating_sub(without))
        .unwrap_or_default()
}

/// The fewest insertions, deletions and substitutions that make one of the other.
///
/// # Errors
/// When the sequences are too long.
pub fn levenshtein<T: PartialEq>(a: &[T], b: &[T]) -> Result<usize, Fault> {
    let (a, b, _) = trim(a, b);
    check_size(a.len(), b.len())?;
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, left) in a.iter().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = before;
        }
        for (cell, right) in cells.zip(b) {
            let substituted = diagonal + usize::from(left != right);
            diagonal = *cell;
            before = substituted.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
    }
    Ok(row.last().copied().unwrap_or(0))
}

/// The length of the longest common subsequence.
///
/// # Errors
/// When the sequences are too long.
pub fn common<T: PartialEq>(a: &[T], b: &[T]) -> Result<usize, Fault> {
    let (a, b, shared) = trim(a, b);
    check_size(a.len(), b.len())?;
    let mut row = vec![0usize; b.len() + 1];
    for left in a {
        let mut diagonal = 0;
        let mut before = 0;
        for (cell, right) in row.iter_mut().skip(1).zip(b) {
            let above = *cell;
            before = if left == right {
                diagonal + 1
            } else {
                above.max(before)
            };
            diagonal = above;
            *cell = before;
        }
    }
    Ok(shared + row.last().copied().unwrap_or(0))
}

/// One less the distance as a share of the longer text, by characters: 1 for equal texts.
///
/// # Errors
/// When the texts are too long.
pub fn similarity(a: &str, b: &str) -> Result<f64, Fault> {
    if a == b {
        return Ok(1.0);
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let distance = levenshtein(&a, &b)?;
    Ok(1.0 - super::super::answer::share(distance, a.len().max(b.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_textbook(a in "[abc]{0,12}", b in "[abc]{0,12}") {
            let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(levenshtein(&x, &y).unwrap(), strsim::levenshtein(&a, &b));
            let common = common(&x, &y).unwrap();
            prop_assert!(common <= x.len().min(y.len()));
            prop_assert!(levenshtein(&x, &y).unwrap() >= x.len().max(y.len()) - common);
        }
    }

    #[test]
    fn bounds_the_work() {
        let (a, b) = (vec![0u8; 20_000], vec![1u8; 20_000]);
        assert!(matches!(levenshtein(&a, &b), Err(Fault::Limit(_))));
        assert!(matches!(common(&a, &b), Err(Fault::Limit(_))));
        assert_eq!(levenshtein(&a, &a).unwrap(), 0);
    }
}
