//! What we wrote of late into the comment of each merge request, so that a look notices when somebody else's words stand there under our name.

use crate::core::{
    model::{Fingerprint, Time, User},
    review::CommentId,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

/// Comments remembered; beyond it the next word of ours begins anew.
const REMEMBERED: usize = 20_000;

/// Words of ours that a look may still meet: it reads the comment at another moment than that in which it is edited.
const OURS: usize = 4;

/// By the number of the merge request.
#[derive(Debug, Default)]
pub struct Written(Mutex<BTreeMap<u64, (CommentId, VecDeque<Fingerprint>)>>);

/// What a comment says, for comparing.
pub fn says(body: &str) -> Fingerprint {
    Fingerprint::of("comment", &[body.trim_end().as_bytes()])
}

/// The end of the second that a forge names which tells no less: what it says of the same second may have been before.
pub fn whole(second: Time) -> Time {
    Time(second.0.div_euclid(1000).saturating_mul(1000).saturating_add(999))
}

/// The fingerprint of a status under our name that is somebody else's.
pub fn forged(context: &str, by: &User) -> Fingerprint {
    Fingerprint::of("status", &[context.as_bytes(), by.as_str().as_bytes()])
}

impl Written {
    /// We write this, or wrote it. Said before an edit is sent and after it, so that no look takes it for somebody else's in between.
    pub fn wrote(&self, number: u64, comment: CommentId, body: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let (of, all) = known.entry(number).or_insert_with(|| (comment, VecDeque::new()));
        if *of != comment {
            (*of, *all) = (comment, VecDeque::new());
        }
        let said = says(body);
        all.retain(|known| *known != said);
        all.push_back(said);
        if all.len() > OURS {
            all.pop_front();
        }
    }

    /// The fingerprint of what stands there instead; `None`: it is what we wrote, or not known.
    pub fn altered(&self, number: u64, comment: u64, is: Fingerprint) -> Option<Fingerprint> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&number).is_some_and(|(ours, all)| ours.0 == comment && !all.contains(&is)).then_some(is)
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

    #[test]
    fn our_own_words_of_a_moment_ago_are_ours() {
        let written = Written::default();
        ["one", "two", "three", "four", "five"].into_iter().for_each(|body| written.wrote(1, CommentId(7), body));
        assert_eq!(["five", "two"].map(|body| written.altered(1, 7, says(body))), [None; 2]);
        assert_eq!(written.altered(1, 7, says("one")), Some(says("one")), "what stood long ago was put back by somebody");
    }
}
