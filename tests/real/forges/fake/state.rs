//! What a forge holds, whatever words its API has for it: plain values that tests and projections change.

use super::{apps::App, fault::Fault};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// A whole forge.
pub struct State {
    pub users: BTreeMap<String, Account>,
    /// By full path: `platform/dns`.
    pub projects: BTreeMap<String, Project>,
    /// Who is in which team, by `OWNER/NAME`.
    pub teams: BTreeMap<String, BTreeSet<String>>,
    /// An app that may be installed here.
    pub app: Option<App>,
    /// The last id given; ids of everything grow with time.
    pub last_id: u64,
    /// The last instant given, in milliseconds: no two events share one, though they may share a second.
    pub last_at: i64,
    pub faults: Vec<Fault>,
    /// Requests until the hourly limit is reached.
    pub calls_left: u64,
    /// Every answered request, oldest first.
    pub calls: Vec<Call>,
    pub folder: PathBuf,
}

/// One answered request.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    /// With its query.
    pub path: String,
    pub status: u16,
    pub body: serde_json::Value,
}

impl Call {
    /// Whether it changed something, or meant to.
    pub fn writes(&self) -> bool {
        self.method != "GET" && !self.path.ends_with("/graphql")
    }
}

pub struct Account {
    pub id: u64,
    pub login: String,
    pub email: String,
    pub token: String,
    pub revoked: bool,
}

/// What somebody may do in a project; each includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    None,
    Read,
    Triage,
    Write,
    Maintain,
    Admin,
}

pub struct Project {
    pub id: u64,
    pub path: String,
    pub default_branch: String,
    /// The bare repository.
    pub dir: PathBuf,
    pub fork_of: Option<String>,
    pub roles: BTreeMap<String, Role>,
    pub requests: BTreeMap<u64, Request>,
    /// By commit, oldest first.
    pub statuses: BTreeMap<String, Vec<Status>>,
    pub runs: BTreeMap<String, Vec<CheckRun>>,
    pub labels: BTreeSet<String>,
    pub protection: BTreeMap<String, Protection>,
    pub methods: BTreeSet<Method>,
    pub pushes: Vec<Push>,
    /// Whether the source branch goes with the merge.
    pub tidy: bool,
    /// Whether only what holds the newest of its target is merged.
    pub up_to_date: Linear,
    pub hooks: Vec<Hook>,
    /// Oldest first.
    pub deployments: Vec<Deployment>,
    /// Whether merges wait for what stands on the head; none: it does not say.
    pub pipelines_must_pass: Option<bool>,
    /// Whether a push makes approvals void; none: its plan has no such setting.
    pub reset_approvals: Option<bool>,
}

/// A commit on its way to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub id: u64,
    pub by: String,
    pub sha: String,
    pub branch: String,
    pub task: String,
    pub environment: String,
    /// Oldest first: state and where it leads.
    pub states: Vec<(String, Option<String>)>,
    pub at: i64,
}

/// Where a project tells what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    pub id: u64,
    pub url: String,
    pub events: BTreeSet<String>,
    pub secret: Option<String>,
    pub active: bool,
    pub json: bool,
    /// Certificates are looked at.
    pub verified: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    Merge,
    Squash,
}

/// Who may do what to a branch.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    pub required_statuses: BTreeSet<String>,
    pub required_approvals: usize,
    /// A push makes approvals void.
    pub dismiss_stale: bool,
    /// Who may push and merge past the rules; empty: administrators.
    pub may_push: BTreeSet<String>,
    /// Statuses that one app alone may set.
    pub bound: BTreeMap<String, u64>,
    /// The rules bind administrators, too.
    pub for_admins: bool,
    /// What is merged goes through a queue of the forge's own.
    pub queue: bool,
    pub linear: Linear,
    /// How may be merged there; empty: as the project says.
    pub ways: BTreeSet<Method>,
}

/// Whether merge commits are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Linear {
    #[default]
    No,
    /// By a rule that everybody may read.
    Told,
    /// By one that administrators alone may.
    Untold,
}

/// A merge request, pull request, change: whatever they call it.
#[derive(Clone, Debug)]
pub struct Request {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub author: String,
    /// The project its branch is in.
    pub source_project: String,
    pub source: String,
    pub target: String,
    pub draft: bool,
    pub closed: bool,
    pub merged: Option<Merged>,
    pub head: String,
    /// The base when it was opened or last pushed to.
    pub base: String,
    pub labels: BTreeSet<String>,
    pub comments: Vec<Comment>,
    pub reviews: Vec<Review>,
    pub threads: Vec<Thread>,
    pub events: Vec<Event>,
    pub created: i64,
    pub updated: i64,
}

#[derive(Clone, Debug)]
pub struct Merged {
    pub commit: String,
    pub by: String,
    pub at: i64,
}

