//! One Gitea with its repositories, and what is remembered of them between two questions.

use super::{
    talk::Talk,
    wire::{self, Account},
};
use crate::{
    core::{
        model::{CommitId, MrId, RepoId, Span, Time, User},
        review::{MrState, Right},
    },
    forges::net::{Badge, Client, ConfigError, Described, Entrance, ForgeConfig, KnownTeams, Mirror, Mirrors, NetError, Token, Want, Written, encoded, right_by_teams},
    git::oid,
    ports::{Clock, ForgeErrorKind, Fut, Governed, People},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OnceCell;

/// How long what somebody may do is believed: within it a right that was taken away still counts.
const RIGHTS: Span = Span::secs(30);

/// Merge requests and rights that are remembered; beyond it everything is asked again.
const REMEMBERED: usize = 20_000;

/// A Gitea or Forgejo.
pub struct Gitea {
    pub(super) web: String,
    pub(super) client: Client,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) people: Arc<dyn People>,
    bot: OnceCell<User>,
    places: BTreeMap<RepoId, Place>,
    rights: Mutex<BTreeMap<(RepoId, User), (Right, Time)>>,
    pub(super) teams: KnownTeams,
}

/// One repository there.
pub(super) struct Place {
    /// `/repos/OWNER/NAME`.
    pub api: String,
    pub branch: Governed,
    pub mirror: Arc<Mirror>,
    /// Its path, by which links name it.
    pub path: String,
    /// Its page.
    pub page: String,
    pub known: Mutex<Known>,
    /// What our comments say.
    pub written: Written,
    /// Our labels by name, once they are made.
    pub labels: tokio::sync::Mutex<BTreeMap<String, i64>>,
}

/// What the last questions told.
#[derive(Default)]
pub(super) struct Known {
    pub talks: BTreeMap<u64, Talk>,
    /// The open merge requests as of `upto`.
    pub open: BTreeMap<u64, (CommitId, Time)>,
    /// The latest change that was listed, in seconds; none before the first list.
    pub upto: Option<i64>,
    /// Whose the mail addresses of a merge request's commits are, at which head.
    pub mails: BTreeMap<u64, (CommitId, BTreeMap<String, String>)>,
}

impl Gitea {
    /// Makes the client and opens the mirrors; nothing is asked yet.
    pub fn new(config: ForgeConfig, people: Arc<dyn People>, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let ForgeConfig { name, web, api, sign_in, ca, bot, answer, projects } = config;
        let token = sign_in.token()?;
        let badge: Arc<dyn Badge> = Arc::new(Token(token.clone()));
        let (mut places, mut mirrors) = (BTreeMap::new(), Mirrors::default());
        for project in projects {
            let mirror = mirrors.of(&project, "trueup", badge.clone(), ca.as_deref())?;
            let place = Place {
                api: format!("/repos/{}", project.path),
                branch: project.branch,
                mirror,
                path: project.path,
                page: project.page,
                known: Mutex::default(),
                written: Written::default(),
                labels: tokio::sync::Mutex::default(),
            };
            places.insert(project.id, place);
        }
        let entrance = Entrance { name, api, token: Some(("authorization", "token ", token)), headers: vec![("accept", "application/json".to_owned())], ca, answer };
        let bot = OnceCell::new_with(bot.map(|bot| people.by_login(bot.as_str())));
        Ok(Self { web, client: Client::new(entrance, clock.clone())?, clock, people, bot, places, rights: Mutex::default(), teams: KnownTeams::default() })
    }

    pub(super) fn place(&self, repo: &RepoId) -> Result<&Place, NetError> {
        self.places.get(repo).ok_or_else(|| NetError::new(ForgeErrorKind::NotFound, format!("no repository `{repo}` on forge {}", self.client.name())))
    }

    /// The repositories of one path there.
    pub(super) fn beside<'a>(&'a self, place: &'a Place) -> impl Iterator<Item = &'a Place> {
        self.places.values().filter(|other| other.path == place.path)
    }

    /// The repository that a path on this forge, or a name of ours, means.
    pub(super) fn repo_at(&self, named: &str) -> Option<&RepoId> {
        let by_path = self.places.iter().find(|(_, place)| place.path.eq_ignore_ascii_case(named)).map(|(id, _)| id);
        by_path.or_else(|| self.places.keys().find(|id| id.as_str() == named))
    }

    /// Our own account.
    pub(super) async fn bot(&self) -> Result<&User, NetError> {
        let asked = async || Ok(self.people.by_login(&self.client.read_one::<Account>("/user").await?.login));
        self.bot.get_or_try_init(asked).await
    }

