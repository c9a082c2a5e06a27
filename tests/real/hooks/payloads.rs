//! What deliveries say: the vendors' published examples, and shapes that must not be believed.

use super::samples::{self, TIP};
use crate::harness::package;
use std::collections::BTreeMap;
use trueup::{
    core::model::{CommitId, Time},
    forges::hooks::{Dialect, Push, Reading, RepositoryNews, Subject, Unreadable, read},
};

fn gitlab(payload: &serde_json::Value) -> Reading {
    read(Dialect::GitLab, "ignored", payload.to_string().as_bytes()).expect("a payload of GitLab's shape")
}

fn gitea(event: &str, payload: &serde_json::Value) -> Reading {
    read(Dialect::Gitea, event, payload.to_string().as_bytes()).expect("a payload of Gitea's shape")
}

/// 2026-01-02T03:04:05Z.
const AT: Option<Time> = Some(Time(1_767_323_045_000));

fn ann() -> Option<Push> {
    Some(Push { commit: CommitId::new(TIP), with: Vec::new(), branch: "feature/www".into(), by: vec!["ann".into()] })
}

fn platform(about: Subject, at: Option<Time>, push: Option<Push>) -> Reading {
    Reading { projects: vec!["platform/dns".into()], about: Some(about), at, push }
}

#[test]
fn gitlab_says_which_merge_request_branch_or_commit_and_who_pushed() {
    let commit = || Subject::Commit(CommitId::new(TIP));
    assert_eq!(gitlab(&samples::gitlab_push()), platform(Subject::Branch("feature/www".into()), None, ann()));
    assert_eq!(gitlab(&samples::gitlab_merge_request()), platform(Subject::Mr(7), AT, ann()));
    assert_eq!(gitlab(&samples::gitlab_note()), platform(Subject::Mr(7), AT, None));
    assert_eq!(gitlab(&samples::gitlab_pipeline()), platform(commit(), AT, None));
    assert_eq!(gitlab(&samples::gitlab_note_on_an_issue()).about, None);
    let renamed = gitlab(&samples::gitlab_rename());
    assert_eq!((renamed.projects, renamed.about), (vec!["platform/names".into(), "platform/dns".into()], Some(Subject::Repository(RepositoryNews::Moved))));
}

#[test]
fn gitea_says_which_pull_request_branch_or_commit_and_who_pushed() {
    assert_eq!(gitea("push", &samples::gitea_push()), platform(Subject::Branch("feature/www".into()), AT, ann()));
    assert_eq!(gitea("pull_request", &samples::gitea_pull_request(7, TIP)), platform(Subject::Mr(7), AT, ann()));
    assert_eq!(gitea("pull_request_approved", &samples::gitea_review()), platform(Subject::Mr(7), AT, None));
    assert_eq!(gitea("issue_comment", &samples::gitea_comment(true)), platform(Subject::Mr(7), AT, None));
    assert_eq!(gitea("issue_comment", &samples::gitea_comment(false)).about, None);
    assert_eq!(gitea("status", &samples::gitea_status("ci/build")), platform(Subject::Commit(CommitId::new(TIP)), AT, None));
}

#[test]
fn a_push_names_what_came_with_its_tip() {
    let other = "b".repeat(40);
    for (dialect, mut payload) in [(Dialect::Gitea, samples::gitea_push()), (Dialect::GitHub, samples::gitea_push())] {
        payload["commits"] = serde_json::json!([{ "id": other }, { "id": TIP }, { "id": "no commit" }, {}, 7]);
        payload["pusher"]["name"] = "ann".into();
        payload["repository"]["name"] = "dns".into();
        let read = |payload: &serde_json::Value| read(dialect, "push", payload.to_string().as_bytes()).expect("a payload of its shape").push.expect("somebody pushed").with;
        assert_eq!(read(&payload), [CommitId::new(&*other)]);
        payload["commits"] = serde_json::json!("many");
        assert_eq!(read(&payload), []);
    }
}

#[test]
fn statuses_of_our_own_are_no_news() {
    assert_eq!(gitea("status", &samples::gitea_status("trueup/plan")).about, None);
}

