//! Merging: pinned, by the repository's method, once, with every refusal told.

use super::{
    super::fake::{Call, Fault, Linear, Method, Protection, Role, Wire, push_on},
    office::{Office, PATH},
};
use trueup::{
    core::{
        model::{CommitId, User},
        review::MrState,
        run::MergeAnswer,
    },
    ports::ForgeErrorKind,
};

async fn a_merge_is_pinned_and_read_back(wire: Wire) {
    let office = Office::furnished(wire).await;
    let ticket = office.ticket().await;
    let answer = office.hub.merge(ticket.clone()).await.unwrap();
    let tip = CommitId::new(office.fake.tip(PATH, "main").unwrap());
    let wanted = MergeAnswer::Merged { commit: tip.clone(), parents: vec![ticket.base().clone(), ticket.head().clone()], tree: ticket.tree().clone() };
    assert_eq!(answer, wanted);
    let sent = office.fake.calls().into_iter().find(|call| call.method == "PUT").unwrap();
    assert_eq!(sent.body["sha"].as_str(), Some(ticket.head().as_str()));
    assert_eq!(office.look().await.state, MrState::Merged { commit: tip, by: User::new("trueup"), with: None });
    assert_eq!(office.restarted().merge(ticket).await.unwrap(), wanted, "the same ticket again finds its merge");
}

async fn a_merge_whose_answer_is_lost_is_found_and_not_made_again(wire: Wire) {
    let office = Office::furnished(wire).await;
    let ticket = office.ticket().await;
    office.fake.fail(Fault::status(504).on("PUT", "/merge").once().done_first());
    let MergeAnswer::Merged { tree, .. } = office.hub.merge(ticket.clone()).await.unwrap() else { panic!("it was merged") };
    assert_eq!(tree, *ticket.tree());
    assert_eq!(office.fake.calls().iter().filter(|call| call.method == "PUT").count(), 1);
}

async fn the_repository_s_only_method_is_used(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.state().project_mut(PATH).methods = [Method::Squash].into();
    let ticket = office.ticket().await;
    let MergeAnswer::Merged { parents, tree, .. } = office.hub.merge(ticket.clone()).await.unwrap() else { panic!("it was merged") };
    assert_eq!((parents, &tree), (vec![ticket.base().clone()], ticket.tree()));
    office.fake.state().project_mut(PATH).methods.clear();
}

async fn nothing_is_merged_when_head_or_base_moved_or_it_is_closed(wire: Wire) {
    for (what, happens) in [
        ("head", (|office| drop(office.fake.push(PATH, "ada", "mr", &[("zone", "3\n")]))) as fn(&Office)),
        ("base", |office| drop(office.fake.push(PATH, "root", "main", &[("new", "1\n")]))),
        ("closed", |office| office.fake.close(PATH, 1, "ada")),
        ("merged by another", |office| drop(office.fake.merge(PATH, 1, "root"))),
    ] {
        let office = Office::furnished(wire).await;
        let ticket = office.ticket().await;
        happens(&office);
        let tip = office.fake.tip(PATH, "main");
        let answer = office.hub.merge(ticket).await.unwrap();
        assert!(matches!(answer, MergeAnswer::Moved { .. }), "{what}: {answer:?}");
        assert_eq!(office.fake.tip(PATH, "main"), tip, "{what}");
        assert!(office.fake.calls().iter().all(|call| call.method != "PUT"), "{what}: it asked for the merge");
    }
}

async fn a_head_that_moves_at_the_last_moment_is_refused_by_the_pin(wire: Wire) {
    let office = Office::furnished(wire).await;
    let ticket = office.ticket().await;
    office.fake.fail(Fault::status(409).on("PUT", "/merge").once());
    assert!(matches!(office.hub.merge(ticket).await.unwrap(), MergeAnswer::Moved { .. }));
}

async fn what_lands_on_a_base_that_moved_at_the_last_moment_is_told_as_it_landed(wire: Wire) {
    let office = Office::furnished(wire).await;
    let ticket = office.ticket().await;
    // Neither forge pins the base: what landed is read, and whoever asked sees another tree than the one that was proven.
    office.fake.fail(Fault::meanwhile(|state| drop(push_on(state, PATH, "root", "main", &[("new", "1\n")]))).on("PUT", "/merge"));
    let MergeAnswer::Merged { parents, tree, .. } = office.hub.merge(ticket.clone()).await.unwrap() else { panic!("it landed") };
    assert!(parents[0] != *ticket.base() && parents[1] == *ticket.head() && tree != *ticket.tree());
}

