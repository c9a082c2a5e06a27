//! The merged tree is git's own.

use super::scratch::{Put, Scratch};
use trueup::ports::{Merge, RepoError, StateRepo};

#[test]
fn two_sides_that_touch_different_files_merge_into_one_tree() {
    let scratch = Scratch::new();
    let root = scratch.commit("main", None, &[Put::File("a", "1\n"), Put::File("b", "1\n")]);
    let base = scratch.commit("main", None, &[Put::File("a", "2\n")]);
    let head = scratch.commit("mr", Some(&root), &[Put::File("b", "2\n")]);
    let repo = scratch.open();
    let Merge::Clean(tree) = repo.merge(&base, &head).unwrap() else { panic!("conflict") };
    let read = |path: &str| repo.blob(&repo.entry(&tree, path).unwrap().unwrap().id, 100).unwrap();
    assert_eq!((read("a"), read("b")), (b"2\n".to_vec(), b"2\n".to_vec()));
}

#[test]
fn conflicts_are_named_by_path_and_sorted() {
    let scratch = Scratch::new();
    let root = scratch.commit("main", None, &[Put::File("z/b c", "1\n"), Put::File("a", "1\n"), Put::File("calm", "1\n")]);
    let base = scratch.commit("main", None, &[Put::File("z/b c", "2\n"), Put::File("a", "2\n")]);
    let head = scratch.commit("mr", Some(&root), &[Put::File("z/b c", "3\n"), Put::File("a", "3\n"), Put::File("calm", "2\n")]);
    assert_eq!(scratch.open().merge(&base, &head).unwrap(), Merge::Conflicts(vec!["a".into(), "z/b c".into()]));
}

#[test]
fn a_file_renamed_in_two_ways_is_a_conflict_with_all_its_names() {
    let scratch = Scratch::new();
    let text = "one\ntwo\nthree\nfour\n";
    let root = scratch.commit("main", None, &[Put::File("old", text)]);
    let base = scratch.commit("main", None, &[Put::Gone("old"), Put::File("left", text)]);
    let head = scratch.commit("mr", Some(&root), &[Put::Gone("old"), Put::File("right", text)]);
    assert_eq!(scratch.open().merge(&base, &head).unwrap(), Merge::Conflicts(vec!["left".into(), "old".into(), "right".into()]));
}

#[test]
fn a_new_file_in_a_folder_that_base_renamed_is_a_conflict() {
    let scratch = Scratch::new();
    let root = scratch.commit("main", None, &[Put::File("old/a", "alpha\nbeta\n"), Put::File("old/b", "gamma\ndelta\n")]);
    let moved = [Put::Gone("old/a"), Put::Gone("old/b"), Put::File("new/a", "alpha\nbeta\n"), Put::File("new/b", "gamma\ndelta\n")];
    let base = scratch.commit("main", None, &moved);
    let head = scratch.commit("mr", Some(&root), &[Put::File("old/c", "epsilon\n")]);
    let Merge::Conflicts(paths) = scratch.open().merge(&base, &head).unwrap() else { panic!("clean") };
    assert!(paths.iter().any(|path| path.ends_with("/c")), "{paths:?}");
}

#[test]
fn unrelated_histories_say_what_to_do() {
    let scratch = Scratch::new();
    let base = scratch.commit("main", None, &[Put::File("a", "1\n")]);
    let head = scratch.commit("mr", None, &[Put::File("b", "1\n")]);
    let error = scratch.open().merge(&base, &head).unwrap_err();
    assert_eq!(error.to_string(), format!("git: {head} shares no history with {base}; rebase the branch on the target branch"));
}

#[test]
fn the_repositorys_own_settings_do_not_change_what_a_merge_gives() {
    let scratch = Scratch::new();
    scratch.repo.config().unwrap().set_bool("merge.renames", false).unwrap();
    let text = "one\ntwo\nthree\nfour\n";
    let root = scratch.commit("main", None, &[Put::File("old", text)]);
    let base = scratch.commit("main", None, &[Put::Gone("old"), Put::File("new", text)]);
    let head = scratch.commit("mr", Some(&root), &[Put::File("old", "one\ntwo\nthree\nFOUR\n")]);
    let repo = scratch.open();
    let Merge::Clean(tree) = repo.merge(&base, &head).unwrap() else { panic!("without renames this is a conflict") };
    assert_eq!(repo.blob(&repo.entry(&tree, "new").unwrap().unwrap().id, 100).unwrap(), b"one\ntwo\nthree\nFOUR\n");
}

#[test]
fn a_commit_that_is_not_there_is_named() {
    let scratch = Scratch::new();
    let base = scratch.commit("main", None, &[Put::File("a", "1\n")]);
    let gone = trueup::core::model::CommitId::new("2222222222222222222222222222222222222222");
    assert_eq!(scratch.open().merge(&base, &gone), Err(RepoError::NoSuchRev { rev: gone.to_string() }));
    assert!(scratch.open().merge(&base, &trueup::core::model::CommitId::new("--help")).is_err());
}

#[test]
fn what_a_rebase_would_leave_is_known_before_it() {
    let scratch = Scratch::new();
    let root = scratch.commit("main", None, &[Put::File("a", "1\n"), Put::File("b", "1\n")]);
    let head = scratch.commit("plain", Some(&root), &[Put::File("b", "2\n")]);
    let head = scratch.commit("plain", Some(&head), &[Put::File("c", "1\n")]);
    // Changed and taken back: a merge sees nothing of it.
    scratch.commit("back", Some(&root), &[Put::File("a", "2\n")]);
    let back = scratch.commit("back", None, &[Put::File("a", "1\n"), Put::File("b", "2\n")]);
    let base = scratch.commit("main", None, &[Put::File("a", "3\n")]);
    let repo = scratch.open();
    let merged = repo.merge(&base, &head).unwrap();
    assert!(matches!(merged, Merge::Clean(_)) && repo.replay(&base, &head).unwrap() == merged, "each commit by itself leaves the same");
    assert!(matches!(repo.merge(&base, &back).unwrap(), Merge::Clean(_)));
    assert_eq!(repo.replay(&base, &back).unwrap(), Merge::Conflicts(vec!["a".into()]));
    // The same change is on base by now, and is taken back there, too.
    let base = scratch.commit("main", None, &[Put::File("a", "2\n")]);
    let (Merge::Clean(merged), Merge::Clean(replayed)) = (repo.merge(&base, &back).unwrap(), repo.replay(&base, &back).unwrap()) else { panic!("conflict") };
    let a = |tree| repo.blob(&repo.entry(tree, "a").unwrap().unwrap().id, 100).unwrap();
    assert_eq!((a(&merged), a(&replayed)), (b"2\n".to_vec(), b"1\n".to_vec()));
}
