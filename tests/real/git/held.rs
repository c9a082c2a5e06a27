//! What a branch holds, followed as it moves.

use super::scratch::{Put, Scratch};
use trueup::{core::model::CommitId, git::Held};

const MAIN: &str = "refs/heads/main";

struct Asked {
    scratch: Scratch,
    held: Held,
}

impl Asked {
    /// Whether main holds a commit, and who wrote what it lacks.
    fn of(&self, head: &CommitId) -> (bool, Vec<String>) {
        let standing = self.held.standing(&self.scratch.open(), MAIN, head).unwrap().expect("there is a main");
        assert_eq!(standing.tip.as_str(), self.scratch.repo.refname_to_id(MAIN).unwrap().to_string());
        (standing.held, standing.authors.iter().map(ToString::to_string).collect())
    }
}

#[test]
fn a_head_is_held_once_the_branch_reaches_it_and_authors_are_those_of_what_it_lacks() {
    let asked = Asked { scratch: Scratch::new(), held: Held::default() };
    let ana = || vec!["Ana <ana@example.com>".to_owned()];
    let first = asked.scratch.commit("main", None, &[Put::File("a", "1")]);
    let head = asked.scratch.commit("mr", Some(&first), &[Put::File("a", "2")]);
    assert_eq!(asked.of(&first), (true, vec![]));
    assert_eq!(asked.of(&head), (false, ana()));
    // Main moves on without the head, then over it.
    let second = asked.scratch.commit("main", None, &[Put::File("b", "1")]);
    assert_eq!(asked.of(&head), (false, ana()));
    assert_eq!(asked.of(&second), (true, vec![]));
    let merged = asked.scratch.merge("main", &second, &head);
    assert_eq!(asked.of(&head), (true, vec![]));
    assert_eq!(asked.of(&merged), (true, vec![]));
}

#[test]
fn a_branch_that_was_set_back_holds_no_longer_what_it_lost() {
    let asked = Asked { scratch: Scratch::new(), held: Held::default() };
    let first = asked.scratch.commit("main", None, &[Put::File("a", "1")]);
    let second = asked.scratch.commit("main", None, &[Put::File("a", "2")]);
    assert!(asked.of(&second).0);
    asked.scratch.repo.reference(MAIN, git2::Oid::from_str(first.as_str()).unwrap(), true, "back").unwrap();
    assert!(!asked.of(&second).0);
    assert!(asked.of(&first).0);
}

#[test]
fn a_branch_that_is_not_there_has_no_standing() {
    let asked = Asked { scratch: Scratch::new(), held: Held::default() };
    let head = asked.scratch.commit("mr", None, &[Put::File("a", "1")]);
    assert_eq!(asked.held.standing(&asked.scratch.open(), MAIN, &head).unwrap(), None);
}
