//! How long to wait before trying again: exponential with jitter, decided by what is tried and never by chance.

use crate::core::model::{Span, StepId};

/// Tries of one item before it fails: with the waits below about half a minute, long enough for a server's restart.
pub(super) const ACTS: u32 = 6;

/// Reads of one proof before it fails; secondaries and slow servers need more patience than a refused write.
pub(super) const PROOFS: u32 = 10;

const FIRST: u64 = 500;
const MOST: u64 = 15_000;

/// The wait before a step's next try.
pub(super) fn wait(step: StepId, tries: u32) -> Span {
    let span = (FIRST << tries.saturating_sub(1).min(16)).min(MOST);
    // Half of it is jitter, so that many steps that failed together do not come back together. A multiplicative hash is even enough.
    let mixed = (u64::from(step.0) << 32 | u64::from(tries)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    Span(span / 2 + mixed % (span / 2 + 1))
}

/// The wait before it is asked again whether it is a change's turn: others take seconds.
pub(super) const TURN: Span = Span::secs(2);

/// The wait before the world, a live system or a forge, is asked again for the whole change.
pub(super) fn slow(tries: u32) -> Span {
    Span((1000u64 << tries.saturating_sub(1).min(16)).min(60_000))
}
