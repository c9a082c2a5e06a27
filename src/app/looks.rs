//! One look at a time: two that overlap may answer in either order, and an older sighting would replace a newer one.

/// What is under way at the forge for one change.
#[derive(Debug, Default)]
pub struct Looks {
    /// Numbers begun so far; an answer under another number than the last is of a worker that is gone.
    begun: u64,
    under_way: bool,
    again: bool,
    /// What is under way began before the change asked, and so cannot answer it.
    stale: bool,
}

/// What to do when a look has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether its answer is heard.
    pub counts: bool,
    /// Whether another begins now.
    pub again: bool,
}

impl Looks {
    /// Something happened on the forge: the number of a look to begin now; none when one follows what is under way.
    pub fn hinted(&mut self) -> Option<u64> {
        if self.under_way {
            self.again = true;
            return None;
        }
        self.begin()
    }

    /// The change asks how things are now.
    pub fn asked(&mut self) -> Option<u64> {
        self.stale |= self.under_way;
        self.hinted()
    }

    /// Look number `n` has ended.
    pub fn ended(&mut self, n: u64) -> Ended {
        if !self.under_way || n != self.begun {
            return Ended { counts: false, again: false };
        }
        let ended = Ended { counts: !self.stale, again: self.again };
        (self.under_way, self.again, self.stale) = (false, false, false);
        ended
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        !self.under_way
    }

    /// The worker starts over: answers to what it began are heard no more.
    pub fn forget(&mut self) {
        (self.under_way, self.again, self.stale) = (false, false, false);
    }

    fn begin(&mut self) -> Option<u64> {
        self.begun += 1;
        self.under_way = true;
        Some(self.begun)
    }
}

#[cfg(test)]
mod tests {
    use super::{Ended, Looks};

    #[test]
    fn news_during_a_look_is_looked_at_once_after_it() {
        let mut looks = Looks::default();
        assert_eq!(looks.hinted(), Some(1));
        assert_eq!((looks.hinted(), looks.hinted()), (None, None));
        assert_eq!(looks.ended(1), Ended { counts: true, again: true });
        assert_eq!(looks.hinted(), Some(2));
        assert_eq!(looks.ended(2), Ended { counts: true, again: false });
    }

    #[test]
    fn what_began_before_the_question_does_not_answer_it() {
        let mut looks = Looks::default();
        looks.hinted();
        assert_eq!(looks.asked(), None);
        assert_eq!(looks.ended(1), Ended { counts: false, again: true });
        assert_eq!(looks.asked(), Some(2));
        assert_eq!(looks.ended(2), Ended { counts: true, again: false });
    }

    #[test]
    fn answers_to_a_worker_that_is_gone_are_not_heard() {
        let mut looks = Looks::default();
        looks.hinted();
        looks.forget();
        assert_eq!(looks.hinted(), Some(2));
        assert_eq!(looks.ended(1), Ended { counts: false, again: false });
        assert_eq!(looks.ended(2), Ended { counts: true, again: false });
        assert_eq!(looks.ended(2), Ended { counts: false, again: false });
    }
}
