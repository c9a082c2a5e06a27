//! What `${…}` stands for in one tree, wherever in the repository that is asked for, and who follows what a merge request changes.

use super::{mapped::Mapped, safe::Cover, survey::Units, world::Repository};
use crate::{
    core::{
        model::{Desired, Kind, Late, Mention, Policy, Refusal, RefusalKind, ResourceId, Str, TreeId, Unit, Value},
        plan::{Asked, SideOf, resolve},
    },
    formats::trueup_yaml::Source,
    git::UnitSide,
    kinds,
    ports::RepoError,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Arc,
};

/// So many units are read to find the name that was meant; of more, only their own names are compared.
const NEAR: usize = 200;

/// Where what a side asks for is read.
trait Shelf {
    type Error;

    /// Whether the repository may say anything of a resource at all.
    fn grants(&self, id: &ResourceId) -> bool;

    fn find(&mut self, id: &ResourceId) -> Result<Asked, Self::Error>;

    /// Names that `id` may have meant.
    fn near(&mut self, id: &ResourceId) -> Result<Vec<String>, Self::Error>;
}

/// What references stand for, wherever it is read: nothing that is not granted, and nothing sensitive.
struct Lookup<R> {
    cover: Cover,
    reads: R,
}

impl<R: Shelf> SideOf for Lookup<R> {
    type Error = R::Error;

    fn asks(&mut self, id: &ResourceId) -> Result<Asked, R::Error> {
        if !self.reads.grants(id) {
            let what = format!("`{id}` is not granted to this repository");
            return Ok(Err(Refusal::new(RefusalKind::Grant, what).advice("refer to what is, or ask the operators to grant it in the server's configuration")));
        }
        if self.cover.hides(id, kinds::of(id)) {
            let what = format!("`{id}` is sensitive, and a reference would write it in the clear");
            return Ok(Err(Refusal::new(RefusalKind::Grant, what).advice("write a reference to the secret (`secret://…`) here as well")));
        }
        self.reads.find(id)
    }

    fn near(&mut self, id: &ResourceId) -> Result<Vec<String>, R::Error> {
        self.reads.near(id)
    }

    fn kind(&self, id: &ResourceId) -> &'static dyn Kind {
        kinds::of(id)
    }
}

/// One tree of a repository, as far as references ask for it.
pub(super) struct Tree<'a> {
    repo: &'a Repository,
    tree: &'a TreeId,
    sources: &'a [Source],
    policy: &'a Policy,
    /// The sources, made ready once there is a reference to follow.
    mapped: Vec<Arc<Mapped<'a>>>,
    known: BTreeMap<(usize, Unit), UnitSide>,
}

impl<'a> Tree<'a> {
    pub fn new(repo: &'a Repository, tree: &'a TreeId, sources: &'a [Source], policy: &'a Policy) -> Self {
        Self { repo, tree, sources, policy, mapped: Vec::new(), known: BTreeMap::new() }
    }

    /// Writes what references stand for into `desired`; what leads nowhere is taken out of it and told.
    pub fn resolve(mut self, desired: &mut Desired) -> Result<Vec<Refusal>, RepoError> {
        if desired.late.is_empty() {
            return Ok(Vec::new());
        }
        self.mapped = self.sources.iter().filter_map(|source| Mapped::of(source, self.policy).map(Arc::new)).collect();
        resolve(desired, &mut Lookup { cover: Cover::new(self.policy, &self.repo.grants), reads: self })
    }

    fn unit(&mut self, number: usize, unit: &Unit) -> Result<UnitSide, RepoError> {
        if let Some(known) = self.known.get(&(number, unit.clone())) {
            return Ok(known.clone());
        }
        let side = self.repo.units.unit(&*self.repo.state, &self.mapped[number].git(), self.tree, unit)?;
        self.known.insert((number, unit.clone()), side.clone());
        Ok(side)
    }

    /// The units of a source that may ask for a resource.
    fn homes(&self, number: usize, id: &ResourceId) -> Result<BTreeSet<Unit>, RepoError> {
        let mapped = &self.mapped[number];
        if !mapped.source.targets.contains(&id.target) || mapped.format.kind().name() != kinds::of(id).name() {
            return Ok(BTreeSet::new());
        }
        let own = BTreeSet::from([mapped.format.unit_for(id)]);
        let beside = self.repo.units.beside(&*self.repo.state, &mapped.git(), self.tree, &own)?;
        Ok(own.into_iter().chain(beside).collect())
    }
}

