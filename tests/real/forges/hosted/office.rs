//! A fake forge with one repository, the people around it, and our driver over it.

use super::super::fake::{FakeForge, Role, Wire};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use trueup::{
    app::Forge,
    core::{
        gate::{Conditions, MergeGate, MergeTicket, Verdict, Window},
        model::{CommitId, Digest, MrId, Policy, RepoId, Time, User},
        review::{Face, Label, Right, Sighting, Status, StatusState},
        run::PlanKey,
    },
    forges::{
        github::GitHub,
        gitlab::GitLab,
        net::{ForgeConfig, Project, SignIn},
    },
    git::GitRepo,
    ports::{BranchPattern, Clock, Governed, Merge, People, SecretText, StateRepo, SystemClock},
};

pub const PATH: &str = "platform/dns";

/// Grace may approve, by the configuration; the forge says the rest.
pub struct Staff;

impl People for Staff {
    fn right(&self, _: &RepoId, who: &User) -> Right {
        if who.as_str() == "grace" { Right::Approve } else { Right::None }
    }

    fn by_email(&self, _: &str) -> Option<User> {
        None
    }

    fn by_login(&self, login: &str) -> User {
        User::new(login.to_lowercase())
    }
}

pub struct Office {
    pub fake: Arc<FakeForge>,
    pub hub: Box<dyn Forge>,
    wire: Wire,
    folder: Arc<tempfile::TempDir>,
}

impl Office {
    /// `main` with one file, and everybody's account.
    pub async fn empty(wire: Wire) -> Self {
        let fake = Arc::new(FakeForge::start(wire).await);
        let roles = [("ada", Role::Write), ("grace", Role::Maintain), ("root", Role::Admin), ("rita", Role::Read), ("ci", Role::Write), ("trueup", Role::Write)];
        fake.project(PATH, &roles, &[("zone", "1\n")]);
        fake.user("eve");
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let hub = driver(wire, &fake, folder.path().join("mirror.git"), Arc::new(Staff));
        Self { fake, hub, wire, folder }
    }

    /// With one request of ada's.
    pub async fn furnished(wire: Wire) -> Self {
        let office = Self::empty(wire).await;
        office.fake.push(PATH, "ada", "mr", &[("zone", "2\n")]);
        assert_eq!(office.fake.open(PATH, "ada", "mr", "Move www"), 1);
        office
    }

    /// What a new process has: the mirror on disk, and nothing in memory.
    pub fn restarted(&self) -> Box<dyn Forge> {
        driver(self.wire, &self.fake, self.folder.path().join("mirror.git"), Arc::new(Staff))
    }

    /// The same forge behind a new process.
    pub fn fresh(&self) -> Self {
        Self { fake: self.fake.clone(), hub: self.restarted(), wire: self.wire, folder: self.folder.clone() }
    }

    pub fn mr(&self, number: u64) -> MrId {
        MrId { repo: RepoId::new("dns"), number }
    }

    pub fn mirror(&self) -> GitRepo {
        GitRepo::open(&self.folder.path().join("mirror.git")).unwrap()
    }

    pub async fn look(&self) -> Sighting {
        self.hub.look(&self.mr(1), None).await.unwrap()
    }

    pub fn head(&self) -> CommitId {
        CommitId::new(self.fake.tip(PATH, "mr").unwrap())
    }

    /// A face at the head, with one status and one label.
    pub fn face(&self, comment: &str, state: StatusState) -> Face {
        Face {
            head: self.head(),
            comment: format!("<!-- trueup:change dns!1 -->\n{comment}"),
            plan: None,
            statuses: vec![Status { context: "trueup/plan".into(), state, text: "1 update".into() }],
            deployments: Vec::new(),
            labels: vec![Label(if state == StatusState::Success { "trueup: merged".into() } else { "trueup: rolling".into() })],
        }
    }

    /// The ticket that the merge gate gives for what was seen.
    pub fn ticket_of(&self, seen: &Sighting) -> MergeTicket {
        ticket(seen, &self.folder.path().join("mirror.git"))
    }

    /// The ticket that the merge gate gives for what the forge shows now.
    pub async fn ticket(&self) -> MergeTicket {
        self.ticket_of(&self.look().await)
    }
}

/// The ticket that the merge gate gives for what was seen.
pub fn ticket(sighting: &Sighting, mirror: &Path) -> MergeTicket {
    let Merge::Clean(tree) = GitRepo::open(mirror).unwrap().merge(&sighting.base, &sighting.head).unwrap() else { panic!("conflict") };
    let key = PlanKey { base: sighting.base.clone(), head: sighting.head.clone(), tree };
    let policy = Policy::default();
    let mut window = Window::single(&policy);
    window.ask(1, Time(0));
    window.pass(Time(1));
    let conditions = Conditions { now: Time(2), sighting, key: &key, policy: &policy, approvals: &[], halted: false };
    let gate = MergeGate { mr: &sighting.mr, conditions, digest: Digest::of("plan", &[b"one"]), window: &window, skipped: 0, except: None, unmerged: &Default::default() };
    match gate.judge() {
        Verdict::Go(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

/// Our driver over a fake, by the token of our account.
pub fn driver(wire: Wire, fake: &FakeForge, mirror: PathBuf, people: Arc<dyn People>) -> Box<dyn Forge> {
    driver_as(wire, fake, mirror, people, SignIn::Token(SecretText::new("trueup-token")), Arc::new(SystemClock))
}

/// The same, as somebody else and with another clock.
pub fn driver_as(wire: Wire, fake: &FakeForge, mirror: PathBuf, people: Arc<dyn People>, sign_in: SignIn, clock: Arc<dyn Clock>) -> Box<dyn Forge> {
    let project = project(fake, "dns", PATH, mirror);
    // The same once more, for other branches.
    let releases = Project { id: RepoId::new("dns@release"), branch: Governed::newest(BranchPattern::parse("release/*").expect("it is one")), ..project.clone() };
    // Of these one governs, and others take over from it.
    let next = Project { id: RepoId::new("dns@next"), branch: Governed::newest(BranchPattern::parse("next/*").expect("it is one")), ..project.clone() };
    next.branch.set("next/1");
    let config = config(fake, sign_in, vec![project, releases, next]);
    match wire {
        Wire::GitHub => Box::new(GitHub::new(config, people, clock).unwrap()),
        Wire::GitLab => Box::new(GitLab::new(config, people, clock).unwrap()),
    }
}

/// Our driver for GitHub over several projects, each with a mirror of its own.
pub fn driver_of(fake: &FakeForge, folder: &Path, sign_in: SignIn, projects: &[(&str, &str)]) -> Box<dyn Forge> {
    let projects = projects.iter().map(|(id, path)| project(fake, id, path, folder.join(format!("{id}.git")))).collect();
    Box::new(GitHub::new(config(fake, sign_in, projects), Arc::new(Staff), Arc::new(SystemClock)).unwrap())
}

fn project(fake: &FakeForge, id: &str, path: &str, mirror: PathBuf) -> Project {
    Project { id: RepoId::new(id), path: path.to_owned(), page: format!("{}/{path}", fake.url), branch: "main".into(), mirror }
}

fn config(fake: &FakeForge, sign_in: SignIn, projects: Vec<Project>) -> ForgeConfig {
    ForgeConfig { name: "work".into(), web: fake.url.clone(), api: fake.api(), sign_in, ca: None, bot: None, answer: Duration::from_secs(60), projects }
}
