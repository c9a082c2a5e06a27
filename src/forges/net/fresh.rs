//! What people said in a merge request, as far as it counts.

use super::{Written, says};
use crate::core::{
    model::Fingerprint,
    review::{Comment, CommentId, command},
};

/// Comments that are handed on, and those that only look like commands.
#[derive(Debug, Default)]
pub struct Fresh {
    pub said: Vec<Comment>,
    /// Edited since they were written, with commands in them: nobody's word, and whoever edited one is told so.
    pub edited: Vec<CommentId>,
    /// What stands in our own comment instead of what we wrote.
    pub altered: Option<Fingerprint>,
}

impl Fresh {
    /// Takes note of a comment under our own name.
    pub fn ours(&mut self, written: &Written, number: u64, id: u64, body: &str) {
        self.altered = self.altered.or_else(|| written.altered(number, id, says(body)));
    }

    /// Takes note of a comment that was edited.
    pub fn edited(&mut self, id: u64, body: &str) {
        if !command::parse(body).is_empty() {
            self.edited.push(CommentId(id));
        }
    }
}
