//! Hidden marks in our comments, by which each is said once however often it is asked for.
//!
//! A mark counts only in a comment of our own account: anybody can write one.

use crate::core::{model::Fingerprint, review::CommentId};

/// How every mark but the sticky comment's begins.
const BEGIN: &str = "<!-- trueup:said ";
const END: &str = " -->";

/// What a comment of ours says that it is, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// The one comment of a change that is edited in place.
    Sticky,
    /// An answer, or something told under a key, by its mark.
    Said(String),
}

/// Reads the mark of a comment.
pub fn marked(body: &str) -> Option<Marked> {
    let body = body.trim_start();
    if body.starts_with(crate::core::review::MARKER) {
        return Some(Marked::Sticky);
    }
    let (mark, _) = body.strip_prefix(BEGIN)?.split_once(END)?;
    Some(Marked::Said(mark.to_owned()))
}

/// The mark of an answer to a comment.
pub fn replied(to: CommentId, text: &str) -> String {
    Fingerprint::of("reply", &[&to.0.to_be_bytes(), text.as_bytes()]).to_string()
}

/// The mark of what is told under a key.
pub fn told(key: &str) -> String {
    Fingerprint::of("told", &[key.as_bytes()]).to_string()
}

/// A text with its mark before it; people see the text alone.
pub fn with_marker(mark: &str, text: &str) -> String {
    format!("{BEGIN}{mark}{END}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_a_mark_of_its_own_and_is_found_by_it() {
        let mark = replied(CommentId(7), "done");
        assert_eq!(marked(&with_marker(&mark, "done")), Some(Marked::Said(mark.clone())));
        assert_ne!(mark, replied(CommentId(8), "done"));
        assert_ne!(mark, replied(CommentId(7), "done!"));
        assert_ne!(told("a"), told("b"));
        assert_eq!(marked("<!-- trueup:change dns!1 -->\nhello"), Some(Marked::Sticky));
        assert_eq!((marked("hello <!-- trueup:said x -->"), marked("<!-- trueup:said x"), marked("")), (None, None, None));
    }
}
