//! What people do in a repository of the local forge: by git and the server's own API.

use super::super::{checkout::Checkout, world::Hands};
use crate::harness::send;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use trueup::ports::Reaction;

pub struct LocalYard {
    /// `http://127.0.0.1:PORT`
    server: String,
    repo: String,
    checkout: Checkout,
}

impl LocalYard {
    pub fn new(server: &str, repo: &str) -> Self {
        let url = {
            let (server, repo) = (server.to_owned(), repo.to_owned());
            move |by: &str| format!("{}/git/{repo}.git", server.replace("http://", &format!("http://{by}:{by}-token@")))
        };
        Self { server: server.to_owned(), repo: repo.to_owned(), checkout: Checkout::new(url) }
    }

    /// The first commit of `main`, by root.
    pub fn first(&self, files: &[(&str, &str)]) {
        self.checkout.first(files);
    }

    fn ask(&self, by: &str, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/api/v1/repos/{}{path}", self.server, self.repo);
        let (status, text) = send(method, &url, Some(&format!("Bearer {by}-token")), body.as_ref()).expect("the server answers");
        assert!((200..300).contains(&status), "{method} {path} as {by}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn show(&self, number: u64) -> Value {
        self.ask("root", "GET", &format!("/mrs/{number}"), None)
    }
}

/// What a local forge has not.
fn nobody(does: &str) -> ! {
    panic!("on the local forge nobody {does}: a story that needs it says `not on local: …`")
}

impl Hands for LocalYard {
    fn push_as(&self, by: &str, author: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.checkout.pushed((by, author), branch, files, false)
    }

    fn force_push(&self, by: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.checkout.pushed((by, by), branch, files, true)
    }

    fn tip(&self, branch: &str) -> Option<String> {
        self.checkout.tip(branch)
    }

    fn rename(&self, by: &str, branch: &str, to: &str) {
        self.checkout.rename(by, branch, to);
    }

    fn file(&self, branch: &str, path: &str) -> Option<String> {
        self.checkout.file(branch, path)
    }

    fn open(&self, by: &str, branch: &str, title: &str, body: &str) -> u64 {
        let new = json!({ "source": branch, "title": title, "description": body, "draft": title.starts_with("WIP:") });
        self.ask(by, "POST", "/mrs", Some(new))["number"].as_u64().expect("a number")
    }

    fn open_from_fork(&self, _: &str, _: &str, _: &[(&str, &str)], _: &str) -> u64 {
        nobody("forks")
    }

    fn describe(&self, number: u64, by: &str, title: &str, body: &str) {
        let way = if title.starts_with("WIP:") { "draft" } else { "ready" };
        self.ask(by, "POST", &format!("/mrs/{number}/{way}"), Some(json!({})));
        self.ask(by, "POST", &format!("/mrs/{number}/description"), Some(json!({ "description": body })));
    }

    fn close(&self, number: u64, by: &str) {
        self.ask(by, "POST", &format!("/mrs/{number}/close"), Some(json!({})));
    }

    fn reopen(&self, number: u64, by: &str) {
        self.ask(by, "POST", &format!("/mrs/{number}/reopen"), Some(json!({})));
    }

    fn merge(&self, _: u64, _: &str) {
        nobody("merges but the server")
    }

    fn retarget(&self, _: u64, _: &str, _: &str) {
        nobody("sends a request elsewhere")
    }

    fn label(&self, number: u64, by: &str, label: &str, on: bool) {
        self.ask(by, "POST", &format!("/mrs/{number}/labels"), Some(json!({ if on { "add" } else { "remove" }: [label] })));
    }

    fn labels(&self, number: u64) -> BTreeSet<String> {
        let show = self.show(number);
        show["labels"].as_array().into_iter().flatten().filter_map(|label| label.as_str().map(str::to_owned)).collect()
    }

    fn comment(&self, number: u64, by: &str, body: &str) -> u64 {
        self.ask(by, "POST", &format!("/mrs/{number}/comments"), Some(json!({ "body": body })))["id"].as_u64().expect("an id")
    }

    fn edit_comment(&self, _: u64, _: &str, _: &str) {
        nobody("edits comments")
    }

    fn delete_comment(&self, _: u64, _: &str) {
        nobody("deletes comments")
    }

    fn comments(&self, number: u64) -> Vec<(u64, String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let show = self.show(number);
        show["comments"].as_array().into_iter().flatten().map(|one| (one["id"].as_u64().unwrap_or_default(), text(&one["by"]), text(&one["body"]))).collect()
    }

    fn reactions(&self, _: u64, _: u64) -> Vec<(String, Reaction)> {
        nobody("marks comments")
    }

    fn approve(&self, _: u64, _: &str) {
        nobody("reviews")
    }

    fn request_changes(&self, _: u64, _: &str) {
        nobody("reviews")
    }

    fn dismiss(&self, _: u64, _: &str, _: &str) {
        nobody("reviews")
    }

    fn team(&self, _: &str, _: &[&str]) -> String {
        nobody("is in a team of a forge's")
    }

    fn only_newest(&self, _: &str) {
        nobody("has such a rule")
    }

    fn status(&self, commit: &str, by: &str, context: &str, state: &str) {
        self.ask(by, "POST", &format!("/statuses/{commit}"), Some(json!({ "context": context, "state": state })));
    }

    fn statuses(&self, commit: &str) -> BTreeMap<String, (String, String)> {
        let all = self.ask("root", "GET", "/mrs", None);
        let numbers = all["changes"].as_array().into_iter().flatten().filter_map(|card| card["number"].as_u64());
        let Some(show) = numbers.map(|number| self.show(number)).find(|show| show["head"] == commit) else { return BTreeMap::new() };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        show["all_statuses"].as_array().into_iter().flatten().map(|one| (text(&one["context"]), (text(&one["state"]), text(&one["text"])))).collect()
    }
}
