//! Opening, reading and closing merge requests.

use super::house::House;
use insta::assert_snapshot;
use trueup::{
    core::{
        model::{CommitId, MrId, Time, User},
        review::{Check, CommentId, MrState, Right},
    },
    forges::local::{LocalErrorKind, NewRequest},
    ports::{ForgeErrorKind, ForgeReader, StateRepo},
};

fn new(title: &str, source: &str, target: &str) -> NewRequest {
    NewRequest { title: title.into(), source: source.into(), target: target.into(), draft: false, reviewers: Vec::new(), description: String::new() }
}

#[tokio::test]
async fn a_merge_request_is_seen_with_branches_author_and_pushers() {
    let house = House::furnished().await;
    let mr = house.open("add a record").await;
    let seen = house.look(&mr).await;
    assert_eq!((mr.number, seen.title.as_str(), seen.author.as_str()), (1, "add a record", "ada"));
    assert_eq!((&seen.head, &seen.base), (&house.tip("mr"), &house.tip("main")));
    assert_eq!((&*seen.source_branch, &*seen.base_branch, seen.draft, &seen.state), ("mr", "main", false, &MrState::Open));
    assert_eq!(seen.pushers, [User::new("ada")].into());
    assert!(seen.author_trusted && seen.comments.is_empty() && seen.checks.is_empty() && seen.reviews.is_empty());
}

#[tokio::test]
async fn whoever_authored_a_commit_is_a_pusher_by_mail_address_or_by_name() {
    let house = House::furnished().await;
    for (who, email) in [("Grace H", "grace@example.com"), ("Stranger", "x@elsewhere.org")] {
        house.git("ada", &["-c", &format!("user.name={who}"), "commit", "-q", "--allow-empty", "--author", &format!("{who} <{email}>"), "-m", "more"]);
    }
    house.git("ada", &["push", "-q", "origin", "mr"]);
    let mr = house.open("add a record").await;
    let pushers: Vec<_> = house.look(&mr).await.pushers.iter().map(ToString::to_string).collect();
    assert_eq!(pushers, ["Stranger <x@elsewhere.org>", "ada", "grace"]);
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let house = House::furnished().await;
    house.branch("second", "zone", "4\n");
    house.git("ada", &["push", "-q", "origin", "origin/main:refs/heads/same"]);
    house.open("first").await;
    let mut told = Vec::new();
    let long = "x".repeat(256);
    let cases = [
        new("t", "nothing", ""),
        new("t", "main", ""),
        new("t", "mr", ""),
        new("t", "same", ""),
        new("t", "second", "mr"),
        new(" ", "second", ""),
        new("a\nb", "second", ""),
        new(&long, "second", ""),
        new("t", "--help", ""),
    ];
    for case in cases {
        let error = house.forge.open_mr(&User::new("ada"), &house.repo, case.clone()).await.unwrap_err();
        told.push(format!("{:?}: {error}", error.kind));
    }
    assert_snapshot!(told.join("\n"), @r"
    NotFound: no branch `nothing` in dns; push it first
    Invalid: source and target are both `main`; push your commits as a branch of their own
    Conflict: `mr` has an open merge request already: dns!1; push to it, or close it first
    Invalid: `same` has no commit that `main` lacks; commit and push first
    Invalid: `mr` is not governed; merge requests go to `main`
    Invalid: a title is one line of 1 to 255 characters; say what the change is for
    Invalid: a title is one line of 1 to 255 characters; say what the change is for
    Invalid: a title is one line of 1 to 255 characters; say what the change is for
    NotFound: no branch `--help` in dns; push it first
    ");
    assert_eq!(house.forge.sweep(&house.repo, 0).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn two_openings_of_one_branch_at_once_make_one_merge_request() {
    let house = House::furnished().await;
    let opened = futures::future::join_all((0..8).map(|n| {
        let house = &house;
        async move { house.open_by("ada", "mr", &format!("try {n}")).await }
    }))
    .await;
    assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 1);
    assert!(opened.iter().flat_map(|opened| opened.as_ref().err()).all(|error| error.kind == LocalErrorKind::Conflict));
}

#[tokio::test]
async fn comments_come_oldest_first_after_the_last_one_seen_with_the_right_of_their_writer() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    for (who, text) in [("ada", "one"), ("grace", "/trueup approve"), ("mallory", "three")] {
        house.forge.comment(&User::new(who), &mr, text).await.unwrap();
    }
    let seen = house.forge.look(&mr, Some(CommentId(1))).await.unwrap().comments;
    let told: Vec<_> = seen.iter().map(|comment| (comment.id.0, comment.by.as_str(), comment.body.as_str(), comment.right)).collect();
    assert_eq!(told, [(2, "grace", "/trueup approve", Right::Approve), (3, "mallory", "three", Right::None)]);
    let error = house.forge.comment(&User::new("ada"), &mr, " \n").await.unwrap_err();
    assert_eq!(error.kind, LocalErrorKind::Invalid);
}

#[tokio::test]
async fn closing_and_reopening_change_the_state_once_and_free_the_branch() {
    let house = House::furnished().await;
    let first = house.open("first").await;
    house.forge.close(&first).await.unwrap();
    house.forge.close(&first).await.unwrap();
    assert_eq!(house.look(&first).await.state, MrState::Closed);
    let second = house.open("second").await;
    let error = house.forge.reopen(&first).await.unwrap_err();
    assert_snapshot!(error.to_string(), @"`mr` has an open merge request already: dns!2; close that one first");
    house.forge.close(&second).await.unwrap();
    house.forge.reopen(&first).await.unwrap();
    house.forge.reopen(&first).await.unwrap();
    assert_eq!(house.look(&first).await.state, MrState::Open);
}

#[tokio::test]
async fn drafts_and_checks_are_seen_and_checks_belong_to_their_head() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let head = house.tip("mr");
    house.forge.set_draft(&mr, true).await.unwrap();
    house.forge.set_check(&User::new("cleo"), &house.repo, &head, "ci/test", Check::Failure, "").await.unwrap();
    house.forge.set_check(&User::new("cleo"), &house.repo, &head, "ci/test", Check::Success, "42 tests https://ci.example.com/7").await.unwrap();
    let seen = house.look(&mr).await;
    assert!(seen.draft);
    assert_eq!(seen.checks, [("ci/test".into(), Check::Success)].into());
    house.forge.set_check(&User::new("ada"), &house.repo, &head, "ci/test", Check::Success, "").await.unwrap();
    assert!(house.look(&mr).await.checks.is_empty(), "ada opened it: what she sets checks nothing, whenever she set it");
    house.forge.set_check(&User::new("cleo"), &house.repo, &head, "ci/test", Check::Success, "").await.unwrap();
    assert_eq!(house.look(&mr).await.checks.len(), 1);
    house.branch("mr2", "zone", "9\n");
    house.git("ada", &["push", "-qf", "origin", "mr2:mr"]);
    assert!(house.look(&mr).await.checks.is_empty());
    let ours = house.forge.set_check(&User::new("cleo"), &house.repo, &head, "trueup/converged", Check::Success, "").await.unwrap_err();
    assert_snapshot!(ours.to_string(), @"`trueup/converged` cannot be a status of another program; choose a name outside `trueup/`");
    let unknown = CommitId::new("3333333333333333333333333333333333333333");
    assert_eq!(house.forge.set_check(&User::new("cleo"), &house.repo, &unknown, "ci", Check::Success, "").await.unwrap_err().kind, LocalErrorKind::NotFound);
}

