//! Pull requests of our own: one for each key, kept, closed, and left alone once they are somebody's.

use super::{
    super::fake::Fault,
    office::{Office, PATH},
};
use trueup::{
    core::model::{CommitId, MrId, RepoId, User},
    ports::{ForgeReader, ForgeWriter, Proposal, Proposed},
};

fn proposal(office: &Office, text: &str) -> Proposal {
    Proposal {
        repo: RepoId::new("dns"),
        key: "drift".into(),
        branch: "trueup/drift".into(),
        title: "Adopt what drifted".into(),
        message: "adopt".into(),
        base: CommitId::new(office.fake.tip(PATH, "main").unwrap()),
        files: [("zone".into(), Some(text.as_bytes().to_vec()))].into(),
        asked_by: Some(User::new("ada")),
    }
}

fn mr(number: u64) -> MrId {
    MrId { repo: RepoId::new("dns"), number }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_open_at_a_time_and_holds_what_was_said_last() {
    let office = Office::empty().await;
    assert_eq!(office.hub.propose(&proposal(&office, "2")).await.unwrap(), Proposed::Open(mr(1)));
    assert_eq!(office.fake.file(PATH, "trueup/drift", "zone").unwrap(), "2");
    office.fake.calls();
    assert_eq!(office.restarted().propose(&proposal(&office, "2")).await.unwrap(), Proposed::Open(mr(1)));
    assert!(office.fake.calls().iter().all(|call| !call.writes()), "the same again writes nothing");
    assert_eq!(office.hub.propose(&proposal(&office, "3")).await.unwrap(), Proposed::Open(mr(1)));
    assert_eq!(office.fake.file(PATH, "trueup/drift", "zone").unwrap(), "3");
    let seen = office.hub.look(&mr(1), None).await.unwrap();
    assert_eq!((seen.proposed.as_deref(), seen.author_trusted), (Some("drift"), true));
    assert!(seen.pushers.contains(&User::new("ada")), "whoever had it made approves nothing: {:?}", seen.pushers);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_somebody_pushed_to_is_theirs() {
    let office = Office::empty().await;
    office.hub.propose(&proposal(&office, "2")).await.unwrap();
    let theirs = office.fake.push(PATH, "ada", "trueup/drift", &[("zone", "hand")]);
    assert_eq!(office.hub.propose(&proposal(&office, "3")).await.unwrap(), Proposed::Taken(mr(1)));
    assert_eq!(office.hub.withdraw(&RepoId::new("dns"), "drift", "gone").await.unwrap(), None);
    assert_eq!(office.fake.tip(PATH, "trueup/drift").unwrap(), theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_a_person_closed_stays_closed_until_it_says_something_else() {
    let office = Office::empty().await;
    office.hub.propose(&proposal(&office, "2")).await.unwrap();
    office.fake.close(PATH, 1, "ada");
    assert_eq!(office.hub.propose(&proposal(&office, "2")).await.unwrap(), Proposed::Declined(mr(1)));
    assert_eq!(office.hub.propose(&proposal(&office, "3")).await.unwrap(), Proposed::Open(mr(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_we_withdrew_may_come_again() {
    let office = Office::empty().await;
    office.hub.propose(&proposal(&office, "2")).await.unwrap();
    assert_eq!(office.hub.withdraw(&RepoId::new("dns"), "drift", "it is gone").await.unwrap(), Some(mr(1)));
    assert_eq!(office.hub.withdraw(&RepoId::new("dns"), "drift", "it is gone").await.unwrap(), None);
    assert_eq!(office.hub.propose(&proposal(&office, "2")).await.unwrap(), Proposed::Open(mr(2)));
    let state = office.fake.state();
    assert!(state.project(PATH).requests[&1].comments[0].body.ends_with("it is gone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_answer_is_lost_one_request_comes_of_it() {
    for what in ["/git/blobs", "/git/trees", "/git/commits", "/git/refs", "/pulls"] {
        let office = Office::empty().await;
        office.fake.fail(Fault::status(502).on("POST", what).once().done_first());
        assert!(office.hub.propose(&proposal(&office, "2")).await.is_err(), "{what}");
        assert_eq!(office.restarted().propose(&proposal(&office, "2")).await.unwrap(), Proposed::Open(mr(1)), "{what}");
        assert_eq!(office.fake.state().project(PATH).requests.len(), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_with_somebody_s_work_is_not_taken() {
    let office = Office::empty().await;
    let theirs = office.fake.push(PATH, "ada", "trueup/drift", &[("zone", "hand")]);
    let error = office.hub.propose(&proposal(&office, "2")).await.unwrap_err();
    assert!(error.what.contains("work of somebody else"), "{error}");
    assert_eq!(office.fake.tip(PATH, "trueup/drift").unwrap(), theirs);
}
