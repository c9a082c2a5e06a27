//! What we wrote last into the comment of each merge request, so that a look notices when somebody else's words stand there under our name.

use crate::core::{
    model::{Fingerprint, User},
    review::CommentId,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Comments remembered; beyond it the next word of ours begins anew.
const REMEMBERED: usize = 20_000;

/// By the number of the merge request.
#[derive(Debug, Default)]
pub struct Written(Mutex<BTreeMap<u64, (CommentId, Fingerprint)>>);

/// What a comment says, for comparing.
pub fn says(body: &str) -> Fingerprint {
    Fingerprint::of("comment", &[body.trim_end().as_bytes()])
}

/// The fingerprint of a status under our name that is somebody else's.
pub fn forged(context: &str, by: &User) -> Fingerprint {
    Fingerprint::of("status", &[context.as_bytes(), by.as_str().as_bytes()])
}

impl Written {
    /// We wrote this.
    pub fn wrote(&self, number: u64, comment: CommentId, body: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(number, (comment, says(body)));
    }

    /// The fingerprint of what stands there instead; `None`: it is what we wrote, or not known.
    pub fn altered(&self, number: u64, comment: u64, is: Fingerprint) -> Option<Fingerprint> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&number).is_some_and(|(ours, wrote)| ours.0 == comment && *wrote != is).then_some(is)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_words_in_our_own_comment_are_noticed() {
        let written = Written::default();
        assert_eq!(written.altered(1, 7, says("mine")), None, "nothing is known");
        written.wrote(1, CommentId(7), "ours\n");
        assert_eq!((written.altered(1, 7, says("ours")), written.altered(1, 8, says("mine")), written.altered(2, 7, says("mine"))), (None, None, None));
        assert_eq!(written.altered(1, 7, says("mine")), Some(says("mine")));
    }
}
