//! The table's world over a fake forge: what people do there happens in its state.

use super::{
    super::{
        fake::{FakeForge, Role, Verdict, Wire},
        world::{ForgeWorld, reaction},
    },
    office::{PATH, driver},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::runtime::Runtime;
use trueup::{
    app::Forge,
    core::{
        model::{RepoId, User},
        review::Right,
    },
    git::GitRepo,
    ports::{People, Reaction, StateRepo},
};

/// What the server's configuration says of people.
pub struct Lists;

impl People for Lists {
    fn right(&self, _: &RepoId, who: &User) -> Right {
        match who.as_str() {
            "root" => Right::Admin,
            "ben" => Right::Approve,
            _ => Right::None,
        }
    }

    fn by_email(&self, _: &str) -> Option<User> {
        None
    }

    fn by_login(&self, login: &str) -> User {
        User::new(login.to_lowercase())
    }
}

pub struct FakeWorld {
    driver: Box<dyn Forge>,
    fake: FakeForge,
    wire: Wire,
    folder: tempfile::TempDir,
    /// The forge answers in its own threads, whatever the table does in its.
    threads: Runtime,
}

impl FakeWorld {
    pub fn new(wire: Wire) -> Self {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let fake = threads.block_on(FakeForge::start(wire));
        let writers = ["ana", "ben", "cleo", "root", "trueup"].map(|who| (who, Role::Write));
        let roles: Vec<(&str, Role)> = writers.into_iter().chain([("mallory", Role::Read)]).collect();
        fake.project(PATH, &roles, &[("README.md", "desired state\n"), ("zones/base.yaml", "base: 1\n")]);
        let driver = made(&threads, wire, &fake, &folder);
        Self { driver, fake, wire, folder, threads }
    }

    /// The request that a comment is in.
    fn of_comment(&self, id: u64) -> u64 {
        let state = self.fake.state();
        state.project(PATH).requests.values().find(|request| request.comments.iter().any(|comment| comment.id == id)).expect("somebody wrote it").number
    }
}

fn made(threads: &Runtime, wire: Wire, fake: &FakeForge, folder: &tempfile::TempDir) -> Box<dyn Forge> {
    let _inside = threads.enter();
    driver(wire, fake, folder.path().join("mirror.git"), Arc::new(Lists))
}

impl ForgeWorld for FakeWorld {
    fn driver(&self) -> &dyn Forge {
        &*self.driver
    }

    fn restarted(&self) -> Box<dyn Forge> {
        made(&self.threads, self.wire, &self.fake, &self.folder)
    }

    fn path(&self) -> String {
        PATH.to_owned()
    }

    fn repo(&self) -> RepoId {
        RepoId::new("dns")
    }

    fn state(&self) -> Arc<dyn StateRepo> {
        Arc::new(GitRepo::open(&self.folder.path().join("mirror.git")).expect("the driver made it"))
    }

    fn push_as(&self, by: &str, author: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.fake.push_as(PATH, by, author, branch, files)
    }

    fn force_push(&self, by: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.fake.force_push(PATH, by, branch, files)
    }

    fn tip(&self, branch: &str) -> Option<String> {
        self.fake.tip(PATH, branch)
    }

    fn open(&self, by: &str, branch: &str, title: &str, body: &str) -> u64 {
        self.fake.open_from(PATH, PATH, by, branch, title, body)
    }

    fn open_from_fork(&self, by: &str, branch: &str, files: &[(&str, &str)], title: &str) -> u64 {
        let fork = self.fake.fork(PATH, by);
        self.fake.push(&fork, by, branch, files);
        self.fake.open_from(PATH, &fork, by, branch, title, "")
    }

    fn describe(&self, number: u64, by: &str, title: &str, body: &str) {
        // Where a button says it, people who write it press the button.
        self.fake.draft(PATH, number, by, title.starts_with("WIP:"));
        let mut state = self.fake.state();
        let request = state.request_mut(PATH, number);
        (request.title, request.body) = (title.to_owned(), body.to_owned());
    }

    fn close(&self, number: u64, by: &str) {
        self.fake.close(PATH, number, by);
    }

    fn reopen(&self, number: u64, by: &str) {
        self.fake.reopen(PATH, number, by);
    }

    fn merge(&self, number: u64, by: &str) {
        self.fake.merge(PATH, number, by);
    }

    fn retarget(&self, number: u64, by: &str, base: &str) {
        self.fake.retarget(PATH, number, by, base);
    }

    fn label(&self, number: u64, by: &str, label: &str, on: bool) {
        self.fake.label(PATH, number, by, label, on);
    }

    fn labels(&self, number: u64) -> BTreeSet<String> {
        self.fake.state().request_mut(PATH, number).labels.clone()
    }

    fn comment(&self, number: u64, by: &str, body: &str) -> u64 {
        self.fake.comment(PATH, number, by, body)
    }

    fn edit_comment(&self, id: u64, _: &str, body: &str) {
        self.fake.edit_comment(PATH, self.of_comment(id), id, body);
    }

    fn delete_comment(&self, id: u64, _: &str) {
        self.fake.delete_comment(PATH, self.of_comment(id), id);
    }

    fn comments(&self, number: u64) -> Vec<(u64, String, String)> {
        let mut state = self.fake.state();
        state.request_mut(PATH, number).comments.iter().map(|comment| (comment.id, comment.by.clone(), comment.body.clone())).collect()
    }

    fn reactions(&self, number: u64, comment: u64) -> Vec<(String, Reaction)> {
        let mut state = self.fake.state();
        let found = state.request_mut(PATH, number).comments.iter().find(|one| one.id == comment).expect("it is there");
        let mut all: Vec<_> = found.reactions.iter().filter_map(|(who, name)| Some((who.clone(), reaction(name)?))).collect();
        all.sort();
        all
    }

    fn approve(&self, number: u64, by: &str) {
        self.fake.review(PATH, number, by, Verdict::Approved);
    }

    fn request_changes(&self, number: u64, by: &str) {
        self.fake.review(PATH, number, by, Verdict::ChangesRequested);
    }

    fn dismiss(&self, number: u64, _: &str, whose: &str) {
        let last = self.fake.state().request_mut(PATH, number).reviews.iter().rfind(|review| review.by == whose).map(|review| review.id);
        self.fake.dismiss(PATH, number, last.expect("they reviewed it"));
    }

    fn team(&self, name: &str, members: &[&str]) -> String {
        self.fake.team(&format!("platform/{name}"), members)
    }

    fn status(&self, commit: &str, by: &str, context: &str, state: &str) {
        self.fake.state().status(PATH, commit, by, context, state, "", None);
    }

    fn statuses(&self, commit: &str) -> BTreeMap<String, (String, String)> {
        let state = self.fake.state();
        let all = state.project(PATH).statuses.get(commit).into_iter().flatten();
        all.map(|status| (status.context.clone(), (status.state.clone(), status.text.clone()))).collect()
    }
}
