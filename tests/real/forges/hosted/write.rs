//! The face on a forge, and what is said once.

use super::{
    super::fake::{Fault, Wire},
    office::{Office, PATH},
};
use trueup::{
    core::review::{CommentId, Deployment, DeploymentState, Face, StatusState},
    ports::{ForgeErrorKind, Reaction, Shown},
};

/// The bodies of our comments, without their marks.
fn ours(office: &Office) -> Vec<String> {
    let state = office.fake.state();
    let comments = &state.project(PATH).requests[&1].comments;
    comments.iter().filter(|comment| comment.by == "trueup").map(|comment| comment.body.split_once("-->\n").unwrap().1.to_owned()).collect()
}

fn writes(office: &Office) -> Vec<String> {
    office.fake.calls().iter().filter(|call| call.writes()).map(|call| format!("{} {}", call.method, call.path.rsplit_once("/dns/").unwrap().1)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_face_is_made_once_and_then_only_what_differs() {
    let office = Office::furnished(Wire::GitHub).await;
    let mr = office.mr(1);
    let face = office.face("planning", StatusState::Pending);
    let shown = office.hub.show(&mr, &face, &Shown::default()).await.unwrap();
    let head = office.head();
    assert_eq!(writes(&office), [format!("POST statuses/{head}"), "POST issues/1/labels".into(), "POST issues/1/comments".into()]);
    assert_eq!(office.hub.show(&mr, &face, &shown).await.unwrap(), shown);
    assert_eq!(office.restarted().show(&mr, &face, &Shown::default()).await.unwrap(), shown, "a new process finds what is there");
    assert_eq!(writes(&office), Vec::<String>::new());
    let edit = office.face("rolling: 1 of 2", StatusState::Pending);
    let shown = office.hub.show(&mr, &edit, &shown).await.unwrap();
    let id = shown.comment.unwrap().0;
    assert_eq!(writes(&office), [format!("PATCH issues/comments/{id}")]);
    let done = office.face("done", StatusState::Success);
    office.hub.show(&mr, &done, &shown).await.unwrap();
    assert_eq!(
        writes(&office),
        [format!("POST statuses/{head}"), "POST issues/1/labels".into(), "DELETE issues/1/labels/trueup%3A%20rolling".into(), format!("PATCH issues/comments/{id}")]
    );
    assert_eq!(ours(&office), ["done"]);
    let state = office.fake.state();
    let status = state.project(PATH).statuses[head.as_str()].last().unwrap();
    assert_eq!((status.state.as_str(), status.link.clone().unwrap()), ("success", format!("{}/{PATH}/pull/1#issuecomment-{id}", office.fake.url)));
}

async fn a_comment_that_somebody_deleted_is_made_again_and_a_forged_one_is_left_alone(wire: Wire) {
    let office = Office::furnished(wire).await;
    let mr = office.mr(1);
    let forged = office.fake.comment(PATH, 1, "eve", "<!-- trueup:change dns!1 -->\nmine");
    let shown = office.hub.show(&mr, &office.face("one", StatusState::Pending), &Shown::default()).await.unwrap();
    assert_ne!(shown.comment, Some(CommentId(forged)));
    office.fake.delete_comment(PATH, 1, shown.comment.unwrap().0);
    let again = office.hub.show(&mr, &office.face("two", StatusState::Pending), &shown).await.unwrap();
    assert_ne!(again.comment, shown.comment);
    assert_eq!(ours(&office), ["two"]);
    assert!(office.fake.state().project(PATH).requests[&1].comments.iter().any(|comment| comment.id == forged && comment.body.ends_with("mine")));
}

async fn what_somebody_else_marked_as_said_by_us_is_said_all_the_same(wire: Wire) {
    let office = Office::furnished(wire).await;
    let mr = office.mr(1);
    office.hub.tell(&mr, "key", "told").await.unwrap();
    let marked = office.fake.state().project(PATH).requests[&1].comments[0].clone();
    office.fake.delete_comment(PATH, 1, marked.id);
    office.fake.comment(PATH, 1, "eve", &marked.body);
    office.restarted().tell(&mr, "key", "told").await.unwrap();
    assert_eq!(ours(&office), ["told"], "eve's words are not ours");
}

async fn a_run_is_one_deployment_of_its_head_to_each_target(wire: Wire) {
    let office = Office::furnished(wire).await;
    let mr = office.mr(1);
    let face = |environments: &[&str], state: DeploymentState| {
        let one = |name: &&str| Deployment { environment: (*name).into(), state, text: "1 of 2".into(), url: Some("https://trueup.example.com/changes/dns/1".into()) };
        Face { deployments: environments.iter().map(one).collect(), ..office.face("rolling", StatusState::Pending) }
    };
    let told = || {
        let state = office.fake.state();
        state
            .project(PATH)
            .deployments
            .iter()
            .map(|one| (one.environment.clone(), one.sha.clone(), one.states.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()))
            .collect::<Vec<_>>()
    };
    let (going, done, failed, off) = if wire == Wire::GitHub { ("in_progress", "success", "failure", "inactive") } else { ("running", "success", "failed", "canceled") };
    let first = office.head().to_string();
    assert!(office.hub.abilities(&mr.repo).deployments);
    office.hub.show(&mr, &face(&[], DeploymentState::InProgress), &Shown::default()).await.unwrap();
    assert_eq!(told(), [], "nothing is rolled out before a run began");
    office.fake.fail(Fault::status(502).on("POST", "/deployments").once().done_first());
    let rolling = face(&["inside", "outside"], DeploymentState::InProgress);
    assert!(office.hub.show(&mr, &rolling, &Shown::default()).await.is_err());
    let shown = office.restarted().show(&mr, &rolling, &Shown::default()).await.unwrap();
    let at = |environment: &str, sha: &str, states: &[&str]| (environment.to_owned(), sha.to_owned(), states.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(told(), [at("inside", &first, &[going]), at("outside", &first, &[going])], "what was lost on the way is found again");
    let calls = office.fake.calls();
    let mut said = calls.iter().filter(|call| call.method == "POST" && call.path.contains("/deployments/") && call.path.ends_with("/statuses"));
    assert!(said.all(|call| call.body["auto_inactive"] == false), "what others roll out there goes on");
    office.hub.show(&mr, &rolling, &shown).await.unwrap();
    assert!(office.fake.calls().iter().all(|call| !call.path.contains("/deployments")), "what is shown is not asked for");
    office.hub.show(&mr, &face(&["inside", "outside"], DeploymentState::Failure), &shown).await.unwrap();
    assert_eq!(told()[0], at("inside", &first, &[going, failed]));
    office.fake.push(PATH, "ada", "mr", &[("zone", "3\n")]);
    let second = office.head().to_string();
    let shown = office.hub.show(&mr, &face(&["inside"], DeploymentState::InProgress), &Shown::default()).await.unwrap();
    office.hub.show(&mr, &face(&["inside"], DeploymentState::Success), &shown).await.unwrap();
    assert_eq!(told()[2], at("inside", &second, &[going, done]));
    if wire == Wire::GitHub {
        assert_eq!(told()[0], at("inside", &first, &[going, failed, off]), "another head goes on");
        assert_eq!(office.fake.state().project(PATH).deployments[2].states[1].1.as_deref(), Some("https://trueup.example.com/changes/dns/1"));
    }
    // A token that may not is no reason to hold up the rest.
    office.fake.fail(Fault::status(403).on("GET", "/deployments"));
    office.restarted().show(&mr, &face(&["inside"], DeploymentState::Failure), &Shown::default()).await.unwrap();
}

async fn labels_of_people_stay(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.label(PATH, 1, "ada", "urgent", true);
    office.fake.label(PATH, 1, "ada", "trueup: merged", true);
    office.hub.show(&office.mr(1), &office.face("one", StatusState::Pending), &Shown::default()).await.unwrap();
    let labels: Vec<String> = office.fake.state().project(PATH).requests[&1].labels.iter().cloned().collect();
    assert_eq!(labels, ["trueup: rolling", "urgent"]);
}

async fn a_status_that_another_account_set_in_our_name_is_overruled(wire: Wire) {
    let office = Office::furnished(wire).await;
    let head = office.head();
    office.fake.state().status(PATH, head.as_str(), "ada", "trueup/plan", "pending", "1 update", None);
    office.hub.show(&office.mr(1), &office.face("one", StatusState::Pending), &Shown::default()).await.unwrap();
    let state = office.fake.state();
    assert_eq!(state.project(PATH).statuses[head.as_str()].last().unwrap().by, "trueup");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_thousands_of_items_leaves_room_for_the_status_that_ends_it() {
    let office = Office::furnished(Wire::GitHub).await;
    let (mr, head) = (office.mr(1), office.head());
    let at = |n: u32, state: StatusState| {
        let mut face = office.face("rolling", state);
        face.statuses[0].text = format!("{n} of 5000 written and proven");
        face
    };
    let of_plan = || {
        let state = office.fake.state();
        let all = state.project(PATH).statuses.get(head.as_str()).into_iter().flatten();
        all.map(|status| (status.state.clone(), status.text.clone())).collect::<Vec<_>>()
    };
    let mut shown = Shown::default();
    for n in 0..195 {
        office.fake.state().status(PATH, head.as_str(), "trueup", "trueup/plan", "pending", &format!("{n} of 5000 written and proven"), None);
    }
    for n in 195..208 {
        shown = office.hub.show(&mr, &at(n, StatusState::Pending), &shown).await.unwrap();
    }
    let said = of_plan();
    assert_eq!((said.len(), said[200].1.as_str(), said.last().unwrap().1.as_str()), (202, "200 of 5000 written and proven", "under way: the comment says how far"));
    shown = office.hub.show(&mr, &at(5000, StatusState::Success), &shown).await.unwrap();
    assert_eq!(of_plan().last().unwrap(), &("success".to_owned(), "5000 of 5000 written and proven".to_owned()));
    // Whoever else sets it a thousand times: the rest is shown.
    for n in 0..1000 {
        office.fake.state().status(PATH, head.as_str(), "ci", "trueup/plan", "pending", &n.to_string(), None);
    }
    let last = Face { comment: "<!-- trueup:change dns!1 -->\nmerged".into(), ..at(5000, StatusState::Success) };
    office.hub.show(&mr, &last, &shown).await.unwrap();
    assert_eq!(ours(&office), ["merged"]);
    // GitHub's description does not tell of it, its page does.
    assert_eq!(office.fake.wrong().len(), 1);
}

async fn whatever_is_lost_on_the_way_nothing_is_said_twice(wire: Wire) {
    let office = Office::furnished(wire).await;
    let mr = office.mr(1);
    let face = office.face("one", StatusState::Pending);
    let (labels, comments) = if wire == Wire::GitHub { (("POST", "/labels"), "issues/1/comments") } else { (("PUT", "/merge_requests/1"), "merge_requests/1/notes") };
    for (method, what) in [("POST", "/statuses"), labels, ("POST", comments)] {
        office.fake.fail(Fault::status(502).on(method, what).once().done_first());
    }
    let mut failed = 0;
    while let Err(error) = office.hub.show(&mr, &face, &Shown::default()).await {
        assert_eq!(error.kind, ForgeErrorKind::Unavailable);
        failed += 1;
        assert!(failed < 5);
    }
    assert_eq!(failed, 3);
    assert_eq!(ours(&office), ["one"]);
    let head = office.head();
    assert_eq!(office.fake.state().project(PATH).statuses[head.as_str()].len(), 1);
    let asked = office.fake.comment(PATH, 1, "ada", "/trueup help");
    office.fake.fail(Fault::status(502).on("POST", comments).once().done_first());
    assert!(office.hub.reply(&mr, CommentId(asked), "help").await.is_err());
    office.restarted().reply(&mr, CommentId(asked), "help").await.unwrap();
    office.fake.fail(Fault::status(502).on("POST", if wire == Wire::GitHub { "/reactions" } else { "/award_emoji" }).once().done_first());
    assert!(office.hub.react(&mr, CommentId(asked), Reaction::Seen).await.is_err());
    office.restarted().react(&mr, CommentId(asked), Reaction::Seen).await.unwrap();
    office.hub.tell(&mr, "key", "told").await.unwrap();
    office.restarted().tell(&mr, "key", "told").await.unwrap();
    assert_eq!(ours(&office), ["one", "help", "told"]);
    let state = office.fake.state();
    let comment = state.project(PATH).requests[&1].comments.iter().find(|comment| comment.id == asked).unwrap();
    assert!(comment.reactions.contains(&("trueup".into(), "eyes".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_deleted_comment_is_given_and_a_comment_that_is_too_long_is_said_to_be() {
    let office = Office::furnished(Wire::GitHub).await;
    let mr = office.mr(1);
    office.hub.reply(&mr, CommentId(4711), "too late").await.unwrap();
    assert_eq!(ours(&office), ["too late"]);
    let error = office.hub.tell(&mr, "long", &"x".repeat(65_537)).await.unwrap_err();
    assert_eq!(error.kind, ForgeErrorKind::Invalid);
    assert!(error.what.contains("65536"), "{error}");
}

super::on_both! {
    a_comment_that_somebody_deleted_is_made_again_and_a_forged_one_is_left_alone,
    what_somebody_else_marked_as_said_by_us_is_said_all_the_same,
    a_run_is_one_deployment_of_its_head_to_each_target,
    labels_of_people_stay,
    a_status_that_another_account_set_in_our_name_is_overruled,
    whatever_is_lost_on_the_way_nothing_is_said_twice,
}
