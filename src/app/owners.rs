//! Owners at rest: where the grants of several repositories share something, what one's base asks for is refused to the others, with its place (I10).

use super::{
    governing::{Governing, governing, policy},
    mapped::Mapped,
    targets::Targets,
    world::Repository,
};
use crate::{
    core::{
        model::{CommitId, MrId, Place, Refusal, RefusalKind, RepoId, ResourceId, Str, Want},
        plan::Patterns,
    },
    kinds,
    ports::RepoError,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Who owns what, among the repositories that share something. A change that was told so hears when it is told otherwise.
#[derive(Default)]
pub struct Owners {
    sharing: Vec<Arc<Repository>>,
    noted: Mutex<BTreeMap<MrId, Noted>>,
}

/// What a change was last told.
#[derive(Clone)]
struct Noted {
    ids: Arc<Vec<ResourceId>>,
    /// The tips it was read from.
    tips: Tips,
    owned: BTreeSet<ResourceId>,
}

type Tips = BTreeMap<RepoId, Option<CommitId>>;

/// The owner of a resource.
#[derive(Clone, Debug)]
struct Owner {
    repo: RepoId,
    branch: Str,
    place: Place,
}

impl Owners {
    pub fn new<'a>(repositories: impl Iterator<Item = &'a Arc<Repository>>) -> Self {
        let sharing = repositories.filter(|repo| repo.grants.iter().any(|grant| grant.shared)).cloned().collect();
        Self { sharing, ..Self::default() }
    }

    /// Whether a repository shares anything with another.
    pub fn concern(&self, repo: &RepoId) -> bool {
        self.sharing.len() > 1 && self.sharing.iter().any(|sharing| sharing.id == *repo)
    }

    /// A plan is made: whatever it comes to, it knows of the others as they are now.
    pub fn begin(&self, mr: &MrId) {
        if self.concern(&mr.repo) {
            let noted = Noted { ids: Arc::default(), tips: self.tips(&mr.repo), owned: BTreeSet::new() };
            self.lock().insert(mr.clone(), noted);
        }
    }

    /// Refuses what another repository's base asks for, and takes note of what it said. Blocking.
    pub fn judge(&self, mr: &MrId, targets: &Targets, claimed: &[Want]) -> Result<Vec<(ResourceId, Refusal)>, String> {
        let Some(own) = self.sharing.iter().find(|sharing| sharing.id == mr.repo).filter(|_| self.concern(&mr.repo)) else { return Ok(Vec::new()) };
        let ids: Arc<Vec<ResourceId>> = Arc::new(claimed.iter().map(|want| &want.id).filter(|id| shares(own, targets, id)).cloned().collect());
        let tips = self.tips(&mr.repo);
        let owned = self.owned(&mr.repo, &tips, targets, &ids)?;
        let noted = Noted { ids, tips, owned: owned.keys().cloned().collect() };
        self.lock().insert(mr.clone(), noted);
        let wanted: BTreeSet<&ResourceId> = claimed.iter().filter(|want| want.merged.is_some()).map(|want| &want.id).collect();
        Ok(owned.iter().map(|(id, owner)| (id.clone(), refusal(targets, id, owner, wanted.contains(id)))).collect())
    }

    /// Whose a resource is, where that is another repository: `None` leaves it to the one that asks. Blocking.
    pub fn elsewhere(&self, asks: &RepoId, targets: &Targets, id: &ResourceId) -> Result<Option<String>, String> {
        let Some(own) = self.sharing.iter().find(|sharing| sharing.id == *asks).filter(|own| self.concern(asks) && shares(own, targets, id)) else { return Ok(None) };
        let owned = self.owned(&own.id, &self.tips(&own.id), targets, std::slice::from_ref(id))?;
        Ok(owned.get(id).map(|owner| whose(targets, id, owner)))
    }

    /// Whether a change would be told otherwise now. One that this process has not planned yet is planned anew. Blocking.
    pub fn moved(&self, mr: &MrId, targets: &Targets) -> bool {
        if !self.concern(&mr.repo) {
            return false;
        }
        let tips = self.tips(&mr.repo);
        let noted = self.lock().get(mr).cloned();
        let Some(noted) = noted else { return true };
        if noted.tips == tips {
            return false;
        }
        match self.owned(&mr.repo, &tips, targets, &noted.ids) {
            Ok(owned) if owned.keys().eq(&noted.owned) => {
                // A plan that was made meanwhile has noted newer ones.
                if let Some(now) = self.lock().get_mut(mr).filter(|now| now.tips == noted.tips && Arc::ptr_eq(&now.ids, &noted.ids)) {
                    now.tips = tips;
                }
                false
            }
            // What cannot be read is told by the next plan.
            Ok(_) | Err(_) => true,
        }
    }

    fn tips(&self, but: &RepoId) -> Tips {
        let others = self.sharing.iter().filter(|sharing| sharing.id != *but);
        others.map(|repo| (repo.id.clone(), repo.tip())).collect()
    }

    /// The owners of resources, among the other repositories.
    fn owned(&self, but: &RepoId, tips: &Tips, targets: &Targets, ids: &[ResourceId]) -> Result<BTreeMap<ResourceId, Owner>, String> {
        let mut owned = BTreeMap::new();
        for other in self.sharing.iter().filter(|sharing| sharing.id != *but) {
            let theirs: BTreeSet<&ResourceId> = ids.iter().filter(|id| shares(other, targets, id)).collect();
            // A repository without a branch asks for nothing yet.
            let Some(base) = tips.get(&other.id).and_then(Option::as_ref).filter(|_| !theirs.is_empty()) else { continue };
            let untold = |why: String| format!("whether repository {} asks for the same cannot be told: {why}", other.id);
            for (id, place) in asked_by(other, base, &theirs).map_err(|error| untold(error.to_string()))?.map_err(untold)? {
                owned.entry(id).or_insert_with(|| Owner { repo: other.id.clone(), branch: other.governed.said(), place });
            }
        }
        Ok(owned)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<MrId, Noted>> {
        // The map is whole after every statement.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shares(repo: &Repository, targets: &Targets, id: &ResourceId) -> bool {
    let kind = targets.get(&id.target).map_or_else(|| kinds::of(id), |target| target.kind());
    repo.grants.iter().any(|grant| grant.shared && grant.covers(id, kind))
}

type Places = BTreeMap<ResourceId, Place>;

/// Which of these a repository's base asks for, and where; inside: a file that may ask for them and cannot be read.
fn asked_by(repo: &Repository, base: &CommitId, ids: &BTreeSet<&ResourceId>) -> Result<Result<Places, String>, RepoError> {
    let governing = governing(repo, base)?;
    let policy = policy(repo, &governing);
    let Governing { root: Some(root), .. } = governing else { return Ok(Ok(Places::new())) };
    let ignored = Patterns::new("policy.ignore", &policy.ignore).ok();
    let (tree, mut found) = (repo.state.tree(base)?, Places::new());
    for source in &root.sources {
        let Some(mapped) = Mapped::of(source, &policy) else { continue };
        let units: BTreeSet<_> = ids.iter().filter(|id| source.targets.contains(&id.target)).map(|id| mapped.format.unit_for(id)).collect();
        if units.is_empty() {
            continue;
        }
        let read = mapped.git();
        let beside = repo.units.beside(&*repo.state, &read, &tree, &units)?;
        for unit in units.union(&beside) {
            match &*repo.units.unit(&*repo.state, &read, &tree, unit)? {
                Ok(unit) => {
                    let asked = unit.desired.resources.iter().filter(|(id, _)| ids.contains(id) && !ignored.as_ref().is_some_and(|ignored| ignored.matches(id)));
                    found.extend(asked.map(|(id, wanted)| (id.clone(), wanted.place.clone())));
                }
                Err(faults) => return Ok(Err(faults.iter().map(ToString::to_string).next().unwrap_or_default())),
            }
        }
    }
    Ok(Ok(found))
}

fn whose(targets: &Targets, id: &ResourceId, owner: &Owner) -> String {
    let title = targets.get(&id.target).map_or_else(|| id.to_string(), |target| target.kind().title(id));
    let Owner { repo, branch, place } = owner;
    format!("`{title}` on {} is repository {repo}'s: `{branch}` there asks for it in {place}", id.target)
}

fn refusal(targets: &Targets, id: &ResourceId, owner: &Owner, wanted: bool) -> Refusal {
    let (whose, repo) = (whose(targets, id, owner), &owner.repo);
    let advice = match wanted {
        true => format!("have {repo} give it up first (`release:` in its trueup.yaml, with the lines taken out); this merge request is planned again as soon as that is merged"),
        false => "give it up by `release:` in trueup.yaml instead of deleting it".to_owned(),
    };
    Refusal::new(RefusalKind::Overlap, whose).advice(advice)
}
