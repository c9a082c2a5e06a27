//! The forge itself: its connection, its mirrors, and what it remembers between sweeps.

use super::{api::Api, door::Door, wire::Account};
use crate::{
    core::{
        model::{CommitId, MrId, RepoId, User},
        review::Right,
    },
    forges::net::{ConfigError, Entrance, ForgeConfig, Known, KnownTeams, Mirror, Mirrors, NetError, Project, Want, Written, right_by_teams},
    ports::{Clock, ForgeErrorKind, People},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::OnceCell;

/// One GitHub under one account.
pub struct GitHub {
    pub(super) web: String,
    pub(super) door: Door,
    pub(super) people: Arc<dyn People>,
    pub(super) name: String,
    pub(super) clock: Arc<dyn Clock>,
    bot: OnceCell<User>,
    places: BTreeMap<RepoId, Place>,
    pub(super) teams: KnownTeams,
}

/// One governed repository.
pub struct Place {
    pub project: Project,
    pub api: Api,
    /// GraphQL stands beside REST.
    pub questions: Api,
    pub mirror: Arc<Mirror>,
    /// What the last sweep knew.
    pub known: tokio::sync::Mutex<Known>,
    /// What our comments say.
    pub written: Written,
    /// One merge at a time: two would each find the other's base moved.
    pub merging: tokio::sync::Mutex<()>,
}

impl GitHub {
    /// Makes the forge with its mirrors; nothing is contacted yet.
    pub fn new(config: ForgeConfig, people: Arc<dyn People>, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let entrance = Entrance {
            name: config.name.clone(),
            api: config.api,
            token: None,
            headers: vec![("accept", "application/vnd.github+json".into()), ("x-github-api-version", "2022-11-28".into())],
            ca: config.ca.clone(),
            answer: config.answer,
        };
        let door = Door::new(entrance, config.sign_in, clock.clone())?;
        let (mut places, mut mirrors) = (BTreeMap::new(), Mirrors::default());
        for project in config.projects {
            // GitHub takes any user with a token; apps want this one.
            let mirror = mirrors.of(&project, "x-access-token", door.badge(&project.path), config.ca.as_deref())?;
            let (api, questions) = door.about(&project.path)?;
            let (known, merging, written) = Default::default();
            places.insert(project.id.clone(), Place { project, api, questions, mirror, known, merging, written });
        }
        let bot = OnceCell::new_with(config.bot.map(|bot| people.by_login(bot.as_str())));
        Ok(Self { web: config.web, door, people, name: config.name, clock, bot, places, teams: KnownTeams::default() })
    }

    pub(super) fn place(&self, repo: &RepoId) -> Result<&Place, NetError> {
        self.places.get(repo).ok_or_else(|| NetError::new(ForgeErrorKind::NotFound, format!("no repository `{repo}` on forge {}", self.name)))
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
        let asked = || async {
            let login = match self.door.app() {
                // What an app does is done by an account of this name.
                Some(app) => app.me().await?.login(),
                None => self.account().await?.login,
            };
            Ok(self.people.by_login(&login))
        };
        self.bot.get_or_try_init(asked).await
    }

    /// Whose the token is.
    pub(super) async fn account(&self) -> Result<Account, NetError> {
        // Asked by any of our connections: the token is the same.
        self.door.of_owner("")?.get("/user").await
    }

    /// An account as the server knows it; what is left of a deleted one is GitHub's `ghost`.
    pub(super) fn user(&self, account: Option<&Account>) -> User {
        self.people.by_login(account.map_or("ghost", |account| &account.login))
    }

    /// What somebody may do: as the configuration says, and as the forge lets them.
    ///
    /// The forge gives `Write` at most: who approves is the configuration's to say.
    pub(super) async fn right_of(&self, repo: &RepoId, who: &User) -> Result<Right, NetError> {
        let listed = self.people.right(repo, who);
        let listed = right_by_teams(self, &*self.people, repo, who, listed, self.clock.now()).await?;
        if listed >= Right::Write {
            return Ok(listed);
        }
        Ok(listed.max(self.forge_right(repo, who).await?))
    }

    /// Whether the forge lets somebody push.
    pub(super) async fn may_write(&self, repo: &RepoId, who: &User) -> Result<bool, NetError> {
        Ok(self.right_of(repo, who).await? >= Right::Write)
    }
}

impl Place {
    /// `/repos/OWNER/NAME`, before what is asked of it.
    pub fn path(&self, rest: impl std::fmt::Display) -> String {
        format!("/repos/{}{rest}", self.project.path)
    }

    /// Whether a request goes to a branch that governs here, or may.
    pub fn governs(&self, branch: &str) -> bool {
        self.project.branch.holds(branch)
    }

    pub fn mr(&self, number: u64) -> MrId {
        MrId { repo: self.project.id.clone(), number }
    }

    /// Brings a branch and, where there is one, the head of a request into the mirror.
    pub async fn follow(&self, branch: &str, base: &CommitId, head: Option<(&MrId, &CommitId)>) -> Result<(), NetError> {
        let name = format!("refs/heads/{branch}");
        let mut wants = vec![Want { theirs: name.clone(), ours: name, at: base.clone() }];
        if let Some((mr, head)) = head {
            let name = format!("refs/pull/{}/head", mr.number);
            wants.push(Want { theirs: name.clone(), ours: name, at: head.clone() });
        }
        self.mirror.follow(&wants).await
    }
}
