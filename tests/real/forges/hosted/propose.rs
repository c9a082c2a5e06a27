//! Requests of our own: one for each key, kept, closed, and left alone once they are somebody's.

use super::{
    super::fake::{Fault, Wire, push_on},
    office::{Office, PATH},
};
use trueup::{
    core::model::{CommitId, MrId, RepoId, User},
    ports::{ForgeErrorKind, Proposal, Proposed},
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

async fn one_is_open_at_a_time_and_holds_what_was_said_last(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
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
    // Made anew by itself, or for somebody else, it is still of those before.
    for asked_by in [None, Some(User::new("root"))] {
        let text = format!("for {asked_by:?}");
        let anew = Proposal { asked_by, ..proposal(&office, &text) };
        assert_eq!(office.hub.propose(&anew).await.unwrap(), Proposed::Open(mr(1)));
    }
    let seen = office.hub.look(&mr(1), None).await.unwrap();
    assert!(seen.own_head && seen.pushers.is_superset(&["ada", "root"].map(User::new).into()), "{:?}", seen.pushers);
}

async fn one_that_somebody_pushed_to_is_theirs(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
    office.hub.propose(&proposal(&office, "2")).await.unwrap();
    let theirs = office.fake.push(PATH, "ada", "trueup/drift", &[("zone", "hand")]);
    assert_eq!(office.hub.propose(&proposal(&office, "3")).await.unwrap(), Proposed::Taken(mr(1)));
    assert_eq!(office.hub.withdraw(&RepoId::new("dns"), "drift", "gone").await.unwrap(), None);
    assert_eq!(office.fake.tip(PATH, "trueup/drift").unwrap(), theirs);
}

async fn whoever_asked_for_it_and_what_it_is_stay_known_under_what_others_push(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
    office.hub.propose(&proposal(&office, "2")).await.unwrap();
    assert!(office.hub.look(&mr(1), None).await.unwrap().own_head);
    office.fake.push(PATH, "root", "trueup/drift", &[("more", "hand")]);
    let seen = office.hub.look(&mr(1), None).await.unwrap();
    assert!(seen.pushers.is_superset(&["ada", "root"].map(User::new).into()), "{:?}", seen.pushers);
    assert_eq!((seen.proposed.as_deref(), seen.own_head), (Some("drift"), false));
}

async fn whoever_signs_as_the_server_has_pushed_all_the_same(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
    office.hub.propose(&proposal(&office, "2")).await.unwrap();
    office.fake.push_as(PATH, "root", "trueup", "trueup/drift", &[("more", "hand")]);
    let seen = office.hub.look(&mr(1), None).await.unwrap();
    assert!(!seen.own_head && seen.pushers.contains(&User::new("root")), "{seen:?}");
}

async fn one_that_somebody_amended_is_theirs(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
    office.hub.propose(&proposal(&office, "2")).await.unwrap();
    let theirs = office.fake.amend(PATH, "root", "trueup/drift", &[("more", "hand")]);
    for text in ["2", "3"] {
        assert_eq!(office.hub.propose(&proposal(&office, text)).await.unwrap(), Proposed::Taken(mr(1)), "it keeps our message and is not ours");
    }
    assert_eq!(office.hub.withdraw(&RepoId::new("dns"), "drift", "gone").await.unwrap(), None);
    assert_eq!(office.fake.tip(PATH, "trueup/drift").unwrap(), theirs);
}

async fn what_is_pushed_while_it_is_decided_is_not_overwritten(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
    office.hub.propose(&proposal(&office, "2")).await.unwrap();
    // After the branch was read, before it is moved.
    let push = Fault::meanwhile(|state| drop(push_on(state, PATH, "ada", "trueup/drift", &[("zone", "hand")])));
    office.fake.fail(push.on("GET", "?state=all"));
    let error = office.hub.propose(&proposal(&office, "3")).await.unwrap_err();
    assert!(error.kind == ForgeErrorKind::Conflict && error.what.contains("moved meanwhile"), "{error}");
    assert_eq!(office.fake.file(PATH, "trueup/drift", "zone").unwrap(), "hand");
    assert_eq!(office.hub.propose(&proposal(&office, "3")).await.unwrap(), Proposed::Taken(mr(1)));
}

async fn one_that_somebody_pushed_to_before_it_was_open_is_theirs(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
    let path = if wire == Wire::GitHub { "/pulls" } else { "/merge_requests" };
    office.fake.fail(Fault::meanwhile(|state| drop(push_on(state, PATH, "ada", "trueup/drift", &[("zone", "hand")]))).on("POST", path));
    assert_eq!(office.hub.propose(&proposal(&office, "2")).await.unwrap(), Proposed::Taken(mr(1)));
}

async fn one_that_a_person_closed_stays_closed_until_it_says_something_else(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
    office.hub.propose(&proposal(&office, "2")).await.unwrap();
    office.fake.close(PATH, 1, "ada");
    assert_eq!(office.hub.propose(&proposal(&office, "2")).await.unwrap(), Proposed::Declined(mr(1)));
    assert_eq!(office.hub.propose(&proposal(&office, "3")).await.unwrap(), Proposed::Open(mr(2)));
}

async fn one_that_we_withdrew_may_come_again(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
    office.hub.propose(&proposal(&office, "2")).await.unwrap();
    assert_eq!(office.hub.withdraw(&RepoId::new("dns"), "drift", "it is gone").await.unwrap(), Some(mr(1)));
    assert_eq!(office.hub.withdraw(&RepoId::new("dns"), "drift", "it is gone").await.unwrap(), None);
    assert_eq!(office.hub.propose(&proposal(&office, "2")).await.unwrap(), Proposed::Open(mr(2)));
    let state = office.fake.state();
    assert!(state.project(PATH).requests[&1].comments[0].body.ends_with("it is gone"));
}

async fn whatever_answer_is_lost_one_request_comes_of_it(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
    let path = if wire == Wire::GitHub { "/pulls" } else { "/merge_requests" };
    office.fake.fail(Fault::status(502).on("POST", path).once().done_first());
    assert!(office.hub.propose(&proposal(&office, "2")).await.is_err());
    assert_eq!(office.restarted().propose(&proposal(&office, "2")).await.unwrap(), Proposed::Open(mr(1)));
    assert_eq!(office.fake.state().project(PATH).requests.len(), 1);
}

async fn a_branch_with_somebody_s_work_is_not_taken(wire: Wire) {
    let office = Office::empty(wire).await;
    office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap();
    let theirs = office.fake.push(PATH, "ada", "trueup/drift", &[("zone", "hand")]);
    let error = office.hub.propose(&proposal(&office, "2")).await.unwrap_err();
    assert!(error.what.contains("holds somebody's commits"), "{error}");
    assert_eq!(office.fake.tip(PATH, "trueup/drift").unwrap(), theirs);
}

super::on_both! {
    one_is_open_at_a_time_and_holds_what_was_said_last,
    one_that_somebody_pushed_to_is_theirs,
    whoever_asked_for_it_and_what_it_is_stay_known_under_what_others_push,
    whoever_signs_as_the_server_has_pushed_all_the_same,
    one_that_somebody_amended_is_theirs,
    what_is_pushed_while_it_is_decided_is_not_overwritten,
    one_that_somebody_pushed_to_before_it_was_open_is_theirs,
    one_that_a_person_closed_stays_closed_until_it_says_something_else,
    one_that_we_withdrew_may_come_again,
    whatever_answer_is_lost_one_request_comes_of_it,
    a_branch_with_somebody_s_work_is_not_taken,
}
