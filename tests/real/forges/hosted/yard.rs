//! What people do in one repository of a fake forge: it happens in its state.

use crate::forges::{
    fake::{FakeForge, Linear, Role, Verdict},
    world::{Hands, reaction},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use trueup::ports::Reaction;

pub struct FakeYard {
    pub fake: Arc<FakeForge>,
    pub path: String,
}

impl FakeYard {
    /// The request that a comment is in.
    fn of_comment(&self, id: u64) -> u64 {
        let state = self.fake.state();
        state.project(&self.path).requests.values().find(|request| request.comments.iter().any(|comment| comment.id == id)).expect("somebody wrote it").number
    }
}

impl Hands for FakeYard {
    fn push_as(&self, by: &str, author: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.fake.push_as(&self.path, by, author, branch, files)
    }

    fn force_push(&self, by: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.fake.force_push(&self.path, by, branch, files)
    }

    fn tip(&self, branch: &str) -> Option<String> {
        self.fake.tip(&self.path, branch)
    }

    fn rename(&self, by: &str, branch: &str, to: &str) {
        self.fake.rename_branch(&self.path, by, branch, to);
    }

    fn file(&self, branch: &str, path: &str) -> Option<String> {
        self.fake.file(&self.path, branch, path)
    }

    fn open(&self, by: &str, branch: &str, title: &str, body: &str) -> u64 {
        let number = self.fake.open_from(&self.path, &self.path, by, branch, title, body);
        // Where a button says it, people who write it press the button.
        if title.starts_with("WIP:") {
            self.fake.draft(&self.path, number, by, true);
        }
        number
    }

    fn open_from_fork(&self, by: &str, branch: &str, files: &[(&str, &str)], title: &str) -> u64 {
        let fork = self.fake.fork(&self.path, by);
        // As open as what it was made from: whoever may read there reads here.
        let readers = ["ana", "ben", "cleo", "root", "trueup"].map(|who| (who.to_owned(), Role::Read));
        self.fake.state().project_mut(&fork).roles.extend(readers);
        self.fake.push(&fork, by, branch, files);
        self.fake.open_from(&self.path, &fork, by, branch, title, "")
    }

    fn describe(&self, number: u64, by: &str, title: &str, body: &str) {
        // Where a button says it, people who write it press the button.
        self.fake.draft(&self.path, number, by, title.starts_with("WIP:"));
        let mut state = self.fake.state();
        let request = state.request_mut(&self.path, number);
        (request.title, request.body) = (title.to_owned(), body.to_owned());
    }

    fn close(&self, number: u64, by: &str) {
        self.fake.close(&self.path, number, by);
    }

    fn reopen(&self, number: u64, by: &str) {
        self.fake.reopen(&self.path, number, by);
    }

    fn merge(&self, number: u64, by: &str) {
        self.fake.merge(&self.path, number, by);
    }

    fn retarget(&self, number: u64, by: &str, base: &str) {
        self.fake.retarget(&self.path, number, by, base);
    }

    fn label(&self, number: u64, by: &str, label: &str, on: bool) {
        self.fake.label(&self.path, number, by, label, on);
    }

    fn labels(&self, number: u64) -> BTreeSet<String> {
        self.fake.state().request_mut(&self.path, number).labels.clone()
    }

    fn comment(&self, number: u64, by: &str, body: &str) -> u64 {
        self.fake.comment(&self.path, number, by, body)
    }

    fn edit_comment(&self, id: u64, _: &str, body: &str) {
        self.fake.edit_comment(&self.path, self.of_comment(id), id, body);
    }

    fn delete_comment(&self, id: u64, _: &str) {
        self.fake.delete_comment(&self.path, self.of_comment(id), id);
    }

    fn comments(&self, number: u64) -> Vec<(u64, String, String)> {
        let mut state = self.fake.state();
        state.request_mut(&self.path, number).comments.iter().map(|comment| (comment.id, comment.by.clone(), comment.body.clone())).collect()
    }

    fn reactions(&self, number: u64, comment: u64) -> Vec<(String, Reaction)> {
        let mut state = self.fake.state();
        let found = state.request_mut(&self.path, number).comments.iter().find(|one| one.id == comment).expect("it is there");
        let mut all: Vec<_> = found.reactions.iter().filter_map(|(who, name)| Some((who.clone(), reaction(name)?))).collect();
        all.sort();
        all
    }

    fn approve(&self, number: u64, by: &str) {
        self.fake.review(&self.path, number, by, Verdict::Approved);
    }

    fn request_changes(&self, number: u64, by: &str) {
        self.fake.review(&self.path, number, by, Verdict::ChangesRequested);
    }

    fn dismiss(&self, number: u64, _: &str, whose: &str) {
        let last = self.fake.state().request_mut(&self.path, number).reviews.iter().rfind(|review| review.by == whose).map(|review| review.id);
        self.fake.dismiss(&self.path, number, last.expect("they reviewed it"));
    }

    fn team(&self, name: &str, members: &[&str]) -> String {
        let owner = self.path.split('/').next().expect("a project has an owner");
        self.fake.team(&format!("{owner}/{name}"), members)
    }

    fn only_newest(&self, _: &str) {
        self.fake.state().project_mut(&self.path).up_to_date = Linear::Told;
    }

    fn status(&self, commit: &str, by: &str, context: &str, state: &str) {
        self.fake.state().status(&self.path, commit, by, context, state, "", None);
    }

    fn statuses(&self, commit: &str) -> BTreeMap<String, (String, String)> {
        let state = self.fake.state();
        let all = state.project(&self.path).statuses.get(commit).into_iter().flatten();
        all.map(|status| (status.context.clone(), (status.state.clone(), status.text.clone()))).collect()
    }
}
