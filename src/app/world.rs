//! Everything a change may reach, behind ports; made once by the wiring.

use super::{
    board::BoardRoom, code_owners::OwningTeams, drift::SweepBook, forges::Elsewhere, news::News, overrides::OverrideBook, owners::Owners, reign::Reigns, replan::Slots,
    rounds::Rounds, safe::Safe, service::MrDesk, targets::Targets, turns::Turns,
};
use crate::{
    core::{
        model::{CommitId, Grant, Probe, ProbeGrant, RepoId, Saw, Span, Str, User},
        render::Kinds,
    },
    formats::codeowners::Dialect,
    git::{Pointers, UnitCache},
    ports::{Clock, ForgeReader, ForgeWriter, Governed, People, Probes, RepoError, StateRepo},
    stores::Store,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

/// A forge, both halves.
pub trait Forge: ForgeReader + ForgeWriter {}

impl<T: ForgeReader + ForgeWriter> Forge for T {}

/// The world of one server.
pub struct World {
    pub clock: Arc<dyn Clock>,
    /// Who accounts are, and what the configuration lets them do.
    pub people: Arc<dyn People>,
    pub store: Arc<Store>,
    pub forge: Arc<dyn Forge>,
    /// The local forge, where merge requests are opened and commented through us.
    pub mr_desk: Option<Arc<dyn MrDesk>>,
    /// The repositories of network forges, with where people find them.
    pub elsewhere: BTreeMap<RepoId, Elsewhere>,
    pub repositories: BTreeMap<RepoId, Arc<Repository>>,
    /// How many plans are compiled at once.
    pub plans: Slots,
    pub targets: Targets,
    pub safe: Arc<Safe>,
    /// What asks health probes.
    pub prober: Arc<dyn Probes>,
    pub board: BoardRoom,
    pub overrides: OverrideBook,
    /// What sweeps for drift found.
    pub sweeps: SweepBook,
    /// Whose turn it is to merge.
    pub turns: Turns,
    /// When the others of a repository look again.
    pub rounds: Rounds,
    /// Who owns what several repositories may write.
    pub owners: Arc<Owners>,
    /// Which of several branches governs, and what each change was planned under.
    pub reigns: Reigns,
    pub kinds: Kinds,
    /// Whether new writes are stopped on the whole server.
    pub halted: AtomicBool,
    /// Whoever reads or writes that holds it, so that what was read first is not done last.
    pub halting: tokio::sync::Mutex<()>,
    /// What keeps journals from being written, while it does.
    pub trouble: Trouble,
    /// What the forge last showed.
    pub news: News,
    /// The server's base URL, for links.
    pub url: Str,
}

/// Why a journal was last not written: a full disk, for people who wait meanwhile.
#[derive(Debug, Default)]
pub struct Trouble(Mutex<Option<String>>);

impl Trouble {
    pub fn said(&self, why: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// A journal was written again.
    pub fn over(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub fn what(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl World {
    /// The tip of a repository's governed branch; `None`: it cannot be read, or there is none yet.
    pub fn base(&self, repo: &RepoId) -> Option<CommitId> {
        self.repositories.get(repo)?.tip()
    }

    /// The repositories over the same git: itself, and those that are further branches of it.
    pub fn beside<'a>(&'a self, repo: &'a RepoId) -> impl Iterator<Item = &'a Arc<Repository>> {
        let whole = self.repositories.get(repo).map(|known| &known.whole);
        self.repositories.values().filter(move |known| Some(&known.whole) == whole)
    }

    /// Why a probe of a repository can never be asked, by its grants and the server's configuration: what, and what to do.
    pub fn probe_fault(&self, repo: &RepoId, probe: &Probe) -> Option<(String, String)> {
        match self.repositories.get(repo) {
            Some(known) => known.probes.fault(&probe.ask).or_else(|| self.prober.fault(probe)),
            None => Some((format!("repository {repo} is no longer in the server's configuration"), "add it there again".to_owned())),
        }
    }

    /// Asks a probe of a repository, if that is still its to ask.
    pub async fn probe(&self, repo: &RepoId, probe: &Probe) -> Saw {
        match self.repositories.get(repo).and_then(|known| known.probes.fault(&probe.ask)) {
            Some((what, advice)) => Saw::Nothing(format!("{what}; {advice}").into()),
            None => self.prober.ask(probe).await,
        }
    }
}

/// One governed repository.
pub struct Repository {
    pub id: RepoId,
    /// The branch whose tip is base.
    pub governed: Governed,
    /// The repository whose git it is: itself, or the one whose further branch it is.
    pub whole: RepoId,
    /// The targets that other branches of that git govern.
    pub left: Vec<Str>,
    pub state: Arc<dyn StateRepo>,
    pub grants: Vec<Grant>,
    /// Who approves while base has no policy; groups are spelled out.
    pub admins: Vec<Str>,
    /// Everybody who may approve, where the forge lets us know.
    pub approvers: Option<Arc<BTreeSet<User>>>,
    /// Statuses that must be green whatever the repository's own policy says.
    pub required_checks: Vec<Str>,
    /// The secrets that its files may refer to.
    pub secrets: Vec<Str>,
    /// What its health probes may name.
    pub probes: ProbeGrant,
    /// How long a stopped change holds its claims before its owner is called.
    pub claim_ttl: Span,
    /// Whether runs are shown among the deployments of its forge.
    pub deployments: bool,
    /// Whom policy may name.
    pub people: Arc<Known>,
    /// The teams of the forge that base's policy names, by the base they were read at.
    pub teams: Mutex<Option<(CommitId, Arc<BTreeSet<Str>>)>>,
    /// The teams that own what merge requests change.
    pub owning: OwningTeams,
    pub units: UnitCache,
    /// Who points at what.
    pub pointers: Pointers,
    /// Who is written as a reference to what.
    pub references: Pointers,
}

impl Repository {
    /// The tip of the governed branch, or where nobody says which one that is, of the newest that is there.
    pub fn newest(&self) -> Result<CommitId, RepoError> {
        if self.governed.now().is_none()
            && let Some(newest) = self.governed.among(self.state.branches()?).first()
        {
            self.governed.set(newest);
        }
        self.state.commit(&self.governed.said())
    }

    /// The tip of the governed branch; `None`: it cannot be read, or there is none yet.
    pub fn tip(&self) -> Option<CommitId> {
        self.governed.now().and_then(|branch| self.state.commit(&format!("refs/heads/{branch}")).ok())
    }
}

/// The users and groups of a server's configuration.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Whether a server's configuration says all this.
    pub told: bool,
    pub users: BTreeSet<Str>,
    /// Each group's members, all of them users.
    pub groups: BTreeMap<Str, Vec<Str>>,
    /// Whether the repository's forge has teams of its own.
    pub teams: bool,
    /// How its forge writes who owns which files.
    pub dialect: Dialect,
    /// How that is known where no configuration says it.
    pub guessed: Option<Str>,
    /// Users by their mail addresses, in small letters.
    pub mails: BTreeMap<Str, Str>,
}
