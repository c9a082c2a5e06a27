//! The forge itself: its connection, its mirrors, and what it remembers between questions.

use super::{
    api::Api,
    pushes::KnownPushes,
    wire::{self, Account},
};
use crate::{
    core::{
        model::{CommitId, MrId, RepoId, User},
        review::Right,
    },
    forges::net::{Badge, Client, ConfigError, Entrance, ForgeConfig, Known, KnownTeams, Mirror, Mirrors, NetError, Project, Token, Want, Written, encoded, right_by_teams},
    ports::{Clock, ForgeErrorKind, People, RepoError},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::OnceCell;

/// One GitLab under one account.
pub struct GitLab {
    pub(super) web: String,
    pub(super) api: Api,
    pub(super) people: Arc<dyn People>,
    clock: Arc<dyn Clock>,
    bot: OnceCell<User>,
    places: BTreeMap<RepoId, Place>,
    pub(super) teams: KnownTeams,
    pub(super) pushes: KnownPushes,
}

/// One governed project.
pub struct Place {
    pub project: Project,
    pub mirror: Arc<Mirror>,
    /// What the last sweep knew.
    pub known: tokio::sync::Mutex<Known>,
    /// What our comments say.
    pub written: Written,
    /// One merge at a time: two would each find the other's base moved.
    pub merging: tokio::sync::Mutex<()>,
}

impl GitLab {
    /// Makes the forge with its mirrors; nothing is contacted yet.
    pub fn new(config: ForgeConfig, people: Arc<dyn People>, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let ForgeConfig { name, web, api, sign_in, ca, bot, answer, projects } = config;
        let token = sign_in.token()?;
        let badge: Arc<dyn Badge> = Arc::new(Token(token.clone()));
        let (mut places, mut mirrors) = (BTreeMap::new(), Mirrors::default());
        for project in projects {
            let mirror = mirrors.of(&project, "oauth2", badge.clone(), ca.as_deref())?;
            let place = Place { project, mirror, known: tokio::sync::Mutex::default(), merging: tokio::sync::Mutex::default(), written: Written::default() };
            places.insert(place.project.id.clone(), place);
        }
        let entrance = Entrance { name, api: api.clone(), token: Some(("private-token", "", token)), headers: vec![("accept", "application/json".to_owned())], ca, answer };
        let bot = OnceCell::new_with(bot.map(|bot| people.by_login(bot.as_str())));
        Ok(Self { web, api: Api::new(Client::new(entrance, clock.clone())?, api), people, clock, bot, places, teams: KnownTeams::default(), pushes: KnownPushes::default() })
    }

    pub(super) fn place(&self, repo: &RepoId) -> Result<&Place, NetError> {
        self.places.get(repo).ok_or_else(|| NetError::new(ForgeErrorKind::NotFound, format!("no repository `{repo}` on forge {}", self.api.name())))
    }

    /// The repositories of one path there.
    pub(super) fn beside<'a>(&'a self, place: &'a Place) -> impl Iterator<Item = &'a Place> {
        self.places.values().filter(|other| other.project.path == place.project.path)
    }

    /// The repository that a path there, or a name of ours, means.
    pub(super) fn repo_at(&self, named: &str) -> Option<&RepoId> {
        let by_path = self.places.values().find(|place| place.project.path.eq_ignore_ascii_case(named)).map(|place| &place.project.id);
        by_path.or_else(|| self.places.keys().find(|id| id.as_str() == named))
    }

    /// Our own account, asked for once where nobody told.
    pub(super) async fn bot(&self) -> Result<&User, NetError> {
        let asked = async || Ok(self.people.by_login(&self.api.get::<Account>("/user").await?.username));
        self.bot.get_or_try_init(asked).await
    }

    /// An account as the server knows it; what deleted ones wrote is GitLab's `ghost`.
    pub(super) fn user(&self, account: Option<&Account>) -> User {
        self.people.by_login(account.map_or("ghost", |account| &account.username))
    }

    pub(super) fn now(&self) -> crate::core::model::Time {
        self.clock.now()
    }

    /// What somebody may do: as the configuration says, and as the forge lets them. The forge gives `Write` at most: who approves is the configuration's to say.
    pub(super) async fn right_of(&self, repo: &RepoId, who: &User) -> Result<Right, NetError> {
        let listed = self.people.right(repo, who);
        let listed = right_by_teams(self, &*self.people, repo, who, listed, self.now()).await?;
        if listed >= Right::Write {
            return Ok(listed);
        }
        let found: Vec<Account> = self.api.get(&format!("/users?username={}", encoded(who.as_str()))).await?;
        let Some(account) = found.iter().find(|account| self.user(Some(account)) == *who) else { return Ok(listed) };
        let member: Option<wire::Member> = self.api.find(&self.place(repo)?.path(format!("/members/all/{}", account.id))).await?;
        Ok(listed.max(match member.map_or(0, |member| member.access_level) {
            30.. => Right::Write,
            10..30 => Right::Read,
            0..10 => Right::None,
        }))
    }
}

impl Place {
    /// `/projects/PATH`, before what is asked of it.
    pub fn path(&self, rest: impl std::fmt::Display) -> String {
        format!("/projects/{}{rest}", encoded(&self.project.path))
    }

    /// One request, before what is asked of it.
    pub fn request(&self, number: u64, rest: impl std::fmt::Display) -> String {
        self.path(format!("/merge_requests/{number}{rest}"))
    }

    /// Whether a request goes to a branch that governs here, or may.
    pub fn governs(&self, branch: &str) -> bool {
        self.project.branch.holds(branch)
    }

    pub fn mr(&self, number: u64) -> MrId {
        MrId { repo: self.project.id.clone(), number }
    }

    /// Brings a branch and, where there is one, the head of a request into the mirror.
    pub async fn follow(&self, branch: &str, base: &CommitId, head: Option<(u64, &CommitId)>) -> Result<(), NetError> {
        let name = format!("refs/heads/{branch}");
        let mut wants = vec![Want { theirs: name.clone(), ours: name, at: base.clone() }];
        if let Some((number, head)) = head {
            let name = format!("refs/merge-requests/{number}/head");
            wants.push(Want { theirs: name.clone(), ours: name, at: head.clone() });
        }
        self.mirror.follow(&wants).await
    }

    /// Git's own work on the mirror, where blocking is allowed.
    pub async fn git<T: Send + 'static>(&self, work: impl FnOnce(&crate::git::GitRepo) -> Result<T, RepoError> + Send + 'static) -> Result<T, NetError> {
        let git = self.mirror.git().clone();
        let away = |what: String| NetError::new(ForgeErrorKind::Unavailable, format!("the mirror of {}: {what}", self.project.id));
        let done = tokio::task::spawn_blocking(move || work(&git)).await.map_err(|stopped| away(stopped.to_string()))?;
        done.map_err(|error| away(error.to_string()))
    }
}
