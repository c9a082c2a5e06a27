//! Which of several branches governs a repository: kept in the store, and moved on by an approved merge alone.

use super::world::{Repository, World};
use crate::{
    core::{
        gate::MergeTicket,
        model::{CommitId, MrId, Refusal, RefusalKind, RepoId, Span, Str, Time, TreeId},
        run::{MergeAnswer, PlanResult},
    },
    ports::{Governed, Stand, StateRepo},
    stores::{Batch, RowKey, Store, Stored},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Commits that are searched for a merge whose answer was lost: more than land between two sweeps.
const SEARCHED: usize = 1_000;

/// How long a merge whose answer was lost is searched for: forges finish theirs within minutes, and what lands much later is no merge of ours.
const IN_FLIGHT: Span = Span::mins(60);

/// Tries before a row that another replica writes too is left to the next sweep.
const RETRIES: usize = 8;

/// What is kept of a repository of which one of several branches governs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reign {
    governs: Str,
    /// The merge by which another is about to take over, kept before the forge is asked for it.
    next: Option<Next>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Next {
    branch: Str,
    base: CommitId,
    tree: TreeId,
    mr: MrId,
    /// When the forge was asked; rows of older versions do not say.
    #[serde(default)]
    at: Option<Time>,
}

/// What each change was planned under, so that it hears when another branch governs.
#[derive(Debug, Default)]
pub struct Reigns(Mutex<BTreeMap<MrId, Noted>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Noted {
    into: Str,
    /// The branch that governed.
    under: Str,
    /// Its tip, where `into` is to take over from it.
    from: Option<CommitId>,
}

/// What is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    Plan,
    WayBack,
    /// Nobody acts on it, so nobody is to hear when it would come out otherwise.
    Preview,
}

/// A branch takes over from another: what is compared is what the other says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakesOver {
    pub from: Str,
    pub into: Str,
    /// The tip of the branch that governs today.
    pub at: CommitId,
    /// Newer than `into`, and there already.
    pub newer: Vec<Str>,
}

impl Reigns {
    /// What a merge request into a branch is compared with; the error is why it is not planned. A way back is always planned, from what governs.
    pub async fn judge(&self, world: &World, mr: &MrId, into: Option<&Str>, asks: Asks) -> Result<Option<TakesOver>, PlanResult> {
        let (Some(repo), Some(into)) = (world.repositories.get(&mr.repo), into) else { return Ok(None) };
        let failed = |why: String| PlanResult::Failed { why };
        let tip = |branch: &Str| repo.state.commit(&format!("refs/heads/{branch}")).map_err(|error| failed(format!("`{branch}` governs and cannot be read: {error}")));
        // Sent to a branch that governs nothing, it goes back to what governs, by the rules of that.
        let back = |from: Str| Ok(Some(TakesOver { at: tip(&from)?, from, into: into.clone(), newer: Vec::new() }));
        if repo.governed.pattern().is_none() {
            return match repo.governed.now().filter(|_| asks == Asks::WayBack && !repo.governed.holds(into)) {
                Some(governs) => back(governs),
                None => Ok(None),
            };
        }
        if repo.governed.now().is_none() {
            settle(world, repo).await.map_err(failed)?;
        }
        let note = |under: &Str, from: Option<CommitId>| {
            if asks == Asks::Preview {
                return;
            }
            self.lock().insert(mr.clone(), Noted { into: into.clone(), under: under.clone(), from });
        };
        match repo.governed.stand(into) {
            Stand::Governs => {
                note(into, None);
                Ok(None)
            }
            Stand::Newer(from) => {
                let at = tip(&from)?;
                note(&from, Some(at.clone()));
                let known = world.forge.branches(&mr.repo).await.ok().flatten().or_else(|| repo.state.branches().ok()).unwrap_or_default();
                let newer = repo.governed.among(known).into_iter().take_while(|branch| branch != into).collect();
                Ok(Some(TakesOver { from, into: into.clone(), at, newer }))
            }
            Stand::Retired(by) => {
                note(&by, None);
                if asks == Asks::WayBack {
                    return back(by);
                }
                let what = format!("`{into}` governs nothing any more: `{by}` took over from it");
                Err(PlanResult::Refused(vec![Refusal::new(RefusalKind::Protected, what).advice(format!("send this merge request to `{by}`, or to a newer branch"))]))
            }
            Stand::Open => Err(failed(format!("no branch like `{}` was seen yet", repo.governed))),
            Stand::Stray if let Some(governs) = repo.governed.now().filter(|_| asks == Asks::WayBack) => {
                note(&governs, None);
                back(governs)
            }
            // It is as good as closed, and nothing is planned for long.
            Stand::Stray => Err(PlanResult::Refused(vec![
                Refusal::new(RefusalKind::Protected, format!("`{into}` governs nothing")).advice(format!("send this merge request to `{}`", repo.governed)),
            ])),
        }
    }

