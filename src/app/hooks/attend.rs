//! What becomes of deliveries: many at once about one merge request are one look, and each leaves the inbox only after it was acted on.

use super::{
    notes,
    reception::{Reception, is_hook},
};
use crate::{
    app::service::Service,
    core::model::{CommitId, MrId, RepoId, Span, Time},
    forges::hooks::{Hint, Subject},
    ports::{KvError, Stand},
    stores::Store,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// How long a delivery stays in the inbox after it was acted on: whoever is killed before the look is in a journal acts on it again.
const LINGER: Span = Span::secs(10);

/// Deliveries that linger at most, so that a burst does not fill the store.
const LINGERING: usize = 2000;

/// How long another replica has for what it took; after that anybody acts on it.
const OVERDUE: Span = Span::mins(1);

/// How often the inbox is searched for what others left.
const LEFTOVERS: Span = Span::secs(30);

/// How long ids of deliveries stay known. Forges let people send a delivery again for three days.
const KNOWN: Span = Span::mins(4 * 24 * 60);

/// How long it is remembered who pushed a commit: longer than merge requests stay open.
const PUSHED: Span = Span::mins(90 * 24 * 60);

/// How often what is too old is forgotten.
const HOUSEKEEPING: Span = Span::mins(60);

/// The loop's heartbeat, for what lingers and for what others left.
const BEAT: Duration = Duration::from_secs(2);

/// Acts on deliveries until told to stop.
pub async fn attend(service: Service, reception: Arc<Reception>, mut stop: watch::Receiver<bool>) {
    let mut attendant = Attendant { store: reception.store().clone(), sweeps: Sweeps::default(), lingering: VecDeque::new(), service, leftovers: None, forgot: None };
    loop {
        if let Err(error) = attendant.round(&reception).await {
            tracing::warn!("webhooks wait until the store answers: {error}");
        }
        tokio::select! {
            () = reception.bell.notified() => {}
            () = tokio::time::sleep(BEAT) => {}
            changed = stop.wait_for(|stop| *stop) => {
                drop(changed);
                return;
            }
        }
    }
}

struct Attendant {
    service: Service,
    /// Where deliveries wait.
    store: Store,
    sweeps: Sweeps,
    /// What was acted on, and when.
    lingering: VecDeque<(u64, Time)>,
    /// When the inbox was last searched.
    leftovers: Option<Time>,
    forgot: Option<Time>,
}

impl Attendant {
    async fn round(&mut self, reception: &Reception) -> Result<(), KvError> {
        let world = self.service.world().clone();
        let now = world.clock.now();
        let waiting = reception.all();
        let mut hints = waiting.hints;
        let due = |last: Option<Time>, every: Span| last.is_none_or(|last| now.0 - last.0 >= every.0 as i64 || now < last);
        if waiting.more || due(self.leftovers, LEFTOVERS) {
            let first = self.leftovers.is_none();
            // What waits here is written already and must not be lost to an error now.
            match self.left(now, first, waiting.more).await {
                Ok(left) => {
                    let here: BTreeSet<u64> = hints.iter().filter_map(|(n, _)| *n).collect();
                    hints.extend(left.into_iter().filter(|(n, _)| !here.contains(n)).map(|(n, hint)| (Some(n), hint)));
                    self.leftovers = Some(now);
                }
                Err(error) => tracing::warn!("the inbox could not be searched for deliveries: {error}"),
            }
        }
        self.act(hints, now).await;
        self.done(now).await?;
        if due(self.forgot, HOUSEKEEPING) {
            let before = |span: Span| Time(now.0.saturating_sub(span.0 as i64));
            let known = self.store.forget_seen(before(KNOWN)).await?;
            let pushed = notes::forget(&world.store, before(PUSHED)).await?;
            tracing::debug!(known, pushed, "old deliveries were forgotten");
            self.forgot = Some(now);
        }
        Ok(())
    }

    /// The deliveries that a process that is no more has left, or that this one had no room for.
    async fn left(&self, now: Time, first: bool, more: bool) -> Result<Vec<(u64, Hint)>, KvError> {
        let store = &self.store;
        let lingering: BTreeSet<u64> = self.lingering.iter().map(|(n, _)| *n).collect();
        // At the start of the only process there is, all of it is left over.
        let all = more || (first && !store.shared());
        let overdue = |at: Time| now.0 - at.0 > OVERDUE.0 as i64;
        let mut left = Vec::new();
        for delivery in store.take(usize::MAX).await?.into_iter().filter(|delivery| is_hook(&delivery.source)) {
            if lingering.contains(&delivery.n) || !(all || overdue(delivery.at)) {
                continue;
            }
            match serde_json::from_slice(&delivery.bytes) {
                Ok(hint) => left.push((delivery.n, hint)),
                Err(error) => {
                    tracing::error!(n = delivery.n, "a webhook in the inbox cannot be understood and is dropped; the sweep finds what it was about: {error}");
                    store.done(&[delivery.n]).await?;
                }
            }
        }
        Ok(left)
    }

    /// Acts on deliveries: first who pushed, which a look must find, then the looks.
    async fn act(&mut self, hints: Vec<(Option<u64>, Hint)>, now: Time) {
        let world = self.service.world().clone();
        let mut looks: BTreeSet<MrId> = BTreeSet::new();
        // With the commits that somebody was noted for: whoever has looked at such a head already looks again.
        let mut repos: BTreeMap<RepoId, BTreeSet<CommitId>> = BTreeMap::new();
        for (n, Hint { repo, about, at, push }) in hints {
            if !world.repositories.contains_key(&repo) {
                // Taken out of the configuration since.
                self.lingering.extend(n.map(|n| (n, now)));
                continue;
            }
            if let Some(push) = &push
                && let Err(error) = notes::keep(&world.store, &repo, push, now).await
            {
                // It stays in the inbox, and the next search finds it.
                tracing::warn!(%repo, "who pushed {} could not be kept yet: {error}", push.commit);
            } else {
                self.lingering.extend(n.map(|n| (n, now)));
            }
            if let Some(at) = at {
                let late = now.0.saturating_sub(at.0).max(0);
                metrics::histogram!("trueup_news_late_seconds", "by" => "webhook").record(late as f64 / 1000.0);
            }
            let all: Vec<RepoId> = world.beside(&repo).map(|known| known.id.clone()).collect();
            for repo in &all {
                if let Subject::Branch(branch) = &about
                    && let Some(Stand::Retired(by)) = world.repositories.get(repo).map(|known| known.governed.stand(branch))
                {
                    metrics::counter!("trueup_retired_pushes_total", "repo" => repo.to_string()).increment(1);
                    tracing::error!(%repo, "somebody pushed to `{branch}`, which governs nothing any more: `{by}` took over, and nothing follows from the push");
                }
                match &about {
                    // Of several that are one there, whoever knows it looks; the others find in their lists whether it is theirs by now.
                    Subject::Mr(number) => {
                        let mr = MrId { repo: repo.clone(), number: *number };
                        match all.len() == 1 || matches!(world.store.card(&mr).await, Ok(Some(_))) {
                            true => drop(looks.insert(mr)),
                            false => drop(repos.entry(repo.clone()).or_default()),
                        }
                    }
                    Subject::Commit(commit) => looks.extend(world.news.at_head(repo, commit)),
                    Subject::Branch(_) | Subject::Repository(_) => repos.entry(repo.clone()).or_default().extend(push.iter().map(|push| push.commit.clone())),
                }
            }
        }
        world.news.announced(looks.iter().cloned(), repos.keys().cloned());
        if !looks.is_empty() {
            self.service.hint_all(looks.into_iter().collect());
        }
        for (repo, pushed) in repos {
            self.sweeps.ask(&self.service, repo, pushed);
        }
    }

    /// Takes out of the inbox what was acted on long enough ago.
    async fn done(&mut self, now: Time) -> Result<(), KvError> {
        let over = self.lingering.len().saturating_sub(LINGERING);
        let old = |at: Time| now.0 - at.0 >= LINGER.0 as i64 || now < at;
        let count = self.lingering.iter().enumerate().take_while(|(i, (_, at))| *i < over || old(*at)).count();
        if count == 0 {
            return Ok(());
        }
        let numbers: Vec<u64> = self.lingering.iter().take(count).map(|(n, _)| *n).collect();
        self.store.done(&numbers).await?;
        self.lingering.drain(..count);
        Ok(())
    }
}

/// Reading the list of open merge requests of a repository: one at a time each, and once more when somebody asked meanwhile.
#[derive(Clone, Default)]
struct Sweeps(Arc<Mutex<BTreeMap<RepoId, Asked>>>);

/// What was asked since the list was last begun to be read: nothing, or to read it, and to look at those with one of these heads.
type Asked = Option<BTreeSet<CommitId>>;

impl Sweeps {
    fn ask(&self, service: &Service, repo: RepoId, heads: BTreeSet<CommitId>) {
        {
            let mut all = self.lock();
            let reads = all.contains_key(&repo);
            all.entry(repo.clone()).or_default().get_or_insert_default().extend(heads);
            if reads {
                // Whoever reads it now reads it again.
                return;
            }
        }
        let (sweeps, service) = (self.clone(), service.clone());
        tokio::spawn(async move {
            loop {
                let asked = {
                    let mut all = sweeps.lock();
                    match all.get_mut(&repo).and_then(Option::take) {
                        Some(asked) => asked,
                        None => {
                            all.remove(&repo);
                            return;
                        }
                    }
                };
                service.swept(&repo).await;
                service.hint_all(asked.iter().flat_map(|head| service.world().news.at_head(&repo, head)).collect());
            }
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<RepoId, Asked>> {
        // The map is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