impl Shelf for Tree<'_> {
    type Error = RepoError;

    /// A target that no source names is told as unknown.
    fn grants(&self, id: &ResourceId) -> bool {
        let named = self.sources.iter().any(|source| source.targets.contains(&id.target));
        !named || self.repo.grants.iter().any(|grant| grant.covers(id, kinds::of(id)))
    }

    fn find(&mut self, id: &ResourceId) -> Result<Asked, RepoError> {
        let mut faulty = None;
        for number in 0..self.mapped.len() {
            for unit in self.homes(number, id)? {
                match &*self.unit(number, &unit)? {
                    Ok(read) => match found(&read.desired, id) {
                        Ok(None) => {}
                        found => return Ok(found),
                    },
                    Err(faults) => faulty = faulty.or_else(|| faults.first().cloned()),
                }
            }
        }
        let unread = |fault: Refusal| {
            let what = format!("what asks for `{id}` cannot be read");
            Refusal { place: fault.place, ..Refusal::new(RefusalKind::Unknown, what) }.advice("mend that file first")
        };
        Ok(faulty.map_or(Ok(None), |fault| Err(unread(fault))))
    }

    fn near(&mut self, id: &ResourceId) -> Result<Vec<String>, RepoError> {
        let mut names = BTreeSet::new();
        for number in 0..self.mapped.len() {
            let mapped = Arc::clone(&self.mapped[number]);
            let Mapped { source, format, .. } = &*mapped;
            if !source.targets.contains(&id.target) {
                // The same name on a target that there is.
                names.extend(source.targets.iter().map(|target| format!("{target}/{}/{}", id.kind, id.name)));
                continue;
            }
            let units = self.repo.units.units(&*self.repo.state, &mapped.git(), self.tree)?;
            let own = format.unit_for(id);
            let read: Vec<Unit> = if units.len() > NEAR { units.iter().filter(|unit| **unit == own).cloned().collect() } else { units.iter().cloned().collect() };
            if format.in_parts() {
                names.extend(units.iter().map(|unit| format!("{}/{}/{unit}", id.target, id.kind)));
            }
            for unit in read {
                if let Ok(read) = &*self.unit(number, &unit)? {
                    names.extend(read.desired.resources.keys().map(ToString::to_string));
                }
            }
        }
        Ok(names.into_iter().collect())
    }
}

/// What desired state asks of a resource.
fn found(desired: &Desired, id: &ResourceId) -> Asked {
    if desired.left.contains_key(id) {
        return Err(Refusal::new(RefusalKind::Unknown, format!("`{id}` is named only to be left alone, so what it is is not known")).advice("write the value here"));
    }
    Ok(desired.get(id).map(|wanted| (wanted.value.clone(), desired.late.get(id).cloned())))
}

/// Writes what references stand for into `desired`, where all that a tree asks for was read. Grants are judged when a plan is made.
pub(super) fn resolve_within(read: &Desired, policy: &Policy, desired: &mut Desired) -> Vec<Refusal> {
    match resolve(desired, &mut Lookup { cover: Cover::new(policy, &[]), reads: read }) {
        Ok(faults) => faults,
        Err(never) => match never {},
    }
}

impl Shelf for &Desired {
    type Error = Infallible;

    fn grants(&self, _id: &ResourceId) -> bool {
        true
    }

    fn find(&mut self, id: &ResourceId) -> Result<Asked, Infallible> {
        Ok(found(self, id))
    }

    fn near(&mut self, _id: &ResourceId) -> Result<Vec<String>, Infallible> {
        Ok(self.resources.keys().map(ToString::to_string).collect())
    }
}

/// Both sides as they were read, before references are resolved.
pub(super) struct Sides<'a> {
    pub base: &'a Desired,
    pub merged: &'a Desired,
}

/// The units of the merged tree whose values refer to what a merge request changes, however far round.
pub(super) fn followers(repo: &Repository, sources: &[Source], policy: &Policy, tree: &TreeId, sides: Sides<'_>) -> Result<Units, RepoError> {
    let mut units = Units::new();
    let refer: Vec<Mapped<'_>> = sources.iter().filter(|source| source.references).filter_map(|source| Mapped::of(source, policy)).collect();
    let Sides { base, merged } = sides;
    let same = |id: &ResourceId| base.get(id).map(|was| &was.value) == merged.get(id).map(|wanted| &wanted.value) && base.late.get(id) == merged.late.get(id);
    let mut changed: BTreeSet<Str> = base.resources.keys().chain(merged.resources.keys()).filter(|id| !same(id)).map(key).collect();
    if refer.is_empty() || changed.is_empty() {
        return Ok(units);
    }
    let speaks = |_: &ResourceId, _: &Value, late: Option<&Late>| -> Vec<Mention> {
        let mention = |refers: &crate::core::model::Refers| Mention { key: key(&refers.id), rule: refers.to_string().into(), guess: false };
        late.into_iter().flat_map(Late::refers).map(mention).collect()
    };
    loop {
        let known = changed.len();
        for source in &refer {
            // The index of references holds sources of any size.
            for pointer in repo.references.at(&repo.units, &*repo.state, &source.git(), tree, &changed, &speaks)?.unwrap_or_default() {
                units.entry(source.format.kind().name()).or_default().insert(source.format.unit_for(&pointer.id));
                changed.insert(key(&pointer.id));
            }
        }
        if changed.len() == known {
            return Ok(units);
        }
    }
}

fn key(id: &ResourceId) -> Str {
    id.to_string().into()
}
