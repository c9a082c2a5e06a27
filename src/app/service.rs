//! What people and programs ask of a running server: the one handle behind pages, API and CLI.

use super::{
    config,
    desk::Desk,
    drift, faults,
    glance::Glance,
    intake,
    orders::{self, Order},
    replicas,
    world::World,
};
use crate::core::{
    drift::{OverrideAsk, Overrides, Row, Swept},
    model::{CommitId, MrId, RepoId, ResourceId, Span, Str, User},
    review::{Answer, Check, Command, CommentId, MrState, Right, View, veiled, words::Upshot},
    run::{Card, Event, Input, StreamId},
};
use crate::{
    ports::{ForgeError, KvError},
    stores::{Batch, RowKey},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};
use tokio::sync::watch;

/// A running server. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    world: Arc<World>,
    desk: Desk,
}

/// What opening a merge request takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMr {
    pub title: String,
    pub source: String,
    pub target: String,
    pub draft: bool,
    pub reviewers: Vec<User>,
    pub description: String,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ServiceError {
    pub kind: ServiceErrorKind,
    /// A lowercase fragment that says what to do next.
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceErrorKind {
    NotFound,
    /// This person may not.
    Denied,
    /// The request makes no sense as it is.
    Invalid,
    /// Somebody else was first, or the state does not allow it.
    Conflict,
    /// Try again later.
    Unavailable,
}

impl From<drift::ClaimFault> for ServiceError {
    fn from(fault: drift::ClaimFault) -> Self {
        match fault {
            drift::ClaimFault::Refused(what) => Self::new(ServiceErrorKind::Invalid, what),
            drift::ClaimFault::Unavailable(what) => Self::new(ServiceErrorKind::Unavailable, what),
        }
    }
}

impl ServiceError {
    pub fn new(kind: ServiceErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }
}

/// The forge of our own, for the requests a network forge would take itself.
pub trait MrDesk: Send + Sync {
    fn open<'a>(&'a self, by: &'a User, repo: &'a RepoId, new: NewMr) -> crate::ports::Fut<'a, Result<MrId, ServiceError>>;
    fn comment<'a>(&'a self, by: &'a User, mr: &'a MrId, body: &'a str) -> crate::ports::Fut<'a, Result<CommentId, ServiceError>>;
    fn set_state<'a>(&'a self, by: &'a User, mr: &'a MrId, open: bool) -> crate::ports::Fut<'a, Result<(), ServiceError>>;
    fn set_draft<'a>(&'a self, by: &'a User, mr: &'a MrId, draft: bool) -> crate::ports::Fut<'a, Result<(), ServiceError>>;
    fn describe<'a>(&'a self, mr: &'a MrId, text: &'a str) -> crate::ports::Fut<'a, Result<(), ServiceError>>;
    fn label<'a>(&'a self, by: &'a User, mr: &'a MrId, add: &'a [String], remove: &'a [String]) -> crate::ports::Fut<'a, Result<(), ServiceError>>;
    /// Sets another program's status on a head.
    fn set_check<'a>(&'a self, by: &'a User, repo: &'a RepoId, head: &'a CommitId, name: &'a str, check: Check, about: &'a str) -> crate::ports::Fut<'a, Result<(), ServiceError>>;
    /// Whether there is such a merge request; an error when not. Cheap, however long its talk is.
    fn known<'a>(&'a self, mr: &'a MrId) -> crate::ports::Fut<'a, Result<(), ServiceError>>;
    /// The merge request as the forge holds it, with its newest comments.
    fn show<'a>(&'a self, mr: &'a MrId) -> crate::ports::Fut<'a, Result<MrPage, ServiceError>>;
}