#[derive(Clone, Debug)]
pub struct Comment {
    pub id: u64,
    pub by: String,
    pub body: String,
    pub at: i64,
    pub edited: i64,
    /// Who put which.
    pub reactions: BTreeSet<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct Review {
    pub id: u64,
    pub by: String,
    pub verdict: Verdict,
    pub body: String,
    pub head: String,
    pub at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Approved,
    ChangesRequested,
    Commented,
    Dismissed,
}

/// A conversation on the code.
#[derive(Clone, Debug)]
pub struct Thread {
    pub id: u64,
    pub by: String,
    pub body: String,
    pub resolved: bool,
    pub at: i64,
}

/// What the forge remembers to have happened.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: u64,
    pub by: String,
    pub what: What,
    pub at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Labeled(String),
    Unlabeled(String),
    Closed,
    Reopened,
    Merged(String),
    Pushed,
    ForcePushed,
    Retargeted,
    Draft(bool),
}

#[derive(Clone, Debug)]
pub struct Status {
    pub id: u64,
    pub by: String,
    pub context: String,
    pub state: String,
    pub text: String,
    pub link: Option<String>,
    pub at: i64,
}

/// What a machine says of a commit in more words than a status.
#[derive(Clone, Debug)]
pub struct CheckRun {
    pub id: u64,
    pub app: String,
    pub name: String,
    /// `None`: it runs.
    pub conclusion: Option<String>,
    pub title: Option<String>,
    pub summary: String,
    pub link: Option<String>,
    pub external_id: Option<String>,
    pub at: i64,
}

/// How a branch came to be where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Pushed,
    /// With so many others that nobody is told which; all of one push have its number.
    AtOnce(u64),
    /// Another request was merged into it.
    Merged,
}

/// One branch pushed.
#[derive(Clone, Debug)]
pub struct Push {
    pub id: u64,
    pub by: String,
    pub branch: String,
    pub before: String,
    pub after: String,
    pub forced: bool,
    pub how: How,
    pub at: i64,
}

impl State {
    pub fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Now, later than every instant given before.
    pub fn at(&mut self) -> i64 {
        self.last_at = jiff::Timestamp::now().as_millisecond().max(self.last_at + 1);
        self.last_at
    }

    pub fn project(&self, path: &str) -> &Project {
        self.projects.get(path).unwrap_or_else(|| panic!("the fake forge has no project {path}"))
    }

    pub fn project_mut(&mut self, path: &str) -> &mut Project {
        self.projects.get_mut(path).unwrap_or_else(|| panic!("the fake forge has no project {path}"))
    }

    pub fn request_mut(&mut self, path: &str, number: u64) -> &mut Request {
        self.project_mut(path).requests.get_mut(&number).unwrap_or_else(|| panic!("{path} has no request {number}"))
    }

    pub fn role(&self, path: &str, who: &str) -> Role {
        // What it may beside this, its permissions say.
        if let Some(app) = self.app.as_ref().filter(|app| app.login() == who) {
            return if app.of(path).is_some() { Role::Admin } else { Role::None };
        }
        self.projects.get(path).and_then(|project| project.roles.get(who)).copied().unwrap_or(Role::None)
    }

    /// Writes something down in a request, which thereby changed.
    pub fn happened(&mut self, path: &str, number: u64, by: &str, what: What) {
        let (id, at) = (self.id(), self.at());
        let request = self.request_mut(path, number);
        request.events.push(Event { id, by: by.to_owned(), what, at });
        request.updated = at;
    }

    pub fn comment(&mut self, path: &str, number: u64, by: &str, body: &str) -> u64 {
        let (id, at) = (self.id(), self.at());
        let request = self.request_mut(path, number);
        request.comments.push(Comment { id, by: by.to_owned(), body: body.to_owned(), at, edited: at, reactions: BTreeSet::new() });
        request.updated = at;
        id
    }

    pub fn label(&mut self, path: &str, number: u64, by: &str, label: &str, on: bool) {
        if on {
            self.project_mut(path).labels.insert(label.to_owned());
        }
        let labels = &mut self.request_mut(path, number).labels;
        let changed = if on { labels.insert(label.to_owned()) } else { labels.remove(label) };
        if changed {
            let what = if on { What::Labeled(label.to_owned()) } else { What::Unlabeled(label.to_owned()) };
            self.happened(path, number, by, what);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one status")]
    pub fn status(&mut self, path: &str, commit: &str, by: &str, context: &str, state: &str, text: &str, link: Option<String>) -> Status {
        let status = Status { id: self.id(), by: by.into(), context: context.into(), state: state.into(), text: text.into(), link, at: self.at() };
        self.project_mut(path).statuses.entry(commit.to_owned()).or_default().push(status.clone());
        status
    }

    /// A program runs on a commit, or ran.
    pub fn run(&mut self, path: &str, commit: &str, app: &str, name: &str, conclusion: Option<&str>) {
        let (conclusion, at) = (conclusion.map(str::to_owned), self.at());
        let run = CheckRun { id: self.id(), app: app.into(), name: name.into(), conclusion, title: None, summary: String::new(), link: None, external_id: None, at };
        self.project_mut(path).runs.entry(commit.to_owned()).or_default().push(run);
    }

    pub fn review(&mut self, path: &str, number: u64, by: &str, verdict: Verdict) -> u64 {
        let (id, at) = (self.id(), self.at());
        let request = self.request_mut(path, number);
        let head = request.head.clone();
        request.reviews.push(Review { id, by: by.to_owned(), verdict, body: String::new(), head, at });
        request.updated = at;
        id
    }
}

impl Request {
    pub fn open(&self) -> bool {
        !self.closed && self.merged.is_none()
    }
}