    /// An account by the name that the configuration has for it.
    pub(super) fn user(&self, login: &str) -> User {
        self.people.by_login(login)
    }

    /// Whose an account is; accounts that were deleted are nobody's.
    pub(super) fn whose(&self, account: Option<&Account>) -> User {
        account.map_or_else(|| User::new("(deleted account)"), |account| self.user(&account.login))
    }

    /// Whoever commits under a mail address, by the configuration.
    pub(super) fn by_email(&self, email: &str) -> Option<User> {
        self.people.by_email(email)
    }

    /// What somebody may do: what the lists give, or what the forge does, whichever is more. The forge itself gives nobody an approval.
    pub(super) async fn right_of(&self, repo: &RepoId, who: &User) -> Result<Right, NetError> {
        let listed = self.people.right(repo, who);
        let listed = right_by_teams(self, &*self.people, repo, who, listed, self.clock.now()).await?;
        if listed >= Right::Approve {
            return Ok(listed);
        }
        let key = (repo.clone(), who.clone());
        let now = self.clock.now();
        let known = self.rights.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some((right, _)) = known.filter(|(_, at)| now - *at < RIGHTS && *at <= now) {
            return Ok(right.max(listed));
        }
        let path = format!("{}/collaborators/{}/permission", self.place(repo)?.api, encoded(who.as_str()));
        let given = match self.client.read_one::<wire::Permission>(&path).await {
            Ok(found) => match found.permission.as_str() {
                "owner" | "admin" | "write" => Right::Write,
                "read" => Right::Read,
                _ => Right::None,
            },
            // Nobody there has the name.
            Err(error) if error.kind == ForgeErrorKind::NotFound => Right::None,
            Err(error) if error.kind == ForgeErrorKind::Denied => {
                tracing::warn!(%repo, "what {who} may do is not known, the server's own lists hold: {error}");
                return Ok(listed);
            }
            Err(error) => return Err(error),
        };
        let mut rights = self.rights.lock().unwrap_or_else(PoisonError::into_inner);
        if rights.len() >= REMEMBERED {
            rights.clear();
        }
        rights.insert(key, (given, now));
        Ok(given.max(listed))
    }
}

impl Place {
    /// The merge request of a number.
    pub fn pull(&self, number: u64) -> String {
        format!("{}/pulls/{number}", self.api)
    }

    /// The same as an issue, which it also is there.
    pub fn issue(&self, number: u64) -> String {
        format!("{}/issues/{number}", self.api)
    }

    /// The governed branch in full.
    pub fn base_ref(&self) -> String {
        self.branch.full()
    }

    /// Where a branch shall be.
    pub fn want_base(&self, branch: &str, at: CommitId) -> Want {
        let name = format!("refs/heads/{branch}");
        Want { theirs: name.clone(), ours: name, at }
    }

    pub fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        // Every statement leaves the maps whole.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.talks.len() > REMEMBERED {
            known.talks.clear();
        }
        if known.mails.len() > REMEMBERED {
            known.mails.clear();
        }
        known
    }
}

/// Our name for a merge request's head.
pub(super) fn head_ref(mr: &MrId) -> String {
    format!("refs/merge-requests/{}/head", mr.number)
}

/// A commit that the API names.
pub(super) fn commit(sha: &str) -> Option<CommitId> {
    oid(sha).ok().map(|_| CommitId::new(sha.to_ascii_lowercase()))
}

/// A time that the API names; what cannot be read is the beginning of time.
pub(super) fn time(text: &str) -> Time {
    text.parse::<jiff::Timestamp>().map_or(Time(0), |stamp| Time(stamp.as_millisecond()))
}

impl Described for Gitea {
    fn web(&self) -> &str {
        &self.web
    }

    fn meant(&self, named: MrId) -> Option<MrId> {
        Some(MrId { repo: self.repo_at(named.repo.as_str())?.clone(), number: named.number })
    }

    fn described<'a>(&'a self, mr: &'a MrId) -> Fut<'a, Result<Option<(MrState, String)>, NetError>> {
        Box::pin(async move {
            let place = self.place(&mr.repo)?;
            match self.pull(place, mr.number).await {
                Ok(pull) => {
                    // Several repositories may be one there: the one that governs where it goes knows what it is.
                    let place = self.beside(place).find(|other| other.branch.holds(&pull.base.label)).unwrap_or(place);
                    Ok(Some((self.state(place, &pull), pull.body)))
                }
                Err(error) if error.kind == ForgeErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
    }
}
