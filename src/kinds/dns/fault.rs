//! How the DNS kind says that a value cannot be held: without a place, which the format that read it adds.

use crate::core::model::{Refusal, RefusalKind};

/// What is wrong and what to do next.
pub(super) fn fault(what: impl Into<String>, advice: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Value, what).advice(advice)
}