async fn what_is_sent_to_another_branch_is_not_merged_and_at_the_last_moment_told_to_be_there(wire: Wire) {
    let office = Office::furnished(wire).await;
    let ticket = office.ticket().await;
    assert_eq!(ticket.into_branch().map(|into| &**into), Some("main"));
    let main = office.fake.tip(PATH, "main").unwrap();
    // Its tip is the same commit, so that neither head nor base tells.
    office.fake.branch(PATH, "release", &main);
    office.fake.retarget(PATH, 1, "ada", "release");
    let MergeAnswer::Moved { why } = office.hub.merge(ticket.clone()).await.unwrap() else { panic!("it goes elsewhere") };
    assert!(why.contains("goes to `release` by now, not to `main`"), "{why}");
    assert!(office.fake.calls().iter().all(|call| call.method != "PUT"), "it asked for the merge");
    office.fake.retarget(PATH, 1, "ada", "main");
    office.fake.fail(Fault::meanwhile(|state| state.request_mut(PATH, 1).target = "release".into()).on("PUT", "/merge"));
    let landed = office.hub.merge(ticket.clone()).await.unwrap();
    let release = CommitId::new(office.fake.tip(PATH, "release").unwrap());
    assert_eq!(landed, MergeAnswer::Elsewhere { commit: release, branch: "release".into() });
    assert_eq!(office.fake.tip(PATH, "main"), Some(main));
    // Asked again, after an answer that was lost, it is told again.
    assert_eq!(office.hub.merge(ticket).await.unwrap(), landed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_the_repository_is_told_and_asked_again() {
    let office = Office::furnished(Wire::GitHub).await;
    let rules = Protection { required_statuses: ["trueup/converged".to_owned()].into(), for_admins: true, ..Protection::default() };
    office.fake.protect(PATH, "main", rules);
    let ticket = office.ticket().await;
    let MergeAnswer::Refused { transient: true, why } = office.hub.merge(ticket.clone()).await.unwrap() else { panic!("it lacks a status") };
    assert!(why.contains("Required status check \"trueup/converged\" is expected."), "{why}");
    assert_eq!(asked(&office.fake.calls()), ["merge"], "another way would be refused as well, or be another than is meant");
    let head = office.head();
    office.fake.state().status(PATH, head.as_str(), "trueup", "trueup/converged", "success", "", None);
    assert!(matches!(office.hub.merge(ticket).await.unwrap(), MergeAnswer::Merged { .. }));
}

/// The methods by which GitHub was asked to merge.
fn asked(calls: &[Call]) -> Vec<&str> {
    calls.iter().filter(|call| call.method == "PUT" && call.path.ends_with("/merge")).filter_map(|call| call.body["merge_method"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_takes_no_merge_commits_is_merged_by_another_way_that_it_allows() {
    let told = Protection { linear: Linear::Told, ..Protection::default() };
    let untold = Protection { linear: Linear::Untold, ..Protection::default() };
    let ways = Protection { ways: [Method::Squash].into(), ..Protection::default() };
    for (rules, wanted) in [(told.clone(), &["squash"][..]), (untold, &["merge", "squash"]), (ways, &["squash"])] {
        let office = Office::furnished(Wire::GitHub).await;
        office.fake.protect(PATH, "main", rules.clone());
        let ticket = office.ticket().await;
        let MergeAnswer::Merged { parents, tree, .. } = office.hub.merge(ticket.clone()).await.unwrap() else { panic!("{rules:?}: it was merged") };
        assert_eq!((parents, &tree), (vec![ticket.base().clone()], ticket.tree()), "{rules:?}");
        assert_eq!(asked(&office.fake.calls()), wanted, "{rules:?}");
    }
    let office = Office::furnished(Wire::GitHub).await;
    office.fake.protect(PATH, "main", told);
    office.fake.state().project_mut(PATH).methods = [Method::Merge].into();
    let ticket = office.ticket().await;
    let MergeAnswer::Refused { transient: true, why } = office.hub.merge(ticket).await.unwrap() else { panic!("no way is left") };
    assert!(why.contains("the rules of `main` leave no way to merge; allow"), "{why}");
    assert_eq!(asked(&office.fake.calls()), [""; 0]);
}

async fn what_is_behind_is_told_where_the_forge_takes_only_what_is_not(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.state().project_mut(PATH).roles.insert("trueup".into(), Role::Admin);
    office.fake.protect(PATH, "main", Protection::default());
    office.fake.push(PATH, "root", "main", &[("new", "1\n")]);
    assert_eq!(office.look().await.behind, None, "a merge commit takes it");
    for how in [Linear::Told, Linear::Untold] {
        office.fake.state().project_mut(PATH).up_to_date = how;
        let why = office.look().await.behind.expect("it lacks the newest");
        assert!(why.contains("up to date") || why.contains("semi-linear"), "{why}");
    }
    office.fake.force_push(PATH, "ada", "mr", &[("zone", "2\n")]);
    assert_eq!(office.look().await.behind, None, "it was rebased");
}

async fn what_came_with_the_merge_of_another_says_whose(wire: Wire) {
    let office = Office::furnished(wire).await;
    let low = office.head();
    office.fake.branch(PATH, "high", low.as_str());
    office.fake.push(PATH, "ada", "high", &[("other", "1\n")]);
    let number = office.fake.open(PATH, "ada", "high", "More");
    let high = office.hub.look(&office.mr(number), None).await.unwrap();
    let MergeAnswer::Merged { commit, .. } = office.hub.merge(office.ticket_of(&high)).await.unwrap() else { panic!("it was merged") };
    let with = Some(office.mr(number));
    assert_eq!(office.look().await.state, MrState::Merged { commit: commit.clone(), by: User::new("trueup"), with });
    // Its own is its own.
    let state = office.hub.look(&office.mr(number), None).await.unwrap().state;
    assert_eq!(state, MrState::Merged { commit, by: User::new("trueup"), with: None });
}

/// What a forge says to a merge, and where that leads: `None` is on to planning, else whether it is asked again.
async fn leads(wire: Wire, status: u16, transient: Option<bool>) {
    let office = Office::furnished(wire).await;
    let ticket = office.ticket().await;
    office.fake.fail(Fault::status(status).on("PUT", "/merge"));
    match (office.hub.merge(ticket).await.unwrap(), transient) {
        (MergeAnswer::Moved { .. }, None) => {}
        (MergeAnswer::Refused { transient, why }, Some(wanted)) => {
            assert_eq!(transient, wanted, "{status}: {why}");
            assert!(why.contains(&status.to_string()), "{why}");
        }
        (other, _) => panic!("{status}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_says_to_a_merge_leads_where_it_should() {
    for (status, transient) in [(403, Some(false)), (404, Some(false)), (405, Some(true)), (409, None), (422, Some(true)), (429, Some(true)), (503, Some(true))] {
        leads(Wire::GitHub, status, transient).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gitlab_says_to_a_merge_leads_where_it_should() {
    // It says 401 to an account that it knows and that may not merge there.
    for (status, transient) in
        [(400, Some(false)), (401, Some(false)), (403, Some(false)), (404, Some(false)), (405, Some(true)), (409, None), (422, Some(true)), (429, Some(true)), (503, Some(true))]
    {
        leads(Wire::GitLab, status, transient).await;
    }
}

async fn a_token_that_was_revoked_before_the_merge_is_said_to_be(wire: Wire) {
    let office = Office::furnished(wire).await;
    let ticket = office.ticket().await;
    office.fake.revoke("trueup", true);
    let error = office.hub.merge(ticket).await.unwrap_err();
    assert_eq!(error.kind, ForgeErrorKind::Stranger);
    assert!(error.what.contains("make a new one"), "{error}");
}

super::on_both! {
    what_came_with_the_merge_of_another_says_whose,
    what_is_behind_is_told_where_the_forge_takes_only_what_is_not,
    a_merge_is_pinned_and_read_back,
    a_merge_whose_answer_is_lost_is_found_and_not_made_again,
    the_repository_s_only_method_is_used,
    nothing_is_merged_when_head_or_base_moved_or_it_is_closed,
    a_head_that_moves_at_the_last_moment_is_refused_by_the_pin,
    what_lands_on_a_base_that_moved_at_the_last_moment_is_told_as_it_landed,
    what_is_sent_to_another_branch_is_not_merged_and_at_the_last_moment_told_to_be_there,
    a_token_that_was_revoked_before_the_merge_is_said_to_be,
}