    /// Whether a change would be compared with something else now. One that this process has not planned yet is planned anew.
    pub fn moved(&self, world: &World, mr: &MrId, goes: Option<&Str>) -> bool {
        let Some(repo) = world.repositories.get(&mr.repo).filter(|repo| repo.governed.pattern().is_some()) else { return false };
        let noted = self.lock().get(mr).cloned();
        let Some(Noted { into, under, from }) = noted else { return true };
        goes.is_some_and(|goes| *goes != into) || repo.governed.now().as_ref() != Some(&under) || from.is_some_and(|from| repo.tip() != Some(from))
    }

    /// Keeps that a merge is about to make another branch govern; nothing where it does not. The error is why it must wait.
    pub async fn before(&self, world: &World, ticket: &MergeTicket) -> Result<Option<Taking>, String> {
        let mr = ticket.mr();
        let Some(repo) = world.repositories.get(&mr.repo).filter(|repo| repo.governed.pattern().is_some()) else { return Ok(None) };
        settle(world, repo).await?;
        if self.moved(world, mr, ticket.into_branch()) {
            return Err("another branch governs by now".to_owned());
        }
        let Some(Noted { into, from: Some(_), .. }) = self.lock().get(mr).cloned() else { return Ok(None) };
        let next = Next { branch: into.clone(), base: ticket.base().clone(), tree: ticket.tree().clone(), mr: mr.clone(), at: Some(world.clock.now()) };
        keep(&world.store, &mr.repo, |reign| Reign { next: Some(next.clone()), ..reign }).await?;
        Ok(Some(Taking { repo: repo.clone(), into, mr: mr.clone() }))
    }

