//! What people do in a repository on a real Gitea, by API and git.

use crate::{
    forges::{
        checkout::Checkout,
        world::{Hands, reaction},
    },
    harness::GiteaProject,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use trueup::ports::Reaction;

/// With which webhooks are signed.
pub const HOOK_SECRET: &str = "a secret of webhooks in tests, long enough";

/// What `docs/webhooks.md` says to send.
pub const EVENTS: [&str; 12] = [
    "push",
    "pull_request",
    "pull_request_assign",
    "pull_request_label",
    "pull_request_comment",
    "pull_request_review_approved",
    "pull_request_review_rejected",
    "pull_request_review_comment",
    "pull_request_sync",
    "issue_comment",
    "status",
    "repository",
];

pub struct Yard {
    pub project: GiteaProject,
    checkout: Checkout,
}

impl Yard {
    pub fn new(project: GiteaProject) -> Self {
        let of = project.clone();
        Self { project, checkout: Checkout::new(move |who| of.url(who)) }
    }

    /// Has Gitea tell an address what happens here.
    pub fn hook(&self, url: &str, secret: &str) {
        hook_at(&self.project, url, secret);
    }

    /// The first commit of `main`, by root.
    pub fn first(&self, files: &[(&str, &str)]) {
        self.checkout.first(files);
        // Gitea tells of a branch when its queue has come to the push.
        assert!(crate::harness::wait_for(Duration::from_secs(60), || self.tip("main").is_some()), "the first push was never told");
    }

    pub fn ask(&self, who: &str, method: &str, path: &str, body: Value) -> Value {
        self.project.ask(who, method, path, Some(body).filter(|body| !body.is_null()))
    }

    fn issue_label(&self, number: u64, name: &str) -> Option<i64> {
        let labels = self.ask("root", "GET", &format!("/issues/{number}/labels"), Value::Null);
        labels.as_array()?.iter().find(|label| label["name"] == name)?["id"].as_i64()
    }
}

/// Registers a hook as `docs/webhooks.md` says; its number.
pub fn hook_at(project: &GiteaProject, url: &str, secret: &str) -> u64 {
    let new = json!({ "type": "gitea", "active": true, "events": EVENTS, "config": { "url": url, "content_type": "json", "secret": secret } });
    project.ask("trueup", "POST", "/hooks", Some(new))["id"].as_u64().expect("an id")
}

impl Hands for Yard {
    fn push_as(&self, by: &str, author: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.checkout.pushed((by, author), branch, files, false)
    }

    fn force_push(&self, by: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.checkout.pushed((by, by), branch, files, true)
    }

    fn tip(&self, branch: &str) -> Option<String> {
        let (status, found) = self.project.try_ask("root", "GET", &format!("/branches/{}", branch.replace('/', "%2F")), None);
        (status == 200).then(|| found["commit"]["id"].as_str().expect("a commit").to_owned())
    }

    fn rename(&self, by: &str, branch: &str, to: &str) {
        self.checkout.rename(by, branch, to);
    }

    fn file(&self, branch: &str, path: &str) -> Option<String> {
        let (status, text) = self.project.try_ask("root", "GET", &format!("/raw/{path}?ref={branch}"), None);
        (status == 200).then(|| text.as_str().map_or_else(|| text.to_string(), str::to_owned))
    }

    fn open(&self, by: &str, branch: &str, title: &str, body: &str) -> u64 {
        let new = json!({ "title": title, "body": body, "head": branch, "base": "main" });
        self.ask(by, "POST", "/pulls", new)["number"].as_u64().expect("a number")
    }

    fn open_from_fork(&self, by: &str, branch: &str, files: &[(&str, &str)], title: &str) -> u64 {
        let fork = self.ask(by, "POST", "/forks", json!({ "name": format!("dns-{}", self.project.path.replace('/', "-")) }));
        let fork = GiteaProject { server: self.project.server, path: fork["full_name"].as_str().expect("it has one").to_owned() };
        self.checkout.pushed_to(&fork.url(by), by, branch, files);
        let new = json!({ "title": title, "head": format!("{by}:{branch}"), "base": "main" });
        self.ask(by, "POST", "/pulls", new)["number"].as_u64().expect("a number")
    }

    fn describe(&self, number: u64, by: &str, title: &str, body: &str) {
        self.ask(by, "PATCH", &format!("/pulls/{number}"), json!({ "title": title, "body": body }));
    }

    fn close(&self, number: u64, by: &str) {
        self.ask(by, "PATCH", &format!("/pulls/{number}"), json!({ "state": "closed" }));
    }

    fn reopen(&self, number: u64, by: &str) {
        self.ask(by, "PATCH", &format!("/pulls/{number}"), json!({ "state": "open" }));
    }

    fn merge(&self, number: u64, by: &str) {
        let mut last = (0, Value::Null);
        // Gitea computes for a moment whether it can.
        let merged = crate::harness::wait_for(Duration::from_secs(60), || {
            last = self.project.try_ask(by, "POST", &format!("/pulls/{number}/merge"), Some(json!({ "do": "merge" })));
            last.0 == 200
        });
        assert!(merged, "{last:?}");
    }

    fn retarget(&self, number: u64, by: &str, base: &str) {
        self.ask(by, "PATCH", &format!("/pulls/{number}"), json!({ "base": base }));
    }

    fn label(&self, number: u64, by: &str, label: &str, on: bool) {
        match (on, self.issue_label(number, label)) {
            (false, Some(id)) => drop(self.ask(by, "DELETE", &format!("/issues/{number}/labels/{id}"), Value::Null)),
            (false, None) | (true, Some(_)) => {}
            (true, None) => {
                let known = self.ask("root", "GET", "/labels?limit=50", Value::Null);
                let known = known.as_array().and_then(|all| all.iter().find(|one| one["name"] == label)?["id"].as_i64());
                let id = known.unwrap_or_else(|| self.ask("root", "POST", "/labels", json!({ "name": label, "color": "#ff0000" }))["id"].as_i64().expect("an id"));
                self.ask(by, "POST", &format!("/issues/{number}/labels"), json!({ "labels": [id] }));
            }
        }
    }

    fn labels(&self, number: u64) -> BTreeSet<String> {
        let labels = self.ask("root", "GET", &format!("/issues/{number}/labels"), Value::Null);
        labels.as_array().into_iter().flatten().map(|label| label["name"].as_str().expect("a name").to_owned()).collect()
    }

    fn comment(&self, number: u64, by: &str, body: &str) -> u64 {
        self.ask(by, "POST", &format!("/issues/{number}/comments"), json!({ "body": body }))["id"].as_u64().expect("an id")
    }

    fn edit_comment(&self, id: u64, by: &str, body: &str) {
        self.ask(by, "PATCH", &format!("/issues/comments/{id}"), json!({ "body": body }));
    }

    fn delete_comment(&self, id: u64, by: &str) {
        self.ask(by, "DELETE", &format!("/issues/comments/{id}"), Value::Null);
    }

    fn comments(&self, number: u64) -> Vec<(u64, String, String)> {
        let all = self.ask("root", "GET", &format!("/issues/{number}/comments"), Value::Null);
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        all.as_array().into_iter().flatten().map(|one| (one["id"].as_u64().expect("an id"), text(&one["user"]["login"]), text(&one["body"]))).collect()
    }

    fn reactions(&self, _: u64, comment: u64) -> Vec<(String, Reaction)> {
        let all = self.ask("root", "GET", &format!("/issues/comments/{comment}/reactions"), Value::Null);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut all: Vec<_> = all.as_array().into_iter().flatten().filter_map(|one| Some((text(&one["user"]["login"]), reaction(&text(&one["content"]))?))).collect();
        all.sort();
        all
    }

    fn approve(&self, number: u64, by: &str) {
        self.ask(by, "POST", &format!("/pulls/{number}/reviews"), json!({ "event": "APPROVED", "body": "good" }));
    }

    fn request_changes(&self, number: u64, by: &str) {
        self.ask(by, "POST", &format!("/pulls/{number}/reviews"), json!({ "event": "REQUEST_CHANGES", "body": "no" }));
    }

    fn dismiss(&self, number: u64, _by: &str, whose: &str) {
        let all = self.ask("root", "GET", &format!("/pulls/{number}/reviews"), Value::Null);
        let of = all.as_array().and_then(|all| all.iter().rfind(|review| review["user"]["login"] == whose)?["id"].as_i64()).expect("a review of theirs");
        // Only who administers the repository may.
        self.ask("trueup", "POST", &format!("/pulls/{number}/reviews/{of}/dismissals"), json!({ "message": "not so fast" }));
    }

    fn team(&self, name: &str, members: &[&str]) -> String {
        let (server, org) = (self.project.server, self.project.path.split('/').next().expect("it has an owner"));
        let id_of = |name: &str| {
            let all = server.ask("hand", "GET", &format!("/orgs/{org}/teams?limit=50"), None);
            all.as_array().and_then(|all| all.iter().find(|team| team["name"] == name)?["id"].as_i64())
        };
        // Gitea shows teams to those who are in the organisation, and their members to its owners.
        server.ask("hand", "PUT", &format!("/teams/{}/members/trueup", id_of("Owners").expect("every organisation has them")), None);
        let team = id_of(name).unwrap_or_else(|| {
            let new = json!({ "name": name, "permission": "read", "units": ["repo.code"] });
            server.ask("hand", "POST", &format!("/orgs/{org}/teams"), Some(new))["id"].as_i64().expect("an id")
        });
        for who in ["ana", "ben", "cleo", "root"] {
            let path = format!("/teams/{team}/members/{who}");
            match members.contains(&who) {
                true => drop(server.ask("hand", "PUT", &path, None)),
                false => drop(server.try_ask("hand", "DELETE", &path, None)),
            }
        }
        format!("{org}/{name}")
    }

    fn only_newest(&self, by: &str) {
        let rules = self.project.try_ask(by, "GET", "/branch_protections", None).1;
        let known = rules.as_array().is_some_and(|rules| rules.iter().any(|rule| rule["rule_name"] == "main"));
        let (method, path) = if known { ("PATCH", "/branch_protections/main") } else { ("POST", "/branch_protections") };
        self.ask(by, method, path, json!({ "rule_name": "main", "enable_push": true, "block_on_outdated_branch": true }));
    }

    fn status(&self, commit: &str, by: &str, context: &str, state: &str) {
        self.ask(by, "POST", &format!("/statuses/{commit}"), json!({ "context": context, "state": state, "description": "by hand" }));
    }

    fn statuses(&self, commit: &str) -> BTreeMap<String, (String, String)> {
        let all = self.ask("root", "GET", &format!("/commits/{commit}/status?limit=50"), Value::Null);
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        all["statuses"].as_array().into_iter().flatten().map(|one| (text(&one["context"]), (text(&one["status"]), text(&one["description"])))).collect()
    }
}