/// A merge request as the local forge shows it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MrPage {
    pub number: u64,
    pub title: String,
    pub author: User,
    #[serde(default)]
    pub description: String,
    pub state: MrState,
    pub draft: bool,
    pub source: String,
    pub target: String,
    pub head: CommitId,
    pub reviewers: Vec<User>,
    pub comments: Vec<CommentRow>,
    pub statuses: Vec<StatusRow>,
    pub labels: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CommentRow {
    pub id: CommentId,
    pub by: User,
    pub body: String,
    pub at: crate::core::model::Time,
    /// The comment this one answers.
    #[serde(default)]
    pub to: Option<CommentId>,
    /// The server's own comment that is edited in place; pages show the same in their own way.
    #[serde(default)]
    pub sticky: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StatusRow {
    pub context: String,
    pub state: String,
    pub text: String,
}

impl Service {
    pub fn new(world: Arc<World>, desk: Desk) -> Self {
        Self { world, desk }
    }

    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Wakes what was under way when the last process ended; how many changes that is.
    pub async fn resume(&self) -> anyhow::Result<usize> {
        intake::resume(&self.world, &self.desk).await.map_err(anyhow::Error::msg)
    }

    /// Looks at what changed on the forge, again and again, until told to stop.
    pub async fn sweep(self, every: Span, stop: watch::Receiver<bool>) {
        intake::sweep(self, every, stop).await;
    }

    /// Lets every change finish its turn.
    pub async fn stop(&self) {
        self.desk.stop().await;
        if self.world.store.shared()
            && let Err(error) = self.world.store.leave().await
        {
            tracing::warn!("the other replicas wait until this one's session has run out: {error}");
        }
    }

    /// Opens a merge request; its worker looks at once.
    pub async fn open(&self, by: &User, repo: &RepoId, new: NewMr) -> Result<MrId, ServiceError> {
        self.needs(by, repo, Right::Write, "open merge requests").await?;
        let mr = self.mr_desk(repo, None)?.open(by, repo, new).await?;
        self.hint(&mr);
        Ok(mr)
    }

    /// Every change's card, oldest first.
    pub async fn list(&self) -> Result<Vec<Card>, ServiceError> {
        self.world.store.cards().await.map_err(|error| ServiceError::new(ServiceErrorKind::Unavailable, error.to_string()))
    }

    /// Everything there is to show of a change.
    pub async fn view(&self, mr: &MrId) -> Result<View, ServiceError> {
        self.known(mr).await?;
        let why = || self.world.trouble.what().unwrap_or_else(|| "see the server's log".to_owned());
        self.desk.view(mr).await.ok_or_else(|| ServiceError::new(ServiceErrorKind::Unavailable, format!("the change starts over from its journal; ask again soon: {}", why())))
    }

    /// The merge request as the forge holds it: comments and statuses.
    pub async fn page(&self, mr: &MrId) -> Result<MrPage, ServiceError> {
        match self.world.elsewhere.get(&mr.repo) {
            None => self.mr_desk(&mr.repo, Some(mr))?.show(mr).await,
            Some(there) => Ok(MrPage::elsewhere(self.view(mr).await?, there.of(mr))),
        }
    }

    /// An error when there is no such merge request. Of one on a network forge what was seen of it counts, so that its being down keeps nobody out.
    pub async fn known(&self, mr: &MrId) -> Result<(), ServiceError> {
        let Some(there) = self.world.elsewhere.get(&mr.repo) else { return self.mr_desk(&mr.repo, Some(mr))?.known(mr).await };
        match self.world.store.card(mr).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(ServiceError::new(ServiceErrorKind::NotFound, format!("no merge request {mr} was seen yet; if it is at {}, wait a moment", there.of(mr)))),
            Err(error) => Err(ServiceError::new(ServiceErrorKind::Unavailable, error.to_string())),
        }
    }

    /// Comments as a person; `/trueup` commands in it are heard.
    pub async fn comment(&self, by: &User, mr: &MrId, body: &str) -> Result<CommentId, ServiceError> {
        self.needs(by, &mr.repo, Right::Read, "comment").await?;
        let id = self.mr_desk(&mr.repo, Some(mr))?.comment(by, mr, body).await?;
        self.hint(mr);
        Ok(id)
    }

    /// Says a command directly; works while the forge is down. Who may is judged by the change itself, whose answer comes back.
    pub async fn command(&self, by: &User, mr: &MrId, command: Command) -> Result<Answer, ServiceError> {
        self.known(mr).await?;
        if let Command::Override { resource, until, reason } = command {
            let ask = OverrideAsk { by: by.clone(), resource, until, reason, at: self.world.clock.now() };
            return Ok(Answer::Overridden { text: self.override_claim(by, &mr.repo, ask, Some(mr.clone())).await? });
        }
        let right = self.right_for(by, &mr.repo, command.needs(), command.stops()).await?;
        let plan = if command.is_of_a_plan() { self.desk.view(mr).await.and_then(|view| view.digest) } else { None };
        let asker = self.world.store.shared().then(|| self.desk.asker());
        let order = Order { mr: mr.clone(), by: by.clone(), right, command, plan, asker };
        let unkept = |error: KvError| {
            self.world.trouble.said(error.to_string());
            ServiceError::new(ServiceErrorKind::Unavailable, format!("nothing was done: {error}"))
        };
        let n = order.keep(&self.world.store, self.world.clock.now()).await.map_err(unkept)?;
        self.world.trouble.over();
        faults::point("after inbox");
        let Some(answer) = self.desk.command(mr, n).await else { return Err(self.unanswered(n).await) };
        match answer.upshot() {
            Upshot::Done => Ok(answer),
            Upshot::Denied => Err(ServiceError::new(ServiceErrorKind::Denied, answer.to_string())),
            Upshot::Refused => Err(ServiceError::new(ServiceErrorKind::Conflict, answer.to_string())),
        }
    }

    /// What became of a command whose answer was lost: it leaves the inbox with what follows from it.
    async fn unanswered(&self, n: u64) -> ServiceError {
        let why = || self.world.trouble.what().unwrap_or_else(|| "see the server's log".to_owned());
        let what = match orders::read(&self.world.store, n).await {
            Ok(Some(_)) => format!("the command is kept and is carried out once the change's journal can be written: {}", why()),
            Ok(None) => "the command was carried out and its answer was lost on the way; `trueup mr show` says where the change is".to_owned(),
            Err(error) => format!("the command is kept, and whether it is carried out already cannot be read now ({error}); `trueup mr journal` says so once it can"),
        };
        ServiceError::new(ServiceErrorKind::Unavailable, what)
    }

    pub async fn close(&self, by: &User, mr: &MrId) -> Result<(), ServiceError> {
        self.needs(by, &mr.repo, Right::Write, "close merge requests").await?;
        self.mr_desk(&mr.repo, Some(mr))?.set_state(by, mr, false).await?;
        self.hint(mr);
        self.others_wait(mr);
        Ok(())
    }

    pub async fn reopen(&self, by: &User, mr: &MrId) -> Result<(), ServiceError> {
        self.needs(by, &mr.repo, Right::Write, "reopen merge requests").await?;
        self.mr_desk(&mr.repo, Some(mr))?.set_state(by, mr, true).await?;
        self.hint(mr);
        self.others_wait(mr);
        Ok(())
    }

    pub async fn set_draft(&self, by: &User, mr: &MrId, draft: bool) -> Result<(), ServiceError> {
        self.needs(by, &mr.repo, Right::Write, "change merge requests").await?;
        self.mr_desk(&mr.repo, Some(mr))?.set_draft(by, mr, draft).await?;
        self.hint(mr);
        Ok(())
    }

    /// Replaces a merge request's description; what it depends on is read from it.
    pub async fn describe(&self, by: &User, mr: &MrId, text: &str) -> Result<(), ServiceError> {
        self.needs(by, &mr.repo, Right::Write, "change merge requests").await?;
        self.mr_desk(&mr.repo, Some(mr))?.describe(mr, text).await?;
        self.hint(mr);
        self.others_wait(mr);
        Ok(())
    }

    /// Adds and removes labels. Whoever may write may; only an approver's `incident` moves the queue.
    pub async fn label(&self, by: &User, mr: &MrId, add: &[String], remove: &[String]) -> Result<(), ServiceError> {
        self.needs(by, &mr.repo, Right::Write, "label merge requests").await?;
        self.mr_desk(&mr.repo, Some(mr))?.label(by, mr, add, remove).await?;
        self.hint(mr);
        Ok(())
    }

    /// Takes another program's status on a head; every open merge request with this head is looked at.
    pub async fn set_check(&self, by: &User, repo: &RepoId, head: &CommitId, name: &str, check: Check, about: &str) -> Result<(), ServiceError> {
        self.needs(by, repo, Right::Write, "set statuses").await?;
        self.judges_others(by, repo, head).await?;
        self.mr_desk(repo, None)?.set_check(by, repo, head, name, check, about).await?;
        let open = self.world.forge.open(repo).await.map_err(|error| ServiceError::new(ServiceErrorKind::Unavailable, error.to_string()))?;
        self.hint_all(open.into_iter().filter(|found| found.head == *head).map(|found| found.mr).collect());
        Ok(())
    }

    /// The journal, oldest first, without what policy calls sensitive.
    pub async fn journal(&self, mr: &MrId) -> Result<Vec<Event>, ServiceError> {
        self.known(mr).await?;
        let read = self.world.store.read(&StreamId::Change(mr.clone())).await;
        read.map(veiled).map_err(|error| ServiceError::new(ServiceErrorKind::Unavailable, error.to_string()))
    }

    /// How many changes have a running worker: those that are not over, and those somebody just asked about.
    pub fn workers(&self) -> usize {
        self.desk.running()
    }

    /// Changes with every turn of the change.
    pub fn watch(&self, mr: &MrId) -> watch::Receiver<Glance> {
        self.desk.watch(mr)
    }

    /// Something happened on the forge: the change's worker reads it.
    pub fn hint(&self, mr: &MrId) {
        self.desk.hint(vec![mr.clone()]);
    }

    /// The same for many at once.
    pub fn hint_all(&self, all: Vec<MrId>) {
        self.desk.hint(all);
    }

    /// Changes whose descriptions name this one see where it is now.
    fn others_wait(&self, mr: &MrId) {
        let (world, desk, mr) = (self.world.clone(), self.desk.clone(), mr.clone());
        tokio::spawn(async move { intake::look_queued(&world, &desk, world.repositories.keys(), Some(&mr)).await });
    }

    /// After a push: reads the open merge requests that moved with it again, and all of the repository when its base did.
    pub async fn swept(&self, repo: &RepoId) {
        match self.world.forge.open(repo).await {
            Ok(found) => self.hint_all(self.world.news.moved(repo, self.world.base(repo), &found, self.world.elsewhere.contains_key(repo))),
            Err(error) => tracing::warn!(%repo, "the forge did not say which changes are open; the sweep will: {error}"),
        }
    }

    /// Does as the store keeps: another replica may have been told to halt, or to go on.
    pub(super) async fn hear_halt(world: &World, desk: &Desk) -> Result<(), KvError> {
        // What is read here must not undo what this server is told meanwhile.
        let _one_at_a_time = world.halting.lock().await;
        let on = world.store.row::<bool>(&Self::halt_row()).await?.is_some_and(|row| row.value);
        if world.halted.swap(on, Ordering::SeqCst) != on {
            desk.send_all(&Input::Halt(on));
        }
        Ok(())
    }

    /// Does this replica's part among the others until told to stop; where there is one server alone there is none.
    pub async fn attend(self, stop: watch::Receiver<bool>) {
        if self.world.store.shared() {
            replicas::attend(self.clone(), self.desk.clone(), stop).await;
        }
    }

    /// Stops new writes of all changes at their next safe point, or lifts the halt.
    pub async fn halt(&self, by: &User, on: bool) -> Result<(), ServiceError> {
        let (mut admin, mut unknown) = (false, None);
        for repo in self.world.repositories.keys() {
            // A forge that is away keeps nobody from halting whom another repository knows.
            match self.right_for(by, repo, Right::Admin, on).await {
                Ok(right) if right >= Right::Admin => {
                    admin = true;
                    break;
                }
                Ok(_) => {}
                Err(error) => unknown = Some(error),
            }
        }
        if !admin {
            if let Some(error) = unknown {
                return Err(error);
            }
            return Err(ServiceError::new(ServiceErrorKind::Denied, format!("{by} may not halt the server; an admin of a repository may")));
        }
        Self::set_halt(&self.world, &self.desk, on).await.map_err(|error| ServiceError::new(ServiceErrorKind::Unavailable, error.to_string()))
    }

    /// Halts the server, or lifts the halt.
    pub(super) async fn set_halt(world: &World, desk: &Desk, on: bool) -> Result<(), KvError> {
        let _one_at_a_time = world.halting.lock().await;
        // Kept first: a server that restarts stays halted, and workers that start later hear of it.
        world.store.write(Batch::new().set(&Self::halt_row(), &on)).await?.ok();
        world.halted.store(on, Ordering::SeqCst);
        desk.send_all(&Input::Halt(on));
        Ok(())
    }

    /// Where the store keeps whether the server is halted.
    pub fn halt_row() -> RowKey {
        RowKey::new("halt")
    }

    pub fn is_halted(&self) -> bool {
        self.world.halted.load(Ordering::SeqCst)
    }

    /// Searches a repository's targets for drift; the rows come as they are found.
    pub async fn drift(&self, by: &User, repo: &RepoId, asked: drift::Asked) -> Result<tokio::sync::mpsc::Receiver<Row>, ServiceError> {
        self.needs(by, repo, Right::Write, "have the live systems read").await?;
        let known = self.world.repositories.get(repo).cloned();
        let Some((known, base)) = known.and_then(|known| Some((known, self.world.base(repo)?))) else {
            return Err(ServiceError::new(ServiceErrorKind::NotFound, format!("{repo} has no governed branch yet; push it first")));
        };
        let open = drift::Open::Server { desk: self.desk.clone(), world: self.world.clone() };
        let rows = drift::search(known, self.world.targets.clone(), self.world.safe.clone(), open, base, asked).await;
        rows.map_err(|what| ServiceError::new(ServiceErrorKind::Invalid, what))
    }

    /// Answers for what is live of a resource; what it covers comes back. Merge requests that this drift held up are planned again.
    pub async fn override_claim(&self, by: &User, repo: &RepoId, ask: OverrideAsk, on: Option<MrId>) -> Result<String, ServiceError> {
        self.needs(by, repo, Right::Approve, "override").await?;
        let done = drift::claim(&self.world, &self.desk, repo, &ask, on.clone()).await?;
        drift::plan_again(&self.world, &self.desk, repo, by, on.as_ref()).await;
        Ok(done)
    }

    /// Ends an override before its time.
    pub async fn override_end(&self, by: &User, repo: &RepoId, id: &ResourceId) -> Result<(), ServiceError> {
        self.needs(by, repo, Right::Approve, "end overrides").await?;
        Ok(drift::end(&self.world, repo, id, by).await?)
    }

    /// Every override of the server, those that are over too as far as they are remembered.
    pub async fn overrides(&self) -> Arc<Overrides> {
        self.world.overrides.now().await
    }

    /// What sweeps found, by repository and target.
    pub fn sweeps(&self) -> BTreeMap<(RepoId, Str), Swept> {
        self.world.sweeps.known()
    }

    /// Looks at everything of a repository now, and proposes what is found as a merge request of the server's own; the asker cannot approve it.
    pub async fn propose_drift(&self, by: &User, repo: &RepoId) -> Result<Option<MrId>, ServiceError> {
        self.needs(by, repo, Right::Write, "have drift proposed").await?;
        let known = self.world.repositories.get(repo).cloned().ok_or_else(|| ServiceError::new(ServiceErrorKind::NotFound, format!("no repository `{repo}` here")))?;
        drift::propose_now(&self.world, &self.desk, &known, by).await.map_err(|what| ServiceError::new(ServiceErrorKind::Unavailable, what))
    }

    /// Looks for drift again and again, until told to stop.
    pub async fn sweep_drift(self, drift: config::Drift, stop: watch::Receiver<bool>) {
        let sweeps = self.world.repositories.values().map(|repo| drift::sweep(self.world.clone(), self.desk.clone(), repo.clone(), drift.clone(), stop.clone()));
        futures::future::join_all(sweeps).await;
    }

    /// Announces and ends overrides in time, until told to stop.
    pub async fn keep_overrides(self, stop: watch::Receiver<bool>) {
        drift::keep_overrides(self.world.clone(), self.desk.clone(), stop).await;
    }

    /// A check that whoever wrote the commits could set themselves would check nothing.
    async fn judges_others(&self, by: &User, repo: &RepoId, head: &CommitId) -> Result<(), ServiceError> {
        let unread = |error: ForgeError| ServiceError::new(ServiceErrorKind::Unavailable, error.to_string());
        let found = self.world.forge.open(repo).await.map_err(unread)?;
        for found in found.iter().filter(|found| found.head == *head) {
            let seen = self.world.forge.look(&found.mr, Some(CommentId(u64::MAX))).await.map_err(unread)?;
            if seen.author == *by || seen.pushers.contains(by) {
                let what = format!("{by} wrote or pushed this head and cannot set its statuses; let the CI's own user do it");
                return Err(ServiceError::new(ServiceErrorKind::Denied, what));
            }
        }
        Ok(())
    }

    /// The desk of the local forge; elsewhere people go to the forge itself.
    fn mr_desk(&self, repo: &RepoId, mr: Option<&MrId>) -> Result<&dyn MrDesk, ServiceError> {
        if let Some(there) = self.world.elsewhere.get(repo) {
            let at = mr.map_or_else(|| there.page.clone(), |mr| there.of(mr));
            return Err(ServiceError::new(ServiceErrorKind::Invalid, format!("{repo} is on a forge of its own; do this at {at}")));
        }
        self.world.mr_desk.as_deref().ok_or_else(|| ServiceError::new(ServiceErrorKind::Unavailable, "this server has no local forge"))
    }
}