    /// The changes of a repository that this process planned.
    pub fn planned(&self, repo: &RepoId) -> Vec<MrId> {
        self.lock().keys().filter(|mr| mr.repo == *repo).cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<MrId, Noted>> {
        // The map is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A branch that governs once its merge is there.
pub struct Taking {
    repo: Arc<Repository>,
    into: Str,
    mr: MrId,
}

impl Taking {
    /// The forge answered: where it merged, the branch governs. What it did not tell is found by the next sweep.
    pub async fn after(self, world: &World, answer: &MergeAnswer) {
        match answer {
            MergeAnswer::Merged { .. } => {}
            // It may have happened all the same.
            MergeAnswer::Refused { transient: true, .. } => return,
            // It did not happen, and nothing that comes to look like it is it.
            MergeAnswer::Elsewhere { .. } | MergeAnswer::Moved { .. } | MergeAnswer::Waits { .. } | MergeAnswer::Refused { transient: false, .. } => {
                let done = keep(&world.store, &self.repo.id, |reign| forgotten(reign, &self.mr)).await;
                return done.unwrap_or_else(|why| tracing::warn!(repo = %self.repo.id, "a takeover that came to nothing is not forgotten yet: {why}"));
            }
        }
        self.repo.governed.set(&self.into);
        tracing::info!(repo = %self.repo.id, "`{}` governs from now on", self.into);
        if let Err(why) = keep(&world.store, &self.repo.id, |_| Reign { governs: self.into.clone(), next: None }).await {
            tracing::warn!(repo = %self.repo.id, "that `{}` governs is not kept yet, the next sweep does: {why}", self.into);
        }
    }
}

/// The same without the takeover that a merge request was about to make.
fn forgotten(reign: Reign, mr: &MrId) -> Reign {
    let next = reign.next.filter(|next| next.mr != *mr);
    Reign { next, ..reign }
}

fn key(repo: &RepoId) -> RowKey {
    RowKey::new("reign").text(repo.as_str())
}

/// Reads what is kept, finds merges whose answers were lost, and says for the first time which branch governs. Free where one branch does for good.
pub async fn settle(world: &World, repo: &Repository) -> Result<(), String> {
    if repo.governed.pattern().is_none() {
        return Ok(());
    }
    // Asked for either way: a forge in the network brings its branches here.
    let there = async {
        match world.forge.branches(&repo.id).await.map_err(|error| error.to_string())? {
            Some(there) => Ok(there),
            None => repo.state.branches().map_err(|error| error.to_string()),
        }
    };
    settled(&world.store, (&repo.id, &repo.governed), world.clock.now(), there, |next| landed(&*repo.state, next)).await
}

async fn settled(
    store: &Store,
    (repo, governed): (&RepoId, &Governed),
    now: Time,
    there: impl Future<Output = Result<Vec<Str>, String>>,
    landed: impl Fn(&Next) -> bool,
) -> Result<(), String> {
    let kept: Option<Stored<Reign>> = store.row(&key(repo)).await.map_err(|error| error.to_string())?;
    let Some(Stored { value: Reign { mut governs, next }, .. }) = kept else {
        // What is there when this server first sees the repository is what is at rest.
        let Some(first) = governed.among(there.await?).into_iter().next() else { return Err(format!("no branch like `{governed}` is there yet; an admin pushes the first")) };
        tracing::info!(%repo, "`{first}` governs: it is the newest by name of those that are there");
        let row = Reign { governs: first.clone(), next: None };
        // Another replica may have said so meanwhile; then what it said is read next time.
        if store.write(Batch::new().create(&key(repo), &row)).await.map_err(|error| error.to_string())?.is_ok() {
            governed.set(&first);
        }
        return Ok(());
    };
    if let Some(next) = next {
        let there = there.await.is_ok();
        if landed(&next) {
            tracing::info!(%repo, "`{}` governs: {} was merged, and nobody had told", next.branch, next.mr);
            governed.set(&next.branch);
            return keep(store, repo, |_| Reign { governs: next.branch.clone(), next: None }).await;
        }
        if there && next.at.is_none_or(|at| now - at > IN_FLIGHT) {
            keep(store, repo, |reign| if reign.next.as_ref() == Some(&next) { Reign { next: None, ..reign } } else { reign }).await?;
        }
        // The forge took its time, and the merge may be there by now.
        if let Some(now) = store.row::<Reign>(&key(repo)).await.map_err(|error| error.to_string())? {
            governs = now.value.governs;
        }
    }
    governed.set(&governs);
    Ok(())
}

/// Whether a merge is on its branch.
fn landed(state: &dyn StateRepo, next: &Next) -> bool {
    let mut at = state.commit(&format!("refs/heads/{}", next.branch)).ok();
    for _ in 0..SEARCHED {
        let Some(commit) = at.filter(|commit| *commit != next.base) else { return false };
        if state.tree(&commit).is_ok_and(|tree| tree == next.tree) {
            return true;
        }
        at = state.first_parent(&commit).ok().flatten();
    }
    false
}

/// Changes what is kept; where nothing is, nothing is changed.
async fn keep(store: &Store, repo: &RepoId, change: impl Fn(Reign) -> Reign) -> Result<(), String> {
    for _ in 0..RETRIES {
        let Some(stored) = store.row::<Reign>(&key(repo)).await.map_err(|error| error.to_string())? else {
            return Err("which branch governs was never kept".to_owned());
        };
        let now = change(stored.value.clone());
        if now == stored.value || store.write(Batch::new().update(&stored.key, stored.rev, &now)).await.map_err(|error| error.to_string())?.is_ok() {
            return Ok(());
        }
    }
    Err("which branch governs is written by too many at once".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{BranchPattern, MemoryKv};

    fn takeover(at: Time) -> Reign {
        let mr = MrId { repo: RepoId::new("dns@release"), number: 7 };
        Reign { governs: "release/1".into(), next: Some(Next { branch: "release/2".into(), base: CommitId::new("b"), tree: TreeId::new("t"), mr, at: Some(at) }) }
    }

    /// A store that holds this, and a repository that knows nothing yet.
    async fn kept(reign: &Reign) -> (Store, RepoId, Governed) {
        let (store, repo) = (Store::open(Arc::new(MemoryKv::new()), "tests").await.unwrap(), RepoId::new("dns@release"));
        store.write(Batch::new().create(&key(&repo), reign)).await.unwrap().unwrap();
        (store, repo, Governed::newest(BranchPattern::parse("release/*").unwrap()))
    }

    #[tokio::test]
    async fn a_takeover_that_is_told_while_the_forge_is_asked_is_not_taken_back() {
        let (store, repo, governed) = kept(&takeover(Time(0))).await;
        // The replica that merges tells; what this one sees of the branches is older.
        let there = async { keep(&store, &repo, |_| Reign { governs: "release/2".into(), next: None }).await.map(|()| Vec::new()) };
        settled(&store, (&repo, &governed), Time(1), there, |_| false).await.unwrap();
        assert_eq!(governed.now(), Some("release/2".into()));
    }

    #[tokio::test]
    async fn a_takeover_that_was_cut_off_is_found_where_it_landed_and_given_up_after_its_time() {
        let there = || std::future::ready(Ok(Vec::new()));
        let (store, repo, governed) = kept(&takeover(Time(0))).await;
        settled(&store, (&repo, &governed), Time(1), there(), |_| true).await.unwrap();
        let row = store.row::<Reign>(&key(&repo)).await.unwrap().unwrap().value;
        assert_eq!((governed.now(), row), (Some("release/2".into()), Reign { governs: "release/2".into(), next: None }));

        let (store, repo, governed) = kept(&takeover(Time(0))).await;
        let next = async |now, there| {
            settled(&store, (&repo, &governed), now, std::future::ready(there), |_| false).await.unwrap();
            (governed.now(), store.row::<Reign>(&key(&repo)).await.unwrap().unwrap().value.next.is_some())
        };
        let (first, late) = (Some("release/1".into()), Time(0) + IN_FLIGHT + Span::secs(1));
        assert_eq!(next(Time(0) + IN_FLIGHT, Ok(Vec::new())).await, (first.clone(), true), "the forge may still be at it");
        assert_eq!(next(late, Err("away".to_owned())).await, (first.clone(), true), "whether it landed nobody could see");
        assert_eq!(next(late, Ok(Vec::new())).await, (first, false));
    }

    #[test]
    fn a_takeover_that_came_to_nothing_is_forgotten_and_no_other() {
        let mr = |number| MrId { repo: RepoId::new("dns@release"), number };
        let next = Next { branch: "release/2".into(), base: CommitId::new("b"), tree: TreeId::new("t"), mr: mr(7), at: Some(Time(1)) };
        let reign = Reign { governs: "release/1".into(), next: Some(next) };
        assert_eq!(forgotten(reign.clone(), &mr(7)), Reign { next: None, ..reign.clone() });
        assert_eq!(forgotten(reign.clone(), &mr(8)), reign);
        // As older versions wrote it.
        let row: Reign = serde_json::from_str(r#"{"governs":"release/1","next":{"branch":"release/2","base":"b","tree":"t","mr":{"repo":"dns@release","number":7}}}"#).unwrap();
        assert_eq!(row.next.and_then(|next| next.at), None);
    }
}
