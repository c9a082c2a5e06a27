//! One local forge with one repository and the people around it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};
use trueup::{
    core::{
        gate::{Conditions, MergeGate, MergeTicket, Verdict, Window},
        model::{CommitId, Digest, MrId, Policy, RepoId, Time, User},
        review::{Right, Sighting},
        run::PlanKey,
    },
    forges::local::{LocalError, LocalForge, LocalRepository, NewRequest},
    git::GitRepo,
    ports::{ForgeReader, MemoryKv, Merge, People, StateRepo, TestClock},
    stores::Store,
};

/// Everyone who has anything to say.
pub struct Staff;

impl People for Staff {
    fn right(&self, _: &RepoId, who: &User) -> Right {
        match who.as_str() {
            "root" => Right::Admin,
            "grace" => Right::Approve,
            "ada" => Right::Write,
            "eve" => Right::Read,
            _ => Right::None,
        }
    }

    fn by_email(&self, email: &str) -> Option<User> {
        email.strip_suffix("@example.com").map(User::new)
    }

    fn by_login(&self, login: &str) -> User {
        User::new(login)
    }
}

pub struct House {
    pub folder: tempfile::TempDir,
    pub kv: MemoryKv,
    pub forge: Arc<LocalForge>,
    pub clock: Arc<TestClock>,
    pub repo: RepoId,
}

impl House {
    /// An empty repository `dns` and nobody's clone.
    pub async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kv = MemoryKv::new();
        let clock = Arc::new(TestClock::at(Time(1_700_000_000_000)));
        let forge = Arc::new(Self::start(&kv, &clock, &folder.path().join("dns.git")).await.unwrap());
        Self { folder, kv, forge, clock, repo: RepoId::new("dns") }
    }

    /// With `main` pushed and a branch `mr` of ada's ahead of it.
    pub async fn furnished() -> Self {
        let house = Self::empty().await;
        house.clone_as("ada");
        house.write("ada", "zone", "1\n");
        house.git("ada", &["push", "-q", "origin", "main"]);
        house.branch("mr", "zone", "2\n");
        house
    }

    async fn start(kv: &MemoryKv, clock: &Arc<TestClock>, path: &Path) -> Result<LocalForge, LocalError> {
        let store = Store::open(Arc::new(kv.clone()), "test").await.unwrap();
        let repository = LocalRepository { id: RepoId::new("dns"), path: path.to_owned(), branch: "main".into() };
        LocalForge::open(store, clock.clone(), Arc::new(Staff), User::new("trueup"), &[repository])
    }

    /// What a new process would be: the same disk and store, nothing in memory.
    pub async fn restarted(&self) -> LocalForge {
        Self::start(&self.kv, &self.clock, &self.bare()).await.unwrap()
    }

    pub fn bare(&self) -> PathBuf {
        self.folder.path().join("dns.git")
    }

    pub fn state(&self) -> GitRepo {
        GitRepo::open(&self.bare()).unwrap()
    }

    pub fn tip(&self, branch: &str) -> CommitId {
        self.state().commit(&format!("refs/heads/{branch}")).unwrap()
    }

    /// A clone of somebody's, with the bare repository as origin by path.
    pub fn clone_as(&self, who: &str) {
        let dir = self.folder.path().join(who);
        std::fs::create_dir(&dir).unwrap();
        self.git(who, &["init", "-q", "-b", "main"]);
        self.git(who, &["remote", "add", "origin", self.bare().to_str().unwrap()]);
    }

    /// Writes a file in a clone and commits it.
    pub fn write(&self, who: &str, path: &str, text: &str) {
        std::fs::write(self.folder.path().join(who).join(path), text).unwrap();
        self.git(who, &["add", "-A"]);
        self.git(who, &["commit", "-q", "-m", "a change"]);
    }

    /// Pushes a branch of ada's with one commit on top of `main`.
    pub fn branch(&self, name: &str, path: &str, text: &str) {
        self.git("ada", &["fetch", "-q", "origin"]);
        self.git("ada", &["checkout", "-q", "-B", name, "origin/main"]);
        self.write("ada", path, text);
        self.git("ada", &["push", "-q", "origin", name]);
    }

    /// Runs git in a clone and gives its output; it must succeed.
    pub fn git(&self, who: &str, args: &[&str]) -> String {
        let done = self.try_git(who, args);
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    pub fn try_git(&self, who: &str, args: &[&str]) -> Output {
        clean_git(&self.folder.path().join(who), who).args(args).output().unwrap()
    }

    pub async fn open(&self, title: &str) -> MrId {
        self.open_by("ada", "mr", title).await.unwrap()
    }

    pub async fn open_by(&self, who: &str, source: &str, title: &str) -> Result<MrId, LocalError> {
        let new = NewRequest { title: title.into(), source: source.into(), target: String::new(), draft: false, reviewers: vec![User::new("grace")], description: String::new() };
        self.forge.open_mr(&User::new(who), &self.repo, new).await
    }

    pub async fn look(&self, mr: &MrId) -> Sighting {
        self.forge.look(mr, None).await.unwrap()
    }

    /// The ticket that the merge gate gives for what the forge shows now.
    pub async fn ticket(&self, mr: &MrId) -> MergeTicket {
        let sighting = self.look(mr).await;
        let Merge::Clean(tree) = self.state().merge(&sighting.base, &sighting.head).unwrap() else { panic!("conflict") };
        let key = PlanKey { base: sighting.base.clone(), head: sighting.head.clone(), tree };
        let policy = Policy::default();
        let mut window = Window::single(&policy);
        window.ask(1, Time(0));
        window.pass(Time(1));
        let conditions = Conditions { now: Time(2), sighting: &sighting, key: &key, policy: &policy, approvals: &[], halted: false };
        let gate = MergeGate { mr, conditions, digest: Digest::of("plan", &[b"one"]), window: &window, skipped: 0, except: None, unmerged: &Default::default() };
        match gate.judge() {
            Verdict::Go(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }
}

/// The git program without this machine's configuration, speaking as `who`.
pub fn clean_git(dir: &Path, who: &str) -> Command {
    let mut git = Command::new("git");
    git.env_clear().envs(trueup::git::program::environment()).current_dir(dir);
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), who).env(format!("GIT_{role}_EMAIL"), format!("{who}@example.com"));
    }
    git
}
