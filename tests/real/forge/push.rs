//! Pushing by path: branches are taken, the governed branch is not.

use super::house::House;
use insta::assert_snapshot;
use trueup::{
    core::model::RepoId,
    forges::local::{LocalErrorKind, LocalForge, LocalRepository},
    ports::TestClock,
    stores::Store,
};

/// The lines that trueup's hooks said.
fn told(done: &std::process::Output) -> String {
    let lines = String::from_utf8_lossy(&done.stderr).lines().filter_map(|line| line.split_once("trueup: ").map(|(_, said)| said.trim().to_owned())).collect::<Vec<_>>();
    format!("{} {}", if done.status.success() { "taken" } else { "refused:" }, lines.join(" | "))
}

#[tokio::test]
async fn the_governed_branch_can_be_pushed_once_and_never_again() {
    let house = House::furnished().await;
    house.git("ada", &["checkout", "-q", "main"]);
    house.write("ada", "zone", "3\n");
    let base = house.tip("main");
    assert_snapshot!(told(&house.try_git("ada", &["push", "origin", "main"])), @"refused: `main` is moved by trueup alone; push a branch and open a merge request");
    assert_snapshot!(told(&house.try_git("ada", &["push", "--force", "origin", "main"])), @"refused: `main` is moved by trueup alone; push a branch and open a merge request");
    assert_snapshot!(told(&house.try_git("ada", &["push", "origin", ":main"])), @"refused: `main` is moved by trueup alone; push a branch and open a merge request");
    assert_eq!(house.tip("main"), base);
}

#[tokio::test]
async fn a_refused_branch_does_not_keep_others_of_the_same_push_out() {
    let house = House::furnished().await;
    house.write("ada", "zone", "3\n");
    let done = house.try_git("ada", &["push", "origin", "mr:main", "mr:other"]);
    assert!(!done.status.success());
    assert_eq!(house.tip("other").as_str(), house.git("ada", &["rev-parse", "mr"]));
}

#[tokio::test]
async fn only_branches_and_tags_are_taken() {
    let house = House::furnished().await;
    assert_snapshot!(told(&house.try_git("ada", &["push", "origin", "mr:refs/merge-requests/1/head"])), @"refused: only branches and tags can be pushed, not refs/merge-requests/1/head");
    house.git("ada", &["push", "-q", "origin", "mr:refs/tags/v1"]);
}

#[tokio::test]
async fn a_start_with_the_same_repository_keeps_everything() {
    let house = House::furnished().await;
    let hooks = || ["update", "pre-receive"].map(|name| std::fs::read_to_string(house.bare().join("hooks").join(name)).unwrap());
    let (tip, before) = (house.tip("mr"), hooks());
    house.restarted().await;
    assert_eq!((house.tip("mr"), hooks()), (tip, before));
    assert_eq!(house.git("ada", &["ls-remote", "--symref", "origin", "HEAD"]).lines().next(), Some("ref: refs/heads/main\tHEAD"));
}

#[tokio::test]
async fn a_hook_of_somebody_else_is_never_overwritten() {
    let house = House::empty().await;
    let hook = house.bare().join("hooks/update");
    std::fs::write(&hook, "#!/bin/sh\nexit 0\n").unwrap();
    let store = Store::open(std::sync::Arc::new(house.kv.clone()), "test").await.unwrap();
    let repository = LocalRepository { id: RepoId::new("dns"), path: house.bare(), branch: "main".into() };
    let clock = std::sync::Arc::new(TestClock::default());
    let Err(error) = LocalForge::open(store, clock, std::sync::Arc::new(super::house::Staff), trueup::core::model::User::new("trueup"), &[repository]) else { panic!("started") };
    assert_eq!(error.kind, LocalErrorKind::Conflict);
    let what = error.what.replace(hook.to_str().unwrap(), "HOOK");
    assert_snapshot!(what, @"HOOK is a hook of your own, and trueup needs its place to protect `main`; move it away and start again");
    assert_eq!(std::fs::read_to_string(&hook).unwrap(), "#!/bin/sh\nexit 0\n");
}

#[tokio::test]
async fn a_checkout_is_refused_as_a_governed_repository() {
    let house = House::furnished().await;
    let store = Store::open(std::sync::Arc::new(house.kv.clone()), "test").await.unwrap();
    let repository = LocalRepository { id: RepoId::new("dns"), path: house.folder.path().join("ada"), branch: "main".into() };
    let clock = std::sync::Arc::new(TestClock::default());
    let Err(error) = LocalForge::open(store, clock, std::sync::Arc::new(super::house::Staff), trueup::core::model::User::new("trueup"), &[repository]) else { panic!("started") };
    assert!(error.what.ends_with("is a checkout, and merging would leave its files behind; name a bare repository (git clone --bare)"), "{error}");
}

#[tokio::test]
async fn a_branch_with_a_quote_in_its_name_is_protected_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(std::sync::Arc::new(trueup::ports::MemoryKv::new()), "test").await.unwrap();
    let path = folder.path().join("odd.git");
    let repository = LocalRepository { id: RepoId::new("odd"), path: path.clone(), branch: "it's$(x)".into() };
    let clock = std::sync::Arc::new(TestClock::default());
    let _forge = LocalForge::open(store, clock, std::sync::Arc::new(super::house::Staff), trueup::core::model::User::new("trueup"), &[repository]).unwrap();
    let clone = folder.path().join("clone");
    std::fs::create_dir(&clone).unwrap();
    let git = |args: &[&str]| super::house::clean_git(&clone, "ada").args(args).output().unwrap();
    git(&["init", "-q", "-b", "work"]);
    git(&["commit", "-q", "--allow-empty", "-m", "one"]);
    let to = path.to_str().unwrap();
    assert!(git(&["push", to, "work:refs/heads/it's$(x)"]).status.success());
    git(&["commit", "-q", "--allow-empty", "-m", "two"]);
    assert_snapshot!(told(&git(&["push", to, "work:refs/heads/it's$(x)"])), @"refused: `it's$(x)` is moved by trueup alone; push a branch and open a merge request");
}