#[tokio::test]
async fn a_force_push_moves_the_head_and_a_deleted_branch_keeps_it() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let first = house.look(&mr).await.head;
    house.branch("again", "zone", "7\n");
    house.git("ada", &["push", "-qf", "origin", "again:mr"]);
    let second = house.look(&mr).await.head;
    assert_ne!(first, second);
    house.git("ada", &["push", "-q", "origin", ":mr"]);
    assert_eq!(house.look(&mr).await.head, second);
    assert_eq!(house.state().commit("refs/merge-requests/1/head").unwrap(), second);
}

#[tokio::test]
async fn a_sweep_names_open_ones_always_and_others_when_they_changed_since() {
    let house = House::furnished().await;
    house.branch("two", "b", "1\n");
    let (one, two) = (house.open("one").await, house.open_by("ada", "two", "two").await.unwrap());
    let sweep = async |since| {
        let (found, next) = house.forge.sweep(&house.repo, since).await.unwrap();
        (found.iter().map(|found| (found.mr.number, found.open)).collect::<Vec<_>>(), next)
    };
    let (found, cursor) = sweep(0).await;
    assert_eq!(found, [(1, true), (2, true)]);
    house.forge.close(&one).await.unwrap();
    let (found, cursor) = sweep(cursor).await;
    assert_eq!(found, [(1, false), (2, true)]);
    assert_eq!(sweep(cursor).await.0, [(2, true)]);
    house.clock.set(Time(1_700_000_001_000));
    house.forge.comment(&User::new("ada"), &one, "after all").await.unwrap();
    assert_eq!(sweep(cursor).await.0, [(1, false), (2, true)]);
    let _ = two;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let house = House::furnished().await;
    let mr = MrId { repo: house.repo.clone(), number: 9 };
    let error = house.forge.look(&mr, None).await.unwrap_err();
    assert_eq!((error.kind, error.to_string()), (ForgeErrorKind::NotFound, "no merge request dns!9; `trueup mr list` shows those there are".into()));
    let other = trueup::core::model::RepoId::new("other");
    assert_eq!(house.forge.sweep(&other, 0).await.unwrap_err().kind, ForgeErrorKind::NotFound);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    house.forge.comment(&User::new("grace"), &mr, "well").await.unwrap();
    assert_eq!(house.restarted().await.look(&mr, None).await.unwrap(), house.look(&mr).await);
}

#[tokio::test]
async fn a_merge_request_shows_its_newest_comments_and_takes_only_so_many() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let mut refused = None;
    for n in 0..1_001 {
        match house.forge.comment(&User::new("eve"), &mr, &n.to_string()).await {
            Ok(_) => {}
            Err(error) => refused = Some(error.to_string()),
        }
    }
    assert_snapshot!(refused.unwrap(), @"dns!1 has 1000 comments and takes no more; `trueup mr` and the page still carry every command");
    let shown = house.forge.page(&mr).await.unwrap().comments;
    assert_eq!((shown.len(), shown.last().unwrap().body.as_str()), (200, "999"));
}
