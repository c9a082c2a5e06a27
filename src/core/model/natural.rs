//! Natural order of names: numbers in them count as numbers, so that `release-10` is after `release-9`.

use std::cmp::Ordering;

/// Compares two names, runs of digits by their value and everything else by its bytes; equal only where the texts are.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(first), Some(second)) = (left.first(), right.first()) {
        let order = if first.is_ascii_digit() && second.is_ascii_digit() {
            let ((x, rest), (y, others)) = (number(left), number(right));
            (left, right) = (rest, others);
            // Without zeros before it the longer number is the greater.
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            first.cmp(second)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The digits at the start without zeros before them, and what follows.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let zeros = text[..end].iter().take_while(|byte| **byte == b'0').count();
    (&text[zeros..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["release/202701", "release/9", "release/202612", "release/10", "release/1.10", "release/1.9", "release/", "release/09"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["release/", "release/1.9", "release/1.10", "release/09", "release/9", "release/10", "release/202612", "release/202701"]);
    }
}
