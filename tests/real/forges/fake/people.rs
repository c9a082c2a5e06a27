//! What people do at a fake forge and on their machines, in their words.

use super::{
    apps::App,
    door::{FakeForge, Wire},
    git,
    state::{Account, How, Linear, Method, Project, Protection, Request, Role, State, Thread, Verdict, What},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

impl FakeForge {
    /// Somebody signs up; their token is `NAME-token`.
    pub fn user(&self, login: &str) {
        let mut state = self.state();
        let account = Account { id: state.id(), login: login.into(), email: format!("{login}@example.com"), token: format!("{login}-token"), revoked: false };
        state.users.insert(login.into(), account);
    }

    /// Somebody makes an app, and installs it for all that an owner has.
    pub fn app(&self, slug: &str, owner: &str) {
        self.user(&format!("{slug}[bot]"));
        let mut state = self.state();
        let (id, installed) = (state.id(), state.id());
        // Nobody signs in as the account of an app.
        state.users.get_mut(&format!("{slug}[bot]")).unwrap().revoked = true;
        let mut app = App::new(id, slug);
        app.install(installed, owner, None);
        state.app = Some(app);
    }

    /// Changes something about the app.
    pub fn with_app<T>(&self, change: impl FnOnce(&mut App) -> T) -> T {
        change(self.state().app.as_mut().expect("somebody made it"))
    }

    /// A project with one file on `main`; everybody in `roles` signs up with it.
    pub fn project(&self, path: &str, roles: &[(&str, Role)], files: &[(&str, &str)]) {
        for (login, _) in roles {
            if !self.state().users.contains_key(*login) {
                self.user(login);
            }
        }
        let mut state = self.state();
        let dir = bare(&state, path);
        git::init(&dir, "main");
        let roles = roles.iter().map(|(login, role)| ((*login).to_owned(), *role)).collect();
        let project = project(&mut state, path, dir.clone(), roles, None);
        state.projects.insert(path.into(), project);
        write(&dir, "forge", "main", None, files);
    }

    /// Somebody forks a project into `LOGIN/NAME`.
    pub fn fork(&self, path: &str, by: &str) -> String {
        let mut state = self.state();
        let fork = format!("{by}/{}", path.rsplit('/').next().unwrap());
        let dir = bare(&state, &fork);
        git::init(&dir, "main");
        let from = state.project(path).dir.clone();
        git::git(&dir, by, &["fetch", "-q", from.to_str().unwrap(), "+refs/heads/*:refs/heads/*"]);
        let project = project(&mut state, &fork, dir, BTreeMap::from([(by.to_owned(), Role::Admin)]), Some(path.to_owned()));
        state.projects.insert(fork.clone(), project);
        fork
    }

    /// Somebody commits to a branch (made from `main` where it is not there) and pushes it; their commit.
    pub fn push(&self, path: &str, by: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.pushed(path, by, by, branch, files, false)
    }

    /// The same, with another's name in the commit.
    pub fn push_as(&self, path: &str, by: &str, author: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.pushed(path, by, author, branch, files, false)
    }

    /// Somebody pushes many new branches with one commit each at once, in another's name.
    pub fn push_at_once(&self, path: &str, by: &str, author: &str, branches: &[&str], files: &[(&str, &str)]) {
        branches.iter().for_each(|branch| drop(self.push_as(path, by, author, branch, files)));
        let mut state = self.state();
        let number = state.id();
        state.project_mut(path).pushes.iter_mut().rev().take(branches.len()).for_each(|push| push.how = How::AtOnce(number));
    }

    /// Somebody makes a branch anew from `main` and pushes it over what was there.
    pub fn force_push(&self, path: &str, by: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.pushed(path, by, by, branch, files, true)
    }

    fn pushed(&self, path: &str, by: &str, author: &str, branch: &str, files: &[(&str, &str)], anew: bool) -> String {
        let mut state = self.state();
        let dir = state.project(path).dir.clone();
        let from = if anew || git::tip(&dir, branch).is_none() { git::tip(&dir, "main") } else { git::tip(&dir, branch) };
        push(&mut state, path, (by, author), branch, from, files)
    }

    /// Somebody amends the newest commit of a branch and pushes that over it: message and author stay.
    pub fn amend(&self, path: &str, by: &str, branch: &str, files: &[(&str, &str)]) -> String {
        let mut state = self.state();
        let dir = state.project(path).dir.clone();
        let was = git::tip(&dir, branch).unwrap();
        let changed = push(&mut state, path, (by, by), branch, Some(was.clone()), files);
        let told = git::asked(&dir, &["log", "-1", "--format=%an%x09%ae%x09%P%x09%B", &was]).unwrap();
        let [name, mail, parent, message] = told.splitn(4, '\t').collect::<Vec<_>>()[..] else { panic!("{told}") };
        let mut git = git::command(&dir, by);
        git.env("GIT_AUTHOR_NAME", name).env("GIT_AUTHOR_EMAIL", mail);
        let made = git.args(["commit-tree", &format!("{changed}^{{tree}}"), "-p", parent, "-m", message]).output().unwrap();
        let commit = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        git::git(&dir, by, &["update-ref", &format!("refs/heads/{branch}"), &commit]);
        note(&dir, by, branch, Some(&changed), &commit);
        git::refresh(&mut state);
        commit
    }

    /// A team with these people in it, and nobody else; its name.
    pub fn team(&self, name: &str, members: &[&str]) -> String {
        self.state().teams.insert(name.to_owned(), members.iter().map(|who| (*who).to_owned()).collect());
        name.to_owned()
    }

    /// Somebody pushes a branch under another name and takes the old one away.
    pub fn rename_branch(&self, path: &str, by: &str, branch: &str, to: &str) {
        {
            let mut state = self.state();
            let dir = state.project(path).dir.clone();
            let tip = git::tip(&dir, branch).unwrap();
            git::git(&dir, by, &["update-ref", &format!("refs/heads/{to}"), &tip]);
            note(&dir, by, to, None, &tip);
            git::refresh(&mut state);
        }
        self.delete_branch(path, by, branch);
    }

    /// Somebody makes a branch at a commit that is there.
    pub fn branch(&self, path: &str, branch: &str, at: &str) {
        let mut state = self.state();
        let dir = state.project(path).dir.clone();
        git::git(&dir, "root", &["update-ref", &format!("refs/heads/{branch}"), at]);
        note(&dir, "root", branch, None, at);
        git::refresh(&mut state);
    }

    /// GitHub closes what came from it.
    pub fn delete_branch(&self, path: &str, by: &str, branch: &str) {
        let mut state = self.state();
        let dir = state.project(path).dir.clone();
        let was = git::tip(&dir, branch).unwrap();
        git::git(&dir, by, &["update-ref", "-d", &format!("refs/heads/{branch}")]);
        note(&dir, by, branch, Some(&was), &"0".repeat(40));
        git::refresh(&mut state);
        let from = |request: &&Request| request.open() && request.source_project == path && request.source == branch;
        let closed: Vec<u64> = state.project(path).requests.values().filter(from).map(|request| request.number).collect();
        for number in closed.into_iter().filter(|_| self.wire() == Wire::GitHub) {
            state.request_mut(path, number).closed = true;
            state.happened(path, number, by, What::Closed);
        }
    }

    /// Somebody opens a request from a branch to `main`.
    pub fn open(&self, path: &str, by: &str, branch: &str, title: &str) -> u64 {
        self.open_from(path, path, by, branch, title, "")
    }

    pub fn open_from(&self, path: &str, source_project: &str, by: &str, branch: &str, title: &str, body: &str) -> u64 {
        open(&mut self.state(), path, source_project, by, branch, "main", title, body, false)
    }

    pub fn comment(&self, path: &str, number: u64, by: &str, body: &str) -> u64 {
        self.state().comment(path, number, by, body)
    }

    pub fn delete_comment(&self, path: &str, number: u64, id: u64) {
        self.state().request_mut(path, number).comments.retain(|comment| comment.id != id);
    }

    pub fn edit_comment(&self, path: &str, number: u64, id: u64, body: &str) {
        let mut state = self.state();
        let at = state.at();
        let request = state.request_mut(path, number);
        request.updated = at;
        for comment in request.comments.iter_mut().filter(|comment| comment.id == id) {
            body.clone_into(&mut comment.body);
            comment.edited = at;
        }
    }

    pub fn review(&self, path: &str, number: u64, by: &str, verdict: Verdict) -> u64 {
        self.state().review(path, number, by, verdict)
    }

    pub fn dismiss(&self, path: &str, number: u64, review: u64) {
        let mut state = self.state();
        let at = state.at();
        let request = state.request_mut(path, number);
        request.updated = at;
        request.reviews.iter_mut().filter(|one| one.id == review).for_each(|one| one.verdict = Verdict::Dismissed);
    }

    pub fn thread(&self, path: &str, number: u64, by: &str, body: &str) -> u64 {
        let mut state = self.state();
        let (id, at) = (state.id(), state.at());
        let request = state.request_mut(path, number);
        request.updated = at;
        request.threads.push(Thread { id, by: by.into(), body: body.into(), resolved: false, at });
        id
    }

    pub fn resolve(&self, path: &str, number: u64, thread: u64) {
        let mut state = self.state();
        state.request_mut(path, number).threads.iter_mut().filter(|one| one.id == thread).for_each(|one| one.resolved = true);
    }

    pub fn label(&self, path: &str, number: u64, by: &str, label: &str, on: bool) {
        self.state().label(path, number, by, label, on);
    }

    pub fn close(&self, path: &str, number: u64, by: &str) {
        let mut state = self.state();
        state.request_mut(path, number).closed = true;
        state.happened(path, number, by, What::Closed);
    }

    pub fn reopen(&self, path: &str, number: u64, by: &str) {
        let mut state = self.state();
        state.request_mut(path, number).closed = false;
        git::show_head(&mut state, path, number);
        state.happened(path, number, by, What::Reopened);
    }

    pub fn draft(&self, path: &str, number: u64, by: &str, draft: bool) {
        let mut state = self.state();
        state.request_mut(path, number).draft = draft;
        state.happened(path, number, by, What::Draft(draft));
    }

    pub fn retarget(&self, path: &str, number: u64, by: &str, target: &str) {
        let mut state = self.state();
        state.request_mut(path, number).target = target.into();
        state.happened(path, number, by, What::Retargeted);
    }

    /// Somebody merges past everything.
    pub fn merge(&self, path: &str, number: u64, by: &str) -> String {
        git::merge(&mut self.state(), path, number, by, Method::Merge, "merged by hand").expect("it merges")
    }

    /// Somebody presses the other button, which makes one commit in the name of whoever opened it.
    pub fn squash(&self, path: &str, number: u64, by: &str) -> String {
        git::merge(&mut self.state(), path, number, by, Method::Squash, "squashed by hand").expect("it merges")
    }

    pub fn protect(&self, path: &str, branch: &str, rules: Protection) {
        let mut state = self.state();
        state.project_mut(path).protection.insert(branch.into(), rules);
        git::guard(&state, path);
    }

    pub fn revoke(&self, login: &str, revoked: bool) {
        self.state().users.get_mut(login).unwrap().revoked = revoked;
    }

    pub fn tip(&self, path: &str, branch: &str) -> Option<String> {
        git::tip(&self.state().project(path).dir, branch)
    }

    /// What a branch holds of a file.
    pub fn file(&self, path: &str, branch: &str, file: &str) -> Option<String> {
        git::asked(&self.state().project(path).dir, &["cat-file", "blob", &format!("refs/heads/{branch}:{file}")])
    }
}

/// Somebody commits as `author` onto `from` and pushes that to a branch.
pub fn push(state: &mut State, path: &str, (by, author): (&str, &str), branch: &str, from: Option<String>, files: &[(&str, &str)]) -> String {
    let dir = state.project(path).dir.clone();
    let was = git::tip(&dir, branch);
    let commit = write(&dir, author, branch, from, files);
    note(&dir, by, branch, was.as_deref(), &commit);
    git::refresh(state);
    commit
}

/// Somebody pushes a commit on top of a branch.
pub fn push_on(state: &mut State, path: &str, by: &str, branch: &str, files: &[(&str, &str)]) -> String {
    let from = git::tip(&state.project(path).dir, branch);
    push(state, path, (by, by), branch, from, files)
}

fn bare(state: &State, path: &str) -> PathBuf {
    state.folder.join(format!("{path}.git"))
}

fn project(state: &mut State, path: &str, dir: PathBuf, roles: BTreeMap<String, Role>, fork_of: Option<String>) -> Project {
    Project {
        id: state.id(),
        path: path.into(),
        default_branch: "main".into(),
        dir,
        fork_of,
        roles,
        requests: BTreeMap::new(),
        statuses: BTreeMap::new(),
        runs: BTreeMap::new(),
        labels: BTreeSet::new(),
        protection: BTreeMap::new(),
        methods: BTreeSet::from([Method::Merge, Method::Squash]),
        pushes: Vec::new(),
        tidy: false,
        up_to_date: Linear::No,
        hooks: Vec::new(),
        deployments: Vec::new(),
        pipelines_must_pass: None,
        reset_approvals: None,
    }
}

/// Makes a commit on a branch of a bare repository; `from` is its parent.
fn write(dir: &std::path::Path, author: &str, branch: &str, from: Option<String>, files: &[(&str, &str)]) -> String {
    use std::io::Write as _;
    let mut stream = format!("commit refs/heads/{branch}\nauthor {author} <{author}@example.com> now\ncommitter {author} <{author}@example.com> now\ndata 8\na change\n");
    if let Some(from) = from {
        stream += &format!("from {from}\n");
    }
    for (path, text) in files {
        stream += &format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len());
    }
    let mut import = git::command(dir, author);
    let mut child = import.args(["fast-import", "--quiet", "--force", "--date-format=now"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    git::tip(dir, branch).unwrap()
}

/// The note that the hook of a real push leaves.
fn note(dir: &std::path::Path, by: &str, branch: &str, before: Option<&str>, after: &str) {
    let zero = "0".repeat(40);
    let line = format!("{by} refs/heads/{branch} {} {after}\n", before.unwrap_or(&zero));
    let file = dir.join("pushed");
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    std::fs::write(file, known + &line).unwrap();
}

#[expect(clippy::too_many_arguments, reason = "the fields of one form")]
pub fn open(state: &mut State, path: &str, source_project: &str, by: &str, branch: &str, target: &str, title: &str, body: &str, draft: bool) -> u64 {
    let number = state.project(path).requests.keys().last().map_or(1, |last| last + 1);
    let at = state.at();
    let request = Request {
        number,
        title: title.into(),
        body: body.into(),
        author: by.into(),
        source_project: source_project.into(),
        source: branch.into(),
        target: target.into(),
        draft,
        closed: false,
        merged: None,
        head: String::new(),
        base: String::new(),
        labels: BTreeSet::new(),
        comments: Vec::new(),
        reviews: Vec::new(),
        threads: Vec::new(),
        events: Vec::new(),
        created: at,
        updated: at,
    };
    state.project_mut(path).requests.insert(number, request);
    let base = git::show_head(state, path, number);
    state.request_mut(path, number).base = base;
    number
}
