//! Parts of a merge request that a forge did not tell: what rests on them is not taken for granted, and people are told.

use super::NetError;
use crate::{core::model::Str, ports::ForgeErrorKind};

/// What was not told, each with why.
#[derive(Debug, Default)]
pub struct Unread(Vec<Str>);

impl Unread {
    /// A part, or nothing of it with the reason kept. What passes by itself, and a token that is not known, is about the whole look and stays an error.
    pub fn part<T: Default>(&mut self, told: Result<T, NetError>) -> Result<T, NetError> {
        match told {
            Ok(part) => Ok(part),
            Err(error) => match error.kind {
                ForgeErrorKind::NotFound | ForgeErrorKind::Denied | ForgeErrorKind::Conflict | ForgeErrorKind::Invalid => {
                    self.say(error.what);
                    Ok(T::default())
                }
                ForgeErrorKind::Stranger | ForgeErrorKind::Limited | ForgeErrorKind::Unavailable => Err(error),
            },
        }
    }

    /// What was said in it, where that may be read; that it is not all is kept. Where none may be read, that is the reason, and no length of theirs.
    pub fn talk<T>(&mut self, told: Result<(Vec<T>, bool), NetError>) -> Result<Vec<T>, NetError> {
        let Some((said, whole)) = self.part(told.map(Some))? else { return Ok(Vec::new()) };
        if !whole {
            self.say(too_much_talk(said.len()));
        }
        Ok(said)
    }

    /// Keeps that something is not told.
    pub fn say(&mut self, what: impl Into<Str>) {
        let what = what.into();
        if !self.0.contains(&what) {
            self.0.push(what);
        }
    }

    pub fn list(self) -> Vec<Str> {
        self.0
    }
}

/// What people are told where more was said than is read.
pub fn too_much_talk(read: usize) -> String {
    format!("more was said in it than is read (the first {read} comments were): delete comments that are long, or open it anew; commands by page and command line are heard")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_read_is_kept_with_why_and_what_passes_is_asked_again() {
        let fault = |kind| Err::<u32, _>(NetError::new(kind, "why"));
        let mut unread = Unread::default();
        assert_eq!(unread.part(Ok(7)).ok(), Some(7));
        for kind in [ForgeErrorKind::Denied, ForgeErrorKind::Invalid, ForgeErrorKind::NotFound] {
            assert_eq!(unread.part(fault(kind)).ok(), Some(0));
        }
        for kind in [ForgeErrorKind::Stranger, ForgeErrorKind::Limited, ForgeErrorKind::Unavailable] {
            assert_eq!(unread.part(fault(kind)).err().map(|error| error.kind), Some(kind));
        }
        assert_eq!(unread.list(), [Str::from("why")], "each reason once");
    }

    #[test]
    fn talk_that_may_not_be_read_is_not_called_long() {
        let mut unread = Unread::default();
        assert_eq!(unread.talk(Err::<(Vec<u32>, bool), _>(NetError::new(ForgeErrorKind::Denied, "why"))).ok(), Some(Vec::new()));
        assert_eq!(unread.talk(Ok((vec![1, 2], true))).ok(), Some(vec![1, 2]));
        assert_eq!(unread.talk(Ok((vec![1, 2], false))).ok(), Some(vec![1, 2]));
        assert_eq!(unread.list(), [Str::from("why"), too_much_talk(2).into()]);
    }
}
