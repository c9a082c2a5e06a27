//! Small wordings that several parts of planning share.

/// `1 write`, `2 writes`.
pub(super) fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
