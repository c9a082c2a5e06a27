//! Trees, differences and blobs.

use super::scratch::{Put, Scratch};
use trueup::{
    core::model::CommitId,
    git::GitRepo,
    ports::{Mode, RepoError, StateRepo},
};

fn tree(repo: &GitRepo, commit: &CommitId) -> trueup::core::model::TreeId {
    repo.tree(commit).unwrap()
}

/// The difference as `path old>new`, with modes in one letter.
fn difference(repo: &GitRepo, from: &CommitId, to: &CommitId) -> Vec<String> {
    let letter = |side: &Option<(trueup::core::model::FileId, Mode)>| match side.as_ref().map(|(_, mode)| mode) {
        None => '-',
        Some(Mode::File) => 'f',
        Some(Mode::Executable) => 'x',
        Some(Mode::Symlink) => 'l',
        Some(Mode::Submodule) => 's',
        Some(Mode::Tree) => 't',
    };
    let changed = repo.changed(&tree(repo, from), &tree(repo, to)).unwrap();
    changed.iter().map(|change| format!("{} {}>{}", change.path, letter(&change.old), letter(&change.new))).collect()
}

#[test]
fn a_difference_names_every_file_that_differs_and_no_other() {
    let scratch = Scratch::new();
    let from = scratch.commit("main", None, &[Put::File("a/b/c", "1"), Put::File("a/b/d", "1"), Put::File("a-b", "1"), Put::File("gone/x", "1"), Put::File("kind", "to")]);
    let puts = [Put::File("a/b/c", "2"), Put::Gone("gone/x"), Put::Link("kind", "to"), Put::File("new/y/z", "1"), Put::Submodule("sub")];
    let to = scratch.commit("main", None, &puts);
    let repo = scratch.open();
    assert_eq!(difference(&repo, &from, &to), ["a/b/c f>f", "gone/x f>-", "kind f>l", "new/y/z ->f", "sub ->s"]);
    assert_eq!(difference(&repo, &to, &from), ["a/b/c f>f", "gone/x ->f", "kind l>f", "new/y/z f>-", "sub s>-"]);
    assert!(difference(&repo, &to, &to).is_empty());
}

#[test]
fn a_file_that_becomes_a_folder_is_gone_and_its_files_are_new() {
    let scratch = Scratch::new();
    let from = scratch.commit("main", None, &[Put::File("a", "1"), Put::File("a.b", "1")]);
    let between = scratch.commit("main", None, &[Put::Gone("a")]);
    let to = scratch.commit("main", None, &[Put::File("a/x", "1")]);
    let repo = scratch.open();
    assert_eq!(difference(&repo, &from, &to), ["a f>-", "a/x ->f"]);
    assert_eq!(difference(&repo, &to, &between), ["a/x f>-"]);
}

#[test]
fn differences_equal_those_of_git_diff_raw() {
    let scratch = Scratch::new();
    let names: Vec<String> = (0..300).map(|n| format!("{}/{}{}", ["a", "a.b", "a-b", "ab", "a0"][n % 5], n, ["", ".yaml", "/x"][n % 3])).collect();
    let puts: Vec<Put<'_>> = names.iter().map(|name| Put::File(name, "1")).collect();
    let from = scratch.commit("main", None, &puts);
    let puts: Vec<Put<'_>> = names.iter().enumerate().filter(|(n, _)| n % 7 == 0).map(|(n, name)| if n % 2 == 0 { Put::Gone(name) } else { Put::File(name, "2") }).collect();
    let to = scratch.commit("main", None, &puts);
    let raw = trueup::git::program::git(scratch.path()).args(["diff-tree", "-r", "--name-only", from.as_str(), to.as_str()]).output().unwrap();
    let mut expected: Vec<String> = String::from_utf8(raw.stdout).unwrap().lines().map(str::to_owned).collect();
    expected.sort();
    let repo = scratch.open();
    let found: Vec<String> = repo.changed(&tree(&repo, &from), &tree(&repo, &to)).unwrap().iter().map(|change| change.path.to_string()).collect();
    assert_eq!(found, expected);
    assert_eq!(found.len(), 43);
}

