//! A repository on the shared Gitea with the driver over it, and people who act by API and git.

use crate::{
    forges::world::{ForgeWorld, reaction},
    harness::{GiteaProject, GiteaServer},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};
use trueup::{
    app::Forge,
    core::{
        model::{RepoId, User},
        review::Right,
    },
    forges::{
        gitea::Gitea,
        net::{ForgeConfig, Project, SignIn},
    },
    git::GitRepo,
    ports::{BranchPattern, Governed, People, Reaction, SecretText, StateRepo, SystemClock},
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
        User::new(login.to_ascii_lowercase())
    }
}

pub struct House {
    pub project: GiteaProject,
    driver: Gitea,
    folder: tempfile::TempDir,
}

impl House {
    /// A fresh repository with one commit on `main`.
    pub fn new() -> Self {
        let project = GiteaServer::shared().project();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let driver = driver(&project, &folder.path().join("mirror.git"));
        let house = Self { project, driver, folder };
        house.git(&["init", "-q", "-b", "main", "work"], None);
        house.write(&[("README.md", "desired state\n"), ("zones/base.yaml", "base: 1\n")], "root");
        house.push_to("root", "HEAD:refs/heads/main");
        house
    }

    /// Where another mirror may be.
    pub fn mirror(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn git(&self, args: &[&str], author: Option<&str>) -> String {
        let dir = if author.is_some() { self.work() } else { self.folder.path().to_owned() };
        run_git(&dir, author.unwrap_or("root"), args)
    }

    fn write(&self, files: &[(&str, &str)], author: &str) {
        for (path, text) in files {
            let path = self.work().join(path);
            std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("writable");
            std::fs::write(path, text).expect("writable");
        }
        self.git(&["add", "-A"], Some(author));
        self.git(&["commit", "-q", "-m", "a change"], Some(author));
    }

    fn push_to(&self, by: &str, spec: &str) {
        self.git(&["push", "-q", "--force", &self.project.url(by), spec], Some(by));
    }

    fn pushed(&self, by: &str, author: &str, branch: &str, files: &[(&str, &str)], anew: bool) -> String {
        self.git(&["fetch", "-q", "--prune", &self.project.url("root"), "+refs/heads/*:refs/remotes/origin/*"], Some(by));
        let there = self.tip(branch).is_some() && !anew;
        self.git(&["checkout", "-q", "--detach", &format!("origin/{}", if there { branch } else { "main" })], Some(by));
        self.write(files, author);
        self.push_to(by, &format!("HEAD:refs/heads/{branch}"));
        self.git(&["rev-parse", "HEAD"], Some(by))
    }

    pub fn ask(&self, who: &str, method: &str, path: &str, body: Value) -> Value {
        self.project.ask(who, method, path, Some(body).filter(|body| !body.is_null()))
    }

    fn issue_label(&self, number: u64, name: &str) -> Option<i64> {
        let labels = self.ask("root", "GET", &format!("/issues/{number}/labels"), Value::Null);
        labels.as_array()?.iter().find(|label| label["name"] == name)?["id"].as_i64()
    }
}

/// The driver of one repository over a mirror of its own.
pub fn driver(project: &GiteaProject, mirror: &Path) -> Gitea {
    driver_by(project, mirror, &project.server.url)
}

/// The same, whose API is asked by way of somebody.
pub fn driver_by(project: &GiteaProject, mirror: &Path, by: &str) -> Gitea {
    let server = project.server;
    let main = Project { id: RepoId::new("dns"), path: project.path.clone(), page: format!("{}/{}", server.url, project.path), branch: "main".into(), mirror: mirror.to_owned() };
    // The same once more, for other branches.
    let releases = Project { id: RepoId::new("dns@release"), branch: Governed::newest(BranchPattern::parse("release/*").expect("it is one")), ..main.clone() };
    let config = ForgeConfig {
        name: "work".into(),
        web: server.url.clone(),
        api: format!("{by}/api/v1"),
        sign_in: SignIn::Token(SecretText::new(server.token("trueup"))),
        ca: None,
        bot: None,
        answer: Duration::from_secs(60),
        projects: vec![main, releases],
    };
    Gitea::new(config, Arc::new(Lists), Arc::new(SystemClock)).expect("the configuration is whole")
}

pub fn run_git(dir: &Path, author: &str, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.env_clear().envs(trueup::git::program::environment()).current_dir(dir);
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), author).env(format!("GIT_{role}_EMAIL"), format!("{author}@example.test"));
    }
    let done = git.args(args).output().expect("git is installed");
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

impl ForgeWorld for House {
    fn driver(&self) -> &dyn Forge {
        &self.driver
    }

    fn restarted(&self) -> Box<dyn Forge> {
        Box::new(driver(&self.project, &self.folder.path().join("mirror.git")))
    }

    fn path(&self) -> String {
        self.project.path.clone()
    }

    fn repo(&self) -> RepoId {
        RepoId::new("dns")
    }

    fn state(&self) -> Arc<dyn StateRepo> {
        Arc::new(GitRepo::open(&self.folder.path().join("mirror.git")).expect("the driver made it"))
    }

    fn push_as(&self, by: &str, author: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.pushed(by, author, branch, files, false)
    }

    fn force_push(&self, by: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.pushed(by, by, branch, files, true)
    }

    fn tip(&self, branch: &str) -> Option<String> {
        let told = self.git(&["ls-remote", &self.project.url("root"), &format!("refs/heads/{branch}")], Some("root"));
        told.split_whitespace().next().map(str::to_owned)
    }

    fn open(&self, by: &str, branch: &str, title: &str, body: &str) -> u64 {
        let new = json!({ "title": title, "body": body, "head": branch, "base": "main" });
        self.ask(by, "POST", "/pulls", new)["number"].as_u64().expect("a number")
    }

    fn open_from_fork(&self, by: &str, branch: &str, files: &[(&str, &str)], title: &str) -> u64 {
        let fork = self.ask(by, "POST", "/forks", json!({ "name": format!("dns-{}", self.project.path.replace('/', "-")) }));
        let path = fork["full_name"].as_str().expect("it has one").to_owned();
        for (file, text) in files {
            let new = json!({ "content": STANDARD.encode(text), "message": "evil", "new_branch": branch });
            self.project.server.ask(by, "POST", &format!("/repos/{path}/contents/{file}"), Some(new));
        }
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

    fn status(&self, commit: &str, by: &str, context: &str, state: &str) {
        self.ask(by, "POST", &format!("/statuses/{commit}"), json!({ "context": context, "state": state, "description": "by hand" }));
    }

    fn statuses(&self, commit: &str) -> BTreeMap<String, (String, String)> {
        let all = self.ask("root", "GET", &format!("/commits/{commit}/status?limit=50"), Value::Null);
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        all["statuses"].as_array().into_iter().flatten().map(|one| (text(&one["context"]), (text(&one["status"]), text(&one["description"])))).collect()
    }
}