#[test]
fn what_is_not_what_its_event_promises_is_unreadable_and_an_unknown_event_is_about_nothing() {
    let whole = samples::gitea_pull_request(7, TIP).to_string();
    let unreadable: [(&str, &[u8]); 7] = [
        ("pull_request", &whole.as_bytes()[..whole.len() / 2]),
        ("pull_request", b""),
        ("pull_request", b"[]"),
        ("pull_request", br#"{"number":"seven","pull_request":{}}"#),
        ("pull_request", br#"{"number":-7,"pull_request":{}}"#),
        ("pull_request", br#"{"number":7}"#),
        ("push", br#"{"repository":{"full_name":"platform/dns"}}"#),
    ];
    for (event, payload) in unreadable {
        assert!(matches!(read(Dialect::Gitea, event, payload), Err(Unreadable(_))), "{event}: {}", String::from_utf8_lossy(payload));
    }
    for event in ["fork", "release", "wiki", "", "pull request"] {
        assert_eq!(read(Dialect::Gitea, event, b"not even JSON"), Ok(Reading::default()), "{event}");
    }
    // GitLab's event stands in the payload.
    assert_eq!(gitlab(&serde_json::json!({ "object_kind": "feature_flag", "object_attributes": { "id": 6 } })), Reading::default());
    assert!(read(Dialect::GitLab, "Push Hook", b"{").is_err());
}

#[test]
fn tags_deleted_branches_and_hostile_names_leave_no_push() {
    let mut push = samples::gitea_push();
    push["ref"] = "refs/tags/v1".into();
    assert_eq!(gitea("push", &push).about, None);
    let mut gone = samples::gitea_push();
    gone["after"] = "0".repeat(40).into();
    assert_eq!((gitea("push", &gone).about, gitea("push", &gone).push), (Some(Subject::Branch("feature/www".into())), None));
    let mut long = samples::gitea_push();
    long["ref"] = format!("refs/heads/{}", "x".repeat(5000)).into();
    assert_eq!((gitea("push", &long).about, gitea("push", &long).push), (None, None));
    let mut odd = samples::gitea_push();
    odd["after"] = "HEAD; rm -rf /".into();
    assert_eq!(gitea("push", &odd).push, None);
}

#[test]
fn deep_and_odd_json_is_read_in_bounds() {
    let deep = format!(r#"{{"object_kind":"push","x":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    // Whatever it answers, it answers: no stack is the payload's to use up.
    let _ = read(Dialect::GitLab, "", deep.as_bytes());
    assert!(read(Dialect::GitLab, "", br#"{"object_kind":"push","object_kind":"note"}"#).is_err(), "one key twice is two stories");
}

/// GitHub's published examples, each event with its deliveries.
fn examples() -> BTreeMap<String, Vec<serde_json::Value>> {
    let path = package("@octokit/webhooks-examples", "7.6.1").join("api.github.com/index.json");
    let all: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(path).expect("the examples")).expect("JSON");
    all.into_iter().map(|of| (of["name"].as_str().expect("a name").to_owned(), of["examples"].as_array().expect("examples").clone())).collect()
}

#[test]
fn every_published_example_of_github_is_read() {
    let mut said = String::new();
    for (event, examples) in examples() {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for example in examples {
            let reading = read(Dialect::GitHub, &event, example.to_string().as_bytes()).unwrap_or_else(|error| panic!("{event}: {error}\n{example}"));
            let kind = match &reading.about {
                None => "nothing",
                Some(Subject::Mr(_)) => "a merge request",
                Some(Subject::Branch(_)) => "a branch",
                Some(Subject::Commit(_)) => "a commit",
                Some(Subject::Repository(RepositoryNews::Moved)) => "another place",
                Some(Subject::Repository(RepositoryNews::Deleted)) => "an end",
                Some(Subject::Repository(RepositoryNews::Changed)) => "a change of the repository",
            };
            if reading.about.is_some() {
                assert!(!reading.projects.is_empty(), "{event} names its project");
            }
            *kinds.entry(kind).or_default() += 1;
        }
        if kinds.keys().any(|kind| *kind != "nothing") {
            said += &format!("{event}: {kinds:?}\n");
        }
    }
    insta::assert_snapshot!(said);
}

#[test]
fn githubs_examples_say_who_pushed_and_what_a_repository_was_called_before() {
    let all = examples();
    let read = |event: &str, example: &serde_json::Value| read(Dialect::GitHub, event, example.to_string().as_bytes()).expect("an example");
    let moved = |example: &&serde_json::Value| example["action"] == "synchronize";
    let synced = all["pull_request"].iter().find(moved).expect("an example of a push to a pull request");
    let push = read("pull_request", synced).push.expect("somebody pushed");
    assert_eq!(push.commit.as_str(), synced["pull_request"]["head"]["sha"].as_str().expect("a sha"));
    assert_eq!(&*push.by[0], synced["sender"]["login"].as_str().expect("a login"));
    let mut renamed = all["repository"].iter().find(|example| example["action"] == "renamed").expect("an example").clone();
    // The published one was renamed to what it was called before.
    renamed["repository"]["full_name"] = "Octocoders/Hello-Moon".into();
    assert_eq!(read("repository", &renamed).projects, ["Octocoders/Hello-Moon", "Octocoders/Hello-World"].map(String::from));
    let transferred = all["repository"].iter().find(|example| example["action"] == "transferred").expect("an example");
    assert!(read("repository", transferred).projects[1].starts_with("octocat/"));
}