#[test]
fn files_below_a_folder_are_listed_and_entries_found_by_path() {
    let scratch = Scratch::new();
    let commit = scratch.commit("main", None, &[Put::File("a/b/c", "1"), Put::File("a.b", "1"), Put::File("a/b.yaml", "1"), Put::Link("a/l", "c"), Put::Submodule("s")]);
    let repo = scratch.open();
    let tree = tree(&repo, &commit);
    let below = |prefix: &str| repo.files(&tree, prefix).unwrap().iter().map(|entry| entry.path.to_string()).collect::<Vec<_>>();
    assert_eq!(below(""), ["a.b", "a/b.yaml", "a/b/c", "a/l", "s"]);
    assert_eq!(below("a/b/"), ["a/b/c"]);
    assert!(below("a.b").is_empty() && below("nothing").is_empty());
    let mode = |path: &str| repo.entry(&tree, path).unwrap().map(|entry| entry.mode);
    assert_eq!([mode("a"), mode("a/b"), mode("a/b/c"), mode("a/l"), mode("s")], [Mode::Tree, Mode::Tree, Mode::File, Mode::Symlink, Mode::Submodule].map(Some));
    assert_eq!([mode("b"), mode("a.b/c"), mode("a/l/c"), mode(".."), mode(""), mode("a/b/c/d")], [None; 6]);
}

#[test]
fn a_blob_over_the_limit_is_refused_before_it_is_read() {
    let scratch = Scratch::new();
    let commit = scratch.commit("main", None, &[Put::File("a", "12345")]);
    let repo = scratch.open();
    let id = repo.entry(&tree(&repo, &commit), "a").unwrap().unwrap().id;
    assert_eq!(repo.blob(&id, 5).unwrap(), b"12345");
    assert_eq!(repo.blob(&id, 4), Err(RepoError::TooLarge { path: id.to_string(), len: 5, limit: 4 }));
}

#[test]
fn revisions_are_branches_tags_and_ids_and_anything_else_is_said() {
    let scratch = Scratch::new();
    let error = scratch.open().commit("HEAD").unwrap_err();
    assert_eq!(error.to_string(), "`HEAD` names no commit; nothing is committed on the branch yet: commit first");
    let commit = scratch.commit("main", None, &[Put::File("a", "1")]);
    let repo = scratch.open();
    for rev in ["main", "refs/heads/main", "HEAD", commit.as_str(), &commit.as_str()[..9]] {
        assert_eq!(repo.commit(rev).unwrap(), commit, "{rev}");
    }
    let error = repo.commit("mian").unwrap_err();
    assert_eq!(error.to_string(), "`mian` names no commit; fetch it or check the spelling");
    assert!(matches!(repo.commit("main:a"), Err(RepoError::NoSuchRev { .. })));
}

#[test]
fn a_repository_serves_many_threads_at_once() {
    let scratch = Scratch::new();
    let commit = scratch.commit("main", None, &[Put::File("a/b", "1")]);
    let repo = scratch.open();
    let tree = tree(&repo, &commit);
    std::thread::scope(|scope| {
        let reads: Vec<_> = (0..16).map(|_| scope.spawn(|| (0..50).filter(|_| repo.files(&tree, "a").unwrap().len() == 1).count())).collect();
        assert_eq!(reads.into_iter().map(|read| read.join().unwrap()).sum::<usize>(), 800);
    });
}

#[test]
fn objects_that_come_later_are_found_by_an_open_repository() {
    let scratch = Scratch::new();
    scratch.commit("main", None, &[Put::File("a", "1")]);
    let repo = scratch.open();
    repo.commit("main").unwrap();
    let later = scratch.commit("main", None, &[Put::File("a", "2")]);
    trueup::git::program::git(scratch.path()).args(["gc", "-q", "--prune=now"]).status().unwrap();
    assert_eq!(repo.commit("main").unwrap(), later);
    assert_eq!(repo.files(&tree(&repo, &later), "").unwrap().len(), 1);
}

#[test]
fn a_folder_that_is_no_repository_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let Err(error) = GitRepo::open(dir.path()) else { panic!("opened") };
    assert!(error.to_string().starts_with("git: no repository at "), "{error}");
}
